//! `receive`: any bytes to a `Receiver`, both roles, any limits; fed whole, at drawn cuts, byte by
//! byte, and as `Chunks`: the same events and the same error each way, and those that RFC 6455 asks
//! for. Memory stays within the limits.
//!
//! An input is five bytes of [`Setup`] and then the stream: as it is on the wire, or as
//! [recipes](recipe) for frames, for those that are too large to be found byte by byte.

use sansock::{Config, Delivery, Limits, Role, Timeouts};

use crate::feed::{self, Cuts};
use crate::{model, wire};

/// Limits to draw from.
const SIZES: [u64; 16] = [
    64 << 20,
    0,
    1,
    5,
    125,
    126,
    1000,
    4095,
    4096,
    4097,
    65_535,
    65_536,
    100_000,
    1 << 32,
    u64::MAX >> 1,
    u64::MAX,
];

/// Most bytes that recipes make.
const LARGEST: usize = 256 << 10;

/// What an input asks for.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Who receives.
    pub role: Role,
    /// What it accepts.
    pub limits: Limits,
    /// For [`Cuts::Drawn`].
    pub seed: u64,
    /// What arrives.
    pub stream: Vec<u8>,
}

impl Setup {
    /// Flags (1: client, 2: recipes), limits of frame, message and fragments, seed, stream.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (&[flags, frame, message, fragments, seed], rest) = bytes.split_first_chunk()?;
        let role = if flags & 1 != 0 { Role::Client } else { Role::Server };
        let size = |byte: u8| SIZES[usize::from(byte) % SIZES.len()];
        let limits = Limits::new()
            .frame(size(frame))
            .message(size(message))
            .fragments(if fragments == 0 { 131_072 } else { u32::from(fragments) });
        let stream = if flags & 2 != 0 { recipe(rest, role) } else { rest.to_vec() };
        Some(Self { role, limits, seed: seed.into(), stream })
    }
}

/// See the module.
pub fn check(bytes: &[u8]) {
    let Some(Setup { role, limits, seed, stream }) = Setup::read(bytes) else { return };
    let expected = model::expect(&stream, role, &limits);
    let config = Config::new().limits(limits).timeouts(Timeouts::none());
    let mut first = None;
    for delivery in [Delivery::Messages, Delivery::Chunks] {
        let config = config.delivery(delivery);
        for cuts in [Cuts::Whole, Cuts::Drawn(seed), Cuts::Bytes] {
            // Slow, and shows no more of a long stream than of a short one.
            if cuts == Cuts::Bytes && stream.len() > 4096 {
                continue;
            }
            let outcome = feed::receive(&stream, role, &config, cuts);
            let what = (&outcome.events, outcome.error.map(|error| error.close_code().get()));
            assert_eq!(what, (&expected.events, expected.error), "{delivery:?} {cuts:?}");
            let error = *first.get_or_insert(outcome.error);
            assert_eq!(outcome.error, error, "{delivery:?} {cuts:?}");
        }
    }
}

/// Texts that payloads are made of, the last two not UTF-8.
const TEXTS: [&[u8]; 6] = [
    b"Hello",
    "\u{3ba}\u{1f79}\u{3c3}\u{3bc}\u{3b5}".as_bytes(),
    "a\u{e9}\u{20ac}\u{1f600}".as_bytes(),
    "\u{10ffff}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}".as_bytes(),
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    b"\xf4\x90\x80\x80",
];

/// Turns each three bytes into a frame: its first byte; its size; its filling.
///
/// Sizes: 0 to 63, that times 64, that times 1024, or an announced length that does not fit the
/// payload. Fillings: one of [`TEXTS`] over and over, or bytes from the input; sometimes a mask where
/// none is due or none where one is.
pub fn recipe(mut bytes: &[u8], role: Role) -> Vec<u8> {
    let mut stream = Vec::new();
    while let Some((&[first, size, filling], rest)) = bytes.split_first_chunk() {
        bytes = rest;
        let units = usize::from(size & 63);
        let length = match size >> 6 {
            0 | 3 => units,
            1 => units * 64,
            _ => units * 1024,
        };
        if stream.len() + length > LARGEST {
            break;
        }
        let due = (role == Role::Server) != (filling == 0xff);
        let key = due.then_some([filling, 0xfa, 0x21, 0x3d]);
        let payload = if filling & 8 != 0 {
            let (own, rest) = bytes.split_at(length.min(bytes.len()).min(64));
            bytes = rest;
            own.iter().copied().cycle().take(if own.is_empty() { 0 } else { length }).collect()
        } else {
            let text = TEXTS[usize::from(filling & 7) % TEXTS.len()];
            text.iter().copied().cycle().take(length).collect::<Vec<_>>()
        };
        if size >> 6 == 3 {
            announce(&mut stream, first, key, units, &payload);
        } else {
            stream.extend(wire::frame(first, key, &payload));
        }
    }
    stream
}

/// A frame whose header announces 2 to the power of `shift`, whatever follows.
fn announce(stream: &mut Vec<u8>, first: u8, key: Option<[u8; 4]>, shift: usize, payload: &[u8]) {
    let mask = if key.is_some() { 0x80 } else { 0 };
    stream.extend([first, mask | 127]);
    stream.extend((1_u64 << shift).to_be_bytes());
    stream.extend(key.into_iter().flatten());
    stream.extend(wire::masked(key, payload));
}
