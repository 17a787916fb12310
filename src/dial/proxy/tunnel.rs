//! The exchange with a proxy, whatever it speaks.

use std::fmt;
use std::net::IpAddr;

use super::connect::Connect;
use super::error::TunnelError;
use super::socks4a;
use super::socks5::Socks5;
use super::url::{Proxy, ProxyScheme};
use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::handshake::HeadLimits;
use crate::uri::Uri;

/// What is said to a proxy, and what it answers, until it passes on bytes to the server.
///
/// After the connection to the proxy, and TLS with an `https:` proxy: write what waits in the send
/// buffer, read, and call [`advance`](Self::advance), until it returns `true`. Nothing for the server
/// may be written before. Then the connection is one to the server, for TLS and the opening
/// handshake.
///
/// ```
/// use sansock::dial::{Proxy, Tunnel};
/// use sansock::handshake::HeadLimits;
/// use sansock::{ReceiveBuffer, SendBuffer};
///
/// let proxy: Proxy = "http://user:secret@proxy.example:3128".parse()?;
/// let uri = "wss://example.com/chat".parse()?;
/// let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
/// let mut tunnel = Tunnel::start(&proxy, &uri, None, HeadLimits::new(), &mut output)?;
/// assert!(output.as_slice().starts_with(b"CONNECT example.com:443 HTTP/1.1\r\n"));
/// # input.extend_from_slice(b"HTTP/1.1 200 Connection established\r\n\r\n");
/// while !tunnel.advance(&mut input, &mut output)? {
///     // write `output` to the transport, and read from it into `input`
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Tunnel {
    state: State,
}

enum State {
    Connect(Connect),
    Socks5(Socks5),
    Socks4a,
    Established,
    Failed(TunnelError),
}

impl Tunnel {
    /// Writes the first bytes to the proxy, which ask for a connection to the URL's host and port.
    /// `address` is that of the host; it is for a proxy that
    /// [needs it](Proxy::needs_address), and others ignore it.
    ///
    /// # Errors
    ///
    /// [`TunnelError::Usage`], [`TunnelError::Host`] or [`TunnelError::AddressMissing`]. Nothing is
    /// written then.
    pub fn start(
        proxy: &Proxy,
        uri: &Uri,
        address: Option<IpAddr>,
        limits: HeadLimits,
        output: &mut SendBuffer,
    ) -> Result<Self, TunnelError> {
        let state = match proxy.scheme() {
            ProxyScheme::Http | ProxyScheme::Https => {
                State::Connect(Connect::start(proxy, uri, limits, output)?)
            }
            ProxyScheme::Socks5 | ProxyScheme::Socks5h => {
                State::Socks5(Socks5::start(proxy, uri, address, output)?)
            }
            ProxyScheme::Socks4a => {
                socks4a::start(proxy, uri, output)?;
                State::Socks4a
            }
        };
        Ok(Self { state })
    }

    /// Takes what has arrived from the proxy, and writes what comes next. Returns `true` when the
    /// connection is one to the server, `false` if more must be written or read.
    ///
    /// # Errors
    ///
    /// The proxy refuses, or its answer is not valid, which is reported as early as the bytes show
    /// it. [`TunnelError::EarlyBytes`] if something follows the answer. Every later call returns the
    /// same error.
    pub fn advance(
        &mut self,
        input: &mut ReceiveBuffer,
        output: &mut SendBuffer,
    ) -> Result<bool, TunnelError> {
        let advanced = match &mut self.state {
            State::Connect(connect) => connect.advance(input),
            State::Socks5(socks) => socks.advance(input, output),
            State::Socks4a => socks4a::advance(input),
            State::Established => return Ok(true),
            State::Failed(error) => return Err(error.clone()),
        };
        match advanced {
            Ok(false) => return Ok(false),
            Ok(true) if input.as_slice().is_empty() => self.state = State::Established,
            Ok(true) => self.state = State::Failed(TunnelError::EarlyBytes),
            Err(error) => self.state = State::Failed(error),
        }
        self.end(TunnelError::UnexpectedEof)
    }

    /// Reports that the proxy has closed the connection.
    ///
    /// # Errors
    ///
    /// If the exchange is not complete: [`TunnelError::Refused`] or
    /// [`TunnelError::AuthenticationRequired`] if this is the end of such a response, and
    /// [`TunnelError::UnexpectedEof`] otherwise. Every later call returns the same error.
    pub fn receive_eof(&mut self) -> Result<(), TunnelError> {
        self.end(TunnelError::UnexpectedEof).map(drop)
    }

    /// Reports that the time is over. Measure it from the start of the connection to the proxy, not
    /// from the last byte.
    ///
    /// # Errors
    ///
    /// If the exchange is not complete: [`TunnelError::Refused`] or
    /// [`TunnelError::AuthenticationRequired`] with what has arrived of the body, and
    /// [`TunnelError::TimedOut`] if no such response has arrived. Every later call returns the same
    /// error.
    pub fn time_out(&mut self) -> Result<(), TunnelError> {
        self.end(TunnelError::TimedOut).map(drop)
    }

    /// Ends the exchange with `error`, or with the proxy's response if there is one; does nothing if
    /// it has ended. Returns `true` if it is complete.
    fn end(&mut self, error: TunnelError) -> Result<bool, TunnelError> {
        let error = match &mut self.state {
            State::Established => return Ok(true),
            State::Failed(error) => return Err(error.clone()),
            State::Connect(connect) => connect.refusal().unwrap_or(error),
            State::Socks5(_) | State::Socks4a => error,
        };
        self.state = State::Failed(error.clone());
        Err(error)
    }
}

impl fmt::Debug for Tunnel {
    /// Leaves out what is sent, which may contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Connect(_) => "Tunnel(CONNECT)",
            State::Socks5(_) => "Tunnel(SOCKS5)",
            State::Socks4a => "Tunnel(SOCKS4a)",
            State::Established => "Tunnel(established)",
            State::Failed(_) => "Tunnel(failed)",
        })
    }
}
