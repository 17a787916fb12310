//! What failed at a proxy, of errors that may be about any peer.

use std::io;

use super::error::ProxyCause;
use crate::dial::TunnelError;
use crate::handshake::{HandshakeError, Incomplete};
use crate::net::Error;

/// For what connecting to a proxy, and TLS with it, can return.
impl From<Error> for ProxyCause {
    fn from(error: Error) -> Self {
        match error {
            Error::Connect(error) => Self::Connect(error),
            Error::Io(error) => Self::Io(error),
            Error::NoTls => Self::NoTls,
            Error::Tls(error) => Self::Tls(error),
            Error::Handshake(HandshakeError::Incomplete(Incomplete::TimedOut)) => {
                Self::Tunnel(TunnelError::TimedOut)
            }
            Error::Handshake(HandshakeError::Incomplete(Incomplete::UnexpectedEof)) => {
                Self::Tunnel(TunnelError::UnexpectedEof)
            }
            error => Self::Io(io::Error::other(error)),
        }
    }
}
