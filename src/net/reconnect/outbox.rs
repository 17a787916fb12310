//! The messages that were accepted for sending, until they are written.

use std::collections::VecDeque;

use crate::dial::reconnect::Unsent;
use crate::net::{Error, WebSocket};
use crate::{AsMessage as _, OwnedMessage, SendBuffer};

/// A message, and which it is of all.
type Numbered = (u64, OwnedMessage);

#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Of the connection that there is.
    queued: Unsent<Numbered>,
    /// For which the connection had no room before it broke, or that it has given up.
    refused: Vec<Numbered>,
    /// Of the connections before.
    left: VecDeque<Numbered>,
    next: u64,
}

impl Outbox {
    /// Queues or sends a message with `send`, and remembers it.
    pub(super) fn send(
        &mut self,
        socket: &mut WebSocket,
        message: OwnedMessage,
        send: impl FnOnce(&mut WebSocket, &OwnedMessage) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.next = self.next.saturating_add(1);
        self.send_numbered(socket, (self.next, message), send)
    }

    fn send_numbered(
        &mut self,
        socket: &mut WebSocket,
        message: Numbered,
        send: impl FnOnce(&mut WebSocket, &OwnedMessage) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.queued.forget_written(output(socket));
        let (length, waiting) = (message.1.as_outgoing().len(), socket.buffered_amount());
        if socket.connection().check_room(length, waiting).is_err()
            && let Err(error) = socket.flush()
        {
            self.refused.push(message);
            return Err(error);
        }
        let lost_before = lost(socket);
        let result = send(socket, &message.1);
        match &result {
            Err(Error::Send(_)) => {}
            // Its rest was given up, and not queued.
            Err(_) if lost_before != lost(socket) => self.refused.push(message),
            _ => self.queued.queued(message, output(socket)),
        }
        result
    }

    /// Sends what is left of earlier connections.
    pub(super) fn send_left(&mut self, socket: &mut WebSocket) -> Result<(), Error> {
        while let Some(message) = self.left.pop_front() {
            let sent = self.send_numbered(socket, message.clone(), |socket, it| socket.queue(it));
            if let Err(error) = sent {
                if let Error::Send(_) = error {
                    self.left.push_front(message);
                }
                return Err(error);
            }
        }
        socket.flush()
    }

    /// Keeps what a connection that ends has not written.
    pub(super) fn keep(&mut self, socket: &WebSocket) {
        self.queued.forget_written(output(socket));
        self.left.extend(self.queued.take());
        self.left.extend(self.refused.drain(..));
        self.left.make_contiguous().sort_by_key(|(number, _)| *number);
    }

    /// Forgets what the connection has: the program takes it.
    pub(super) fn forget(&mut self) {
        self.queued.clear();
        self.refused.clear();
    }

    pub(super) fn take(&mut self) -> Vec<OwnedMessage> {
        self.left.drain(..).map(|(_, message)| message).collect()
    }
}

fn output(socket: &WebSocket) -> &SendBuffer {
    socket.output()
}

/// How many bytes of a message were given up.
fn lost(socket: &WebSocket) -> usize {
    socket.buffered_amount().saturating_sub(output(socket).buffered_amount())
}
