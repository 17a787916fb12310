//! Connects TCP to one of a host's addresses.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};
use std::{fmt, io};

use super::blocking::time_until;

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

/// Connects to the first address of the host that answers. `timeout` covers all attempts, but not
/// the DNS lookup.
pub(super) fn connect(
    host: &str,
    port: u16,
    timeout: Option<Duration>,
) -> Result<TcpStream, ConnectError> {
    let failed = |attempts, lookup| ConnectError::new(host, port, attempts, lookup);
    // An IPv6 address in brackets, as in a URL.
    let name = host.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(host);
    match (name, port).to_socket_addrs() {
        Ok(addresses) => connect_to_any(&addresses.collect::<Vec<_>>(), timeout)
            .map_err(|attempts| failed(attempts, None)),
        Err(error) => Err(failed(Vec::new(), Some(error))),
    }
}

/// Connects to the first address that answers. Each address gets an equal share of the remaining
/// time.
fn connect_to_any(
    addresses: &[SocketAddr],
    timeout: Option<Duration>,
) -> Result<TcpStream, Vec<(SocketAddr, io::Error)>> {
    let until = timeout.and_then(|time| Instant::now().checked_add(time));
    let mut attempts = Vec::new();
    for (address, untried) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let connected = match until {
            None => TcpStream::connect(address),
            Some(until) => {
                let untried = u32::try_from(untried).unwrap_or(u32::MAX);
                let share = time_until(until).checked_div(untried).unwrap_or_default();
                TcpStream::connect_timeout(address, share.max(Duration::from_millis(1)))
            }
        };
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => attempts.push((*address, error)),
        }
    }
    Err(attempts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn closed() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    #[test]
    fn every_address_is_tried_and_each_error_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let closed = closed();
        for timeout in [None, Some(Duration::from_secs(10))] {
            let stream = connect_to_any(&[closed, closed, open, closed], timeout).unwrap();
            assert_eq!(stream.peer_addr().unwrap(), open);
            let attempts = connect_to_any(&[closed, closed], timeout).unwrap_err();
            for (address, error) in &attempts {
                let refused = io::ErrorKind::ConnectionRefused;
                assert_eq!((*address, error.kind()), (closed, refused));
            }
            assert_eq!(attempts.len(), 2);
            assert!(connect_to_any(&[], timeout).unwrap_err().is_empty());
        }
    }

    #[test]
    fn the_error_names_the_host_and_each_address() {
        let closed = closed();
        let error = connect("127.0.0.1", closed.port(), None).unwrap_err();
        let text = error.to_string();
        let refused = &error.attempts()[0].1;
        assert_eq!(text, format!("cannot connect to {closed}: {refused}"));
        assert_eq!((error.host(), error.port()), ("127.0.0.1", closed.port()));
        assert_eq!((error.attempts().len(), error.kind()), (1, io::ErrorKind::ConnectionRefused));

        let error = connect("no host", 80, None).unwrap_err();
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
        assert!(connect("[::1]", port, None).is_ok());
        assert!(connect("::1", port, None).is_ok());
    }
}
