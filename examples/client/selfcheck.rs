//! Checks an echo server.

use std::error::Error;
use std::time::Duration;

use sansock::net::{Next, WebSocket};
use sansock::{CloseCode, Event, Message};

use crate::payloads::{SIZES, binary, fragments, text};

/// How long an answer, and each write, may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) fn run(mut socket: WebSocket) -> Result<(), Box<dyn Error>> {
    for size in SIZES {
        let (text, bytes) = (text(size), binary(size));
        for message in [Message::Text(&text), Message::Binary(&bytes)] {
            for frames in [1, 3] {
                check_echo(&mut socket, message, frames).map_err(|error| {
                    format!("{:?} of {size} bytes in {frames} frames: {error}", message.kind())
                })?;
            }
        }
    }
    for size in [0, 1, 125] {
        check_ping(&mut socket, &binary(size))
            .map_err(|error| format!("Ping with {size} bytes: {error}"))?;
    }
    check_close(&mut socket).map_err(|error| format!("closing: {error}"))?;
    println!("all right: {} echoes, 3 Pings, closed with 1000", SIZES.len() * 4);
    Ok(())
}

fn check_echo(
    socket: &mut WebSocket,
    message: Message<'_>,
    frames: usize,
) -> Result<(), Box<dyn Error>> {
    if frames == 1 {
        socket.send(message)?;
    } else {
        for (fragment, fin) in fragments(message, frames) {
            socket.send_fragment(fragment, fin)?;
        }
    }
    match socket.next_event_timeout(TIMEOUT)? {
        Next::Event(Event::Message(echo)) if echo == message => Ok(()),
        Next::Event(Event::Message(echo)) => {
            Err(format!("the answer is another message, {:?} of {} bytes", echo.kind(), echo.len())
                .into())
        }
        other => Err(unexpected(&other)),
    }
}

fn check_ping(socket: &mut WebSocket, payload: &[u8]) -> Result<(), Box<dyn Error>> {
    socket.ping(payload)?;
    match socket.next_event_timeout(TIMEOUT)? {
        // "the Pong frame MUST have identical "Application data"" (5.5.3)
        Next::Event(Event::Pong(answer)) if answer == payload => Ok(()),
        Next::Event(Event::Pong(_)) => Err("the Pong has another payload".into()),
        other => Err(unexpected(&other)),
    }
}

fn check_close(socket: &mut WebSocket) -> Result<(), Box<dyn Error>> {
    socket.close(CloseCode::NORMAL, "")?;
    match socket.outcome() {
        Some(outcome) if outcome.was_clean() && outcome.code() == 1000 => Ok(()),
        outcome => Err(format!("the connection ended with {outcome:?}").into()),
    }
}

fn unexpected(next: &Next<Event<'_>>) -> Box<dyn Error> {
    match next {
        Next::TimedOut => format!("no answer for {TIMEOUT:?}"),
        Next::Ended => "the connection is over".into(),
        Next::Event(Event::Message(message)) => format!("a message, {:?}", message.kind()),
        Next::Event(event) => format!("unexpected: {event:?}"),
    }
    .into()
}
