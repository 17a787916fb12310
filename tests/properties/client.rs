//! Opening handshakes as a client sees them (RFC 6455, 4.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sansock::handshake::{
    Answer, ClientHandshake, HandshakeError, HeadError, HeadLimits, Offer, ResponseError,
    ServerHandshake,
};
use sansock::{ReceiveBuffer, Role, SendBuffer};

use crate::head::{Head, Manner, accept, list_with, manner, near, token, tokens};
use crate::{Cuts, cuts};

/// What a client asks, and an answer that is right.
#[derive(Clone, Debug)]
struct Answered {
    nonce: [u8; 16],
    offered: Vec<String>,
    chosen: Option<String>,
    head: Head,
    manner: Manner,
    /// What comes before it: 100 and 102 to 199.
    interim: Vec<u16>,
}

fn answered() -> impl Strategy<Value = Answered> {
    let interim = vec(prop_oneof![Just(100_u16), 102..200_u16], 0..3);
    let chosen = proptest::option::of(any::<Index>());
    (any::<[u8; 16]>(), tokens(0..5), chosen, manner(), interim)
        .prop_flat_map(|it| {
            let connection = list_with(it.3.word("upgrade"));
            (Just(it), connection, "[ -~]{0,20}")
        })
        .prop_map(|((nonce, offered, chosen, manner, interim), connection, reason)| {
            let chosen = chosen.filter(|_| !offered.is_empty()).map(|it| it.get(&offered).clone());
            let mut head = Head { first: format!("HTTP/1.1 101 {reason}"), fields: Vec::new() };
            head.add("Upgrade", &manner.word("websocket"));
            for line in &connection {
                head.add("Connection", line);
            }
            head.add("Sec-WebSocket-Accept", &accept(&STANDARD.encode(nonce)));
            if let Some(name) = &chosen {
                head.add("Sec-WebSocket-Protocol", name);
            }
            Answered { nonce, offered, chosen, head, manner, interim }
        })
}

impl Answered {
    fn client(&self) -> ClientHandshake {
        let offer = Offer::new("ws://example.com/".parse().unwrap());
        let offer = self.offered.iter().fold(offer, Offer::subprotocol);
        let mut output = SendBuffer::new();
        ClientHandshake::start(&offer, self.nonce, HeadLimits::new(), &mut output).unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        let interim = self.interim.iter().flat_map(|status| {
            let head = Head { first: format!("HTTP/1.1 {status} Wait"), fields: Vec::new() };
            head.write(&self.manner)
        });
        interim.chain(self.head.write(&self.manner)).collect()
    }
}

fn feed(
    handshake: &mut ClientHandshake,
    bytes: &[u8],
    cuts: &Cuts,
) -> (Result<bool, HandshakeError>, Vec<u8>) {
    let (mut input, mut outcome) = (ReceiveBuffer::new(), Ok(false));
    for piece in cuts.pieces(bytes) {
        input.extend_from_slice(piece);
        outcome = handshake.advance(&mut input);
    }
    (outcome, input.as_slice().to_vec())
}

/// What makes a response wrong, and the error.
type Fault = (fn(&mut Head, &str), HandshakeError);

fn faults() -> Vec<Fault> {
    use HandshakeError as E;
    use HeadError::{
        FoldedLine, HeaderLine, HttpVersion, InvalidHeader, LineEnding, MissingHeader,
        RepeatedHeader, StartLine,
    };
    use ResponseError::{AcceptMismatch, UnexpectedExtension, UnexpectedSubprotocol};
    fn accept(head: &mut Head, change: impl Fn(String) -> String) {
        let name = "Sec-WebSocket-Accept";
        let value = head.fields.iter().find(|(it, _)| it == name).unwrap().1.clone();
        head.set(name, &change(value));
    }
    vec![
        (|head, _| head.first = head.first.replacen("/1.1", "/1.0", 1), E::Head(HttpVersion)),
        (|head, _| head.first = head.first.replacen("/1.1 ", "/1.1  ", 1), E::Head(StartLine)),
        (|head, _| head.first = head.first.replacen("101", "10a", 1), E::Head(StartLine)),
        (|head, _| head.remove("Upgrade"), E::Head(MissingHeader("Upgrade"))),
        (|head, it| head.set("Upgrade", it), E::Head(InvalidHeader("Upgrade"))),
        (|head, it| head.add("Upgrade", it), E::Head(InvalidHeader("Upgrade"))),
        (|head, _| head.remove("Connection"), E::Head(MissingHeader("Connection"))),
        (|head, it| head.set("Connection", it), E::Head(InvalidHeader("Connection"))),
        (
            |head, _| head.remove("Sec-WebSocket-Accept"),
            E::Head(MissingHeader("Sec-WebSocket-Accept")),
        ),
        (
            |head, it| head.add("Sec-WebSocket-Accept", it),
            E::Head(RepeatedHeader("Sec-WebSocket-Accept")),
        ),
        (|head, it| accept(head, |_| it.into()), E::Response(AcceptMismatch)),
        (|head, it| accept(head, |value| value + it), E::Response(AcceptMismatch)),
        (|head, _| accept(head, |value| value[..27].into()), E::Response(AcceptMismatch)),
        // Base64 has a case.
        (
            |head, _| {
                accept(head, |value| {
                    let change = |letter: char| match letter {
                        'a'..='z' => letter.to_ascii_uppercase(),
                        _ => letter.to_ascii_lowercase(),
                    };
                    value.chars().map(change).collect()
                });
            },
            E::Response(AcceptMismatch),
        ),
        (
            |head, it| head.set("Sec-WebSocket-Protocol", &format!("not,{it}")),
            E::Response(UnexpectedSubprotocol),
        ),
        (
            |head, it| {
                head.set("Sec-WebSocket-Protocol", it);
                head.add("Sec-WebSocket-Protocol", it);
            },
            E::Head(RepeatedHeader("Sec-WebSocket-Protocol")),
        ),
        (|head, it| head.add("Sec-WebSocket-Extensions", it), E::Response(UnexpectedExtension)),
        (
            |head, _| head.add("Sec-WebSocket-Extensions", "permessage-deflate"),
            E::Response(UnexpectedExtension),
        ),
        (|head, it| head.first.extend(["\r", it]), E::Head(LineEnding)),
        (|head, it| head.first.extend(["\r\n\t", it]), E::Head(FoldedLine)),
        (|head, it| head.add(&format!("{it}\t"), "a"), E::Head(HeaderLine)),
    ]
}

proptest! {
    #[test]
    fn what_is_right_is_taken_in_any_manner(
        answered in answered(),
        cuts in cuts(),
        behind in vec(any::<u8>(), 0..20),
    ) {
        let mut client = answered.client();
        let bytes = [answered.bytes(), behind.clone()].concat();
        prop_assert_eq!(feed(&mut client, &bytes, &cuts), (Ok(true), behind));
        let established = client.established().unwrap();
        prop_assert_eq!(established.role(), Role::Client);
        prop_assert_eq!(established.subprotocol(), answered.chosen.as_deref());
        let response = client.response().unwrap();
        for (name, value) in &answered.manner.extra {
            let mut lines = response.headers().get_all(name);
            prop_assert!(lines.any(|line| line == value.as_bytes()), "{}: {}", name, value);
        }
    }

    #[test]
    fn one_fault_is_enough(
        answered in answered(),
        (fault, error) in select(faults()),
        name in "[a-z]{1,8}",
        cuts in cuts(),
    ) {
        let mut answered = answered;
        fault(&mut answered.head, &name);
        let mut client = answered.client();
        let (outcome, _) = feed(&mut client, &answered.bytes(), &cuts);
        prop_assert_eq!(outcome, Err(error));
        prop_assert!(client.established().is_none() && client.response().is_none());
    }

    /// "If the status code received from the server is not 101, the client handles the response per
    /// HTTP procedures" (4.1)
    #[test]
    fn another_status_than_101_is_no_connection(
        answered in answered(),
        status in 200..1000_u16,
        cuts in cuts(),
        body in vec(any::<u8>(), 0..50),
    ) {
        let mut answered = answered;
        answered.head.first = format!("HTTP/1.1 {status} No");
        answered.head.add("Content-Length", &body.len().to_string());
        let bytes = [answered.bytes(), body.clone()].concat();
        let (outcome, _) = feed(&mut answered.client(), &bytes, &cuts);
        let Err(HandshakeError::Response(ResponseError::Status(response))) = outcome else { panic!("{outcome:?}") };
        prop_assert_eq!(response.status(), status);
        let body = if matches!(status, 204 | 304) { vec![] } else { body };
        prop_assert_eq!(response.body(), body);
    }

    #[test]
    fn a_subprotocol_of_the_offer_is_taken_and_no_other(
        (answered, name) in answered().prop_flat_map(|answered| {
            let name = near(&answered.offered);
            (Just(answered), name)
        }),
    ) {
        let mut answered = answered;
        answered.head.set("Sec-WebSocket-Protocol", &name);
        let mut client = answered.client();
        let (outcome, _) = feed(&mut client, &answered.bytes(), &Cuts::Every(1));
        if answered.offered.contains(&name) {
            prop_assert_eq!(outcome, Ok(true));
            let established = client.established().unwrap();
            prop_assert_eq!(established.subprotocol(), Some(&*name));
        } else {
            prop_assert_eq!(outcome, Err(HandshakeError::Response(ResponseError::UnexpectedSubprotocol)));
        }
    }

    /// What one end writes the other takes, and both hold the same to be agreed.
    #[test]
    fn both_ends_agree_on_a_subprotocol_of_the_offer(
        answered in answered(),
        named in proptest::option::of(token()),
        cuts in cuts(),
    ) {
        let offer = Offer::new("ws://example.com/".parse().unwrap());
        let offer = answered.offered.iter().fold(offer, Offer::subprotocol);
        let (mut request, mut response) = (SendBuffer::new(), SendBuffer::new());
        let limits = HeadLimits::new();
        let mut client =
            ClientHandshake::start(&offer, answered.nonce, limits, &mut request).unwrap();
        let (mut server, mut input) = (ServerHandshake::new(limits), ReceiveBuffer::new());
        for piece in cuts.pieces(request.as_slice()) {
            input.extend_from_slice(piece);
            server.advance(&mut input).unwrap();
        }
        let name = named.or(answered.chosen);
        let answer = name.iter().fold(Answer::new(), Answer::subprotocol);
        let accepted = server.request().unwrap().accept(&answer, &mut response);
        let is_offered = name.as_ref().is_none_or(|name| answered.offered.contains(name));
        prop_assert_eq!(accepted.is_ok(), is_offered);
        if let Ok(accepted) = accepted {
            prop_assert_eq!(feed(&mut client, response.as_slice(), &cuts).0, Ok(true));
            prop_assert_eq!(accepted.subprotocol(), name.as_deref());
            let established = client.established().unwrap();
            prop_assert_eq!(established.subprotocol(), name.as_deref());
        }
    }
}
