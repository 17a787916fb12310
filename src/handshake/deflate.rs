//! Negotiation of permessage-deflate over plain values of `Sec-WebSocket-Extensions`, for a
//! handshake that other code does.
#![cfg(feature = "deflate")]

use crate::deflate::{DeflateConfig, NegotiatedDeflate};

use super::error::HandshakeError;
use super::extensions::{self, HEADER};
use super::fields::{Field, Headers};

/// For a handshake that other code does
/// ([`Established::after_handshake`](crate::handshake::Established::after_handshake) and
/// [`with_deflate`](crate::handshake::Established::with_deflate)).
///
/// ```
/// use sansock::deflate::DeflateConfig;
///
/// let (client, server) = (DeflateConfig::client(), DeflateConfig::server());
/// let offer = client.offer_value();
/// // Sec-WebSocket-Extensions of the request goes in, and that of the response comes out.
/// let (response, at_server) = server.accept_values([offer.as_bytes()])?.ok_or("declined")?;
/// let at_client = client.agree_values([response.as_bytes()])?.ok_or("declined")?;
/// assert_eq!(at_client.server_max_window_bits(), at_server.server_max_window_bits());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl DeflateConfig {
    /// Returns the value of `Sec-WebSocket-Extensions` with which a client offers this. Several
    /// offers are joined by commas, the preferred one first.
    #[must_use]
    pub fn offer_value(&self) -> String {
        self.offer().to_string()
    }

    /// Takes the values of all lines of a request's `Sec-WebSocket-Extensions`, and accepts the
    /// first offer of permessage-deflate that this configuration allows: returns the value of the
    /// response's header, and what applies. `None` if there is no such offer; then the response has
    /// no such header.
    ///
    /// # Errors
    ///
    /// The values are malformed, or have more extensions or parameters than are processed. "the
    /// recipient of such malformed data MUST immediately _Fail the WebSocket Connection_" (RFC 6455,
    /// 9.1): a server answers with the error's [status](HandshakeError::status).
    pub fn accept_values<'v>(
        &self,
        values: impl IntoIterator<Item = &'v [u8]>,
    ) -> Result<Option<(String, NegotiatedDeflate)>, HandshakeError> {
        let fields = fields(values);
        let headers = Headers::new(&fields);
        extensions::check(headers)?;
        Ok(extensions::respond(headers, Some(self)))
    }

    /// Takes the values of all lines of a response's `Sec-WebSocket-Extensions`, and returns what
    /// applies for a client that offered this and nothing else. `None` if the server accepted no
    /// offer.
    ///
    /// # Errors
    ///
    /// The values are malformed, or do not answer the offer: "A client MUST _Fail the WebSocket
    /// Connection_" (RFC 7692, 7).
    pub fn agree_values<'v>(
        &self,
        values: impl IntoIterator<Item = &'v [u8]>,
    ) -> Result<Option<NegotiatedDeflate>, HandshakeError> {
        let fields = fields(values);
        extensions::agree(Headers::new(&fields), std::slice::from_ref(self))
    }
}

fn fields<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Vec<Field> {
    values.into_iter().map(|value| Field::new(HEADER, value)).collect()
}
