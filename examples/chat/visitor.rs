//! One connection: what a visitor says, and the answers to them alone.

use std::num::NonZeroU32;
use std::time::Instant;

use sansock::net::{Error, WebSocket};
use sansock::{CloseCode, Event, Message};

use crate::bucket::Bucket;
use crate::protocol::Request;
use crate::room::{Room, Seat};

/// So many messages too many in a row, and the visitor has to leave.
const PATIENCE: u32 = 100;

/// Reads until the visitor goes; others write to them meanwhile.
pub(crate) fn attend(socket: WebSocket, room: &Room, rate: NonZeroU32) -> Result<(), Error> {
    let (mut reader, writer) = socket.split()?;
    let seat = room.enter(writer.clone());
    let mut bucket = Bucket::new(rate, Instant::now());
    let mut too_many = 0;
    while let Some(event) = reader.next_event()? {
        let Event::Message(message) = event else { continue };
        if bucket.take(Instant::now()) {
            too_many = 0;
            if let Err(error) = act(&seat, message) {
                seat.complain(&error);
            }
            continue;
        }
        too_many += 1;
        // Once is enough: the answers to a flood would be one too.
        if too_many == 1 {
            seat.complain("you write too much, wait a moment; this message was dropped");
        }
        if too_many > PATIENCE {
            writer.queue_close(CloseCode::POLICY_VIOLATION, "too many messages")?;
            break;
        }
    }
    Ok(())
}

fn act(seat: &Seat<'_>, message: Message<'_>) -> Result<(), String> {
    match Request::parse(message)? {
        Request::SignIn { name } => seat.sign_in(&name),
        Request::Say { text } => seat.say(&text)?,
    }
    Ok(())
}
