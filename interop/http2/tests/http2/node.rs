//! Node's `http2`, with the frames of its package `ws`.

use sansock_tokio::Error;
use sansock_tokio::handshake::{Carrier, HandshakeError, Offer};

use crate::client::{Client, converse};
use crate::program::{echo_server, node_client, node_server};

#[test]
fn as_the_client_of_our_server() {
    for (is_secure, scheme) in [(false, "http"), (true, "https")] {
        let server = echo_server(is_secure);
        node_client(&format!("{scheme}://{}", server.address));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn as_the_server_of_our_client() {
    let server = node_server();
    let mut client = Client::new(&server.address, Carrier::ExtendedConnect).await;
    let offer = |path| Offer::new(format!("ws://{}/{path}", server.address).parse().unwrap());
    for _ in 0..3 {
        let mut socket = client.open(&offer("echo").subprotocol("chat")).await.unwrap();
        assert_eq!(socket.subprotocol(), Some("chat"));
        converse(&mut socket).await;
    }
    let error = client.open(&offer("refuse")).await.unwrap_err();
    let Error::Handshake(error) = error else { panic!("{error:?}") };
    assert_eq!(error.response().unwrap().body(), b"no");
    assert!(matches!(error, HandshakeError::Response(_)));
    // It is reset.
    let mut socket = client.open(&offer("abort")).await.unwrap();
    let end = socket.next_message().await;
    assert!(matches!(end, Err(Error::Abnormal)), "{end:?}");
}
