//! Connecting again after the end of a connection.

mod connected;
mod outbox;

pub use connected::Connected;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use sansock::Outcome;
use sansock::dial::reconnect::{Cause, GiveUp, Reconnect, ReconnectPolicy};
use sansock::handshake::Offer;
use sansock::net::Retry;

use crate::clock::{Clock, now};
use crate::{Client, Error, Message, WebSocket};
use outbox::Outbox;

type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;
type Report = dyn Fn(&Retry<'_>) + Send + Sync;
type Hook<T> = Arc<dyn Fn(T) -> Boxed<T> + Send + Sync>;

/// The connections of a client that connects again. Made by [`Client::reconnecting`].
///
/// ```no_run
/// use sansock_tokio::dial::reconnect::ReconnectPolicy;
/// use sansock_tokio::{Client, Error};
///
/// # async fn token() -> String { String::new() }
/// # async fn example() -> Result<(), Error> {
/// let mut connections = Client::new("wss://example.com/feed")?
///     .reconnecting(ReconnectPolicy::new())
///     // Before each attempt: a token that is still valid.
///     .before_connect(|offer| async move { Ok(offer.header("Authorization", token().await)) })
///     // On each new connection: what the server has to know.
///     .on_connect(|mut socket| async move {
///         socket.send("subscribe prices").await?;
///         Ok(socket)
///     })
///     .on_retry(|retry| eprintln!("{retry}"));
///
/// while let Some(mut connection) = connections.next().await? {
///     // An error of a connection is a reason to take the next one.
///     if connection.send_unsent().await.is_err() {
///         continue;
///     }
///     while let Ok(Some(message)) = connection.next_message().await {
///         println!("{message}");
///     }
/// }
/// println!("over: {:?}", connections.outcome());
/// # Ok(()) }
/// ```
///
/// # What is sent, and what is not
///
/// [`Connected::send`] and [`Connected::queue`] remember each message until the transport has taken
/// its last byte. When the connection has ended, those that were accepted and not written are kept,
/// in order: [`Connected::send_unsent`] sends them over the next connection, and
/// [`take_unsent`](Self::take_unsent) hands them to the program. So a message that was accepted is
/// written once, or still there.
///
/// A message that was written may be lost nevertheless: it lay in the buffers of an operating system
/// when the connection broke, or the server did not come to read it. Only an answer of the server
/// says that it has a message. If it matters, give messages numbers, and send again what was not
/// answered.
pub struct Reconnecting {
    client: Client,
    state: Reconnect,
    before_connect: Option<Hook<Offer>>,
    on_connect: Option<Hook<WebSocket>>,
    on_retry: Option<Box<Report>>,
    stage: Stage,
    outbox: Outbox,
    outcome: Option<Outcome>,
    gave_up: Option<GiveUp>,
    clock: Clock,
}

enum Stage {
    /// The next attempt begins now.
    Due,
    Waiting(Instant),
    Connecting(Boxed<WebSocket>),
    Connected(WebSocket),
    /// The program has the connection.
    Taken,
    Over,
}

impl Client {
    /// Makes an iterator of connections: after the end of one it connects again, as the policy says.
    #[must_use]
    pub fn reconnecting(self, policy: ReconnectPolicy) -> Reconnecting {
        Reconnecting {
            client: self,
            state: Reconnect::new(policy),
            before_connect: None,
            on_connect: None,
            on_retry: None,
            stage: Stage::Due,
            outbox: Outbox::default(),
            outcome: None,
            gave_up: None,
            clock: Clock::default(),
        }
    }
}

impl Reconnecting {
    /// Calls `change` before each attempt. It gets the client's offer, and returns the one for this
    /// attempt, for example with a fresh token. An error counts as that of the attempt.
    #[must_use]
    pub fn before_connect<F>(mut self, change: impl Fn(Offer) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Offer, Error>> + Send + 'static,
    {
        self.before_connect = Some(Arc::new(move |offer| Box::pin(change(offer))));
        self
    }

    /// Calls `prepare` on each new connection, before [`next`](Self::next) returns it, for example to
    /// authenticate and to subscribe again. An error counts as that of the attempt, and the next one
    /// begins after a delay. It has no time limit: use [`tokio::time::timeout`].
    #[must_use]
    pub fn on_connect<F>(mut self, prepare: impl Fn(WebSocket) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<WebSocket, Error>> + Send + 'static,
    {
        self.on_connect = Some(Arc::new(move |socket| Box::pin(prepare(socket))));
        self
    }

    /// Calls `report` each time that it waits for the next attempt.
    #[must_use]
    pub fn on_retry(mut self, report: impl Fn(&Retry<'_>) + Send + Sync + 'static) -> Self {
        self.on_retry = Some(Box::new(report));
        self
    }

    /// Ends the connection that was lent before, and waits for the next. The first attempt begins at
    /// once. Each attempt begins with the client's URL, also if the last one followed redirects.
    ///
    /// `None` if the connection has ended in a way that the policy does not reconnect after,
    /// such as with close code 1000 ([`outcome`](Self::outcome), [`gave_up`](Self::gave_up)).
    ///
    /// How the last connection ended is known if the program has read until there was no more.
    /// Otherwise it counts as 1006.
    ///
    /// This can be dropped at every await: the delay, or the attempt, goes on in the next call.
    ///
    /// # Errors
    ///
    /// The error of the last attempt, if the policy says that no further one is made. Later calls
    /// return `None`.
    pub async fn next(&mut self) -> Result<Option<Connected<'_>>, Error> {
        self.end_last();
        poll_fn(|cx| self.poll_stage(cx)).await?;
        Ok(match &mut self.stage {
            Stage::Connected(socket) => Some(Connected::new(socket, &mut self.outbox)),
            _ => None,
        })
    }

    /// Takes out the connection that [`next`](Self::next) has made, for example to split it. What it
    /// does not write is then the program's matter. Report its end with [`ended`](Self::ended).
    pub fn take(&mut self) -> Option<WebSocket> {
        match std::mem::replace(&mut self.stage, Stage::Taken) {
            Stage::Connected(socket) => {
                self.outbox.forget();
                Some(socket)
            }
            other => {
                self.stage = other;
                None
            }
        }
    }

    /// Reports how a connection ended that was [taken](Self::take): an [`Outcome`] or an [`Error`].
    /// Without a report it counts as 1006.
    pub fn ended(&mut self, cause: impl Into<Cause>) {
        if let Stage::Taken = self.stage {
            self.retry(cause.into(), None);
        }
    }

    /// Takes the messages that earlier connections have accepted and not written, in order.
    pub fn take_unsent(&mut self) -> Vec<Message> {
        self.outbox.take()
    }

    /// Returns how the last connection ended, if it was not [taken](Self::take) and has ended.
    #[must_use]
    pub const fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// Returns why there is no further attempt.
    #[must_use]
    pub const fn gave_up(&self) -> Option<GiveUp> {
        self.gave_up
    }

    fn end_last(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Connected(socket) => {
                self.outbox.keep(&socket);
                let outcome = socket.outcome().cloned().unwrap_or(Outcome::Abnormal);
                // Dropped as it is, it would write once more what is kept.
                drop(socket.into_parts());
                self.retry((&outcome).into(), None);
                self.outcome = Some(outcome);
            }
            Stage::Taken => self.retry(Cause::Closed(1006), None),
            other => self.stage = other,
        }
    }

    /// Waits, or gives up.
    fn retry(&mut self, cause: Cause, error: Option<&Error>) {
        let now = now();
        self.stage = match self.state.random_delay(&cause, now) {
            Err(reason) => {
                self.gave_up = Some(reason);
                Stage::Over
            }
            Ok(delay) => {
                if let Some(report) = &self.on_retry {
                    report(&Retry::new(cause, error, delay));
                }
                // A time beyond the clock never comes.
                now.checked_add(delay).map_or(Stage::Over, Stage::Waiting)
            }
        };
    }

    /// Is ready when there is a connection, or there will be none.
    fn poll_stage(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            match &mut self.stage {
                Stage::Due => self.stage = Stage::Connecting(self.attempt()),
                Stage::Waiting(at) => {
                    ready!(self.clock.poll_until(cx, Some(*at)));
                    self.stage = Stage::Due;
                }
                Stage::Connecting(attempt) => match ready!(attempt.as_mut().poll(cx)) {
                    Ok(socket) => {
                        self.state.connected(now());
                        self.stage = Stage::Connected(socket);
                    }
                    Err(error) => {
                        self.retry((&error).into(), Some(&error));
                        if let Stage::Over = self.stage {
                            return Poll::Ready(Err(error));
                        }
                    }
                },
                Stage::Connected(_) | Stage::Taken | Stage::Over => return Poll::Ready(Ok(())),
            }
        }
    }

    fn attempt(&self) -> Boxed<WebSocket> {
        let mut client = self.client.clone();
        let (change, prepare) = (self.before_connect.clone(), self.on_connect.clone());
        Box::pin(async move {
            if let Some(change) = change {
                client.offer = change(client.offer.clone()).await?;
            }
            let socket = client.connect().await?;
            match prepare {
                Some(prepare) => prepare(socket).await,
                None => Ok(socket),
            }
        })
    }
}

impl fmt::Debug for Reconnecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnecting")
            .field("client", &self.client)
            .field("state", &self.state)
            .field("outcome", &self.outcome)
            .field("gave_up", &self.gave_up)
            .finish_non_exhaustive()
    }
}
