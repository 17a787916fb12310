//! TCP has no frames: the events and the error are the same for all cuts.

use sansock::{Config, Delivery, ProtocolError, Role};

use crate::violations;
use crate::wire::{
    BINARY, BOTH, CONTINUATION, FIN, PING, PONG, Seen, TEXT, close_frame, frame, receive,
};

/// Valid streams for a receiver of this role.
fn vectors(to: Role) -> Vec<Vec<u8>> {
    let greek = "κόσμε 💩 end".as_bytes();
    let mut vectors = vec![
        [frame(to, FIN | TEXT, b"Hello"), frame(to, FIN | BINARY, b"\x00\xFF")].concat(),
        [frame(to, FIN | TEXT, b""), frame(to, FIN | BINARY, b"")].concat(),
        frame(to, FIN | TEXT, greek),
        [frame(to, PING, b"p"), frame(to, PONG, b""), frame(to, PING, &[7; 125])].concat(),
        frame(to, FIN | BINARY, &[0xA5; 126]),
        frame(to, FIN | TEXT, "ä".repeat(200).as_bytes()),
        [close_frame(to, 1000, "tschüß".as_bytes()), b"whatever follows".to_vec()].concat(),
        [frame(to, TEXT, b""), frame(to, CONTINUATION, b""), frame(to, FIN, b"")].concat(),
        [frame(to, BINARY, b"one"), close_frame(to, 3000, b"")].concat(),
    ];
    // A text cut into two frames at each byte, inside characters too, a Ping between them.
    for at in 0..=greek.len() {
        let mut bytes = frame(to, TEXT, &greek[..at]);
        bytes.extend(frame(to, PING, b"between"));
        bytes.extend(frame(to, FIN | CONTINUATION, &greek[at..]));
        bytes.extend(frame(to, FIN | TEXT, b"next"));
        vectors.push(bytes);
    }
    // One frame for each byte, and a Pong before each.
    let mut bytes = frame(to, TEXT, b"");
    for byte in greek {
        bytes.extend(frame(to, PONG, b"x"));
        bytes.extend(frame(to, CONTINUATION, &[*byte]));
    }
    bytes.extend(frame(to, FIN | CONTINUATION, b""));
    vectors.push(bytes);
    vectors
}

/// Longer than what waits in the buffer, and with headers of all forms.
fn long_vectors(to: Role) -> Vec<Vec<u8>> {
    let text: String = "Unmasked text, κόσμε 💩 ".chars().cycle().take(20_000).collect();
    let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    vec![
        [frame(to, FIN | TEXT, text.as_bytes()), frame(to, FIN | TEXT, b"next")].concat(),
        [frame(to, FIN | BINARY, &bytes), frame(to, PING, b"p")].concat(),
        [
            frame(to, TEXT, &text.as_bytes()[..9_999]),
            frame(to, PING, b"between"),
            frame(to, CONTINUATION, &text.as_bytes()[9_999..10_001]),
            frame(to, FIN | CONTINUATION, &text.as_bytes()[10_001..]),
            frame(to, FIN | BINARY, &bytes[..5_000]),
        ]
        .concat(),
        (0..2_000).flat_map(|i| frame(to, FIN | BINARY, &bytes[..i % 30])).collect(),
    ]
}

/// Numbers that are the same in each run (xorshift).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    /// The bytes in pieces of 1 to `longest`.
    pub(crate) fn cut<'a>(&mut self, mut bytes: &'a [u8], longest: usize) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at((1 + self.below(longest)).min(bytes.len()));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }
}

fn modes() -> [Config; 2] {
    [violations::config(), violations::config().delivery(Delivery::Chunks)]
}

type Result = (Vec<Seen>, Option<ProtocolError>);

/// Asserts that both are the same. Chunks that arrived before an error may be there or not: the
/// error ends the piece that it is found in.
fn assert_same(config: &Config, whole: &Result, cut: &Result, what: &dyn std::fmt::Debug) {
    assert_eq!(whole.1, cut.1, "{what:02x?}");
    if whole.1.is_none() || config.delivery == Delivery::Messages {
        assert_eq!(whole.0, cut.0, "{what:02x?}");
    }
}

#[test]
fn at_every_cut() {
    for role in BOTH {
        let broken = violations::violations(role).into_iter().map(|row| row.bytes);
        for bytes in vectors(role).into_iter().chain(broken) {
            for config in modes() {
                let whole = receive(role, &config, [&bytes[..]]);
                // Only the ends of a long payload matter.
                let middle = 200..bytes.len().saturating_sub(200);
                for at in (0..bytes.len()).filter(|at| !middle.contains(at)) {
                    let (head, tail) = bytes.split_at(at);
                    let cut = receive(role, &config, [head, tail]);
                    assert_same(&config, &whole, &cut, &(role, head, tail));
                }
            }
        }
    }
}

#[test]
fn byte_by_byte() {
    for role in BOTH {
        let broken = violations::violations(role).into_iter().map(|row| row.bytes);
        for bytes in vectors(role).into_iter().chain(long_vectors(role)).chain(broken) {
            for config in modes().map(|config| config.limits(sansock::Limits::new())) {
                let whole = receive(role, &config, [&bytes[..]]);
                let cut = receive(role, &config, bytes.chunks(1));
                assert_same(&config, &whole, &cut, &(role, &bytes[..bytes.len().min(50)]));
            }
        }
    }
}

#[test]
fn at_random_cuts() {
    let mut numbers = Numbers::new(6455);
    for role in BOTH {
        for bytes in vectors(role).into_iter().chain(long_vectors(role)) {
            for config in modes().map(|config| config.limits(sansock::Limits::new())) {
                let whole = receive(role, &config, [&bytes[..]]);
                assert_eq!(whole.1, None);
                for longest in [2, 5, 20, 1_000, 5_000, 40_000] {
                    let pieces = numbers.cut(&bytes, longest);
                    let lengths: Vec<_> = pieces.iter().map(|piece| piece.len()).collect();
                    let cut = receive(role, &config, pieces);
                    assert_same(
                        &config,
                        &whole,
                        &cut,
                        &(role, longest, &lengths[..10.min(lengths.len())]),
                    );
                }
            }
        }
    }
}

/// Both modes deliver the same messages.
#[test]
fn chunks_make_up_the_messages() {
    for role in BOTH {
        for bytes in vectors(role).into_iter().chain(long_vectors(role)) {
            let [messages, chunks] = modes().map(|config| {
                let config = config.limits(sansock::Limits::new());
                receive(role, &config, bytes.chunks(7)).0
            });
            let joined = |seen: &[Seen]| {
                let mut payload = Vec::new();
                for event in seen {
                    match event {
                        Seen::Text(text) | Seen::TextChunk(text, _) => payload.extend(text.bytes()),
                        Seen::Binary(bytes) | Seen::BinaryChunk(bytes, _) => payload.extend(bytes),
                        _ => {}
                    }
                }
                payload
            };
            let ended = |event: &&Seen| {
                matches!(
                    event,
                    Seen::Text(_)
                        | Seen::Binary(_)
                        | Seen::TextChunk(_, true)
                        | Seen::BinaryChunk(_, true)
                )
            };
            // An incomplete message shows only as chunks.
            if messages.iter().any(|event| matches!(event, Seen::Close(..))) {
                continue;
            }
            assert_eq!(joined(&messages), joined(&chunks));
            let count = |seen: &[Seen]| seen.iter().filter(ended).count();
            assert_eq!(count(&messages), count(&chunks));
        }
    }
}

/// A header may break several rules. The error must not depend on how much of it has arrived.
#[test]
fn of_several_violations_the_first_byte_s_is_named() {
    let firsts = 0..=255_u8;
    let seconds = [0x00, 0x7E, 0x7F, 0x80, 0xFE, 0xFF];
    let lengths: [&[u8]; 2] = [&[0; 8], &[0xFF; 8]];
    for role in BOTH {
        for before in [vec![], frame(role, TEXT, b"begun")] {
            for (first, second) in firsts.clone().flat_map(|it| seconds.map(|second| (it, second)))
            {
                for length in lengths {
                    let bytes = [&before[..], &[first, second], length, &[0; 8]].concat();
                    let config = violations::config();
                    let whole = receive(role, &config, [&bytes[..]]);
                    let cut = receive(role, &config, bytes.chunks(1));
                    assert_same(&config, &whole, &cut, &(role, bytes));
                }
            }
        }
    }
}
