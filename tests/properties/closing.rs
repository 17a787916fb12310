//! The closing handshake (RFC 6455, 7): two ends, and what they do in any order.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sansock::handshake::Established;
use sansock::{
    CloseCode, Config, Connection, Event, Message, Outcome, ProtocolError, ReceiveBuffer, Role,
    SendBuffer, SendError, State, Teardown,
};
use testkit::frame::{BINARY, CLOSE, FIN, Frame, PING, PONG, frames};
use testkit::masks::Keys;
use testkit::pair::closed;

/// One end, the bytes that it has sent, and what its program knows.
struct End {
    role: Role,
    connection: Connection,
    input: ReceiveBuffer,
    output: SendBuffer,
    /// All bytes that have left, and how many of them have arrived.
    wire: Vec<u8>,
    arrived: usize,
    /// What was accepted for sending: messages whose last fragment was, and Pings.
    sent: Vec<Sent>,
    /// What has come.
    seen: Vec<Sent>,
    pongs: Vec<Vec<u8>>,
    close: Option<(Option<u16>, String)>,
    /// What this end has said by itself.
    said: Option<(Option<u16>, String)>,
    /// The fragments of the message that is being sent.
    begun: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Sent {
    Message(Vec<u8>),
    Ping(Vec<u8>),
}

/// What one end, or the network behind it, does.
#[derive(Clone, Debug)]
enum Act {
    Send(Vec<u8>),
    Fragment(Vec<u8>, bool),
    Ping(Vec<u8>),
    Close(Option<u16>, String),
    /// What waits leaves.
    Write,
    /// As much of what has left as this arrives.
    Arrive(Index),
    /// The program takes this many events.
    Take(usize),
}

fn code() -> impl Strategy<Value = Option<u16>> {
    let usual = select(vec![1000_u16, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 3000, 4999]);
    proptest::option::weighted(0.8, prop_oneof![usual, 1000..=4999_u16])
}

/// At most 123 bytes.
fn reason() -> impl Strategy<Value = String> {
    "\\PC{0,30}"
}

fn act() -> impl Strategy<Value = Act> {
    let payload = || vec(any::<u8>(), 0..40);
    prop_oneof![
        4 => payload().prop_map(Act::Send),
        3 => (payload(), any::<bool>()).prop_map(|(payload, fin)| Act::Fragment(payload, fin)),
        2 => payload().prop_map(Act::Ping),
        1 => (code(), reason()).prop_map(|(code, reason)| Act::Close(code, reason)),
        5 => Just(Act::Write),
        5 => any::<Index>().prop_map(Act::Arrive),
        5 => (1_usize..4).prop_map(Act::Take),
    ]
}

fn acts() -> impl Strategy<Value = Vec<(Role, Act)>> {
    vec((select(vec![Role::Client, Role::Server]), act()), 0..60)
}

impl End {
    fn new(role: Role, keys: u32) -> Self {
        Self {
            role,
            connection: Established::after_handshake(role, None)
                .connection_with(&Config::new().messages_after_close(true), Keys(keys)),
            input: ReceiveBuffer::new(),
            output: SendBuffer::new(),
            wire: Vec::new(),
            arrived: 0,
            sent: Vec::new(),
            seen: Vec::new(),
            pongs: Vec::new(),
            close: None,
            said: None,
            begun: None,
        }
    }

    /// Whether a Close frame of this end has been queued: by itself, or as the answer.
    fn is_shut(&self) -> bool {
        self.said.is_some() || self.close.is_some()
    }

    /// What sending must give.
    fn may(&self, or: Result<(), SendError>) -> Result<(), SendError> {
        if self.is_shut() { Err(SendError::Closed) } else { or }
    }

    fn send(&mut self, payload: Vec<u8>) {
        let busy = if self.begun.is_some() { Err(SendError::MessageInProgress) } else { Ok(()) };
        let outcome = self.connection.send(&payload, &mut self.output);
        assert_eq!(outcome, self.may(busy));
        if outcome.is_ok() {
            self.sent.push(Sent::Message(payload));
        }
    }

    fn fragment(&mut self, payload: &[u8], fin: bool) {
        let outcome = self.connection.send_fragment(payload, fin, &mut self.output);
        assert_eq!(outcome, self.may(Ok(())));
        if outcome.is_ok() {
            self.begun.get_or_insert_default().extend_from_slice(payload);
            if fin {
                self.sent.extend(self.begun.take().map(Sent::Message));
            }
        }
    }

    fn ping(&mut self, payload: Vec<u8>) {
        let outcome = self.connection.ping(&payload, &mut self.output);
        assert_eq!(outcome, self.may(Ok(())));
        if outcome.is_ok() {
            self.sent.push(Sent::Ping(payload));
        }
    }

    fn close(&mut self, code: Option<u16>, reason: &str) {
        let close = match code {
            None => None,
            // Those that may not be sent cannot be said.
            Some(code) => match CloseCode::new(code) {
                Some(code) => Some(code),
                None => return,
            },
        };
        let reason = if close.is_none() { "" } else { reason };
        let outcome = self.connection.start_close(close, reason, &mut self.output);
        assert_eq!(outcome, self.may(Ok(())));
        if outcome.is_ok() {
            self.said = Some((code, reason.into()));
        }
    }

    /// One event, if there is one.
    fn take(&mut self) -> bool {
        match self.connection.next_event(&mut self.input, &mut self.output).unwrap() {
            None => return false,
            Some(event) => {
                assert_eq!(self.close, None, "{event:?} behind a Close frame");
                match event {
                    Event::Message(Message::Binary(payload)) => {
                        self.seen.push(Sent::Message(payload.into()));
                    }
                    Event::Ping(payload) => self.seen.push(Sent::Ping(payload.into())),
                    Event::Pong(payload) => self.pongs.push(payload.into()),
                    Event::Close(close) => {
                        let code = close.code.map(CloseCode::get);
                        self.close = Some((code, close.reason.into()));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        true
    }

    /// What this end's Close frame must contain: the code and reason of its program, or those that
    /// it received, "echos the status code it received" (5.5.1).
    fn expected_close(&self) -> (Option<u16>, String) {
        let echo = || (self.close.as_ref().unwrap().0, String::new());
        self.said.clone().unwrap_or_else(echo)
    }
}

struct Pair {
    client: End,
    server: End,
}

impl Pair {
    fn new(keys: u32) -> Self {
        Self { client: End::new(Role::Client, keys), server: End::new(Role::Server, keys) }
    }

    fn ends(&mut self, from: Role) -> (&mut End, &mut End) {
        match from {
            Role::Client => (&mut self.client, &mut self.server),
            Role::Server => (&mut self.server, &mut self.client),
        }
    }

    fn act(&mut self, (who, act): (Role, Act)) {
        let (end, other) = self.ends(who);
        match act {
            Act::Send(payload) => end.send(payload),
            Act::Fragment(payload, fin) => end.fragment(&payload, fin),
            Act::Ping(payload) => end.ping(payload),
            Act::Close(code, reason) => end.close(code, &reason),
            Act::Write => end.output.write_to(&mut end.wire).unwrap(),
            Act::Arrive(part) => {
                let part = part.index(end.wire.len() - end.arrived + 1);
                other.input.extend_from_slice(&end.wire[end.arrived..][..part]);
                end.arrived += part;
            }
            Act::Take(most) => {
                let _ = (0..most).take_while(|_| end.take()).count();
            }
        }
    }

    /// Everything arrives and is taken.
    fn settle(&mut self) {
        loop {
            let mut moved = false;
            for role in [Role::Client, Role::Server] {
                let (end, other) = self.ends(role);
                end.output.write_to(&mut end.wire).unwrap();
                moved |= end.arrived < end.wire.len();
                other.input.extend_from_slice(&end.wire[end.arrived..]);
                end.arrived = end.wire.len();
                while other.take() {
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }
}

/// The end after a Close frame that says this.
fn clean(code: Option<u16>, reason: &str) -> Outcome {
    closed(code.unwrap_or(1005), reason)
}

/// What a receiver is to see of these bytes.
fn complete(bytes: &[u8]) -> Vec<Sent> {
    let (mut complete, mut begun) = (Vec::new(), Vec::new());
    for frame in frames(bytes) {
        match frame.first {
            it if it == FIN | PING => complete.push(Sent::Ping(frame.payload)),
            0 | BINARY => begun.extend(frame.payload),
            0x80 | 0x82 => {
                begun.extend(frame.payload);
                complete.push(Sent::Message(std::mem::take(&mut begun)));
            }
            _ => {}
        }
    }
    complete
}

proptest! {
    /// "Once an endpoint has both sent and received a Close control frame, that endpoint SHOULD
    /// _Close the WebSocket Connection_" (7.1.2), in whatever order the two came to it.
    #[test]
    fn both_ends_close_and_agree(
        keys in any::<u32>(),
        acts in acts(),
        (who, code, reason) in (select(vec![Role::Client, Role::Server]), code(), reason()),
    ) {
        let mut pair = Pair::new(keys);
        for act in acts {
            pair.act(act);
        }
        // If neither end has closed, one does now.
        if !pair.client.is_shut() && !pair.server.is_shut() {
            let code = code.filter(|code| CloseCode::new(*code).is_some());
            pair.act((who, Act::Close(code, reason)));
        }
        pair.settle();
        for role in [Role::Client, Role::Server] {
            let (end, other) = pair.ends(role);
            prop_assert_eq!(end.connection.state(), State::Closed);
            // Nothing that was accepted is lost, and nothing else comes.
            prop_assert_eq!(&end.seen, &other.sent);
            prop_assert_eq!(end.close.as_ref(), Some(&other.expected_close()));
            // "_The WebSocket Connection Close Code_ is defined as the status code contained in the
            // first Close control frame received" (7.1.5)
            let (code, reason) = other.expected_close();
            prop_assert_eq!(end.connection.outcome(), Some(&clean(code, &reason)));

            let frames = frames(&end.wire);
            let closes: Vec<_> = (0..frames.len()).filter(|at| frames[*at].first == FIN | CLOSE).collect();
            prop_assert_eq!(closes, [frames.len() - 1], "one Close frame, and nothing behind it");
            prop_assert!(frames.iter().all(|frame| frame.key.is_some() == (end.role == Role::Client)));
            // Pongs answer Pings in their order; of several that wait the newest is enough (5.5.3).
            let mut pings = end.sent.iter().filter_map(|sent| match sent {
                Sent::Ping(payload) => Some(payload),
                Sent::Message(_) => None,
            });
            prop_assert!(end.pongs.iter().all(|pong| pings.any(|ping| ping == pong)));

            prop_assert_eq!(end.connection.send("late", &mut end.output), Err(SendError::Closed));
            prop_assert_eq!(end.connection.ping(b"", &mut end.output), Err(SendError::Closed));
            prop_assert_eq!(end.connection.start_close(None, "", &mut end.output), Err(SendError::Closed));
            prop_assert_eq!(end.output.as_slice(), b"");
        }
        // "the server MUST close the TCP connection immediately", the client waits for that
        // (7.1.1).
        prop_assert_eq!(pair.server.connection.teardown(), Teardown::HalfClose);
        prop_assert_eq!(pair.client.connection.teardown(), Teardown::AwaitPeer);
        let before = [&pair.client, &pair.server].map(|end| end.connection.outcome().cloned());
        pair.client.connection.receive_eof();
        prop_assert_eq!(pair.client.connection.teardown(), Teardown::HalfClose);
        pair.server.connection.receive_eof();
        prop_assert_eq!([&pair.client, &pair.server].map(|end| end.connection.outcome().cloned()), before);
    }

    /// The transport may end anywhere, even within a frame.
    #[test]
    fn a_cut_loses_nothing_that_has_arrived(keys in any::<u32>(), acts in acts()) {
        let mut pair = Pair::new(keys);
        for act in acts {
            pair.act(act);
        }
        for role in [Role::Client, Role::Server] {
            let (end, other) = pair.ends(role);
            while end.take() {}
            end.connection.receive_eof();
            prop_assert_eq!(end.connection.state(), State::Closed);
            prop_assert_eq!(end.connection.teardown(), Teardown::HalfClose);
            prop_assert_eq!(&end.seen, &complete(&other.wire[..other.arrived]));
            prop_assert_eq!(&end.seen, &other.sent[..end.seen.len()]);
            let close = end.close.as_ref();
            let outcome = close.map_or(Outcome::Abnormal, |(code, reason)| clean(*code, reason));
            prop_assert_eq!(end.connection.outcome(), Some(&outcome));
            prop_assert_eq!(end.connection.send("late", &mut end.output), Err(SendError::Closed));
        }
    }

    /// Any Close frame of a peer: its code is echoed if it may be sent, and 1002 or 1007 tells what
    /// is wrong with it otherwise.
    #[test]
    fn any_close_frame_is_answered_once(
        role in select(vec![Role::Client, Role::Server]),
        code in prop_oneof![1000..=4999_u16, any::<u16>()],
        reason in prop_oneof![
            "\\PC{0,30}".prop_map(String::into_bytes),
            vec(any::<u8>(), 0..=123),
        ],
        key in any::<[u8; 4]>(),
        before in vec(vec(any::<u8>(), 0..10), 0..3),
        behind in vec(any::<u8>(), 0..20),
    ) {
        let mut end = End::new(role, 1);
        let key = (role == Role::Server).then_some(key);
        for payload in &before {
            let frame = Frame { first: FIN | BINARY, key, payload: payload.clone() };
            end.input.extend_from_slice(&frame.bytes());
        }
        let payload = [&code.to_be_bytes()[..], &reason].concat();
        end.input.extend_from_slice(&Frame { first: FIN | CLOSE, key, payload }.bytes());
        end.input.extend_from_slice(&behind);

        let (answer, outcome) = match (CloseCode::new(code), std::str::from_utf8(&reason)) {
            (None, _) => (1002, Outcome::Failed(ProtocolError::CloseCode(code))),
            (_, Err(_)) => (1007, Outcome::Failed(ProtocolError::InvalidUtf8)),
            (Some(code), Ok(reason)) => (code.get(), clean(Some(code.get()), reason)),
        };
        let mut events = 0;
        for _ in 0..10 {
            match end.connection.next_event(&mut end.input, &mut end.output) {
                Ok(Some(Event::Message(_) | Event::Close(_))) => events += 1,
                Ok(None) => {}
                // Bytes after a Close frame are not even checked.
                Err(error) => prop_assert_eq!(&Outcome::Failed(error), &outcome),
                other => panic!("{other:?}"),
            }
        }
        prop_assert_eq!(events, before.len() + usize::from(outcome.was_clean()));
        prop_assert_eq!(end.connection.outcome(), Some(&outcome));
        prop_assert_eq!(end.connection.state(), State::Closed);
        end.output.write_to(&mut end.wire).unwrap();
        let payloads: Vec<_> = frames(&end.wire)
            .into_iter()
            .map(|frame| (frame.first, frame.payload))
            .collect();
        prop_assert_eq!(payloads, [(FIN | CLOSE, u16::to_be_bytes(answer).to_vec())]);
    }

    /// Of the Pings that wait for an answer at least the newest gets one (5.5.3).
    #[test]
    fn the_newest_ping_is_answered(
        role in select(vec![Role::Client, Role::Server]),
        payloads in vec(vec(any::<u8>(), 0..=125), 1..10),
        key in any::<[u8; 4]>(),
    ) {
        let mut end = End::new(role, 1);
        for payload in &payloads {
            let key = (role == Role::Server).then_some(key);
            let frame = Frame { first: FIN | PING, key, payload: payload.clone() };
            end.input.extend_from_slice(&frame.bytes());
        }
        while end.take() {}
        end.output.write_to(&mut end.wire).unwrap();
        let answers = frames(&end.wire);
        prop_assert_eq!(answers.len(), 1);
        prop_assert_eq!(answers[0].first, FIN | PONG);
        prop_assert_eq!(Some(&answers[0].payload), payloads.last());
    }
}
