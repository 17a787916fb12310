//! Redirects: the table of `tests/net/redirects.rs`, for a client that is told to follow them.

use sansock::dial::redirect::RedirectPolicy;
use sansock::web::WebSocket;
use testkit::redirects::{FIRST, HEADERS, HOPS, Origins, check};

#[test]
fn a_client_that_is_told_so_follows_redirects() {
    let origins = Origins::new();
    let first = origins.first();
    let server = origins.redirect();
    let builder = WebSocket::builder(&format!("ws://{first}{FIRST}")).unwrap();
    let policy = RedirectPolicy::new(HOPS.len()).sensitive_header("x-secret");
    let socket = builder.protocols(["chat"]).client(|client| {
        let client = client.redirects(policy);
        HEADERS.iter().fold(client, |client, (name, value)| client.header(*name, *value))
    });
    let close = socket.open().unwrap().wait().unwrap();
    assert_eq!((close.was_clean, close.code), (true, 1000));
    check(&server.join().unwrap(), &first);
}
