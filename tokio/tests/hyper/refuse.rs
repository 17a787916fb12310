//! Requests that are refused, and connections that end before they are one.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sansock::handshake::{
    Answer, Carrier, HandshakeError, Incomplete, Rejection, RequestError, UsageError,
};
use sansock_tokio::hyper::{ClientHandshake, ServerHandshake};
use sansock_tokio::{Config, Error};
use tokio::io::duplex;
use tokio::sync::mpsc;

use crate::common::{Body, CARRIERS, Client, accepting, offer, serve, soon};

/// Sends a request to a service that accepts with `upgrade`; status, headers and body of the answer.
async fn ask(carrier: Carrier, request: http::Request<()>) -> http::Response<String> {
    let (a, b) = duplex(64 << 10);
    let (service, mut sockets) = accepting(Answer::new(), Config::new());
    serve(b, carrier, service);
    let (mut client, _driving) = Client::new(a, carrier).await;
    let (parts, body) = soon(client.send(request)).await.unwrap().into_parts();
    let body = soon(body.collect()).await.unwrap().to_bytes();
    assert!(sockets.try_recv().is_err());
    http::Response::from_parts(parts, String::from_utf8(body.to_vec()).unwrap())
}

fn request(carrier: Carrier) -> http::Request<()> {
    ClientHandshake::start(&offer(), carrier).unwrap().1
}

#[tokio::test]
async fn a_request_that_is_wrong_gets_the_status_of_its_error() {
    let key = "Sec-WebSocket-Key";
    let version = "Sec-WebSocket-Version";
    for (carrier, name, value, status) in [
        (Carrier::Upgrade, "Origin", Some("https://other.example"), 403),
        (Carrier::ExtendedConnect, "Origin", Some("https://other.example"), 403),
        (Carrier::Upgrade, version, Some("12"), 426),
        (Carrier::ExtendedConnect, version, Some("12"), 426),
        (Carrier::Upgrade, version, None, 426),
        (Carrier::ExtendedConnect, version, None, 426),
        (Carrier::Upgrade, key, None, 400),
        (Carrier::Upgrade, key, Some("short"), 400),
        (Carrier::Upgrade, "Upgrade", None, 426),
    ] {
        let mut request = request(carrier);
        match value {
            Some(value) => drop(request.headers_mut().insert(name, value.parse().unwrap())),
            None => drop(request.headers_mut().remove(name).unwrap()),
        }
        let response = ask(carrier, request).await;
        assert_eq!(response.status(), status, "{carrier:?} {name} {value:?}");
        assert_eq!(response.headers()["Content-Type"], "text/plain; charset=utf-8");
        assert!(!response.body().is_empty());
        if status == 426 {
            assert_eq!(response.headers()[version], "13");
            let has_upgrade = response.headers().contains_key("Upgrade");
            assert_eq!(has_upgrade, carrier == Carrier::Upgrade);
        }
    }
}

#[tokio::test]
async fn a_page_of_the_same_host_is_accepted() {
    for carrier in CARRIERS {
        let (a, b) = duplex(64 << 10);
        let (service, mut sockets) = accepting(Answer::new(), Config::new());
        serve(b, carrier, service);
        let (mut client, _driving) = Client::new(a, carrier).await;
        let offer = offer().origin("http://example.com");
        let _socket = client.open(&offer, carrier, &Config::new()).await.unwrap();
        assert!(soon(sockets.recv()).await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn a_plain_request_gets_426_and_no_upgrade_over_http_2() {
    for (carrier, uri) in
        [(Carrier::Upgrade, "/"), (Carrier::ExtendedConnect, "http://example.com/")]
    {
        let request = http::Request::builder().uri(uri).header("Host", "example.com");
        let response = ask(carrier, request.body(()).unwrap()).await;
        assert_eq!(response.status(), 426);
        assert_eq!(response.headers().contains_key("Upgrade"), carrier == Carrier::Upgrade);
    }
}

#[tokio::test]
async fn connect_for_another_protocol_or_for_none_is_refused() {
    let mut other = request(Carrier::ExtendedConnect);
    other.extensions_mut().insert(Protocol::from_static("connect-udp"));
    let response = ask(Carrier::ExtendedConnect, other).await;
    assert_eq!(response.status(), 501);
    assert!(response.body().contains(":protocol"), "{}", response.body());

    let mut request = request(Carrier::ExtendedConnect);
    request.extensions_mut().clear();
    // It has neither scheme nor path.
    *request.uri_mut() = "example.com:80".parse().unwrap();
    assert_eq!(ask(Carrier::ExtendedConnect, request).await.status(), 405);
}

#[tokio::test]
async fn a_service_can_see_why_and_reject_as_it_likes() {
    for carrier in CARRIERS {
        let (a, b) = duplex(64 << 10);
        serve(b, carrier, move |mut request| async move {
            let handshake = ServerHandshake::new(&mut request).unwrap();
            if carrier == Carrier::ExtendedConnect {
                let error = handshake.reject(&Rejection::new(204)).unwrap_err();
                assert_eq!(error, UsageError::InvalidStatus(204));
            }
            let rejection = Rejection::new(401).header("WWW-Authenticate", "Basic").body("who?");
            handshake.reject(&rejection).unwrap().map(Body::from)
        });
        let (mut client, _driving) = Client::new(a, carrier).await;
        let error = client.open(&offer(), carrier, &Config::new()).await.unwrap_err();
        let Error::Handshake(error) = error else { panic!("{error:?}") };
        let response = error.response().unwrap();
        assert_eq!((response.status(), response.body()), (401, &b"who?"[..]));
        assert_eq!(response.headers().get_str("WWW-Authenticate"), Some("Basic"));
    }
}

/// Errors that only the service sees.
#[tokio::test]
async fn another_protocol_and_a_plain_request_have_their_error() {
    let mut request = request(Carrier::ExtendedConnect);
    request.extensions_mut().insert(Protocol::from_static("connect-udp"));
    let error = ServerHandshake::new(&mut request).unwrap_err();
    assert_eq!(error, RequestError::UnsupportedProtocol.into());
    let (mut parts, ()) = request.into_parts();
    let error = ServerHandshake::from_parts(&mut parts).unwrap_err();
    assert_eq!(error, RequestError::UnsupportedProtocol.into());

    let mut plain = http::Request::builder().header("Host", "a").body(()).unwrap();
    let handshake = ServerHandshake::new(&mut plain).unwrap();
    assert!(!handshake.request().is_websocket());
    let error = handshake.accept(&Answer::new(), &Config::new()).unwrap_err();
    assert_eq!(error, RequestError::UpgradeRequired.into());
}

#[test]
fn a_refusal_has_no_headers_that_its_version_has_not() {
    use http::Version;
    let error = HandshakeError::from(RequestError::UnsupportedVersion);
    for (version, has_upgrade) in [
        (Version::HTTP_10, true),
        (Version::HTTP_11, true),
        (Version::HTTP_2, false),
        (Version::HTTP_3, false),
    ] {
        let response = sansock_tokio::hyper::refuse(&error, version);
        assert_eq!(response.status(), 426);
        for name in ["Upgrade", "Connection"] {
            assert_eq!(response.headers().contains_key(name), has_upgrade, "{version:?} {name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_never_written_times_out() {
    for carrier in CARRIERS {
        let (a, b) = duplex(64 << 10);
        let (accepted, mut upgrades) = mpsc::unbounded_channel();
        serve(b, carrier, move |mut request| {
            let config = Config::new();
            let answered = sansock_tokio::hyper::upgrade(&mut request, &Answer::new(), &config);
            accepted.send(answered.unwrap().1).unwrap();
            std::future::pending()
        });
        let (mut client, _driving) = Client::new(a, carrier).await;
        let _sending = tokio::spawn(async move { client.send(request(carrier)).await });
        let upgrade = upgrades.recv().await.unwrap();
        let start = tokio::time::Instant::now();
        let error = soon(upgrade).await.unwrap_err();
        let timed_out = HandshakeError::Incomplete(Incomplete::TimedOut);
        assert!(matches!(&error, Error::Handshake(error) if *error == timed_out), "{error:?}");
        let limit = Config::new().timeouts.handshake.unwrap();
        assert_eq!(start.elapsed().as_secs(), limit.as_secs());
    }
}

#[tokio::test]
async fn an_http_connection_that_dies_before_ends_the_upgrade() {
    for carrier in CARRIERS {
        let (a, b) = duplex(64 << 10);
        let (accepted, mut upgrades) = mpsc::unbounded_channel();
        serve(b, carrier, move |mut request| {
            let config = Config::new();
            let answered = sansock_tokio::hyper::upgrade(&mut request, &Answer::new(), &config);
            accepted.send(answered.unwrap().1).unwrap();
            std::future::pending()
        });
        let (mut client, driving) = Client::new(a, carrier).await;
        let sending = tokio::spawn(async move { client.send(request(carrier)).await });
        let upgrade = upgrades.recv().await.unwrap();
        driving.abort();
        sending.abort();
        let error = soon(upgrade).await.unwrap_err();
        assert!(matches!(error, Error::Io(_)), "{error:?}");
    }
}

/// A server that does not serve the request with upgrades.
#[tokio::test]
async fn a_request_without_an_upgrade_says_so() {
    let mut request = request(Carrier::Upgrade);
    let accepted =
        sansock_tokio::hyper::upgrade(&mut request, &Answer::new(), &Config::new()).unwrap();
    let error = soon(accepted.1).await.unwrap_err();
    assert!(error.to_string().contains("upgrade"), "{error}");
}

#[tokio::test]
async fn extended_connect_is_served_only_where_it_is_announced() {
    let (a, b) = duplex(64 << 10);
    let (service, mut sockets) = accepting(Answer::new(), Config::new());
    let service = hyper::service::service_fn(move |request| {
        let response = service(request);
        async move { Ok::<_, std::convert::Infallible>(response.await) }
    });
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    tokio::spawn(server.serve_connection(TokioIo::new(b), service));
    let client = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(a));
    let (mut client, connection) = client.await.unwrap();
    tokio::spawn(connection);
    let request = request(Carrier::ExtendedConnect).map(|()| Body::default());
    assert!(soon(client.send_request(request)).await.is_err());
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(sockets.try_recv().is_err());
}
