//! Heads of requests and responses, each written in one of the many ways that mean the same.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sha1::{Digest, Sha1};

/// A first line and headers.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) first: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Head {
    /// Takes out all lines of this name.
    pub(crate) fn remove(&mut self, name: &str) {
        self.fields.retain(|(it, _)| !it.eq_ignore_ascii_case(name));
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.add(name, value);
    }

    pub(crate) fn add(&mut self, name: &str, value: &str) {
        self.fields.push((name.into(), value.into()));
    }

    /// The head's bytes, in this manner.
    pub(crate) fn write(&self, manner: &Manner) -> Vec<u8> {
        let mut fields = self.fields.clone();
        fields.extend(manner.extra.iter().cloned());
        let mut lines: Vec<_> = fields.iter().enumerate().collect();
        // Each line has a number by which it is sorted; lists that go over lines stay in order.
        lines.sort_by_key(|(at, (name, _))| {
            let of_name = fields.iter().position(|(it, _)| it.eq_ignore_ascii_case(name));
            let number = manner.order.get(of_name.unwrap_or(*at)).copied().unwrap_or_default();
            (number, of_name, *at)
        });
        let mut head = format!("{}\r\n", self.first).into_bytes();
        for (at, (name, value)) in lines {
            for (index, letter) in name.bytes().enumerate() {
                head.push(manner.letter(at + index, letter));
            }
            head.push(b':');
            head.extend_from_slice(manner.blanks(at));
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(manner.blanks(at + 1));
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// What a peer may choose without saying anything else: the order of the headers, the case of their
/// names, the blanks around values, and headers that mean nothing here.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    order: Vec<u8>,
    capitals: Vec<bool>,
    blanks: Vec<String>,
    pub(crate) extra: Vec<(String, String)>,
}

impl Manner {
    fn letter(&self, at: usize, letter: u8) -> u8 {
        match self.capitals.get(at % self.capitals.len().max(1)) {
            Some(true) => letter.to_ascii_uppercase(),
            Some(false) => letter.to_ascii_lowercase(),
            None => letter,
        }
    }

    fn blanks(&self, at: usize) -> &[u8] {
        self.blanks.get(at % self.blanks.len().max(1)).map_or(b"", |blanks| blanks.as_bytes())
    }

    /// A value that is compared without regard to case.
    pub(crate) fn word(&self, word: &str) -> String {
        word.bytes().enumerate().map(|(at, letter)| char::from(self.letter(at, letter))).collect()
    }
}

pub(crate) fn manner() -> impl Strategy<Value = Manner> {
    let extra = ("X-[A-Za-z0-9!#$%&'*+.^_`|~-]{0,8}", value());
    let blanks = "[ \t]{0,3}";
    (vec(any::<u8>(), 20), vec(any::<bool>(), 0..8), vec(blanks, 0..4), vec(extra, 0..6))
        .prop_map(|(order, capitals, blanks, extra)| Manner { order, capitals, blanks, extra })
}

/// A header's value: visible, with blanks inside but not around it.
pub(crate) fn value() -> impl Strategy<Value = String> {
    "([!-~é]([ -~\t]{0,20}[!-~])?)?"
}

/// A token that the handshake gives no meaning.
pub(crate) fn token() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,8}"
}

/// Different tokens, such as subprotocols are.
pub(crate) fn tokens(
    count: impl Into<proptest::collection::SizeRange>,
) -> impl Strategy<Value = Vec<String>> {
    proptest::collection::hash_set(token(), count).prop_map(|names| names.into_iter().collect())
}

/// A name that is one of these, nearly one of them, or another.
pub(crate) fn near(names: &[String]) -> impl Strategy<Value = String> + use<> {
    let change: fn(&str) -> String = str::to_owned;
    let changes = [change, str::to_ascii_uppercase, str::to_ascii_lowercase, |it| format!("{it}x")];
    let known = if names.is_empty() { vec!["x".to_owned()] } else { names.to_vec() };
    let near = (select(known), select(changes.to_vec())).prop_map(|(name, change)| change(&name));
    prop_oneof![3 => near, 1 => token()]
}

/// A list of the elements: on how many lines, and with how many blanks and empty elements, is free.
pub(crate) fn list(elements: Vec<String>) -> impl Strategy<Value = Vec<String>> {
    let separators = select(vec![",", ", ", " ,", ",,", "\t, ,", "\n"]);
    vec(separators, elements.len()).prop_map(move |separators| {
        let joined: String =
            elements.iter().zip(separators).flat_map(|(element, by)| [element, by]).collect();
        joined.lines().map(|line| line.trim_ascii().to_owned()).collect()
    })
}

/// A list that has this element among others.
pub(crate) fn list_with(element: String) -> impl Strategy<Value = Vec<String>> {
    (vec("[a-z-]{1,10}", 0..3), any::<Index>()).prop_flat_map(move |(mut others, place)| {
        others.insert(place.index(others.len() + 1), element.clone());
        list(others)
    })
}

/// Section 4.2.2, item 5.4.
pub(crate) fn accept(key: &str) -> String {
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(Sha1::digest(text))
}

/// The response's status, and its headers with names in lower case.
pub(crate) fn read(head: &[u8]) -> (u16, Vec<(String, String)>) {
    let text = String::from_utf8(head.to_vec()).unwrap();
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().strip_prefix("HTTP/1.1 ").unwrap();
    let status = status.split(' ').next().unwrap().parse().unwrap();
    let fields = lines.map(|line| line.split_once(": ").unwrap());
    (status, fields.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect())
}
