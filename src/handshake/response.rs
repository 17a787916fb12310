//! A server's response.

use std::fmt;

use super::fields::{Field, Headers};

/// A server's response.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    status: u16,
    reason: String,
    fields: Vec<Field>,
    body: Vec<u8>,
}

impl Response {
    pub(super) const fn new(status: u16, reason: String, fields: Vec<Field>) -> Self {
        Self { status, reason, fields, body: Vec::new() }
    }

    pub(super) fn set_body(&mut self, body: Vec<u8>) {
        self.body = body;
    }

    /// Returns the HTTP status: 101, or 200 to 999 in
    /// [`ResponseError::Status`](crate::handshake::ResponseError::Status).
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Returns the reason phrase, which may be empty. Bytes that are not UTF-8 are replaced by
    /// U+FFFD.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        Headers::new(&self.fields)
    }

    /// Returns the first bytes of the body, at most
    /// [`HeadLimits::body`](crate::handshake::HeadLimits::body). Empty for 101. The chunked coding
    /// is removed; a compressed body stays compressed.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("reason", &self.reason)
            .field("headers", &self.fields)
            .field("body", &self.body.escape_ascii().to_string())
            .finish()
    }
}
