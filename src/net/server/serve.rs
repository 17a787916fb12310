//! One connection of a server, from its first byte to its last.

use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use super::incoming::{Answered, Incoming};
use super::options::Options;
use super::registry::Guard;
use super::report::{HandlerResult, ServerError};
use crate::CloseCode;
use crate::counts::Refusal;
use crate::handshake::Rejection;
use crate::net::linger::{OF_REFUSED, discard, until, write_and_end};
use crate::net::slot::Remains;

/// Serves one connection, on its own thread.
pub(super) fn serve<F>(guard: &Guard, peer: SocketAddr, options: &Arc<Options>, handler: &F)
where
    F: Fn(&Incoming) -> HandlerResult,
{
    let report = |error: &ServerError| options.report.report(error, Some(peer));
    let client = guard.slot.client();
    let incoming = match Incoming::open(guard, peer, options) {
        Ok(incoming) if guard.opened() => incoming,
        Err(error) if guard.has_place() => {
            client.refuse(error.refusal());
            report(&ServerError::Opening(error));
            return end_refused(guard, options);
        }
        _ => return report(&ServerError::Displaced),
    };
    let result = panic::catch_unwind(AssertUnwindSafe(|| handler(&incoming)));
    let failure = match result {
        Ok(Ok(())) if incoming.answer().is_none() => Some(ServerError::Unanswered),
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(ServerError::Handler(error)),
        Err(panic) => Some(ServerError::of_panic(&*panic)),
    };
    match &failure {
        Some(ServerError::Handler(_)) => client.counters().handler_failed(),
        Some(ServerError::Panic(_)) => client.counters().handler_panicked(),
        _ => {}
    }
    if let Some(failure) = &failure {
        report(failure);
    }
    if incoming.answer().is_none() {
        client.refuse(Refusal::Unanswered);
        // 500 is a valid rejection, and an error of the transport concerns only this client.
        let _ = incoming.reject(&Rejection::new(500));
    }
    match (incoming.answer(), failure) {
        (Some(Answered::Accepted), None) => end(guard, options, CloseCode::NORMAL),
        (Some(Answered::Accepted), Some(_)) => end(guard, options, CloseCode::INTERNAL_ERROR),
        _ => end_refused(guard, options),
    }
}

/// Waits until a refused client has ended its side, so that the response arrives.
fn end_refused(guard: &Guard, options: &Options) {
    if !guard.slot.is_settled() {
        guard.refused();
        discard(&mut guard.slot.stream().clone(), &options.ending(), OF_REFUSED);
    }
}

/// Closes a connection whose handler has returned before its end, after the queued messages.
fn end(guard: &Guard, options: &Options, code: CloseCode) {
    let (slot, deadline) = (&guard.slot, options.ending());
    let mut remains = slot.take_remains(code);
    if remains.is_none() && !slot.is_settled() {
        // Another thread still holds the connection, or a part of it.
        slot.close(code);
        slot.wait_for_end(until(&deadline));
        remains = slot.take_remains(code);
    }
    let mut stream = slot.stream().clone();
    if let Some(Remains { mut output, outcome, close_sent }) = remains {
        let is_clean = write_and_end(&mut stream, &mut output, &deadline)
            && discard(&mut stream, &deadline, usize::MAX);
        slot.settle_remains(is_clean, outcome.as_ref(), close_sent);
    }
    // A thread that still holds it gets the end of the stream.
    let _ = stream.abort();
}
