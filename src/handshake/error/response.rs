//! The server's fault, or its decision: what it answers.

use std::fmt;

use crate::handshake::response::Response;

/// The server refused the handshake, or its response does not match the request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseError {
    /// The status is not 101: a redirect, for example, or a request for authorization. Redirects
    /// are followed only by a client with a `RedirectPolicy` (feature `redirects`).
    Status(Box<Response>),
    /// Sec-WebSocket-Accept does not match the key of the request (RFC 6455, 4.1): not a WebSocket
    /// server, or a response to another request.
    AcceptMismatch,
    /// The server chose a subprotocol that the client did not offer (4.1).
    UnexpectedSubprotocol,
    /// The server chose an extension that the client did not offer (4.1).
    UnexpectedExtension,
    /// The server's parameters of an extension are not valid, or do not answer what the client
    /// offered (RFC 7692, 7.1).
    ExtensionParameters,
    /// The server of an HTTP/2 connection does not announce `SETTINGS_ENABLE_CONNECT_PROTOCOL` (RFC
    /// 8441, 3): it serves no WebSocket over HTTP/2. Connect with HTTP/1.1.
    NoExtendedConnect,
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status(response) => {
                write!(f, "the server answered {} {}", response.status(), response.reason())?;
                // Those that a `RedirectPolicy` follows.
                return match response.status() {
                    301 | 302 | 303 | 307 | 308 => {
                        f.write_str(" (redirects are not followed without a RedirectPolicy)")
                    }
                    _ => Ok(()),
                };
            }
            Self::AcceptMismatch => {
                "Sec-WebSocket-Accept does not match the request: not a WebSocket server, or a \
                 cached response"
            }
            Self::UnexpectedSubprotocol => {
                "the server chose a subprotocol that the client did not offer"
            }
            Self::UnexpectedExtension => {
                "the server chose an extension that the client did not offer"
            }
            Self::ExtensionParameters => {
                "the server's extension parameters do not answer what the client offered"
            }
            Self::NoExtendedConnect => {
                "the server does not announce extended CONNECT \
                 (SETTINGS_ENABLE_CONNECT_PROTOCOL): connect with HTTP/1.1"
            }
        })
    }
}

impl std::error::Error for ResponseError {}
