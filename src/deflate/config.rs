//! The settings of permessage-deflate.

use super::params::LARGEST;

/// The size of the LZ77 window to compress with, as a power of two: 9 to 15, which means 512 to
/// 32,768 bytes.
///
/// RFC 7692 goes down to 8, but zlib cannot compress with 8. [`DeflateConfig`] says what happens
/// if a peer asks for 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(pub(super) u8);

impl WindowBits {
    /// 512 bytes.
    pub const MIN: Self = Self(9);
    /// 32,768 bytes: the default of RFC 7692.
    pub const MAX: Self = Self(LARGEST);

    /// Returns `None` unless `bits` is 9 to 15.
    #[must_use]
    pub const fn new(bits: u8) -> Option<Self> {
        if Self::MIN.0 <= bits && bits <= Self::MAX.0 { Some(Self(bits)) } else { None }
    }

    /// Returns the exponent, 9 to 15.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// Whether a message may refer to the messages before it (RFC 7692, 7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContextTakeover {
    /// The window is kept from message to message: small messages that resemble each other become
    /// much smaller, but the window takes memory as long as the connection lives.
    Allowed,
    /// Each message is compressed independently. Between messages no memory is held.
    Forbidden,
}

impl ContextTakeover {
    pub(super) const fn forbidden_if(forbidden: bool) -> Self {
        if forbidden { Self::Forbidden } else { Self::Allowed }
    }

    pub(super) const fn is_forbidden(self) -> bool {
        matches!(self, Self::Forbidden)
    }
}

/// How hard the compressor tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum DeflateLevel {
    /// Level 1 of zlib.
    Fast,
    /// Level 6 of zlib.
    #[default]
    Balanced,
    /// Level 9 of zlib.
    Small,
}

/// What to offer or accept of permessage-deflate (RFC 7692), and how to compress messages.
///
/// Start from [`client`](Self::client) or [`server`](Self::server).
///
/// # Memory
///
/// A connection holds nothing for this extension until the first compressed message. Then it holds,
/// measured with flate2 on zlib-rs:
///
/// | what | window bits | bytes |
/// |---|---|---|
/// | to inflate | any | 47,696 |
/// | to compress | 15 | 380,184 |
/// | to compress | 14 | 314,648 |
/// | to compress | 13 | 281,880 |
/// | to compress | 12 | 265,496 |
/// | to compress | 11 | 257,304 |
/// | to compress | 10 | 253,208 |
/// | to compress | 9 | 251,160 |
///
/// With [`ContextTakeover::Allowed`] it keeps that memory as long as it lives. With
/// [`ContextTakeover::Forbidden`] it returns the memory after each message to a pool that all
/// connections of the program share. The pool keeps at most 16 contexts to inflate and 16 to
/// compress, so ten thousand idle connections hold nothing. Therefore it is the server's default.
///
/// # A window of 8 bits
///
/// zlib inflates such messages, but cannot make them. So a server declines an offer that asks it
/// for `server_max_window_bits=8` (and looks at the client's next offer), and a client that is
/// answered `client_max_window_bits=8` sends its messages uncompressed, which is always allowed.
/// The other direction is not affected.
///
/// ```
/// use sansock::deflate::{ContextTakeover, DeflateConfig, WindowBits};
/// let config = DeflateConfig::server()
///     .server_context(ContextTakeover::Allowed)
///     .server_max_window_bits(WindowBits::MIN)
///     .threshold(1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateConfig {
    pub(super) server_context: ContextTakeover,
    pub(super) client_context: ContextTakeover,
    pub(super) server_bits: WindowBits,
    pub(super) client_bits: WindowBits,
    pub(super) level: DeflateLevel,
    pub(super) threshold: usize,
}

impl DeflateConfig {
    /// Returns a client's configuration: windows of any size, with context takeover in both
    /// directions unless the server wants none.
    #[must_use]
    pub const fn client() -> Self {
        Self {
            server_context: ContextTakeover::Allowed,
            client_context: ContextTakeover::Allowed,
            server_bits: WindowBits::MAX,
            client_bits: WindowBits::MAX,
            level: DeflateLevel::Balanced,
            threshold: 512,
        }
    }

    /// Returns a server's configuration: as [`client`](Self::client), but without context takeover
    /// in either direction, so that no connection holds memory between messages.
    #[must_use]
    pub const fn server() -> Self {
        Self {
            server_context: ContextTakeover::Forbidden,
            client_context: ContextTakeover::Forbidden,
            ..Self::client()
        }
    }

    /// Sets whether the server's messages may refer to earlier ones (`server_no_context_takeover`,
    /// 7.1.1.1).
    ///
    /// A client that forbids it fails if the server does not agree.
    #[must_use]
    pub const fn server_context(mut self, takeover: ContextTakeover) -> Self {
        self.server_context = takeover;
        self
    }

    /// Sets whether the client's messages may refer to earlier ones (`client_no_context_takeover`,
    /// 7.1.1.2).
    #[must_use]
    pub const fn client_context(mut self, takeover: ContextTakeover) -> Self {
        self.client_context = takeover;
        self
    }

    /// Sets the largest window of the server (`server_max_window_bits`, 7.1.2.1). Default 15.
    ///
    /// A client that asks for less than 15 fails if the server uses more.
    #[must_use]
    pub const fn server_max_window_bits(mut self, bits: WindowBits) -> Self {
        self.server_bits = bits;
        self
    }

    /// Sets the largest window of the client (`client_max_window_bits`, 7.1.2.2). Default 15. A
    /// server can request it only if the client offers the parameter.
    #[must_use]
    pub const fn client_max_window_bits(mut self, bits: WindowBits) -> Self {
        self.client_bits = bits;
        self
    }

    /// Sets how hard the compressor tries.
    #[must_use]
    pub const fn level(mut self, level: DeflateLevel) -> Self {
        self.level = level;
        self
    }

    /// Sets the length in bytes from which messages are compressed, unless a message sets its own
    /// [`Compression`](crate::Compression). Default 512.
    #[must_use]
    pub const fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }
}
