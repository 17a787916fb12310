//! Connects TCP to the address of a host that answers first.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use std::{fmt, io};

use sansock::dial::{AddressOrder, HappyEyeballs, Next};
use sansock::net::ConnectError;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout_at;

use crate::clock::{Clock, now};

type Boxed<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// How a client finds its way to a host.
#[derive(Clone, Debug)]
pub(crate) struct Dialler {
    /// For the lookup and all attempts together.
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) order: AddressOrder,
    pub(crate) delay: Duration,
    pub(crate) resolver: Option<Resolver>,
    pub(crate) socket: Option<SocketOptions>,
}

/// What the program does with each socket before it connects.
#[derive(Clone)]
pub(crate) struct SocketOptions(pub(crate) Arc<SetOptions>);

type SetOptions = dyn Fn(&TcpSocket, SocketAddr) -> io::Result<()> + Send + Sync;

impl fmt::Debug for SocketOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SocketOptions")
    }
}

async fn connect_one(socket: Option<SocketOptions>, address: SocketAddr) -> io::Result<TcpStream> {
    let Some(set) = socket else { return TcpStream::connect(address).await };
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    (set.0)(&socket, address)?;
    socket.connect(address).await
}

/// A lookup of the program's own.
#[derive(Clone)]
pub(crate) struct Resolver(pub(crate) Arc<Resolve>);

type Resolve = dyn Fn(String, u16) -> Boxed<Vec<SocketAddr>> + Send + Sync;

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

impl Dialler {
    pub(crate) const fn new() -> Self {
        Self {
            connect_timeout: Some(Duration::from_secs(10)),
            order: AddressOrder::Interleaved,
            delay: HappyEyeballs::DELAY,
            resolver: None,
            socket: None,
        }
    }

    pub(crate) async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, ConnectError> {
        let until = self.until();
        let plan = self.plan(host, port, until).await?;
        let (running, attempts, clock) = (Vec::new(), Vec::new(), Clock::default());
        let socket = self.socket.clone();
        let mut race = Race { plan, socket, until, running, attempts, clock };
        let stream = poll_fn(|cx| race.poll(cx)).await;
        stream.ok_or_else(|| ConnectError::new(host, port, race.attempts, None))
    }

    /// Returns the address of the host that would be tried first.
    #[cfg(feature = "proxy")]
    pub(crate) async fn resolve(&self, host: &str, port: u16) -> Result<SocketAddr, ConnectError> {
        let plan = self.plan(host, port, self.until()).await?;
        let first = plan.untried().next();
        first.ok_or_else(|| ConnectError::new(host, port, Vec::new(), None))
    }

    fn until(&self) -> Option<Instant> {
        self.connect_timeout.and_then(|time| now().checked_add(time))
    }

    async fn plan(
        &self,
        host: &str,
        port: u16,
        until: Option<Instant>,
    ) -> Result<HappyEyeballs, ConnectError> {
        // An IPv6 address in brackets, as in a URL.
        let name = host.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(host);
        let addresses = match until {
            Some(at) => match timeout_at(at.into(), self.lookup(name, port)).await {
                Ok(addresses) => addresses,
                Err(late) => Err(late.into()),
            },
            None => self.lookup(name, port).await,
        };
        match addresses {
            Ok(addresses) => Ok(HappyEyeballs::new(addresses, self.order, self.delay)),
            Err(error) => Err(ConnectError::new(host, port, Vec::new(), Some(error))),
        }
    }

    async fn lookup(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match &self.resolver {
            Some(resolver) => (resolver.0)(name.to_owned(), port).await,
            None => lookup_host((name, port)).await.map(Iterator::collect),
        }
    }
}

/// Connects to one address after the other until one answers. Dropped, it closes what it has.
struct Race {
    plan: HappyEyeballs,
    socket: Option<SocketOptions>,
    until: Option<Instant>,
    running: Vec<(SocketAddr, Boxed<TcpStream>)>,
    attempts: Vec<(SocketAddr, io::Error)>,
    clock: Clock,
}

impl Race {
    /// Is ready with a connection, or with `None` if no address answers.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<TcpStream>> {
        loop {
            if self.until.is_some_and(|until| until <= now()) {
                let running = self.running.drain(..).map(|(address, _)| address);
                let late = running.chain(self.plan.untried());
                self.attempts.extend(late.map(|it| (it, io::ErrorKind::TimedOut.into())));
                return Poll::Ready(None);
            }
            match self.plan.poll(now()) {
                Next::Connect(address) => {
                    let attempt = connect_one(self.socket.clone(), address);
                    self.running.push((address, Box::pin(attempt)));
                }
                Next::Wait(at) => match self.poll_attempts(cx) {
                    Poll::Ready(Some(stream)) => return Poll::Ready(Some(stream)),
                    Poll::Ready(None) => {}
                    Poll::Pending => {
                        let at = [at, self.until].into_iter().flatten().min();
                        ready!(self.clock.poll_until(cx, at));
                    }
                },
                _ => return Poll::Ready(None),
            }
        }
    }

    /// Is ready with a connection, or with `None` if an attempt has failed.
    fn poll_attempts(&mut self, cx: &mut Context<'_>) -> Poll<Option<TcpStream>> {
        for (index, (address, attempt)) in self.running.iter_mut().enumerate() {
            match attempt.as_mut().poll(cx) {
                Poll::Ready(Ok(stream)) => return Poll::Ready(Some(stream)),
                Poll::Ready(Err(error)) => {
                    self.attempts.push((*address, error));
                    drop(self.running.remove(index));
                    self.plan.failed();
                    return Poll::Ready(None);
                }
                Poll::Pending => {}
            }
        }
        Poll::Pending
    }
}
