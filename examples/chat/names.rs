//! Names: which are allowed, and which look the same to a reader.

use std::collections::BTreeMap;
use std::iter;

use sansock::handshake::random_nonce;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use unicode_security::GeneralSecurityProfile as _;
use unicode_security::confusable_detection::skeleton;

/// Longest name, in characters.
pub(crate) const MAX_NAME: usize = 32;
/// Up to which number names are tried one after the other, and how many after that.
const MAX_TRIES: u64 = 20;
const TRIES_AT_RANDOM: usize = 10;
/// Most combining marks in a row: more write over other lines.
const MAX_MARKS: usize = 2;

/// Returns the name in its normal form, or what is wrong with it.
pub(crate) fn valid_name(name: &str) -> Result<String, String> {
    let name: String = name.trim().nfc().collect();
    if name.is_empty() || name.chars().count() > MAX_NAME {
        return Err(format!("a name has 1 to {MAX_NAME} characters"));
    }
    if name.chars().any(char::is_control) {
        return Err("a name has no control characters".into());
    }
    if let Some(other) = name.chars().find(|it| !is_allowed(*it)) {
        return Err(format!("a name has no U+{:04X}: letters, digits and emoji", u32::from(other)));
    }
    let mut marks = MAX_MARKS;
    for character in name.chars() {
        // A name must not begin with one either.
        marks = if is_combining_mark(character) { marks + 1 } else { 0 };
        if marks > MAX_MARKS {
            return Err(format!("a name has at most {MAX_MARKS} combining marks in a row"));
        }
    }
    Ok(name)
}

/// Letters, digits and marks that are in use (UTS 39, 3.1), which leaves out what is invisible or
/// changes the direction; visible ASCII, spaces and emoji.
fn is_allowed(character: char) -> bool {
    let is_emoji = matches!(character, '\u{2600}'..='\u{27bf}' | '\u{1f300}'..='\u{1faff}');
    character == ' ' || character.is_ascii_graphic() || is_emoji || character.identifier_allowed()
}

/// The same for names that look the same: regardless of case, spaces, and letters of other scripts
/// that look alike (UTS 39, 4).
fn look(name: &str) -> String {
    let lower = name.to_lowercase();
    let folded: String = skeleton(&lower).collect::<String>().to_lowercase();
    folded.chars().filter(|it| !it.is_whitespace()).collect()
}

/// The names for one who wants this one, each with its look, which must differ from all others.
pub(crate) fn candidates(wish: &str) -> Vec<(String, String)> {
    let numbers = (2..=MAX_TRIES).chain(iter::repeat_with(random_number).take(TRIES_AT_RANDOM));
    let numbered = numbers.map(|number| with_number(wish, number));
    let names = iter::once(wish.to_owned()).chain(numbered);
    names.map(|name| (name.clone(), look(&name))).collect()
}

/// Six digits.
fn random_number() -> u64 {
    u64::from_be_bytes(random_nonce().first_chunk().copied().unwrap_or_default()) % 900_000
        + 100_000
}

/// Returns the name with a number behind it, cut so that it stays within its limit.
fn with_number(wish: &str, number: u64) -> String {
    let suffix = number.to_string();
    wish.chars().take(MAX_NAME - suffix.len()).chain(suffix.chars()).collect()
}

/// The names in use, by their looks, and who has them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    taken: BTreeMap<String, u64>,
    /// The next number to try behind a name that was taken.
    numbers: BTreeMap<String, u64>,
}

impl Names {
    /// Takes the name for a visitor, or a similar one that is free.
    pub(crate) fn take(&mut self, wish: &str, visitor: u64) -> String {
        let mut name = wish.to_owned();
        // Numbers that are forgotten only cost another try.
        if self.numbers.len() > 2 * self.taken.len() + 100 {
            self.numbers.clear();
        }
        while self.holder(&name).is_some() {
            let number = self.numbers.entry(look(wish)).or_insert(2);
            name = with_number(wish, *number);
            *number += 1;
        }
        self.taken.insert(look(&name), visitor);
        name
    }

    /// Returns the visitor that has the name, or one that looks the same.
    pub(crate) fn holder(&self, name: &str) -> Option<u64> {
        self.taken.get(&look(name)).copied()
    }

    pub(crate) fn free(&mut self, name: &str) {
        self.taken.remove(&look(name));
        self.numbers.remove(&look(name));
    }
}
