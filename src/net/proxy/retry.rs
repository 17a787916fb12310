//! Which errors at a proxy a new attempt may remove.

use std::time::SystemTime;

use super::error::{ProxyCause, ProxyError};
use crate::dial::reconnect::Cause;
use crate::dial::{SocksRefusal, TunnelError};

impl From<&ProxyError> for Cause {
    /// As the same error of a server: a network that failed is worth a new attempt, and a status
    /// of HTTP is for the policy to judge; a wrong password is not.
    fn from(error: &ProxyError) -> Self {
        match error.cause() {
            ProxyCause::Connect(_) | ProxyCause::Io(_) => Self::Network,
            ProxyCause::Tls(error) if error.is_truncated() => Self::Network,
            ProxyCause::Tunnel(error) => of_tunnel(error),
            _ => Self::Permanent,
        }
    }
}

fn of_tunnel(error: &TunnelError) -> Cause {
    match error {
        TunnelError::Refused(response) => Cause::refused(response, SystemTime::now()),
        TunnelError::UnexpectedEof
        | TunnelError::TimedOut
        | TunnelError::Socks(
            SocksRefusal::GeneralFailure
            | SocksRefusal::NetworkUnreachable
            | SocksRefusal::HostUnreachable
            | SocksRefusal::ConnectionRefused
            | SocksRefusal::TtlExpired,
        ) => Cause::Network,
        _ => Cause::Permanent,
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Duration;

    use super::*;
    use crate::dial::{Proxy, Tunnel};
    use crate::handshake::HeadLimits;
    use crate::net::{ConnectError, Error};
    use crate::{ReceiveBuffer, SendBuffer};

    #[test]
    fn a_proxy_that_cannot_be_reached_or_cannot_reach_the_server_is_worth_a_retry() {
        let proxy: Proxy = "http://127.0.0.1:3128".parse().unwrap();
        let socks = |refusal| ProxyCause::Tunnel(TunnelError::Socks(refusal));
        for (error, cause) in [
            (ProxyCause::Connect(ConnectError::new("h", 1, Vec::new(), None)), Cause::Network),
            (ProxyCause::Io(ErrorKind::ConnectionReset.into()), Cause::Network),
            (ProxyCause::Tunnel(TunnelError::UnexpectedEof), Cause::Network),
            (ProxyCause::Tunnel(TunnelError::TimedOut), Cause::Network),
            (socks(SocksRefusal::GeneralFailure), Cause::Network),
            (socks(SocksRefusal::NetworkUnreachable), Cause::Network),
            (socks(SocksRefusal::HostUnreachable), Cause::Network),
            (socks(SocksRefusal::ConnectionRefused), Cause::Network),
            (socks(SocksRefusal::TtlExpired), Cause::Network),
            (socks(SocksRefusal::NotAllowed), Cause::Permanent),
            (ProxyCause::Tunnel(TunnelError::AuthenticationFailed), Cause::Permanent),
            (ProxyCause::Tunnel(TunnelError::EarlyBytes), Cause::Permanent),
            (ProxyCause::NoTls, Cause::Permanent),
        ] {
            let error = Error::from(ProxyError::new(proxy.clone(), error));
            assert_eq!(Cause::from(&error), cause, "{error}");
        }
    }

    #[test]
    fn a_refusal_is_for_the_policy_to_judge() {
        let proxy: Proxy = "http://127.0.0.1:3128".parse().unwrap();
        let uri = "ws://server/".parse().unwrap();
        let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
        let mut tunnel = Tunnel::start(&proxy, &uri, None, HeadLimits::new(), &mut output).unwrap();
        input.extend_from_slice(
            b"HTTP/1.1 503 Later\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
        );
        let refused = tunnel.advance(&mut input, &mut output).unwrap_err();
        let cause = Cause::from(&ProxyError::new(proxy, refused));
        let retry_after = Some(Duration::from_secs(7));
        assert_eq!(cause, Cause::Refused { status: 503, retry_after });
    }
}
