//! Peers that break rules: plain streams, frames by hand, and the way in which they end.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use sansock::Role;
use testkit::frame::{CLOSE, PING, PONG, frames};
use testkit::wire;

use crate::common::{Fallible, ensure};

/// A request for a path.
pub(crate) fn request(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// A TCP connection whose reads and writes time out.
pub(crate) fn tcp(address: SocketAddr) -> Fallible<TcpStream> {
    let timeout = Duration::from_secs(20);
    let stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A WebSocket connection without an implementation of its rules.
pub(crate) fn open(address: SocketAddr, path: &str) -> Fallible<TcpStream> {
    let mut stream = tcp(address)?;
    stream.write_all(request(path).as_bytes())?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    ensure(head.starts_with(b"HTTP/1.1 101 "), || String::from_utf8_lossy(&head).into_owned())?;
    Ok(stream)
}

/// The header of a client's frame.
pub(crate) fn header(first: u8, length: u64) -> Vec<u8> {
    wire::header(Role::Server, first, length)
}

/// A client's frame.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    wire::frame(Role::Server, first, payload)
}

/// How a connection ended for a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// A response other than 101, and the end of the stream.
    Status(u16),
    /// A Close frame, and the end of the stream.
    Close(u16),
    /// The end of the stream alone.
    Eof,
    /// A reset.
    Reset,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "HTTP {status}"),
            Self::Close(code) => write!(f, "Close {code}"),
            Self::Eof => f.write_str("end"),
            Self::Reset => f.write_str("reset"),
        }
    }
}

/// Everything that still arrived.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    pub(crate) pings: u64,
    pub(crate) pongs: Vec<Vec<u8>>,
    /// The payloads of data frames.
    pub(crate) data: Vec<Vec<u8>>,
    pub(crate) end: Option<End>,
}

/// Reads to the end.
pub(crate) fn rest(stream: &mut TcpStream) -> Fallible<Rest> {
    let mut bytes = Vec::new();
    let was_reset = match stream.read_to_end(&mut bytes) {
        Ok(_) => false,
        Err(error) if is_reset(&error) => true,
        Err(error) => return Err(format!("the peer waits for the end: {error}").into()),
    };
    let mut rest = Rest::default();
    if let Some(status) = bytes.strip_prefix(b"HTTP/1.1 ") {
        let status = String::from_utf8_lossy(status.get(..3).unwrap_or_default()).into_owned();
        rest.end = Some(End::Status(status.parse()?));
    }
    if rest.end.is_none() {
        for frame in frames(&bytes) {
            match frame.first {
                CLOSE => {
                    let code =
                        frame.payload.first_chunk().map_or(1005, |it| u16::from_be_bytes(*it));
                    rest.end = Some(End::Close(code));
                    break;
                }
                PING => rest.pings += 1,
                PONG => rest.pongs.push(frame.payload),
                _ => rest.data.push(frame.payload),
            }
        }
    }
    if was_reset {
        rest.end = Some(End::Reset);
    }
    rest.end.get_or_insert(End::Eof);
    Ok(rest)
}

/// How it ends.
pub(crate) fn end(stream: &mut TcpStream) -> Fallible<End> {
    Ok(rest(stream)?.end.unwrap_or(End::Eof))
}

pub(crate) fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// The number of connections per kind of end.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<End, usize>);

impl Tally {
    pub(crate) fn add(&mut self, end: End) {
        *self.0.entry(end).or_default() += 1;
    }

    pub(crate) fn of(streams: &mut [TcpStream]) -> Fallible<Self> {
        let mut tally = Self::default();
        for stream in streams {
            tally.add(end(stream)?);
        }
        Ok(tally)
    }

    /// Checks that all ended in this way.
    pub(crate) fn all(&self, expected: End) -> Fallible {
        ensure(self.0.keys().eq([&expected]), || format!("expected {expected}, but: {self}"))
    }

    pub(crate) fn total(&self) -> usize {
        self.0.values().sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (end, count)) in self.0.iter().enumerate() {
            write!(f, "{}{end} × {count}", if n == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
