//! The messages that were accepted for sending, until they are written.

use std::collections::VecDeque;

use sansock::dial::reconnect::Unsent;
use sansock::{SendBuffer, SendError};

use crate::{Error, Message, WebSocket};

/// A message, and which it is of all.
type Numbered = (u64, Message);

#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Of the connection that there is.
    queued: Unsent<Numbered>,
    /// In which of its buffers they are.
    buffer: u32,
    /// For which the connection had no room before it broke.
    without_room: Vec<Numbered>,
    /// Of the connections before.
    left: VecDeque<Numbered>,
    next: u64,
}

impl Outbox {
    /// Queues a message, and remembers it.
    pub(super) fn queue(&mut self, socket: &mut WebSocket, message: Message) -> Result<(), Error> {
        let message = self.number(message);
        self.queue_numbered(socket, message)
    }

    fn number(&mut self, message: Message) -> Numbered {
        self.next = self.next.saturating_add(1);
        (self.next, message)
    }

    fn queue_numbered(&mut self, socket: &mut WebSocket, message: Numbered) -> Result<(), Error> {
        self.forget_written(socket);
        socket.queue(&message.1)?;
        if let (buffer, Some(output)) = socket.output() {
            self.buffer = buffer;
            self.queued.queued(message, output);
        }
        Ok(())
    }

    async fn queue_with_room(
        &mut self,
        socket: &mut WebSocket,
        message: &Numbered,
    ) -> Result<(), Error> {
        loop {
            match self.queue_numbered(socket, message.clone()) {
                Err(Error::Send(SendError::BufferFull { .. })) if is_waiting(socket) => {
                    socket.flush().await?;
                }
                result => return result,
            }
        }
    }

    /// Queues a message when there is room for it. If the connection breaks before, it is kept.
    pub(super) async fn accept(
        &mut self,
        socket: &mut WebSocket,
        message: Message,
    ) -> Result<(), Error> {
        let message = self.number(message);
        let result = self.queue_with_room(socket, &message).await;
        if let Err(error) = &result
            && !matches!(error, Error::Send(_))
        {
            self.without_room.push(message);
        }
        result
    }

    /// Sends what is left of earlier connections.
    pub(super) async fn send_left(&mut self, socket: &mut WebSocket) -> Result<(), Error> {
        while let Some(message) = self.left.front().cloned() {
            self.queue_with_room(socket, &message).await?;
            // No await is between the two: it is in one of the lists.
            self.left.pop_front();
        }
        socket.flush().await
    }

    /// Keeps what a connection that ends has not written.
    pub(super) fn keep(&mut self, socket: &WebSocket) {
        self.forget_written(socket);
        self.left.extend(self.queued.take());
        self.left.extend(self.without_room.drain(..));
        self.left.make_contiguous().sort_by_key(|(number, _)| *number);
    }

    /// Forgets what the connection has: the program takes it.
    pub(super) fn forget(&mut self) {
        self.queued.clear();
        self.without_room.clear();
    }

    pub(super) fn take(&mut self) -> Vec<Message> {
        self.left.drain(..).map(|(_, message)| message).collect()
    }

    fn forget_written(&mut self, socket: &WebSocket) {
        match socket.output() {
            (buffer, Some(output)) if buffer == self.buffer => self.queued.forget_written(output),
            // A buffer goes back to the pool when all of it is written.
            _ => self.queued.clear(),
        }
    }
}

fn is_waiting(socket: &WebSocket) -> bool {
    socket.output().1.is_some_and(|output: &SendBuffer| !output.is_empty())
}
