//! Which room a request names, or why it is refused.

use std::fmt;

use sansock::handshake::Rejection;

/// Longest name of a room.
const MAX_ROOM: usize = 32;
/// The room at `/`.
const LOBBY: &str = "lobby";

/// The name of a room: 1 to 32 characters of `a-z`, `0-9`, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RoomName(String);

impl RoomName {
    /// Returns the room that a path names: `/` or `/rooms/NAME`.
    pub(crate) fn of_path(path: &str) -> Result<Self, Refused> {
        if path == "/" {
            return Ok(Self(LOBBY.into()));
        }
        let name = path.strip_prefix("/rooms/").ok_or(Refused::Path)?;
        let is_allowed = |it: u8| matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        if name.is_empty() || name.len() > MAX_ROOM || !name.bytes().all(is_allowed) {
            return Err(Refused::RoomName);
        }
        Ok(Self(name.into()))
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why a request gets neither the page nor a place in a room.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Refused {
    /// The path names nothing.
    Path,
    /// No room can have that name.
    RoomName,
    /// There are as many rooms as there may be, and none is empty.
    Rooms(usize),
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path => write!(formatter, "The chat is at / and at /rooms/NAME."),
            Self::RoomName => write!(
                formatter,
                "The name of a room has 1 to {MAX_ROOM} characters: a-z, 0-9, - and _."
            ),
            Self::Rooms(limit) => {
                write!(formatter, "All {limit} rooms are in use: see --rooms. Try again later.")
            }
        }
    }
}

impl From<Refused> for Rejection {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::Path => 404,
            Refused::RoomName => 400,
            Refused::Rooms(_) => 503,
        };
        let rejection = match refused {
            Refused::Rooms(_) => Self::new(status).header("Retry-After", "10"),
            _ => Self::new(status),
        };
        rejection.header("Content-Type", "text/plain; charset=utf-8").body(format!("{refused}\n"))
    }
}
