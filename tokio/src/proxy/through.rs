//! Drives the exchange with a proxy over tokio's transports.

use std::net::IpAddr;

use sansock::dial::{Proxy, Tunnel};
use sansock::handshake::HeadLimits;
use sansock::net::{ProxyCause, ProxyError};
use sansock::uri::Uri;
use sansock::{Deadline, ReceiveBuffer, SendBuffer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::options::Options;
use crate::dialler::Dialler;
use crate::opening::{Read, in_time, read_in_time, write_until};
use crate::tls::{Connector, connect_tls, platform};
use crate::{Error, Stream};

/// The way through a proxy to one server.
pub(crate) struct Through {
    proxy: Proxy,
    /// If it is an `https:` proxy.
    tls: Option<Connector>,
    tunnel: Tunnel,
    output: SendBuffer,
}

impl Through {
    /// Returns the way through the proxy for this URL, if it needs one. All that can be wrong
    /// without a connection is found here.
    pub(crate) async fn choose(
        options: &Options,
        uri: &Uri,
        limits: HeadLimits,
        dialler: &Dialler,
    ) -> Result<Option<Self>, Error> {
        let Some(proxy) = options.proxies.choose(uri) else { return Ok(None) };
        let address = if proxy.needs_address(uri) {
            Some(dialler.resolve(&uri.dial_host(), uri.port()).await?.ip())
        } else {
            None
        };
        at(proxy, Self::new(proxy, options.tls.as_ref(), uri, address, limits)).map(Some)
    }

    fn new(
        proxy: &Proxy,
        tls: Option<&Connector>,
        uri: &Uri,
        address: Option<IpAddr>,
        limits: HeadLimits,
    ) -> Result<Self, ProxyCause> {
        let tls = match tls {
            _ if !proxy.is_secure() => None,
            Some(connector) => Some(connector.clone()),
            None => Some(platform()?),
        };
        let mut output = SendBuffer::new();
        let tunnel = Tunnel::start(proxy, uri, address, limits, &mut output)?;
        Ok(Self { proxy: proxy.clone(), tls, tunnel, output })
    }

    /// Connects TCP to the proxy.
    pub(crate) async fn connect(&self, dialler: &Dialler) -> Result<TcpStream, Error> {
        let connected = dialler.connect(&self.proxy.dial_host(), self.proxy.port()).await;
        at(&self.proxy, connected.map_err(|error| Error::from(error).into()))
    }

    /// Does the TLS handshake with the proxy, if there is one, and the exchange. Returns the stream
    /// whose bytes the proxy passes on: nothing for the server is written before.
    pub(crate) async fn open(
        mut self,
        tcp: TcpStream,
        deadline: &Deadline,
    ) -> Result<Stream, Error> {
        let proxy = self.proxy.clone();
        at(&proxy, self.exchange_over(tcp, deadline).await)
    }

    async fn exchange_over(
        &mut self,
        tcp: TcpStream,
        deadline: &Deadline,
    ) -> Result<Stream, ProxyCause> {
        let mut stream = match self.tls.take() {
            None => Stream::from(tcp),
            Some(connector) => {
                Stream::to_proxy(connect_tls(connector, tcp, self.proxy.host(), deadline).await?)
            }
        };
        let exchanged = exchange(&mut stream, &mut self.tunnel, &mut self.output, deadline).await;
        if exchanged.is_err() {
            // "Clients MUST send a closure alert before closing the connection" (RFC 9112, 9.8)
            let _ = in_time(deadline, stream.shutdown()).await;
        }
        exchanged.map(|()| stream)
    }
}

/// Names the hop in an error.
fn at<T>(proxy: &Proxy, result: Result<T, ProxyCause>) -> Result<T, Error> {
    result.map_err(|cause| ProxyError::new(proxy.clone(), cause).into())
}

/// The deadline covers the whole exchange: a proxy that answers byte by byte does not extend it.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    io: &mut S,
    tunnel: &mut Tunnel,
    output: &mut SendBuffer,
    deadline: &Deadline,
) -> Result<(), ProxyCause> {
    let mut input = ReceiveBuffer::new();
    loop {
        if !write_until(io, output, deadline).await? {
            tunnel.time_out()?;
        }
        if tunnel.advance(&mut input, output)? {
            return Ok(());
        }
        if output.is_empty() {
            match read_in_time(io, &mut input, deadline).await? {
                Read::Something => {}
                Read::End => tunnel.receive_eof()?,
                Read::TooLate => tunnel.time_out()?,
            }
        }
    }
}
