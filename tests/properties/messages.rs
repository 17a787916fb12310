//! Messages in frames (RFC 6455, 5.4 to 6), and what a receiver makes of them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sansock::split::{Receiver, Sender};
use sansock::{
    Close, CloseCode, Config, Delivery, Event, Limits, Message, ProtocolError, ReceiveBuffer, Role,
    SendBuffer,
};
use testkit::frame::{BINARY, FIN, Frame, PING, PONG, TEXT};
use testkit::masks::Keys;
use testkit::wire::peer;

use crate::{Cuts, cuts};

pub(crate) fn role() -> impl Strategy<Value = Role> {
    select(vec![Role::Client, Role::Server])
}

/// The key of a frame that a receiver of this role takes.
pub(crate) fn key_for(to: Role, key: [u8; 4]) -> Option<[u8; 4]> {
    (to == Role::Server).then_some(key)
}

/// What a receiver has handed over; a piece joins the piece of its message before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

impl From<Message<'_>> for Seen {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => Self::Text(text.into()),
            Message::Binary(bytes) => Self::Binary(bytes.into()),
        }
    }
}

/// All that a receiver hands over of bytes that come in pieces, and its error.
pub(crate) fn receive(
    role: Role,
    delivery: Delivery,
    bytes: &[u8],
    cuts: &Cuts,
) -> (Vec<Seen>, Option<ProtocolError>) {
    let limits = Limits::new().frame(u64::MAX);
    receive_within(limits, role, delivery, bytes, cuts)
}

/// The same with limits. With [`Delivery::Chunks`] a message shows when it ends.
fn receive_within(
    limits: Limits,
    role: Role,
    delivery: Delivery,
    bytes: &[u8],
    cuts: &Cuts,
) -> (Vec<Seen>, Option<ProtocolError>) {
    let config = Config::new().delivery(delivery).limits(limits);
    let (mut receiver, mut buffer) = (Receiver::new(role, &config), ReceiveBuffer::new());
    let (mut seen, mut begun) = (Vec::new(), Vec::new());
    for piece in cuts.pieces(bytes) {
        buffer.extend_from_slice(piece);
        loop {
            match receiver.next_event(&mut buffer) {
                Ok(None) => break,
                Err(error) => return (seen, Some(error)),
                Ok(Some(Event::Message(message))) => seen.push(message.into()),
                Ok(Some(Event::Chunk { data, fin })) => {
                    begun.extend_from_slice(data.as_bytes());
                    if fin {
                        let whole = std::mem::take(&mut begun);
                        seen.push(match data {
                            Message::Text(_) => Seen::Text(String::from_utf8(whole).unwrap()),
                            Message::Binary(_) => Seen::Binary(whole),
                        });
                    }
                }
                Ok(Some(Event::Ping(payload))) => seen.push(Seen::Ping(payload.into())),
                Ok(Some(Event::Pong(payload))) => seen.push(Seen::Pong(payload.into())),
                Ok(Some(Event::Close(Close { code, reason }))) => {
                    seen.push(Seen::Close(code.map(CloseCode::get), reason.into()));
                }
                Ok(Some(other)) => panic!("{other:?}"),
            }
        }
    }
    (seen, None)
}

/// A message as it goes over the wire: in fragments, each with control frames before it.
#[derive(Clone, Debug)]
pub(crate) struct Fragmented {
    message: Seen,
    cuts: Cuts,
    /// Payloads of Pings (true) and Pongs; those for which there is no fragment are left out.
    controls: Vec<Vec<(bool, Vec<u8>)>>,
    keys: Keys,
}

fn message() -> impl Strategy<Value = Seen> {
    prop_oneof![
        4 => any::<String>().prop_map(Seen::Text),
        4 => vec(any::<u8>(), 0..300).prop_map(Seen::Binary),
        // Every form of the length, and more than the buffer holds in place.
        1 => (any::<char>(), 0_usize..20_000).prop_map(|(c, n)| Seen::Text(c.to_string().repeat(n))),
        1 => (any::<u8>(), 60_000_usize..140_000).prop_map(|(byte, n)| Seen::Binary(vec![byte; n])),
    ]
}

pub(crate) fn fragmented() -> impl Strategy<Value = Fragmented> {
    let control = (any::<bool>(), vec(any::<u8>(), 0..=125));
    // No cuts of a fixed length: the limit on fragments is not what this is about.
    let places = vec(any::<Index>(), 0..6).prop_map(Cuts::At);
    let keys = any::<u32>().prop_map(Keys);
    (message(), places, vec(vec(control, 0..3), 0..7), keys)
        .prop_map(|(message, cuts, controls, keys)| Fragmented { message, cuts, controls, keys })
}

impl Fragmented {
    fn payload(&self) -> (u8, &[u8]) {
        match &self.message {
            Seen::Text(text) => (TEXT, text.as_bytes()),
            Seen::Binary(bytes) => (BINARY, bytes),
            other => panic!("{other:?} has no fragments"),
        }
    }

    /// Its bytes and its frames.
    fn size(&self) -> (u64, u32) {
        let (_, payload) = self.payload();
        (payload.len() as u64, u32::try_from(self.cuts.pieces(payload).len()).unwrap())
    }

    /// The frames for a receiver of this role, and what it is to make of them.
    pub(crate) fn frames(&self, to: Role) -> (Vec<u8>, Vec<Seen>) {
        use sansock::mask::MaskSource;
        let (opcode, payload) = self.payload();
        let (mut wire, mut expected, mut keys) = (Vec::new(), Vec::new(), self.keys.clone());
        let mut put = |first, payload: &[u8]| {
            let key = key_for(to, keys.next_key());
            wire.extend(Frame { first, key, payload: payload.into() }.bytes());
        };
        let fragments = self.cuts.pieces(payload);
        for (index, fragment) in fragments.iter().enumerate() {
            for (ping, payload) in self.controls.get(index).into_iter().flatten() {
                put(FIN | if *ping { PING } else { PONG }, payload);
                let payload = payload.clone();
                expected.push(if *ping { Seen::Ping(payload) } else { Seen::Pong(payload) });
            }
            let fin = if index + 1 == fragments.len() { FIN } else { 0 };
            put(fin | if index == 0 { opcode } else { 0 }, fragment);
        }
        expected.push(self.message.clone());
        (wire, expected)
    }
}

proptest! {
    /// Fragmented anyhow, with any control frames in between, masked or not as the role wants, and
    /// however the bytes arrive.
    #[test]
    fn messages_arrive_as_they_were_however_they_are_cut(
        to in role(),
        chunks in any::<bool>(),
        messages in vec(fragmented(), 1..4),
        cuts in cuts(),
    ) {
        let delivery = if chunks { Delivery::Chunks } else { Delivery::Messages };
        let (wire, expected): (Vec<_>, Vec<_>) =
            messages.iter().map(|message| message.frames(to)).unzip();
        let (seen, error) = receive(to, delivery, &wire.concat(), &cuts);
        prop_assert_eq!(seen, expected.concat());
        prop_assert_eq!(error, None);
    }

    /// For each message anew, and to the byte: the first that is larger, or has more frames, fails.
    #[test]
    fn limits_are_for_each_message_and_exact(
        to in role(),
        chunks in any::<bool>(),
        messages in vec(fragmented(), 1..5),
        which in any::<Index>(),
        cuts in cuts(),
    ) {
        let delivery = if chunks { Delivery::Chunks } else { Delivery::Messages };
        let model = which.get(&messages).size();
        let (mut wire, mut expected, mut error) = (Vec::new(), Vec::new(), None);
        for message in &messages {
            let (bytes, mut seen) = message.frames(to);
            wire.extend(bytes);
            let (length, frames) = message.size();
            if length > model.0 || frames > model.1 {
                // Control frames before the fragment that is too much may have come.
                seen.pop();
                error = Some((seen, length > model.0, frames > model.1));
                break;
            }
            expected.extend(seen);
        }
        let limits = Limits::new().message(model.0).fragments(model.1);
        let (seen, failed) = receive_within(limits, to, delivery, &wire, &cuts);
        match error {
            None => prop_assert_eq!((seen, failed), (expected, None)),
            Some((controls, long, many)) => {
                prop_assert_eq!(&seen[..expected.len()], &expected);
                prop_assert!(controls.starts_with(&seen[expected.len()..]));
                match failed {
                    Some(ProtocolError::MessageTooLarge { limit }) if long => {
                        prop_assert_eq!(limit, model.0);
                    }
                    Some(ProtocolError::TooManyFragments { limit }) if many => {
                        prop_assert_eq!(limit, model.1);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    /// "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is
    /// not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_."
    /// (8.1)
    #[test]
    fn text_is_what_std_says(
        to in role(),
        text in any::<String>(),
        change in proptest::option::of((any::<Index>(), any::<u8>())),
        end in any::<Index>(),
        fragments in vec(any::<Index>(), 0..4).prop_map(Cuts::At),
        cuts in cuts(),
        key in any::<[u8; 4]>(),
    ) {
        let mut bytes = text.into_bytes();
        match change {
            Some((place, byte)) if !bytes.is_empty() => *place.get_mut(&mut bytes) = byte,
            // Ends within a character, perhaps.
            _ => bytes.truncate(end.index(bytes.len() + 1)),
        }
        let pieces = fragments.pieces(&bytes);
        let frame = |(index, fragment): (usize, &&[u8])| {
            let fin = if index + 1 == pieces.len() { FIN } else { 0 };
            let first = fin | if index == 0 { TEXT } else { 0 };
            Frame { first, key: key_for(to, key), payload: fragment.to_vec() }.bytes()
        };
        let wire = pieces.iter().enumerate().map(frame).collect::<Vec<_>>().concat();
        let expected = match std::str::from_utf8(&bytes) {
            Ok(text) => (vec![Seen::Text(text.into())], None),
            Err(_) => (vec![], Some(ProtocolError::InvalidUtf8)),
        };
        for delivery in [Delivery::Messages, Delivery::Chunks] {
            prop_assert_eq!(&receive(to, delivery, &wire, &cuts), &expected);
        }
    }

    /// What one end's sender writes the other's receiver reads.
    #[test]
    fn a_sender_is_understood(
        from in role(),
        messages in vec((message(), vec(any::<Index>(), 0..4), vec(any::<u8>(), 0..=125)), 1..5),
        keys in any::<u32>().prop_map(Keys),
        cuts in cuts(),
    ) {
        let config = Config::new();
        let mut buffer = SendBuffer::new();
        let mut sender = match from {
            Role::Client => Sender::client(&config, keys),
            Role::Server => Sender::server(&config),
        };
        let mut expected = Vec::new();
        for (message, places, ping) in messages {
            let outgoing = match &message {
                Seen::Text(text) => Message::Text(text),
                Seen::Binary(bytes) => Message::Binary(bytes),
                other => panic!("{other:?}"),
            };
            let pieces = split(outgoing, places);
            let (last, first) = pieces.split_last().unwrap();
            if first.is_empty() {
                sender.send(*last, &mut buffer).unwrap();
            } else {
                for piece in first {
                    sender.send_fragment(*piece, false, &mut buffer).unwrap();
                }
                sender.ping(&ping, &mut buffer).unwrap();
                expected.push(Seen::Ping(ping));
                sender.send_fragment(*last, true, &mut buffer).unwrap();
            }
            expected.push(message);
        }
        sender.start_close(CloseCode::NORMAL, "bye", &mut buffer).unwrap();
        expected.push(Seen::Close(Some(1000), "bye".into()));
        let mut wire = Vec::new();
        buffer.write_to(&mut wire).unwrap();
        let received = receive(peer(from), Delivery::Messages, &wire, &cuts);
        prop_assert_eq!(received, (expected, None));
    }
}

/// A message in fragments; text is cut where a `&str` can be.
fn split(message: Message<'_>, places: Vec<Index>) -> Vec<Message<'_>> {
    match message {
        Message::Binary(bytes) => {
            Cuts::At(places).pieces(bytes).into_iter().map(Message::Binary).collect()
        }
        Message::Text(text) => {
            let ends: Vec<_> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let mut cuts: Vec<_> = places.iter().map(|place| *place.get(&ends)).collect();
            cuts.push(text.len());
            cuts.sort_unstable();
            let mut start = 0;
            let cut = |end| Message::Text(&text[std::mem::replace(&mut start, end)..end]);
            cuts.into_iter().map(cut).collect()
        }
    }
}
