//! A `SendQueue` over a transport that takes a part, nothing, or fails: everything leaves once, whole
//! and in order.

use std::io::{self, ErrorKind, Write};

use sansock::split::{Receiver, SendQueue, Sender};
use sansock::{Config, Event, ReceiveBuffer, Role, SendBuffer};

use crate::wire::{BOTH, FixedKey, peer};

/// Takes parts, and often nothing.
struct Whimsical {
    bytes: Vec<u8>,
    state: u32,
}

impl Whimsical {
    fn next(&mut self, below: u32) -> u32 {
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.state >> 8) % below
    }
}

impl Write for Whimsical {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.next(6) {
            0 => Err(ErrorKind::WouldBlock.into()),
            1 => Err(ErrorKind::Interrupted.into()),
            2 => Err(ErrorKind::TimedOut.into()),
            shift => {
                let n = bytes.len().min(1 + self.next(10_u32.pow(shift)) as usize);
                self.bytes.extend_from_slice(&bytes[..n]);
                Ok(n)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A message that shows its number in each byte.
fn message(number: u32, length: usize) -> Vec<u8> {
    number.to_be_bytes().into_iter().cycle().take(length).collect()
}

/// The numbers of the messages on the wire, and how many Pongs are between them.
fn read(role: Role, bytes: &[u8]) -> (Vec<u32>, usize) {
    let (mut receiver, mut input) = (Receiver::new(role, &Config::new()), ReceiveBuffer::new());
    let (mut numbers, mut pongs) = (Vec::new(), 0);
    input.extend_from_slice(bytes);
    while let Some(event) = receiver.next_event(&mut input).unwrap() {
        match event {
            Event::Message(got) => {
                let number = u32::from_be_bytes(*got.as_bytes().first_chunk().unwrap());
                assert!(
                    got.as_bytes() == message(number, got.len()),
                    "message {number} is mixed up"
                );
                numbers.push(number);
            }
            other => {
                assert_eq!(other, Event::Pong(b"again"));
                pongs += 1;
            }
        }
    }
    assert!(!receiver.is_in_message() && input.is_idle(), "cut off");
    (numbers, pongs)
}

/// Writes once, outside of the lock that a program has.
fn write(queue: &mut SendQueue, transport: &mut Whimsical) {
    let mut batch: SendBuffer = queue.take().unwrap();
    assert!(queue.take().is_none());
    let _ = batch.write_once(transport);
    queue.put_back(batch);
}

#[test]
fn a_payload_in_place_keeps_its_turn() {
    for (role, seed) in BOTH.into_iter().flat_map(|role| (0..5).map(move |seed| (role, seed))) {
        let mut sender = match role {
            Role::Server => Sender::server(&Config::new()),
            Role::Client => Sender::client(&Config::new(), FixedKey),
        };
        let mut queue = SendQueue::new();
        let mut transport = Whimsical { bytes: Vec::new(), state: seed };
        let mut tickets = Vec::new();
        for number in 0..60 {
            let length = [4, 100, 9_000, 40_000, 150_000][transport.next(5) as usize];
            let message = message(number, length);
            if length < 40_000 {
                sender.send(&*message, queue.queued()).unwrap();
            } else {
                while queue.has_rest() {
                    write(&mut queue, &mut transport);
                }
                let mut batch = queue.take().unwrap();
                let unwritten = sender.send_in_place(&*message, &mut batch).unwrap();
                queue.set_in_flight(unwritten.remaining());
                // Fails nearly always; the rest is then in the batch.
                let _ = unwritten.write_to(&mut transport);
                queue.put_back(batch);
            }
            if transport.next(3) == 0 {
                sender.respond(&Event::Ping(b"again"), queue.queued());
            }
            tickets.push(queue.ticket());
            if transport.next(2) == 0 {
                write(&mut queue, &mut transport);
            }
            assert_eq!(queue.written(), transport.bytes.len() as u64);
        }
        while !queue.is_empty() {
            write(&mut queue, &mut transport);
            assert_eq!(queue.written(), transport.bytes.len() as u64);
        }
        assert!(tickets.iter().all(|&ticket| queue.is_done(ticket)));
        assert_eq!((queue.buffered_amount(), queue.position()), (0, queue.written()));
        let (numbers, pongs) = read(peer(role), &transport.bytes);
        assert_eq!(numbers, (0..60).collect::<Vec<_>>(), "{role:?}, seed {seed}");
        assert!((1..=60).contains(&pongs), "{pongs}");
    }
}

/// What a ticket was taken for is on the wire when it is done, and not much later.
#[test]
fn a_ticket_is_done_when_its_bytes_are_written() {
    for seed in 0..10 {
        let (mut sender, mut queue) = (Sender::server(&Config::new()), SendQueue::new());
        let mut transport = Whimsical { bytes: Vec::new(), state: seed };
        let mut open: Vec<(u64, u64)> = Vec::new();
        for number in 0..300 {
            let length = 4 + transport.next(2_000) as usize;
            sender.send(&*message(number, length), queue.queued()).unwrap();
            open.push((queue.ticket(), queue.position()));
            write(&mut queue, &mut transport);
            open.retain(|&(ticket, position)| {
                assert!(!queue.is_done(ticket) || queue.written() >= position);
                !queue.is_done(ticket)
            });
        }
        while !queue.is_empty() {
            write(&mut queue, &mut transport);
        }
        assert!(open.iter().all(|&(ticket, _)| queue.is_done(ticket)));
    }
}
