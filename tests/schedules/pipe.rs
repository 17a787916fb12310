//! A pipe whose locks are shuttle's, and tasks that go through schedules.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use sansock::handshake::Established;
use sansock::{ReceiveBuffer, Role, Timeouts};
use sansock_tokio::{Config, Reader, WebSocket, Writer};
use shuttle::future::block_on;
use shuttle::sync::{Mutex, MutexGuard};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How many schedules each test goes through.
const SCHEDULES: usize = 500;

/// One direction: so many bytes fit in, and one waker is kept on each side, as of a socket.
struct Way {
    bytes: VecDeque<u8>,
    room: usize,
    is_closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// One end of a pipe.
pub(crate) struct End {
    reads: Arc<Mutex<Way>>,
    writes: Arc<Mutex<Way>>,
}

fn locked(way: &Mutex<Way>) -> MutexGuard<'_, Way> {
    way.lock().unwrap()
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut way = locked(&self.reads);
        if way.bytes.is_empty() && !way.is_closed {
            way.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = way.bytes.len().min(buffer.remaining());
        for byte in way.bytes.drain(..n) {
            buffer.put_slice(&[byte]);
        }
        let writer = way.writer.take();
        drop(way);
        wake(writer);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut way = locked(&self.writes);
        let n = (way.room - way.bytes.len()).min(bytes.len());
        if n == 0 {
            way.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        way.bytes.extend(&bytes[..n]);
        let reader = way.reader.take();
        drop(way);
        wake(reader);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut way = locked(&self.writes);
        way.is_closed = true;
        let reader = way.reader.take();
        drop(way);
        wake(reader);
        Poll::Ready(Ok(()))
    }
}

/// Goes through schedules of the tasks that `tasks` starts: random ones, and those that let one task
/// run for as long as it can. The timers need a runtime, and never fire here.
pub(crate) fn check<F: Future<Output = ()> + 'static>(tasks: fn() -> F) {
    let timers = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _guard = timers.enter();
    shuttle::check_random(move || block_on(task(tasks())), SCHEDULES);
    shuttle::check_pct(move || block_on(task(tasks())), SCHEDULES, 3);
}

/// Remembers that its task was woken: a lock of shuttle that has to wait forgets it.
struct Woken {
    is_woken: AtomicBool,
    waker: Waker,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::SeqCst);
        self.waker.wake_by_ref();
    }
}

/// The future, which is polled again if it was woken meanwhile.
pub(crate) async fn task<F: Future>(future: F) -> F::Output {
    let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let woken = Arc::new(Woken { is_woken: AtomicBool::new(false), waker });
    let waker = Waker::from(Arc::clone(&woken));
    let mut future = pin!(future);
    poll_fn(|_| {
        loop {
            woken.is_woken.store(false, Ordering::SeqCst);
            let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
            if poll.is_ready() || !woken.is_woken.load(Ordering::SeqCst) {
                return poll;
            }
        }
    })
    .await
}

/// Both ends of a connection without timers, over a pipe that holds `room` bytes each way.
pub(crate) fn ends(room: usize) -> [(Reader<End>, Writer<End>); 2] {
    let way = || {
        let (bytes, reader, writer) = (VecDeque::new(), None, None);
        Arc::new(Mutex::new(Way { bytes, room, is_closed: false, reader, writer }))
    };
    let (there, back) = (way(), way());
    let end = |role, reads: &Arc<Mutex<Way>>, writes: &Arc<Mutex<Way>>| {
        let io = End { reads: Arc::clone(reads), writes: Arc::clone(writes) };
        let established = Established::after_handshake(role, None);
        let config = Config::new().timeouts(Timeouts::none());
        WebSocket::from_established(io, established, &config, ReceiveBuffer::new()).split()
    };
    [end(Role::Client, &there, &back), end(Role::Server, &back, &there)]
}

/// Reads messages until the end of the connection, and counts them.
pub(crate) async fn count(mut reader: Reader<End>) -> usize {
    let mut messages = 0;
    while reader.next_message().await.unwrap().is_some() {
        messages += 1;
    }
    messages
}
