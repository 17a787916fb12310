//! The client's side, against servers that are wrong or slow.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Frame;
use hyper::client::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sansock_tokio::handshake::{
    Answer, Carrier, HandshakeError, HeadError, Incomplete, ResponseError, UsageError,
};
use sansock_tokio::hyper::{ClientHandshake, http2};
use sansock_tokio::{Config, Error, Timeouts};
use tokio::io::{AsyncReadExt as _, DuplexStream, duplex};
use tokio::time::Instant;

use crate::common::{Body, CARRIERS, Client, accepting, offer, serve, soon};

/// What a client makes of this response, which any request gets.
async fn answered(carrier: Carrier, response: http::Response<Body>) -> Error {
    let (a, b) = duplex(64 << 10);
    serve(b, carrier, move |_| std::future::ready(response.clone()));
    let (mut client, _driving) = Client::new(a, carrier).await;
    soon(client.open(&offer(), carrier, &Config::new())).await.unwrap_err()
}

fn response(status: u16, body: impl Into<Bytes>) -> http::Response<Body> {
    http::Response::builder().status(status).body(Body::new(body.into())).unwrap()
}

#[test]
fn the_request_is_that_of_the_version() {
    let (_, request) = ClientHandshake::start(&offer(), Carrier::Upgrade).unwrap();
    assert_eq!(
        (request.method(), request.uri().to_string().as_str()),
        (&http::Method::GET, "/chat?room=1")
    );
    assert!(request.extensions().is_empty());
    let keys: Vec<_> = (0..2)
        .map(|_| ClientHandshake::start(&offer(), Carrier::Upgrade).unwrap().1)
        .map(|request| request.headers()["Sec-WebSocket-Key"].clone())
        .collect();
    assert_ne!(keys[0], keys[1]);

    let (_, request) = ClientHandshake::start(&offer(), Carrier::ExtendedConnect).unwrap();
    assert_eq!(request.method(), http::Method::CONNECT);
    assert_eq!(request.uri(), "http://example.com/chat?room=1");
    let protocol = request.extensions().get::<hyper::ext::Protocol>().unwrap();
    assert_eq!(protocol.as_str(), "websocket");

    for carrier in CARRIERS {
        let error = ClientHandshake::start(&offer().header("a b", ""), carrier).unwrap_err();
        assert_eq!(error, UsageError::InvalidHeaderName("a b".into()));
    }
}

#[tokio::test]
async fn a_refusal_has_its_headers_and_the_first_4_kib_of_its_body() {
    for carrier in CARRIERS {
        let long = "x".repeat(100_000);
        for (body, kept) in [("no", "no"), ("", ""), (&long, &long[..4 << 10])] {
            let mut refusal = response(503, body.to_owned());
            refusal.headers_mut().insert("Retry-After", "7".parse().unwrap());
            let error = answered(carrier, refusal).await;
            let Error::Handshake(error) = error else { panic!("{error:?}") };
            let response = error.response().unwrap();
            assert_eq!((response.status(), response.body()), (503, kept.as_bytes()));
            assert_eq!(response.headers().get_str("Retry-After"), Some("7"));
        }
    }
}

#[tokio::test]
async fn a_response_that_is_wrong_has_its_error() {
    let error = answered(Carrier::Upgrade, response(200, "page")).await;
    let Error::Handshake(error) = error else { panic!("{error:?}") };
    assert_eq!(error.response().unwrap().body(), b"page");

    for (carrier, header, value, expected) in [
        (
            Carrier::ExtendedConnect,
            "Sec-WebSocket-Protocol",
            "other",
            HandshakeError::Response(ResponseError::UnexpectedSubprotocol),
        ),
        (
            Carrier::ExtendedConnect,
            "Sec-WebSocket-Extensions",
            "x-unknown",
            ResponseError::UnexpectedExtension.into(),
        ),
        (Carrier::Upgrade, "Connection", "Upgrade", HeadError::MissingHeader("Upgrade").into()),
    ] {
        let status = if carrier == Carrier::Upgrade { 101 } else { 200 };
        let mut wrong = response(status, "");
        wrong.headers_mut().insert(header, value.parse().unwrap());
        let error = answered(carrier, wrong).await;
        assert!(matches!(&error, Error::Handshake(error) if *error == expected), "{error:?}");
    }
}

/// hyper hands over the stream for 200 only.
#[tokio::test]
async fn another_2xx_over_http_2_is_an_error_and_does_not_hang() {
    let error = answered(Carrier::ExtendedConnect, response(204, "")).await;
    assert!(matches!(&error, Error::Io(error) if error.to_string().contains("upgrade")));
}

/// A body that never ends, behind one piece.
#[derive(Clone)]
struct Endless(Option<Bytes>);

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None => Poll::Pending,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_end_takes_the_handshakes_time_and_no_more() {
    // With as much as is kept, it takes no more time at all.
    for (first, seconds) in [("first".to_owned(), 5), ("x".repeat(4 << 10), 2)] {
        let carrier = Carrier::Upgrade;
        let timeouts = Timeouts::new().handshake(Duration::from_secs(5));
        let (handshake, _) = ClientHandshake::start(&offer(), carrier).unwrap();
        let start = Instant::now();
        // The time that the response took counts.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let body = Endless(Some(Bytes::from(first.clone())));
        let response = http::Response::builder().status(404).body(body).unwrap();
        let config = Config::new().timeouts(timeouts);
        let error = handshake.finish(response, &config).await.unwrap_err();
        let Error::Handshake(error) = error else { panic!("{error:?}") };
        assert_eq!(error.response().unwrap().body(), first.as_bytes());
        assert_eq!(start.elapsed().as_secs(), seconds);
    }
}

#[tokio::test]
async fn a_connection_of_http_1_without_upgrades_is_an_error_and_does_not_hang() {
    let (a, b) = duplex(64 << 10);
    let (service, _sockets) = accepting(Answer::new(), Config::new());
    serve(b, Carrier::Upgrade, service);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(a)).await.unwrap();
    tokio::spawn(connection);
    let (handshake, request) = ClientHandshake::start(&offer(), Carrier::Upgrade).unwrap();
    let response = sender.send_request(request.map(|()| Body::default())).await.unwrap();
    let error = soon(handshake.finish(response, &Config::new())).await.unwrap_err();
    assert!(matches!(&error, Error::Io(error) if error.to_string().contains("upgrade")));
}

async fn connect(io: DuplexStream) -> Result<(), Error> {
    let builder = Builder::new(TokioExecutor::new());
    http2::<_, Body, _>(builder, TokioIo::new(io), &Config::new()).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn a_server_of_http_2_that_serves_no_websocket_is_told_apart() {
    let start = Instant::now();
    let (a, b) = duplex(64 << 10);
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let service = service_fn(|_| async { Ok::<_, Infallible>(response(200, "")) });
    tokio::spawn(server.serve_connection(TokioIo::new(b), service));
    let error = connect(a).await.unwrap_err();
    let expected = HandshakeError::Response(ResponseError::NoExtendedConnect);
    assert!(matches!(&error, Error::Handshake(error) if *error == expected), "{error:?}");
    // As soon as the settings have arrived.
    assert!(start.elapsed().as_millis() < 200, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_sends_no_settings_times_out() {
    let (a, _b) = duplex(64 << 10);
    let start = Instant::now();
    let error = connect(a).await.unwrap_err();
    let expected = HandshakeError::Incomplete(Incomplete::TimedOut);
    assert!(matches!(&error, Error::Handshake(error) if *error == expected), "{error:?}");
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_or_does_not_speak_http_2_is_an_error_at_once() {
    for answer in [&b""[..], b"HTTP/1.1 400 Bad Request\r\n\r\n"] {
        let (a, mut b) = duplex(64 << 10);
        let start = Instant::now();
        tokio::spawn(async move {
            let _ = b.read_u8().await;
            tokio::io::AsyncWriteExt::write_all(&mut b, answer).await
        });
        let error = connect(a).await.unwrap_err();
        assert!(matches!(error, Error::Io(_)), "{error:?}");
        assert!(start.elapsed().as_secs() < 1);
    }
}
