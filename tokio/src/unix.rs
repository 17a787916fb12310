//! Connecting to Unix sockets.

use std::path::Path;

use sansock::handshake::{Offer, Response};
use sansock::uri::UnixUri;
use tokio::net::UnixStream;

use crate::{Client, Error, WebSocket};

impl Client {
    /// Connects to the Unix socket at this path, and does the opening handshake. The URL of the
    /// client says what to ask for; neither its host nor TLS matters.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), sansock_tokio::Error> {
    /// use sansock_tokio::Client;
    ///
    /// let client = Client::new("ws://localhost/chat")?;
    /// let (mut socket, _response) = client.connect_unix("/run/app.sock").await?;
    /// socket.send("Hello").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Io`], with [`WouldBlock`](std::io::ErrorKind::WouldBlock) if the backlog of the
    /// server is full, and [`Error::Handshake`].
    pub async fn connect_unix(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<(WebSocket<UnixStream>, Response), Error> {
        self.offer().check()?;
        self.handshake(UnixStream::connect(path).await?).await
    }
}

/// Connects to a `ws+unix:` URL ([`UnixUri`]) with the defaults.
///
/// ```no_run
/// # async fn example() -> Result<(), sansock_tokio::Error> {
/// let mut socket = sansock_tokio::connect_unix("ws+unix:/run/app.sock:/chat").await?;
/// socket.send("Hello").await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`Error`], as [`Client::connect_unix`] returns it, and [`Error::Uri`].
pub async fn connect_unix(url: &str) -> Result<WebSocket<UnixStream>, Error> {
    let url: UnixUri = url.parse()?;
    let client = Client::with_offer(Offer::new(url.uri().clone()));
    Ok(client.connect_unix(url.socket_path()).await?.0)
}
