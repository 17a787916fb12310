//! How a request asks for WebSocket, and how it is accepted.

/// How a request asks for WebSocket.
///
/// The bytes that [`ServerHandshake`](crate::handshake::ServerHandshake) reads and
/// [`ClientHandshake`](crate::handshake::ClientHandshake) writes are always
/// [`Upgrade`](Self::Upgrade). With the feature `http` requests come from HTTP libraries, which have
/// both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// HTTP/1.1 with `Upgrade: websocket` (RFC 6455, 4): accepted with 101, and the connection
    /// becomes the WebSocket.
    Upgrade,
    /// HTTP/2 with the method CONNECT and `:protocol` with the value `websocket` (RFC 8441), or
    /// HTTP/3 with the same (RFC 9220): accepted with 200, and one stream becomes the WebSocket.
    ExtendedConnect,
}
