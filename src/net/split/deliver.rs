//! Writes what a hub has for a connection, on the thread that publishes.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Writer;
use super::outbox::Outbox;
use super::shared::{Locked, Shared};
use crate::hub::{Budget, Subscriber};

impl Writer {
    /// Returns the inbox of this connection, for the topics of a [`Hub`](crate::hub::Hub). The first
    /// call creates it with this budget; later ones return the same.
    ///
    /// Who publishes writes to the connection, as far as the network takes it without waiting; the
    /// background thread writes the rest, and what has come meanwhile. With TLS, and on systems
    /// other than Unix, it writes everything. Mail waits while a fragmented message is in progress.
    ///
    /// The inbox does not keep the connection. When the last half is dropped, or the connection
    /// ends, what waits in it is dropped and counted ([`Subscriber::counts`]).
    #[must_use]
    pub fn subscriber(&self, budget: Budget) -> Subscriber {
        let shared = Arc::downgrade(self.handle.shared());
        let new = || {
            Subscriber::new(budget, move || {
                if let Some(shared) = shared.upgrade() {
                    shared.deliver();
                }
            })
        };
        self.handle.lock().mailbox.get_or_insert_with(new)
    }
}

impl Shared {
    /// Writes the mail, as far as the network takes it without waiting.
    fn deliver(&self) {
        let outbox = self.lock();
        let Some(tcp) = self.stream.plain_tcp().filter(|_| cfg!(unix)) else {
            return self.leave_to_background(outbox);
        };
        self.write_mail(outbox, tcp);
    }

    fn write_mail(&self, mut outbox: Locked<'_>, tcp: &TcpStream) {
        // A thread that writes wakes the background thread afterwards, and where a rest waits the
        // background thread is at it.
        if !outbox.can_write() {
            return;
        }
        while outbox.can_write() {
            let Outbox { sender, queue, mailbox, .. } = &mut *outbox;
            let Some(mail) = mailbox.take(sender, queue) else { break };
            let Some(mut batch) = queue.take() else { break };
            let mut result = Ok(());
            if let Ok(mut unwritten) = sender.send_encoded_in_place(&mail, &mut batch) {
                queue.set_in_flight(unwritten.remaining());
                // Under the lock, because this write does not wait.
                let mut now = Now { tcp, written: &self.written };
                result = unwritten.write_once(&mut now).map(drop);
            } else {
                // The connection has ended.
                mailbox.end();
            }
            if outbox.put_back(batch, result) {
                // The reader notices it at the end of its stream.
                let _ = self.stream.abort();
            }
        }
        if !outbox.queue.is_empty() || outbox.has_mail() {
            self.leave_to_background(outbox);
        }
    }

    fn leave_to_background(&self, mut outbox: Locked<'_>) {
        outbox.write_wanted = true;
        drop(outbox);
        self.notify();
    }
}

/// Writes what the network takes without waiting, although the socket is a blocking one.
struct Now<'a> {
    tcp: &'a TcpStream,
    written: &'a AtomicU64,
}

impl Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = send_now(self.tcp, bytes)?;
        self.written.fetch_add(n as u64, Ordering::Release);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(unix)]
fn send_now(tcp: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    // On Apple's systems std has set an option of the socket instead.
    #[cfg(target_vendor = "apple")]
    const NO_SIGNAL: libc::c_int = 0;
    #[cfg(not(target_vendor = "apple"))]
    const NO_SIGNAL: libc::c_int = libc::MSG_NOSIGNAL;
    socket2::SockRef::from(tcp).send_with_flags(bytes, libc::MSG_DONTWAIT | NO_SIGNAL)
}

#[cfg(not(unix))]
fn send_now(_: &TcpStream, _: &[u8]) -> io::Result<usize> {
    Err(io::ErrorKind::WouldBlock.into())
}
