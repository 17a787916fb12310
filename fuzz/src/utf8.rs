//! `utf8`: text at any cut of frames and of reads against `std::str::from_utf8`, with the place where
//! it fails: a receiver takes every byte before the first one that cannot be right, and no more.
//!
//! An input is a seed for the cuts, and text. The role is the client's, so nothing is masked.

use sansock::{Config, Delivery, Event, Message, ProtocolError, ReceiveBuffer, Role};
use sansock::split::Receiver;

use crate::feed::Cuts;
use crate::wire;

/// See the module.
pub fn check(bytes: &[u8]) {
    let Some((&[seed, repeat], text)) = bytes.split_first_chunk() else { return };
    // Long texts are where SIMD is.
    let text = text.repeat(1 + usize::from(repeat % 16));
    let seed = u64::from(seed);
    // Byte by byte is slow, and shows no more of a long text than of a short one.
    let ways = if text.len() > 512 { 2 } else { 3 };
    for frames in &[Cuts::Whole, Cuts::Drawn(seed), Cuts::Bytes][..ways] {
        for reads in &[Cuts::Whole, Cuts::Drawn(seed ^ 0xff), Cuts::Bytes][..ways] {
            for delivery in [Delivery::Messages, Delivery::Chunks] {
                compare(&text, *frames, *reads, delivery);
            }
        }
    }
}

/// How many bytes can begin a text, and whether they are one.
fn by_std(text: &[u8]) -> (usize, bool) {
    match std::str::from_utf8(text) {
        Ok(_) => (text.len(), true),
        Err(error) => {
            // The byte that cannot be right: the first that makes what std calls incomplete wrong.
            let good = error.valid_up_to();
            let can_begin = |end: &usize| {
                let prefix = &text[good..*end];
                std::str::from_utf8(prefix).err().is_none_or(|error| error.error_len().is_none())
            };
            let ends = good..=text.len();
            (ends.take_while(can_begin).last().unwrap_or(good), false)
        }
    }
}

/// Sends the text in frames, reads it in pieces, and looks at each piece.
fn compare(text: &[u8], frames: Cuts, reads: Cuts, delivery: Delivery) {
    let (good, is_text) = by_std(text);
    let (stream, frames) = stream(text, frames);
    let config = Config::new().delivery(delivery);
    let (mut receiver, mut buffer) = (Receiver::new(Role::Client, &config), ReceiveBuffer::new());
    let (mut arrived, mut taken, mut ended) = (0, Vec::new(), false);
    // Frames that have arrived whole, and their payloads.
    let (mut done, mut before) = (0, 0);
    for piece in reads.pieces(&stream) {
        buffer.extend_from_slice(piece);
        arrived += piece.len();
        // How much of the text has arrived, and whether that is all.
        while let Some((start, length)) = frames.get(done)
            && start + length <= arrived
        {
            (done, before) = (done + 1, before + length);
        }
        let next = frames.get(done).map_or(0, |(start, _)| arrived.saturating_sub(*start));
        let here = before + next;
        let all = arrived == stream.len();
        let due = here > good || (all && !is_text);
        loop {
            match receiver.advance(&mut buffer) {
                Err(error) => {
                    assert_eq!(error, ProtocolError::InvalidUtf8);
                    assert!(due, "{good} of {here} bytes are right");
                    return;
                }
                Ok(false) => break,
                Ok(true) => ended |= take(&buffer, &mut taken),
            }
        }
        assert!(!due, "byte {good} of {here} is wrong and was taken");
        if delivery == Delivery::Chunks {
            assert!(here - taken.len() < 4, "all but a character in progress is lent at once");
        }
    }
    assert!(ended && is_text && taken == text);
}

/// The frames, and for each where its payload starts and how long it is.
fn stream(text: &[u8], frames: Cuts) -> (Vec<u8>, Vec<(usize, usize)>) {
    let (mut stream, mut ends) = (Vec::new(), Vec::new());
    let mut left = text.len();
    let mut opcode = 1;
    // An empty text is one empty frame.
    let empty = text.is_empty().then_some(text);
    for payload in frames.pieces(text).chain(empty) {
        left -= payload.len();
        let fin = left == 0;
        stream.extend(wire::frame(if fin { 0x80 } else { 0 } | opcode, None, payload));
        ends.push((stream.len() - payload.len(), payload.len()));
        opcode = 0;
    }
    (stream, ends)
}

/// Takes the text of an event: whether the message ends with it.
fn take(buffer: &ReceiveBuffer, taken: &mut Vec<u8>) -> bool {
    let (text, fin) = match buffer.event() {
        Some(Event::Message(Message::Text(text))) => (text, true),
        Some(Event::Chunk { data: Message::Text(text), fin }) => (text, fin),
        other => panic!("{other:?}"),
    };
    std::str::from_utf8(text.as_bytes()).expect("lent text is UTF-8");
    taken.extend_from_slice(text.as_bytes());
    fin
}
