//! Frames (RFC 6455, 5) and what a receiver makes of them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sansock::{
    Close, CloseCode, Config, Delivery, Event, FrameHeader, Limits, Message, OpCode, ProtocolError,
    ReceiveBuffer, Receiver, Role, SendBuffer, Sender,
};

use crate::wire::{BINARY, FIN, Frame, Keys, PING, PONG, TEXT, header, header_with, peer};
use crate::{Cuts, cuts};

fn role() -> impl Strategy<Value = Role> {
    select(vec![Role::Client, Role::Server])
}

/// The key of a frame that a receiver of this role takes.
fn key_for(to: Role, key: [u8; 4]) -> Option<[u8; 4]> {
    (to == Role::Server).then_some(key)
}

/// Any length that a frame may have, the edges of its forms more often than others.
fn length() -> impl Strategy<Value = u64> {
    prop_oneof![
        select(vec![0, 1, 125, 126, 127, 0xFFFF, 0x1_0000, 0x1_0001, (1 << 63) - 1]),
        0..=125_u64,
        126..=0xFFFF_u64,
        0x1_0000..1_u64 << 63,
    ]
}

/// Any header that breaks no rule of section 5.2 or 5.5.
fn frame_header() -> impl Strategy<Value = FrameHeader> {
    let data = (select(vec![OpCode::Continuation, OpCode::Text, OpCode::Binary]), length());
    let control = (select(vec![OpCode::Close, OpCode::Ping, OpCode::Pong]), 0..=125_u64);
    (any::<[bool; 2]>(), any::<Option<[u8; 4]>>(), prop_oneof![data.boxed(), control.boxed()])
        .prop_map(|([fin, rsv1], masking_key, (opcode, payload_len))| FrameHeader {
            fin: fin || opcode.is_control(),
            rsv1,
            opcode,
            masking_key,
            payload_len,
        })
}

/// What a receiver has handed over; a piece joins the piece of its message before it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
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

/// All that a receiver hands over of bytes that come in pieces, and its error. With
/// [`Delivery::Chunks`] a message shows when it ends.
fn receive(
    role: Role,
    delivery: Delivery,
    bytes: &[u8],
    cuts: &Cuts,
) -> (Vec<Seen>, Option<ProtocolError>) {
    let config = Config::new().delivery(delivery).limits(Limits::new().frame(u64::MAX));
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
struct Fragmented {
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

fn fragmented() -> impl Strategy<Value = Fragmented> {
    let control = (any::<bool>(), vec(any::<u8>(), 0..=125));
    // No cuts of a fixed length: the limit on fragments is not what this is about.
    let places = vec(any::<Index>(), 0..6).prop_map(Cuts::At);
    let keys = any::<u32>().prop_map(Keys);
    (message(), places, vec(vec(control, 0..3), 0..7), keys)
        .prop_map(|(message, cuts, controls, keys)| Fragmented { message, cuts, controls, keys })
}

impl Fragmented {
    /// The frames for a receiver of this role, and what it is to make of them.
    fn frames(&self, to: Role) -> (Vec<u8>, Vec<Seen>) {
        use sansock::MaskSource;
        let (opcode, payload) = match &self.message {
            Seen::Text(text) => (TEXT, text.as_bytes()),
            Seen::Binary(bytes) => (BINARY, &bytes[..]),
            other => panic!("{other:?} has no fragments"),
        };
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

/// One rule of the header broken, in a frame that is right otherwise.
fn broken(to: Role) -> impl Strategy<Value = (Vec<u8>, ProtocolError)> {
    use ProtocolError as E;
    const DATA: [u8; 4] = [TEXT, BINARY, FIN | TEXT, FIN | BINARY];
    const CONTROL: [u8; 3] = [0x88, 0x89, 0x8A];
    fn data() -> impl Strategy<Value = u8> {
        select(DATA.to_vec())
    }
    fn any_frame() -> impl Strategy<Value = u8> {
        select([&DATA[..], &CONTROL].concat())
    }
    fn control() -> impl Strategy<Value = u8> {
        select(CONTROL.to_vec())
    }
    let key = any::<[u8; 4]>().prop_map(move |key| key_for(to, key)).boxed();
    prop_oneof![
        // "MUST be 0 unless an extension is negotiated": each of the three, any of them.
        (any_frame(), 1_u8..8, key.clone(), 0..=125_u64).prop_map(|(first, bits, key, length)| {
            (header(first | bits << 4, key, length), E::ReservedBits(first | bits << 4))
        }),
        (
            select(vec![3_u8, 4, 5, 6, 7, 11, 12, 13, 14, 15]),
            key.clone(),
            any::<bool>(),
            0..=125_u64
        )
            .prop_map(|(opcode, key, fin, length)| {
                let first = opcode | if fin { FIN } else { 0 };
                (header(first, key, length), E::ReservedOpcode(opcode))
            }),
        (control(), key.clone(), 0..=125_u64).prop_map(|(first, key, length)| (
            header(first ^ FIN, key, length),
            E::FragmentedControl
        )),
        (control(), key.clone(), prop_oneof![Just(126), 126..=0xFFFF_u64, 0x1_0000..1_u64 << 63])
            .prop_map(|(first, key, length)| (header(first, key, length), E::ControlTooLong)),
        (data(), key.clone(), 0..=125_u16).prop_map(|(first, key, length)| {
            (header_with(first, key, 126, &length.to_be_bytes()), E::NonMinimalLength)
        }),
        (data(), key.clone(), 0..=0xFFFF_u64).prop_map(|(first, key, length)| {
            (header_with(first, key, 127, &length.to_be_bytes()), E::NonMinimalLength)
        }),
        (data(), key.clone(), 1_u64 << 63..).prop_map(|(first, key, length)| {
            (header_with(first, key, 127, &length.to_be_bytes()), E::LengthTopBit)
        }),
        (any_frame(), any::<[u8; 4]>(), 0..=125_u64).prop_map(
            move |(first, key, length)| match to {
                Role::Client => (header(first, Some(key), length), E::Masked),
                Role::Server => (header(first, None, length), E::Unmasked),
            }
        ),
        (any::<bool>(), key.clone(), length()).prop_map(|(fin, key, length)| {
            (header(if fin { FIN } else { 0 }, key, length), E::UnexpectedContinuation)
        }),
        (data(), key.clone(), data(), length(), key.clone()).prop_map(
            |(begun, key, first, length, another)| {
                let bytes = [header(begun & !FIN, key, 0), header(first, another, length)].concat();
                (bytes, E::ExpectedContinuation)
            }
        ),
        (key.clone(), any::<u8>()).prop_map(|(key, byte)| {
            (Frame { first: 0x88, key, payload: vec![byte] }.bytes(), E::CloseLength)
        }),
        (key, any::<u16>(), any::<String>())
            .prop_filter("a code that may be sent", |(_, code, _)| CloseCode::new(*code).is_none())
            .prop_map(|(key, code, reason)| {
                let reason: String = reason.chars().take(30).collect();
                let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
                (Frame { first: 0x88, key, payload }.bytes(), E::CloseCode(code))
            }),
    ]
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_and_nothing_before_it_is_complete(
        header in frame_header(),
        behind in vec(any::<u8>(), 0..20),
    ) {
        let encoded = header.encode();
        let bytes = [&encoded[..], &behind].concat();
        prop_assert_eq!(FrameHeader::decode(&bytes), Ok(Some((header, encoded.len()))));
        for cut in 0..encoded.len() {
            prop_assert_eq!(FrameHeader::decode(&bytes[..cut]), Ok(None), "cut at {}", cut);
        }
    }

    /// "the minimal number of bytes MUST be used to encode the length" (5.2)
    #[test]
    fn a_header_is_the_drawing_of_section_5_2(frame in frame_header()) {
        let bits = [(frame.fin, 0x80), (frame.rsv1, 0x40)];
        let bits: u8 = bits.iter().filter(|(set, _)| *set).map(|(_, bit)| bit).sum();
        let expected = header(bits | frame.opcode as u8, frame.masking_key, frame.payload_len);
        prop_assert_eq!(&frame.encode()[..], expected);
    }

    /// Reading is the inverse of writing: no header is read in two ways, and none is read that would
    /// not be written so.
    #[test]
    fn what_is_decoded_is_encoded_to_the_same_bytes(
        start in (any::<u8>(), any::<bool>(), select(vec![0_u8, 1, 125, 126, 127])),
        more in any::<[u8; 12]>(),
    ) {
        let (first, masked, length) = start;
        let second = length | if masked { 0x80 } else { 0 };
        let bytes = [&[first, second][..], &more].concat();
        if let Ok(Some((header, length))) = FrameHeader::decode(&bytes) {
            prop_assert_eq!(&header.encode()[..], &bytes[..length]);
        }
    }

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

    /// "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not,
    /// in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_." (8.1)
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
        sender.close(CloseCode::NORMAL, "bye", &mut buffer).unwrap();
        expected.push(Seen::Close(Some(1000), "bye".into()));
        let mut wire = Vec::new();
        buffer.write_to(&mut wire).unwrap();
        let received = receive(peer(from), Delivery::Messages, &wire, &cuts);
        prop_assert_eq!(received, (expected, None));
    }
}

proptest! {
    // Twelve rules, each for either role and every opcode that it concerns.
    #![proptest_config(ProptestConfig { cases: 4 * default_cases(), ..ProptestConfig::default() })]

    #[test]
    fn a_broken_header_is_refused_for_what_is_broken(
        (to, (broken, error)) in role().prop_flat_map(|to| (Just(to), broken(to))),
        before in fragmented(),
        behind in vec(any::<u8>(), 0..20),
        cuts in cuts(),
    ) {
        let (wire, expected) = before.frames(to);
        let bytes = [wire, broken, behind].concat();
        prop_assert_eq!(receive(to, Delivery::Messages, &bytes, &cuts), (expected, Some(error)));
        let told = match error {
            ProtocolError::InvalidUtf8 => CloseCode::INVALID_PAYLOAD,
            _ => CloseCode::PROTOCOL_ERROR,
        };
        prop_assert_eq!(error.close_code(), told);
    }
}

fn default_cases() -> u32 {
    ProptestConfig::default().cases
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
