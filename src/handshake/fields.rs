//! Header fields that arrived, and the lists in them.

use std::fmt;

/// One header line.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Field {
    name: Box<str>,
    /// Without blanks around it.
    value: Box<[u8]>,
}

impl Field {
    pub(crate) fn new(name: &str, value: &[u8]) -> Self {
        Self { name: name.into(), value: value.trim_ascii().into() }
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value.escape_ascii())
    }
}

/// The headers of a request or response, in the order in which they arrived. Names are compared
/// without regard to case. Blanks around values are removed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Headers<'h> {
    fields: &'h [Field],
}

impl<'h> Headers<'h> {
    pub(crate) const fn new(fields: &'h [Field]) -> Self {
        Self { fields }
    }

    /// Iterates over the names and values, one item for each line.
    pub fn iter(self) -> impl Iterator<Item = (&'h str, &'h [u8])> {
        self.fields.iter().map(|field| (&*field.name, &*field.value))
    }

    /// Returns the value of the first line with this name.
    #[must_use]
    pub fn get(self, name: &str) -> Option<&'h [u8]> {
        self.get_all(name).next()
    }

    /// Returns the value of the first line with this name, if it is UTF-8.
    #[must_use]
    pub fn get_str(self, name: &str) -> Option<&'h str> {
        self.get(name).and_then(|value| str::from_utf8(value).ok())
    }

    /// Iterates over the values of all lines with this name.
    pub fn get_all(self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        let lines = self.fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
        lines.map(|field| &*field.value)
    }

    /// Number of lines.
    #[must_use]
    pub const fn len(self) -> usize {
        self.fields.len()
    }

    /// Returns whether there are no headers.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.fields.is_empty()
    }

    /// Iterates over the elements of a list header, in all its lines: "A recipient MUST parse and
    /// ignore a reasonable number of empty list elements" (RFC 9110, 5.6.1.2).
    pub(crate) fn list(self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        let elements = self.get_all(name).flat_map(|value| value.split(|byte| *byte == b','));
        elements.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
    }

    /// Whether one of the elements of a list header is `token`, without regard to case.
    pub(crate) fn list_has(self, name: &str, token: &str) -> bool {
        self.list(name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fields).finish()
    }
}

/// `1*tchar` (RFC 9110, 5.6.2), which is RFC 2616's token too.
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_token_byte(*byte))
}

pub(crate) const fn is_token_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'!' | b'#'..=b'\'' | b'*' | b'+'
        | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Vec<Field> {
        lines.iter().map(|(name, value)| Field::new(name, value.as_bytes())).collect()
    }

    #[test]
    fn names_have_no_case_and_lookups_may_find_nothing() {
        let fields = fields(&[("Host", "a"), ("X-A", " b "), ("x-a", "c")]);
        let headers = Headers::new(&fields);
        assert_eq!(headers.get("HOST"), Some(&b"a"[..]));
        assert_eq!(headers.get_str("x-A"), Some("b"));
        assert_eq!(headers.get_all("X-a").collect::<Vec<_>>(), [b"b", b"c"]);
        assert_eq!(headers.get("Hos"), None);
        assert_eq!(
            headers.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            ["Host", "X-A", "x-a"]
        );
        assert_eq!((headers.len(), headers.is_empty()), (3, false));
        assert!(Headers::new(&[]).is_empty());
    }

    #[test]
    fn text_is_utf_8_or_nothing() {
        let fields = [Field::new("a", b"\xc3\xa9"), Field::new("b", b"\xe9")];
        let headers = Headers::new(&fields);
        assert_eq!((headers.get_str("a"), headers.get_str("b")), (Some("\u{e9}"), None));
        assert_eq!(headers.get("b"), Some(&b"\xe9"[..]));
        assert_eq!(format!("{headers:?}"), r"[a: \xc3\xa9, b: \xe9]");
    }

    #[test]
    fn a_list_goes_over_lines_and_ignores_empty_elements() {
        let fields =
            fields(&[("C", "keep-alive, ,\tUpgrade,"), ("D", "x"), ("C", ","), ("c", "a b")]);
        let headers = Headers::new(&fields);
        let elements: Vec<_> = headers.list("C").collect();
        assert_eq!(elements, [&b"keep-alive"[..], b"Upgrade", b"a b"]);
        for (token, there) in [
            ("upgrade", true),
            ("UPGRADE", true),
            ("keep-alive", true),
            ("up", false),
            ("a", false),
        ] {
            assert_eq!(headers.list_has("C", token), there, "{token}");
        }
    }

    #[test]
    fn tokens() {
        for byte in 0..=255_u8 {
            let separators = b"()<>@,;:\\\"/[]?={} \t";
            let is_token_byte = (0x20..0x7f).contains(&byte) && !separators.contains(&byte);
            assert_eq!(is_token(&[byte]), is_token_byte, "{byte:#x}");
        }
        assert!(!is_token(b"") && is_token(b"chat.v2") && !is_token(b"a b"));
    }
}
