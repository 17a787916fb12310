//! Replaces `proxy` without the feature: there is never one.

use std::convert::Infallible;

use sansock::Deadline;
use sansock::handshake::HeadLimits;
use sansock::uri::Uri;
use tokio::net::TcpStream;

use crate::dialler::Dialler;
use crate::{Error, Stream};

#[derive(Clone, Debug)]
pub(crate) struct Options;

pub(crate) struct Through(Infallible);

impl Options {
    pub(crate) const fn new() -> Self {
        Self
    }
}

impl Through {
    #[expect(clippy::unused_async, reason = "as with a proxy")]
    pub(crate) async fn choose(
        _: &Options,
        _: &Uri,
        _: HeadLimits,
        _: &Dialler,
    ) -> Result<Option<Self>, Error> {
        Ok(None)
    }

    #[expect(clippy::unused_async, reason = "as with a proxy")]
    pub(crate) async fn connect(&self, _: &Dialler) -> Result<TcpStream, Error> {
        match self.0 {}
    }

    #[expect(clippy::unused_async, reason = "as with a proxy")]
    pub(crate) async fn open(self, _: TcpStream, _: &Deadline) -> Result<Stream, Error> {
        match self.0 {}
    }
}
