//! "The new WebSocket(url, protocols) constructor steps are:"

use sansock::handshake::UsageError;
use sansock::web::{Error, PortPolicy, ReadyState, SyntaxError, WebSocket};

use super::server::{TIMEOUT, all, echo, serve, silent, until, watch};

#[test]
fn if_url_record_is_failure_then_throw_a_syntax_error() {
    for url in ["", "/chat", "ws://", "ws://a b/", "ws://127.0.0.1:65536/", "ws://a&b/"] {
        let error = WebSocket::new(url).unwrap_err();
        assert!(matches!(error, Error::Syntax(SyntaxError::Url(_))), "{url}: {error}");
        assert_eq!(error.name(), "SyntaxError");
    }
}

#[test]
fn if_the_scheme_is_not_ws_or_wss_then_throw_a_syntax_error() {
    let error = WebSocket::new("ftp://127.0.0.1/").unwrap_err();
    assert!(matches!(&error, Error::Syntax(SyntaxError::Scheme(it)) if &**it == "ftp"), "{error}");
    assert_eq!(
        error.to_string(),
        "SyntaxError: the URL's scheme is \"ftp\", not ws, wss, http or https"
    );
}

#[test]
fn if_the_fragment_is_non_null_then_throw_a_syntax_error() {
    for url in ["ws://127.0.0.1/#", "ws://127.0.0.1/#fragment"] {
        let error = WebSocket::new(url).unwrap_err();
        assert!(matches!(error, Error::Syntax(SyntaxError::Fragment)), "{url}: {error}");
    }
}

#[test]
fn if_the_scheme_is_http_or_https_then_set_it_to_ws_or_wss() {
    let url = echo();
    let socket = WebSocket::new(&url.replacen("ws:", "HTTP:", 1)).unwrap();
    assert_eq!(socket.url(), url);
    socket.on_open(|socket, _| socket.close());
    assert_eq!(socket.wait().unwrap().code, 1005);
    let socket = WebSocket::new("https://127.0.0.1:1234/a/../b c").unwrap();
    assert_eq!(socket.url(), "wss://127.0.0.1:1234/b%20c");
}

#[test]
fn if_a_protocol_is_repeated_or_not_a_token_then_throw_a_syntax_error() {
    for protocols in [&["a", "b", "a"][..], &[""], &["a b"], &["a,b"], &["a\r\n"], &["\u{e9}"]] {
        let error = WebSocket::with_protocols("ws://127.0.0.1/", protocols.to_vec()).unwrap_err();
        assert!(matches!(error, Error::Syntax(SyntaxError::Protocol(_))), "{protocols:?}: {error}");
        assert_eq!(error.name(), "SyntaxError");
    }
    // They are compared byte by byte.
    WebSocket::with_protocols(&silent(), ["chat", "Chat"]).unwrap();
}

#[test]
fn a_bad_port_of_fetch_is_a_security_error_unless_the_program_allows_it() {
    for (url, port) in [
        ("ws://127.0.0.1:25/", 25),
        ("wss://127.0.0.1:6667/", 6667),
        ("http://127.0.0.1:22/", 22),
        ("ws://127.0.0.1:0/", 0),
    ] {
        let error = WebSocket::new(url).unwrap_err();
        assert!(matches!(error, Error::Security(it) if it == port), "{url}: {error}");
        assert_eq!(error.name(), "SecurityError");
    }
    let socket = WebSocket::builder("ws://127.0.0.1:1/").unwrap().ports(PortPolicy::Any).open();
    // The object tries to connect; no server listens.
    assert_eq!(socket.unwrap().wait().unwrap().code, 1006);
}

/// Today's standard: Fetch returns a network error for it.
#[test]
fn a_bad_port_of_fetch_fails_the_connection_later_if_the_program_says_so() {
    let builder = WebSocket::builder("ws://127.0.0.1:25/").unwrap();
    let socket = builder.ports(PortPolicy::Fail).open().unwrap();
    let events = watch(&socket);
    let expected =
        ["3 error the port is blocked, as in browsers (PortPolicy)", "3 close false 1006"];
    assert_eq!(all(&events), expected);
    // Other ports are as ever.
    let socket = WebSocket::builder(&echo()).unwrap().ports(PortPolicy::Fail).open().unwrap();
    until("open", || socket.ready_state() == ReadyState::Open);
    let error = WebSocket::builder("ws://127.0.0.1:0/").unwrap_err();
    assert!(matches!(error, Error::Security(0)), "{error}");
}

#[test]
fn a_relative_url_has_a_base_whose_scheme_becomes_ws_or_wss() {
    let page = echo().replacen("ws:", "http:", 1) + "page?x#y";
    let socket = WebSocket::builder_with_base("/chat", &page).unwrap().open().unwrap();
    assert_eq!(socket.url(), page.replacen("http:", "ws:", 1).replace("page?x#y", "chat"));
    until("open", || socket.ready_state() == ReadyState::Open);
    let error = WebSocket::builder_with_base("/chat", "page").unwrap_err();
    assert!(matches!(error, Error::Syntax(SyntaxError::Url(_))), "{error}");
}

#[test]
fn it_returns_in_connecting_with_empty_attributes() {
    let socket = WebSocket::new(&silent()).unwrap();
    assert_eq!(socket.ready_state(), ReadyState::Connecting);
    assert_eq!((&*socket.protocol(), &*socket.extensions()), ("", ""));
    assert_eq!(socket.buffered_amount(), 0);
}

#[test]
fn the_states_have_the_numbers_of_browsers() {
    let states =
        [ReadyState::Connecting, ReadyState::Open, ReadyState::Closing, ReadyState::Closed];
    assert_eq!(states.map(|state| state as u16), [0, 1, 2, 3]);
}

#[test]
fn the_builder_sends_headers_and_an_origin() {
    let (url, requests) = serve(|incoming| {
        let headers = incoming.request().headers();
        let text = |name| headers.get_str(name).map(str::to_owned);
        Ok((text("Cookie"), text("Origin"), text("Sec-WebSocket-Protocol")))
    });
    let socket = WebSocket::builder(&url)
        .unwrap()
        .header("Cookie", "a=b")
        .origin("https://example.com")
        .protocols(["protocolOne", "protocolTwo"])
        .open()
        .unwrap();
    let (cookie, origin, protocols) = requests.recv_timeout(TIMEOUT).unwrap().unwrap();
    assert_eq!(cookie.as_deref(), Some("a=b"));
    assert_eq!(origin.as_deref(), Some("https://example.com"));
    assert_eq!(protocols.as_deref(), Some("protocolOne, protocolTwo"));
    drop(socket);
}

#[test]
fn a_header_that_cannot_be_sent_is_an_error_at_once() {
    let builder = WebSocket::builder("ws://127.0.0.1:9/").unwrap().ports(PortPolicy::Any);
    let error = builder.header("Upgrade", "h2c").open().unwrap_err();
    assert!(matches!(error, Error::Header(UsageError::ReservedHeader(_))), "{error}");
}

#[test]
fn neither_debug_nor_errors_show_a_password() {
    let builder = WebSocket::builder("ws://user:secret@127.0.0.1:1/").unwrap();
    assert!(!format!("{builder:?}").contains("secret"));
    let socket = builder.ports(PortPolicy::Any).open().unwrap();
    assert!(!format!("{socket:?}").contains("secret"));
}
