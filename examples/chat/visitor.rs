//! One connection: a visitor's messages, and the replies to this visitor alone.

use std::num::NonZeroU32;
use std::time::Instant;

use sansock::net::{Error, WebSocket};
use sansock::{CloseCode, Event, Message};

use crate::bucket::Bucket;
use crate::place::Place;
use crate::protocol::{Refusal, Request};
use crate::room::{Entrance, Seat};

/// After this many messages above the rate in a row the visitor is disconnected.
const MAX_EXCESS: u32 = 100;

/// Reads until the visitor leaves; other threads write to it meanwhile.
pub(crate) fn attend(
    socket: WebSocket,
    entrance: Entrance,
    place: Place,
    rate: NonZeroU32,
) -> Result<(), Error> {
    let (mut reader, writer) = socket.split()?;
    let seat = entrance.enter(place, &writer);
    let mut bucket = Bucket::new(rate, Instant::now());
    let mut too_many = 0;
    while let Some(event) = reader.next_event()? {
        let Event::Message(message) = event else { continue };
        if bucket.take(Instant::now()) {
            too_many = 0;
            if let Err(refusal) = act(&seat, message) {
                seat.refuse(&refusal);
            }
            continue;
        }
        too_many += 1;
        // Only once: otherwise the replies to a flood would be a flood too.
        if too_many == 1 {
            let text = "you write too much, wait a moment; this message was dropped";
            seat.refuse(&Refusal::of(text));
        }
        if too_many > MAX_EXCESS {
            writer.queue_close(CloseCode::POLICY_VIOLATION, "too many messages")?;
            break;
        }
    }
    Ok(())
}

fn act(seat: &Seat, message: Message<'_>) -> Result<(), Refusal> {
    match Request::parse(message)? {
        Request::SignIn { name } => seat.sign_in(name),
        Request::Say { text, key } => seat.say(text, key),
    }
}
