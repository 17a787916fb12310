//! The numbers of a server.

use super::ended::{CloseCodes, TimeoutCounts};
use super::refusal::Refusals;

/// What a server has done since it was made. All numbers only grow, but for the two that end in
/// `_now`.
///
/// Every client that has connected is in one place:
///
/// - `connected` = `handshakes_now` + `refused.total()` + `answered` + `accepted`
/// - `accepted` = `open_now` + `close_sent.total()`, and the latter is
///   `close_received.total()` + `close_unread`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerCounts {
    /// How many connections hold a place now: they were accepted, and they or their handlers go on.
    pub open_now: u64,
    /// How many clients are in their opening handshake now. TLS, the handler's answer and a PROXY
    /// header are part of it.
    pub handshakes_now: u64,
    /// The clients that have connected.
    pub connected: u64,
    /// The clients that got a connection.
    pub accepted: u64,
    /// The clients whose request was not for a WebSocket, and was answered by the handler: for a page or
    /// a health check, for example.
    pub answered: u64,
    /// The clients that got neither, by the reason.
    pub refused: Refusals,
    /// The messages that the program has received.
    pub received: Traffic,
    /// The messages that the program has sent: they were accepted for sending, and may wait.
    pub sent: Traffic,
    /// How the connections ended by the clients' Close frames.
    pub close_received: CloseCodes,
    /// How the connections ended by the server's Close frames. 1006 stands for a connection that was
    /// cut off, too.
    pub close_sent: CloseCodes,
    /// The connections whose client answered the server's Close frame after the handler of a
    /// `net::Server` had returned: the code of that answer is not read.
    pub close_unread: u64,
    /// The deadlines that have passed.
    pub timeouts: TimeoutCounts,
    /// The handlers that returned an error. A client that vanished is among them if its handler passes
    /// the error of the connection on.
    pub handlers_failed: u64,
    /// The handlers that panicked.
    pub handlers_panicked: u64,
    /// How often the listener failed to accept a client, for example because there were no
    /// descriptors.
    pub accept_errors: u64,
}

/// How many messages went in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Whole messages. A fragmented one counts with its last fragment.
    pub messages: u64,
    /// The bytes of their payloads as the program sees them: without frames, before compression.
    pub payload_bytes: u64,
    /// The bytes on the streams of all clients: handshakes, frames and control frames, within TLS. A
    /// server that has no streams of its own, such as a set of `Connections`, does not see them.
    pub wire_bytes: u64,
}

impl ServerCounts {
    /// Sets the two numbers that follow from the others.
    pub(super) fn set_gauges(&mut self) {
        let begun = self.connected.wrapping_sub(self.accepted).wrapping_sub(self.answered);
        self.handshakes_now = begun.wrapping_sub(self.refused.total());
        self.open_now = self.accepted.wrapping_sub(self.close_sent.total());
    }
}
