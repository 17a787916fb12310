//! The end of a connection, and of the stream of HTTP/2 below it.

use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sansock_tokio::handshake::{Answer, Carrier};
use sansock_tokio::hyper::ClientHandshake;
use sansock_tokio::{CloseCode, Config, Error, Limits, Message, Outcome};
use tokio::io::duplex;
use tokio::time::Instant;

use crate::common::{CARRIERS, Client, Pair, Socket, accepting, offer, pass, serve, soon};

/// Less than any deadline.
const SHORT: Duration = Duration::from_secs(5);

/// Receives to the end.
async fn drain(socket: &mut Socket) -> Result<(), Error> {
    while socket.recv().await?.is_some() {}
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn each_end_closes_and_nothing_waits_for_a_deadline() {
    for carrier in CARRIERS {
        for by_client in [true, false] {
            let start = Instant::now();
            let mut pair = Pair::new(carrier).await;
            let (one, other) = if by_client {
                (&mut pair.client, &mut pair.server)
            } else {
                (&mut pair.server, &mut pair.client)
            };
            let (closed, drained) =
                tokio::join!(one.close(CloseCode::GOING_AWAY, "bye"), drain(other));
            let outcome = closed.unwrap();
            assert!(outcome.was_clean(), "{outcome:?}");
            drained.unwrap();
            for outcome in [Some(&outcome), other.outcome()] {
                assert_eq!(outcome.map(Outcome::code), Some(1001), "{carrier:?}");
            }
            assert!(start.elapsed().as_millis() < 500, "{carrier:?} {:?}", start.elapsed());
        }
    }
}

#[tokio::test]
async fn over_http_1_the_connection_ends_with_it_and_over_http_2_it_serves_the_next() {
    let mut pair = Pair::new(Carrier::Upgrade).await;
    let (closed, drained) =
        tokio::join!(pair.client.close(CloseCode::NORMAL, ""), drain(&mut pair.server));
    assert!(closed.is_ok() && drained.is_ok());
    soon(pair.serving).await.unwrap().unwrap();
    soon(pair.driving).await.unwrap().unwrap();

    let (a, b) = duplex(64 << 10);
    let (service, mut sockets) = accepting(Answer::new(), Config::new());
    let serving = serve(b, Carrier::ExtendedConnect, service);
    let (mut http, driving) = Client::new(a, Carrier::ExtendedConnect).await;
    for _ in 0..3 {
        let carrier = Carrier::ExtendedConnect;
        let mut client = http.open(&offer(), carrier, &Config::new()).await.unwrap();
        let mut server = sockets.recv().await.unwrap().unwrap();
        pass(&mut client, &mut server, "again").await;
        let (closed, drained) =
            tokio::join!(client.close(CloseCode::NORMAL, ""), drain(&mut server));
        assert!(closed.is_ok() && drained.is_ok());
    }
    assert!(!serving.is_finished());
    drop(http);
    soon(driving).await.unwrap().unwrap();
    soon(serving).await.unwrap().unwrap();
}

/// With HTTP/1.1 the `WebSocket` has left the connection that is shut down.
#[tokio::test]
async fn a_graceful_shutdown_of_http_2_waits_for_its_sockets() {
    let (a, b) = duplex(64 << 10);
    let (service, mut sockets) = accepting(Answer::new(), Config::new());
    let service = service_fn(move |request| {
        let response = service(request);
        async move { Ok::<_, std::convert::Infallible>(response.await) }
    });
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let connection =
            builder.enable_connect_protocol().serve_connection(TokioIo::new(b), service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            ended = &mut connection => return ended,
            _ = &mut stopped => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    });
    let carrier = Carrier::ExtendedConnect;
    let (mut http, _driving) = Client::new(a, carrier).await;
    let mut client = http.open(&offer(), carrier, &Config::new()).await.unwrap();
    let mut server = sockets.recv().await.unwrap().unwrap();
    stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    pass(&mut client, &mut server, "still here").await;
    assert!(!serving.is_finished());
    let (closed, drained) =
        tokio::join!(server.close(CloseCode::GOING_AWAY, ""), drain(&mut client));
    assert!(closed.is_ok() && drained.is_ok());
    drop((client, server));
    soon(serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_loss_of_the_http_connection_ends_both() {
    for carrier in CARRIERS {
        let mut pair = Pair::new(carrier).await;
        if carrier == Carrier::ExtendedConnect {
            pair.serving.abort();
        } else {
            drop(pair.server);
            assert!(matches!(soon(drain(&mut pair.client)).await, Err(Error::Abnormal)));
            continue;
        }
        for socket in [&mut pair.client, &mut pair.server] {
            let end = soon(drain(socket)).await;
            assert!(matches!(end, Err(Error::Abnormal)), "{end:?}");
            assert!(matches!(soon(socket.send("late")).await, Err(Error::Send(_))));
        }
    }
}

/// A program that drops its end without closing it cuts the other off.
#[tokio::test]
async fn a_connection_that_is_dropped_is_an_abnormal_end_for_the_other() {
    for carrier in CARRIERS {
        let Pair { mut client, mut server, http: _http, .. } = Pair::new(carrier).await;
        pass(&mut client, &mut server, "before").await;
        server.queue("last").unwrap();
        drop(server);
        assert_eq!(soon(client.next_message()).await.unwrap(), Some(Message::from("last")));
        let end = soon(client.next_message()).await;
        assert!(matches!(end, Err(Error::Abnormal)), "{end:?}");
    }
}

/// A stream of HTTP/2 with frames by hand, and the server's connection.
struct Raw {
    send: SendStream<Bytes>,
    receive: RecvStream,
    server: Socket,
    _http: h2::client::SendRequest<Bytes>,
}

impl Raw {
    async fn new() -> Self {
        Self::with(&h2::client::Builder::new()).await
    }

    async fn with(builder: &h2::client::Builder) -> Self {
        let (a, b) = duplex(1 << 20);
        let (service, mut sockets) = accepting(Answer::new(), Config::new());
        serve(b, Carrier::ExtendedConnect, service);
        let (http, connection) = builder.handshake(a).await.unwrap();
        tokio::spawn(connection);
        let mut http = http.ready().await.unwrap();
        while !http.is_extended_connect_protocol_enabled() {
            tokio::task::yield_now().await;
        }
        let (_, request) = ClientHandshake::start(&offer(), Carrier::ExtendedConnect).unwrap();
        let mut request = request;
        request.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
        let (response, send) = http.send_request(request, false).unwrap();
        let response = soon(response).await.unwrap();
        assert_eq!(response.status(), 200);
        let server = soon(sockets.recv()).await.unwrap().unwrap();
        Self { send, receive: response.into_body(), server, _http: http }
    }

    fn frame(&mut self, end: bool) {
        // "Hello" of RFC 6455, 5.7.
        let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        self.send.send_data(Bytes::from_static(hello), end).unwrap();
    }

    /// What the server sends until it ends the stream, or the code with which it resets it.
    async fn rest(&mut self) -> Result<Vec<u8>, Option<Reason>> {
        let mut bytes = Vec::new();
        while let Some(data) = soon(self.receive.data()).await {
            bytes.extend_from_slice(&data.map_err(|error| error.reason())?);
        }
        Ok(bytes)
    }
}

#[tokio::test]
async fn the_end_of_the_stream_is_the_end_of_the_transport() {
    let mut raw = Raw::new().await;
    raw.frame(true);
    let hello = soon(raw.server.next_message()).await.unwrap();
    assert_eq!(hello, Some(Message::from("Hello")));
    let end = soon(raw.server.next_message()).await;
    assert!(matches!(end, Err(Error::Abnormal)), "{end:?}");
    // The server ends its side as well.
    assert_eq!(raw.rest().await, Ok(Vec::new()));
}

/// "with an error code of `NO_ERROR` after sending a complete response" (RFC 9113, 8.1)
#[tokio::test]
async fn the_server_ends_the_stream_first_and_does_not_wait_for_the_clients_end() {
    for (frame, answer) in [
        // Close with 1000, masked with 0; a frame that is not masked.
        (&b"\x88\x82\0\0\0\0\x03\xe8"[..], b"\x88\x02\x03\xe8"),
        (b"\x81\x00", b"\x88\x02\x03\xea"),
    ] {
        let mut raw = Raw::new().await;
        raw.send.send_data(Bytes::from_static(frame), false).unwrap();
        let end = tokio::time::timeout(SHORT, drain(&mut raw.server)).await.unwrap();
        assert_eq!(matches!(end, Err(Error::Protocol(_))), answer[3] == 0xea, "{end:?}");
        let Raw { mut send, server, .. } = raw;
        drop(server);
        let mut bytes = Vec::new();
        while let Some(data) = soon(raw.receive.data()).await {
            bytes.extend_from_slice(&data.unwrap());
        }
        assert_eq!(bytes, answer);
        let reset = soon(std::future::poll_fn(|cx| send.poll_reset(cx))).await.unwrap();
        assert_eq!(reset, Reason::NO_ERROR);
    }
}

/// The server takes what the client still sends, so that it finds the Close frame.
#[tokio::test]
async fn a_message_that_is_too_large_is_answered_and_its_send_does_not_fail() {
    let config = Config::new().limits(Limits::new().message(1_000));
    for carrier in CARRIERS {
        for _ in 0..20 {
            let mut pair = Pair::with(carrier, &offer(), Answer::new(), &config).await;
            let serving = tokio::spawn(async move { drain(&mut pair.server).await });
            soon(pair.client.send(vec![0; 4 << 20])).await.unwrap();
            assert_eq!(soon(pair.client.next_message()).await.unwrap(), None);
            assert_eq!(pair.client.outcome().map(Outcome::code), Some(1009), "{carrier:?}");
            assert!(matches!(soon(serving).await.unwrap(), Err(Error::Protocol(_))));
        }
    }
}

/// What the server has sent before its end arrives, however small the client's window is.
#[tokio::test]
async fn the_end_of_the_server_takes_nothing_away() {
    let mut builder = h2::client::Builder::new();
    let mut raw = Raw::with(builder.initial_window_size(1_000)).await;
    let message = vec![7; 50_000];
    raw.server.queue(&message).unwrap();
    let close = Bytes::from_static(b"\x88\x82\0\0\0\0\x03\xe8");
    raw.send.send_data(close, false).unwrap();
    let Raw { mut receive, mut server, send: _send, _http } = raw;
    let server = tokio::spawn(async move { drain(&mut server).await });
    let mut bytes = Vec::new();
    while let Some(data) = soon(receive.data()).await {
        let data = data.unwrap();
        receive.flow_control().release_capacity(data.len()).unwrap();
        bytes.extend_from_slice(&data);
        tokio::task::yield_now().await;
    }
    // The headers of the message and of the Close frame.
    assert_eq!(bytes.len(), 4 + message.len() + 4);
    assert!(bytes.ends_with(b"\x88\x02\x03\xe8"));
    soon(server).await.unwrap().unwrap();
}

/// "RST exceptions are represented with the `RST_STREAM` frame" (RFC 8441, 5).
#[tokio::test]
async fn a_reset_of_the_stream_is_an_abnormal_end_and_what_came_before_is_received() {
    for reason in [Reason::CANCEL, Reason::NO_ERROR, Reason::INTERNAL_ERROR, Reason::REFUSED_STREAM]
    {
        let mut raw = Raw::new().await;
        raw.frame(false);
        let hello = soon(raw.server.next_message()).await.unwrap();
        assert_eq!(hello, Some(Message::from("Hello")));
        raw.send.send_reset(reason);
        let end = soon(raw.server.next_message()).await;
        assert!(matches!(end, Err(Error::Abnormal)), "{reason:?}: {end:?}");
    }
}

/// A write that waits for the peer's window fails at once.
#[tokio::test]
async fn a_reset_of_the_stream_ends_a_write() {
    for reason in [Reason::CANCEL, Reason::INTERNAL_ERROR] {
        let mut raw = Raw::new().await;
        let large = vec![0; 1 << 20];
        let (sent, ()) = tokio::join!(soon(raw.server.send(&large)), async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            raw.send.send_reset(reason);
        });
        let error = sent.unwrap_err();
        let Error::Io(error) = error else { panic!("{error:?}") };
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{reason:?}: {error}");
        // It says by what.
        assert!(std::error::Error::source(&error).is_some() || error.get_ref().is_some());
        let end = soon(drain(&mut raw.server)).await;
        assert!(matches!(end, Err(Error::Abnormal)), "{end:?}");
    }
}

/// hyper copies all that it gets, so it gets little at a time.
#[tokio::test]
async fn what_the_peer_does_not_take_waits_here_and_is_counted() {
    let mut raw = Raw::new().await;
    let large = vec![0; 8 << 20];
    raw.server.queue(&large).unwrap();
    let flushed = tokio::time::timeout(Duration::from_millis(50), raw.server.flush());
    assert!(flushed.await.is_err());
    let taken = large.len() - raw.server.buffered_amount();
    assert!(taken <= 512 << 10, "{taken} bytes lie with hyper, where the window is 64 KiB");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_ends_a_write_after_the_write_timeout() {
    let mut raw = Raw::new().await;
    let start = Instant::now();
    let sent = raw.server.send(vec![0; 8 << 20]);
    let error = tokio::time::timeout(Duration::from_secs(120), sent).await.unwrap().unwrap_err();
    let Error::Io(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert!((30..=60).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}
