//! The connections of a client that connects again.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use super::connected::Connected;
use super::outbox::Outbox;
use super::retry::Retry;
use crate::dial::reconnect::{Cause, GiveUp, Reconnect, ReconnectPolicy};
use crate::handshake::Offer;
use crate::net::{Client, Error, WebSocket};
use crate::{Outcome, OwnedMessage};

/// The connections of a client that connects again. Made by [`Client::reconnecting`].
///
/// ```no_run
/// use sansock::dial::reconnect::ReconnectPolicy;
/// use sansock::net::{Client, Error};
///
/// # fn token() -> String { String::new() }
/// let mut connections = Client::new("ws://127.0.0.1:9001/feed")?
///     .reconnecting(ReconnectPolicy::new())
///     // Before each attempt: a token that is still valid.
///     .before_connect(|offer| Ok(offer.header("Authorization", token())))
///     // On each new connection: what the server has to know.
///     .on_connect(|socket| socket.send("subscribe prices"))
///     .on_retry(|retry| eprintln!("{retry}"));
///
/// while let Some(mut connection) = connections.next()? {
///     // An error of a connection is a reason to take the next one.
///     if connection.send_unsent().is_err() {
///         continue;
///     }
///     while let Ok(Some(message)) = connection.next_message() {
///         println!("{message:?}");
///     }
/// }
/// println!("over: {:?}", connections.outcome());
/// # Ok::<(), Error>(())
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
    hooks: Hooks,
    stage: Stage,
    outbox: Outbox,
    outcome: Option<Outcome>,
    gave_up: Option<GiveUp>,
}

type Change = dyn FnMut(Offer) -> Result<Offer, Error> + Send;
type Prepare = dyn FnMut(&mut WebSocket) -> Result<(), Error> + Send;
type Report = dyn FnMut(&Retry<'_>) + Send;

#[derive(Default)]
struct Hooks {
    before_connect: Option<Box<Change>>,
    on_connect: Option<Box<Prepare>>,
    on_retry: Option<Box<Report>>,
}

enum Stage {
    /// After this time the next attempt begins.
    Due(Duration),
    Connected(Box<WebSocket>),
    /// The program has the connection.
    Taken,
    Over,
}

impl Client {
    /// Makes an iterator of connections: after the end of one it connects again, as the policy says.
    /// [`cancel`](Self::cancel) ends the delays too.
    #[must_use]
    pub fn reconnecting(self, policy: ReconnectPolicy) -> Reconnecting {
        Reconnecting {
            client: self,
            state: Reconnect::new(policy),
            hooks: Hooks::default(),
            stage: Stage::Due(Duration::ZERO),
            outbox: Outbox::default(),
            outcome: None,
            gave_up: None,
        }
    }
}

impl Reconnecting {
    /// Calls `change` before each attempt. It gets the client's offer, and returns the one for this
    /// attempt, for example with a fresh token. An error counts as that of the attempt.
    #[must_use]
    pub fn before_connect(
        mut self,
        change: impl FnMut(Offer) -> Result<Offer, Error> + Send + 'static,
    ) -> Self {
        self.hooks.before_connect = Some(Box::new(change));
        self
    }

    /// Calls `prepare` on each new connection, before [`next`](Self::next) returns it, for example to
    /// authenticate and to subscribe again. An error counts as that of the attempt, and the next one
    /// begins after a delay.
    #[must_use]
    pub fn on_connect(
        mut self,
        prepare: impl FnMut(&mut WebSocket) -> Result<(), Error> + Send + 'static,
    ) -> Self {
        self.hooks.on_connect = Some(Box::new(prepare));
        self
    }

    /// Calls `report` each time that it waits for the next attempt.
    #[must_use]
    pub fn on_retry(mut self, report: impl FnMut(&Retry<'_>) + Send + 'static) -> Self {
        self.hooks.on_retry = Some(Box::new(report));
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
    /// # Errors
    ///
    /// The error of the last attempt, if the policy says that no further one is made. Later calls
    /// return `None`. [`Error::Cancelled`] after [`CancelConnect::cancel`].
    ///
    /// [`CancelConnect::cancel`]: crate::net::CancelConnect::cancel
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Result<Option<Connected<'_>>, Error> {
        self.end_last();
        while let Stage::Due(delay) = self.stage {
            self.wait(delay)?;
            match self.attempt() {
                Ok(socket) => {
                    self.state.connected(Instant::now());
                    self.stage = Stage::Connected(Box::new(socket));
                }
                Err(error) => {
                    self.retry((&error).into(), Some(&error));
                    if let Stage::Over = self.stage {
                        return Err(error);
                    }
                }
            }
        }
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
                Some(*socket)
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
    pub fn take_unsent(&mut self) -> Vec<OwnedMessage> {
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
                drop(socket);
                self.retry((&outcome).into(), None);
                self.outcome = Some(outcome);
            }
            Stage::Taken => self.retry(Cause::Closed(1006), None),
            other => self.stage = other,
        }
    }

    /// Sets the delay, or gives up.
    fn retry(&mut self, cause: Cause, error: Option<&Error>) {
        self.stage = match self.state.random_delay(&cause, Instant::now()) {
            Err(reason) => {
                self.gave_up = Some(reason);
                Stage::Over
            }
            Ok(delay) => {
                if let Some(report) = &mut self.hooks.on_retry {
                    report(&Retry::new(cause, error, delay));
                }
                Stage::Due(delay)
            }
        };
    }

    fn wait(&mut self, delay: Duration) -> Result<(), Error> {
        match &self.client.cancel {
            None => thread::sleep(delay),
            Some(cancel) if cancel.sleep(delay) => {
                self.stage = Stage::Over;
                return Err(Error::Cancelled);
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn attempt(&mut self) -> Result<WebSocket, Error> {
        let mut client = self.client.clone();
        if let Some(change) = &mut self.hooks.before_connect {
            client.offer = change(client.offer)?;
        }
        let mut socket = client.connect()?;
        if let Some(prepare) = &mut self.hooks.on_connect {
            prepare(&mut socket)?;
        }
        Ok(socket)
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
