//! The client's side: a request for an HTTP library, and the check of the response that it has parsed.

use http::{Method, StatusCode, Uri, Version};

use super::fields::{HeaderFields, fields, version};
use crate::handshake::carrier::Carrier;
use crate::handshake::error::{HandshakeError, HeadError, ResponseError, UsageError};
use crate::handshake::established::Established;
use crate::handshake::expected::Expected;
use crate::handshake::fields::Headers;
use crate::handshake::key;
use crate::handshake::offer::Offer;
use crate::handshake::response::Response;

/// A client's request that an HTTP library sends.
///
/// ```
/// use sansock::handshake::http::HttpClientHandshake;
/// use sansock::handshake::{Carrier, Offer};
///
/// let offer = Offer::new("ws://server.example.com/chat".parse()?);
/// # let nonce = *b"the sample nonce";
/// // With the feature `rand`: `let nonce = sansock::handshake::random_nonce();`
/// let (handshake, request) = HttpClientHandshake::start(&offer, nonce, Carrier::Upgrade)?;
/// assert_eq!(request.uri(), "/chat");
/// assert_eq!(request.headers()["Host"], "server.example.com");
/// // Send `request`; `response` is what comes back.
/// # let response = http::Response::builder()
/// #     .status(101)
/// #     .header("Upgrade", "websocket")
/// #     .header("Connection", "Upgrade")
/// #     .header("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
/// #     .body(())?;
/// let established = handshake.verify(&response)?;
/// assert_eq!(established.subprotocol(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct HttpClientHandshake {
    carrier: Carrier,
    expected: Expected,
}

impl HttpClientHandshake {
    /// Makes the request. The nonce "MUST be selected randomly for each connection" (RFC 6455, 4.1);
    /// [`Carrier::ExtendedConnect`] does not use it.
    ///
    /// - With [`Carrier::Upgrade`] the method is GET, the URI has path and query, and the server is
    ///   in the Host header.
    /// - With [`Carrier::ExtendedConnect`] the method is CONNECT, and the URI is whole, with the
    ///   scheme `https` for `wss` and `http` for `ws` (RFC 8441, 5). The program adds `:protocol`
    ///   with the value `websocket`, which each HTTP library has somewhere else (hyper:
    ///   `hyper::ext::Protocol` among the request's extensions).
    ///
    /// # Errors
    ///
    /// A header or subprotocol of the offer is not valid, or the handshake writes that header
    /// itself; or [`UsageError::Unrepresentable`].
    pub fn start(
        offer: &Offer,
        nonce: [u8; 16],
        carrier: Carrier,
    ) -> Result<(Self, http::Request<()>), UsageError> {
        offer.check()?;
        let (method, uri, key) = match carrier {
            Carrier::Upgrade => {
                (Method::GET, offer.uri().resource_name().to_owned(), Some(key::encode(nonce)))
            }
            Carrier::ExtendedConnect => (Method::CONNECT, absolute(offer), None),
        };
        let mut headers = HeaderFields::new(carrier);
        offer.write_fields(key.as_deref(), &mut headers);
        let mut request = http::Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = Uri::try_from(uri).map_err(|_| UsageError::Unrepresentable("URL"))?;
        *request.version_mut() = version(carrier);
        *request.headers_mut() = headers.finish()?;
        Ok((Self { carrier, expected: Expected::new(offer, key.as_deref()) }, request))
    }

    /// Checks the response: 101 with the right Sec-WebSocket-Accept, or for
    /// [`Carrier::ExtendedConnect`] a status of 200 to 299.
    ///
    /// # Errors
    ///
    /// The response is not valid, with the error that the same bytes would give. With another status
    /// that is [`ResponseError::Status`]; its [body](Response::body) is empty, since the HTTP library
    /// has it: see [`HandshakeError::with_body`].
    pub fn verify<B>(&self, response: &http::Response<B>) -> Result<Established, HandshakeError> {
        let (status, fields) = (response.status(), fields(response.headers()));
        let is_accepted = match self.carrier {
            Carrier::Upgrade => status == StatusCode::SWITCHING_PROTOCOLS,
            Carrier::ExtendedConnect => status.is_success(),
        };
        if !is_accepted {
            let reason = status.canonical_reason().unwrap_or_default().to_owned();
            let response = Response::new(status.as_u16(), reason, fields);
            return Err(ResponseError::Status(Box::new(response)).into());
        }
        match (self.carrier, response.version()) {
            (Carrier::Upgrade, Version::HTTP_11)
            | (Carrier::ExtendedConnect, Version::HTTP_2 | Version::HTTP_3) => {}
            _ => return Err(HeadError::HttpVersion.into()),
        }
        self.expected.verify(Headers::new(&fields))
    }
}

impl HandshakeError {
    /// Adds the body of a refusal ([`ResponseError::Status`]), of which the program has read as much
    /// as it wants to keep. Other errors stay as they are.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        if let Self::Response(ResponseError::Status(response)) = &mut self {
            response.set_body(body.into());
        }
        self
    }
}

/// The URI of extended CONNECT.
fn absolute(offer: &Offer) -> String {
    let uri = offer.uri();
    // "The scheme of the target URI [RFC7230] MUST be "https" for "wss"-schemed WebSockets and
    // "http" for "ws"-schemed WebSockets." (RFC 8441, 5)
    let scheme = if uri.is_secure() { "https" } else { "http" };
    format!("{scheme}://{}{}", uri.authority(), uri.resource_name())
}
