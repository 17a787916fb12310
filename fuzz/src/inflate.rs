//! `inflate`: compressed messages to a receiver that has negotiated permessage-deflate. What comes
//! out is what a plain reading of RFC 1951 and RFC 7692, 7.2.2 makes of them, however they arrive;
//! memory stays within the limits, however much they would blow up to.
//!
//! An input is flags (1: client, 2: messages may refer to earlier ones), a limit, a seed for the cuts,
//! and frames: the first byte, the length, the payload.

use sansock::{Config, Delivery, Limits, ProtocolError, Role, Timeouts};
use sansock::deflate::{ContextTakeover, DeflateConfig};
use sansock::handshake::Established;
use sansock::mask::MaskSource;
use sansock::split::Receiver;

use crate::feed::{self, Cuts, Seen};
use crate::flate::{self, Stop};
use crate::wire;

const SIZES: [u64; 8] = [100_000, 0, 1, 5, 1000, 4096, 40_000, 300_000];

/// What an input asks for.
#[derive(Debug)]
struct Setup {
    role: Role,
    takeover: ContextTakeover,
    limit: u64,
    seed: u64,
    frames: Vec<(u8, Vec<u8>)>,
}

impl Setup {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (&[flags, limit, seed], mut rest) = bytes.split_first_chunk()?;
        let mut frames = Vec::new();
        while let Some((&[first, length], behind)) = rest.split_first_chunk() {
            let (payload, behind) = behind.split_at(behind.len().min(length.into()));
            frames.push((first, payload.to_vec()));
            rest = behind;
        }
        let takeover =
            if flags & 2 != 0 { ContextTakeover::Allowed } else { ContextTakeover::Forbidden };
        Some(Self {
            role: if flags & 1 != 0 { Role::Client } else { Role::Server },
            takeover,
            limit: SIZES[usize::from(limit) % SIZES.len()],
            seed: seed.into(),
            frames,
        })
    }

    fn stream(&self) -> Vec<u8> {
        let key = (self.role == Role::Server).then_some([0x37, 0xfa, 0x21, 0x3d]);
        self.frames.iter().flat_map(|(first, payload)| wire::frame(*first, key, payload)).collect()
    }

    fn receiver(&self, config: &Config) -> Receiver {
        let deflate =
            DeflateConfig::client().server_context(self.takeover).client_context(self.takeover);
        let established =
            Established::after_handshake(self.role, None).with_deflate(deflate.as_negotiated());
        established.connection_with(config, NoKeys).split().0
    }
}

/// Nothing is sent here.
struct NoKeys;

impl MaskSource for NoKeys {
    fn next_key(&mut self) -> [u8; 4] {
        [0; 4]
    }
}

/// See the module.
pub fn check(bytes: &[u8]) {
    let Some(setup) = Setup::read(bytes) else { return };
    let stream = setup.stream();
    let expected = expect(&setup);
    let limits = Limits::new().message(setup.limit).frame(1 << 20);
    let config = Config::new().limits(limits).timeouts(Timeouts::none());
    let mut first: Option<Option<ProtocolError>> = None;
    for delivery in [Delivery::Messages, Delivery::Chunks] {
        let config = config.delivery(delivery);
        for cuts in [Cuts::Whole, Cuts::Drawn(setup.seed), Cuts::Bytes] {
            let receiver = setup.receiver(&config);
            let outcome = feed::feed(receiver, &stream, cuts, |_, longest| {
                (128 << 10) + 2 * longest + 2 * (setup.limit as usize + (8 << 10))
            });
            let error = outcome.error.map(|error| error.close_code().get());
            assert_eq!(
                (&outcome.events, error),
                (&expected.0, expected.1),
                "{delivery:?} {cuts:?}"
            );
            assert_eq!(outcome.error, *first.get_or_insert(outcome.error), "{delivery:?} {cuts:?}");
        }
    }
}

/// The stream of a connection, as RFC 7692, 7.2.2 makes one of its messages.
#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    /// How much of its output belongs to messages that are done with.
    done: usize,
}

/// A message in progress.
struct InProgress {
    text: bool,
    compressed: bool,
    payload: Vec<u8>,
}

/// The events, and the close code of the error that ends them.
fn expect(setup: &Setup) -> (Vec<Seen>, Option<u16>) {
    let (mut events, mut stream, mut message) = (Vec::new(), Stream::default(), None);
    for (first, payload) in &setup.frames {
        let mut next = |message: &mut Option<InProgress>| -> Result<Option<Seen>, u16> {
            frame_fault(*first, payload.len(), message.is_some())?;
            match first & 15 {
                8 => return close(payload).map(Some),
                9 => return Ok(Some(Seen::Ping(payload.clone()))),
                10 => return Ok(Some(Seen::Pong(payload.clone()))),
                _ => {}
            }
            let begun = message.get_or_insert(InProgress {
                text: first & 15 == 1,
                compressed: first & 0x40 != 0,
                payload: Vec::new(),
            });
            begun.payload.extend_from_slice(payload);
            let fin = first & 0x80 != 0;
            let output = if begun.compressed {
                stream.inflate(begun, fin, setup)?
            } else {
                begun.payload.clone()
            };
            if output.len() as u64 > setup.limit {
                return Err(1009);
            }
            if begun.text {
                text_fault(&output, fin)?;
            }
            let text = begun.text;
            if fin {
                *message = None;
            }
            Ok(fin.then(|| Seen::message(text, output)))
        };
        match next(&mut message) {
            Ok(None) => {}
            Ok(Some(event)) => {
                let last = matches!(event, Seen::Close(..));
                events.push(event);
                if last {
                    break;
                }
            }
            Err(code) => return (events, Some(code)),
        }
    }
    (events, None)
}

/// Faults of a header, RSV1 allowed where a message begins (RFC 7692, 6).
fn frame_fault(first: u8, length: usize, in_message: bool) -> Result<(), u16> {
    let opcode = first & 15;
    let right = match opcode {
        0 => in_message,
        1 | 2 => !in_message,
        8..=10 => first & 0x80 != 0 && length <= 125,
        _ => false,
    };
    let rsv = first & 0x30 == 0 && (first & 0x40 == 0 || matches!(opcode, 1 | 2));
    if right && rsv { Ok(()) } else { Err(1002) }
}

fn close(payload: &[u8]) -> Result<Seen, u16> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(Seen::Close(None, String::new())) } else { Err(1002) };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(1002);
    }
    let reason = std::str::from_utf8(reason).map_err(|_| 1007_u16)?;
    Ok(Seen::Close(Some(code), reason.to_owned()))
}

fn text_fault(text: &[u8], fin: bool) -> Result<(), u16> {
    match std::str::from_utf8(text) {
        Err(error) if fin || error.error_len().is_some() => Err(1007),
        _ => Ok(()),
    }
}

impl Stream {
    /// The message so far. With its end, the stream is ready for the next one.
    fn inflate(&mut self, begun: &InProgress, fin: bool, setup: &Setup) -> Result<Vec<u8>, u16> {
        let payload = &begun.payload;
        let mut try_it = Attempt {
            bytes: self.bytes.clone(),
            done: self.done,
            output: Vec::new(),
            at_start: true,
            spent: false,
            limit: setup.limit as usize,
        };
        let fed = try_it.feed(payload);
        let mut fed = fed.and_then(|()| {
            let too_large = try_it.output.len() > try_it.limit;
            if fin && !too_large { try_it.end(payload) } else { Ok(()) }
        });
        // What has come out before is looked at first.
        if try_it.output.len() > try_it.limit {
            fed = Err(1009);
            if begun.text {
                text_fault(&try_it.output[..try_it.limit], false)?;
            }
        }
        fed?;
        if fin {
            let keep = setup.takeover == ContextTakeover::Allowed && !try_it.spent;
            *self = if keep {
                Self { bytes: try_it.bytes, done: try_it.done }
            } else {
                Self::default()
            };
        }
        Ok(try_it.output)
    }
}

struct Attempt {
    bytes: Vec<u8>,
    done: usize,
    output: Vec<u8>,
    /// Nothing has come since the message, or the stream after a final block, began.
    at_start: bool,
    /// A final block has ended, and nothing came out since.
    spent: bool,
    limit: usize,
}

impl Attempt {
    /// The payload has ended: with the tail, that must be between two blocks.
    fn end(&mut self, payload: &[u8]) -> Result<(), u16> {
        const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
        let has_tail = payload.ends_with(&TAIL);
        if self.at_start || (has_tail && self.spent) {
            // Nothing has begun that it could end.
            return Ok(());
        }
        if !has_tail {
            self.bytes.extend_from_slice(&TAIL);
        }
        let inflated = flate::inflate(&self.bytes, self.done + self.limit + 1);
        let is_end = inflated.stop == Stop::Between && inflated.output.len() == self.done;
        if is_end { Ok(()) } else { Err(1007) }
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), u16> {
        self.at_start &= bytes.is_empty();
        self.bytes.extend_from_slice(bytes);
        loop {
            let most = self.done + self.limit + 1;
            let inflated = flate::inflate(&self.bytes, most);
            let made = inflated.output.get(self.done..).unwrap_or_default();
            self.output.extend_from_slice(made);
            self.done += made.len();
            self.spent &= made.is_empty();
            if self.output.len() > self.limit {
                return Ok(());
            }
            match inflated.stop {
                Stop::NeedsBits | Stop::Between => return Ok(()),
                Stop::Wrong => return Err(1007),
                Stop::Final(at) => {
                    self.bytes.drain(..at);
                    self.done = 0;
                    self.spent = true;
                    self.at_start = self.bytes.is_empty();
                    if self.at_start {
                        return Ok(());
                    }
                }
            }
        }
    }
}
