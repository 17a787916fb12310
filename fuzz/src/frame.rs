//! `frame`: header decoding against a plain reading of RFC 6455, 5.2, and decode(encode(x)) = x.

use sansock::ProtocolError;
use sansock::frame::{FrameHeader, Opcode};

use crate::wire;

/// Decodes the bytes as they are, and encodes the header that they describe when read as fields.
pub fn check(bytes: &[u8]) {
    decode(bytes);
    encode(bytes);
}

fn decode(bytes: &[u8]) {
    let decoded = FrameHeader::decode(bytes);
    assert_eq!(decoded.ok().map(|header| header.map(plain)), by_the_book(bytes), "{bytes:x?}");
    if let Ok(Some((header, length))) = decoded {
        assert!((2..=FrameHeader::MAX_LEN).contains(&length));
        assert_eq!(&*header.encode(), &bytes[..length], "encoding gives the bytes back");
    }
    // What the first bytes show stays true: an error comes at its first byte and never changes, and
    // a header is not complete before its last byte.
    let mut first_error: Option<ProtocolError> = None;
    for length in 0..=bytes.len().min(FrameHeader::MAX_LEN + 2) {
        let prefix = FrameHeader::decode(&bytes[..length]);
        match (prefix, first_error) {
            (Ok(None), None) => {}
            (Ok(Some((_, end))), None) if length > end => assert_eq!(prefix, decoded),
            (Ok(Some((_, end))), None) => assert_eq!(end, length),
            (Err(error), None) => first_error = Some(error),
            (now, Some(error)) => assert_eq!(now, Err(error), "at {length} of {bytes:x?}"),
        }
    }
    if let Some(error) = first_error {
        assert_eq!(decoded, Err(error), "the whole and its first bytes fail alike");
    }
}

/// `None` for an error, as [`wire::header`] for the rest.
fn by_the_book(bytes: &[u8]) -> Option<Option<wire::Header>> {
    match wire::header(bytes) {
        wire::Read::Wrong(_) => None,
        wire::Read::Incomplete => Some(None),
        wire::Read::Complete(header) => Some(Some(header)),
    }
}

fn plain((header, length): (FrameHeader, usize)) -> wire::Header {
    wire::Header {
        fin: header.fin,
        rsv: u8::from(header.rsv1) * 4,
        opcode: header.opcode as u8,
        key: header.masking_key,
        payload: header.payload_len,
        length,
    }
}

/// Any header that may be: flags, opcode, key and length from the bytes.
fn encode(bytes: &[u8]) {
    let Some((&[flags, opcode, size, a, b, c, d], rest)) = bytes.split_first_chunk() else {
        return;
    };
    let mut value = [0; 8];
    let n = rest.len().min(8);
    value[8 - n..].copy_from_slice(&rest[..n]);
    let opcodes = [
        Opcode::Continuation,
        Opcode::Text,
        Opcode::Binary,
        Opcode::Close,
        Opcode::Ping,
        Opcode::Pong,
    ];
    let opcode = opcodes[usize::from(opcode) % opcodes.len()];
    let most = if opcode.is_control() { 125 } else { u64::MAX >> 1 };
    // A size, so that lengths around 125, 2^16 and 2^63 are as common as others.
    let length = (u64::from_be_bytes(value) >> (size % 64)).min(most);
    let header = FrameHeader {
        fin: opcode.is_control() || flags & 1 != 0,
        rsv1: flags & 2 != 0,
        opcode,
        masking_key: (flags & 4 != 0).then_some([a, b, c, d]),
        payload_len: length,
    };
    let encoded = header.encode();
    assert_eq!(FrameHeader::decode(&encoded), Ok(Some((header, encoded.len()))));
    assert_eq!(by_the_book(&encoded), Some(Some(plain((header, encoded.len())))));
    let behind = [&encoded, rest].concat();
    assert_eq!(FrameHeader::decode(&behind), Ok(Some((header, encoded.len()))), "with more behind");
    for length in 0..encoded.len() {
        assert_eq!(FrameHeader::decode(&encoded[..length]), Ok(None), "{length} of {encoded:x?}");
    }
}
