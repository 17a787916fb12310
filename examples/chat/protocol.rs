//! The messages: JSON texts with a `type` and, from the server, a `date` in milliseconds.
//!
//! | from | message | |
//! |---|---|---|
//! | server | `id`, `id` | the first message of a connection |
//! | client | `username`, `name` | signs in, or changes the name |
//! | server | `rejectusername`, `id`, `name` | the name is taken; `name` is your new name |
//! | server | `username`, `name` | to all: a user has signed in |
//! | client | `message`, `text` | |
//! | server | `message`, `id`, `name`, `text` | to all; new visitors get the last ones |
//! | server | `userlist`, `users` | to all, when it has changed |
//! | server | `error`, `text` | what was wrong with your last message, which was ignored |
//!
//! The `id` of a message says where it stands in its room: `1700000000000-0`, milliseconds and a
//! number, as in Redis' Streams. Ids grow, and a message has the same id and `date` for everybody.
//!
//! Clients may send `id`, `date` and other members too; the server ignores them, because it
//! identifies a client by its connection and has its own clock. Texts are passed on unchanged: pages
//! must show them as text, not as HTML. Names come in Unicode's normal form C, without characters
//! that are invisible or change the direction of writing.

use std::time::{SystemTime, UNIX_EPOCH};

use sansock::{EncodedMessage, Message};
use serde_json::{Value, json};

use crate::log::Id;
use crate::names::{MAX_NAME, valid_name};

/// Longest text, in characters.
pub(crate) const MAX_TEXT: usize = 2000;

/// A client's request.
#[derive(Debug, PartialEq)]
pub(crate) enum Request {
    SignIn { name: String },
    Say { text: String },
}

impl Request {
    /// Parses a message, or returns an error text for its sender.
    pub(crate) fn parse(message: Message<'_>) -> Result<Self, String> {
        let Message::Text(text) = message else {
            return Err("messages are text, not binary".into());
        };
        let value: Value = serde_json::from_str(text)
            .map_err(|error| format!("the message is not JSON: {error}"))?;
        let field = |name: &str| {
            value[name].as_str().ok_or_else(|| format!("the message has no \"{name}\", a string"))
        };
        match field("type")? {
            "username" => Ok(Self::SignIn { name: valid_name(field("name")?)? }),
            "message" => Ok(Self::Say { text: valid_text(field("text")?)?.into() }),
            other => Err(format!("there is no type {:?}", shortened(other))),
        }
    }
}

fn valid_text(text: &str) -> Result<&str, String> {
    if text.trim().is_empty() {
        return Err("the text is empty".into());
    }
    if text.chars().count() > MAX_TEXT {
        return Err(format!("a text has at most {MAX_TEXT} characters"));
    }
    Ok(text)
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_NAME).collect()
}

pub(crate) fn id(id: u64) -> EncodedMessage {
    encode(json!({ "type": "id", "id": id }))
}

pub(crate) fn reject_username(id: u64, name: &str) -> EncodedMessage {
    encode(json!({ "type": "rejectusername", "id": id, "name": name }))
}

pub(crate) fn signed_in(name: &str) -> EncodedMessage {
    encode(json!({ "type": "username", "name": name }))
}

pub(crate) fn said(id: Id, name: &str, text: &str) -> EncodedMessage {
    let message = json!({ "type": "message", "id": id.to_string(), "name": name, "text": text });
    encode_of(message, id.milliseconds)
}

pub(crate) fn user_list(users: &[&str]) -> EncodedMessage {
    encode(json!({ "type": "userlist", "users": users }))
}

pub(crate) fn error(text: &str) -> EncodedMessage {
    encode(json!({ "type": "error", "text": text }))
}

fn encode(message: Value) -> EncodedMessage {
    encode_of(message, now())
}

/// Encodes a message of this date.
fn encode_of(mut message: Value, date: u64) -> EncodedMessage {
    message["date"] = date.into();
    EncodedMessage::new(message.to_string().as_str())
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
