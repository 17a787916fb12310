//! Opening handshakes as a server sees them (RFC 6455, 4.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sansock::handshake::{
    Answer, HandshakeError, HeadError, HeadLimits, RequestError, ServerHandshake, UsageError,
};
use sansock::{ReceiveBuffer, SendBuffer};

use crate::head::{Head, Manner, accept, list, list_with, manner, near, read, tokens};
use crate::{Cuts, cuts};

/// A request that is right, and what it says.
#[derive(Clone, Debug)]
struct Asked {
    head: Head,
    manner: Manner,
    key: String,
    target: String,
    origin: Option<String>,
    subprotocols: Vec<String>,
}

fn target() -> impl Strategy<Value = String> {
    "/[a-zA-Z0-9/._~!$&'()*+,;=:@-]{0,20}(\\?[a-z0-9=&/?]{0,10})?"
}

fn host() -> impl Strategy<Value = String> {
    "([a-z][a-z0-9-]{0,10}(\\.[a-z][a-z0-9]{0,5}){0,2}|127\\.0\\.0\\.1|\\[::1\\])(:[1-9][0-9]{0,3})?"
}

fn asked() -> impl Strategy<Value = Asked> {
    let origin = proptest::option::of(select(vec!["null", "http://example.com", "https://a:444"]));
    let basics = (manner(), target(), host(), any::<[u8; 16]>(), origin);
    (basics, tokens(0..5))
        .prop_flat_map(|(basics, subprotocols)| {
            let manner = &basics.0;
            let lists = (
                list_with(manner.word("upgrade")),
                list_with(manner.word("websocket")),
                list(subprotocols.clone()),
            );
            (Just(basics), Just(subprotocols), lists)
        })
        .prop_map(|((manner, target, host, nonce, origin), subprotocols, lists)| {
            let key = STANDARD.encode(nonce);
            let mut head = Head { first: format!("GET {target} HTTP/1.1"), fields: Vec::new() };
            head.add("Host", &host);
            head.add("Sec-WebSocket-Key", &key);
            head.add("Sec-WebSocket-Version", "13");
            for (name, lines) in
                [("Connection", lists.0), ("Upgrade", lists.1), ("Sec-WebSocket-Protocol", lists.2)]
            {
                for line in &lines {
                    head.add(name, line);
                }
            }
            let origin = origin.map(str::to_owned);
            if let Some(origin) = &origin {
                head.add("Origin", origin);
            }
            Asked { head, manner, key, target, origin, subprotocols }
        })
}

/// What makes a request wrong, and how the server refuses it.
type Fault = (fn(&mut Head, &str), HandshakeError, u16);

/// In a header.
fn faults_of_headers() -> Vec<Fault> {
    use HandshakeError as E;
    use HeadError::{InvalidHeader, MissingHeader, RepeatedHeader};
    use RequestError::{Body, UnsupportedVersion, UpgradeRequired};
    vec![
        (|head, _| head.remove("Host"), E::Head(MissingHeader("Host")), 400),
        (|head, it| head.add("Host", it), E::Head(RepeatedHeader("Host")), 400),
        (|head, _| head.set("Host", "a b"), E::Head(InvalidHeader("Host")), 400),
        (|head, _| head.remove("Upgrade"), E::Request(UpgradeRequired), 426),
        (
            |head, it| head.set("Upgrade", &format!("{it}, websocket2")),
            E::Request(UpgradeRequired),
            426,
        ),
        (|head, _| head.remove("Connection"), E::Head(MissingHeader("Connection")), 400),
        (
            |head, it| head.set("Connection", &format!("{it}, Upgraded")),
            E::Head(InvalidHeader("Connection")),
            400,
        ),
        (|head, _| head.remove("Sec-WebSocket-Version"), E::Request(UnsupportedVersion), 426),
        (|head, it| head.set("Sec-WebSocket-Version", it), E::Request(UnsupportedVersion), 426),
        (|head, _| head.set("Sec-WebSocket-Version", "13, 8"), E::Request(UnsupportedVersion), 426),
        (|head, _| head.set("Sec-WebSocket-Version", "8"), E::Request(UnsupportedVersion), 426),
        (
            |head, _| head.add("Sec-WebSocket-Version", "13"),
            E::Head(RepeatedHeader("Sec-WebSocket-Version")),
            400,
        ),
        (
            |head, _| head.remove("Sec-WebSocket-Key"),
            E::Head(MissingHeader("Sec-WebSocket-Key")),
            400,
        ),
        (
            |head, it| head.set("Sec-WebSocket-Key", it),
            E::Head(InvalidHeader("Sec-WebSocket-Key")),
            400,
        ),
        (
            |head, it| {
                head.set("Sec-WebSocket-Key", &STANDARD.encode([it, &"x".repeat(16)].concat()));
            },
            E::Head(InvalidHeader("Sec-WebSocket-Key")),
            400,
        ),
        (
            |head, _| head.add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            E::Head(RepeatedHeader("Sec-WebSocket-Key")),
            400,
        ),
        (
            |head, it| head.set("Sec-WebSocket-Protocol", &format!("{it}, {it}")),
            E::Head(InvalidHeader("Sec-WebSocket-Protocol")),
            400,
        ),
        (
            |head, it| head.set("Sec-WebSocket-Protocol", &format!("{it} {it}")),
            E::Head(InvalidHeader("Sec-WebSocket-Protocol")),
            400,
        ),
        (
            |head, _| head.set("Sec-WebSocket-Protocol", ", ;"),
            E::Head(InvalidHeader("Sec-WebSocket-Protocol")),
            400,
        ),
        (
            |head, it| head.add("Sec-WebSocket-Extensions", &format!("{it};")),
            E::Head(InvalidHeader("Sec-WebSocket-Extensions")),
            400,
        ),
        (
            |head, it| head.add("Sec-WebSocket-Extensions", &format!("{it}; a=\"b")),
            E::Head(InvalidHeader("Sec-WebSocket-Extensions")),
            400,
        ),
        (
            |head, _| {
                head.add("Origin", "http://example.com");
                head.add("Origin", "http://example.com");
            },
            E::Head(RepeatedHeader("Origin")),
            400,
        ),
        (|head, _| head.add("Content-Length", "1"), E::Request(Body), 400),
        (
            |head, it| head.add("Content-Length", &format!("{it}-")),
            E::Head(InvalidHeader("Content-Length")),
            400,
        ),
        (|head, _| head.add("Transfer-Encoding", "chunked"), E::Request(Body), 400),
    ]
}

/// In the first line, or in the form of a line.
fn faults_of_lines() -> Vec<Fault> {
    use HandshakeError as E;
    use HeadError::{FoldedLine, HeaderLine, HttpVersion, LineEnding, StartLine};
    use RequestError::{Method, Target};
    fn first(head: &mut Head, from: &str, to: &str) {
        head.first = head.first.replacen(from, to, 1);
    }
    vec![
        (|head, _| first(head, "GET", "POST"), E::Request(Method), 405),
        (|head, _| first(head, "GET", "get"), E::Request(Method), 405),
        (|head, _| first(head, "HTTP/1.1", "HTTP/1.0"), E::Head(HttpVersion), 400),
        (|head, _| first(head, "HTTP/1.1", "HTTP/2.0"), E::Head(HttpVersion), 400),
        (|head, _| first(head, " HTTP/1.1", ""), E::Head(StartLine), 400),
        (|head, _| first(head, " /", "  /"), E::Head(StartLine), 400),
        (|head, it| first(head, " /", &format!(" {it}/")), E::Request(Target), 400),
        (|head, it| head.first.extend(["\n", it]), E::Head(LineEnding), 400),
        (|head, it| head.add("X", &format!("a\r{it}")), E::Head(LineEnding), 400),
        (|head, it| head.add("X", &format!("a\r\n {it}")), E::Head(FoldedLine), 400),
        (|head, it| head.add(&format!("{it} "), "a"), E::Head(HeaderLine), 400),
        (|head, it| head.add("X", &format!("a\r\n{it}")), E::Head(HeaderLine), 400),
    ]
}

/// Feeds the pieces; gives the handshake and what it left in the buffer.
fn feed(bytes: &[u8], cuts: &Cuts) -> (ServerHandshake, Result<bool, HandshakeError>, Vec<u8>) {
    let mut handshake = ServerHandshake::new(HeadLimits::new());
    let (mut input, mut outcome) = (ReceiveBuffer::new(), Ok(false));
    for piece in cuts.pieces(bytes) {
        input.extend_from_slice(piece);
        outcome = handshake.advance(&mut input);
    }
    (handshake, outcome, input.as_slice().to_vec())
}

proptest! {
    #[test]
    fn what_is_right_is_accepted_in_any_manner(
        asked in asked(),
        cuts in cuts(),
        chosen in proptest::option::of(any::<Index>()),
        behind in vec(any::<u8>(), 0..20),
    ) {
        let head = asked.head.write(&asked.manner);
        let (handshake, outcome, left) = feed(&[head, behind.clone()].concat(), &cuts);
        prop_assert_eq!(outcome, Ok(true));
        prop_assert_eq!(left, behind);

        let request = handshake.request().unwrap();
        prop_assert!(request.is_websocket());
        prop_assert_eq!(request.target(), asked.target);
        prop_assert_eq!(request.origin(), asked.origin.as_deref());
        let offered: Vec<_> = request.subprotocols().collect();
        prop_assert_eq!(&offered, &asked.subprotocols);
        for (name, value) in &asked.manner.extra {
            let mut lines = request.headers().get_all(name);
            prop_assert!(lines.any(|line| line == value.as_bytes()), "{}: {}", name, value);
        }

        let chosen = chosen.filter(|_| !offered.is_empty()).map(|chosen| *chosen.get(&offered));
        let answer = chosen.into_iter().fold(Answer::new(), Answer::subprotocol);
        let mut output = SendBuffer::new();
        let established = request.accept(&answer, &mut output).unwrap();
        prop_assert_eq!(established.subprotocol(), chosen);
        let (status, fields) = read(output.as_slice());
        let mut expected = vec![
            ("upgrade".to_owned(), "websocket".to_owned()),
            ("connection".to_owned(), "Upgrade".to_owned()),
            ("sec-websocket-accept".to_owned(), accept(&asked.key)),
        ];
        expected.extend(chosen.map(|name| ("sec-websocket-protocol".into(), name.into())));
        prop_assert_eq!((status, fields), (101, expected));
    }

    #[test]
    fn a_subprotocol_is_of_the_offer_or_nothing_is_written(
        (asked, name) in asked().prop_flat_map(|asked| {
            let name = near(&asked.subprotocols);
            (Just(asked), name)
        }),
    ) {
        let (handshake, ..) = feed(&asked.head.write(&asked.manner), &Cuts::At(vec![]));
        let request = handshake.request().unwrap();
        let mut output = SendBuffer::new();
        let outcome = request.accept(&Answer::new().subprotocol(&name), &mut output);
        if asked.subprotocols.contains(&name) {
            let established = outcome.unwrap();
            prop_assert_eq!(established.subprotocol(), Some(&*name));
        } else {
            prop_assert_eq!(outcome, Err(HandshakeError::Usage(UsageError::UnavailableSubprotocol(name.into()))));
            prop_assert_eq!(output.as_slice(), b"");
        }
    }

    #[test]
    fn one_fault_is_enough_and_has_its_status(
        asked in asked(),
        (fault, error, status) in select([faults_of_headers(), faults_of_lines()].concat()),
        name in "[a-z]{1,8}",
        cuts in cuts(),
    ) {
        let mut head = asked.head;
        fault(&mut head, &name);
        let (handshake, outcome, _) = feed(&head.write(&asked.manner), &cuts);
        prop_assert_eq!(outcome.clone(), Err(error));
        prop_assert!(handshake.request().is_none());

        let mut output = SendBuffer::new();
        handshake.respond(&outcome.unwrap_err(), &mut output);
        let (told, fields) = read(output.as_slice());
        prop_assert_eq!(told, status);
        let has = |name: &str, value: &str| fields.contains(&(name.into(), value.into()));
        // "A server MUST NOT" leave a peer in doubt whether what follows is a second request.
        prop_assert!(has("connection", "close") || has("connection", "close, Upgrade"));
        prop_assert_eq!(has("sec-websocket-version", "13"), status == 426);
        prop_assert_eq!(has("allow", "GET, HEAD, OPTIONS"), status == 405);
    }
}
