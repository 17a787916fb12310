//! Drives the exchange with a proxy over a blocking transport.

use std::net::{IpAddr, TcpStream};

use super::error::{ProxyCause, ProxyError};
use super::layer::Layer;
use super::options::Options;
use crate::dial::{Proxy, Tunnel};
use crate::handshake::HeadLimits;
use crate::net::opening::{Read, read_in_time, write_in_time};
use crate::net::tls::Connector;
use crate::net::{Error, Stream, Transport};
use crate::uri::Uri;
use crate::{Deadline, ReceiveBuffer, SendBuffer};

/// The way through a proxy to one server.
pub(crate) struct Through {
    proxy: Proxy,
    layer: Layer,
    tunnel: Tunnel,
    output: SendBuffer,
}

impl Through {
    /// Returns the way through the proxy for this URL, if it needs one. All that can be wrong
    /// without a connection is found here. `resolve` is called if the proxy takes addresses only.
    pub(crate) fn choose(
        options: &Options,
        uri: &Uri,
        limits: HeadLimits,
        resolve: impl FnOnce() -> Result<IpAddr, Error>,
    ) -> Result<Option<Self>, Error> {
        let Some(proxy) = options.proxies.choose(uri) else { return Ok(None) };
        let address = if proxy.needs_address(uri) { Some(resolve()?) } else { None };
        let mut output = SendBuffer::new();
        let mut start = || {
            let tls = match &options.tls {
                _ if !proxy.is_secure() => None,
                Some(connector) => Some(connector.session(proxy.host())?),
                None => Some(Connector::preset()?.session(proxy.host())?),
            };
            Ok((tls, Tunnel::start(proxy, uri, address, limits, &mut output)?))
        };
        let (tls, tunnel) = at(proxy, start())?;
        let (proxy, layer) = (proxy.clone(), Layer::new(tls));
        Ok(Some(Self { proxy, layer, tunnel, output }))
    }

    /// Connects TCP to the proxy with `connect`.
    pub(crate) fn connect(
        &self,
        connect: impl FnOnce(String, u16) -> Result<TcpStream, Error>,
    ) -> Result<TcpStream, Error> {
        match connect(self.proxy.dial_host().into_owned(), self.proxy.port()) {
            // That is no fault of the proxy.
            Err(Error::Cancelled) => Err(Error::Cancelled),
            connected => at(&self.proxy, connected.map_err(Into::into)),
        }
    }

    /// Hands over what lies below the bytes for the server.
    pub(crate) fn take_layer(&mut self) -> Layer {
        std::mem::replace(&mut self.layer, Layer::none())
    }

    /// Does the TLS handshake with the proxy, if there is one, and the exchange. Nothing for the
    /// server is written before it has ended. If it fails, TLS with the proxy is ended: "Clients MUST
    /// send a closure alert before closing the connection" (RFC 9112, 9.8).
    pub(crate) fn open(mut self, stream: &Stream, deadline: &Deadline) -> Result<(), Error> {
        let mut wire = stream.wire();
        at(&self.proxy, wire.open(deadline).map_err(Into::into))?;
        let exchanged = exchange(&mut wire, &mut self.tunnel, &mut self.output, deadline);
        at(&self.proxy, exchanged.inspect_err(|_| drop(wire.shutdown_write())))
    }
}

/// Names the hop in an error.
fn at<T>(proxy: &Proxy, result: Result<T, ProxyCause>) -> Result<T, Error> {
    result.map_err(|cause| ProxyError::new(proxy.clone(), cause).into())
}

/// The deadline covers the whole exchange: a proxy that answers byte by byte does not extend it.
fn exchange(
    wire: &mut impl Transport,
    tunnel: &mut Tunnel,
    output: &mut SendBuffer,
    deadline: &Deadline,
) -> Result<(), ProxyCause> {
    let mut input = ReceiveBuffer::new();
    loop {
        if !write_in_time(wire, output, deadline)? {
            tunnel.time_out()?;
        }
        if tunnel.advance(&mut input, output)? {
            return Ok(());
        }
        if output.is_empty() {
            match read_in_time(wire, &mut input, deadline)? {
                Read::Something => {}
                Read::End => tunnel.receive_eof()?,
                Read::TooLate => tunnel.time_out()?,
            }
        }
    }
}
