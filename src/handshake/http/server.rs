//! The server's side: a request that an HTTP library has parsed, and the response.

use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Uri, Version};

use super::fields::{HeaderFields, fields, version};
use crate::handshake::answer::{Answer, Rejection};
use crate::handshake::carrier::Carrier;
use crate::handshake::error::{HandshakeError, HeadError, UsageError};
use crate::handshake::established::Established;
use crate::handshake::head::Head;
use crate::handshake::request::{Received, Request};
use crate::handshake::request_line::RequestLine;

/// A client's request that an HTTP library has parsed.
///
/// Look at the [`request`](Self::request), then [`accept`](Self::accept) or
/// [`reject`](Self::reject) it. Answer an error with [`HandshakeError::to_http`].
///
/// ```
/// use sansock::handshake::http::HttpServerHandshake;
/// use sansock::handshake::{Answer, Carrier, Established, HandshakeError, OriginPolicy};
///
/// fn answer<B>(
///     request: &http::Request<B>,
/// ) -> Result<(http::Response<()>, Established), HandshakeError> {
///     let handshake = HttpServerHandshake::new(request, Carrier::Upgrade)?;
///     OriginPolicy::SameHost.check(&handshake.request())?;
///     handshake.accept(&Answer::new())
/// }
/// # let mut request = http::Request::builder()
/// #     .uri("/chat")
/// #     .header("Host", "server.example.com")
/// #     .header("Upgrade", "websocket")
/// #     .header("Connection", "Upgrade")
/// #     .header("Sec-WebSocket-Version", "13")
/// #     .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
/// #     .body(())?;
/// # let (response, established) = answer(&request)?;
/// # assert_eq!((response.status().as_u16(), established.subprotocol()), (101, None));
/// # assert_eq!(response.headers()["Sec-WebSocket-Accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// # request.headers_mut().insert("Origin", "https://example.org".parse()?);
/// # let error = answer(&request).unwrap_err();
/// # assert_eq!(error.to_http(Carrier::Upgrade).status(), 403);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HttpServerHandshake {
    received: Received,
}

impl HttpServerHandshake {
    /// Checks the request. The program says by which carrier it came:
    /// [`ExtendedConnect`](Carrier::ExtendedConnect) if the pseudo-header `:protocol` is
    /// `websocket`, which each HTTP library has somewhere else (hyper: `hyper::ext::Protocol` among
    /// the request's extensions). With [`Upgrade`](Carrier::Upgrade) a request of HTTP/2 is a plain
    /// one.
    ///
    /// # Errors
    ///
    /// The request is not valid, with the error that the same bytes would give.
    pub fn new<B>(request: &http::Request<B>, carrier: Carrier) -> Result<Self, HandshakeError> {
        Self::check(request.method(), request.uri(), request.version(), request.headers(), carrier)
    }

    /// Does the same as [`new`](Self::new), without the request's body.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_parts(parts: &Parts, carrier: Carrier) -> Result<Self, HandshakeError> {
        Self::check(&parts.method, &parts.uri, parts.version, &parts.headers, carrier)
    }

    fn check(
        method: &Method,
        uri: &Uri,
        version: Version,
        headers: &HeaderMap,
        carrier: Carrier,
    ) -> Result<Self, HandshakeError> {
        // Versions without Upgrade: what does not come by extended CONNECT is a plain request.
        let is_without_upgrade = match (carrier, version) {
            (Carrier::Upgrade, Version::HTTP_10 | Version::HTTP_2 | Version::HTTP_3) => true,
            (Carrier::Upgrade, Version::HTTP_11)
            | (Carrier::ExtendedConnect, Version::HTTP_2 | Version::HTTP_3) => false,
            _ => return Err(HeadError::HttpVersion.into()),
        };
        let (method, target) = (method.as_str().as_bytes(), uri.to_string());
        let start_line = RequestLine::new(carrier, method, target.as_bytes(), is_without_upgrade)?;
        let received = Received::check(Head { start_line, fields: fields(headers) })?;
        Ok(Self { received })
    }

    /// Returns the request, for policies, subprotocols and headers.
    #[must_use]
    pub const fn request(&self) -> Request<'_> {
        Request::new(&self.received)
    }

    /// Makes the response: 101 for [`Carrier::Upgrade`], and 200 for
    /// [`Carrier::ExtendedConnect`]. When it has left, the stream belongs to the WebSocket.
    ///
    /// # Errors
    ///
    /// [`RequestError::UpgradeRequired`](crate::handshake::RequestError::UpgradeRequired) for a
    /// plain HTTP request; [`HandshakeError::Usage`] if the answer chooses a subprotocol that the
    /// client does not offer, or has a header that is not valid or that the handshake writes itself.
    pub fn accept(
        &self,
        answer: &Answer,
    ) -> Result<(http::Response<()>, Established), HandshakeError> {
        let (request, carrier) = (self.request(), self.request().carrier());
        let mut fields = HeaderFields::new(carrier);
        let established = answer.write_fields(request, &mut fields)?;
        let status = match carrier {
            Carrier::Upgrade => StatusCode::SWITCHING_PROTOCOLS,
            Carrier::ExtendedConnect => StatusCode::OK,
        };
        Ok((response(carrier, status, fields.finish()?, ()), established))
    }

    /// Makes a response other than 101; for HEAD without the body. The HTTP library decides whether
    /// the connection goes on, so there is no `Connection: close`. With [`Carrier::ExtendedConnect`]
    /// a header `Upgrade` is left out, which HTTP/2 does not have.
    ///
    /// # Errors
    ///
    /// The rejection's status is not one of 200 to 599 or allows no body, or a header is not valid
    /// or is written by the handshake itself. With [`Carrier::ExtendedConnect`] a status of 200 to
    /// 299 would accept the request.
    pub fn reject(&self, rejection: &Rejection) -> Result<http::Response<Vec<u8>>, UsageError> {
        let carrier = self.request().carrier();
        if carrier == Carrier::ExtendedConnect && (200..300).contains(&rejection.status()) {
            return Err(UsageError::InvalidStatus(rejection.status()));
        }
        rejection.check()?;
        let mut fields = HeaderFields::new(carrier);
        rejection.write_fields(&[], &mut fields);
        let body = rejection.content(self.request().is_head());
        Ok(response(carrier, status(rejection), fields.finish()?, body.to_vec()))
    }
}

impl HandshakeError {
    /// Makes the response to a request that failed with this error: its [status](Self::status), and
    /// the headers that belong to it.
    #[must_use]
    pub fn to_http(&self, carrier: Carrier) -> http::Response<Vec<u8>> {
        let rejection = Rejection::from(self);
        let mut fields = HeaderFields::new(carrier);
        rejection.write_fields(&[], &mut fields);
        // The headers are ours: they fit.
        let headers = fields.finish().unwrap_or_default();
        response(carrier, status(&rejection), headers, rejection.content(false).to_vec())
    }
}

/// The status has been checked, or is that of an error.
fn status(rejection: &Rejection) -> StatusCode {
    StatusCode::from_u16(rejection.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn response<B>(
    carrier: Carrier,
    status: StatusCode,
    headers: HeaderMap,
    body: B,
) -> http::Response<B> {
    let mut response = http::Response::new(body);
    *response.version_mut() = version(carrier);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
