//! Connecting to where a server redirects the client.

use sansock::dial::redirect::{RedirectPolicy, Redirects};
use sansock::handshake::{Incomplete, Response};
use tokio::time::timeout;

use crate::{Client, Error, Stream, WebSocket};

impl Client {
    /// Follows redirects of the handshake. Without this a redirect is an
    /// [`Error::Handshake`], as any other refusal.
    ///
    /// All connections together have the time that one has: the
    /// [`connect_timeout`](Self::connect_timeout) plus
    /// [`Timeouts::handshake`](sansock::Timeouts::handshake). Each is closed before the next is made.
    ///
    /// ```no_run
    /// use sansock_tokio::Client;
    /// use sansock_tokio::dial::redirect::RedirectPolicy;
    ///
    /// # async fn example() -> Result<(), sansock_tokio::Error> {
    /// let client = Client::new("ws://127.0.0.1:9001/")?.redirects(RedirectPolicy::new(5));
    /// let socket = client.connect().await?;
    /// # Ok(()) }
    /// ```
    pub fn redirects(mut self, policy: RedirectPolicy) -> Self {
        self.redirects = Some(policy);
        self
    }
}

pub(crate) async fn connect(
    client: &Client,
    policy: &RedirectPolicy,
) -> Result<(WebSocket<Stream>, Response), Error> {
    let (connect, handshake) = (client.dialler.connect_timeout, client.config.timeouts.handshake);
    let follow = follow(client, policy);
    match connect.zip(handshake) {
        Some((one, other)) => match timeout(one.saturating_add(other), follow).await {
            Ok(result) => result,
            Err(_) => Err(Incomplete::TimedOut.into()),
        },
        None => follow.await,
    }
}

async fn follow(
    client: &Client,
    policy: &RedirectPolicy,
) -> Result<(WebSocket<Stream>, Response), Error> {
    let mut redirects = Redirects::new(client.offer.clone(), policy.clone());
    let mut hop = client.clone();
    loop {
        match hop.connect_once().await {
            Err(Error::Handshake(error)) => match error.response() {
                Some(response) if redirects.follow(response)? => {}
                _ => return Err(error.into()),
            },
            result => return result,
        }
        hop.offer = redirects.offer().clone();
    }
}
