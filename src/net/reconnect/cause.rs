//! Which errors of a client a new attempt may remove.

use std::time::SystemTime;

use crate::dial::reconnect::Cause;
use crate::net::Error;

impl From<&Error> for Cause {
    /// An error of the network is worth a new attempt, one of the program or of a certificate is not.
    fn from(error: &Error) -> Self {
        match error {
            Error::Io(_) | Error::Connect(_) | Error::Timeout(_) => Self::Network,
            Error::Proxy(error) => Self::from(&**error),
            Error::Handshake(error) => Self::handshake(error, SystemTime::now()),
            Error::Protocol(error) => Self::Closed(error.close_code().get()),
            Error::Abnormal => Self::Closed(1006),
            Error::Tls(error) if error.is_truncated() => Self::Network,
            _ => Self::Permanent,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;
    use crate::handshake::{HeadError, Incomplete};
    use crate::net::ConnectError;
    use crate::uri::UriError;
    use crate::{ProtocolError, SendError, Timeout};

    #[test]
    fn what_the_network_did_is_worth_a_retry_and_what_the_program_did_is_not() {
        let connect = ConnectError::new("h", 1, Vec::new(), None);
        for (error, cause) in [
            (Error::Io(ErrorKind::ConnectionReset.into()), Cause::Network),
            (connect.into(), Cause::Network),
            (Timeout::Closing.into(), Cause::Network),
            (Incomplete::TimedOut.into(), Cause::Network),
            (Error::Abnormal, Cause::Closed(1006)),
            (ProtocolError::InvalidUtf8.into(), Cause::Closed(1007)),
            (Error::Cancelled, Cause::Permanent),
            (UriError::Host.into(), Cause::Permanent),
            (Error::NoTls, Cause::Permanent),
            (SendError::Closed.into(), Cause::Permanent),
            (Error::Handshake(HeadError::StartLine.into()), Cause::Permanent),
        ] {
            assert_eq!(Cause::from(&error), cause, "{error}");
        }
    }
}
