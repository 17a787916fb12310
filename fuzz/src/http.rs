//! HTTP heads by a plain reading of RFC 9112 and RFC 6455, 4: the judge of what the handshakes take
//! and write, and the mutations of a head. It shares no code with sansock.

mod digest;
mod mutate;

pub use digest::{accept, is_key};
pub use mutate::mutate;

/// A head that is right by RFC 9112, nothing repaired.
#[derive(Debug, PartialEq, Eq)]
pub struct Head<'h> {
    /// The first line.
    pub line: &'h [u8],
    /// Names in lower case, values without the blanks around them.
    pub fields: Vec<(String, &'h [u8])>,
    /// How many bytes the head has.
    pub length: usize,
}

/// What is at the start of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Read<'h> {
    /// There is no empty line yet.
    Incomplete,
    /// Not a head.
    Wrong,
    /// A head.
    Complete(Head<'h>),
}

/// Reads a head.
pub fn head(bytes: &[u8]) -> Read<'_> {
    let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else {
        return Read::Incomplete;
    };
    match lines(&bytes[..end]) {
        Some((line, fields)) => Read::Complete(Head { line, fields, length: end + 4 }),
        None => Read::Wrong,
    }
}

/// These bytes with the line ends before folded lines of the head replaced with spaces (RFC 9112, 5.2).
/// The first line and what is behind the head stay.
pub fn unfolded(bytes: &[u8]) -> Vec<u8> {
    let (mut bytes, mut at, mut lines) = (bytes.to_vec(), 0, 0);
    while let Some(end) = bytes[at..].iter().position(|it| *it == b'\n').map(|it| at + it) {
        let line = bytes[at..end].strip_suffix(b"\r").unwrap_or(&bytes[at..end]);
        let line_end = at + line.len();
        if line.is_empty() {
            break;
        }
        if lines > 0 && matches!(bytes.get(end + 1), Some(b' ' | b'\t')) {
            bytes[line_end..=end].fill(b' ');
        } else {
            at = end + 1;
            lines += 1;
        }
    }
    bytes
}

/// Reads a head whose lines may end in LF alone, as a client takes them (RFC 9112, 2.2).
pub fn lenient_head(bytes: &[u8]) -> Read<'_> {
    let (mut lines, mut at) = (Vec::new(), 0);
    loop {
        let Some(end) = bytes[at..].iter().position(|it| *it == b'\n') else {
            return Read::Incomplete;
        };
        let line = &bytes[at..at + end];
        at += end + 1;
        match line.strip_suffix(b"\r").unwrap_or(line) {
            [] => break,
            line => lines.push(line),
        }
    }
    match checked(&lines) {
        Some((line, fields)) => Read::Complete(Head { line, fields, length: at }),
        None => Read::Wrong,
    }
}

type Fields<'h> = Vec<(String, &'h [u8])>;

fn lines(text: &[u8]) -> Option<(&[u8], Fields<'_>)> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.windows(2).position(|it| it == b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    lines.push(rest);
    checked(&lines)
}

fn checked<'h>(lines: &[&'h [u8]]) -> Option<(&'h [u8], Fields<'h>)> {
    let is_control = |byte: &u8| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f;
    if lines.iter().any(|line| line.iter().any(is_control)) {
        return None;
    }
    let (first, rest) = lines.split_first()?;
    let fields: Option<Vec<_>> = rest.iter().map(|line| field(line)).collect();
    Some((first, fields?))
}

/// `field-name ":" OWS field-value OWS` (RFC 9112, 5)
fn field(line: &[u8]) -> Option<(String, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = std::str::from_utf8(&line[..colon]).ok()?;
    if !is_token(name.as_bytes()) {
        return None;
    }
    Some((name.to_ascii_lowercase(), blanks_off(&line[colon + 1..])))
}

/// Takes spaces and tabs off both ends.
fn blanks_off(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// `1*tchar` (RFC 9110, 5.6.2)
pub fn is_token(text: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_tchar)
}

impl<'h> Head<'h> {
    /// The values of this name, which is in lower case.
    pub fn all(&self, name: &str) -> Vec<&'h [u8]> {
        self.fields.iter().filter(|(it, _)| it == name).map(|(_, value)| *value).collect()
    }

    /// The value of a field that is there once.
    pub fn one(&self, name: &str) -> Option<&'h [u8]> {
        match self.all(name).as_slice() {
            [value] => Some(value),
            _ => None,
        }
    }

    /// The elements of a list, empty ones left out.
    pub fn list(&self, name: &str) -> Vec<&'h [u8]> {
        let values = self.all(name).into_iter();
        let elements = values.flat_map(|value| value.split(|byte| *byte == b',')).map(blanks_off);
        elements.filter(|element| !element.is_empty()).collect()
    }

    /// Whether an element of a list is this, which is in lower case.
    pub fn has(&self, name: &str, token: &str) -> bool {
        self.list(name).iter().any(|it| it.to_ascii_lowercase() == token.as_bytes())
    }
}

/// An extension: its name, and its parameters with their values.
pub type Extension = (Vec<u8>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

/// The `extension-list` of RFC 6455, 9.1: it is split again and again, and each part looked at.
pub fn extensions(value: &[u8]) -> Option<Vec<Extension>> {
    let elements = split_outside_quotes(value, b',')?.into_iter();
    let elements = elements.map(blanks_off).filter(|it| !it.is_empty());
    let all: Option<Vec<_>> = elements.map(extension).collect();
    all
}

fn extension(element: &[u8]) -> Option<Extension> {
    let mut parts = split_outside_quotes(element, b';')?.into_iter().map(blanks_off);
    let name = parts.next().filter(|name| is_token(name))?;
    let parameters: Option<Vec<_>> = parts.map(parameter).collect();
    Some((name.to_vec(), parameters?))
}

fn parameter(text: &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let Some(at) = text.iter().position(|byte| *byte == b'=') else {
        return is_token(text).then(|| (text.to_vec(), None));
    };
    let (name, value) = (blanks_off(&text[..at]), blanks_off(&text[at + 1..]));
    let value = if is_token(value) { value.to_vec() } else { unquoted(value)? };
    (is_token(name) && is_token(&value)).then(|| (name.to_vec(), Some(value)))
}

/// The text in quotes, its escapes resolved.
fn unquoted(text: &[u8]) -> Option<Vec<u8>> {
    let mut inner = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?.iter();
    let mut plain = Vec::new();
    while let Some(byte) = inner.next() {
        match byte {
            b'\\' => plain.push(*inner.next()?),
            b'"' => return None,
            _ => plain.push(*byte),
        }
    }
    Some(plain)
}

/// Splits where a separator is not in quotes; `None` if quotes do not end.
fn split_outside_quotes(text: &[u8], separator: u8) -> Option<Vec<&[u8]>> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (i, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if *byte == separator && !quoted => {
                parts.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read() {
        let Read::Complete(head) = head(b"A B\r\nX:  y, \t,z \r\nx: w\r\n\r\nmore") else {
            panic!()
        };
        assert_eq!((head.line, head.length), (&b"A B"[..], 26));
        assert_eq!(head.list("x"), [&b"y"[..], b"z", b"w"]);
        assert!(head.has("x", "z") && !head.has("x", "y,") && head.one("x").is_none());
    }

    #[test]
    fn what_is_not_a_head() {
        assert_eq!(head(b"A\r\nX: y\r\n"), Read::Incomplete);
        for bytes in
            [&b"A\r\nX : y\r\n\r\n"[..], b"A\nB\r\n\r\n", b"A\r\n y\r\n\r\n", b"\0\r\n\r\n"]
        {
            assert_eq!(head(bytes), Read::Wrong, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn extension_lists() {
        for (value, right) in [
            ("permessage-deflate; client_max_window_bits", true),
            ("a, b;c=d;e=\"f\\g\"", true),
            (",a,", true),
            ("", true),
            (",", true),
            ("a;b=\"c,d\"", false),
            ("a;b=\"c", false),
            ("a b", false),
            ("a;", false),
        ] {
            assert_eq!(extensions(value.as_bytes()).is_some(), right, "{value}");
        }
    }
}
