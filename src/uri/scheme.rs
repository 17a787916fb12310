//! The schemes `ws` and `wss`.

use std::fmt;

/// `ws` or `wss`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain TCP. The default port is 80.
    Ws,
    /// TLS. The default port is 443.
    Wss,
}

impl Scheme {
    /// Returns the name, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// "The port component is OPTIONAL; the default for "ws" is port 80, while the default for
    /// "wss" is port 443." (RFC 6455, 3)
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
