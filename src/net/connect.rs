//! Connects TCP to one of a host's addresses.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use std::{fmt, io, thread};

use super::blocking::time_until;
use crate::dial::{AddressOrder, HappyEyeballs, Next};

/// No address of the host could be connected to.
#[derive(Debug)]
pub struct ConnectError {
    host: String,
    port: u16,
    attempts: Vec<(SocketAddr, io::Error)>,
    lookup: Option<io::Error>,
}

impl ConnectError {
    /// Creates the error of an adapter that connects by itself: the host and port, the addresses
    /// that were tried, each with its error, and the error of the lookup if that failed.
    #[must_use]
    pub fn new(
        host: impl Into<String>,
        port: u16,
        attempts: Vec<(SocketAddr, io::Error)>,
        lookup: Option<io::Error>,
    ) -> Self {
        Self { host: host.into(), port, attempts, lookup }
    }

    /// Returns the host that was looked up.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the addresses that were tried, in order, each with its error. Empty if the host has
    /// no address or its lookup failed.
    #[must_use]
    pub fn attempts(&self) -> &[(SocketAddr, io::Error)] {
        &self.attempts
    }

    /// Returns the kind of the last error.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        let last = self.attempts.last().map(|(_, error)| error).or(self.lookup.as_ref());
        last.map_or(io::ErrorKind::NotFound, io::Error::kind)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = format!("{}:{}", self.host, self.port);
        write!(f, "cannot connect to {place}")?;
        match (&self.lookup, &self.attempts[..]) {
            (Some(error), _) => write!(f, ": {error}"),
            (None, []) => f.write_str(": the host has no address"),
            (None, attempts) => {
                attempts.iter().enumerate().try_for_each(|(i, (address, error))| {
                    f.write_str(if i == 0 { ": " } else { "; " })?;
                    // A host that is an address need not be named twice.
                    if address.to_string() != place {
                        write!(f, "{address}: ")?;
                    }
                    write!(f, "{error}")
                })
            }
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let last = self.attempts.last().map(|(_, error)| error).or(self.lookup.as_ref());
        last.map(|error| error as _)
    }
}

/// How a client finds its way to a host.
#[derive(Clone, Debug)]
pub(super) struct Dialler {
    /// For all attempts together, but not for the DNS lookup.
    pub(super) connect_timeout: Option<Duration>,
    pub(super) order: AddressOrder,
    pub(super) delay: Duration,
    pub(super) resolver: Option<Resolver>,
    #[cfg(feature = "socket2")]
    pub(super) socket: Option<super::socket_options::SocketOptions>,
}

/// A lookup of the program's own.
#[derive(Clone)]
pub(super) struct Resolver(pub(super) Arc<Resolve>);

type Resolve = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

impl Dialler {
    /// Connects to the address of the host that answers first.
    pub(super) fn connect(&self, host: &str, port: u16) -> Result<TcpStream, ConnectError> {
        let addresses = self.lookup(host, port)?;
        self.race(&addresses).map_err(|attempts| ConnectError::new(host, port, attempts, None))
    }

    /// Returns the address of the host that would be tried first.
    pub(super) fn resolve(&self, host: &str, port: u16) -> Result<SocketAddr, ConnectError> {
        let first = self.plan(&self.lookup(host, port)?).untried().next();
        first.ok_or_else(|| ConnectError::new(host, port, Vec::new(), None))
    }

    fn lookup(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        // An IPv6 address in brackets, as in a URL.
        let name = host.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(host);
        let addresses = match &self.resolver {
            Some(resolver) => (resolver.0)(name, port),
            None => (name, port).to_socket_addrs().map(Iterator::collect),
        };
        addresses.map_err(|error| ConnectError::new(host, port, Vec::new(), Some(error)))
    }

    fn plan(&self, addresses: &[SocketAddr]) -> HappyEyeballs {
        HappyEyeballs::new(addresses.iter().copied(), self.order, self.delay)
    }

    /// Connects to one address after the other, each in a thread, until one answers. The threads of
    /// the others end with their attempts, when the timeout has passed at the latest, and close what
    /// they have.
    fn race(&self, addresses: &[SocketAddr]) -> Result<TcpStream, Vec<(SocketAddr, io::Error)>> {
        let until = self.connect_timeout.and_then(|time| Instant::now().checked_add(time));
        if let [address] = addresses {
            return self.attempt()(*address, until).map_err(|error| vec![(*address, error)]);
        }
        let mut plan = self.plan(addresses);
        let (give, results) = mpsc::channel();
        let (mut attempts, mut running) = (Vec::new(), Vec::new());
        loop {
            if until.is_some_and(|until| until <= Instant::now()) {
                let late = running.into_iter().chain(plan.untried());
                attempts.extend(late.map(|it| (it, io::ErrorKind::TimedOut.into())));
                return Err(attempts);
            }
            let result = match plan.poll(Instant::now()) {
                Next::Connect(address) => match spawn(self.attempt(), address, until, give.clone())
                {
                    Ok(()) => {
                        running.push(address);
                        continue;
                    }
                    Err(error) => Ok((address, Err(error))),
                },
                Next::Wait(at) => wait(&results, [at, until].into_iter().flatten().min()),
                _ => return Err(attempts),
            };
            match result {
                Ok((_, Ok(stream))) => return Ok(stream),
                Ok((address, Err(error))) => {
                    if let Some(index) = running.iter().position(|it| *it == address) {
                        running.remove(index);
                    }
                    attempts.push((address, error));
                    plan.failed();
                }
                // It is time to look at the plan again.
                Err(_) => {}
            }
        }
    }
}

#[cfg(not(feature = "socket2"))]
type Connect = fn(SocketAddr, Option<Instant>) -> io::Result<TcpStream>;
#[cfg(feature = "socket2")]
type Connect = Box<dyn Fn(SocketAddr, Option<Instant>) -> io::Result<TcpStream> + Send>;

impl Dialler {
    /// How to connect to one address.
    #[cfg(not(feature = "socket2"))]
    #[expect(clippy::unused_self, reason = "with the feature it has the options")]
    const fn attempt(&self) -> Connect {
        connect_one
    }

    /// How to connect to one address.
    #[cfg(feature = "socket2")]
    fn attempt(&self) -> Connect {
        match self.socket.clone() {
            Some(socket) => Box::new(move |address, until| socket.connect(address, until)),
            None => Box::new(connect_one),
        }
    }
}

type Attempt = (SocketAddr, io::Result<TcpStream>);

fn spawn(
    attempt: Connect,
    address: SocketAddr,
    until: Option<Instant>,
    give: Sender<Attempt>,
) -> io::Result<()> {
    let connect = move || {
        // It fails if another attempt has won; then this stream is closed.
        let _ = give.send((address, attempt(address, until)));
    };
    thread::Builder::new().name("sansock-dial".into()).spawn(connect).map(drop)
}

fn wait(results: &Receiver<Attempt>, until: Option<Instant>) -> Result<Attempt, RecvTimeoutError> {
    match until {
        Some(until) => results.recv_timeout(time_until(until)),
        None => results.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
}

fn connect_one(address: SocketAddr, until: Option<Instant>) -> io::Result<TcpStream> {
    match until {
        None => TcpStream::connect(address),
        Some(until) => {
            let time = time_until(until).max(Duration::from_millis(1));
            TcpStream::connect_timeout(&address, time)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn closed() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    fn dialler(connect_timeout: Option<Duration>) -> Dialler {
        let (order, delay) = (AddressOrder::AsResolved, HappyEyeballs::DELAY);
        Dialler {
            connect_timeout,
            order,
            delay,
            resolver: None,
            #[cfg(feature = "socket2")]
            socket: None,
        }
    }

    fn connect(host: &str, port: u16) -> Result<TcpStream, ConnectError> {
        dialler(None).connect(host, port)
    }

    #[test]
    fn every_address_is_tried_and_each_error_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let closed = closed();
        for timeout in [None, Some(Duration::from_secs(10))] {
            let stream = dialler(timeout).race(&[closed, closed, open, closed]).unwrap();
            assert_eq!(stream.peer_addr().unwrap(), open);
            let attempts = dialler(timeout).race(&[closed, closed]).unwrap_err();
            for (address, error) in &attempts {
                let refused = io::ErrorKind::ConnectionRefused;
                assert_eq!((*address, error.kind()), (closed, refused));
            }
            assert_eq!(attempts.len(), 2);
            assert!(dialler(timeout).race(&[]).unwrap_err().is_empty());
        }
    }

    #[test]
    fn the_error_names_the_host_and_each_address() {
        let closed = closed();
        let error = connect("127.0.0.1", closed.port()).unwrap_err();
        let text = error.to_string();
        let refused = &error.attempts()[0].1;
        assert_eq!(text, format!("cannot connect to {closed}: {refused}"));
        assert_eq!((error.host(), error.port()), ("127.0.0.1", closed.port()));
        assert_eq!((error.attempts().len(), error.kind()), (1, io::ErrorKind::ConnectionRefused));

        let error = connect("no host", 80).unwrap_err();
        // The system's text says that it was the lookup.
        let lookup = error.lookup.as_ref().unwrap();
        assert_eq!(error.to_string(), format!("cannot connect to no host:80: {lookup}"));
        assert!(error.attempts().is_empty());

        let attempts = [0, 1].map(|_| (closed, io::ErrorKind::ConnectionRefused.into()));
        let host = "localhost".into();
        let error = ConnectError { host, port: 80, attempts: attempts.into(), lookup: None };
        let refused = "connection refused";
        assert_eq!(
            error.to_string(),
            format!("cannot connect to localhost:80: {closed}: {refused}; {closed}: {refused}")
        );
    }

    #[test]
    fn an_address_of_version_6_may_have_its_brackets() {
        let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
        let port = listener.local_addr().unwrap().port();
        assert!(connect("[::1]", port).is_ok());
        assert!(connect("::1", port).is_ok());
    }
}
