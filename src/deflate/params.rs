//! The parameters of an offer or of a response (RFC 7692, 7.1).

use std::fmt;

/// The extension's name (RFC 7692, 7).
pub(crate) const NAME: &str = "permessage-deflate";

/// The largest LZ77 window, 32,768 bytes, as a power of two: the default without a parameter
/// (7.1.2).
pub(super) const LARGEST: u8 = 15;

/// The parameters of an offer or of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Parameters {
    pub(super) server_no_context_takeover: bool,
    pub(super) client_no_context_takeover: bool,
    pub(super) server_max_window_bits: Option<u8>,
    pub(super) client_max_window_bits: ClientBits,
}

/// `client_max_window_bits`; in an offer it may have no value, which only means that it is
/// supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum ClientBits {
    #[default]
    Absent,
    Supported,
    AtMost(u8),
}

impl Parameters {
    /// Returns `None` if it "contains an extension parameter not defined for use in an offer",
    /// "contains an extension parameter with an invalid value" or "contains multiple extension
    /// parameters with the same name" (7).
    pub(super) fn parse<'h, V: Iterator<Item = u8>>(
        parameters: impl Iterator<Item = (&'h [u8], Option<V>)>,
    ) -> Option<Self> {
        let mut all = Self::default();
        for (name, value) in parameters {
            match (name, value) {
                (b"server_no_context_takeover", None) if !all.server_no_context_takeover => {
                    all.server_no_context_takeover = true;
                }
                (b"client_no_context_takeover", None) if !all.client_no_context_takeover => {
                    all.client_no_context_takeover = true;
                }
                (b"server_max_window_bits", Some(value))
                    if all.server_max_window_bits.is_none() =>
                {
                    all.server_max_window_bits = Some(window_bits(value)?);
                }
                (b"client_max_window_bits", value)
                    if all.client_max_window_bits == ClientBits::Absent =>
                {
                    all.client_max_window_bits = match value {
                        None => ClientBits::Supported,
                        Some(value) => ClientBits::AtMost(window_bits(value)?),
                    };
                }
                _ => return None,
            }
        }
        Some(all)
    }
}

/// Formats the parameters as an element of Sec-WebSocket-Extensions.
impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        if self.server_no_context_takeover {
            f.write_str("; server_no_context_takeover")?;
        }
        if self.client_no_context_takeover {
            f.write_str("; client_no_context_takeover")?;
        }
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; server_max_window_bits={bits}")?;
        }
        match self.client_max_window_bits {
            ClientBits::Absent => Ok(()),
            ClientBits::Supported => f.write_str("; client_max_window_bits"),
            ClientBits::AtMost(bits) => write!(f, "; client_max_window_bits={bits}"),
        }
    }
}

/// "a decimal integer value without leading zeroes between 8 to 15, inclusive" (7.1.2)
#[expect(clippy::arithmetic_side_effects, reason = "the patterns take digits only: 15 at most")]
fn window_bits(mut digits: impl Iterator<Item = u8>) -> Option<u8> {
    match (digits.next()?, digits.next(), digits.next()) {
        (digit @ (b'8' | b'9'), None, _) => Some(digit - b'0'),
        (b'1', Some(digit @ b'0'..=b'5'), None) => Some(10 + (digit - b'0')),
        _ => None,
    }
}
