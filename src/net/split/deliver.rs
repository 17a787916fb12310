//! Writes what a hub has for a connection, on the thread that publishes.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Writer;
use super::outbox::{Outbox, Verdict};
use super::shared::Shared;
use crate::hub::{Budget, Subscriber};
use crate::net::Stream;

/// How many messages one call writes. Others may publish as fast as this thread writes, and the
/// background thread goes on.
const AT_ONCE: usize = 16;

impl Writer {
    /// Returns the inbox of this connection, for the topics of a [`Hub`](crate::hub::Hub). The first
    /// call creates it with this budget; later ones return the same.
    ///
    /// The thread that publishes writes to the connection, as far as the network takes it without waiting; the
    /// background thread writes the rest, and what has come meanwhile. With TLS, and on systems
    /// other than Unix, it writes everything. Mail waits while a fragmented message is in progress.
    ///
    /// The inbox does not keep the connection. It ends with the connection or its last half, or with a
    /// Close frame of the program, of its server or of the peer: what still waits is dropped then, and
    /// counted ([`Subscriber::counts`]). [`Subscriber::close`] closes the connection behind what waits.
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
        let mut outbox = self.handle.lock();
        let subscriber = outbox.mailbox.subscriber(self.handle.slot.as_ref(), new);
        outbox.end_mail_if_over();
        subscriber
    }
}

impl Shared {
    /// Writes the mail, as far as the network takes it without waiting.
    fn deliver(&self) {
        let mut outbox = self.lock();
        let tcp = self.stream.plain_tcp().filter(|_| cfg!(unix) && !outbox.queue.has_rest());
        if let Some(tcp) = tcp {
            self.write_mail(&mut outbox, tcp);
        } else {
            let Outbox { sender, queue, mailbox, .. } = &mut *outbox;
            mailbox.take_close(sender, queue);
        }
        // A thread that writes wakes the background thread afterwards.
        if !outbox.queue.is_empty() || outbox.has_mail() {
            outbox.write_wanted = true;
            drop(outbox);
            self.notify();
        }
    }

    fn write_mail(&self, outbox: &mut Outbox, tcp: &TcpStream) {
        for _ in 0..AT_ONCE {
            let Outbox { sender, queue, mailbox, .. } = outbox;
            let Some(mail) = mailbox.take(sender, queue) else { break };
            let Some(mut batch) = queue.take() else { break };
            let mut result = Ok(());
            if let Ok(mut unwritten) = sender.send_encoded_in_place(&mail, &mut batch) {
                queue.set_in_flight(unwritten.remaining());
                // Under the lock, because this write does not wait.
                let mut now = Now { tcp, stream: &self.stream, written: &self.written };
                result = unwritten.write_once(&mut now).map(drop);
                mailbox.count(&mail);
            } else {
                // The connection has ended.
                mailbox.end();
            }
            match outbox.put_back(batch, result) {
                Verdict::GoesOn => {}
                verdict => self.abort(verdict),
            }
        }
    }
}

/// Writes what the network takes without waiting, although the socket is a blocking one.
struct Now<'a> {
    tcp: &'a TcpStream,
    stream: &'a Stream,
    written: &'a AtomicU64,
}

impl Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.stream.counted_write(send_now(self.tcp, bytes))?;
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
