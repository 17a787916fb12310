//! Why a proxy opens no way to the server.

use std::fmt;

use crate::handshake::{HandshakeError, HeadError, Response, UsageError};

/// The proxy did not open a way to the server. Final: every later call returns the same error.
///
/// It is never the server's fault: nothing was sent to the server, nor to the proxy for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TunnelError {
    /// The answer to CONNECT is not valid HTTP/1.1, or its head exceeds
    /// [`HeadLimits`](crate::handshake::HeadLimits).
    Head(HeadError),
    /// The proxy answered CONNECT with this response, whose status is neither 2xx nor 407. It has
    /// the first bytes of the body, at most [`HeadLimits::body`](crate::handshake::HeadLimits::body).
    Refused(Box<Response>),
    /// The proxy answered CONNECT with 407: it wants a user name and a password, or others. Its
    /// `Proxy-Authenticate` header says in which scheme; this crate has Basic.
    AuthenticationRequired(Box<Response>),
    /// The proxy does not speak the version of SOCKS that was asked for, or not at all. The value is
    /// the byte that should be the version.
    SocksVersion(u8),
    /// The SOCKS5 proxy accepts none of the offered methods of authentication: none at all and, if
    /// they are set, user name and password.
    NoAcceptableMethod,
    /// The SOCKS5 proxy chose this method of authentication, which was not offered.
    UnexpectedMethod(u8),
    /// The SOCKS5 proxy refused the user name or the password.
    AuthenticationFailed,
    /// The SOCKS proxy refused, or could not reach the server.
    Socks(SocksRefusal),
    /// The SOCKS5 proxy's reply has an address of this unknown type.
    AddressType(u8),
    /// The proxy sent bytes behind its answer, before the server was asked for anything. They can
    /// be no answer of it: in WebSocket the client speaks first, with TLS and without.
    EarlyBytes,
    /// The proxy closed the connection before its answer was complete.
    UnexpectedEof,
    /// The proxy's answer took too long: [`Timeouts::handshake`](crate::Timeouts::handshake) covers
    /// it, together with TLS and the opening handshake.
    TimedOut,
    /// A header that the program set for the proxy cannot be sent. Nothing was sent.
    Usage(UsageError),
    /// SOCKS cannot carry the server's host: its name is longer than 255 bytes, or for SOCKS4a it is
    /// an IPv6 address. Nothing was sent.
    Host,
    /// A [`socks5`](super::ProxyScheme::Socks5) proxy takes addresses, and the server's was not
    /// given: see [`Proxy::needs_address`](super::Proxy::needs_address). Nothing was sent.
    AddressMissing,
}

impl TunnelError {
    /// "The 407 (Proxy Authentication Required) status code [...] indicates that the client needs to
    /// authenticate itself in order to use a proxy for this request." (RFC 9110, 15.5.8)
    pub(super) fn of_response(response: Box<Response>) -> Self {
        match response.status() {
            407 => Self::AuthenticationRequired(response),
            _ => Self::Refused(response),
        }
    }

    /// Returns whether another user name and password may help.
    #[must_use]
    pub const fn is_authentication(&self) -> bool {
        matches!(
            self,
            Self::AuthenticationRequired(_)
                | Self::NoAcceptableMethod
                | Self::AuthenticationFailed
                | Self::Socks(SocksRefusal::IdentdUnreachable | SocksRefusal::IdentdMismatch)
        )
    }

    /// Returns the proxy's response to CONNECT, if that refused.
    #[must_use]
    pub const fn response(&self) -> Option<&Response> {
        match self {
            Self::Refused(response) | Self::AuthenticationRequired(response) => Some(response),
            _ => None,
        }
    }
}

impl fmt::Display for TunnelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Head(error) => return write!(f, "its answer: {error}"),
            Self::Refused(response) | Self::AuthenticationRequired(response) => {
                return write!(f, "it answered {} {}", response.status(), response.reason());
            }
            Self::SocksVersion(byte) => {
                return write!(f, "it is no SOCKS proxy of this version (first byte {byte:#04x})");
            }
            Self::NoAcceptableMethod => {
                "it accepts none of the offered methods of authentication: set a user name and a \
                 password"
            }
            Self::UnexpectedMethod(method) => {
                return write!(f, "it chose the method {method} of authentication, unasked");
            }
            Self::AuthenticationFailed => "it refused the user name or the password",
            Self::Socks(refusal) => return refusal.fmt(f),
            Self::AddressType(byte) => {
                return write!(f, "its reply has an address of the unknown type {byte}");
            }
            Self::EarlyBytes => {
                "it sent bytes behind its answer, before the server was asked for anything"
            }
            Self::UnexpectedEof => "it closed the connection before its answer was complete",
            Self::TimedOut => "its answer took too long (Timeouts::handshake)",
            Self::Usage(error) => return error.fmt(f),
            Self::Host => {
                "SOCKS cannot carry the server's host: a name has 255 bytes at most, and SOCKS4a no \
                 IPv6 addresses"
            }
            Self::AddressMissing => {
                "socks5 takes the server's address, which was not given: use socks5h for a name"
            }
        };
        f.write_str(text)
    }
}

// `Display` shows the cause itself, and no cause has a cause of its own.
impl std::error::Error for TunnelError {}

impl From<HandshakeError> for TunnelError {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Head(error) => Self::Head(error),
            // The reader of a head has only the errors of a head.
            _ => Self::Head(HeadError::StartLine),
        }
    }
}

impl From<UsageError> for TunnelError {
    fn from(error: UsageError) -> Self {
        Self::Usage(error)
    }
}

/// What a SOCKS proxy says when it opens no way to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocksRefusal {
    /// SOCKS5, 1: general SOCKS server failure.
    GeneralFailure,
    /// SOCKS5, 2: connection not allowed by ruleset.
    NotAllowed,
    /// SOCKS5, 3: network unreachable.
    NetworkUnreachable,
    /// SOCKS5, 4: host unreachable. Some proxies say so too when they cannot resolve the name.
    HostUnreachable,
    /// SOCKS5, 5: connection refused.
    ConnectionRefused,
    /// SOCKS5, 6: TTL expired.
    TtlExpired,
    /// SOCKS5, 7: command not supported.
    CommandNotSupported,
    /// SOCKS5, 8: address type not supported. Try `socks5h` instead of `socks5`, or the reverse.
    AddressTypeNotSupported,
    /// SOCKS4, 91: request rejected or failed.
    Rejected,
    /// SOCKS4, 92: the proxy cannot reach identd on this machine.
    IdentdUnreachable,
    /// SOCKS4, 93: identd reports another user.
    IdentdMismatch,
    /// A code that no version assigns.
    Unassigned(u8),
}

impl SocksRefusal {
    /// "Reply field" (RFC 1928, 6), for all codes but 0.
    pub(super) const fn of_socks5(code: u8) -> Self {
        match code {
            1 => Self::GeneralFailure,
            2 => Self::NotAllowed,
            3 => Self::NetworkUnreachable,
            4 => Self::HostUnreachable,
            5 => Self::ConnectionRefused,
            6 => Self::TtlExpired,
            7 => Self::CommandNotSupported,
            8 => Self::AddressTypeNotSupported,
            code => Self::Unassigned(code),
        }
    }

    /// The result codes of SOCKS4, but 90.
    pub(super) const fn of_socks4(code: u8) -> Self {
        match code {
            91 => Self::Rejected,
            92 => Self::IdentdUnreachable,
            93 => Self::IdentdMismatch,
            code => Self::Unassigned(code),
        }
    }
}

impl fmt::Display for SocksRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GeneralFailure => "general SOCKS server failure (1)",
            Self::NotAllowed => "connection not allowed by ruleset (2)",
            Self::NetworkUnreachable => "network unreachable (3)",
            Self::HostUnreachable => "host unreachable (4)",
            Self::ConnectionRefused => "connection refused (5)",
            Self::TtlExpired => "TTL expired (6)",
            Self::CommandNotSupported => "command not supported (7)",
            Self::AddressTypeNotSupported => "address type not supported (8)",
            Self::Rejected => "request rejected or failed (91)",
            Self::IdentdUnreachable => "the proxy cannot reach identd on this machine (92)",
            Self::IdentdMismatch => "identd reports another user (93)",
            Self::Unassigned(code) => return write!(f, "unassigned reply code {code}"),
        })
    }
}
