//! One TLS connection, for several threads at a time.
//!
//! Records are made and opened under one lock, which is never held while the network is waited for:
//! whoever reads waits before it takes the lock, and whoever writes lets go of it before. So a
//! connection can be split, and a server that shuts down can write a last word while the connection's
//! own thread waits in a read.

use std::fmt;
use std::io::{self, IoSlice, Read};
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use rustls::Connection;

use super::error::TlsError;
use super::records::{Received, Unsent};
use crate::Deadline;
use crate::Incomplete;
use crate::net::Error;
use crate::net::blocking::{is_would_block, time_until};
use crate::net::lock::lock;

/// A TLS session. Where two locks are held, that of `tls` was taken last.
pub(crate) struct Session {
    tls: Mutex<Connection>,
    received: Mutex<Received>,
    unsent: Mutex<Unsent>,
}

/// How long a last word may take.
const LAST_WORD_TIME: Duration = Duration::from_secs(1);
/// How long a write may take that is not to wait: the operating system takes no zero.
const AT_ONCE: Duration = Duration::from_millis(1);

/// To a client that speaks HTTP where TLS is spoken. The reason stands where every client shows it.
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
    pub(crate) fn handshake(&self, tcp: &TcpStream, deadline: &Deadline) -> Result<(), Error> {
        let patience = tcp.write_timeout()?;
        let result = self.shake_hands(tcp, deadline);
        if matches!(result, Err(Error::Tls(_))) {
            self.send_alert(tcp);
        }
        tcp.set_write_timeout(patience)?;
        result
    }

    fn shake_hands(&self, tcp: &TcpStream, deadline: &Deadline) -> Result<(), Error> {
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
                tcp.set_write_timeout(left)?;
                unless_it_passes(unsent.send(tcp))?;
            }
            if !handshaking {
                return Ok(());
            }
            tcp.set_read_timeout(time_left(deadline)?)?;
            unless_it_passes(received.read_from(tcp))?;
            if received.has_ended() {
                return Err(Incomplete::UnexpectedEof.into());
            }
            if let Some(byte) = received.first() {
                // A request begins with a method, a TLS connection with 0x16; only the first byte of
                // all tells.
                if std::mem::take(&mut expects_client) && byte.is_ascii_uppercase() {
                    let _ = unsent.send_as_is(tcp, PLAIN_HTTP);
                    return Err(TlsError::NotTls.into());
                }
            }
        }
    }

    /// One read from the stream at most. [`io::ErrorKind::Interrupted`] if that brought a part of a
    /// record only: the caller looks at its timers before it goes on, so that a peer that drips its
    /// records wins no time by it.
    pub(crate) fn read(&self, tcp: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        // Two that read at once have nothing to wait for that the other does not take.
        let mut received = try_lock(&self.received).ok_or(io::ErrorKind::WouldBlock)?;
        if let Some(n) = self.open(tcp, &mut received, buffer)? {
            return Ok(n);
        }
        received.read_from(tcp)?;
        let opened = self.open(tcp, &mut received, buffer)?;
        opened.ok_or_else(|| io::ErrorKind::Interrupted.into())
    }

    /// Opens records until the buffer is full or all that has arrived is opened; `None` if there is
    /// no plaintext.
    fn open(
        &self,
        tcp: &TcpStream,
        received: &mut Received,
        buffer: &mut [u8],
    ) -> io::Result<Option<usize>> {
        let mut filled: usize = 0;
        let mut tls = lock(&self.tls);
        loop {
            match tls.reader().read(buffer.get_mut(filled..).unwrap_or_default()) {
                // The end comes again, after what is in the buffer.
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
                    self.send_alert(tcp);
                    return Err(error.into());
                }
            }
        }
    }

    /// Encrypts and writes. Bytes count as written when their records have left, or all but what is
    /// left of the last.
    pub(crate) fn write(&self, tcp: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        lock(&self.unsent).write(tcp, &self.tls, slices)
    }

    pub(crate) fn flush(&self, tcp: &TcpStream) -> io::Result<()> {
        lock(&self.unsent).send(tcp)
    }

    /// Encrypts a few bytes and writes them as far as the network takes them at once; the rest goes
    /// with what is written next. Nobody else may be writing.
    pub(crate) fn write_now(&self, tcp: &TcpStream, bytes: &[u8]) -> io::Result<()> {
        let Some(mut unsent) = try_lock(&self.unsent).filter(|unsent| unsent.is_empty()) else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        unsent.encrypt(&self.tls, &[IoSlice::new(bytes)])?;
        unless_it_passes(within(tcp, AT_ONCE, || unsent.send(tcp)))
    }

    /// Says that we send no more (`close_notify`), if that can be said in a short time.
    pub(crate) fn close(&self, tcp: &TcpStream) {
        // Somebody who writes now does so in vain: the stream ends below the session.
        let Some(mut unsent) = try_lock(&self.unsent) else { return };
        {
            let mut tls = lock(&self.tls);
            tls.send_close_notify();
            let _ = unsent.take(&mut tls);
        }
        let _ = within(tcp, LAST_WORD_TIME, || unsent.send(tcp));
        unsent.end();
    }

    /// Tells the peer why the session has failed, if nobody writes and the network takes it at once.
    fn send_alert(&self, tcp: &TcpStream) {
        if let Some(mut unsent) = try_lock(&self.unsent) {
            let _ = unsent.take(&mut lock(&self.tls));
            let _ = within(tcp, AT_ONCE, || unsent.send(tcp));
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

fn unless_it_passes(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if is_would_block(&error) || error.kind() == io::ErrorKind::Interrupted => {
            Ok(())
        }
        result => result,
    }
}

/// With writes that take no longer than that.
fn within<T>(
    tcp: &TcpStream,
    time: Duration,
    write: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let patience = tcp.write_timeout()?;
    tcp.set_write_timeout(Some(patience.map_or(time, |patience| patience.min(time))))?;
    let result = write();
    tcp.set_write_timeout(patience)?;
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
