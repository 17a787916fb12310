//! `differential`: the same bytes to sansock and to tungstenite, in both roles. Where they differ, the
//! difference is one of [`DIFFERENCES`], with the section of RFC 6455 that justifies ours.
//!
//! An input is flags (1: client, 2: recipes), the limit of both, a seed for the cuts, and the stream
//! or [recipes](recipe) for it, which are cooked for both roles.

use std::io::{self, Read, Write};

use sansock::{Config, Limits, ProtocolError, Role, Timeouts};
use tungstenite::protocol::{self, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use crate::feed::{self, Cuts, Outcome, Seen};
use crate::receive::recipe;

/// The limits of both, for frames and messages. None below 125: tungstenite holds control frames to
/// them too, which 5.5 limits already.
const SIZES: [usize; 8] = [65_536, 125, 126, 127, 200, 1000, 4096, 65_535];

/// See the module.
pub fn check(bytes: &[u8]) {
    let Some((&[flags, limit, seed], stream)) = bytes.split_first_chunk() else { return };
    let limit = SIZES[usize::from(limit) % SIZES.len()];
    if flags & 2 != 0 {
        for role in [Role::Client, Role::Server] {
            compare(&recipe(stream, role), role, limit, seed.into());
        }
    } else {
        let role = if flags & 1 != 0 { Role::Client } else { Role::Server };
        compare(stream, role, limit, seed.into());
    }
}

fn compare(stream: &[u8], role: Role, limit: usize, seed: u64) {
    let limits = Limits::new().frame(limit as u64).message(limit as u64).fragments(u32::MAX);
    let config = Config::new().limits(limits).timeouts(Timeouts::none());
    let ours = feed::receive(stream, role, &config, Cuts::Drawn(seed));
    let mut theirs = tungstenite(stream, role, limit);
    if ours.error.is_some() && theirs.end == End::Waiting {
        // tungstenite looks at a frame when all of it is there: "fail fast" is ours alone. So it
        // gets the rest of the frame, and then has to fail as well.
        if let Some(rest) = missing(stream, limit) {
            theirs = tungstenite(&[stream, &vec![0; rest]].concat(), role, limit);
        }
    }
    let end = match ours.error {
        Some(error) => End::Failed(error.close_code().get()),
        None if matches!(ours.events.last(), Some(Seen::Close(..))) => End::Closed,
        None => End::Waiting,
    };
    if (&ours.events, end) != (&theirs.events, theirs.end) {
        let explained = DIFFERENCES.iter().find(|it| (it.applies)(&ours, &theirs));
        assert!(
            explained.is_some(),
            "not on the list of differences:\nours   {ours:?}\ntheirs {theirs:?}\nof {}",
            stream.escape_ascii()
        );
    }
}

/// What tungstenite made of a stream.
#[derive(Debug)]
struct Theirs {
    events: Vec<Seen>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Nothing is wrong so far.
    Waiting,
    /// A Close frame came.
    Closed,
    /// The close code that the error stands for.
    Failed(u16),
}

/// A difference that is right.
struct Difference {
    /// What differs, with the section that justifies ours.
    #[expect(dead_code, reason = "for those who read the list")]
    why: &'static str,
    applies: fn(&Outcome, &Theirs) -> bool,
}

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

/// How many bytes the last frame lacks, if they are few: lengths as the headers have them, whatever
/// else is wrong with these.
fn missing(stream: &[u8], limit: usize) -> Option<usize> {
    let mut at = 0;
    while at < stream.len() {
        let second = stream.get(at + 1).copied().unwrap_or(0);
        let width = match second & 127 {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let octet = |i: usize| stream.get(at + 2 + i).copied().unwrap_or(0);
        let length = if width == 0 {
            u64::from(second & 127)
        } else {
            (0..width).fold(0, |sum, i| sum << 8 | u64::from(octet(i)))
        };
        let mask = if second & 128 != 0 { 4 } else { 0 };
        let length = usize::try_from(length).ok().filter(|length| *length <= limit);
        // A frame above the limit fails when its header is there.
        at += 2 + width + mask + length.unwrap_or(0);
    }
    at.checked_sub(stream.len())
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

fn tungstenite(stream: &[u8], role: Role, limit: usize) -> Theirs {
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
