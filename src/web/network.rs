//! The thread that connects and reads.

use std::sync::Arc;

use super::event::{CloseEvent, ErrorEvent, MessageEvent};
use super::shared::Shared;
use super::state::Task;
use super::turns::Turn;
use crate::Event;
use crate::net::{Client, Reader};

/// How to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// When no other object connects to the same host and port.
    InTurn,
    /// At once.
    AtOnce,
    /// Not at all: the port is blocked.
    Blocked,
}

/// Runs until the connection is over.
pub(super) fn run(shared: &Arc<Shared>, client: &Client, attempt: Attempt) {
    let (failure, close) = match connect(shared, client, attempt) {
        Ok(Some(reader)) => read(shared, reader),
        // close() was called before, and has left the failure.
        Ok(None) => (None, CloseEvent::abnormal()),
        Err(failure) => (Some(failure), CloseEvent::abnormal()),
    };
    let writer = shared.update(|state| {
        state.count_written();
        state.end(failure, close);
        state.writer.take()
    });
    // Dropping the last half ends the thread of the split.
    drop(writer);
    shared.update(|state| state.networking = false);
}

/// "Establish a WebSocket connection".
fn connect(
    shared: &Arc<Shared>,
    client: &Client,
    attempt: Attempt,
) -> Result<Option<Reader>, ErrorEvent> {
    let uri = client.offer().uri();
    let turn = match attempt {
        Attempt::AtOnce => None,
        Attempt::InTurn => {
            let cancel = shared.lock().cancel.clone();
            let turn = Turn::wait(uri.host(), uri.port(), || cancel.is_cancelled());
            Some(turn.ok_or(crate::net::Error::Cancelled)?)
        }
        // "If request's current URL's port is a bad port, return blocked" (Fetch), which is a
        // network error.
        Attempt::Blocked => {
            return Err(ErrorEvent::new("the port is blocked, as in browsers (PortPolicy)"));
        }
    };
    let (socket, response) = client.connect_with_response()?;
    // It is no longer CONNECTING.
    drop(turn);
    let protocol = match socket.subprotocol() {
        Some(protocol) => protocol.into(),
        None if client.offer().subprotocols().next().is_some() => {
            // "If protocols is not the empty list and extracting header list values given
            // `Sec-WebSocket-Protocol` and response's header list results in null, failure, or the
            // empty byte sequence, then fail the WebSocket connection. NOTE: This is different from
            // the check on this header defined by The WebSocket Protocol."
            return Err(ErrorEvent::new("the server chose none of the subprotocols offered"));
        }
        None => "".into(),
    };
    let extensions =
        response.headers().get_str("Sec-WebSocket-Extensions").unwrap_or_default().into();
    let (reader, writer) = socket.split()?;
    Ok(shared.update(|state| {
        if !state.is_alive() {
            return None;
        }
        state.writer = Some(writer);
        state.queue(Task::Established { protocol, extensions });
        Some(reader)
    }))
}

/// Queues a task for everything that arrives. Returns how the connection ended.
fn read(shared: &Arc<Shared>, mut reader: Reader) -> (Option<ErrorEvent>, CloseEvent) {
    loop {
        match reader.next_event() {
            Ok(Some(Event::Message(message))) => {
                let message = MessageEvent { data: message.into() };
                shared.update(|state| state.received(message));
                wait_for_room(shared);
            }
            Ok(Some(Event::Close(_))) => shared.update(|state| state.queue(Task::Closing)),
            Ok(Some(_)) => {}
            Ok(None) => {
                let close = reader.outcome().map_or_else(CloseEvent::abnormal, Into::into);
                return (None, close);
            }
            Err(error) => return (Some(error.into()), CloseEvent::abnormal()),
        }
    }
}

/// Waits while too many messages wait for the program.
fn wait_for_room(shared: &Shared) {
    let mut state = shared.lock();
    while state.is_full() {
        state = shared.wait(state, None);
    }
}
