//! Headers and their bytes, both ways.

use super::*;

const LARGEST: u64 = (1 << 63) - 1;
const KEY: [u8; 4] = [1, 2, 3, 4];

fn header(opcode: Opcode, payload_len: u64) -> FrameHeader {
    FrameHeader::new(opcode, payload_len)
}

/// Each header and its bytes, without a key.
fn table() -> Vec<(FrameHeader, Vec<u8>)> {
    use Opcode::{Binary, Close, Continuation, Ping, Pong, Text};
    let part = |opcode| FrameHeader { fin: false, ..header(opcode, 7) };
    vec![
        (header(Binary, 0), vec![0x82, 0]),
        (header(Binary, 1), vec![0x82, 1]),
        (header(Binary, 125), vec![0x82, 125]),
        (header(Binary, 126), vec![0x82, 126, 0, 126]),
        (header(Binary, 127), vec![0x82, 126, 0, 127]),
        (header(Binary, 256), vec![0x82, 126, 1, 0]),
        (header(Binary, 65_535), vec![0x82, 126, 0xFF, 0xFF]),
        (header(Binary, 65_536), vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        (header(Binary, 1 << 32), vec![0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0]),
        (header(Binary, LARGEST), [&[0x82, 127, 0x7F][..], &[0xFF; 7]].concat()),
        (header(Continuation, 5), vec![0x80, 5]),
        (header(Text, 5), vec![0x81, 5]),
        (header(Close, 5), vec![0x88, 5]),
        (header(Ping, 125), vec![0x89, 125]),
        (header(Pong, 0), vec![0x8A, 0]),
        (part(Continuation), vec![0x00, 7]),
        (part(Text), vec![0x01, 7]),
        (part(Binary), vec![0x02, 7]),
        (FrameHeader { rsv1: true, ..header(Text, 5) }, vec![0xC1, 5]),
        (FrameHeader { rsv1: true, ..part(Binary) }, vec![0x42, 7]),
    ]
}

/// The table, and the same with a key.
fn rows() -> Vec<(FrameHeader, Vec<u8>)> {
    let masked = table().into_iter().map(|(header, mut bytes)| {
        bytes[1] |= 0x80;
        bytes.extend(KEY);
        (FrameHeader { masking_key: Some(KEY), ..header }, bytes)
    });
    table().into_iter().chain(masked).collect()
}

#[test]
fn headers_are_written() {
    for (header, bytes) in rows() {
        assert_eq!(*header.encode(), bytes, "{header:?}");
        assert_eq!(header.encode().as_ref(), bytes);
        let mut space = [0; FrameHeader::MAX_LEN];
        assert_eq!(header.encode_to(&mut space), bytes.len());
        assert_eq!(space[..bytes.len()], bytes);
    }
}

#[test]
fn headers_are_read() {
    for (header, bytes) in rows() {
        let read = Ok(Some((header, bytes.len())));
        assert_eq!(FrameHeader::decode(&bytes), read);
        for behind in 1..20 {
            let more = [&bytes[..], &vec![0xFF; behind]].concat();
            assert_eq!(FrameHeader::decode(&more), read, "{behind} bytes behind it");
        }
    }
}

#[test]
fn a_header_is_waited_for() {
    for (header, bytes) in rows() {
        for arrived in 0..bytes.len() {
            assert_eq!(FrameHeader::decode(&bytes[..arrived]), Ok(None), "{arrived} of {header:?}");
        }
    }
}

#[test]
fn the_longest_header() {
    let longest = FrameHeader { masking_key: Some(KEY), ..header(Opcode::Binary, LARGEST) };
    assert_eq!(longest.encode().len(), FrameHeader::MAX_LEN);
}

/// Each violation is found at the last of the given bytes and not before, whatever bytes follow.
#[test]
fn what_a_header_shows_to_be_wrong() {
    let mut rows: Vec<(Vec<u8>, ProtocolError)> = vec![
        (vec![0x89, 126], ProtocolError::ControlTooLong),
        (vec![0x8A, 0xFE], ProtocolError::ControlTooLong),
        (vec![0x88, 127], ProtocolError::ControlTooLong),
        (vec![0x82, 126, 0, 0], ProtocolError::NonMinimalLength),
        (vec![0x82, 0xFE, 0, 125], ProtocolError::NonMinimalLength),
        (vec![0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0], ProtocolError::NonMinimalLength),
        (vec![0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], ProtocolError::NonMinimalLength),
        (vec![0x82, 127, 0x80], ProtocolError::LengthTopBit),
        (vec![0x82, 0xFF, 0xFF], ProtocolError::LengthTopBit),
    ];
    for first in 0..=255_u8 {
        let opcode = first & 0x0F;
        let error = if first & 0x30 != 0 {
            ProtocolError::ReservedBits(first)
        } else if matches!(opcode, 3..=7 | 0xB..) {
            ProtocolError::ReservedOpcode(opcode)
        } else if opcode >= 8 && first & 0x80 == 0 {
            ProtocolError::FragmentedControl
        } else {
            continue;
        };
        rows.push((vec![first], error));
    }
    for (bytes, error) in rows {
        assert_eq!(FrameHeader::decode(&bytes[..bytes.len() - 1]), Ok(None), "{bytes:02x?}");
        for behind in 0..20 {
            let more = [&bytes[..], &vec![0; behind]].concat();
            assert_eq!(FrameHeader::decode(&more), Err(error), "{more:02x?}");
        }
    }
}

#[test]
fn control_frames_have_the_high_bit_of_the_opcode() {
    let all = (0..16).filter_map(|value| Opcode::try_from(value).ok());
    let control: Vec<_> = all.filter(|opcode| opcode.is_control()).collect();
    assert_eq!(control, [Opcode::Close, Opcode::Ping, Opcode::Pong]);
}
