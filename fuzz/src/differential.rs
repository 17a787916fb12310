//! `differential`: the same bytes to sansock and to two peers, in both roles. Where they differ, the
//! difference is on the peer's list, with the section of RFC 6455 that justifies ours.
//!
//! An input is flags (1: client, 2: recipes), the limit of all, a seed for the cuts, and the stream
//! or [recipes](recipe) for it, which are cooked for both roles.

mod tokio_websockets;
mod tungstenite;

use sansock::{Config, Limits, Role, Timeouts};

use crate::feed::{self, Cuts, Outcome, Seen};
use crate::receive::recipe;

/// The limits of all, for frames and messages. None below 125: the peers hold control frames to
/// them too, which 5.5 limits already.
const SIZES: [usize; 8] = [65_536, 125, 126, 127, 200, 1000, 4096, 65_535];

/// See the module.
pub fn check(bytes: &[u8]) {
    let Some((&[flags, limit, seed], stream)) = bytes.split_first_chunk() else { return };
    let limit = SIZES[usize::from(limit) % SIZES.len()];
    if flags & 2 != 0 {
        for role in [Role::Client, Role::Server] {
            compare(&recipe(stream, role), role, limit, seed.into());
        }
    } else {
        let role = if flags & 1 != 0 { Role::Client } else { Role::Server };
        compare(stream, role, limit, seed.into());
    }
}

fn compare(stream: &[u8], role: Role, limit: usize, seed: u64) {
    for peer in [&tungstenite::PEER, &tokio_websockets::PEER] {
        let receive = |stream: &[u8]| {
            let ours = receive(stream, role, limit, seed);
            (end(&ours), ours, (peer.receive)(stream, role, limit))
        };
        let (mut end, mut ours, mut theirs) = receive(stream);
        if let (End::Failed(_), End::Waiting) | (End::Waiting, End::Failed(_)) = (end, theirs.end) {
            // "Fail fast" is not the same for all: what is wrong is seen in the first bytes, or once a
            // length, a header or a frame is there. So all get the rest of the frame.
            if let Some(rest) = missing(stream, limit) {
                (end, ours, theirs) = receive(&[stream, &vec![0; rest]].concat());
            }
        }
        if (&ours.events, end) != (&theirs.events, theirs.end) {
            let explained = peer.differences.iter().find(|it| (it.applies)(&ours, &theirs));
            assert!(
                explained.is_some(),
                "not on the list of differences from {}:\nours   {ours:?}\ntheirs {theirs:?}\nof {}",
                peer.name,
                stream.escape_ascii()
            );
        }
    }
}

fn receive(stream: &[u8], role: Role, limit: usize, seed: u64) -> Outcome {
    let limits = Limits::new().frame(limit as u64).message(limit as u64).fragments(u32::MAX);
    let config = Config::new().limits(limits).timeouts(Timeouts::none());
    feed::receive(stream, role, &config, Cuts::Drawn(seed))
}

fn end(ours: &Outcome) -> End {
    match ours.error {
        Some(error) => End::Failed(error.close_code().get()),
        None if matches!(ours.events.last(), Some(Seen::Close(..))) => End::Closed,
        None => End::Waiting,
    }
}

/// Another implementation.
struct Peer {
    name: &'static str,
    /// Feeds it a stream, under a limit for frames and messages.
    receive: fn(&[u8], Role, usize) -> Theirs,
    differences: &'static [Difference],
}

/// What a peer made of a stream.
#[derive(Debug)]
struct Theirs {
    events: Vec<Seen>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Nothing is wrong so far.
    Waiting,
    /// A Close frame came.
    Closed,
    /// The close code that the error stands for.
    Failed(u16),
}

/// A difference that is right.
struct Difference {
    /// What differs, with the section that justifies ours.
    #[expect(dead_code, reason = "for readers of the list")]
    why: &'static str,
    applies: fn(&Outcome, &Theirs) -> bool,
}

/// How many bytes the last frame lacks, if they are few: lengths as the headers have them, whatever
/// else is wrong with these.
fn missing(stream: &[u8], limit: usize) -> Option<usize> {
    let mut at = 0;
    while at < stream.len() {
        let second = stream.get(at + 1).copied().unwrap_or(0);
        let width = match second & 127 {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let octet = |i: usize| stream.get(at + 2 + i).copied().unwrap_or(0);
        let length = if width == 0 {
            u64::from(second & 127)
        } else {
            (0..width).fold(0, |sum, i| sum << 8 | u64::from(octet(i)))
        };
        let mask = if second & 128 != 0 { 4 } else { 0 };
        let length = usize::try_from(length).ok().filter(|length| *length <= limit);
        // A frame above the limit fails when its header is there.
        at += 2 + width + mask + length.unwrap_or(0);
    }
    at.checked_sub(stream.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list shows what is true of the peer's version: an entry that no stream needs is to go.
    #[test]
    fn each_difference_is_one() {
        let long_text = [&b"\x01\x64"[..], &[b'a'; 100], b"\x80\x64", &[0xFF; 100]].concat();
        let streams: [&[&[u8]]; 2] = [
            &[
                b"\x82\x7e\x00\x05hello",
                b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00",
                b"\x88\x02\x03\xe7",
                b"\x88\x02\x03\xf6",
                b"\xf2\x7e\xff\xff",
            ],
            &[b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", &long_text, b"\x01\x01\xc3\x80\x00"],
        ];
        for (peer, streams) in
            [&tungstenite::PEER, &tokio_websockets::PEER].into_iter().zip(streams)
        {
            assert_eq!(streams.len(), peer.differences.len());
            for (stream, difference) in streams.iter().zip(peer.differences) {
                let ours = receive(stream, Role::Client, 125, 0);
                let theirs = (peer.receive)(stream, Role::Client, 125);
                assert_ne!((&ours.events, end(&ours)), (&theirs.events, theirs.end));
                assert!((difference.applies)(&ours, &theirs), "{ours:?}, {theirs:?}");
            }
        }
    }
}
