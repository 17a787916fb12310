//! How a client gets the transport for an opening handshake.

use sansock::Deadline;
use sansock::uri::Uri;
use tokio::net::TcpStream;

use crate::proxy::Through;
use crate::tls::{Connector, platform, secure};
use crate::{Client, Error, Stream};

/// A TCP connection on the way to a server.
pub(crate) struct Route {
    tcp: TcpStream,
    through: Option<Through>,
    /// For TLS with the server, and its name.
    tls: Option<(Connector, String)>,
}

impl Client {
    /// Connects TCP to the server of this URL, or to the proxy for it. A wrong configuration is
    /// reported before.
    pub(crate) async fn dial(&self, uri: &Uri) -> Result<Route, Error> {
        let connector = match &self.tls {
            _ if !uri.is_secure() => None,
            Some(connector) => Some(connector.clone()),
            None => Some(platform()?),
        };
        let through = Through::choose(&self.proxy, uri, self.head_limits, &self.dialler).await?;
        let tcp = match &through {
            None => self.dialler.connect(&uri.dial_host(), uri.port()).await?,
            Some(through) => through.connect(&self.dialler).await?,
        };
        tcp.set_nodelay(true)?;
        let tls = connector.map(|connector| (connector, uri.host().to_owned()));
        Ok(Route { tcp, through, tls })
    }
}

impl Route {
    /// Goes the way through the proxy, if there is one, and does the TLS handshake, if TLS is
    /// configured.
    pub(crate) async fn open(self, deadline: &Deadline) -> Result<Stream, Error> {
        let stream = match self.through {
            None => Stream::from(self.tcp),
            Some(through) => Box::pin(through.open(self.tcp, deadline)).await?,
        };
        match self.tls {
            None => Ok(stream),
            Some((connector, host)) => secure(connector, stream, &host, deadline).await,
        }
    }
}
