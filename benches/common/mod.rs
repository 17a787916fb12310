//! Shared by the benches: frames, a transport in memory, and a source of keys that costs nothing.
#![expect(dead_code, reason = "no bench uses all of it")]

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::time::Duration;

use criterion::Criterion;
use sansock::buffer::Unwritten;
use sansock::handshake::Established;
use sansock::mask::MaskSource;
use sansock::{Config, Connection, Event, Message, MessageKind, ReceiveBuffer, Role, SendBuffer};
use testkit::frame::{BINARY, CONTINUATION, FIN, Frame, TEXT};
use testkit::masks::Keys;

pub(crate) use self::text::{ASCII, MIXED, text};

mod text;

/// 8 B to 1 MiB.
pub(crate) const SIZES: [usize; 6] = [8, 125, 1 << 10, 16 << 10, 64 << 10, 1 << 20];

/// Sets the time per row so that dozens of rows take minutes, not hours.
pub(crate) fn quick() -> Criterion {
    Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
}

/// A connection with keys that differ, but are not random: `benches/mask.rs` measures the CSPRNG.
pub(crate) fn connection(role: Role) -> Connection {
    Established::after_handshake(role, None).connection_with(&Config::new(), Keys(7))
}

/// The content of messages.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Payload {
    Binary,
    Ascii,
    Mixed,
}

impl Payload {
    pub(crate) const ALL: [(&str, Self); 3] =
        [("binary", Self::Binary), ("ascii", Self::Ascii), ("mixed", Self::Mixed)];

    pub(crate) fn kind(self) -> MessageKind {
        if self == Self::Binary { MessageKind::Binary } else { MessageKind::Text }
    }

    /// Returns `size` bytes; text consists of whole characters and full stops.
    pub(crate) fn bytes(self, size: usize) -> Vec<u8> {
        let sample = match self {
            Self::Binary | Self::Ascii => ASCII,
            Self::Mixed => MIXED,
        };
        text(sample, size).into_bytes()
    }
}

/// The bytes of a message for a receiver of this role, in `frames` frames of about the same length.
pub(crate) fn message(to: Role, kind: MessageKind, payload: &[u8], frames: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let length = payload.len().div_ceil(frames).max(1);
    let mut pieces = payload.chunks(length).peekable();
    let mut keys = Keys(1);
    while let Some(piece) = pieces.next() {
        let opcode = match (bytes.is_empty(), kind) {
            (false, _) => CONTINUATION,
            (true, MessageKind::Text) => TEXT,
            (true, MessageKind::Binary) => BINARY,
        };
        let first = if pieces.peek().is_none() { FIN | opcode } else { opcode };
        let key = (to == Role::Server).then(|| keys.next_key());
        bytes.extend(Frame { first, key, payload: piece.to_vec() }.bytes());
    }
    bytes
}

/// A transport that delivers one message repeatedly, and takes everything.
pub(crate) struct Endless {
    block: Vec<u8>,
    at: usize,
    /// The largest number of bytes of one read.
    most: usize,
}

impl Endless {
    /// Each read fills the room, as from a peer that does not wait for answers; a socket rarely has
    /// more than 64 KiB.
    pub(crate) fn burst(message: &[u8]) -> Self {
        let count = ((256 << 10) / message.len()).clamp(1, 512);
        Self { block: message.repeat(count), at: 0, most: 64 << 10 }
    }

    /// One message per read, as from a peer that waits for answers.
    pub(crate) fn single(message: &[u8]) -> Self {
        Self { block: message.to_vec(), at: 0, most: message.len() }
    }
}

impl Write for Endless {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(black_box(bytes).len())
    }

    #[inline]
    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        Ok(black_box(slices).iter().map(|slice| slice.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Endless {
    #[inline]
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let arrived = &self.block[self.at..];
        let n = arrived.len().min(target.len()).min(self.most);
        target[..n].copy_from_slice(&arrived[..n]);
        self.at = (self.at + n) % self.block.len();
        Ok(n)
    }
}

/// A connection that receives from [`Endless`].
pub(crate) struct Receiving {
    pub(crate) connection: Connection,
    pub(crate) input: ReceiveBuffer,
    pub(crate) output: SendBuffer,
    pub(crate) transport: Endless,
}

impl Receiving {
    pub(crate) fn new(role: Role, transport: Endless) -> Self {
        let (input, output) = (ReceiveBuffer::new(), SendBuffer::new());
        Self { connection: connection(role), input, output, transport }
    }
}

/// Receives messages one by one, and returns the length of each.
pub(crate) trait Receive {
    fn receive(&mut self) -> usize;
}

impl Receive for Receiving {
    #[inline]
    fn receive(&mut self) -> usize {
        let Self { connection, input, output, transport } = self;
        while !connection.advance(input, output).unwrap() {
            input.read_from(transport).unwrap();
        }
        match input.event() {
            Some(Event::Message(message)) => black_box(message.as_bytes()).len(),
            event => panic!("{event:?}"),
        }
    }
}

/// A connection that sends to a transport that takes everything and keeps nothing.
pub(crate) struct Sending {
    pub(crate) connection: Connection,
    pub(crate) output: SendBuffer,
}

impl Sending {
    pub(crate) fn new(role: Role) -> Self {
        Self { connection: connection(role), output: SendBuffer::new() }
    }

    /// Sends one message; a server sends a long one without a copy.
    #[inline]
    pub(crate) fn send(&mut self, message: Message<'_>) {
        if self.connection.role() == Role::Server && message.len() >= Unwritten::WORTH_A_PIECE {
            return self.send_in_place(message);
        }
        self.connection.send(message, &mut self.output).unwrap();
        self.flush();
    }

    #[inline(never)]
    fn send_in_place(&mut self, message: Message<'_>) {
        let mut unwritten = self.connection.send_in_place(message, &mut self.output).unwrap();
        black_box(unwritten.slices());
        unwritten.write_to(&mut io::sink()).unwrap();
    }

    #[inline]
    pub(crate) fn flush(&mut self) {
        black_box(self.output.as_slice());
        self.output.write_to(&mut io::sink()).unwrap();
    }
}

/// The blocking adapter over [`Endless`].
#[cfg(feature = "net")]
pub(crate) struct Blocking(sansock::net::WebSocket<Endless>);

#[cfg(feature = "net")]
impl Blocking {
    pub(crate) fn receiving(role: Role, transport: Endless) -> Self {
        let (input, output) = (ReceiveBuffer::new(), SendBuffer::new());
        Self(sansock::net::WebSocket::untimed(transport, connection(role), input, output))
    }

    pub(crate) fn sending(role: Role) -> Self {
        Self::receiving(role, Endless::single(&[0]))
    }

    #[inline]
    pub(crate) fn send(&mut self, message: Message<'_>) {
        self.0.send(message).unwrap();
    }
}

#[cfg(feature = "net")]
impl Receive for Blocking {
    #[inline]
    fn receive(&mut self) -> usize {
        match self.0.next_event().unwrap() {
            Some(Event::Message(message)) => black_box(message.as_bytes()).len(),
            event => panic!("{event:?}"),
        }
    }
}
