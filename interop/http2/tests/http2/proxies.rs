//! `HAProxy` and nghttpx between a client and our server.

use std::time::{Duration, Instant};

use sansock_tokio::Error;
use sansock_tokio::handshake::Carrier;

use crate::client::{Client, converse, offer, soon};
use crate::program::{Inside, Program, echo_server, haproxy, nghttpx, node_client};

const CARRIERS: [Carrier; 2] = [Carrier::Upgrade, Carrier::ExtendedConnect];

/// All that must work through a proxy; `proxy` starts it before a server.
async fn all(proxy: fn(&str, Inside) -> Program) {
    for inside in [Inside::Http1, Inside::Http2] {
        let mut server = echo_server(false);
        let proxy = proxy(&server.address, inside);
        for outside in CARRIERS {
            echoes(&proxy.address, outside).await;
            is_refused(&proxy.address, outside).await;
        }
        many(&proxy.address).await;
        tokio::task::block_in_place(|| node_client(&format!("http://{}", proxy.address)));
        ends_with_1001(&mut server, &proxy.address).await;
    }
}

async fn echoes(address: &str, carrier: Carrier) {
    let mut client = Client::new(address, carrier).await;
    let mut socket = client.open(&offer(address)).await.unwrap();
    assert_eq!(socket.subprotocol(), Some("chat"));
    assert!(socket.established().unwrap().deflate().is_some());
    converse(&mut socket).await;
}

/// The answer to a page of another site passes with its body.
async fn is_refused(address: &str, carrier: Carrier) {
    let mut client = Client::new(address, carrier).await;
    let offer = offer(address).origin("https://other.example");
    let Err(Error::Handshake(error)) = client.open(&offer).await else { panic!("accepted") };
    let response = error.response().expect("it is refused by a response");
    assert_eq!(response.status(), 403);
    assert!(String::from_utf8_lossy(response.body()).contains("Origin"), "{response:?}");
}

/// Many on one connection, all open at once.
async fn many(address: &str) {
    let mut client = Client::new(address, Carrier::ExtendedConnect).await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(client.open(&offer(address)).await.unwrap());
    }
    let talking: Vec<_> = sockets
        .into_iter()
        .map(|mut socket| tokio::spawn(async move { converse(&mut socket).await }))
        .collect();
    for talking in talking {
        talking.await.unwrap();
    }
}

/// The server's end reaches clients of both versions.
async fn ends_with_1001(server: &mut Program, address: &str) {
    let mut open = Vec::new();
    for carrier in CARRIERS {
        let mut client = Client::new(address, carrier).await;
        let socket = client.open(&offer(address)).await.unwrap();
        open.push((client, socket));
    }
    let receiving: Vec<_> = open
        .into_iter()
        .map(|(client, mut socket)| {
            tokio::spawn(async move {
                assert_eq!(soon(socket.next_message()).await.unwrap(), None);
                drop(client);
                socket.outcome().unwrap().code()
            })
        })
        .collect();
    let start = Instant::now();
    tokio::task::block_in_place(|| server.terminate());
    // It waits for no deadline: that of the closing handshake is 10 seconds.
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    for receiving in receiving {
        assert_eq!(receiving.await.unwrap(), 1001);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_in_front() {
    all(haproxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nghttpx_in_front() {
    all(nghttpx).await;
}
