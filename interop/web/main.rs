//! `web::WebSocket` against servers of another make: Python's `websockets` and Node's `ws`. All
//! four events, the four states and every error that the standard knows.
//!
//! `interop/web/run` installs the servers and runs this.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod peer;

use std::sync::mpsc;

use peer::{both, lines, until};
use sansock::handshake::{HandshakeError, ResponseError};
use sansock::web::{Error, Event, PortPolicy, ReadyState, SyntaxError, WebSocket};
use sansock::{Message, net};

#[test]
fn the_four_events_and_the_four_states() {
    both(|peer| {
        let socket = WebSocket::new(&peer.url("/greet")).unwrap();
        let (sender, seen) = mpsc::channel();
        let tell = sender.clone();
        socket.on_open(move |socket, _| {
            tell.send(format!("{} open", socket.ready_state() as u16)).unwrap();
        });
        let tell = sender.clone();
        socket.on_message(move |socket, event| {
            let state = socket.ready_state() as u16;
            tell.send(format!("{state} {:?}", event.data)).unwrap();
        });
        let tell = sender.clone();
        socket.on_error(move |_, event| tell.send(format!("error {}", event.message)).unwrap());
        socket.on_close(move |socket, event| {
            let state = socket.ready_state() as u16;
            let (clean, code, reason) = (event.was_clean, event.code, &event.reason);
            sender.send(format!("{state} close {clean} {code} {reason}")).unwrap();
        });
        let seen = lines(&seen);
        assert_eq!(
            seen,
            [
                "1 open",
                "1 Text(\"Gr\u{fc}\u{df}e\")",
                "1 Binary([0, 255])",
                "3 close true 1000 bye"
            ]
        );
        assert_eq!(socket.ready_state(), ReadyState::Closed);
    });
}

#[test]
fn connecting_and_closing_are_seen() {
    both(|peer| {
        let socket = peer.open("/echo");
        socket.close_with(3000, "\u{20ac}").unwrap();
        assert_eq!(socket.ready_state(), ReadyState::Closing);
        socket.send("lost").unwrap();
        assert_eq!(socket.buffered_amount(), 4);
        let close = socket.wait().unwrap();
        assert_eq!((close.was_clean, close.code), (true, 3000));
        assert_eq!(socket.ready_state(), ReadyState::Closed);
        assert_eq!(peer.line(), "/echo 0 3000 \u{20ac}");

        // It answers the opening handshake after two seconds.
        let connecting = WebSocket::new(&peer.url("/slow")).unwrap();
        assert_eq!(connecting.ready_state(), ReadyState::Connecting);
        assert!(matches!(connecting.send("too early"), Err(Error::InvalidState)));
        connecting.close();
        let close = connecting.wait().unwrap();
        assert_eq!((close.was_clean, close.code), (false, 1006));
    });
}

#[test]
fn text_and_binary_of_many_sizes_come_back() {
    both(|peer| {
        let socket = peer.open("/echo");
        let events = socket.events();
        assert!(matches!(events.recv(), Some(Event::Open(_))));
        for size in [0, 1, 125, 126, 127, 65_535, 65_536, 900_000] {
            let (text, bytes) = ("\u{e9}".repeat(size / 2), vec![7; size]);
            for message in [Message::Text(&text), Message::Binary(&bytes)] {
                socket.send(message).unwrap();
                let Some(Event::Message(event)) = events.recv() else { panic!("no echo") };
                assert!(event.data.as_message() == message, "{size}");
            }
        }
    });
}

#[test]
fn close_codes_of_the_server_are_reported() {
    both(|peer| {
        for (code, reason) in [(1001, "restart"), (1011, ""), (4999, "x"), (3000, "\u{20ac}")] {
            let path = format!("/close?code={code}&reason={reason}");
            let close = WebSocket::new(&peer.url(&path)).unwrap().wait().unwrap();
            assert_eq!((close.was_clean, close.code, &*close.reason), (true, code, reason));
        }
        let socket = peer.open("/echo");
        socket.close();
        assert_eq!(socket.wait().unwrap().code, 1005);
        let heard = until("the peer tells", || Some(peer.line()).filter(|it| it.contains("/echo")));
        assert_eq!(heard.trim_end(), "/echo 0 1005");
    });
}

#[test]
fn a_connection_that_fails_fires_error_and_then_close_with_1006() {
    both(|peer| {
        for (path, what) in
            [("/abort", "connection"), ("/violate", "reserved bits"), ("/refuse", "403 Forbidden")]
        {
            let socket = WebSocket::new(&peer.url(path)).unwrap();
            let events: Vec<_> =
                socket.events().filter(|event| !matches!(event, Event::Open(_))).collect();
            match &events[..] {
                [Event::Error(error), Event::Close(close)] => {
                    let message = error.message.to_lowercase();
                    assert!(message.contains(&what.to_lowercase()), "{path}: {message}");
                    assert_eq!((close.was_clean, close.code), (false, 1006), "{path}");
                }
                events => panic!("{path}: {events:?}"),
            }
        }
        // The server learns why: 1002.
        let heard =
            until("the peer tells", || Some(peer.line()).filter(|it| it.contains("/violate")));
        assert!(heard.starts_with("/violate 0 1002"), "{heard}");
    });
}

#[test]
fn the_answer_of_a_server_that_refuses_is_in_the_error() {
    both(|peer| {
        let socket = WebSocket::new(&peer.url("/refuse")).unwrap();
        let Some(Event::Error(error)) = socket.events().recv() else { panic!("no error") };
        match error.cause.as_deref() {
            Some(net::Error::Handshake(HandshakeError::Response(ResponseError::Status(
                response,
            )))) => {
                assert_eq!((response.status(), response.body()), (403, &b"no\n"[..]));
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_subprotocol_is_chosen_or_the_connection_fails() {
    both(|peer| {
        let url = peer.url("/echo");
        let socket = WebSocket::with_protocols(&url, ["protocolOne", "protocolTwo"]).unwrap();
        assert!(matches!(socket.events().recv(), Some(Event::Open(_))));
        assert_eq!(&*socket.protocol(), "protocolTwo");
        let socket = WebSocket::with_protocols(&url, ["protocolOne"]).unwrap();
        assert!(matches!(socket.events().recv(), Some(Event::Error(_))));
        assert_eq!(socket.wait().unwrap().code, 1006);
    });
}

#[test]
fn what_the_standard_throws_is_thrown() {
    both(|peer| {
        let url = peer.url("/echo");
        let syntax = |result: Result<WebSocket, Error>| match result {
            Err(Error::Syntax(error)) => error,
            other => panic!("{other:?}"),
        };
        assert!(matches!(syntax(WebSocket::new("ws://")), SyntaxError::Url(_)));
        assert_eq!(syntax(WebSocket::new(&format!("{url}#a"))), SyntaxError::Fragment);
        for protocols in [["a", "a"], ["a", "b c"]] {
            let error = syntax(WebSocket::with_protocols(&url, protocols));
            assert!(matches!(error, SyntaxError::Protocol(_)), "{error}");
        }
        let blocked = WebSocket::new("ws://127.0.0.1:6000/");
        assert!(matches!(blocked, Err(Error::Security(6000))), "{blocked:?}");
        let allowed =
            WebSocket::builder("ws://127.0.0.1:6000/").unwrap().ports(PortPolicy::Any).open();
        assert!(allowed.is_ok());

        let socket = peer.open("/echo");
        assert!(matches!(socket.close_with(1001, ""), Err(Error::InvalidAccess(1001))));
        let long = socket.close_with(1000, &"x".repeat(124));
        assert!(matches!(long, Err(Error::Syntax(SyntaxError::Reason(124)))), "{long:?}");
        assert_eq!(socket.ready_state(), ReadyState::Open);
        socket.close_with(1000, &"x".repeat(123)).unwrap();
        assert_eq!(socket.wait().unwrap().code, 1000);
    });
}

#[test]
fn buffered_amount_rises_while_the_server_does_not_read_and_falls_to_0() {
    both(|peer| {
        let socket = peer.open("/hold?seconds=1");
        let data = vec![0; 900_000];
        let mut most = 0;
        for sent in 1..=40 {
            socket.send(&data).unwrap();
            assert!(socket.buffered_amount() <= sent * 900_000);
            most = most.max(socket.buffered_amount());
        }
        assert!(most > 900_000, "{most}");
        until("everything is taken", || (socket.buffered_amount() == 0).then_some(()));
        socket.close_with(1000, "").unwrap();
        assert!(socket.wait().unwrap().was_clean);
        assert_eq!(peer.line().trim_end(), "/hold 36000000 1000");
    });
}

#[test]
fn to_drop_the_object_closes_cleanly() {
    both(|peer| {
        drop(peer.open("/echo"));
        assert_eq!(peer.line().trim_end(), "/echo 0 1005");
    });
}

#[test]
fn a_server_that_is_gone_is_an_error() {
    both(|peer| {
        let url = peer.url("/echo");
        let open = peer.open("/echo");
        peer.end();
        let socket = WebSocket::new(&url).unwrap();
        let Some(Event::Error(error)) = socket.events().recv() else { panic!("no error") };
        assert!(error.message.contains("refused"), "{}", error.message);
        // And so is one that goes: it was killed, so there is no Close frame.
        let close = open.wait().unwrap();
        assert_eq!((close.was_clean, close.code), (false, 1006));
    });
}
