//! The request of a client (RFC 6455, 4.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::deflate::DeflateConfig;
use crate::uri::Uri;

use super::error::UsageError;
use super::extensions;
use super::fields::is_token;
use super::headers::{ExtraHeaders, FieldWriter, is_field_value};

/// What a client asks for: the URL, subprotocols, permessage-deflate, headers.
///
/// [`ClientHandshake::start`](crate::handshake::ClientHandshake::start) checks it. A user name and
/// password in the URL become Basic authorization.
///
/// ```
/// use sansock::handshake::Offer;
/// let offer = Offer::new("ws://example.com/chat".parse()?)
///     .subprotocol("v2.chat")
///     .subprotocol("chat")
///     .origin("https://example.com")
///     .header("Cookie", "session=1");
/// # Ok::<(), sansock::uri::UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    uri: Uri,
    pub(super) subprotocols: Vec<String>,
    pub(super) deflate: Vec<DeflateConfig>,
    origin: Option<String>,
    headers: ExtraHeaders,
}

impl Offer {
    /// Creates an offer with a URL and nothing else.
    #[must_use]
    pub const fn new(uri: Uri) -> Self {
        Self {
            uri,
            subprotocols: Vec::new(),
            deflate: Vec::new(),
            origin: None,
            headers: ExtraHeaders::new(),
        }
    }

    /// Offers a subprotocol. Each call adds one that is preferred less than those before
    /// (RFC 6455, 4.1).
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Offers permessage-deflate (RFC 7692). Each call adds an offer that is preferred less than
    /// those before (RFC 7692, 5). If the server accepts none of them, messages are not compressed.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn deflate(mut self, config: DeflateConfig) -> Self {
        self.deflate.push(config);
        self
    }

    /// Sets the Origin header. Only browsers need one.
    #[must_use]
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Adds a header, such as Cookie or Authorization. The headers that the handshake writes cannot
    /// be set.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(name.into(), value.into());
        self
    }

    /// Replaces the URL.
    pub fn set_uri(&mut self, uri: Uri) {
        self.uri = uri;
    }

    /// Removes the headers for which `keep` returns `false`, among those that were
    /// [added](Self::header).
    pub fn retain_headers(&mut self, keep: impl FnMut(&str) -> bool) {
        self.headers.retain(keep);
    }

    /// Returns the URL.
    #[must_use]
    pub const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Returns the subprotocols, in the order of preference.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.subprotocols.iter().map(String::as_str)
    }

    /// Checks the requirements of section 4.1, as
    /// [`ClientHandshake::start`](crate::handshake::ClientHandshake::start) does. Use this to
    /// validate before connecting.
    ///
    /// # Errors
    ///
    /// A header or subprotocol is not valid, or the handshake writes that header itself.
    pub fn check(&self) -> Result<(), UsageError> {
        for (index, name) in self.subprotocols.iter().enumerate() {
            // "MUST be non-empty strings with characters in the range U+0021 to U+007E not
            // including separator characters [...] and MUST all be unique strings"
            let first = self.subprotocols.iter().position(|other| other == name);
            if !is_token(name.as_bytes()) || first != Some(index) {
                return Err(UsageError::InvalidSubprotocol(name.as_str().into()));
            }
        }
        if self.origin.as_ref().is_some_and(|origin| origin.is_empty() || !is_field_value(origin)) {
            return Err(UsageError::InvalidHeaderValue("Origin".into()));
        }
        self.headers.check(&[
            "host",
            "upgrade",
            "connection",
            "origin",
            "sec-websocket-",
            "content-length",
            "transfer-encoding",
        ])?;
        if self.uri.userinfo().is_some() { self.headers.check(&["authorization"]) } else { Ok(()) }
    }

    /// The header fields of the request of section 4.1. With extended CONNECT there is no key, and
    /// the host is not a header: "[RFC6455] requires the use of Connection and Upgrade header fields
    /// that are not part of HTTP/2. They MUST NOT be included in the CONNECT request defined here."
    /// (RFC 8441, 5)
    pub(super) fn write_fields(&self, key: Option<&str>, fields: &mut impl FieldWriter) {
        if let Some(key) = key {
            fields.field("Host", &self.uri.authority().to_string());
            fields.field("Upgrade", "websocket");
            fields.field("Connection", "Upgrade");
            fields.field("Sec-WebSocket-Key", key);
        }
        fields.field("Sec-WebSocket-Version", "13");
        if !self.subprotocols.is_empty() {
            fields.field("Sec-WebSocket-Protocol", &self.subprotocols.join(", "));
        }
        extensions::offer(&self.deflate, fields);
        if let Some(origin) = &self.origin {
            fields.field("Origin", origin);
        }
        if let Some(credentials) = self.uri.credentials() {
            fields.field("Authorization", &format!("Basic {}", STANDARD.encode(credentials)));
        }
        self.headers.write(fields);
    }
}
