//! Validates texts in pieces, and compares with std.

use super::*;

/// Feeds the pieces and compares each result with std's for all bytes so far: it fails at the first
/// piece that makes the text impossible, not earlier and not later.
fn check<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) {
    let mut utf8 = Utf8::new();
    let mut so_far = Vec::new();
    for piece in pieces {
        so_far.extend_from_slice(piece);
        let fed = utf8.feed(piece);
        match std::str::from_utf8(&so_far) {
            Err(error) if error.error_len().is_some() => {
                assert_eq!(fed, Err(InvalidUtf8), "{so_far:02x?} after {piece:02x?}");
                return;
            }
            result => {
                let valid = result.map_or_else(|error| error.valid_up_to(), str::len);
                assert_eq!(fed, Ok(()), "{so_far:02x?} after {piece:02x?}");
                assert_eq!(utf8.carry(), &so_far[valid..], "{so_far:02x?}");
            }
        }
    }
    assert_eq!(utf8.finish().is_ok(), utf8.carry().is_empty());
}

/// The first and last byte of every class that RFC 3629 distinguishes, and one in between.
const CLASSES: [u8; 25] = [
    0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC,
    0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
];

/// Every sequence of `N` classes.
fn sequences<const N: usize>() -> impl Iterator<Item = [u8; N]> {
    let count = CLASSES.len().pow(N.try_into().unwrap());
    (0..count).map(|mut i| {
        std::array::from_fn(|_| {
            let byte = CLASSES[i % CLASSES.len()];
            i /= CLASSES.len();
            byte
        })
    })
}

/// Cheap pseudo-random numbers, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

#[test]
fn fails_on_the_first_impossible_byte() {
    for byte in 0..=255 {
        check([&[byte][..]]);
        for second in 0..=255 {
            check([&[byte][..], &[second]]);
        }
    }
    sequences::<3>().for_each(|bytes| check(bytes.chunks(1)));
    sequences::<4>().for_each(|bytes| check(bytes.chunks(1)));
}

#[test]
fn the_cut_does_not_matter() {
    for bytes in sequences::<4>() {
        check([&bytes[..]]);
        for cut in 1..4 {
            check([&bytes[..cut], &bytes[cut..]]);
        }
    }
}

/// Every length and position where one of the paths (automaton, words, blocks) may have a bug.
#[test]
fn finds_a_bad_or_cut_character_wherever_it_lies() {
    let characters: [&[u8]; 14] = [
        b"\xC3\xBC",
        b"\xE2\x82\xAC",
        b"\xF0\x9F\x98\x80", // complete
        b"\xC3",
        b"\xE2\x82",
        b"\xF0\x9F\x98", // cut
        b"\x80",
        b"\xC0\x80",
        b"\xE0\x80\x80",
        b"\xED\xA0\x80",
        b"\xF4\x90\x80\x80",
        b"\xF5",
        b"\xFF",
        b"\xBF\xBF\xBF\xBF",
    ];
    for fill in ["a", "ü", "€", "😀"] {
        for before in 0..140 {
            for character in characters {
                for after in [0, 1, 2, 7, 31, 64] {
                    let mut text = fill.repeat(before).into_bytes();
                    text.extend_from_slice(character);
                    text.extend_from_slice(fill.repeat(after).as_bytes());
                    check([&text[..]]);
                }
            }
        }
    }
}

#[test]
fn every_code_point_is_a_character() {
    let all: String = ('\0'..=char::MAX).collect();
    check([all.as_bytes()]);
    let mut utf8 = Utf8::new();
    for &byte in all.as_bytes() {
        assert_eq!(utf8.feed(&[byte]), Ok(()));
    }
    assert_eq!(utf8.finish(), Ok(()));
}

#[test]
fn long_texts_cut_at_random() {
    let mut numbers = Numbers(1);
    for round in 0..2_000 {
        let characters = ["a", "plain ASCII, some of it ", "ß", "ж", "世", "\u{FFFF}", "👍"];
        let mut text = Vec::new();
        for _ in 0..numbers.below(300) {
            let most = if round % 2 == 0 { characters.len() } else { 3 };
            text.extend_from_slice(characters[numbers.below(most)].as_bytes());
        }
        // Half of the texts get a byte that may or may not make them invalid.
        if round % 4 < 2 && !text.is_empty() {
            let at = numbers.below(text.len());
            text[at] = CLASSES[numbers.below(CLASSES.len())];
        }
        let mut cuts = vec![0, text.len()];
        cuts.extend((0..numbers.below(8)).map(|_| numbers.below(text.len() + 1)));
        cuts.sort_unstable();
        check(cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]));
    }
}

#[test]
fn a_text_may_not_end_inside_a_character() {
    let mut utf8 = Utf8::new();
    assert_eq!(utf8.finish(), Ok(()), "an empty text is one");
    assert_eq!(utf8.feed(b"\xE2\x82"), Ok(()));
    assert_eq!(utf8.finish(), Err(InvalidUtf8));
}

#[test]
fn the_next_text_starts_fresh() {
    let mut utf8 = Utf8::new();
    assert_eq!(utf8.feed("€".as_bytes()), Ok(()));
    assert_eq!(utf8.finish(), Ok(()));
    assert_eq!(utf8.carry(), b"");
    assert_eq!(utf8.feed(b"\x82"), Err(InvalidUtf8));
}

#[test]
fn the_prefix_that_is_ascii_for_sure_ends_with_a_block_a_word_or_the_text() {
    for length in 0..100 {
        let mut text = vec![b'a'; length];
        assert_eq!(ascii_prefix(&text), length);
        for at in 0..length {
            text[at] = 0x80;
            let sure =
                if at < length / 32 * 32 { at / 32 * 32 } else { at.min(length / 8 * 8) / 8 * 8 };
            assert_eq!(ascii_prefix(&text), sure, "{length} bytes, non-ASCII byte at {at}");
            text[at] = b'a';
        }
    }
}
