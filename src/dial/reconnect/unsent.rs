//! What a connection has accepted for sending and not written when it ended.

use std::collections::VecDeque;

use crate::buffer::SendBuffer;

/// The messages that a connection has accepted for sending and that its transport has not taken, in
/// order. After the end of the connection the program gets them back, and sends them over the next
/// one.
///
/// A message of which only a part was written is among them: the peer cannot have it. A message that
/// is not among them was written, which does not mean that the peer has received it. What lies in
/// the buffers of the operating system when a connection breaks is lost, and only an answer of the
/// peer can say so.
///
/// ```
/// use sansock::dial::reconnect::Unsent;
/// use sansock::{Config, Connection, SendBuffer};
///
/// let mut connection = Connection::server(&Config::new());
/// let (mut output, mut unsent) = (SendBuffer::new(), Unsent::new());
/// for text in ["one", "two"] {
///     connection.send(text, &mut output)?;
///     unsent.queued(text, &output);
/// }
/// // The transport takes the first message and a part of the second. Then it breaks.
/// output.consume(7);
/// unsent.forget_written(&output);
/// assert_eq!(unsent.take(), ["two"]);
/// # Ok::<(), sansock::SendError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Unsent<M> {
    messages: VecDeque<(M, u32)>,
}

impl<M> Default for Unsent<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M> Unsent<M> {
    /// Creates it without messages.
    #[must_use]
    pub const fn new() -> Self {
        Self { messages: VecDeque::new() }
    }

    /// Records a message that was queued last.
    pub fn queued(&mut self, message: M, output: &SendBuffer) {
        self.messages.push_back((message, output.position()));
    }

    /// Forgets the messages that are written. Call it before the next message, so that not more are
    /// held than wait.
    pub fn forget_written(&mut self, output: &SendBuffer) {
        while self.messages.front().is_some_and(|(_, end)| output.is_written(*end)) {
            self.messages.pop_front();
        }
    }

    /// Forgets all messages: nothing waits.
    pub fn clear(&mut self) {
        self.messages.clear();
    }

    /// Number of messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Returns whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Takes all messages, in order.
    pub fn take(&mut self) -> Vec<M> {
        self.messages.drain(..).map(|(message, _)| message).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::Sender;
    use crate::{Config, Event};

    const LENGTHS: [usize; 6] = [0, 1, 125, 126, 300, 3];

    /// Queues the messages, with a Ping before each from one of them on. Returns where each ends, in
    /// bytes that are no Pong's.
    fn queue(output: &mut SendBuffer, unsent: &mut Unsent<usize>, ping_from: usize) -> Vec<usize> {
        let mut sender = Sender::server(&Config::new());
        // Behind another, which is written: positions do not begin at 0.
        sender.send("before", output).unwrap();
        output.consume(8);
        let mut end = 0;
        let ends = LENGTHS.iter().enumerate().map(|(index, length)| {
            if index >= ping_from {
                // The Pong replaces the one that waits, which was shorter.
                sender.respond(&Event::Ping(&vec![9; index * 20]), output);
            }
            let before = output.buffered_amount();
            sender.send(&vec![0_u8; *length][..], output).unwrap();
            unsent.queued(index, output);
            end += output.buffered_amount() - before;
            end
        });
        ends.collect()
    }

    /// How many of the bytes belong to messages, and whether a Pong is half written.
    fn without_pong(written: &[u8]) -> (usize, bool) {
        let Some(at) = written.iter().position(|byte| *byte == 0x8a) else {
            return (written.len(), false);
        };
        let behind = written.len() - at;
        let length = written.get(at + 1).map_or(usize::MAX, |length| usize::from(*length) + 2);
        (written.len() - length.min(behind), behind < length)
    }

    /// However much the transport takes, and wherever a Pong stands that was replaced or is half
    /// written, a message is forgotten when its last byte is written, and not before.
    #[test]
    fn a_message_is_forgotten_with_its_last_byte() {
        for step in [1, 2, 3, 7, 127, 200, 2_000] {
            for ping_from in 0..=LENGTHS.len() {
                let (mut output, mut unsent) = (SendBuffer::new(), Unsent::new());
                let ends = queue(&mut output, &mut unsent, ping_from);
                let mut written = Vec::new();
                while !output.is_empty() {
                    let n = step.min(output.as_slice().len());
                    written.extend_from_slice(&output.as_slice()[..n]);
                    output.consume(n);
                    unsent.forget_written(&output);
                    let (data, half_a_pong) = without_pong(&written);
                    let waiting = ends.iter().filter(|end| **end > data).count();
                    assert!(unsent.len() >= waiting, "{step} {ping_from}: nothing is lost");
                    assert!(half_a_pong || unsent.len() == waiting, "{step} {ping_from}");
                }
                assert!(unsent.take().is_empty());
            }
        }
    }

    /// The counters go round.
    #[test]
    fn positions_hold_beyond_four_gibibytes() {
        let mut output = SendBuffer::new();
        let mebibyte = vec![0; 1 << 20];
        for _ in 0..4_100 {
            let mut unsent = Unsent::new();
            output.extend_from_slice(&mebibyte);
            unsent.queued((), &output);
            output.consume((1 << 20) - 1);
            unsent.forget_written(&output);
            assert_eq!(unsent.len(), 1);
            output.consume(1);
            unsent.forget_written(&output);
            assert!(unsent.is_empty());
        }
    }
}
