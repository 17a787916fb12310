//! One end twice: as a whole connection, and in two halves that are driven by the rules for them. What
//! the one does, the other must do, byte by byte.

use std::time::Instant;

use sansock::buffer::Unwritten;
use sansock::handshake::Established;
use sansock::mask::MaskSource;
use sansock::split::{Receiver, Sender};
use sansock::{
    CloseCode, Config, Connection, EncodedMessage, Event, MessageKind, OutgoingMessage,
    ProtocolError, ReceiveBuffer, SendBuffer, SendError, Timeout,
};

/// An event without its loan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    Message(MessageKind, Vec<u8>),
    Chunk(MessageKind, Vec<u8>, bool),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<CloseCode>, String),
}

/// What came of looking for the next event.
#[derive(Debug)]
pub(super) struct Step {
    /// Messages that arrived after our Close frame, which the whole connection discards.
    pub(super) discarded: Vec<Arrived>,
    /// The next event; `None` if more bytes are needed.
    pub(super) event: Result<Option<Arrived>, ProtocolError>,
}

#[derive(Debug)]
pub(super) struct Twin {
    whole: Connection,
    input: ReceiveBuffer,
    output: SendBuffer,
    receiver: Receiver,
    sender: Sender,
    split_input: ReceiveBuffer,
    split_output: SendBuffer,
    lends_after_close: bool,
}

/// Keys that differ from frame to frame.
struct Keys(u32);

impl MaskSource for Keys {
    fn next_key(&mut self) -> [u8; 4] {
        self.0 = self.0.wrapping_add(0x9E37_79B9);
        self.0.to_be_bytes()
    }
}

impl Twin {
    pub(super) fn new(established: &Established, config: &Config) -> Self {
        let (receiver, sender) = established.connection_with(config, Keys(0)).split();
        Self {
            whole: established.connection_with(config, Keys(0)),
            input: ReceiveBuffer::new(),
            output: SendBuffer::new(),
            receiver,
            sender,
            split_input: ReceiveBuffer::new(),
            split_output: SendBuffer::new(),
            lends_after_close: config.messages_after_close,
        }
    }

    /// The whole connection, to be asked.
    pub(super) fn connection(&self) -> &Connection {
        &self.whole
    }

    /// The bytes that wait.
    pub(super) fn output(&self) -> &SendBuffer {
        &self.output
    }

    /// Compares all that the two say.
    pub(super) fn compare(&self) {
        let (whole, sender) = (&self.whole, &self.sender);
        assert_eq!(whole.state(), sender.state());
        assert_eq!(whole.outcome(), sender.outcome());
        assert_eq!(whole.teardown(), sender.teardown());
        assert_eq!(whole.poll_timeout(), sender.poll_timeout());
        assert_eq!(whole.role(), sender.role());
        // That they are the same bytes shows when they leave.
        assert_eq!(self.output.as_slice().len(), self.split_output.as_slice().len());
        assert_eq!(self.output.buffered_amount(), self.split_output.buffered_amount());
    }

    /// Sends a message. In place, the whole connection's payload leaves from where it lies, in writes of
    /// as many bytes as `writes` says, and then waits; the other's is queued and leaves in the same.
    /// Returns what left.
    pub(super) fn send(
        &mut self,
        message: OutgoingMessage<'_>,
        in_place: Option<&[usize]>,
    ) -> Result<Vec<u8>, SendError> {
        let split = self.sender.send(message, &mut self.split_output);
        let whole = match in_place {
            None => self.whole.send(message, &mut self.output).map(|()| Vec::new()),
            Some(writes) => self
                .whole
                .send_in_place(message, &mut self.output)
                .map(|unwritten| write_some(unwritten, writes)),
        };
        self.left(whole, split)
    }

    /// Sends a message that is encoded already, likewise.
    pub(super) fn send_encoded(
        &mut self,
        message: &EncodedMessage,
        in_place: Option<&[usize]>,
    ) -> Result<Vec<u8>, SendError> {
        let split = self.sender.send_encoded(message, &mut self.split_output);
        let whole = match in_place {
            None => self.whole.send_encoded(message, &mut self.output).map(|()| Vec::new()),
            Some(writes) => self
                .whole
                .send_encoded_in_place(message, &mut self.output)
                .map(|unwritten| write_some(unwritten, writes)),
        };
        self.left(whole, split)
    }

    /// What left of the one must leave of the other.
    fn left(
        &mut self,
        whole: Result<Vec<u8>, SendError>,
        split: Result<(), SendError>,
    ) -> Result<Vec<u8>, SendError> {
        assert_eq!(whole.as_ref().err(), split.as_ref().err());
        let bytes = whole?;
        assert!(bytes == take(&mut self.split_output, bytes.len()), "the same bytes left");
        Ok(bytes)
    }

    pub(super) fn send_fragment(
        &mut self,
        fragment: OutgoingMessage<'_>,
        fin: bool,
    ) -> Result<(), SendError> {
        let split = self.sender.send_fragment(fragment, fin, &mut self.split_output);
        same(self.whole.send_fragment(fragment, fin, &mut self.output), split)
    }

    pub(super) fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        let split = self.sender.ping(payload, &mut self.split_output);
        same(self.whole.ping(payload, &mut self.output), split)
    }

    pub(super) fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        let split = self.sender.pong(payload, &mut self.split_output);
        same(self.whole.pong(payload, &mut self.output), split)
    }

    pub(super) fn close(&mut self, code: Option<CloseCode>, reason: &str) -> Result<(), SendError> {
        let split = self.sender.start_close(code, reason, &mut self.split_output);
        same(self.whole.start_close(code, reason, &mut self.output), split)
    }

    pub(super) fn look(&mut self, now: Instant) -> Result<(), Timeout> {
        let split = self.sender.handle_timeout(now, &mut self.split_output);
        same(self.whole.handle_timeout(now, &mut self.output), split)
    }

    pub(super) fn receive_eof(&mut self) {
        self.whole.receive_eof();
        self.sender.receive_eof();
    }

    pub(super) fn note_unread(&mut self) {
        self.whole.note_unread();
        self.sender.note_unread();
    }

    pub(super) fn release(&mut self) {
        for input in [&mut self.input, &mut self.split_input] {
            input.release();
        }
        for output in [&mut self.output, &mut self.split_output] {
            output.release();
        }
    }

    /// Takes at most so many bytes of the output.
    pub(super) fn take_output(&mut self, most: usize) -> Vec<u8> {
        let bytes = take(&mut self.output, most);
        assert!(bytes == take(&mut self.split_output, most), "the same bytes leave");
        bytes
    }

    /// Puts what has arrived into both.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for input in [&mut self.input, &mut self.split_input] {
            let mut rest = bytes;
            while !rest.is_empty() {
                input.read_from(&mut rest).expect("a slice gives all");
            }
        }
    }

    /// The next event. The halves follow the rules of `Connection::split`.
    pub(super) fn advance(&mut self) -> Step {
        let mut discarded = Vec::new();
        let split = loop {
            match self.receiver.advance(&mut self.split_input) {
                Ok(false) => {
                    self.sender.note(self.receiver.progress(&mut self.split_input));
                    break Ok(None);
                }
                Ok(true) => {
                    self.sender.note_unread();
                    let event = self.split_input.event().expect("an event is due");
                    self.sender.respond(&event, &mut self.split_output);
                    let is_data = matches!(event, Event::Message(_) | Event::Chunk { .. });
                    let event = arrived(&event);
                    if is_data && self.sender.is_closed() && !self.lends_after_close {
                        discarded.push(event);
                    } else {
                        break Ok(Some(event));
                    }
                }
                Err(error) => {
                    self.sender.fail(error, &mut self.split_output);
                    self.sender.note(self.receiver.progress(&mut self.split_input));
                    break Err(error);
                }
            }
        };
        let whole = self.whole.advance(&mut self.input, &mut self.output).map(|found| {
            let event = self.input.event();
            assert_eq!(event.is_some(), found, "lends what was found, and nothing else");
            event.as_ref().map(arrived)
        });
        assert!(whole == split, "the same event: {whole:?}, {split:?}");
        Step { discarded, event: whole }
    }
}

fn same<E: std::fmt::Debug + PartialEq>(
    whole: Result<(), E>,
    split: Result<(), E>,
) -> Result<(), E> {
    assert_eq!(whole, split);
    whole
}

fn arrived(event: &Event<'_>) -> Arrived {
    match event {
        Event::Message(message) => Arrived::Message(message.kind(), message.as_bytes().to_vec()),
        Event::Chunk { data, fin } => Arrived::Chunk(data.kind(), data.as_bytes().to_vec(), *fin),
        Event::Ping(payload) => Arrived::Ping(payload.to_vec()),
        Event::Pong(payload) => Arrived::Pong(payload.to_vec()),
        Event::Close(close) => Arrived::Close(close.code, close.reason.to_owned()),
        other => panic!("an event that this harness does not know: {other:?}"),
    }
}

/// Takes at most so many bytes.
fn take(output: &mut SendBuffer, most: usize) -> Vec<u8> {
    let mut taken = Vec::new();
    if most == usize::MAX {
        output.write_to(&mut taken).expect("a vector takes all");
    }
    while taken.len() < most && !output.is_empty() {
        let slice = output.as_slice();
        assert!(!slice.is_empty(), "as_slice is empty only if nothing waits");
        let n = slice.len().min(most - taken.len());
        taken.extend_from_slice(&slice[..n]);
        let waiting = output.buffered_amount();
        output.consume(n);
        assert_eq!(output.buffered_amount(), waiting - n);
    }
    taken
}

/// Writes some of a payload from where it lies and drops the rest, which then waits. Returns what left.
fn write_some(mut unwritten: Unwritten<'_>, writes: &[usize]) -> Vec<u8> {
    let mut left = Vec::new();
    for &most in writes {
        if most == usize::MAX {
            unwritten.write_to(&mut left).expect("a vector takes all");
            return left;
        }
        let remaining = unwritten.remaining();
        let slices = unwritten.slices();
        let is_empty = slices.iter().all(|slice| slice.is_empty());
        let before = left.len();
        for slice in &slices {
            let n = slice.len().min(most - (left.len() - before));
            left.extend_from_slice(&slice[..n]);
        }
        let n = left.len() - before;
        unwritten.consume(n);
        assert_eq!(unwritten.remaining(), remaining - n);
        assert_eq!(unwritten.is_empty(), remaining == n);
        assert!(!is_empty || remaining == 0, "empty slices only if all is written");
    }
    left
}
