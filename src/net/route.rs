//! How a client gets the transport for an opening handshake.

use std::net::{IpAddr, TcpStream};

use super::client::Client;
use super::proxy::{Layer, Through};
use super::tls::Connector;
use super::{Error, Stream};
use crate::Deadline;
use crate::uri::Uri;

/// A TCP connection on the way to a server.
pub(super) struct Route {
    pub(super) stream: Stream,
    through: Option<Through>,
}

impl Client {
    /// Connects TCP to the server of this URL, or to the proxy for it. A wrong configuration is
    /// reported before.
    pub(super) fn dial(&self, uri: &Uri) -> Result<Route, Error> {
        let tls = match &self.tls {
            _ if !uri.is_secure() => None,
            Some(connector) => Some(connector.session(uri.host())?),
            None => Some(Connector::preset()?.session(uri.host())?),
        };
        let resolve = || self.resolve(uri);
        let mut through = Through::choose(&self.proxy, uri, self.head_limits, resolve)?;
        let connect = |host, port| self.connect_tcp(host, port);
        let tcp = match &through {
            None => connect(uri.dial_host().into_owned(), uri.port())?,
            Some(through) => through.connect(connect)?,
        };
        tcp.set_nodelay(true)?;
        let layer = through.as_mut().map_or(Layer::none(), Through::take_layer);
        Ok(Route { stream: Stream::new(tcp, layer, tls), through })
    }

    fn connect_tcp(&self, host: String, port: u16) -> Result<TcpStream, Error> {
        let dialler = self.dialler.clone();
        self.cancellable(move || Ok(dialler.connect(&host, port)?))
    }

    fn resolve(&self, uri: &Uri) -> Result<IpAddr, Error> {
        let (dialler, host, port) =
            (self.dialler.clone(), uri.dial_host().into_owned(), uri.port());
        self.cancellable(move || Ok(dialler.resolve(&host, port)?.ip()))
    }

    /// Runs what the operating system does not interrupt.
    fn cancellable<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        match &self.cancel {
            None => work(),
            Some(cancel) => cancel.dial(work),
        }
    }
}

impl Route {
    /// Goes the way through the proxy, if there is one, and does the TLS handshake, if TLS is
    /// configured.
    pub(super) fn open(self, deadline: &Deadline) -> Result<(), Error> {
        if let Some(through) = self.through {
            through.open(&self.stream, deadline)?;
        }
        self.stream.open(deadline)
    }
}
