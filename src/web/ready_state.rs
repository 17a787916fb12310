//! The states of a socket.

/// The state of a [`WebSocket`](super::WebSocket). `as u16` gives the numbers that browsers use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum ReadyState {
    /// The connection has not been established yet.
    Connecting = 0,
    /// The connection is established and messages can be sent.
    Open = 1,
    /// The closing handshake has started, or [`close`](super::WebSocket::close) was called.
    Closing = 2,
    /// The connection is closed, or could not be opened.
    Closed = 3,
}
