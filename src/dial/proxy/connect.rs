//! CONNECT of HTTP/1.1 (RFC 9110, 9.3.6).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::TunnelError;
use super::url::Proxy;
use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::handshake::HeadLimits;
use crate::handshake::headers::FieldWriter;
use crate::handshake::response_reader::{Reply, ResponseReader};
use crate::uri::Uri;

/// The answer to a CONNECT request.
#[derive(Debug)]
pub(super) struct Connect(ResponseReader);

impl Connect {
    /// "CONNECT uses a special form of request target, unique to this method, consisting of only the
    /// host and port number of the tunnel destination, separated by a colon. There is no default
    /// port" (RFC 9110, 9.3.6). "A client MUST send a Host header field in all HTTP/1.1 request
    /// messages." (RFC 9112, 3.2)
    pub(super) fn start(
        proxy: &Proxy,
        uri: &Uri,
        limits: HeadLimits,
        output: &mut SendBuffer,
    ) -> Result<Self, TunnelError> {
        proxy.check()?;
        let target = format!("{}:{}", uri.host(), uri.port());
        let mut head = format!("CONNECT {target} HTTP/1.1\r\n");
        head.field("Host", &target);
        if let Some(it) = &proxy.credentials {
            let credentials = [&*it.user, b":", &*it.password].concat();
            let value = format!("Basic {}", STANDARD.encode(credentials));
            head.field("Proxy-Authorization", &value);
        }
        proxy.headers.write(&mut head);
        head.push_str("\r\n");
        output.extend_from_slice(head.as_bytes());
        Ok(Self(ResponseReader::new(limits)))
    }

    /// "Any 2xx (Successful) response indicates that the sender (and all inbound proxies) will switch
    /// to tunnel mode immediately after the response header section [...] A client MUST ignore any
    /// Content-Length or Transfer-Encoding header fields received in a successful response to
    /// CONNECT." (RFC 9110, 9.3.6)
    pub(super) fn advance(&mut self, input: &mut ReceiveBuffer) -> Result<bool, TunnelError> {
        match self.0.advance(input, |status| matches!(status, 200..=299))? {
            None => Ok(false),
            Some(Reply::Accepted(_)) => Ok(true),
            Some(Reply::Refused(response)) => Err(TunnelError::of_response(response)),
        }
    }

    /// Returns the response that refuses, if its body has been cut off.
    pub(super) fn refusal(&mut self) -> Option<TunnelError> {
        self.0.take_refusal().map(TunnelError::of_response)
    }
}
