//! Redirects from `ws:` to `wss:`, and never back.

use std::thread;

use sansock::CloseCode;
use sansock::dial::redirect::{RedirectPolicy, RedirectProblem};
use sansock::handshake::Rejection;
use sansock::net::{Client, Error, Server};

use crate::certificates::ours;

/// A server that redirects to where `location` says, and accepts at `/end`. Returns its host and
/// port.
fn serve(tls: bool, location: impl Fn(&str) -> String + Send + Sync + 'static) -> String {
    let mut server = Server::bind("127.0.0.1:0").unwrap();
    if tls {
        server = server.tls(ours().server().acceptor());
    }
    let address = server.local_addr().to_string();
    thread::spawn(move || {
        server.run(move |incoming| {
            let path = incoming.request().path().to_owned();
            if path == "/end" {
                let secret = incoming.request().headers().get("Authorization").is_some();
                let reason = if secret { "with the secret" } else { "without" };
                incoming.accept()?.close(CloseCode::NORMAL, reason)?;
                return Ok(());
            }
            Ok(incoming.reject(&Rejection::new(307).header("Location", location(&path)))?)
        })
    });
    address
}

#[test]
fn tls_begins_with_a_redirect_and_does_not_end_with_one() {
    let plain = serve(false, |_| "unused".into());
    let back = plain.clone();
    let secure = serve(true, move |path| match path {
        "/down" => format!("http://{back}/end"),
        _ => "/end".into(),
    });
    let onward = secure.clone();
    let first = serve(false, move |path| format!("https://{onward}{path}"));
    let client = |path| {
        Client::new(&format!("ws://{first}{path}"))
            .unwrap()
            .header("Authorization", "Bearer secret")
            .redirects(RedirectPolicy::new(2))
            .tls(ours().connector())
    };
    let mut socket = client("/up").connect().unwrap();
    assert!(socket.get_ref().tls().is_some());
    assert_eq!(socket.next_message().unwrap(), None);
    assert_eq!(socket.outcome().unwrap().reason(), "without");
    let Err(Error::Redirect(error)) = client("/down").connect() else { panic!("it was followed") };
    assert_eq!(error.problem(), &RedirectProblem::Downgrade);
    let urls: Vec<_> = error.urls().iter().map(ToString::to_string).collect();
    assert_eq!(urls, [format!("ws://{first}/down"), format!("wss://{secure}/down")]);
}
