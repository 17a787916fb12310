//! Replaces [`proxy`](super::proxy) without the feature `proxy`: there is never one.

use std::fmt;
use std::net::{IpAddr, TcpStream};

use super::{Error, Stream};
use crate::Deadline;
use crate::handshake::HeadLimits;
use crate::uri::Uri;

/// An error with a proxy: without the feature `proxy` it has no values.
#[derive(Debug)]
pub enum ProxyError {}

#[derive(Clone, Debug)]
pub(super) struct Options;

/// Nothing is between TCP and the bytes for the server.
pub(super) struct Layer;

pub(super) type Layered<'s> = &'s TcpStream;

pub(super) enum Through {}

impl Options {
    pub(super) const fn new() -> Self {
        Self
    }
}

impl Layer {
    pub(super) const fn none() -> Self {
        Self
    }

    #[cfg(feature = "hub")]
    #[expect(clippy::unused_self, reason = "as with a proxy")]
    pub(crate) const fn is_none(&self) -> bool {
        true
    }

    #[expect(clippy::unused_self, reason = "as with a proxy")]
    pub(crate) const fn over<'s>(&'s self, tcp: &'s TcpStream) -> &'s TcpStream {
        tcp
    }
}

impl Through {
    #[expect(clippy::unnecessary_wraps, reason = "as with a proxy")]
    pub(super) fn choose(
        _: &Options,
        _: &Uri,
        _: HeadLimits,
        _: impl FnOnce() -> Result<IpAddr, Error>,
    ) -> Result<Option<Self>, Error> {
        Ok(None)
    }

    pub(super) fn connect(
        &self,
        _: impl FnOnce(String, u16) -> Result<TcpStream, Error>,
    ) -> Result<TcpStream, Error> {
        match *self {}
    }

    pub(super) fn take_layer(&mut self) -> Layer {
        match *self {}
    }

    pub(super) fn open(self, _: &Stream, _: &Deadline) -> Result<(), Error> {
        match self {}
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for ProxyError {}

#[cfg(feature = "reconnect")]
impl From<&ProxyError> for crate::dial::reconnect::Cause {
    fn from(error: &ProxyError) -> Self {
        match *error {}
    }
}
