//! One TLS connection, for several threads at a time.
//!
//! Records are encrypted and decrypted under one lock, and no thread holds it while it waits for
//! the network: a reader waits before it takes the lock, and a writer releases the lock before it
//! waits. So a connection can be split, and a server that shuts down can write a Close frame while
//! the connection's own thread waits in a read.

use std::fmt;
use std::io::{self, IoSlice, Read};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use rustls::Connection;

use super::error::TlsError;
use super::records::{Received, Unsent};
use crate::Deadline;
use crate::handshake::Incomplete;
use crate::net::Error;
use crate::net::blocking::{is_would_block, time_until};
use crate::net::lock::lock;
use crate::net::wire::Wire;

/// A TLS session. A thread that holds two of the locks takes that of `tls` last.
pub(crate) struct Session {
    tls: Mutex<Connection>,
    received: Mutex<Received>,
    unsent: Mutex<Unsent>,
}

/// How long writing `close_notify` may take.
const CLOSE_NOTIFY_TIME: Duration = Duration::from_secs(1);
/// How long a write may take that should not wait: the operating system does not accept zero.
const NO_WAIT: Duration = Duration::from_millis(1);

/// The answer to a client that sends HTTP instead of TLS. The reason is in the status line, which
/// every client shows.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 This port speaks TLS, use wss: or https:\r\n\
    Connection: close\r\nContent-Length: 0\r\n\r\n";

impl Session {
    pub(crate) fn new(tls: impl Into<Connection>) -> Self {
        Self { tls: Mutex::new(tls.into()), received: Mutex::default(), unsent: Mutex::default() }
    }

    /// Calls `read` with the connection of rustls, under its lock.
    pub(super) fn with_connection<T>(&self, read: impl FnOnce(&Connection) -> T) -> T {
        read(&lock(&self.tls))
    }

    /// Does the TLS handshake. It leaves the stream's write timeout as it was.
    pub(crate) fn handshake(&self, wire: &dyn Wire, deadline: &Deadline) -> Result<(), Error> {
        let write_timeout = wire.write_timeout()?;
        let result = self.complete_handshake(wire, deadline);
        if matches!(result, Err(Error::Tls(_))) {
            self.send_alert(wire);
        }
        wire.set_write_timeout(write_timeout)?;
        result
    }

    fn complete_handshake(&self, wire: &dyn Wire, deadline: &Deadline) -> Result<(), Error> {
        let mut received = lock(&self.received);
        let mut unsent = lock(&self.unsent);
        let mut expects_client = self.with_connection(|tls| matches!(tls, Connection::Server(_)));
        loop {
            let handshaking = {
                let mut tls = lock(&self.tls);
                while tls.is_handshaking() && received.give(&mut tls)? {}
                unsent.take(&mut tls)?;
                tls.is_handshaking()
            };
            while !unsent.is_empty() {
                let left = time_left(deadline)?;
                wire.set_write_timeout(left)?;
                ignore_would_block(unsent.send(wire))?;
            }
            if !handshaking {
                return Ok(());
            }
            wire.set_read_timeout(time_left(deadline)?)?;
            ignore_would_block(received.read_from(wire))?;
            if received.has_ended() {
                return Err(Incomplete::UnexpectedEof.into());
            }
            if let Some(byte) = received.first() {
                // An HTTP request begins with a letter, a TLS connection with 0x16. Only the very
                // first byte shows which it is.
                if std::mem::take(&mut expects_client) && byte.is_ascii_uppercase() {
                    let _ = unsent.send_as_is(wire, PLAIN_HTTP);
                    return Err(TlsError::NotTls.into());
                }
            }
        }
    }

    /// Reads from the stream once at most. Fails with [`io::ErrorKind::Interrupted`] if that
    /// brought only a part of a record: the caller checks its timers before it reads again, so a
    /// peer that sends its records byte by byte gains no time.
    pub(crate) fn read(&self, wire: &dyn Wire, buffer: &mut [u8]) -> io::Result<usize> {
        // While another thread reads, there is nothing left to wait for.
        let mut received = try_lock(&self.received).ok_or(io::ErrorKind::WouldBlock)?;
        if let Some(n) = self.open(wire, &mut received, buffer)? {
            return Ok(n);
        }
        received.read_from(wire)?;
        let opened = self.open(wire, &mut received, buffer)?;
        opened.ok_or_else(|| io::ErrorKind::Interrupted.into())
    }

    /// Decrypts records until the buffer is full or everything that has arrived is decrypted.
    /// Returns `None` if there is no plaintext.
    fn open(
        &self,
        wire: &dyn Wire,
        received: &mut Received,
        buffer: &mut [u8],
    ) -> io::Result<Option<usize>> {
        let mut filled: usize = 0;
        let mut tls = lock(&self.tls);
        loop {
            match tls.reader().read(buffer.get_mut(filled..).unwrap_or_default()) {
                // The end of the stream. It is reported again after what is in the buffer.
                Ok(0) => return Ok(Some(filled)),
                Ok(n) => {
                    filled = filled.saturating_add(n);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) if filled > 0 => return Ok(Some(filled)),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(TlsError::Truncated.into());
                }
                Err(error) => return Err(error),
            }
            match received.give(&mut tls) {
                Ok(true) => {}
                Ok(false) => return Ok((filled > 0).then_some(filled)),
                Err(_) if filled > 0 => return Ok(Some(filled)),
                Err(error) => {
                    drop(tls);
                    self.send_alert(wire);
                    return Err(error.into());
                }
            }
        }
    }

    /// Encrypts and writes. Bytes count as written when their records have been written.
    pub(crate) fn write(&self, wire: &dyn Wire, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        lock(&self.unsent).write(wire, &self.tls, slices)
    }

    pub(crate) fn flush(&self, wire: &dyn Wire) -> io::Result<()> {
        lock(&self.unsent).send(wire)
    }

    /// Encrypts a few bytes and writes as much as the network takes at once; the rest is written
    /// before whatever comes next. Fails with [`io::ErrorKind::WouldBlock`] while another thread
    /// writes.
    pub(crate) fn write_now(&self, wire: &dyn Wire, bytes: &[u8]) -> io::Result<()> {
        let Some(mut unsent) = try_lock(&self.unsent).filter(|unsent| unsent.is_empty()) else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        unsent.encrypt(&self.tls, &[IoSlice::new(bytes)])?;
        ignore_would_block(with_write_timeout(wire, NO_WAIT, || unsent.send(wire)))
    }

    /// Sends `close_notify`, if that takes a short time only.
    pub(crate) fn close(&self, wire: &dyn Wire) {
        // A write that another thread has begun will fail: the stream ends below the session.
        let Some(mut unsent) = try_lock(&self.unsent) else { return };
        {
            let mut tls = lock(&self.tls);
            tls.send_close_notify();
            let _ = unsent.take(&mut tls);
        }
        let _ = with_write_timeout(wire, CLOSE_NOTIFY_TIME, || unsent.send(wire));
        unsent.end();
    }

    /// Sends the alert that tells the peer why the session failed, if no other thread writes and
    /// the network takes it at once.
    fn send_alert(&self, wire: &dyn Wire) {
        if let Some(mut unsent) = try_lock(&self.unsent) {
            let _ = unsent.take(&mut lock(&self.tls));
            let _ = with_write_timeout(wire, NO_WAIT, || unsent.send(wire));
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

fn time_left(deadline: &Deadline) -> Result<Option<Duration>, Error> {
    if deadline.handle_timeout(Instant::now()).is_err() {
        return Err(Incomplete::TimedOut.into());
    }
    Ok(deadline.poll_timeout().map(time_until))
}

fn ignore_would_block(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if is_would_block(&error) || error.kind() == io::ErrorKind::Interrupted => {
            Ok(())
        }
        result => result,
    }
}

/// Calls `write` while writes to the stream take no longer than `time`.
fn with_write_timeout<T>(
    wire: &dyn Wire,
    time: Duration,
    write: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let before = wire.write_timeout()?;
    wire.set_write_timeout(Some(before.map_or(time, |before| before.min(time))))?;
    let result = write();
    wire.set_write_timeout(before)?;
    result
}

/// [`lock`], unless another thread holds it.
fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
