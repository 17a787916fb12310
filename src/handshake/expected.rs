//! What a client expects of the response that accepts its request.

use crate::config::Role;
use crate::deflate::DeflateConfig;

use super::error::{HandshakeError, HeadError, ResponseError};
use super::established::Established;
use super::fields::Headers;
use super::offer::Offer;
use super::{extensions, key};

/// What a client expects of the response that accepts its request.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// The Sec-WebSocket-Accept that the key requires. `None` with extended CONNECT, which has no
    /// key.
    accept: Option<String>,
    /// As offered.
    subprotocols: Vec<String>,
    deflate: Vec<DeflateConfig>,
}

impl Expected {
    pub(crate) fn new(offer: &Offer, key: Option<&str>) -> Self {
        Self {
            accept: key.map(|key| key::accept_key(key.as_bytes())),
            subprotocols: offer.subprotocols.clone(),
            deflate: offer.deflate.clone(),
        }
    }

    /// Checks the headers (RFC 6455, 4.1, items 2 to 6).
    pub(crate) fn verify(&self, headers: Headers<'_>) -> Result<Established, HandshakeError> {
        match &self.accept {
            Some(accept) => verify_upgrade(headers, accept)?,
            None => headers.check_no_upgrade()?,
        }
        let deflate = extensions::agree(headers, &self.deflate)?;
        let subprotocol = self.verify_subprotocol(headers)?;
        Ok(Established::new(Role::Client, subprotocol, deflate))
    }

    /// "If the response includes a |Sec-WebSocket-Protocol| header field and this header field
    /// indicates the use of a subprotocol that was not present in the client's handshake [...], the
    /// client MUST _Fail the WebSocket Connection_."
    fn verify_subprotocol(&self, headers: Headers<'_>) -> Result<Option<String>, HandshakeError> {
        let chosen = headers.at_most_one("Sec-WebSocket-Protocol")?;
        // Some servers write the header without a value when they have chosen none.
        let Some(chosen) = chosen.filter(|chosen| !chosen.is_empty()) else { return Ok(None) };
        let offered = self.subprotocols.iter().find(|name| name.as_bytes() == chosen);
        Ok(Some(offered.cloned().ok_or(ResponseError::UnexpectedSubprotocol)?))
    }
}

/// Items 2 to 4, which extended CONNECT does not have.
fn verify_upgrade(headers: Headers<'_>, accept: &str) -> Result<(), HandshakeError> {
    // "If the response lacks an |Upgrade| header field or the |Upgrade| header field contains a
    // value that is not an ASCII case-insensitive match for the value "websocket", the client
    // MUST _Fail the WebSocket Connection_."
    headers.get("Upgrade").ok_or(HeadError::MissingHeader("Upgrade"))?;
    if !headers.list_has("Upgrade", "websocket")
        || headers.list("Upgrade").any(|value| !value.eq_ignore_ascii_case(b"websocket"))
    {
        return Err(HeadError::InvalidHeader("Upgrade").into());
    }
    // "If the response lacks a |Connection| header field or the |Connection| header field
    // doesn't contain a token that is an ASCII case-insensitive match for the value "Upgrade""
    headers.get("Connection").ok_or(HeadError::MissingHeader("Connection"))?;
    if !headers.list_has("Connection", "upgrade") {
        return Err(HeadError::InvalidHeader("Connection").into());
    }
    // "If the response lacks a |Sec-WebSocket-Accept| header field or the
    // |Sec-WebSocket-Accept| contains a value other than the base64-encoded SHA-1 [...]"
    if headers.exactly_one("Sec-WebSocket-Accept")? != accept.as_bytes() {
        return Err(ResponseError::AcceptMismatch.into());
    }
    Ok(())
}
