//! Frame headers (RFC 6455, 5.2 and 5.5).

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sansock::frame::{FrameHeader, Opcode};
use sansock::{CloseCode, Delivery, ProtocolError, Role};
use testkit::frame::{BINARY, FIN, Frame, TEXT, header, header_with};

use crate::cuts;
use crate::messages::{fragmented, key_for, receive, role};

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
    let data = (select(vec![Opcode::Continuation, Opcode::Text, Opcode::Binary]), length());
    let control = (select(vec![Opcode::Close, Opcode::Ping, Opcode::Pong]), 0..=125_u64);
    (any::<[bool; 2]>(), any::<Option<[u8; 4]>>(), prop_oneof![data.boxed(), control.boxed()])
        .prop_map(|([fin, rsv1], masking_key, (opcode, payload_len))| FrameHeader {
            fin: fin || opcode.is_control(),
            rsv1,
            opcode,
            masking_key,
            payload_len,
        })
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

    /// Reading is the inverse of writing: no header is read in two ways, and none is read that
    /// would not be written so.
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
