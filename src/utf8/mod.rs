//! Validates UTF-8 across chunk and frame boundaries (RFC 6455, 8.1; RFC 3629).
//!
//! An automaton checks short pieces and cut characters: the rest of a character that the last piece
//! began, and the start of one at the end of this piece. simdutf8 checks the rest.

/// The bytes are not UTF-8, and cannot become it with more bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidUtf8;

/// Validates text piece by piece and fails at the first piece that contains a wrong byte.
///
/// "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not,
/// in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_." (8.1)
///
/// After an error the state is unspecified; later results mean nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Utf8 {
    /// The bytes of a character that the last piece ended in: 0 to 3 of them.
    carry: [u8; 3],
    length: u8,
}

/// Block size of simdutf8; it passes shorter input to std.
const BLOCK: usize = 64;

/// With at least this many bytes, filling up a block for simdutf8 is faster than the automaton.
const SIMD: usize = 48;

/// Below this length it pays to look for ASCII first.
const ASCII: usize = 512;

impl Utf8 {
    /// Creates a validator at the first byte of a text.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self { carry: [0; 3], length: 0 }
    }

    /// Returns the incomplete character at the end of the input: a valid prefix of 0 to 3 bytes.
    #[inline]
    #[must_use]
    pub(crate) fn carry(&self) -> &[u8] {
        self.carry.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// Checks the next piece.
    ///
    /// # Errors
    ///
    /// If no text begins with the input so far.
    #[inline]
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), InvalidUtf8> {
        if self.length != 0 {
            return self.feed_after_carry(bytes);
        }
        let ascii = if bytes.len() < ASCII { ascii_prefix(bytes) } else { 0 };
        if ascii == bytes.len() {
            return Ok(());
        }
        self.feed_at_boundary(bytes.get(ascii..).unwrap_or_default())
    }

    /// Checks that the text does not end inside a character, and starts a new one.
    ///
    /// # Errors
    ///
    /// If it does.
    #[inline]
    pub(crate) fn finish(&mut self) -> Result<(), InvalidUtf8> {
        if self.length == 0 { Ok(()) } else { Err(InvalidUtf8) }
    }

    /// Completes the character that the last piece began.
    #[cold]
    fn feed_after_carry(&mut self, bytes: &[u8]) -> Result<(), InvalidUtf8> {
        let mut state = State::START.after(self.carry());
        let mut rest = bytes.iter();
        while let Some(&byte) = rest.next() {
            state = state.next(byte);
            if state == State::INVALID {
                return Err(InvalidUtf8);
            }
            if state == State::START {
                self.length = 0;
                return self.feed(rest.as_slice());
            }
            // An incomplete character has at most three bytes.
            if let Some(slot) = self.carry.get_mut(usize::from(self.length)) {
                *slot = byte;
                self.length = self.length.saturating_add(1);
            }
        }
        Ok(())
    }

    /// Checks a piece that starts with a character's first byte.
    fn feed_at_boundary(&mut self, bytes: &[u8]) -> Result<(), InvalidUtf8> {
        let (bulk, rest) = if bytes.len() < SIMD { (&[][..], bytes) } else { split_cut(bytes) };
        if !is_valid(bulk) {
            return Err(InvalidUtf8);
        }
        match State::START.after(rest) {
            State::START => Ok(()),
            State::INVALID => Err(InvalidUtf8),
            _ => {
                let (_, cut) = split_cut(rest);
                for (slot, &byte) in self.carry.iter_mut().zip(cut) {
                    *slot = byte;
                    self.length = self.length.saturating_add(1);
                }
                Ok(())
            }
        }
    }
}

/// Whether `bytes` are whole characters.
#[inline]
fn is_valid(bytes: &[u8]) -> bool {
    if bytes.is_empty() {
        return true;
    }
    if bytes.len() >= BLOCK {
        return simdutf8::basic::from_utf8(bytes).is_ok();
    }
    // NUL is a character too.
    let mut block = [0; BLOCK];
    let (start, _) = block.split_at_mut(bytes.len());
    start.copy_from_slice(bytes);
    simdutf8::basic::from_utf8(&block).is_ok()
}

/// Splits off the bytes of a character that is probably incomplete.
fn split_cut(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.len().saturating_sub(cut_character(bytes)))
}

/// Number of bytes at the end, 0 to 3, that probably belong to an incomplete character.
fn cut_character(bytes: &[u8]) -> usize {
    for (have, &byte) in (1..=3).zip(bytes.iter().rev()) {
        let length = match byte {
            0x80..=0xBF => continue,
            0..=0x7F => 1,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
        };
        return if have < length { have } else { 0 };
    }
    0
}

/// Length of a prefix that is known to be ASCII: all bytes, or those before the block, word or rest
/// that contains a non-ASCII byte.
#[inline]
fn ascii_prefix(bytes: &[u8]) -> usize {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (blocks, rest) = bytes.as_chunks::<32>();
    for (i, block) in blocks.iter().enumerate() {
        let words = block.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
        if words.fold(0, |all, word| all | word) & HIGH != 0 {
            return i.saturating_mul(32);
        }
    }
    let (words, tail) = rest.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        if u64::from_le_bytes(*word) & HIGH != 0 {
            return blocks.as_flattened().len().saturating_add(i.saturating_mul(8));
        }
    }
    if tail.iter().all(u8::is_ascii) { bytes.len() } else { bytes.len().saturating_sub(tail.len()) }
}

/// A state of the automaton (the grammar of RFC 3629, 4). Its number is the bit position of the
/// next state in an entry of [`TRANSITIONS`].
#[derive(Clone, Copy, PartialEq, Eq)]
struct State(u64);

impl State {
    /// A character starts.
    const START: Self = Self(0);
    /// No text contains these bytes.
    const INVALID: Self = Self(6);
    /// Any 1, 2 or 3 continuation bytes.
    const TAIL_1: Self = Self(12);
    const TAIL_2: Self = Self(18);
    const TAIL_3: Self = Self(24);
    /// After E0: A0 to BF and one more; less is an overlong form.
    const AFTER_E0: Self = Self(30);
    /// After ED: 80 to 9F and one more; above are the surrogates.
    const AFTER_ED: Self = Self(36);
    /// After F0: 90 to BF and two more; less is an overlong form.
    const AFTER_F0: Self = Self(42);
    /// After F4: 80 to 8F and two more; above is no code point.
    const AFTER_F4: Self = Self(48);

    const ALL: [Self; 9] = [
        Self::START,
        Self::INVALID,
        Self::TAIL_1,
        Self::TAIL_2,
        Self::TAIL_3,
        Self::AFTER_E0,
        Self::AFTER_ED,
        Self::AFTER_F0,
        Self::AFTER_F4,
    ];

    /// The grammar of RFC 3629, 4.
    const fn rule(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::START, 0x00..=0x7F) | (Self::TAIL_1, 0x80..=0xBF) => Self::START,
            (Self::START, 0xC2..=0xDF)
            | (Self::TAIL_2, 0x80..=0xBF)
            | (Self::AFTER_E0, 0xA0..=0xBF)
            | (Self::AFTER_ED, 0x80..=0x9F) => Self::TAIL_1,
            (Self::START, 0xE1..=0xEC | 0xEE..=0xEF)
            | (Self::TAIL_3, 0x80..=0xBF)
            | (Self::AFTER_F0, 0x90..=0xBF)
            | (Self::AFTER_F4, 0x80..=0x8F) => Self::TAIL_2,
            (Self::START, 0xF1..=0xF3) => Self::TAIL_3,
            (Self::START, 0xE0) => Self::AFTER_E0,
            (Self::START, 0xED) => Self::AFTER_ED,
            (Self::START, 0xF0) => Self::AFTER_F0,
            (Self::START, 0xF4) => Self::AFTER_F4,
            _ => Self::INVALID,
        }
    }

    /// The state after one more byte.
    #[expect(clippy::indexing_slicing, reason = "there is an entry for every byte")]
    #[inline]
    fn next(self, byte: u8) -> Self {
        Self(TRANSITIONS[usize::from(byte)] >> self.0 & 63)
    }

    /// The state after all of `bytes`.
    #[inline]
    fn after(self, bytes: &[u8]) -> Self {
        bytes.iter().fold(self, |state, &byte| state.next(byte))
    }
}

/// For each byte, the next state from every state, six bits each: one load and one shift per byte.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
static TRANSITIONS: [u64; 256] = {
    let mut rows = [0; 256];
    let mut byte = 0_u8;
    loop {
        let mut i = 0;
        while i < State::ALL.len() {
            let state = State::ALL[i];
            rows[byte as usize] |= state.rule(byte).0 << state.0;
            i += 1;
        }
        if byte == u8::MAX {
            break rows;
        }
        byte += 1;
    }
};

#[cfg(test)]
mod tests;
