//! A split connection under the schedules of shuttle, which decides at each lock which task goes on
//! and reports deadlocks:
//!
//! ```sh
//! RUSTFLAGS="--cfg shuttle" cargo test -p sansock-tokio --test schedules --target-dir target/shuttle
//! ```
#![cfg(shuttle)]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use sansock::handshake::Established;
use sansock::{ReceiveBuffer, Role, Timeouts};
use sansock_tokio::{CloseCode, Config, Reader, WebSocket, Writer};
use shuttle::future::{JoinHandle, block_on, spawn};
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
struct End {
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
fn check<F: Future<Output = ()> + 'static>(tasks: fn() -> F) {
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
async fn task<F: Future>(future: F) -> F::Output {
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
fn ends(room: usize) -> [(Reader<End>, Writer<End>); 2] {
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
async fn count(mut reader: Reader<End>) -> usize {
    let mut messages = 0;
    while reader.next_message().await.unwrap().is_some() {
        messages += 1;
    }
    messages
}

/// Two tasks at each end. Both ends read, and send more than the pipe holds, Pings included.
/// Everything arrives.
#[test]
fn two_saturated_ends_do_not_hang() {
    check(|| async {
        let [(here, to_there), (there, from_there)] = ends(8);
        let counts = [spawn(task(count(here))), spawn(task(count(there)))];
        let senders = [to_there.clone(), from_there].map(|writer| {
            spawn(task(async move {
                for _ in 0..3 {
                    writer.send("a message").await.unwrap();
                    writer.ping(b"?").await.unwrap();
                }
            }))
        });
        for sender in senders {
            sender.await.unwrap();
        }
        to_there.start_close(CloseCode::NORMAL, "").await.unwrap();
        assert_eq!(sum(counts).await, 6);
    });
}

/// Two tasks send payloads from where they lie, longer than the pipe, and a third one queues.
#[test]
fn large_payloads_of_several_tasks_stay_whole() {
    check(|| async {
        let [(here, to_there), (there, _from_there)] = ends(4_096);
        let counts = [spawn(task(count(here))), spawn(task(count(there)))];
        let senders = [1, 2].map(|n| {
            let writer = to_there.clone();
            spawn(task(async move { writer.send(vec![n; 9_000]).await.unwrap() }))
        });
        to_there.queue("between them, before or behind").unwrap();
        for sender in senders {
            sender.await.unwrap();
        }
        to_there.start_close(CloseCode::NORMAL, "").await.unwrap();
        assert_eq!(sum(counts).await, 3);
    });
}

/// Who queues does not write: the reader does, though it sleeps.
#[test]
fn what_is_queued_wakes_the_reader() {
    check(|| async {
        let [(here, to_there), (there, _from_there)] = ends(4);
        let counts = [spawn(task(count(here))), spawn(task(count(there)))];
        let queues = [1, 2].map(|_| {
            let writer = to_there.clone();
            spawn(task(async move { writer.queue("queued by one of two").unwrap() }))
        });
        for queue in queues {
            queue.await.unwrap();
        }
        to_there.queue_close(CloseCode::NORMAL, "").unwrap();
        assert_eq!(sum(counts).await, 2);
    });
}

async fn sum(counts: [JoinHandle<usize>; 2]) -> usize {
    let mut sum = 0;
    for count in counts {
        sum += count.await.unwrap();
    }
    sum
}

/// A task that writes for others is dropped in the middle of it: another one goes on.
#[test]
fn a_writer_that_is_dropped_leaves_its_work_to_others() {
    check(|| async {
        let [(here, to_there), (there, _from_there)] = ends(4);
        let counts = [spawn(task(count(here))), spawn(task(count(there)))];
        let first = to_there.clone();
        let cut_off = spawn(task(async move {
            let mut sending = pin!(first.send("a message that is longer than the pipe"));
            let mut polls = 0;
            poll_fn(|cx| {
                polls += 1;
                match sending.as_mut().poll(cx) {
                    Poll::Pending if polls == 1 => Poll::Pending,
                    _ => Poll::Ready(()),
                }
            })
            .await;
        }));
        to_there.send("another").await.unwrap();
        cut_off.await.unwrap();
        to_there.start_close(CloseCode::NORMAL, "").await.unwrap();
        assert_eq!(sum(counts).await, 2);
    });
}
