//! Well-behaved clients, and how long they wait for their answers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sansock::net::{Client, WebSocket};
use sansock::{CloseCode, Event};

use crate::common::{Fallible, ensure, join, ms};

/// How long a good client waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A good client with a connection.
#[derive(Debug)]
pub(crate) struct Good {
    socket: WebSocket,
    sent: u64,
}

impl Good {
    pub(crate) fn connect(address: SocketAddr) -> Fallible<Self> {
        Self::connect_to(&format!("ws://{address}/"))
    }

    pub(crate) fn connect_to(url: &str) -> Fallible<Self> {
        let client = Client::new(url)?.connect_timeout(TIMEOUT).write_timeout(TIMEOUT);
        Ok(Self { socket: client.connect()?, sent: 0 })
    }

    /// Sends 64 bytes, waits for the echo, and returns the time that this took.
    pub(crate) fn exchange(&mut self) -> Fallible<Duration> {
        self.sent += 1;
        let mut message = [b'.'; 64];
        message[..8].copy_from_slice(&self.sent.to_be_bytes());
        let start = Instant::now();
        self.socket.send(message)?;
        loop {
            match self.socket.next_event_timeout(TIMEOUT)? {
                sansock::net::Next::Event(Event::Message(answer)) => {
                    ensure(answer.as_bytes() == message, || "another answer".into())?;
                    return Ok(start.elapsed());
                }
                sansock::net::Next::Event(_) => {}
                other => return Err(format!("no answer, but {other:?}").into()),
            }
        }
    }

    pub(crate) fn close(mut self) -> Fallible {
        self.socket.close(CloseCode::NORMAL, "")?;
        Ok(())
    }
}

/// Times of one kind, sorted.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    pub(crate) fn median(&self) -> Duration {
        self.0.get(self.0.len() / 2).copied().unwrap_or_default()
    }

    pub(crate) fn max(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

/// What the good clients saw.
#[derive(Debug, Default)]
pub(crate) struct Service {
    /// From a message to its echo, on a connection that stays.
    pub(crate) echo: Times,
    /// From `connect` to the first echo, on new connections.
    pub(crate) opening: Times,
}

/// Talks to the server until `work` has ended: on one connection every 5 ms and, if `newcomers`, on
/// a new one every 50 ms.
pub(crate) fn beside<T>(
    address: SocketAddr,
    newcomers: bool,
    work: impl FnOnce() -> Fallible<T>,
) -> Fallible<(T, Service)> {
    let mut steady = Good::connect(address)?;
    steady.exchange()?;
    let over = AtomicBool::new(false);
    let over = &over;
    let (done, echo, opening) = thread::scope(|scope| {
        let echo = scope.spawn(move || {
            let times = repeat(over, ms(5), || steady.exchange())
                .map_err(|error| format!("a good client with a connection: {error}"))?;
            steady.close()?;
            Ok(times)
        });
        let opening = scope.spawn(move || {
            if !newcomers {
                return Ok(Times::default());
            }
            Ok(repeat(over, ms(50), || open(address))
                .map_err(|error| format!("a good client that comes: {error}"))?)
        });
        let done = work();
        over.store(true, Ordering::SeqCst);
        (done, join(echo), join(opening))
    });
    Ok((done?, Service { echo: echo?, opening: opening? }))
}

/// Good clients alone, for a while.
pub(crate) fn alone(address: SocketAddr, time: Duration) -> Fallible<Service> {
    let ((), service) = beside(address, true, || {
        thread::sleep(time);
        Ok(())
    })?;
    Ok(service)
}

fn open(address: SocketAddr) -> Fallible<Duration> {
    let start = Instant::now();
    let mut good = Good::connect(address)?;
    good.exchange()?;
    let time = start.elapsed();
    good.close()?;
    Ok(time)
}

fn repeat(
    over: &AtomicBool,
    pause: Duration,
    mut once: impl FnMut() -> Fallible<Duration>,
) -> Fallible<Times> {
    let mut times = Vec::new();
    while !over.load(Ordering::SeqCst) {
        times.push(once()?);
        thread::sleep(pause);
    }
    Ok(Times::new(times))
}
