//! Two ends, and bytes on the way between them.

use std::fmt::Write as _;

use flate2::{Compress, Compression, FlushCompress};
use sansock::deflate::{ContextTakeover, DeflateConfig};
use sansock::handshake::Established;
use sansock::{
    Config, Connection, Delivery, Event, Message, MessageKind, ProtocolError, ReceiveBuffer, Role,
    SendBuffer,
};
use testkit::masks::Keys;
use testkit::wire;

/// Context takeover in both directions.
pub(crate) const KEPT: DeflateConfig = DeflateConfig::client();
/// Each message stands for itself.
pub(crate) const FORGOTTEN: DeflateConfig = DeflateConfig::server();

/// Cheap numbers that are the same in every run.
pub(crate) struct Numbers(pub u64);

impl Numbers {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// Bytes that no compressor makes shorter.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut numbers = Numbers(length as u64);
    (0..length).map(|_| u8::try_from(numbers.below(256)).unwrap()).collect()
}

/// Text that looks like what servers send.
pub(crate) fn json(length: usize) -> String {
    let mut numbers = Numbers(7);
    let mut text = String::new();
    while text.len() < length {
        let (id, price, name) = (numbers.below(100_000), numbers.below(10_000), numbers.below(5));
        let name = ["apple", "Äpfel", "りんご", "banana", "cherry 🍒"][name];
        write!(text, "{{\"id\":{id},\"price\":{price},\"name\":\"{name}\"}},").unwrap();
    }
    let boundary = (0..=length).rev().find(|at| text.is_char_boundary(*at));
    text.truncate(boundary.unwrap());
    text
}

/// As a sender would: one message in a context of its own.
pub(crate) fn deflated(data: &[u8]) -> Vec<u8> {
    let mut compressed = flushed(&mut Compress::new(Compression::default(), false), data);
    assert_eq!(compressed.split_off(compressed.len() - 4), [0, 0, 0xFF, 0xFF]);
    compressed
}

/// Compressed and flushed, with the tail still there.
pub(crate) fn flushed(stream: &mut Compress, data: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::with_capacity(data.len() + data.len() / 8 + 64);
    stream.compress_vec(data, &mut compressed, FlushCompress::Sync).unwrap();
    assert!(compressed.len() < compressed.capacity());
    compressed
}

/// A frame of a server.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    wire::frame(Role::Client, first, payload)
}

/// A compressed text message of a server in one frame.
pub(crate) fn text_frame(payload: &[u8]) -> Vec<u8> {
    frame(0xC1, payload)
}

/// A compressed binary message of a server in one frame.
pub(crate) fn binary_frame(payload: &[u8]) -> Vec<u8> {
    frame(0xC2, payload)
}

pub(crate) fn connection(role: Role, config: &Config, deflate: DeflateConfig) -> Connection {
    Established::after_handshake(role, None)
        .with_deflate(deflate.as_negotiated())
        .connection_with(config, Keys(3))
}

/// One end, with its buffers.
pub(crate) struct End {
    pub(crate) connection: Connection,
    pub(crate) input: ReceiveBuffer,
    pub(crate) output: SendBuffer,
}

/// What arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Message(MessageKind, Vec<u8>),
    /// The pieces of a message, put together again.
    Pieces(MessageKind, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close,
}

pub(crate) fn text(text: &str) -> Seen {
    Seen::Message(MessageKind::Text, text.into())
}

impl End {
    pub(crate) fn new(role: Role, config: &Config, deflate: DeflateConfig) -> Self {
        let connection = connection(role, config, deflate);
        Self { connection, input: ReceiveBuffer::new(), output: SendBuffer::new() }
    }

    /// A client with defaults.
    pub(crate) fn client(deflate: DeflateConfig) -> Self {
        Self::new(Role::Client, &Config::new(), deflate)
    }

    /// What comes of these bytes if each read brings `step` of them.
    pub(crate) fn receive(
        &mut self,
        bytes: &[u8],
        step: usize,
    ) -> Result<Vec<Seen>, ProtocolError> {
        let mut seen = Vec::new();
        for piece in bytes.chunks(step.max(1)) {
            self.input.extend_from_slice(piece);
            self.take(&mut seen)?;
        }
        Ok(seen)
    }

    /// What is there to be seen.
    pub(crate) fn take(&mut self, seen: &mut Vec<Seen>) -> Result<(), ProtocolError> {
        while let Some(event) = self.connection.next_event(&mut self.input, &mut self.output)? {
            let bytes = |message: Message<'_>| message.as_bytes().to_vec();
            let next = match event {
                Event::Message(message) => Seen::Message(message.kind(), bytes(message)),
                Event::Chunk { data, fin } => {
                    assert!(fin || !data.is_empty());
                    if let Message::Text(text) = data {
                        assert!(std::str::from_utf8(text.as_bytes()).is_ok());
                    }
                    let mut whole = match seen.pop() {
                        Some(Seen::Pieces(kind, so_far)) if kind == data.kind() => so_far,
                        before => {
                            seen.extend(before);
                            Vec::new()
                        }
                    };
                    whole.extend(data.as_bytes());
                    if fin {
                        Seen::Message(data.kind(), whole)
                    } else {
                        Seen::Pieces(data.kind(), whole)
                    }
                }
                Event::Ping(payload) => Seen::Ping(payload.to_vec()),
                Event::Pong(payload) => Seen::Pong(payload.to_vec()),
                Event::Close(_) => Seen::Close,
                _ => unreachable!(),
            };
            seen.push(next);
        }
        Ok(())
    }

    /// The bytes that wait, taken off.
    pub(crate) fn written(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.output.write_to(&mut bytes).unwrap();
        bytes
    }

    /// The code of the Close frame that waits at the end.
    pub(crate) fn close_code(&mut self) -> u16 {
        let bytes = self.written();
        let bytes = &bytes[bytes.len() - 4..];
        assert_eq!(bytes[..2], [0x88, 0x02], "a server's Close frame");
        u16::from_be_bytes([bytes[2], bytes[3]])
    }
}

/// A server's config and its negotiated parameters, in all combinations that matter to a receiver.
pub(crate) fn ways() -> impl Iterator<Item = (Config, DeflateConfig)> {
    [Delivery::Messages, Delivery::Chunks].into_iter().flat_map(|delivery| {
        [ContextTakeover::Allowed, ContextTakeover::Forbidden].map(|takeover| {
            let deflate = KEPT.server_context(takeover).client_context(takeover);
            (Config::new().delivery(delivery), deflate)
        })
    })
}
