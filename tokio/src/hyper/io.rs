//! hyper's stream as one of tokio's, and the connection over it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sansock::handshake::{Carrier, Established, Incomplete};
use sansock::{Config, Deadline, ReceiveBuffer, Role};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::opening::in_time;
use crate::server::WRITE_TIMEOUT;
use crate::{Error, WebSocket};

/// The largest number of bytes that one write hands to a stream of HTTP/2. hyper copies whatever it
/// gets and takes two writes before it waits for the peer, so a write without a limit would hold all
/// that is queued a second time, and count it as written.
const PIECE: usize = 64 << 10;

/// How long a client that sends nothing is waited for, once a server has ended the stream. Proxies
/// may never pass the client's end on. "A server MAY request that the client abort transmission of a
/// request without error by sending a `RST_STREAM` with an error code of `NO_ERROR` after sending a
/// complete response [...]. Clients MUST NOT discard responses as a result of receiving such a
/// `RST_STREAM`" (RFC 9113, 8.1); h2 sends it when the stream is dropped. A client that still sends
/// would have an error of its write instead of our Close frame.
const QUIET: Duration = Duration::from_secs(1);

/// What hyper hands over: the connection of HTTP/1.1, or one stream of HTTP/2.
///
/// "Orderly TCP-level closures are represented as `END_STREAM` flags [...]. RST exceptions are
/// represented with the `RST_STREAM` frame [...] with the CANCEL error code" (RFC 8441, 5). A reset
/// is the error [`ConnectionReset`](io::ErrorKind::ConnectionReset), and so is the loss of the whole
/// connection. For a reader a reset with CANCEL or `NO_ERROR` is the end of the stream. A server
/// that has ended a stream waits for the client's end only as long as something arrives.
#[derive(Debug)]
pub struct Upgraded {
    /// hyper's is not `Sync`. The lock is never taken: each access is exclusive.
    io: Mutex<TokioIo<hyper::upgrade::Upgraded>>,
    is_vectored: bool,
    carrier: Carrier,
    /// Whether our end of the stream becomes the end of both.
    ends_when_quiet: bool,
    /// After our end: the time until which nothing has to arrive.
    quiet: Option<Pin<Box<Sleep>>>,
}

impl Upgraded {
    /// Returns hyper's stream.
    #[must_use]
    pub fn into_inner(self) -> hyper::upgrade::Upgraded {
        self.io.into_inner().unwrap_or_else(PoisonError::into_inner).into_inner()
    }

    fn io(&mut self) -> Pin<&mut TokioIo<hyper::upgrade::Upgraded>> {
        Pin::new(self.io.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    /// Names an error of a stream of HTTP/2 as that of TCP would be named.
    fn name<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        result.map_err(|error| match (self.carrier, error.kind()) {
            (Carrier::ExtendedConnect, io::ErrorKind::Other) => {
                io::Error::new(io::ErrorKind::ConnectionReset, error)
            }
            _ => error,
        })
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.io().poll_read(cx, bytes);
        if let Some(quiet) = &mut self.quiet {
            if read.is_pending() {
                // No bytes: the end.
                return quiet.as_mut().poll(cx).map(Ok);
            }
            quiet.as_mut().reset(Instant::now() + QUIET);
        }
        self.name(read)
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let bytes = match self.carrier {
            Carrier::Upgrade => bytes,
            Carrier::ExtendedConnect => bytes.get(..PIECE).unwrap_or(bytes),
        };
        let written = self.io().poll_write(cx, bytes);
        self.name(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.carrier == Carrier::Upgrade {
            return self.io().poll_write_vectored(cx, slices);
        }
        let first = slices.iter().find(|slice| !slice.is_empty());
        self.poll_write(cx, first.map_or(&[], |slice| slice))
    }

    fn is_write_vectored(&self) -> bool {
        self.is_vectored
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.io().poll_flush(cx);
        self.name(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = self.io().poll_shutdown(cx);
        if self.ends_when_quiet && ended.is_ready() {
            self.quiet.get_or_insert_with(|| Box::pin(sleep(QUIET)));
        }
        self.name(ended)
    }
}

/// Waits for the stream, until the deadline at most, and makes the connection.
pub(super) async fn take_over(
    upgrade: OnUpgrade,
    carrier: Carrier,
    established: Established,
    config: &Config,
    deadline: &Deadline,
) -> Result<WebSocket<Upgraded>, Error> {
    let io = in_time(deadline, upgrade).await.ok_or(Incomplete::TimedOut)?;
    let io = TokioIo::new(io.map_err(io::Error::other)?);
    let io = Upgraded {
        is_vectored: io.is_write_vectored(),
        io: Mutex::new(io),
        carrier,
        // Without that deadline there may be no timer in the runtime.
        ends_when_quiet: carrier == Carrier::ExtendedConnect
            && established.role() == Role::Server
            && config.timeouts.closing.is_some(),
        quiet: None,
    };
    let input = ReceiveBuffer::with_read_size(config.read_size);
    let mut socket = WebSocket::from_established(io, established, config, input);
    socket.set_write_timeout(Some(WRITE_TIMEOUT));
    Ok(socket)
}
