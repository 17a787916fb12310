//! A client that follows redirects of the handshake.

use std::net::TcpListener;
use std::time::Instant;

use sansock::dial::redirect::{RedirectPolicy, RedirectProblem};
use sansock::handshake::{HandshakeError, Incomplete};
use sansock::net::{Client, Error};
use testkit::redirects::{FIRST, HEADERS, HOPS, Origins, check, end, redirect_forever};

use crate::common::*;

fn client(host: &str) -> Client {
    let client = Client::new(&format!("ws://{host}{FIRST}")).unwrap().subprotocol("chat");
    HEADERS.iter().fold(client, |client, (name, value)| client.header(*name, *value))
}

fn policy(limit: usize) -> RedirectPolicy {
    RedirectPolicy::new(limit).sensitive_header("x-secret")
}

#[test]
fn twelve_redirects_are_followed_and_credentials_stay_with_their_origin() {
    let origins = Origins::new();
    let first = origins.first();
    let client = client(&first).redirects(policy(HOPS.len()));
    let server = origins.redirect();
    let mut socket = within(TIMEOUT, move || client.connect().unwrap());
    while socket.next_event().unwrap().is_some() {}
    drop(socket);
    check(&server.join().unwrap(), &first);
}

#[test]
fn a_loop_ends_at_the_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = redirect_forever(listener, ms(0));
    for limit in [0, 1, 20] {
        let client = client(&address.to_string()).redirects(policy(limit));
        let Err(Error::Redirect(error)) = client.connect() else { panic!("it was followed") };
        assert_eq!(error.problem(), &RedirectProblem::TooMany { limit });
        assert_eq!((error.urls().len(), error.response().status()), (limit + 1, 302));
    }
    // Without a policy it is the refusal that it is.
    let Err(Error::Handshake(error)) = client(&address.to_string()).connect() else {
        panic!("it was followed")
    };
    assert_eq!(error.response().unwrap().headers().get_str("Location"), Some("/24"));
    end(address);
    assert_eq!(server.join().unwrap(), 1 + 2 + 21 + 1);
}

/// All connections together have the time of one.
#[test]
fn a_server_that_redirects_forever_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = redirect_forever(listener, ms(50));
    let client = client(&address.to_string()).redirects(policy(usize::MAX));
    let client =
        client.connect_timeout(ms(200)).config(timeouts(|timeouts| timeouts.handshake(ms(300))));
    let start = Instant::now();
    let error = within(TIMEOUT, move || client.connect().unwrap_err());
    let took = start.elapsed();
    let late = HandshakeError::from(Incomplete::TimedOut);
    assert!(matches!(&error, Error::Handshake(error) if *error == late), "{error:?}");
    assert!(ms(500) <= took && took < ms(1_500), "{took:?}");
    end(address);
    assert!(server.join().unwrap() > 3);
}
