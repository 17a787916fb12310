//! `Sec-WebSocket-Extensions` (RFC 6455, 9.1), in one pass and without allocation.
//!
//! ```text
//! extension-list  = 1#extension
//! extension       = extension-token *( ";" extension-param )
//! extension-param = token [ "=" (token | quoted-string) ]
//! ```

use super::error::HandshakeError;
use super::headers::{Headers, is_token_byte};

/// The header's name.
pub(crate) const HEADER: &str = "Sec-WebSocket-Extensions";

/// Checks the syntax of all lines and counts the extensions in them: "If a value is received by
/// either the client or the server during negotiation that does not conform to the ABNF below, the
/// recipient of such malformed data MUST immediately _Fail the WebSocket Connection_." (9.1)
pub(crate) fn check(headers: Headers<'_>) -> Result<usize, HandshakeError> {
    let mut extensions = 0;
    for line in headers.all(HEADER) {
        extensions += check_line(line).ok_or(HandshakeError::InvalidHeader(HEADER))?;
    }
    Ok(extensions)
}

/// The number of extensions in a line: at least one, or it is malformed.
fn check_line(line: &[u8]) -> Option<usize> {
    let mut rest = Cursor(line);
    let mut extensions = 0;
    loop {
        rest.skip_blanks();
        if rest.token() {
            rest.parameters()?;
            extensions += 1;
        }
        match rest.0.split_first() {
            None => return (extensions > 0).then_some(extensions),
            Some((b',', behind)) => rest.0 = behind,
            Some(_) => return None,
        }
    }
}

/// What is left of the line.
struct Cursor<'h>(&'h [u8]);

impl Cursor<'_> {
    fn skip_blanks(&mut self) {
        let blanks = self.0.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        self.0 = &self.0[blanks..];
    }

    /// Takes a token and the blanks behind it; `false` if there is none.
    fn token(&mut self) -> bool {
        let length = self.0.iter().take_while(|byte| is_token_byte(**byte)).count();
        self.0 = &self.0[length..];
        self.skip_blanks();
        length > 0
    }

    /// Takes `byte` and the blanks behind it; `false` if it does not come next.
    fn takes(&mut self, byte: u8) -> bool {
        let Some((_, behind)) = self.0.split_first().filter(|(first, _)| **first == byte) else {
            return false;
        };
        self.0 = behind;
        self.skip_blanks();
        true
    }

    /// `*( ";" token [ "=" (token | quoted-string) ] )`
    fn parameters(&mut self) -> Option<()> {
        while self.takes(b';') {
            if !self.token() {
                return None;
            }
            if self.takes(b'=') && !self.token() {
                self.quoted_token()?;
            }
        }
        Some(())
    }

    /// "When using the quoted-string syntax variant, the value after quoted-string unescaping MUST
    /// conform to the 'token' ABNF." (9.1)
    fn quoted_token(&mut self) -> Option<()> {
        let mut bytes = self.0.strip_prefix(b"\"")?.iter();
        let mut length = 0;
        loop {
            match bytes.next()? {
                b'"' => break,
                b'\\' if is_token_byte(*bytes.next()?) => length += 1,
                byte if is_token_byte(*byte) => length += 1,
                _ => return None,
            }
        }
        self.0 = bytes.as_slice();
        self.skip_blanks();
        (length > 0).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_of_section_9_1() {
        for (line, extensions) in [
            ("foo", 1),
            ("foo, bar; baz=2", 2),
            ("bar; baz=2,foo", 2),
            ("deflate-stream", 1),
            ("mux; max-channels=4; flow-control, deflate-stream", 2),
            ("private-extension", 1),
            ("permessage-deflate; client_max_window_bits", 1),
            ("permessage-deflate; client_max_window_bits=\"15\" ;server_no_context_takeover", 1),
            ("a ; b = c ; d = \"\\e\\f\" , g", 2),
            (",, a , ,b,", 2),
            ("x-webkit-deflate-frame", 1),
        ] {
            assert_eq!(check_line(line.as_bytes()), Some(extensions), "{line}");
        }
    }

    #[test]
    fn what_is_malformed() {
        for line in [
            "",
            ",",
            " , ,",
            ";",
            "a;",
            "a; ;b",
            "a;b=",
            "a;=b",
            "a b",
            "a;b c",
            "a;b=c d",
            "a=b",
            "a;b=\"",
            "a;b=\"c",
            "a;b=\"c\\",
            "a;b=\"\"",
            "a;b=\"c d\"",
            "a;b=\"c,d\"",
            "a;b=\"c\"d",
            "a;b=\"c\\\"\"",
            "a;\"b\"",
            "\"a\"",
            "a/1",
            "a;b==c",
            "a,;b",
            "\u{e9}",
        ] {
            assert_eq!(check_line(line.as_bytes()), None, "{line}");
        }
    }
}
