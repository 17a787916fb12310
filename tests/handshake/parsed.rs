//! The same vectors through the types of the crate `http`: every head that the other tests feed as
//! bytes is parsed as an HTTP library would, and has the same outcome.

use super::NONCE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use sansock::handshake::http::{HttpClientHandshake, HttpServerHandshake};
use sansock::handshake::{
    Answer, Carrier, Established, HandshakeError, HeadError, Offer, Rejection, Request,
    RequestError, ResponseError, UsageError,
};

/// What an HTTP library makes of the head; `None` if its types cannot hold it.
fn request(bytes: &[u8]) -> Option<http::Request<()>> {
    let (line, headers) = head(bytes)?;
    let [method, target, version] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
    // `Uri` drops the fragment.
    let uri: Uri = target.parse().ok().filter(|_| !target.contains('#'))?;
    let mut request = http::Request::new(());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    *request.uri_mut() = uri;
    *request.version_mut() = version_of(version)?;
    *request.headers_mut() = headers;
    Some(request)
}

/// The first line and the headers; `None` if the head is not complete or not HTTP.
fn head(bytes: &[u8]) -> Option<(String, HeaderMap)> {
    let bytes = bytes.trim_ascii_start();
    let (line, lines) = bytes.split_at(bytes.iter().position(|it| *it == b'\n')?);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut parsed = vec![httparse::EMPTY_HEADER; 1000];
    let Ok(httparse::Status::Complete((_, fields))) =
        httparse::parse_headers(&lines[1..], &mut parsed)
    else {
        return None;
    };
    let mut headers = HeaderMap::new();
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_bytes(field.value).ok()?);
    }
    Some((String::from_utf8(line.to_vec()).ok()?, headers))
}

fn version_of(text: &str) -> Option<Version> {
    Some(match text {
        "HTTP/0.9" => Version::HTTP_09,
        "HTTP/1.0" => Version::HTTP_10,
        "HTTP/1.1" => Version::HTTP_11,
        // HTTP/2 is never in this form.
        _ => return None,
    })
}

/// Errors of the head's syntax and size, which are the HTTP library's matter.
const fn is_of_the_library(error: &HandshakeError) -> bool {
    matches!(
        error,
        HandshakeError::Incomplete(_)
            | HandshakeError::Head(
                HeadError::TooLarge { .. }
                    | HeadError::TargetTooLong { .. }
                    | HeadError::TooManyHeaders { .. }
                    | HeadError::ControlByte(_)
                    | HeadError::LineEnding
                    | HeadError::FoldedLine
                    | HeadError::StartLine
                    | HeadError::HeaderLine
            )
    )
}

/// A request in bytes had this outcome.
pub(crate) fn same_request(bytes: &[u8], outcome: Result<Request<'_>, &HandshakeError>) {
    let parsed = request(bytes).map(|it| HttpServerHandshake::new(&it, Carrier::Upgrade));
    let shown = bytes.escape_ascii();
    match (parsed, outcome) {
        (Some(Ok(handshake)), Ok(request)) => same_view(handshake.request(), request),
        (_, Err(error)) if is_of_the_library(error) => {}
        (Some(Err(other)), Err(error)) => assert_eq!(other, *error, "{shown}"),
        // A method, target or version that is refused before the rest has arrived, or that the
        // types do not have.
        (
            None,
            Err(
                HandshakeError::Request(RequestError::Method | RequestError::Target)
                | HandshakeError::Head(HeadError::HttpVersion),
            ),
        ) => {}
        (parsed, outcome) => panic!("{parsed:?}, but {outcome:?}: {shown}"),
    }
}

fn same_view(one: Request<'_>, other: Request<'_>) {
    let view = |it: Request<'_>| {
        let mut headers: Vec<_> = it
            .headers()
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_vec()))
            .collect();
        // A map keeps the order within a name.
        headers.sort_by(|one, other| one.0.cmp(&other.0));
        let words = [it.method(), it.target(), it.host()].map(str::to_owned);
        (words, it.port(), it.origin().map(str::to_owned), it.is_websocket(), it.carrier(), headers)
    };
    assert_eq!(view(one), view(other));
    assert!(one.subprotocols().eq(other.subprotocols()));
}

/// A request in bytes was answered so.
pub(crate) fn same_answer(
    bytes: &[u8],
    answer: &Answer,
    outcome: &Result<Established, HandshakeError>,
    written: &[u8],
) {
    let Some(request) = request(bytes) else { return };
    let parts = request.into_parts().0;
    let accepted = HttpServerHandshake::from_parts(&parts, Carrier::Upgrade)
        .and_then(|handshake| handshake.accept(answer));
    match (accepted, outcome) {
        (Ok((response, established)), Ok(other)) => {
            assert_eq!(established, *other);
            // 100 is for the HTTP library to send.
            let written = written.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(written);
            same_response(&response.map(|()| Vec::new()), written);
        }
        (Err(error), Err(other)) => {
            assert_eq!(error, *other);
            let mut response = error.to_http(Carrier::Upgrade);
            // Libraries leave the body out themselves.
            if parts.method == Method::HEAD {
                response.body_mut().clear();
            }
            same_response(&response, written);
        }
        (_, Err(error)) if is_of_the_library(error) => {}
        (accepted, outcome) => panic!("{accepted:?}, but {outcome:?}: {}", bytes.escape_ascii()),
    }
}

/// A request in bytes was rejected so.
pub(crate) fn same_rejection(
    bytes: &[u8],
    rejection: &Rejection,
    outcome: &Result<Vec<u8>, UsageError>,
) {
    let handshake = HttpServerHandshake::new(&request(bytes).unwrap(), Carrier::Upgrade).unwrap();
    match (handshake.reject(rejection), outcome) {
        (Ok(response), Ok(written)) => same_response(&response, written),
        (response, outcome) => assert_eq!(response.map(drop), outcome.clone().map(drop)),
    }
}

/// The same status, headers and body. Whether the connection is closed is for the HTTP library to
/// decide, so `close` is missing.
fn same_response(response: &http::Response<Vec<u8>>, written: &[u8]) {
    let (line, mut headers) = head(written).unwrap();
    match headers.get("Connection").map(HeaderValue::as_bytes) {
        Some(b"close") => drop(headers.remove("Connection")),
        Some(b"close, Upgrade") => {
            headers.insert("Connection", HeaderValue::from_static("Upgrade"));
        }
        _ => {}
    }
    let shown = written.escape_ascii();
    assert_eq!(response.headers(), &headers, "{shown}");
    assert_eq!(response.version(), Version::HTTP_11);
    let status: StatusCode = line.split(' ').nth(1).unwrap().parse().unwrap();
    assert_eq!(response.status(), status, "{shown}");
    let end = written.windows(4).position(|it| it == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(response.body(), &written[end..], "{shown}");
}

/// An offer was written so, as bytes.
pub(crate) fn same_offer(offer: &Offer, written: Result<&[u8], &UsageError>) {
    match (HttpClientHandshake::start(offer, NONCE, Carrier::Upgrade), written) {
        (Ok((_, made)), Ok(written)) => {
            let parsed = request(written).unwrap();
            assert_eq!(made.method(), parsed.method());
            assert_eq!(made.uri(), parsed.uri());
            assert_eq!(made.version(), parsed.version());
            assert_eq!(made.headers(), parsed.headers());
        }
        (made, written) => assert_eq!(made.map(drop), written.map(drop).map_err(Clone::clone)),
    }
}

/// A response in bytes had this outcome for a client with this offer.
pub(crate) fn same_verification(
    bytes: &[u8],
    offer: &Offer,
    outcome: &Result<Established, HandshakeError>,
) {
    let Some(response) = response(bytes) else {
        let is_right = match outcome {
            Err(HandshakeError::Head(HeadError::HttpVersion)) => true,
            Err(error) => is_of_the_library(error),
            Ok(_) => false,
        };
        assert!(is_right, "{outcome:?}: {}", bytes.escape_ascii());
        return;
    };
    let handshake = HttpClientHandshake::start(offer, NONCE, Carrier::Upgrade).unwrap().0;
    let shown = bytes.escape_ascii();
    match (handshake.verify(&response), outcome) {
        (
            Err(HandshakeError::Response(ResponseError::Status(one))),
            Err(HandshakeError::Response(ResponseError::Status(other))),
        ) => {
            assert_eq!(
                (one.status(), one.headers().len()),
                (other.status(), other.headers().len())
            );
        }
        (_, Err(error)) if is_of_the_library(error) => {}
        (one, other) => assert_eq!(one, *other, "{shown}"),
    }
}

/// The final response in `bytes`; interim ones are the HTTP library's matter.
fn response(bytes: &[u8]) -> Option<http::Response<()>> {
    let (line, headers) = head(bytes)?;
    let mut words = line.splitn(3, ' ');
    let (version, status) = (version_of(words.next()?)?, words.next()?);
    if status.starts_with('1') && status != "101" {
        let end = bytes.windows(4).position(|it| it == b"\r\n\r\n")? + 4;
        return response(&bytes[end..]);
    }
    let mut response = http::Response::new(());
    *response.version_mut() = version;
    *response.status_mut() = status.parse().ok()?;
    *response.headers_mut() = headers;
    Some(response)
}
