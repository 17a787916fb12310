//! The entries of the Streams. Whatever else has access to Redis can add some, so they may be anything.

use crate::log::Id;
use crate::names::MAX_NAME;
use crate::protocol::MAX_TEXT;
use crate::room::{Change, Event, Stored};

/// An id and the fields with their values.
pub(super) type Row = (String, Vec<Vec<u8>>);

/// Parses an entry of a log. Its place counts even if it is not a message.
pub(super) fn stored((id, fields): Row) -> Option<(Id, Option<Stored>)> {
    let id = id.parse().ok()?;
    let message = values(["number", "name", "text"], fields).and_then(|[number, name, text]| {
        let is_message = name.chars().count() <= MAX_NAME && text.chars().count() <= MAX_TEXT;
        let number = number.parse().ok()?;
        is_message.then_some(Stored { id, number, name, text })
    });
    Some((id, message))
}

/// Parses an event. Its place counts even if it says nothing.
pub(super) fn change((id, fields): Row) -> Event {
    let change = values(["kind", "user", "name"], fields);
    Event { id, change: change.map(|[kind, user, name]| Change { kind, user, name }) }
}

/// The values of these fields, if there are no others.
fn values<const N: usize>(names: [&str; N], fields: Vec<Vec<u8>>) -> Option<[String; N]> {
    let texts: Option<Vec<_>> =
        fields.into_iter().map(|field| String::from_utf8(field).ok()).collect();
    let (found, values): (Vec<_>, Vec<_>) =
        texts?.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).unzip();
    if found != names {
        return None;
    }
    values.try_into().ok()
}
