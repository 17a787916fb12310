//! Floods of small frames, and announcements of very large ones.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use testkit::frame::{BINARY, CLOSE, CONTINUATION, FIN, PING, TEXT};

use crate::common::{Fallible, ensure, join};
use crate::peer::{End, Rest, Tally, frame, header, is_reset, open, rest};
use crate::server::Server;

pub(crate) const PINGS: u32 = 100_000;
const EMPTY: usize = 1_000_000;
pub(crate) const LENGTHS: usize = 200;
/// The payload of the message in one-byte fragments.
const FRAGMENTED: usize = 1 << 20;

/// Sends from another thread, ends with a Close frame, and reads to the end.
fn exchange(server: &Server, bytes: &[u8]) -> Fallible<Rest> {
    let mut peer = open(server.address, "/")?;
    let mut writer = peer.try_clone()?;
    thread::scope(|scope| {
        let sent = scope.spawn(move || match send_all(&mut writer, bytes) {
            // The server has refused, which `rest` shows.
            Err(error) if is_reset(&error) => Ok(()),
            result => Ok(result?),
        });
        let rest = rest(&mut peer);
        join(sent)?;
        rest
    })
}

fn send_all(writer: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    writer.write_all(bytes)?;
    writer.write_all(&frame(CLOSE, &1000u16.to_be_bytes()))
}

/// Pings in a row, by a peer that reads the answers.
pub(crate) fn pings(server: &mut Server) -> Fallible<String> {
    let mut bytes = Vec::new();
    for n in 0..PINGS {
        bytes.extend(frame(PING, &n.to_be_bytes()));
    }
    let start = Instant::now();
    let rest = exchange(server, &bytes)?;
    let numbers: Vec<&[u8]> = rest.pongs.iter().map(Vec::as_slice).collect();
    ensure(numbers.is_sorted(), || "the Pongs are not in order".into())?;
    let last = (PINGS - 1).to_be_bytes();
    ensure(numbers.last() == Some(&last.as_slice()), || "the last Ping has no Pong".into())?;
    ensure(rest.end == Some(End::Close(1000)), || format!("{:?}", rest.end))?;
    Ok(format!("{} Pongs, Close 1000, in {:.1} s", numbers.len(), start.elapsed().as_secs_f64()))
}

/// The start of a message, and a million continuation frames without a byte.
pub(crate) fn empty_continuations(server: &mut Server) -> Fallible<String> {
    let mut bytes = frame(TEXT, b"");
    bytes.extend(frame(CONTINUATION, b"").repeat(EMPTY));
    let start = Instant::now();
    let rest = exchange(server, &bytes)?;
    ensure(rest.end == Some(End::Close(1008)), || format!("{:?}", rest.end))?;
    Ok(format!("Close 1008, in {:.1} s", start.elapsed().as_secs_f64()))
}

/// A message of 1 MiB, one byte per frame, to a server that allows that many frames.
pub(crate) fn one_byte_fragments(server: &mut Server) -> Fallible<String> {
    let payload: Vec<u8> = (0..=u8::MAX).cycle().take(FRAGMENTED).collect();
    let mut bytes = Vec::new();
    for (n, &byte) in payload.iter().enumerate() {
        let opcode = if n == 0 { BINARY } else { CONTINUATION };
        let fin = if n + 1 == FRAGMENTED { FIN } else { 0 };
        bytes.extend(frame(fin | opcode, &[byte]));
    }
    let start = Instant::now();
    let rest = exchange(server, &bytes)?;
    ensure(rest.data == [payload], || "the echo differs from the sent message".into())?;
    ensure(rest.end == Some(End::Close(1000)), || format!("{:?}", rest.end))?;
    Ok(format!("the message, whole, in {:.1} s", start.elapsed().as_secs_f64()))
}

/// Headers that announce 2^62 bytes, which is too much, and 2^63, which is not a valid length
/// (5.2).
pub(crate) fn lengths(server: &mut Server) -> Fallible<String> {
    let mut ends = Vec::new();
    for (length, end) in [(1 << 62, End::Close(1009)), (1 << 63, End::Close(1002))] {
        let mut peers = Vec::new();
        for _ in 0..LENGTHS / 2 {
            let mut peer = open(server.address, "/")?;
            peer.write_all(&header(FIN | BINARY, length))?;
            peers.push(peer);
        }
        let tally = Tally::of(&mut peers)?;
        tally.all(end)?;
        ends.push(tally.to_string());
    }
    Ok(ends.join(", "))
}
