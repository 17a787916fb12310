//! The client's fault: what it asks for.

use std::fmt;

/// The client's request is an HTTP request, but not a valid WebSocket handshake, or is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The method is not GET, HEAD or OPTIONS.
    Method,
    /// The request asks for WebSocket with HEAD or OPTIONS: "The method of the request MUST be GET"
    /// (RFC 6455, 4.1).
    HandshakeMethod,
    /// The request target is neither a path with an optional query, nor an `http:`, `https:`, `ws:`
    /// or `wss:` URL of the host that the Host header names (4.2.1).
    Target,
    /// The request has a body.
    Body,
    /// The request does not ask for WebSocket: it has no Upgrade header with `websocket` (4.2.1).
    UpgradeRequired,
    /// The request is an extended CONNECT whose `:protocol` is not `websocket` (RFC 8441, 4).
    UnsupportedProtocol,
    /// The WebSocket version is missing, or is not 13 (4.4).
    UnsupportedVersion,
    /// The [`OriginPolicy`](crate::handshake::OriginPolicy) does not allow the request's Origin
    /// (10.2).
    OriginDenied,
    /// The [`HostPolicy`](crate::handshake::HostPolicy) does not allow the host that the Host header
    /// names.
    HostDenied,
}

impl RequestError {
    /// Returns the HTTP status that a server answers with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            // Not 405, whose Allow header would have to name the method that it refuses.
            Self::Target | Self::Body | Self::HandshakeMethod => 400,
            Self::OriginDenied => 403,
            Self::Method => 405,
            // "The 421 (Misdirected Request) status code indicates that the request was directed at
            // a server that is unable or unwilling to produce an authoritative response for the
            // target URI." (RFC 9110, 15.5.20)
            Self::HostDenied => 421,
            // "the server MUST abort the WebSocket handshake [...] and instead send an appropriate
            // HTTP error code (such as 426 Upgrade Required)" (RFC 6455, 4.2.2)
            Self::UpgradeRequired | Self::UnsupportedVersion => 426,
            // "the server SHOULD respond to the request with a 501 (Not Implemented) status code"
            // (RFC 9220, 3)
            Self::UnsupportedProtocol => 501,
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "the method is not GET, HEAD or OPTIONS",
            Self::HandshakeMethod => "the method of a request for WebSocket is not GET",
            Self::Target => {
                "the request target is neither a path nor a URL of the host in the Host header"
            }
            Self::Body => "the request has a body",
            Self::UpgradeRequired => {
                "this is a WebSocket endpoint (RFC 6455): the request needs Upgrade: websocket"
            }
            Self::UnsupportedProtocol => "the :protocol of the extended CONNECT is not websocket",
            Self::UnsupportedVersion => "the WebSocket version (Sec-WebSocket-Version) is not 13",
            Self::HostDenied => {
                "the server does not know the host in the Host header as its own (HostPolicy, \
                 Server::hosts)"
            }
            Self::OriginDenied => {
                "the request's Origin is not allowed (OriginPolicy, Server::origins)"
            }
        })
    }
}

impl std::error::Error for RequestError {}
