//! Where a request wants to go: its room and what it has of it, or why it is refused.

use std::fmt;

use sansock::handshake::Rejection;

use crate::log::Id;

/// Longest name of a room.
const MAX_ROOM: usize = 32;
/// Longest name of a client.
const MAX_CLIENT: usize = 64;
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

/// What a client calls itself on all its connections, and tells nobody else: 1 to 64 characters of
/// `A-Z`, `a-z`, `0-9`, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Client(String);

impl Client {
    fn parse(name: &str) -> Result<Self, Refused> {
        let is_allowed = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_');
        if name.is_empty() || name.len() > MAX_CLIENT || !name.bytes().all(is_allowed) {
            return Err(Refused::Client);
        }
        Ok(Self(name.into()))
    }

    /// What a connection is called that says nothing. No client can call itself so.
    pub(crate) fn unnamed(connection: &str) -> Self {
        Self(format!(":{connection}"))
    }
}

impl fmt::Display for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A room, and what a client says of itself in the query: `?client=NAME&after=ID`.
pub(crate) struct Place {
    pub(crate) room: RoomName,
    pub(crate) client: Option<Client>,
    /// The last message that the client has.
    pub(crate) after: Option<Id>,
}

impl Place {
    pub(crate) fn parse(path: &str, query: Option<&str>) -> Result<Self, Refused> {
        let mut place = Self { room: RoomName::of_path(path)?, client: None, after: None };
        for parameter in query.unwrap_or_default().split('&') {
            match parameter.split_once('=') {
                Some(("client", name)) => place.client = Some(Client::parse(name)?),
                Some(("after", id)) => place.after = Some(id.parse().map_err(|_| Refused::After)?),
                _ => {}
            }
        }
        Ok(place)
    }
}

/// Why a request gets neither the page nor a place in a room.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Refused {
    /// The path names nothing.
    Path,
    /// No room can have that name.
    RoomName,
    /// No client can have that name.
    Client,
    /// That is no id.
    After,
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
            Self::Client => write!(
                formatter,
                "?client= has 1 to {MAX_CLIENT} characters: A-Z, a-z, 0-9, - and _."
            ),
            Self::After => {
                write!(formatter, "?after= is the id of a message, such as 1700000000000-0.")
            }
            Self::Rooms(limit) => {
                write!(formatter, "All {limit} rooms are in use: see --rooms. Try again later.")
            }
        }
    }
}

impl From<Refused> for Rejection {
    fn from(refused: Refused) -> Self {
        let rejection = match refused {
            Refused::Path => Self::new(404),
            Refused::RoomName | Refused::Client | Refused::After => Self::new(400),
            Refused::Rooms(_) => Self::new(503).header("Retry-After", "10"),
        };
        rejection.header("Content-Type", "text/plain; charset=utf-8").body(format!("{refused}\n"))
    }
}
