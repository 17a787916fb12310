//! Connecting to Unix sockets.

use std::os::unix::net::UnixStream;
use std::path::Path;

use super::client::Client;
use super::{Error, WebSocket};
use crate::handshake::{Offer, Response};
use crate::uri::UnixUri;

impl Client {
    /// Connects to the Unix socket at this path, and does the opening handshake. The URL of the
    /// client says what to ask for; neither its host nor TLS matters.
    ///
    /// The system waits while the backlog of the server is full. The handshake has
    /// [`Timeouts::handshake`](crate::Timeouts::handshake).
    ///
    /// ```no_run
    /// use sansock::net::Client;
    ///
    /// let client = Client::new("ws://localhost/chat")?;
    /// let (mut socket, _response) = client.connect_unix("/run/app.sock")?;
    /// socket.send("Hello")?;
    /// # Ok::<(), sansock::net::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::Handshake`].
    pub fn connect_unix(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<(WebSocket<UnixStream>, Response), Error> {
        self.offer().check()?;
        self.handshake(UnixStream::connect(path)?)
    }
}

/// Connects to a `ws+unix:` URL ([`UnixUri`]) with the defaults.
///
/// ```no_run
/// let mut socket = sansock::net::connect_unix("ws+unix:/run/app.sock:/chat")?;
/// socket.send("Hello")?;
/// # Ok::<(), sansock::net::Error>(())
/// ```
///
/// # Errors
///
/// [`Error`], as [`Client::connect_unix`] returns it, and [`Error::Uri`].
pub fn connect_unix(url: &str) -> Result<WebSocket<UnixStream>, Error> {
    let url: UnixUri = url.parse()?;
    let client = Client::with_offer(Offer::new(url.uri().clone()));
    Ok(client.connect_unix(url.socket_path())?.0)
}
