//! A connection with its send buffer, and its place in the server that accepted it.

use std::sync::Arc;

use super::slot::{CloseNotice, Remains, Slot};
use crate::{Config, Connection, SendBuffer};

/// The part of a connection that outlives its drop: when a server's handler returns, the server
/// writes the queued messages and then a Close frame.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) connection: Connection,
    pub(super) buffer: SendBuffer,
    /// The place in the server that accepted the connection.
    pub(super) slot: Option<Arc<Slot>>,
}

impl Core {
    pub(super) fn new(connection: Connection, buffer: SendBuffer) -> Self {
        Self { connection, buffer, slot: None }
    }

    /// Splits it into its parts: the server can no longer reach it.
    pub(super) fn into_parts(mut self) -> (Connection, SendBuffer, Option<Arc<Slot>>) {
        let slot = self.slot.take();
        let (connection, buffer) = self.take();
        (connection, buffer, slot)
    }

    fn take(&mut self) -> (Connection, SendBuffer) {
        let connection = Connection::server(&Config::new());
        (std::mem::replace(&mut self.connection, connection), std::mem::take(&mut self.buffer))
    }

    /// Ends a connection whose peer takes too little.
    pub(super) fn give_up(&mut self) {
        if let Some(slot) = &self.slot
            && self.connection.outcome().is_none()
        {
            slot.counters().write_timed_out();
        }
        self.connection.receive_eof();
    }

    /// Starts the closing handshake because the server asks for it.
    #[cold]
    pub(super) fn close(&mut self, notice: CloseNotice) {
        // Refused only if a Close frame was queued before.
        if self.connection.start_close(notice.code, "", &mut self.buffer).is_ok() {
            self.buffer.consume(notice.written);
        }
    }
}

/// Counts a message, or a fragment of one, that was accepted for sending on a server.
#[inline]
pub(super) fn count_sent(slot: Option<&Arc<Slot>>, length: usize, fin: bool) {
    if let Some(slot) = slot {
        slot.counters().sent(length, fin);
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take()
            && !slot.is_settled()
        {
            let (mut connection, mut buffer) = self.take();
            slot.keep_remains(move |code| {
                // Refused only if a Close frame was queued before.
                let _ = connection.start_close(code, "", &mut buffer);
                let (outcome, close_sent) =
                    (connection.outcome().cloned(), connection.close_sent());
                Remains { output: buffer, outcome, close_sent }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CloseCode;

    /// The server's thread writes as much of the Close frame as the network takes at once.
    #[test]
    fn a_close_frame_that_was_partly_written_gets_its_rest() {
        for written in 0..=4 {
            let mut core = Core::new(Connection::server(&Config::new()), SendBuffer::new());
            core.close(CloseNotice { code: CloseCode::GOING_AWAY, written });
            assert_eq!(core.buffer.as_slice(), &[0x88, 2, 3, 0xe9][written..]);
            // There is no second one.
            core.close(CloseNotice { code: CloseCode::GOING_AWAY, written: 0 });
            assert_eq!(core.buffer.buffered_amount(), 4 - written);
        }
    }
}
