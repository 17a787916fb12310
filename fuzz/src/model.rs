//! What a receiver has to make of a stream of bytes: RFC 6455, 5 and 7.4 with sansock's limits, read
//! plainly. It sees the stream as a whole, copies without care for time or memory, and shares no
//! code with sansock.

use sansock::{Limits, Role};

use crate::feed::Seen;
use crate::wire::{self, Header, Read};

/// The events, and the close code of the error that ends them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The events, in order.
    pub events: Vec<Seen>,
    /// How it fails.
    pub error: Option<u16>,
}

/// A message in progress.
struct InProgress {
    text: bool,
    bytes: Vec<u8>,
    length: u64,
    frames: u64,
}

/// Reads the stream. An error is due as soon as the bytes show it: the stream may end amid a frame.
pub fn expect(mut bytes: &[u8], role: Role, limits: &Limits) -> Expected {
    let mut expected = Expected::default();
    let mut message = None;
    while !bytes.is_empty() {
        match next(&mut bytes, role, limits, &mut message) {
            Ok(None) => {}
            Ok(Some(event)) => {
                let last = matches!(event, Seen::Close(..));
                expected.events.push(event);
                // "discard any further data received" (1.4)
                if last {
                    break;
                }
            }
            Err(code) => {
                expected.error = Some(code);
                break;
            }
        }
    }
    expected
}

/// Takes a frame, or what there is of one.
fn next(
    bytes: &mut &[u8],
    role: Role,
    limits: &Limits,
    message: &mut Option<InProgress>,
) -> Result<Option<Seen>, u16> {
    // Every fault of a header is 1002, so their order does not matter.
    first_bytes(bytes, role, message.is_some()).ok_or(1002_u16)?;
    let header = match wire::header(bytes) {
        Read::Wrong(_) => return Err(1002),
        Read::Incomplete => {
            *bytes = &[];
            return Ok(None);
        }
        Read::Complete(header) => header,
    };
    let rest = &bytes[header.length..];
    let length = usize::try_from(header.payload).map_or(rest.len(), |it| it.min(rest.len()));
    let payload = wire::masked(header.key, &rest[..length]);
    let whole = length as u64 == header.payload;
    if header.opcode >= 8 {
        if header.opcode == 8 && header.payload == 1 {
            return Err(1002);
        }
        *bytes = &rest[length..];
        return if whole { control(header.opcode, payload).map(Some) } else { Ok(None) };
    }
    let begun = begin(&header, limits, message)?;
    begun.bytes.extend_from_slice(&payload);
    let end = whole && header.fin;
    if begun.text {
        match std::str::from_utf8(&begun.bytes) {
            Err(error) if end || error.error_len().is_some() => return Err(1007),
            _ => {}
        }
    }
    *bytes = &rest[length..];
    let done = if end { message.take() } else { None };
    Ok(done.map(|message| Seen::message(message.text, message.bytes)))
}

/// What the first two bytes show beside the header's own faults; `None` if they are wrong.
fn first_bytes(bytes: &[u8], role: Role, in_message: bool) -> Option<()> {
    let (opcode, rsv1) = (bytes[0] & 15, bytes[0] & 0x40 != 0);
    let in_order = match opcode {
        0 => in_message,
        1 | 2 => !in_message,
        _ => true,
    };
    let masked = bytes.get(1).is_none_or(|second| (*second >= 0x80) == (role == Role::Server));
    (!rsv1 && in_order && masked).then_some(())
}

fn begin<'m>(
    header: &Header,
    limits: &Limits,
    message: &'m mut Option<InProgress>,
) -> Result<&'m mut InProgress, u16> {
    let begun = message.get_or_insert_with(|| InProgress {
        text: header.opcode == 1,
        bytes: Vec::new(),
        length: 0,
        frames: 0,
    });
    begun.length = begun.length.saturating_add(header.payload);
    begun.frames += 1;
    if header.payload > limits.frame || begun.length > limits.message {
        return Err(1009);
    }
    if begun.frames > limits.fragments.into() {
        return Err(1008);
    }
    Ok(begun)
}

fn control(opcode: u8, payload: Vec<u8>) -> Result<Seen, u16> {
    match opcode {
        9 => return Ok(Seen::Ping(payload)),
        10 => return Ok(Seen::Pong(payload)),
        _ => {}
    }
    let Some((code, reason)) = payload.split_first_chunk() else {
        return Ok(Seen::Close(None, String::new()));
    };
    let code = u16::from_be_bytes(*code);
    match code {
        // 7.4.1, what IANA has registered since, and 7.4.2.
        1000..=1003 | 1007..=1014 | 3000..=4999 => {}
        _ => return Err(1002),
    }
    let reason = String::from_utf8(reason.to_vec()).map_err(|_| 1007_u16)?;
    Ok(Seen::Close(Some(code), reason))
}
