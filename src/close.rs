//! The body of a Close frame (RFC 6455, 5.5.1) and its status codes (7.4).

use std::fmt;

/// A status code that may stand in a Close frame (RFC 6455, 7.4; IANA's registry).
///
/// Valid codes are 1000 to 1003, 1007 to 1014 and 3000 to 4999. Not valid are the codes that "MUST
/// NOT be set as a status code in a Close control frame by an endpoint" (1005, 1006 and 1015,
/// section 7.4.1), 1004 and the unassigned ranges. "No code" is `None` in [`Close::code`].
///
/// ```
/// use sansock::CloseCode;
/// assert_eq!(CloseCode::new(1000), Some(CloseCode::NORMAL));
/// assert_eq!(CloseCode::new(1006), None);
/// assert_eq!(CloseCode::try_from(4711)?.get(), 4711);
/// # Ok::<(), sansock::InvalidCloseCode>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose for which the connection was established has been fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: an endpoint is going away, such as a server that shuts down or a browser that leaves
    /// the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a type of data arrived that the endpoint cannot accept.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1007: a message contains data that does not match its type, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a message violates the endpoint's policy.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message is too big to process.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the client expected an extension that the server did not negotiate.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: the server met an unexpected condition.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts (IANA).
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: try again later (IANA).
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid answer from its upstream (IANA).
    pub const BAD_GATEWAY: Self = Self(1014);

    /// Returns the code, or `None` if it may not stand in a Close frame (RFC 6455, 7.4).
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// Returns the number that goes on the wire: 1000 to 4999.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for CloseCode {
    type Error = InvalidCloseCode;

    fn try_from(code: u16) -> Result<Self, InvalidCloseCode> {
        Self::new(code).ok_or(InvalidCloseCode(code))
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> u16 {
        code.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number given to [`CloseCode::try_from`] may not stand in a Close frame (RFC 6455, 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCloseCode(pub u16);

impl fmt::Display for InvalidCloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} may not be sent as a close code (RFC 6455, 7.4)", self.0)
    }
}

impl std::error::Error for InvalidCloseCode {}

/// The body of a Close frame (RFC 6455, 5.5.1): a code and a reason, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Close<'a> {
    /// The status code; `None` if the frame's body is empty (browsers then report 1005).
    pub code: Option<CloseCode>,
    /// The reason, at most [`Close::MAX_REASON`] bytes; empty if there is no code.
    pub reason: &'a str,
}

impl Close<'_> {
    /// The longest reason in bytes of UTF-8: the 125 bytes of a control frame minus 2 for the code
    /// (5.5).
    pub const MAX_REASON: usize = 123;
}

/// Shows the code and, if there is one, the reason: `1000`, `1008: bad token`. Without a code it
/// shows 1005.
impl fmt::Display for Close<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code.map_or(1005, CloseCode::get))?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, ": {}", self.reason) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_section_7_4_1_and_the_registry() {
        let sendable = |code: u32| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        for code in 0..=u16::MAX {
            assert_eq!(CloseCode::new(code).is_some(), sendable(code.into()), "{code}");
            assert_eq!(
                CloseCode::try_from(code).map(u16::from).ok(),
                CloseCode::new(code).map(CloseCode::get)
            );
        }
    }

    #[test]
    fn an_invalid_code_is_named() {
        let error = CloseCode::try_from(1006).unwrap_err();
        assert_eq!(error.to_string(), "1006 may not be sent as a close code (RFC 6455, 7.4)");
    }
}
