//! tungstenite, the most used one.

use std::io::{self, Read, Write};

use sansock::{ProtocolError, Role};
use tungstenite::protocol::{self, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use super::{Difference, End, Peer, Theirs};
use crate::feed::Seen;

pub(super) const PEER: Peer = Peer { name: "tungstenite", receive, differences: &DIFFERENCES };

const DIFFERENCES: [Difference; 5] = [
    Difference {
        why: "5.2: \"the minimal number of bytes MUST be used to encode the length\". tungstenite \
              takes longer forms, of control frames too (5.5), where one of 126 or 127 says that \
              the frame is too long.",
        applies: |ours, theirs| {
            use ProtocolError::{ControlTooLong, NonMinimalLength};
            matches!(ours.error, Some(NonMinimalLength | ControlTooLong))
                && theirs.events.starts_with(&ours.events)
        },
    },
    Difference {
        why: "5.2: of a 64-bit length \"the most significant bit MUST be 0\", which is an error of \
              the protocol, 1002. tungstenite holds it to the limit alone, 1009.",
        applies: |ours, theirs| {
            ours.error == Some(ProtocolError::LengthTopBit)
                && ours.events == theirs.events
                && theirs.end == End::Failed(1009)
        },
    },
    Difference {
        why: "5.5 and 7.4: a Close frame with a code that must not be sent is an error of the \
              protocol. tungstenite makes it a Close with 1002 of its own wording, unless the \
              reason behind it is not UTF-8.",
        applies: |ours, theirs| {
            let ProtocolError::CloseCode(code) = ours.error.unwrap_or(ProtocolError::Masked) else {
                return false;
            };
            !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
                && (replaced(&ours.events, theirs)
                    || (theirs.end == End::Failed(1007) && ours.events == theirs.events))
        },
    },
    Difference {
        why: "7.4.2: codes up to 2999 may be defined later; 1014 is in the registry. tungstenite \
              does not know it and makes it a Close with 1002.",
        applies: |ours, theirs| match ours.events.split_last() {
            Some((Seen::Close(Some(1014), _), before)) => replaced(before, theirs),
            _ => false,
        },
    },
    Difference {
        why: "5.1, 5.2, 5.4, 5.5: of several faults of one frame ours is the one that its first \
              bytes show. tungstenite looks at the length, and the limit, before all others.",
        applies: |ours, theirs| {
            let first = ours.error.is_some_and(|error| error.close_code().get() == 1002);
            first && ours.events == theirs.events && theirs.end == End::Failed(1009)
        },
    },
];

/// Whether tungstenite put a Close with 1002 in the place of the one behind these events.
fn replaced(before: &[Seen], theirs: &Theirs) -> bool {
    let violation = Seen::Close(Some(1002), "Protocol violation".to_owned());
    theirs.end == End::Closed && theirs.events.split_last() == Some((&violation, before))
}

/// A transport that has these bytes and takes all that is written.
struct Transport<'s>(&'s [u8]);

impl Read for Transport<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Transport<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn receive(stream: &[u8], role: Role, limit: usize) -> Theirs {
    let role = match role {
        Role::Client => protocol::Role::Client,
        Role::Server => protocol::Role::Server,
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_message_size(Some(limit))
        .max_frame_size(Some(limit));
    let mut socket = WebSocket::from_raw_socket(Transport(stream), role, Some(config));
    let mut events = Vec::new();
    let end = loop {
        match socket.read() {
            Ok(Message::Text(text)) => events.push(Seen::Text(text.as_str().to_owned())),
            Ok(Message::Binary(bytes)) => events.push(Seen::Binary(bytes.to_vec())),
            Ok(Message::Ping(payload)) => events.push(Seen::Ping(payload.to_vec())),
            Ok(Message::Pong(payload)) => events.push(Seen::Pong(payload.to_vec())),
            Ok(Message::Close(close)) => {
                events.push(match close {
                    None => Seen::Close(None, String::new()),
                    Some(close) => {
                        Seen::Close(Some(close.code.into()), close.reason.as_str().to_owned())
                    }
                });
                break End::Closed;
            }
            Ok(Message::Frame(frame)) => panic!("a frame is not read: {frame:?}"),
            Err(error) => break ended(&error),
        }
    };
    Theirs { events, end }
}

fn ended(error: &tungstenite::Error) -> End {
    use tungstenite::Error::{Capacity, Protocol, Utf8};
    use tungstenite::error::ProtocolError::ResetWithoutClosingHandshake;

    match error {
        Protocol(ResetWithoutClosingHandshake) => End::Waiting,
        Protocol(_) => End::Failed(1002),
        Capacity(_) => End::Failed(1009),
        Utf8(_) => End::Failed(1007),
        other => panic!("{other:?} from bytes alone"),
    }
}
