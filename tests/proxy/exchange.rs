//! An exchange by hand.

use std::net::IpAddr;

use sansock::dial::{Proxy, Tunnel, TunnelError};
use sansock::handshake::HeadLimits;
use sansock::uri::Uri;
use sansock::{ReceiveBuffer, SendBuffer};

/// A client in an exchange with a proxy.
#[derive(Debug)]
pub(crate) struct Exchange {
    tunnel: Tunnel,
    input: ReceiveBuffer,
    output: SendBuffer,
}

pub(crate) fn proxy(url: &str) -> Proxy {
    url.parse().unwrap()
}

/// What `Tunnel::start` writes, or its error.
pub(crate) fn start(
    proxy: &Proxy,
    url: &str,
    address: Option<&str>,
) -> Result<Exchange, TunnelError> {
    start_with(proxy, url, address, HeadLimits::new())
}

pub(crate) fn start_with(
    proxy: &Proxy,
    url: &str,
    address: Option<&str>,
    limits: HeadLimits,
) -> Result<Exchange, TunnelError> {
    let uri: Uri = url.parse().unwrap();
    let address = address.map(|address| address.parse::<IpAddr>().unwrap());
    let (input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
    let tunnel = Tunnel::start(proxy, &uri, address, limits, &mut output)
        .inspect_err(|_| assert!(output.is_empty(), "nothing is sent"))?;
    Ok(Exchange { tunnel, input, output })
}

impl Exchange {
    /// What has been written since the last call.
    pub(crate) fn sent(&mut self) -> Vec<u8> {
        let mut sent = Vec::new();
        self.output.write_to(&mut sent).unwrap();
        sent
    }

    /// The proxy sends this.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<bool, TunnelError> {
        self.input.extend_from_slice(bytes);
        self.advance()
    }

    pub(crate) fn advance(&mut self) -> Result<bool, TunnelError> {
        self.tunnel.advance(&mut self.input, &mut self.output)
    }

    pub(crate) fn receive_eof(&mut self) -> Result<(), TunnelError> {
        self.tunnel.receive_eof()
    }

    pub(crate) fn time_out(&mut self) -> Result<(), TunnelError> {
        self.tunnel.time_out()
    }

    /// The error stays, whatever is called, and nothing more is written.
    pub(crate) fn has_failed_with(&mut self, error: &TunnelError) {
        self.sent();
        assert_eq!(self.advance().as_ref(), Err(error));
        assert_eq!(self.receive_eof().as_ref(), Err(error));
        assert_eq!(self.time_out().as_ref(), Err(error));
        assert!(self.output.is_empty());
    }
}
