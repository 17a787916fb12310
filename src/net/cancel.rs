//! Cancelling a client that connects.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use super::lock::{lock, wait};
use super::{Error, Stream};

/// Cancels [`Client::connect`](super::Client::connect) from another thread, for example when a
/// window is closed. All clones cancel the same clients.
///
/// ```
/// use sansock::net::{CancelConnect, Client, Error};
/// use std::{net::TcpListener, thread, time::Duration};
///
/// // A server that never answers.
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let cancel = CancelConnect::new();
/// let client = Client::new(&format!("ws://{}/", listener.local_addr()?))?.cancel(&cancel);
/// let connecting = thread::spawn(move || client.connect());
/// thread::sleep(Duration::from_millis(50));
/// cancel.cancel();
/// assert!(matches!(connecting.join().unwrap(), Err(Error::Cancelled)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct CancelConnect {
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    cancelled: bool,
    /// The transports of the handshakes in progress.
    streams: Vec<Stream>,
}

impl CancelConnect {
    /// Creates a handle that is not cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels all connection attempts with this handle, now and in the future. It returns at once.
    /// Connections that are already established are not affected.
    pub fn cancel(&self) {
        let (state, changed) = &*self.shared;
        let mut state = lock(state);
        state.cancelled = true;
        for stream in state.streams.drain(..) {
            // Ends the wait for the server's answer.
            let _ = stream.abort();
        }
        changed.notify_all();
    }

    /// Returns whether [`cancel`](Self::cancel) was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        lock(&self.shared.0).cancelled
    }

    /// Waits for this time, and returns whether it was cancelled.
    #[cfg(feature = "reconnect")]
    pub(super) fn sleep(&self, time: std::time::Duration) -> bool {
        let until = std::time::Instant::now().checked_add(time);
        let mut state = lock(&self.shared.0);
        while !state.cancelled && until.is_none_or(|until| std::time::Instant::now() < until) {
            state = wait(&self.shared.1, state, until);
        }
        state.cancelled
    }

    /// Runs `dial` on a separate thread and waits until it ends or is cancelled: the operating
    /// system offers no way to interrupt it.
    pub(super) fn dial<T: Send + 'static>(
        &self,
        dial: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let dialled = Arc::new(Mutex::new(None));
        let (shared, result) = (Arc::clone(&self.shared), Arc::clone(&dialled));
        thread::Builder::new().name("sansock-connect".into()).spawn(move || {
            let dialled = dial();
            // Under the lock, or the waiting thread might miss the notification.
            let _state = lock(&shared.0);
            *lock(&result) = Some(dialled);
            shared.1.notify_all();
        })?;
        let mut state = lock(&self.shared.0);
        loop {
            if state.cancelled {
                return Err(Error::Cancelled);
            }
            if let Some(result) = lock(&dialled).take() {
                return result;
            }
            state = wait(&self.shared.1, state, None);
        }
    }

    /// Lets a cancellation abort a handshake on this transport.
    pub(super) fn watch<T>(
        &self,
        stream: &Stream,
        handshake: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        {
            let mut state = lock(&self.shared.0);
            if state.cancelled {
                return Err(Error::Cancelled);
            }
            state.streams.push(stream.clone());
        }
        let result = handshake();
        let mut state = lock(&self.shared.0);
        state.streams.retain(|other| !Arc::ptr_eq(&other.0, &stream.0));
        if state.cancelled { Err(Error::Cancelled) } else { result }
    }
}

impl fmt::Debug for CancelConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelConnect").field("cancelled", &self.is_cancelled()).finish()
    }
}
