//! Replaces [`tls`](super::tls) without the feature `rustls`: none of its types has a value.

use std::fmt;
use std::io::{self, IoSlice};

use super::Error;
use super::wire::Wire;
use crate::Deadline;

/// A TLS error: without the feature `rustls` it has no values.
#[derive(Clone, Debug)]
pub enum TlsError {}

#[cfg(feature = "reconnect")]
impl TlsError {
    pub(crate) const fn is_truncated(&self) -> bool {
        match *self {}
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Connector {}

#[derive(Clone, Debug)]
pub(crate) enum Acceptor {}

pub(crate) enum Session {}

impl Connector {
    pub(crate) fn preset() -> Result<Self, Error> {
        Err(Error::NoTls)
    }

    pub(crate) fn session(&self, _host: &str) -> Result<Session, Error> {
        match *self {}
    }
}

impl Acceptor {
    pub(crate) fn session(&self) -> Result<Session, Error> {
        match *self {}
    }
}

impl Session {
    pub(crate) fn handshake(&self, _: &dyn Wire, _: &Deadline) -> Result<(), Error> {
        match *self {}
    }

    pub(crate) fn read(&self, _: &dyn Wire, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn write(&self, _: &dyn Wire, _: &[IoSlice<'_>]) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn write_now(&self, _: &dyn Wire, _: &[u8]) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn flush(&self, _: &dyn Wire) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn close(&self, _: &dyn Wire) {
        match *self {}
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for TlsError {}
