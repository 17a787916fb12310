//! `Sec-WebSocket-Extensions` (RFC 6455, 9.1): one pass over the bytes, without allocation.
//!
//! ```text
//! extension-list  = 1#extension
//! extension       = extension-token *( ";" extension-param )
//! extension-param = token [ "=" (token | quoted-string) ]
//! ```

use crate::deflate::{self, DeflateConfig, NegotiatedDeflate};

use super::error::{HandshakeError, HeadError, ResponseError};
use super::fields::{Headers, is_token_byte};
use super::headers::FieldWriter;

/// The header's name.
pub(crate) const HEADER: &str = "Sec-WebSocket-Extensions";

/// Maximum number of extensions in a head, and of parameters of one extension. Browsers send one or
/// two.
const MOST: usize = 32;

/// Checks the syntax of all lines and counts their extensions: "If a value is received by
/// either the client or the server during negotiation that does not conform to the ABNF below, the
/// recipient of such malformed data MUST immediately _Fail the WebSocket Connection_." (9.1) A line
/// without any extension lists empty elements only, which do not count (RFC 9110, 5.6.1.2).
pub(crate) fn check(headers: Headers<'_>) -> Result<usize, HeadError> {
    let mut extensions: usize = 0;
    for line in headers.get_all(HEADER) {
        for extension in List(Cursor(line)) {
            let Extension { parameters, .. } = extension?;
            extensions = extensions.saturating_add(1);
            if extensions > MOST || parameters > MOST {
                return Err(HeadError::TooManyExtensions { limit: MOST });
            }
        }
    }
    Ok(extensions)
}

/// Accepts the first offer of permessage-deflate that `config` allows, since offers are "ordered by
/// preference" (RFC 7692, 5). Writes the header for it.
pub(crate) fn accept(
    headers: Headers<'_>,
    config: Option<&DeflateConfig>,
    fields: &mut impl FieldWriter,
) -> Option<NegotiatedDeflate> {
    let (response, negotiated) = respond(headers, config)?;
    fields.field(HEADER, &response);
    Some(negotiated)
}

/// The value of the header for the offer that is accepted, and what applies.
pub(crate) fn respond(
    headers: Headers<'_>,
    config: Option<&DeflateConfig>,
) -> Option<(String, NegotiatedDeflate)> {
    let config = config?;
    let mut offers = all(headers).filter(|offer| offer.name == deflate::NAME.as_bytes());
    let (response, negotiated) = offers.find_map(|offer| config.accept(offer.parameters()))?;
    Some((response.to_string(), negotiated))
}

/// Writes a client's offers in the order of preference.
pub(crate) fn offer(configs: &[DeflateConfig], fields: &mut impl FieldWriter) {
    if !configs.is_empty() {
        let offers: Vec<_> = configs.iter().map(|config| config.offer().to_string()).collect();
        fields.field(HEADER, &offers.join(", "));
    }
}

/// Finds out which of the client's offers the server has chosen.
pub(crate) fn agree(
    headers: Headers<'_>,
    configs: &[DeflateConfig],
) -> Result<Option<NegotiatedDeflate>, HandshakeError> {
    check(headers)?;
    let mut chosen = all(headers);
    let Some(extension) = chosen.next() else { return Ok(None) };
    // "If the response includes a |Sec-WebSocket-Extensions| header field and this header field
    // indicates the use of an extension that was not present in the client's handshake" (4.1)
    if configs.is_empty() || extension.name != deflate::NAME.as_bytes() {
        return Err(ResponseError::UnexpectedExtension.into());
    }
    if chosen.next().is_some() {
        return Err(ResponseError::UnexpectedExtension.into());
    }
    match configs.iter().find_map(|config| config.agree(extension.parameters())) {
        Some(negotiated) => Ok(Some(negotiated)),
        None => Err(ResponseError::ExtensionParameters.into()),
    }
}

/// The extensions of a header that was checked before.
fn all(headers: Headers<'_>) -> impl Iterator<Item = Extension<'_>> {
    headers.get_all(HEADER).flat_map(|line| List(Cursor(line)).flatten())
}

const MALFORMED: HeadError = HeadError::InvalidHeader(HEADER);

/// Iterates over the extensions in a line. The last item is an error if the line is malformed.
struct List<'h>(Cursor<'h>);

/// An extension, offered or chosen.
struct Extension<'h> {
    name: &'h [u8],
    /// Where its parameters start.
    behind: Cursor<'h>,
    parameters: usize,
}

impl<'h> Iterator for List<'h> {
    type Item = Result<Extension<'h>, HeadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &mut self.0;
        rest.skip_blanks();
        // Empty elements do not count (RFC 9110, 5.6.1.2).
        while rest.takes(b',') {}
        if rest.0.is_empty() {
            return None;
        }
        let extension = rest.extension();
        if extension.is_none() {
            *rest = Cursor(&[]);
        }
        Some(extension.ok_or(MALFORMED))
    }
}

impl<'h> Extension<'h> {
    /// Names and values.
    fn parameters(
        &self,
    ) -> impl Iterator<Item = (&'h [u8], Option<impl Iterator<Item = u8> + use<'h>>)> + use<'h>
    {
        let mut rest = self.behind;
        std::iter::from_fn(move || rest.parameter().flatten())
            .map(|(name, value)| (name, value.map(unescaped)))
    }
}

/// A parameter's name, and its value without quotes but with backslashes.
type Parameter<'h> = (&'h [u8], Option<&'h [u8]>);

/// The rest of a line.
#[derive(Clone, Copy)]
struct Cursor<'h>(&'h [u8]);

impl<'h> Cursor<'h> {
    fn skip_blanks(&mut self) {
        while let [b' ' | b'\t', behind @ ..] = self.0 {
            self.0 = behind;
        }
    }

    /// Takes `byte` and the blanks after it. Returns `false` if `byte` does not come next.
    fn takes(&mut self, byte: u8) -> bool {
        let Some((_, behind)) = self.0.split_first().filter(|(first, _)| **first == byte) else {
            return false;
        };
        self.0 = behind;
        self.skip_blanks();
        true
    }

    /// Takes a token and the blanks after it.
    fn token(&mut self) -> Option<&'h [u8]> {
        let length = self.0.iter().take_while(|byte| is_token_byte(**byte)).count();
        let (token, behind) = self.0.split_at(length);
        self.0 = behind;
        self.skip_blanks();
        (length > 0).then_some(token)
    }

    /// Takes an extension, up to the comma after it or the end of the line.
    fn extension(&mut self) -> Option<Extension<'h>> {
        let name = self.token()?;
        let behind = *self;
        let mut parameters: usize = 0;
        while self.parameter()?.is_some() {
            parameters = parameters.saturating_add(1);
        }
        matches!(self.0, [] | [b',', ..]).then_some(Extension { name, behind, parameters })
    }

    /// Takes `";" token [ "=" (token | quoted-string) ]`; `Some(None)` if no semicolon comes next.
    #[expect(clippy::option_option, reason = "malformed, no parameter, or one")]
    fn parameter(&mut self) -> Option<Option<Parameter<'h>>> {
        if !self.takes(b';') {
            return Some(None);
        }
        let name = self.token()?;
        if !self.takes(b'=') {
            return Some(Some((name, None)));
        }
        let value = match self.token() {
            Some(token) => token,
            None => self.quoted_token()?,
        };
        Some(Some((name, Some(value))))
    }

    /// Takes a quoted string and returns what is between the quotes: "When using the quoted-string
    /// syntax variant, the value after quoted-string unescaping MUST conform to the 'token' ABNF."
    /// (9.1)
    fn quoted_token(&mut self) -> Option<&'h [u8]> {
        let inner = self.0.strip_prefix(b"\"")?;
        let mut bytes = inner.iter();
        loop {
            match bytes.next()? {
                b'"' => break,
                b'\\' if is_token_byte(*bytes.next()?) => {}
                byte if is_token_byte(*byte) => {}
                _ => return None,
            }
        }
        self.0 = bytes.as_slice();
        let value = inner.strip_suffix(self.0)?.strip_suffix(b"\"")?;
        self.skip_blanks();
        (!value.is_empty()).then_some(value)
    }
}

/// A parameter's value without backslashes. Only a quoted string can have them.
fn unescaped(value: &[u8]) -> impl Iterator<Item = u8> {
    value.iter().copied().filter(|byte| *byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::fields::Field;

    fn checked(lines: &[&str]) -> Result<usize, HeadError> {
        let fields: Vec<_> = lines.iter().map(|line| Field::new(HEADER, line.as_bytes())).collect();
        check(Headers::new(&fields))
    }

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
            ("", 0),
            (",", 0),
            (" , ,", 0),
            ("x-webkit-deflate-frame", 1),
        ] {
            assert_eq!(checked(&[line]), Ok(extensions), "{line}");
        }
    }

    #[test]
    fn what_is_malformed() {
        for line in [
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
            "a;b=\"c\\\"",
            "a;b=\"c\\\"\"",
            "a;\"b\"",
            "\"a\"",
            "a/1",
            "a;b==c",
            "a,;b",
            "\u{e9}",
        ] {
            assert_eq!(checked(&[line]), Err(MALFORMED), "{line}");
            assert_eq!(checked(&["fine", line]), Err(MALFORMED), "{line}");
        }
    }

    #[test]
    fn parameters_are_names_with_values_quoted_or_not() {
        let line = b"x, a; b; c = d;e=\"f\" ; g=\"\\h\\i\", y; z";
        let fields = [Field::new(HEADER, line)];
        let found: Vec<(String, Vec<_>)> = all(Headers::new(&fields))
            .map(|extension| {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let parameters = extension.parameters().map(|(name, value)| {
                    let value: Option<Vec<u8>> = value.map(Iterator::collect);
                    value.map_or(text(name), |value| format!("{}={}", text(name), text(&value)))
                });
                (text(extension.name), parameters.collect())
            })
            .collect();
        let expected = [("x", vec![]), ("a", vec!["b", "c=d", "e=f", "g=hi"]), ("y", vec!["z"])];
        assert_eq!(found.len(), expected.len());
        for ((name, parameters), expected) in found.iter().zip(expected) {
            assert_eq!(
                (name.as_str(), parameters),
                (expected.0, &expected.1.iter().map(ToString::to_string).collect())
            );
        }
    }

    #[test]
    fn there_is_a_limit_for_extensions_and_for_parameters() {
        let too_many = Err(HeadError::TooManyExtensions { limit: MOST });
        for (name, behind) in [("a", ", a"), ("a", "; b"), ("a", "; b=c")] {
            let most = usize::from(behind.starts_with(';'));
            let line = |repeats| format!("{name}{}", behind.repeat(repeats));
            assert!(checked(&[&line(MOST - 1 + most)]).is_ok());
            assert_eq!(checked(&[&line(MOST + most)]), too_many);
        }
        assert_eq!(checked(&["a"; MOST]), Ok(MOST));
        assert_eq!(checked(&["a"; MOST + 1]), too_many);
    }
}
