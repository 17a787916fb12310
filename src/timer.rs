//! Deadlines as data: the only file of the core that knows [`Instant`](std::time::Instant).

use std::time::Duration;

/// Keepalive: a Ping goes out when nothing has arrived for `interval`, and the connection fails when
/// nothing arrives for another `timeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence after which a Ping is sent.
    pub interval: Duration,
    /// How long its Pong may take.
    pub timeout: Duration,
}

/// How long things may take; `None` waits for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// Pings that find out whether the peer is alive. Default `None`.
    pub keepalive: Option<Keepalive>,
    /// Silence after which the connection is closed with 1001. Pongs do not count. Default `None`.
    pub idle: Option<Duration>,
    /// From the first byte of a message to its last; then the connection fails with 1008. Default `None`.
    pub message: Option<Duration>,
    /// From our Close frame to the end of the connection. Default 10 seconds.
    pub closing: Option<Duration>,
}

impl Timeouts {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self { keepalive: None, idle: None, message: None, closing: Some(Duration::from_secs(10)) }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self::new()
    }
}
