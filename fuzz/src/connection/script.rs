//! What the fuzzer draws.

use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use sansock::deflate::ContextTakeover;
use sansock::{CloseCode, Config, Delivery, Keepalive, Limits, MessageKind, Timeouts};

/// Two ends and what they do. Read by hand and not by derive, so that each operation is two bytes
/// of the input: a mutation of one leaves the others as they are, and seeds can be written down.
#[derive(Clone, Debug)]
pub struct Script {
    /// The client's and the server's.
    pub setups: [Setup; 2],
    /// In order.
    pub operations: Vec<Operation>,
}

impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let setups = [Setup::arbitrary(u)?, Setup::arbitrary(u)?];
        let mut operations = Vec::new();
        while u.len() >= 2 && operations.len() < 512 {
            operations.push(Operation::arbitrary(u)?);
        }
        Ok(Self { setups, operations })
    }
}

/// How an end is configured.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Limits and delivery.
    pub limits: Limits,
    /// Whole messages or pieces.
    pub delivery: Delivery,
    /// [`Timeouts::closing`].
    pub closing: Option<Duration>,
    /// [`Timeouts::message`].
    pub message: Option<Duration>,
    /// [`Timeouts::idle`].
    pub idle: Option<Duration>,
    /// [`Timeouts::keepalive`].
    pub keepalive: Option<Keepalive>,
    /// Whether it would like permessage-deflate; the client's wish counts.
    pub deflate: bool,
    /// Whether its compressed messages may refer to earlier ones.
    pub context: ContextTakeover,
    /// [`Config::messages_after_close`].
    pub messages_after_close: bool,
}

impl Setup {
    /// As the crate takes it.
    pub fn config(&self) -> Config {
        let mut timeouts = Timeouts::none();
        timeouts.closing = self.closing;
        timeouts.message = self.message;
        timeouts.idle = self.idle;
        timeouts.keepalive = self.keepalive;
        Config::new()
            .limits(self.limits)
            .delivery(self.delivery)
            .timeouts(timeouts)
            .messages_after_close(self.messages_after_close)
    }
}

impl<'a> Arbitrary<'a> for Setup {
    /// Two bytes: timeouts; limits and delivery.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let [times, sizes]: [u8; 2] = u.arbitrary()?;
        let wait = |bit: u8, milliseconds| {
            (times & bit != 0).then_some(Duration::from_millis(milliseconds))
        };
        let keepalive = wait(8, 300).map(|interval| Keepalive {
            interval,
            timeout: wait(16, 0).unwrap_or(Duration::from_millis(200)),
        });
        let mut limits = Limits::new();
        if sizes & 1 != 0 {
            limits = limits.message(5000);
        }
        if sizes & 2 != 0 {
            limits = limits.frame(4096);
        }
        if sizes & 4 != 0 {
            limits = limits.fragments(3);
        }
        if sizes & 8 != 0 {
            limits = limits.buffered(if sizes & 16 != 0 { 200 } else { 70_000 });
        }
        let delivery = if sizes & 32 != 0 { Delivery::Chunks } else { Delivery::Messages };
        Ok(Self {
            limits,
            delivery,
            closing: wait(1, 1000),
            message: wait(2, 700),
            idle: wait(4, 900),
            keepalive,
            messages_after_close: times & 32 != 0,
            deflate: sizes & 64 != 0,
            context: if sizes & 128 != 0 {
                ContextTakeover::Allowed
            } else {
                ContextTakeover::Forbidden
            },
        })
    }
}

/// Who does what.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// 0: the client; 1: the server.
    pub side: usize,
    /// What it does.
    pub act: Act,
}

/// What an end does, or what happens to it.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// `Connection::send`, of so many bytes.
    Send(MessageKind, usize),
    /// `Connection::send_fragment`.
    Fragment(MessageKind, usize, bool),
    /// `Connection::send_in_place`, or `send_encoded_in_place`.
    InPlace {
        /// Of the message.
        kind: MessageKind,
        /// Its bytes.
        length: usize,
        /// Whether it is encoded before.
        encoded: bool,
        /// How many bytes each write takes; what is left then waits.
        writes: &'static [usize],
    },
    /// `Connection::send_encoded`.
    Encoded(MessageKind, usize),
    /// `Connection::ping`, with a payload of so many bytes.
    Ping(usize),
    /// `Connection::pong`, unasked.
    Pong(usize),
    /// `Connection::start_close`, with a reason of so many bytes.
    Close {
        /// Its code.
        code: Option<CloseCode>,
        /// Length of the reason.
        reason: usize,
    },
    /// Bytes go out.
    Write {
        /// At most so many.
        most: usize,
        /// Whether the program then does with the transport what it should.
        leave: bool,
    },
    /// Bytes of the other's arrive.
    Read {
        /// At most so many.
        most: usize,
        /// Only one event of them is taken; the others lie unread.
        one: bool,
    },
    /// Time passes.
    Tick {
        /// So much.
        milliseconds: u64,
        /// Whether the program then looks for events once more, although nothing has arrived.
        look: bool,
    },
    /// The way to the other ends; `keep` of 255 parts of what is on it still arrive.
    Cut {
        /// Parts of 255.
        keep: u8,
    },
    /// What goes to the other vanishes from now on, and neither end is told.
    Silence,
    /// Buffers give back the memory that they do not use.
    Release,
    /// `Connection::note_unread`.
    NoteUnread,
}

const LENGTHS: [usize; 16] =
    [0, 1, 2, 5, 124, 125, 126, 127, 1000, 4095, 4096, 4097, 5001, 20_000, 65_535, 70_000];

/// Around the lengths from which on a payload is not copied: 8 KiB and, of a client, above 128 KiB.
const IN_PLACE: [usize; 8] = [0, 125, 8191, 8192, 8200, 9000, 40_000, 140_000];

const WRITES: [&[usize]; 8] = [
    &[],
    &[1],
    &[3, 10],
    &[14, 8000, 1],
    &[131_080],
    &[131_090, 3],
    &[100_000, 50_000],
    &[usize::MAX],
];

const CODES: [Option<CloseCode>; 4] =
    [None, Some(CloseCode::NORMAL), Some(CloseCode::GOING_AWAY), CloseCode::new(4999)];

impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let [which, how]: [u8; 2] = u.arbitrary()?;
        let other = which & 32 != 0;
        let length = LENGTHS[usize::from(how & 15)];
        let kind = if how & 16 != 0 { MessageKind::Binary } else { MessageKind::Text };
        let bytes = if how == 255 { usize::MAX } else { usize::from(how) * usize::from(how) };
        let act = match which >> 1 & 15 {
            0 | 1 => Act::Send(kind, length),
            2 => Act::Fragment(kind, length, how & 32 != 0),
            3 => Act::InPlace {
                kind,
                length: IN_PLACE[usize::from(how & 7)],
                encoded: how & 8 != 0,
                writes: WRITES[usize::from(how >> 5)],
            },
            4 => Act::Encoded(kind, length),
            5 => Act::Ping(usize::from(how >> 1)),
            6 => Act::Pong(usize::from(how >> 1)),
            7 => {
                Act::Close { code: CODES[usize::from(how & 3)], reason: usize::from(how >> 2) * 2 }
            }
            8 | 9 => Act::Write { most: bytes, leave: other },
            10 | 11 => Act::Read { most: bytes, one: other },
            12 => Act::Tick { milliseconds: u64::from(how) * 10, look: other },
            13 => Act::Cut { keep: how },
            14 => Act::Silence,
            _ if other => Act::NoteUnread,
            _ => Act::Release,
        };
        Ok(Self { side: usize::from(which & 1), act })
    }
}
