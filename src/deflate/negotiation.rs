//! Offers and answers (RFC 7692, 5 and 7.1).

use super::compress::Deflate;
use super::config::{ContextTakeover, DeflateConfig, DeflateLevel, WindowBits};
use super::inflate::Inflate;
use super::params::{ClientBits, LARGEST, Parameters};
use crate::config::Role;

impl DeflateConfig {
    /// Returns what holds if the peer agreed to all of it, for a handshake that other code has done
    /// ([`Established::after_handshake`](crate::handshake::Established::after_handshake)).
    #[must_use]
    pub const fn as_negotiated(&self) -> NegotiatedDeflate {
        NegotiatedDeflate {
            server_context: self.server_context,
            client_context: self.client_context,
            server_bits: self.server_bits.0,
            client_bits: self.client_bits.0,
            level: self.level,
            threshold: self.threshold,
        }
    }

    /// Creates the compressor for a server's message to many connections.
    pub(crate) const fn deflate_once(&self) -> Deflate {
        Deflate::new(self.server_bits, self.level, ContextTakeover::Forbidden, 0)
    }

    /// Returns the client's offer.
    pub(crate) fn offer(&self) -> Parameters {
        Parameters {
            server_no_context_takeover: self.server_context.is_forbidden(),
            client_no_context_takeover: self.client_context.is_forbidden(),
            server_max_window_bits: less_than_largest(self.server_bits.0),
            // Without this parameter the server could not ask for a smaller window (7.1.2.2).
            client_max_window_bits: match less_than_largest(self.client_bits.0) {
                None => ClientBits::Supported,
                Some(bits) => ClientBits::AtMost(bits),
            },
        }
    }

    /// Returns the server's answer to an offer, or `None` if it declines: what goes on the wire and
    /// what applies.
    pub(crate) fn accept<'h, V: Iterator<Item = u8>>(
        &self,
        offer: impl Iterator<Item = (&'h [u8], Option<V>)>,
    ) -> Option<(Parameters, NegotiatedDeflate)> {
        let offer = Parameters::parse(offer)?;
        let server_bits = WindowBits::new(
            offer.server_max_window_bits.unwrap_or(LARGEST).min(self.server_bits.0),
        )?;
        // "If a received extension negotiation offer doesn't have the "client_max_window_bits"
        // extension parameter, the corresponding extension negotiation response to the offer MUST
        // NOT include" it (7.1.2.2).
        let client_bits = match offer.client_max_window_bits {
            ClientBits::Absent => LARGEST,
            ClientBits::Supported => self.client_bits.0,
            ClientBits::AtMost(bits) => bits.min(self.client_bits.0),
        };
        let response = Parameters {
            server_no_context_takeover: offer.server_no_context_takeover
                || self.server_context.is_forbidden(),
            // The client does this anyway, if its offer says so; we rely on it only if the response
            // says it.
            client_no_context_takeover: offer.client_no_context_takeover
                || self.client_context.is_forbidden(),
            // "A server accepts an extension negotiation offer with this parameter by including the
            // "server_max_window_bits" extension parameter in the extension negotiation response"
            // (7.1.2.1)
            server_max_window_bits: offer
                .server_max_window_bits
                .map(|_| server_bits.0)
                .or(less_than_largest(server_bits.0)),
            client_max_window_bits: match less_than_largest(client_bits) {
                None => ClientBits::Absent,
                Some(bits) => ClientBits::AtMost(bits),
            },
        };
        Some((response, self.negotiated(response)))
    }

    /// Returns the parameters that apply after the server's response to our offer; `None` if the
    /// response is not valid or does not match the offer: then "A client MUST _Fail the WebSocket
    /// Connection_" (7).
    pub(crate) fn agree<'h, V: Iterator<Item = u8>>(
        &self,
        response: impl Iterator<Item = (&'h [u8], Option<V>)>,
    ) -> Option<NegotiatedDeflate> {
        let mut response = Parameters::parse(response)?;
        let offer = self.offer();
        if offer.server_no_context_takeover && !response.server_no_context_takeover {
            return None;
        }
        if offer
            .server_max_window_bits
            .is_some_and(|most| response.server_max_window_bits.is_none_or(|bits| bits > most))
        {
            return None;
        }
        match response.client_max_window_bits {
            // Only in an offer may it have no value (7.1.2.2).
            ClientBits::Supported => return None,
            ClientBits::AtMost(bits) if bits > self.client_bits.0 => return None,
            ClientBits::Absent | ClientBits::AtMost(_) => {}
        }
        // What we offered applies even if the response does not repeat it: "even if the server
        // doesn't include the "client_no_context_takeover" extension parameter in the corresponding
        // extension negotiation response to the offer, the client is not going to use context
        // takeover" (7.1.1.2), and the same for the window (7.1.2.2).
        response.client_no_context_takeover |= offer.client_no_context_takeover;
        if response.client_max_window_bits == ClientBits::Absent {
            response.client_max_window_bits = offer.client_max_window_bits;
        }
        Some(self.negotiated(response))
    }

    const fn negotiated(&self, response: Parameters) -> NegotiatedDeflate {
        NegotiatedDeflate {
            server_context: ContextTakeover::forbidden_if(response.server_no_context_takeover),
            client_context: ContextTakeover::forbidden_if(response.client_no_context_takeover),
            server_bits: match response.server_max_window_bits {
                None => LARGEST,
                Some(bits) => bits,
            },
            client_bits: match response.client_max_window_bits {
                ClientBits::Absent | ClientBits::Supported => LARGEST,
                ClientBits::AtMost(bits) => bits,
            },
            level: self.level,
            threshold: self.threshold,
        }
    }
}

/// The parameters of permessage-deflate that both ends agreed on (RFC 7692, 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiatedDeflate {
    pub(super) server_context: ContextTakeover,
    pub(super) client_context: ContextTakeover,
    pub(super) server_bits: u8,
    pub(super) client_bits: u8,
    pub(super) level: DeflateLevel,
    pub(super) threshold: usize,
}

impl NegotiatedDeflate {
    /// Returns whether the server's messages may refer to earlier ones.
    #[must_use]
    pub const fn server_context(&self) -> ContextTakeover {
        self.server_context
    }

    /// Returns whether the client's messages may refer to earlier ones.
    #[must_use]
    pub const fn client_context(&self) -> ContextTakeover {
        self.client_context
    }

    /// Returns the server's largest window, as a power of two: 8 to 15.
    #[must_use]
    pub const fn server_max_window_bits(&self) -> u8 {
        self.server_bits
    }

    /// Returns the client's largest window, as a power of two: 8 to 15. With 8 a client of this
    /// crate sends no compressed messages.
    #[must_use]
    pub const fn client_max_window_bits(&self) -> u8 {
        self.client_bits
    }

    /// Returns how hard the compressor tries ([`DeflateConfig::level`]).
    #[must_use]
    pub const fn level(&self) -> DeflateLevel {
        self.level
    }

    /// Returns the length in bytes from which messages are compressed
    /// ([`DeflateConfig::threshold`]).
    #[must_use]
    pub const fn threshold(&self) -> usize {
        self.threshold
    }

    /// Creates the decompressor for the messages of `role`'s peer.
    pub(crate) const fn inflate(&self, role: Role) -> Inflate {
        Inflate::new(match role {
            Role::Client => self.server_context,
            Role::Server => self.client_context,
        })
    }

    /// Creates the compressor for the messages of `role`; `None` if zlib cannot compress with its
    /// window size.
    pub(crate) fn deflate(&self, role: Role) -> Option<Deflate> {
        let (bits, takeover) = match role {
            Role::Client => (self.client_bits, self.client_context),
            Role::Server => (self.server_bits, self.server_context),
        };
        Some(Deflate::new(WindowBits::new(bits)?, self.level, takeover, self.threshold))
    }
}

/// Returns the value of a parameter that is omitted if it is the largest.
const fn less_than_largest(bits: u8) -> Option<u8> {
    if bits < LARGEST { Some(bits) } else { None }
}
