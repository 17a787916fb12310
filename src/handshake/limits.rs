//! Limits for heads and bodies.

/// Limits for what a peer may send before the connection is open.
///
/// ```
/// use sansock::handshake::HeadLimits;
/// let limits = HeadLimits::new().bytes(64 << 10);
/// assert_eq!((limits.bytes, limits.headers), (65536, 100));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadLimits {
    /// Maximum size of the head in bytes, including the first line and the empty line. For a
    /// client, of all interim responses and the final one together. Default 16 KiB.
    pub bytes: usize,
    /// Maximum number of header lines. Default 100.
    pub headers: usize,
    /// How many bytes a client keeps of the body of a response other than 101. Default 4 KiB.
    pub body: usize,
}

impl HeadLimits {
    /// Returns the defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: 16 << 10, headers: 100, body: 4 << 10 }
    }

    /// Sets [`bytes`](Self::bytes).
    #[must_use]
    pub const fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets [`headers`](Self::headers).
    #[must_use]
    pub const fn headers(mut self, headers: usize) -> Self {
        self.headers = headers;
        self
    }

    /// Sets [`body`](Self::body).
    #[must_use]
    pub const fn body(mut self, bytes: usize) -> Self {
        self.body = bytes;
        self
    }
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self::new()
    }
}
