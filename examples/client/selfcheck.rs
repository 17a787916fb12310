//! Checks an echo server.

use std::error::Error;
use std::time::Duration;

use sansock::net::{Next, WebSocket};
use sansock::{CloseCode, Event, Message};

/// Around the borders between the three forms of a frame's length (RFC 6455, 5.2), and a large one.
const SIZES: [usize; 7] = [0, 1, 125, 126, 65_535, 65_536, 1 << 20];
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

/// Text of `size` bytes, with characters of one to four bytes.
fn text(size: usize) -> String {
    let mut text = String::with_capacity(size);
    for char in "a\u{e9}\u{20ac}\u{1d11e}".chars().cycle() {
        if text.len() + char.len_utf8() > size {
            break;
        }
        text.push(char);
    }
    while text.len() < size {
        text.push('.');
    }
    text
}

/// Bytes with all values, most of which are not UTF-8.
fn binary(size: usize) -> Vec<u8> {
    (0..=u8::MAX).rev().cycle().take(size).collect()
}

/// The message in `count` pieces, text cut between characters; `true` marks the last.
fn fragments(message: Message<'_>, count: usize) -> impl Iterator<Item = (Message<'_>, bool)> {
    let cut = move |number: usize| {
        let near = message.len() * number / count;
        match message {
            Message::Text(text) => {
                (near..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(near)
            }
            Message::Binary(_) => near,
        }
    };
    (0..count).map(move |number| {
        let range = cut(number)..cut(number + 1);
        let piece = match message {
            Message::Text(text) => Message::Text(&text[range]),
            Message::Binary(bytes) => Message::Binary(&bytes[range]),
        };
        (piece, number + 1 == count)
    })
}
