//! One stream of bytes, fed to a receiver in several ways, and what came of it.

use std::fmt;

use sansock::{Config, Event, Message, ProtocolError, ReceiveBuffer, Role};
use sansock::split::Receiver;

/// How a stream is cut into reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cuts {
    /// All at once.
    Whole,
    /// Byte by byte.
    Bytes,
    /// Pieces of many sizes, drawn from this number.
    Drawn(u64),
}

impl Cuts {
    /// The pieces.
    pub fn pieces(self, bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut rest = bytes;
        let mut random = Random(match self {
            Self::Drawn(seed) => seed,
            Self::Whole | Self::Bytes => 0,
        });
        std::iter::from_fn(move || {
            let n = match self {
                Self::Whole => rest.len(),
                Self::Bytes => 1,
                // As many short pieces as long ones.
                Self::Drawn(_) => 1 + (random.next() >> (48 + random.next() % 16)) as usize,
            };
            let (piece, behind) = rest.split_at_checked(n).unwrap_or((rest, &[]));
            rest = behind;
            (!piece.is_empty()).then_some(piece)
        })
    }
}

/// Numbers that repeat for a seed (splitmix64).
#[derive(Clone, Copy, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// An event without its loan. Chunks are put together: the message comes with its last piece.
#[derive(Clone, PartialEq, Eq)]
pub enum Seen {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A Ping.
    Ping(Vec<u8>),
    /// A Pong.
    Pong(Vec<u8>),
    /// The Close frame: its code, if it has one, and its reason.
    Close(Option<u16>, String),
}

/// Short: messages may be large.
impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, bytes) = match self {
            Self::Text(text) => ("Text", text.as_bytes()),
            Self::Binary(bytes) => ("Binary", bytes.as_slice()),
            Self::Ping(bytes) => ("Ping", bytes.as_slice()),
            Self::Pong(bytes) => ("Pong", bytes.as_slice()),
            Self::Close(code, reason) => return write!(f, "Close({code:?}, {reason:?})"),
        };
        let start = &bytes[..bytes.len().min(64)];
        write!(f, "{name}({} bytes: {}...)", bytes.len(), start.escape_ascii())
    }
}

impl Seen {
    /// A message of either type.
    pub fn message(text: bool, bytes: Vec<u8>) -> Self {
        if text {
            Self::Text(String::from_utf8(bytes).expect("text is UTF-8"))
        } else {
            Self::Binary(bytes)
        }
    }
}

/// What came of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The events, in order.
    pub events: Vec<Seen>,
    /// The pieces of a message that did not end ([`sansock::Delivery::Chunks`] alone).
    pub unfinished: Vec<u8>,
    /// The error that ended it.
    pub error: Option<ProtocolError>,
}

/// [`feed`]s a receiver that negotiated nothing.
pub fn receive(bytes: &[u8], role: Role, config: &Config, cuts: Cuts) -> Outcome {
    let most = |fed, longest| most_memory(config, fed, longest);
    feed(Receiver::new(role, config), bytes, cuts, most)
}

/// Feeds a receiver, and checks after each piece what must hold whatever the bytes are. `most` tells
/// how much memory may be held, by the bytes so far and the longest piece.
pub fn feed(
    mut receiver: Receiver,
    bytes: &[u8],
    cuts: Cuts,
    most: impl Fn(usize, usize) -> usize,
) -> Outcome {
    let mut buffer = ReceiveBuffer::new();
    let mut outcome = Outcome::default();
    let (mut fed, mut longest) = (0, 0);
    for piece in cuts.pieces(bytes) {
        buffer.extend_from_slice(piece);
        fed += piece.len();
        longest = longest.max(piece.len());
        let error = drain(&mut receiver, &mut buffer, &mut outcome);
        assert!(
            buffer.capacity() <= most(fed, longest),
            "{} bytes held for {fed} received by {longest}",
            buffer.capacity()
        );
        if let Some(error) = error {
            outcome.error = Some(error);
            // "Every later call returns it again", whatever comes.
            buffer.extend_from_slice(b"\x81\x00\x89\x00");
            assert_eq!(receiver.advance(&mut buffer), Err(error));
            break;
        }
    }
    outcome
}

/// The bound on memory: what a read brings at once, what the messages' limit allows, and what one
/// read ahead may add; no more than a constant times what has arrived, whatever is announced.
fn most_memory(config: &Config, fed: usize, longest: usize) -> usize {
    let message = usize::try_from(config.limits.message).unwrap_or(usize::MAX);
    let wire = (128 << 10) + 2 * longest;
    let assembled = message.min(fed + (256 << 10).min(fed.max(64 << 10)));
    wire + 2 * assembled
}

/// Takes all events that are due; the error if there is one.
fn drain(
    receiver: &mut Receiver,
    buffer: &mut ReceiveBuffer,
    outcome: &mut Outcome,
) -> Option<ProtocolError> {
    loop {
        assert!(!receiver.is_closed() || buffer.event().is_none() || outcome.is_closed());
        match receiver.advance(buffer) {
            Err(error) => {
                assert_eq!(buffer.event(), None, "an error comes without an event");
                return Some(error);
            }
            Ok(false) => {
                assert_eq!(buffer.event(), None, "no event is due");
                return None;
            }
            Ok(true) => outcome.note(buffer.event().expect("an event is due")),
        }
    }
}

impl Outcome {
    fn is_closed(&self) -> bool {
        matches!(self.events.last(), Some(Seen::Close(..)))
    }

    fn note(&mut self, event: Event<'_>) {
        assert!(!self.is_closed(), "no event follows a Close");
        match event {
            Event::Message(message) => self.events.push(seen(message)),
            Event::Chunk { data, fin } => {
                assert!(fin || !data.is_empty(), "only the last piece may be empty");
                self.unfinished.extend_from_slice(data.as_bytes());
                if fin {
                    let whole = std::mem::take(&mut self.unfinished);
                    self.events.push(Seen::message(data.as_text().is_some(), whole));
                }
            }
            Event::Ping(payload) => self.events.push(Seen::Ping(payload.to_vec())),
            Event::Pong(payload) => self.events.push(Seen::Pong(payload.to_vec())),
            Event::Close(close) => {
                let code = close.code.map(sansock::CloseCode::get);
                self.events.push(Seen::Close(code, close.reason.to_owned()));
            }
            other => panic!("an event that this harness does not know: {other:?}"),
        }
        // Text is lent unchecked by the buffer, so look at it once more.
        if let Some(bytes) = event_text(&event) {
            std::str::from_utf8(bytes).expect("lent text is UTF-8");
        }
    }
}

fn seen(message: Message<'_>) -> Seen {
    Seen::message(message.as_text().is_some(), message.as_bytes().to_vec())
}

fn event_text<'b>(event: &Event<'b>) -> Option<&'b [u8]> {
    match event {
        Event::Message(Message::Text(text)) | Event::Chunk { data: Message::Text(text), .. } => {
            Some(text.as_bytes())
        }
        Event::Close(close) => Some(close.reason.as_bytes()),
        _ => None,
    }
}
