//! The messages: JSON texts with a `type` and, from the server, a `date` in milliseconds.
//!
//! | from | message | |
//! |---|---|---|
//! | server | `id`, `id` | the first message of a connection |
//! | client | `username`, `name` | signs in, or changes the name |
//! | server | `rejectusername`, `id`, `name` | the name is taken; `name` is your new name |
//! | server | `username`, `name` | to all: a user has signed in |
//! | client | `message`, `text`, `key` | to be stored; with a `key` it may be sent again |
//! | server | `ack`, `key`, `id` | your message of this key is stored |
//! | server | `message`, `id`, `name`, `text` | to all; new visitors get the last ones |
//! | server | `userlist`, `users` | to all, when it has changed |
//! | server | `error`, `text`, `key`, `retry` | why your message was ignored |
//! | server | `room`, `room`, `last`, `replay` | the newest id, and how many stored messages follow |
//! | server | `status`, `available`, `text` | whether messages can be stored, when that changes |
//! | server | `gap`, `after` | messages that came after this one are not among those that follow |
//!
//! The `id` of a message says where it stands in its room: `1700000000000-0`, milliseconds and a
//! number, as in Redis' Streams. Ids grow, and a message has the same id and `date` for everybody.
//!
//! `room` and `gap` come to clients that say in the query of their URL who they are (`?client=`) or
//! which message they have (`?after=`).
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
use crate::place::RoomName;

/// Longest text, in characters.
pub(crate) const MAX_TEXT: usize = 2000;
/// Longest key, in bytes.
const MAX_KEY: usize = 64;

/// A client's request.
#[derive(Debug, PartialEq)]
pub(crate) enum Request {
    SignIn { name: String },
    Say { text: String, key: Option<String> },
}

/// Why a message was ignored.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) text: String,
    /// The key of the message, if it has one.
    pub(crate) key: Option<String>,
    /// Whether the same message may be accepted later.
    pub(crate) may_retry: bool,
}

impl Refusal {
    /// Returns a refusal that is final.
    pub(crate) fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), key: None, may_retry: false }
    }

    pub(crate) fn with_key(self, key: Option<String>) -> Self {
        Self { key, ..self }
    }
}

impl Request {
    /// Parses a message, or returns what its sender is told.
    pub(crate) fn parse(message: Message<'_>) -> Result<Self, Refusal> {
        let Message::Text(text) = message else {
            return Err(Refusal::of("messages are text, not binary"));
        };
        let value: Value = serde_json::from_str(text)
            .map_err(|error| Refusal::of(format!("the message is not JSON: {error}")))?;
        let key = valid_key(&value["key"]).map_err(Refusal::of)?;
        Self::of_value(&value, key.clone()).map_err(|text| Refusal::of(text).with_key(key))
    }

    fn of_value(value: &Value, key: Option<String>) -> Result<Self, String> {
        let field = |name: &str| {
            value[name].as_str().ok_or_else(|| format!("the message has no \"{name}\", a string"))
        };
        match field("type")? {
            "username" => Ok(Self::SignIn { name: valid_name(field("name")?)? }),
            "message" => Ok(Self::Say { text: valid_text(field("text")?)?.into(), key }),
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

fn valid_key(key: &Value) -> Result<Option<String>, String> {
    match key {
        Value::Null => Ok(None),
        Value::String(key) if (1..=MAX_KEY).contains(&key.len()) => Ok(Some(key.clone())),
        _ => Err(format!("a \"key\" is a string of 1 to {MAX_KEY} bytes")),
    }
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

pub(crate) fn error(refusal: &Refusal) -> EncodedMessage {
    let mut message = json!({ "type": "error", "text": refusal.text });
    if let Some(key) = &refusal.key {
        message["key"] = key.as_str().into();
    }
    if refusal.key.is_some() || refusal.may_retry {
        message["retry"] = refusal.may_retry.into();
    }
    encode(message)
}

/// Whether messages can be stored, or why they cannot.
pub(crate) fn status(trouble: Option<&str>) -> EncodedMessage {
    let text = trouble.unwrap_or("messages can be stored again");
    encode(json!({ "type": "status", "available": trouble.is_none(), "text": text }))
}

pub(crate) fn ack(key: &str, id: Id) -> EncodedMessage {
    encode(json!({ "type": "ack", "key": key, "id": id.to_string() }))
}

/// `replay` messages of before follow, and a gap before them if there is one.
pub(crate) fn room(name: &RoomName, last: Id, replay: usize) -> EncodedMessage {
    let (name, last) = (name.to_string(), last.to_string());
    encode(json!({ "type": "room", "room": name, "last": last, "replay": replay }))
}

pub(crate) fn gap(after: Id) -> EncodedMessage {
    let text = "messages are missing here";
    encode(json!({ "type": "gap", "after": after.to_string(), "text": text }))
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
