//! Rules for header fields: which may come once, and what a program may add.

use std::fmt;

use super::error::{HeadError, UsageError};
use super::fields::{Headers, is_token};

impl<'h> Headers<'h> {
    /// The value of a header that may occur once at most.
    pub(crate) fn at_most_one(self, name: &'static str) -> Result<Option<&'h [u8]>, HeadError> {
        let mut lines = self.get_all(name);
        let first = lines.next();
        match lines.next() {
            None => Ok(first),
            Some(_) => Err(HeadError::RepeatedHeader(name)),
        }
    }

    /// The value of a header that must occur exactly once.
    pub(crate) fn exactly_one(self, name: &'static str) -> Result<&'h [u8], HeadError> {
        self.at_most_one(name)?.ok_or(HeadError::MissingHeader(name))
    }

    /// "[RFC6455] requires the use of Connection and Upgrade header fields that are not part of
    /// HTTP/2. They MUST NOT be included in the CONNECT request defined here." (RFC 8441, 5) "Any
    /// message containing connection-specific header fields MUST be treated as malformed" (RFC 9113,
    /// 8.2.2).
    pub(crate) fn check_no_upgrade(self) -> Result<(), HeadError> {
        match ["Connection", "Upgrade"].into_iter().find(|name| self.get(name).is_some()) {
            Some(name) => Err(HeadError::InvalidHeader(name)),
            None => Ok(()),
        }
    }
}

/// Headers that the program adds to a request or response.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct ExtraHeaders(Vec<(String, String)>);

impl ExtraHeaders {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn push(&mut self, name: String, value: String) {
        self.0.push((name, value));
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(it, _)| it.eq_ignore_ascii_case(name))
    }

    /// Checks the syntax, and that no header is reserved. `reserved` contains lower-case names; one
    /// ending in `-` reserves every name with that prefix.
    pub(crate) fn check(&self, reserved: &[&str]) -> Result<(), UsageError> {
        for (name, value) in &self.0 {
            if !is_token(name.as_bytes()) {
                return Err(UsageError::InvalidHeaderName(name.as_str().into()));
            }
            if !is_field_value(value) {
                return Err(UsageError::InvalidHeaderValue(name.as_str().into()));
            }
            let lower = name.to_ascii_lowercase();
            if reserved.iter().any(|it| lower == *it || it.ends_with('-') && lower.starts_with(it))
            {
                return Err(UsageError::ReservedHeader(name.as_str().into()));
            }
        }
        Ok(())
    }

    pub(crate) fn write(&self, fields: &mut impl FieldWriter) {
        for (name, value) in &self.0 {
            fields.field(name, value);
        }
    }
}

impl fmt::Debug for ExtraHeaders {
    /// Shows names only: values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Whether a value contains nothing that would end the line, or that a peer would strip or refuse
/// (RFC 9110, 5.5).
pub(crate) fn is_field_value(value: &str) -> bool {
    value.trim_ascii() == value
        && value.bytes().all(|byte| byte == b'\t' || !byte.is_ascii_control())
}

/// Where the fields of our own head go.
pub(crate) trait FieldWriter {
    fn field(&mut self, name: &str, value: &str);
}

/// The head in bytes of HTTP/1.1.
impl FieldWriter for String {
    fn field(&mut self, name: &str, value: &str) {
        for part in [name, ": ", value, "\r\n"] {
            self.push_str(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::fields::Field;

    #[test]
    fn some_headers_come_once() {
        let fields = [("Host", "a"), ("X-A", "b"), ("x-a", "c")]
            .map(|(name, value)| Field::new(name, value.as_bytes()));
        let headers = Headers::new(&fields);
        assert_eq!(headers.at_most_one("Host"), Ok(Some(&b"a"[..])));
        assert_eq!(headers.at_most_one("Origin"), Ok(None));
        assert_eq!(headers.exactly_one("Origin"), Err(HeadError::MissingHeader("Origin")));
        assert_eq!(headers.exactly_one("X-A"), Err(HeadError::RepeatedHeader("X-A")));
    }

    #[test]
    fn what_the_program_adds_is_checked() {
        let reserved = &["host", "sec-websocket-"];
        for (name, value, outcome) in [
            ("X", "y", Ok(())),
            ("X", "", Ok(())),
            ("X", "a\tb \u{e9}", Ok(())),
            ("Hosts", "y", Ok(())),
            ("Sec-WebSocke", "y", Ok(())),
            ("", "y", Err(UsageError::InvalidHeaderName("".into()))),
            ("X:", "y", Err(UsageError::InvalidHeaderName("X:".into()))),
            ("X\r\nY", "y", Err(UsageError::InvalidHeaderName("X\r\nY".into()))),
            ("X ", "y", Err(UsageError::InvalidHeaderName("X ".into()))),
            ("X", "a\r\nY: z", Err(UsageError::InvalidHeaderValue("X".into()))),
            ("X", "a\nY", Err(UsageError::InvalidHeaderValue("X".into()))),
            ("X", "a\r", Err(UsageError::InvalidHeaderValue("X".into()))),
            ("X", "a\0", Err(UsageError::InvalidHeaderValue("X".into()))),
            ("X", "\x7f", Err(UsageError::InvalidHeaderValue("X".into()))),
            ("X", " a", Err(UsageError::InvalidHeaderValue("X".into()))),
            ("X", "a\t", Err(UsageError::InvalidHeaderValue("X".into()))),
            ("HOST", "y", Err(UsageError::ReservedHeader("HOST".into()))),
            ("Sec-WebSocket-Foo", "y", Err(UsageError::ReservedHeader("Sec-WebSocket-Foo".into()))),
        ] {
            let mut headers = ExtraHeaders::new();
            headers.push("Fine".into(), "yes".into());
            headers.push(name.into(), value.into());
            assert_eq!(headers.check(reserved), outcome, "{name:?}: {value:?}");
        }
    }
}
