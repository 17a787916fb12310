//! The ports that browsers refuse to connect to.

/// Which ports a [`WebSocket`](super::WebSocket) may connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PortPolicy {
    /// All ports but the bad ports of the Fetch standard, which belong to other protocols: a page
    /// must not be able to make a browser talk to a mail server. Others are a
    /// [`Security`](super::Error::Security) error of the constructor, as MDN describes it.
    #[default]
    Browser,
    /// The same ports, but the connection fails later, with an `error` and a `close` event with
    /// 1006, as in today's standard. Port 0 is still an error of the constructor.
    Fail,
    /// All ports, for programs that choose their URLs themselves.
    Any,
}

impl PortPolicy {
    /// Returns whether the port is allowed.
    #[must_use]
    pub fn allows(self, port: u16) -> bool {
        match self {
            Self::Browser | Self::Fail => BAD_PORTS.binary_search(&port).is_err(),
            Self::Any => true,
        }
    }
}

/// "A port is a bad port if it is listed in the first column of the following table." (Fetch, port
/// blocking)
#[rustfmt::skip]
const BAD_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102,
    103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465,
    512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993,
    995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668,
    6669, 6679, 6697, 10080,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_fetch_is_in_order() {
        assert!(BAD_PORTS.is_sorted_by(|a, b| a < b));
        let blocked = (0..=u16::MAX).filter(|port| !PortPolicy::Browser.allows(*port));
        assert!(blocked.eq(BAD_PORTS));
        assert!((0..=u16::MAX).all(|port| PortPolicy::Any.allows(port)));
    }
}
