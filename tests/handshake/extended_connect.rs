//! WebSocket over HTTP/2 (RFC 8441), and what only the types of the crate `http` can hold.

use http::{HeaderValue, Method, StatusCode, Version};
use sansock::handshake::http::{HttpClientHandshake, HttpServerHandshake};
use sansock::handshake::{
    Answer, Carrier, HandshakeError, HeadError, HostPolicy, Offer, OriginPolicy, Rejection,
    RequestError, ResponseError, UsageError,
};
use sansock::{Role, SendBuffer};

use super::NONCE;

use HandshakeError::{Head, Request, Response, Usage};
use HeadError::{HttpVersion, InvalidHeader, MissingHeader, RepeatedHeader};

/// The request of RFC 8441, 5.1.
fn request() -> http::Request<()> {
    http::Request::builder()
        .method(Method::CONNECT)
        .version(Version::HTTP_2)
        .uri("https://server.example.com/chat")
        .header("sec-websocket-protocol", "chat, superchat")
        .header("sec-websocket-extensions", "permessage-deflate")
        .header("sec-websocket-version", "13")
        .header("origin", "http://www.example.com")
        .body(())
        .unwrap()
}

fn with(headers: &[(&'static str, &'static str)]) -> http::Request<()> {
    let mut request = request();
    for (name, value) in headers {
        request.headers_mut().append(*name, HeaderValue::from_static(value));
    }
    request
}

fn check(request: &http::Request<()>) -> Result<HttpServerHandshake, HandshakeError> {
    HttpServerHandshake::new(request, Carrier::ExtendedConnect)
}

#[test]
fn the_example_of_section_5_1_as_the_server() {
    for version in [Version::HTTP_2, Version::HTTP_3] {
        let mut request = request();
        *request.version_mut() = version;
        let handshake = check(&request).unwrap();
        let seen = handshake.request();
        assert!(seen.is_websocket());
        assert_eq!((seen.carrier(), seen.method()), (Carrier::ExtendedConnect, "CONNECT"));
        assert_eq!((seen.target(), seen.query()), ("/chat", None));
        assert_eq!((seen.host(), seen.port()), ("server.example.com", None));
        assert_eq!(seen.origin(), Some("http://www.example.com"));
        assert!(seen.subprotocols().eq(["chat", "superchat"]));

        let answer = Answer::new().subprotocol("chat").header("Set-Cookie", "a=b");
        let (response, established) = handshake.accept(&answer).unwrap();
        assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_2));
        let headers: Vec<_> = response.headers().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(headers, ["sec-websocket-protocol", "set-cookie"]);
        assert_eq!((established.role(), established.subprotocol()), (Role::Server, Some("chat")));
    }
}

#[test]
fn each_request_that_is_wrong_has_its_error_and_status() {
    const EXTENSIONS: &str = "sec-websocket-extensions";
    for (headers, error, status) in [
        (&[("connection", "upgrade")][..], Head(InvalidHeader("Connection")), 400),
        (&[("upgrade", "websocket")], Head(InvalidHeader("Upgrade")), 400),
        (&[("host", "other.example.com")], Request(RequestError::Target), 400),
        (&[("host", "server.example.com:80")], Request(RequestError::Target), 400),
        (&[("host", "a b")], Head(InvalidHeader("Host")), 400),
        (&[("transfer-encoding", "chunked")], Request(RequestError::Body), 400),
        (&[("content-length", "1")], Request(RequestError::Body), 400),
        (&[("origin", "http://a")], Head(RepeatedHeader("Origin")), 400),
        (&[("sec-websocket-version", "13")], Head(RepeatedHeader("Sec-WebSocket-Version")), 400),
        (&[("sec-websocket-protocol", "chat")], Head(InvalidHeader("Sec-WebSocket-Protocol")), 400),
        (&[(EXTENSIONS, "a;")], Head(InvalidHeader("Sec-WebSocket-Extensions")), 400),
    ] {
        let outcome = check(&with(headers)).unwrap_err();
        assert_eq!((&outcome, outcome.status()), (&error, status), "{headers:?}");
    }
    for (name, value) in [("host", "server.example.com"), ("host", "server.example.com:443")] {
        assert!(check(&with(&[(name, value)])).is_ok(), "{value}: of the same host");
    }
    // Keys are "superseded by the :protocol pseudo-header field" (5).
    assert!(check(&with(&[("sec-websocket-key", "x")])).is_ok());
}

#[test]
fn version_method_and_target_fit_the_carrier() {
    for version in [Version::HTTP_09, Version::HTTP_10, Version::HTTP_11] {
        let mut request = request();
        *request.version_mut() = version;
        assert_eq!(check(&request).unwrap_err(), Head(HttpVersion), "{version:?}");
    }
    for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::POST] {
        let mut request = request();
        *request.method_mut() = method;
        assert_eq!(check(&request).unwrap_err(), Request(RequestError::Method));
    }
    for uri in ["server.example.com:443", "*", "ftp://server.example.com/", "https://u@a/"] {
        let mut request = request();
        *request.uri_mut() = uri.parse().unwrap();
        assert_eq!(check(&request).unwrap_err(), Request(RequestError::Target), "{uri}");
    }
    let mut without_authority = request();
    *without_authority.uri_mut() = "/chat".parse().unwrap();
    assert_eq!(check(&without_authority).unwrap_err(), Head(MissingHeader("Host")));
    without_authority.headers_mut().insert("host", HeaderValue::from_static("a:1"));
    let handshake = check(&without_authority).unwrap();
    assert_eq!((handshake.request().host(), handshake.request().port()), ("a", Some(1)));

    // A request of HTTP/2 without `:protocol` is for a tunnel.
    let outcome = HttpServerHandshake::new(&request(), Carrier::Upgrade).unwrap_err();
    assert_eq!(outcome, Request(RequestError::Method));
}

#[test]
fn without_protocol_it_is_a_plain_request() {
    for version in [Version::HTTP_2, Version::HTTP_3] {
        let builder = http::Request::builder().version(version);
        let mut request = builder.uri("https://server.example.com/health").body(()).unwrap();
        // The HTTP library refuses connection-specific fields (RFC 9113, 8.2.2). Here they mean
        // nothing.
        for upgrade in [false, true] {
            if upgrade {
                request.headers_mut().insert("upgrade", HeaderValue::from_static("websocket"));
            }
            let handshake = HttpServerHandshake::new(&request, Carrier::Upgrade).unwrap();
            let seen = handshake.request();
            assert!(!seen.is_websocket());
            assert_eq!((seen.method(), seen.target()), ("GET", "/health"));
            assert_eq!((seen.host(), seen.port()), ("server.example.com", None));
            let error = handshake.accept(&Answer::new()).unwrap_err();
            assert_eq!(error, Request(RequestError::UpgradeRequired));
        }
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        request.headers_mut().insert("sec-websocket-key", key);
        let outcome = HttpServerHandshake::new(&request, Carrier::Upgrade).unwrap_err();
        assert_eq!(outcome, Head(HttpVersion), "a handshake of HTTP/1.1");
    }
}

#[test]
fn a_version_other_than_13_is_told_13_without_connection_headers() {
    let mut request = request();
    request.headers_mut().insert("sec-websocket-version", HeaderValue::from_static("8"));
    let error = check(&request).unwrap_err();
    let response = error.to_http(Carrier::ExtendedConnect);
    assert_eq!((response.status().as_u16(), response.version()), (426, Version::HTTP_2));
    assert_eq!(response.headers()["sec-websocket-version"], "13");
    for name in ["upgrade", "connection"] {
        assert!(!response.headers().contains_key(name), "{name} is not part of HTTP/2");
    }
}

/// A proxy that ends TLS may send `http` as the scheme of a page's `https`.
#[test]
fn policies_see_the_authority() {
    for (uri, origin, same_host) in [
        ("https://example.com/", "https://example.com", true),
        ("http://example.com/", "https://example.com", true),
        ("https://example.com:8443/", "https://example.com:8443", true),
        ("https://example.com:8443/", "https://example.com", false),
        ("https://example.com/", "https://example.org", false),
        ("https://[0::1]/", "https://[::1]", true),
    ] {
        let mut request = request();
        *request.uri_mut() = uri.parse().unwrap();
        request.headers_mut().insert("origin", HeaderValue::from_static(origin));
        let handshake = check(&request).unwrap();
        let outcome = OriginPolicy::SameHost.check(&handshake.request());
        assert_eq!(outcome.is_ok(), same_host, "{uri} {origin}");
        let outcome = HostPolicy::list(["example.com", "[::1]"]).unwrap();
        assert_eq!(outcome.check(&handshake.request()), Ok(()));
        let outcome = HostPolicy::list(["example.org"]).unwrap().check(&handshake.request());
        assert_eq!(outcome, Err(RequestError::HostDenied));
    }
}

#[test]
fn a_rejection_never_accepts() {
    let handshake = check(&request()).unwrap();
    for status in [200, 204, 299] {
        let error = UsageError::InvalidStatus(status);
        assert_eq!(handshake.reject(&Rejection::new(status)).unwrap_err(), error);
    }
    let rejection = Rejection::new(403).header("Upgrade", "x").header("X", "y").body("no");
    let response = handshake.reject(&rejection).unwrap();
    assert_eq!((response.status().as_u16(), response.body().as_slice()), (403, &b"no"[..]));
    let headers: Vec<_> = response.headers().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(headers, ["content-length", "x"]);
}

#[test]
fn bytes_of_http_1_do_not_answer_extended_connect() {
    let (handshake, mut output) = (check(&request()).unwrap(), SendBuffer::new());
    let outcome = handshake.request().accept(&Answer::new(), &mut output);
    assert_eq!(outcome, Err(Usage(UsageError::ExtendedConnect)));
    let outcome = handshake.request().reject(&Rejection::new(403), &mut output);
    assert_eq!(outcome, Err(UsageError::ExtendedConnect));
    assert!(output.is_empty());
}

#[test]
fn what_the_types_cannot_hold_is_our_fault() {
    let handshake = check(&request()).unwrap();
    let many = (0..40_000).fold(Answer::new(), |it, n| it.header(format!("X-{n}"), "y"));
    let outcome = handshake.accept(&many).map(drop);
    assert_eq!(outcome, Err(Usage(UsageError::Unrepresentable("headers"))));
    let long = "x".repeat(1 << 16);
    let outcome = handshake.accept(&Answer::new().header(&long, "y")).map(drop);
    assert_eq!(outcome, Err(Usage(UsageError::InvalidHeaderName(long.into()))));
}

fn start(uri: &str) -> Result<(HttpClientHandshake, http::Request<()>), UsageError> {
    let offer = Offer::new(uri.parse().unwrap())
        .origin("http://www.example.com")
        .subprotocol("chat")
        .subprotocol("superchat");
    HttpClientHandshake::start(&offer, NONCE, Carrier::ExtendedConnect)
}

fn response(status: u16, headers: &[(&'static str, &'static str)]) -> http::Response<()> {
    let builder = http::Response::builder().status(status).version(Version::HTTP_2);
    headers.iter().fold(builder, |it, (name, value)| it.header(*name, *value)).body(()).unwrap()
}

#[test]
fn the_example_of_section_5_1_as_the_client() {
    let (handshake, made) = start("wss://server.example.com/chat").unwrap();
    let mut expected = request();
    expected.headers_mut().remove("sec-websocket-extensions");
    assert_eq!((made.method(), made.uri()), (expected.method(), expected.uri()));
    assert_eq!((made.version(), made.headers()), (expected.version(), expected.headers()));

    let (response, _) = check(&made).unwrap().accept(&Answer::new().subprotocol("chat")).unwrap();
    let established = handshake.verify(&response).unwrap();
    assert_eq!((established.role(), established.subprotocol()), (Role::Client, Some("chat")));
}

#[test]
fn the_scheme_is_that_of_http_and_secrets_are_marked() {
    for (uri, made) in [
        ("ws://a", "http://a/"),
        ("wss://A:444/x?y", "https://a:444/x?y"),
        ("ws://[::1]:9001?z", "http://[::1]:9001/?z"),
        ("wss://user:secret@a/", "https://a/"),
    ] {
        let (_, request) = start(uri).unwrap();
        assert_eq!(request.uri(), made);
        let authorization = request.headers().get("authorization");
        assert_eq!(authorization.is_some(), uri.contains("secret"));
        assert!(authorization.is_none_or(HeaderValue::is_sensitive));
    }
}

#[test]
fn every_2xx_accepts_and_another_status_refuses() {
    let (handshake, _) = start("wss://server.example.com/chat").unwrap();
    for status in [200, 201, 299] {
        let mut response = response(status, &[]);
        for version in [Version::HTTP_2, Version::HTTP_3] {
            *response.version_mut() = version;
            assert!(handshake.verify(&response).is_ok(), "{status}");
        }
    }
    for status in [101, 199, 300, 401, 404, 503] {
        let Err(Response(ResponseError::Status(refusal))) =
            handshake.verify(&response(status, &[("retry-after", "5")]))
        else {
            panic!("{status}")
        };
        assert_eq!((refusal.status(), refusal.body()), (status, &b""[..]));
        assert_eq!(refusal.headers().get_str("Retry-After"), Some("5"));
    }
    let error = handshake.verify(&response(404, &[])).unwrap_err();
    assert_eq!(error.to_string(), "the server answered 404 Not Found");
    let error = error.with_body("no such room");
    assert_eq!(error.response().unwrap().body(), b"no such room");
    let other = Request(RequestError::Method);
    assert_eq!(other.clone().with_body("x"), other);
}

#[test]
fn each_response_that_is_wrong_has_its_error() {
    let (handshake, _) = start("wss://server.example.com/chat").unwrap();
    for (headers, error) in [
        (&[("connection", "upgrade")][..], Head(InvalidHeader("Connection"))),
        (&[("upgrade", "websocket")], Head(InvalidHeader("Upgrade"))),
        (&[("sec-websocket-protocol", "other")], Response(ResponseError::UnexpectedSubprotocol)),
        (&[("sec-websocket-extensions", "x")], Response(ResponseError::UnexpectedExtension)),
    ] {
        assert_eq!(handshake.verify(&response(200, headers)), Err(error), "{headers:?}");
    }
    let mut http_1 = response(200, &[]);
    *http_1.version_mut() = Version::HTTP_11;
    assert_eq!(handshake.verify(&http_1), Err(Head(HttpVersion)));
    assert!(handshake.verify(&response(200, &[("sec-websocket-accept", "x")])).is_ok());
}

#[test]
fn a_url_that_the_types_cannot_hold_is_our_fault() {
    for uri in ["wss://a/<", &format!("wss://a/{}", "x".repeat(1 << 16))] {
        let error = start(uri).map(drop).unwrap_err();
        assert_eq!(error, UsageError::Unrepresentable("URL"));
    }
}

#[cfg(feature = "deflate")]
#[test]
fn permessage_deflate_is_negotiated_over_both_carriers() {
    use sansock::deflate::DeflateConfig;

    for carrier in [Carrier::Upgrade, Carrier::ExtendedConnect] {
        let offer = Offer::new("wss://server.example.com/".parse().unwrap())
            .deflate(DeflateConfig::client());
        let (client, request) = HttpClientHandshake::start(&offer, NONCE, carrier).unwrap();
        let server = HttpServerHandshake::new(&request, carrier).unwrap();
        let answer = Answer::new().deflate(DeflateConfig::server());
        let (response, at_server) = server.accept(&answer).unwrap();
        let at_client = client.verify(&response).unwrap();
        let applies = |it: &sansock::handshake::Established| {
            it.deflate().map(|it| (it.server_max_window_bits(), it.client_max_window_bits()))
        };
        assert!(applies(&at_server).is_some());
        assert_eq!(applies(&at_client), applies(&at_server));
        let (response, at_server) = server.accept(&Answer::new()).unwrap();
        assert_eq!(
            (client.verify(&response).unwrap().deflate(), at_server.deflate()),
            (None, None)
        );
    }
}
