//! The settings of a connection: role, limits and delivery.

use std::time::Duration;

use crate::timeouts::{Keepalive, Timeouts};

/// Which end of the connection this is (RFC 6455, 1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Opens the connection, masks the frames that it sends and accepts only unmasked ones (5.1).
    Client,
    /// Answers, sends unmasked frames and accepts only masked ones (5.1).
    Server,
}

/// How messages are delivered to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Delivery {
    /// Whole messages ([`Event::Message`](crate::Event::Message)), even if they arrive in
    /// fragments.
    #[default]
    Messages,
    /// Pieces as they arrive ([`Event::Chunk`](crate::Event::Chunk)), for messages larger than
    /// memory. Text is cut between characters. [`Limits::message`] still applies; raise it as
    /// needed.
    Chunks,
}

/// Limits on what the peer may send and on what may wait to be sent to it.
///
/// If the peer exceeds a limit, it gets a Close frame with 1009 (1008 for fragments) and the
/// connection fails with an error that names the limit. Memory grows with the bytes that arrive,
/// never with the length that a header announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Largest payload of one data frame, in bytes. Default 64 MiB.
    pub frame: u64,
    /// Largest payload of one message, in bytes: the sum of its fragments, and for a compressed
    /// message its length after inflation. Default 64 MiB. The compressed bytes of a message may be
    /// an eighth and 256 KiB more.
    pub message: u64,
    /// Largest number of frames of one message, empty frames included. Default 131,072.
    pub fragments: u32,
    /// Largest number of bytes that may wait in the send buffer, headers included. A message or
    /// Ping that would exceed it is refused with
    /// [`SendError::BufferFull`](crate::SendError::BufferFull), unless the buffer is empty.
    /// Automatic replies (at most one Pong and one Close) are exempt. Default 64 MiB. The memory for
    /// these bytes is up to a quarter larger, plus 1 MiB. With a
    /// [`SendQueue`](crate::split::SendQueue) the written part of a batch is freed when the batch
    /// is put back and more is queued.
    pub buffered: usize,
}

impl Limits {
    /// Returns the defaults.
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
    /// Limits on what the peer may send and on what may wait to be sent to it.
    pub limits: Limits,
    /// Whether messages are delivered whole or in pieces. Default [`Delivery::Messages`].
    pub delivery: Delivery,
    /// The timeouts of the connection.
    pub timeouts: Timeouts,
    /// Largest number of bytes that one read asks the transport for; at least 4 KiB. Default
    /// [`READ_SIZE`](Self::READ_SIZE), 128 KiB. Reads are that long only for long messages; while
    /// messages are short, or delivered in pieces, one asks for 32 KiB at most, so that the bytes
    /// are still in the processor's fast cache when they are unmasked.
    pub read_size: usize,
    /// Whether a [`Connection`](crate::Connection) delivers messages that arrive after our own
    /// Close frame. Default `false`: it discards them, as browsers do, so a loop that answers
    /// messages needs no special case. A split connection always delivers them.
    pub messages_after_close: bool,
}

impl Config {
    /// The default of [`read_size`](Self::read_size): 128 KiB.
    pub const READ_SIZE: usize = 128 << 10;

    /// Returns the defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            limits: Limits::new(),
            delivery: Delivery::Messages,
            timeouts: Timeouts::new(),
            read_size: Self::READ_SIZE,
            messages_after_close: false,
        }
    }

    /// Returns settings for a server that strangers reach: messages of 1 MiB in at most 4,096
    /// frames, 4 MiB that wait for a slow reader, a Ping after 20 seconds of silence and as much
    /// time for the answer, one minute for a message to arrive, and ten minutes without any.
    ///
    /// ```
    /// use sansock::{Config, Limits};
    /// let config = Config::public_server();
    /// // A chat needs less.
    /// let config = config.limits(config.limits.frame(64 << 10).message(64 << 10).buffered(1 << 20));
    /// assert_eq!(config.limits.fragments, 4_096);
    /// ```
    #[must_use]
    pub const fn public_server() -> Self {
        let mut config = Self::new();
        config.limits =
            Limits::new().frame(1 << 20).message(1 << 20).fragments(4_096).buffered(4 << 20);
        config.timeouts.keepalive = Some(Keepalive::every(Duration::from_secs(20)));
        config.timeouts.idle = Some(Duration::from_secs(600));
        config.timeouts.message = Some(Duration::from_secs(60));
        config
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
