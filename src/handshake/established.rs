//! The result of an opening handshake.

use crate::config::{Config, Role};
use crate::connection::Connection;
use crate::deflate::NegotiatedDeflate;
use crate::mask::MaskSource;
use crate::sender::Sender;

/// An opening handshake that succeeded: the own role, and what was negotiated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Established {
    role: Role,
    subprotocol: Option<String>,
    deflate: Option<NegotiatedDeflate>,
}

impl Established {
    pub(super) const fn new(
        role: Role,
        subprotocol: Option<String>,
        deflate: Option<NegotiatedDeflate>,
    ) -> Self {
        Self { role, subprotocol, deflate }
    }

    /// Which end of the connection this is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Returns the subprotocol that both ends agreed on (RFC 6455, 1.9).
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// After a handshake that other code has done, such as an HTTP server that hands over its
    /// upgraded stream. Bytes that arrived after the head belong in the
    /// [`ReceiveBuffer`](crate::ReceiveBuffer).
    #[must_use]
    pub const fn after_handshake(role: Role, subprotocol: Option<String>) -> Self {
        Self::new(role, subprotocol, None)
    }

    /// Makes the connection, with another source for a client's masking keys. A server does not use
    /// it.
    #[must_use]
    pub fn connection_with(&self, config: &Config, masks: impl MaskSource + 'static) -> Connection {
        match self.role {
            Role::Client => {
                Connection::new(Sender::client(config, masks), config, self.deflate.as_ref())
            }
            Role::Server => Connection::new(Sender::server(config), config, self.deflate.as_ref()),
        }
    }
}

#[cfg(feature = "deflate")]
impl Established {
    /// Returns the parameters of permessage-deflate (RFC 7692) that both ends agreed on. `None` if
    /// messages are not compressed.
    #[must_use]
    pub const fn deflate(&self) -> Option<&NegotiatedDeflate> {
        self.deflate.as_ref()
    }

    /// Sets what [the other code's handshake](Self::after_handshake) negotiated of
    /// permessage-deflate.
    #[must_use]
    pub fn with_deflate(self, negotiated: NegotiatedDeflate) -> Self {
        Self { deflate: Some(negotiated), ..self }
    }
}
