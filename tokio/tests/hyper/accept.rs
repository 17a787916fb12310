//! Requests that are accepted.

use bytes::Bytes;
use sansock::Role;
use sansock_tokio::handshake::{Answer, Carrier};
use sansock_tokio::hyper::{ClientHandshake, ServerHandshake, Upgrade, Upgraded};
use sansock_tokio::{Config, Message, Reader, Writer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use crate::common::{Body, CARRIERS, Client, Pair, Socket, accepting, offer, pass, serve, soon};

#[tokio::test]
async fn messages_pass_both_ways_with_what_was_negotiated() {
    for carrier in CARRIERS {
        let answer = Answer::new().subprotocol("chat");
        let offer = offer().subprotocol("superchat").subprotocol("chat");
        #[cfg(feature = "deflate")]
        let (answer, offer) = {
            use sansock_tokio::deflate::DeflateConfig;
            (answer.deflate(DeflateConfig::server()), offer.deflate(DeflateConfig::client()))
        };
        let mut pair = Pair::with(carrier, &offer, answer, &Config::new()).await;
        for (socket, role) in [(&pair.client, Role::Client), (&pair.server, Role::Server)] {
            let established = socket.established().unwrap();
            assert_eq!((established.role(), established.subprotocol()), (role, Some("chat")));
            #[cfg(feature = "deflate")]
            assert!(established.deflate().is_some(), "{carrier:?}");
        }
        pass(&mut pair.client, &mut pair.server, "to the server").await;
        pass(&mut pair.server, &mut pair.client, &"to the client ".repeat(100_000)).await;
    }
}

#[tokio::test]
async fn the_response_has_the_headers_of_the_answer() {
    for (carrier, status) in [(Carrier::Upgrade, 101), (Carrier::ExtendedConnect, 200)] {
        let (a, b) = duplex(64 << 10);
        let answer = Answer::new().header("Set-Cookie", "a=b");
        let (service, _sockets) = accepting(answer, Config::new());
        serve(b, carrier, service);
        let (mut client, _driving) = Client::new(a, carrier).await;
        let (_, request) = ClientHandshake::start(&offer(), carrier).unwrap();
        let response = soon(client.send(request)).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["Set-Cookie"], "a=b");
        let is_upgrade = carrier == Carrier::Upgrade;
        for name in ["Connection", "Upgrade", "Sec-WebSocket-Accept"] {
            assert_eq!(response.headers().contains_key(name), is_upgrade, "{carrier:?}: {name}");
        }
    }
}

#[test]
fn connections_and_handshakes_are_send_and_sync() {
    fn check<T: Send + Sync>() {}
    fn is_send<T: Send>() {}
    check::<Socket>();
    check::<Reader<Upgraded>>();
    check::<Writer<Upgraded>>();
    check::<ServerHandshake>();
    check::<ClientHandshake>();
    is_send::<Upgrade>();
}

/// The program looks at the request, also without its body.
#[tokio::test]
async fn a_service_sees_the_request_before_it_accepts() {
    for carrier in CARRIERS {
        let (a, b) = duplex(64 << 10);
        serve(b, carrier, |request| async move {
            let (mut parts, _) = request.into_parts();
            let handshake = ServerHandshake::from_parts(&mut parts).unwrap();
            let seen = handshake.request();
            assert!(seen.is_websocket());
            assert_eq!((seen.host(), seen.path()), ("example.com", "/chat"));
            let answer = Answer::new().header("X-Query", seen.query().unwrap());
            let (response, upgrade) = handshake.accept(&answer, &Config::new()).unwrap();
            tokio::spawn(async move { upgrade.await.unwrap().send("hello").await });
            response.map(|()| Body::default())
        });
        let (mut client, _driving) = Client::new(a, carrier).await;
        let (handshake, request) = ClientHandshake::start(&offer(), carrier).unwrap();
        let response = client.send(request).await.unwrap();
        assert_eq!(response.headers()["X-Query"], "room=1");
        let mut socket = handshake.finish(response, &Config::new()).await.unwrap();
        assert_eq!(soon(socket.next_message()).await.unwrap(), Some(Message::from("hello")));
    }
}

/// hyper has read them with the request.
#[tokio::test]
async fn a_frame_in_the_packet_of_the_request_is_not_lost() {
    let (mut a, b) = duplex(64 << 10);
    let (service, mut sockets) = accepting(Answer::new(), Config::new());
    serve(b, Carrier::Upgrade, service);
    let mut bytes = b"GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    // "Hello" of RFC 6455, 5.7.
    bytes.extend_from_slice(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    a.write_all(&bytes).await.unwrap();
    let mut socket = soon(sockets.recv()).await.unwrap().unwrap();
    assert_eq!(soon(socket.next_message()).await.unwrap(), Some(Message::from("Hello")));
}

/// The same for a client.
#[tokio::test]
async fn a_frame_in_the_packet_of_the_response_is_not_lost() {
    let (a, mut b) = duplex(64 << 10);
    let server = tokio::spawn(async move {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(b.read_u8().await.unwrap());
        }
        let request = String::from_utf8(request).unwrap().to_lowercase();
        let (_, key) = request.split_once("sec-websocket-key: ").unwrap();
        assert_eq!(key.lines().next().unwrap().len(), 24);
        b
    });
    let (mut client, _driving) = Client::new(a, Carrier::Upgrade).await;
    let (handshake, request) = ClientHandshake::start(&offer(), Carrier::Upgrade).unwrap();
    let accept = sansock::handshake::accept_key(request.headers()["Sec-WebSocket-Key"].as_bytes());
    let sending = tokio::spawn(async move { client.send(request).await.unwrap() });
    let mut b = server.await.unwrap();
    let head = format!(
        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    b.write_all(&[head.as_bytes(), b"\x81\x05Hello"].concat()).await.unwrap();
    let mut socket = handshake.finish(sending.await.unwrap(), &Config::new()).await.unwrap();
    assert_eq!(soon(socket.next_message()).await.unwrap(), Some(Message::from("Hello")));
}

#[tokio::test]
async fn a_connection_can_be_split_and_given_to_other_tasks() {
    for carrier in CARRIERS {
        let Pair { mut client, server, http: _http, .. } = Pair::new(carrier).await;
        let (mut reader, writer) = server.split();
        let echo = tokio::spawn(async move {
            while let Some(message) = reader.next_message().await? {
                writer.send(message).await?;
            }
            Ok::<_, sansock_tokio::Error>(())
        });
        let large = Bytes::from(vec![7; 1 << 20]);
        for _ in 0..3 {
            client.send(large.as_ref()).await.unwrap();
            let answer = soon(client.next_message()).await.unwrap().unwrap();
            assert_eq!(answer.as_bytes(), large);
        }
        client.close(sansock_tokio::CloseCode::NORMAL, "").await.unwrap();
        soon(echo).await.unwrap().unwrap();
    }
}
