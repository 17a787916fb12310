//! Who we are and what we accept.

use crate::timer::Timeouts;

/// Which end of the connection this is (RFC 6455, 1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Opens the connection, masks what it sends and takes only what is not masked (5.1).
    Client,
    /// Answers, does not mask and takes only what is masked (5.1).
    Server,
}

/// How messages are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Delivery {
    /// Whole messages ([`Event::Message`](crate::Event::Message)), whatever their fragments.
    #[default]
    Messages,
    /// Pieces as they arrive ([`Event::Chunk`](crate::Event::Chunk)), text cut between characters:
    /// for messages larger than memory. [`Limits::message`] still counts; raise it as needed.
    Chunks,
}

/// What the peer may send and what may wait for it. All in bytes of payload unless said otherwise.
///
/// A peer that goes over a limit is told with Close code 1009 (1008 for fragments) and the
/// connection fails with an error that names the limit. Memory grows with the bytes that arrive,
/// never with the length that a header announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Largest payload of one data frame. Default 64 MiB.
    pub frame: u64,
    /// Largest message, all its fragments together; of a compressed message what it inflates to.
    /// Default 64 MiB.
    pub message: u64,
    /// Most frames of one message, empty ones included. Default 131,072.
    pub fragments: u32,
    /// Most bytes that may wait in the send buffer, headers included. A message or Ping that would go
    /// over it is refused with [`SendError::BufferFull`](crate::SendError::BufferFull), unless nothing
    /// waits. Answers, one Pong and one Close at most, are not. Default 64 MiB.
    pub buffered: usize,
}

impl Limits {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self { frame: 64 << 20, message: 64 << 20, fragments: 131_072, buffered: 64 << 20 }
    }

    /// Sets [`frame`](Self::frame).
    #[must_use]
    pub const fn frame(mut self, bytes: u64) -> Self {
        self.frame = bytes;
        self
    }

    /// Sets [`message`](Self::message).
    #[must_use]
    pub const fn message(mut self, bytes: u64) -> Self {
        self.message = bytes;
        self
    }

    /// Sets [`fragments`](Self::fragments).
    #[must_use]
    pub const fn fragments(mut self, frames: u32) -> Self {
        self.fragments = frames;
        self
    }

    /// Sets [`buffered`](Self::buffered).
    #[must_use]
    pub const fn buffered(mut self, bytes: usize) -> Self {
        self.buffered = bytes;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

/// How a connection behaves. Start from [`Config::new`] and change what you need.
///
/// ```
/// use sansock::{Config, Delivery, Limits};
/// let config = Config::new().limits(Limits::new().message(1 << 20)).delivery(Delivery::Chunks);
/// assert_eq!(config.limits.message, 1 << 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// What is accepted from the peer and may wait for it.
    pub limits: Limits,
    /// Whole messages or pieces.
    pub delivery: Delivery,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// The most bytes that one read asks the transport for. Default 32 KiB, so that what a read brings
    /// is still in the processor's first cache, or close to it, when it is unmasked. At least 4 KiB.
    pub read_size: usize,
    /// Whether a [`Connection`](crate::Connection) hands over messages that arrive after our own Close
    /// frame. Default no: they are discarded, as browsers do, so a loop that answers messages need not
    /// think of them. A connection that is split hands them over, since its reader does not answer.
    pub messages_after_close: bool,
}

impl Config {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            limits: Limits::new(),
            delivery: Delivery::Messages,
            timeouts: Timeouts::new(),
            read_size: 32 << 10,
            messages_after_close: false,
        }
    }

    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets [`delivery`](Self::delivery).
    #[must_use]
    pub const fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// Sets [`timeouts`](Self::timeouts).
    #[must_use]
    pub const fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }
    /// Sets [`read_size`](Self::read_size).
    #[must_use]
    pub const fn read_size(mut self, bytes: usize) -> Self {
        self.read_size = bytes;
        self
    }

    /// Sets [`messages_after_close`](Self::messages_after_close).
    #[must_use]
    pub const fn messages_after_close(mut self, deliver: bool) -> Self {
        self.messages_after_close = deliver;
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
