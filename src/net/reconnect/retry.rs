//! The report of a client that waits.

use std::fmt;
use std::time::Duration;

use crate::dial::reconnect::Cause;
use crate::net::Error;

/// A client is about to wait before it connects again.
#[derive(Debug)]
#[non_exhaustive]
pub struct Retry<'e> {
    /// Why there is no connection.
    pub cause: Cause,
    /// The error of the attempt that failed; `None` after a connection that has ended.
    pub error: Option<&'e Error>,
    /// How long it waits.
    pub delay: Duration,
}

impl<'e> Retry<'e> {
    /// Creates the report of an adapter that connects by itself.
    #[must_use]
    pub const fn new(cause: Cause, error: Option<&'e Error>, delay: Duration) -> Self {
        Self { cause, error, delay }
    }
}

impl fmt::Display for Retry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.error, self.cause) {
            (Some(error), _) => error.fmt(f)?,
            (None, Cause::Closed(code)) => write!(f, "the connection ended with {code}")?,
            (None, _) => f.write_str("the connection was lost")?,
        }
        write!(f, "; the next attempt is in {:.1} seconds", self.delay.as_secs_f32())
    }
}
