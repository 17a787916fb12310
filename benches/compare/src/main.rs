//! Receiving, sending and masking, compared with other libraries in one run. Prints CSV.
//!
//! `compare [ROUNDS]`. The libraries take turns, and the least time of each counts, so that other
//! load on the machine affects all of them in the same way.

mod mask;
mod peers;
mod transport;

mod content;
#[expect(dead_code, reason = "the crate's own benchmarks use the rest")]
mod memory;

use std::hint::black_box;
use std::time::Instant;

use sansock::Role;

use content::{Content, frames};
use memory::{Memory, Reads};
use peers::{Peer, Run};

const SIZES: [usize; 5] = [8, 125, 1 << 10, 16 << 10, 1 << 20];

/// A column of one table: the least nanoseconds per message of each library.
struct Least(Vec<(&'static str, f64)>);

impl Least {
    fn new(names: impl Iterator<Item = &'static str>) -> Self {
        Self(names.map(|name| (name, f64::INFINITY)).collect())
    }

    fn time(&mut self, index: usize, messages: usize, work: impl FnOnce()) {
        let start = Instant::now();
        work();
        let nanoseconds = start.elapsed().as_secs_f64() * 1e9 / messages as f64;
        self.0[index].1 = self.0[index].1.min(nanoseconds);
    }

    fn print(&self, bench: &str, size: usize) {
        for (name, nanoseconds) in &self.0 {
            println!("{bench},{size},\"{name}\",{nanoseconds:.2}");
        }
    }
}

/// Messages per round: it takes milliseconds.
fn messages(size: usize) -> usize {
    ((4 << 20) / (size + 200)).clamp(4, 10_000)
}

fn compare(bench: &str, size: usize, rounds: usize, start: impl Fn(&Peer) -> Run) {
    let mut runs: Vec<Run> = peers::ALL.iter().map(start).collect();
    let mut least = Least::new(peers::ALL.iter().map(|peer| peer.name));
    let messages = messages(size);
    for round in 0..=rounds {
        for (index, run) in runs.iter_mut().enumerate() {
            let mut bytes = 0;
            if round == 0 {
                bytes = run(messages); // Buffers find their size.
            } else {
                least.time(index, messages, || bytes = run(messages));
            }
            assert_eq!(bytes, messages * size, "{}", peers::ALL[index].name);
        }
    }
    least.print(bench, size);
}

fn receive(rounds: usize) {
    for (bench, role, content, reads) in [
        ("receive binary as server", Role::Server, Content::Binary, Reads::Burst),
        ("receive binary as server one per read", Role::Server, Content::Binary, Reads::Single),
        ("receive ASCII as server", Role::Server, Content::Ascii, Reads::Burst),
        ("receive multi-byte text as server", Role::Server, Content::Mixed, Reads::Burst),
        ("receive binary as client", Role::Client, Content::Binary, Reads::Burst),
    ] {
        for size in SIZES {
            let (frames, length) = frames(content, size, role);
            compare(bench, size, rounds, |peer| {
                (peer.receive)(role, Memory::new(frames.clone(), length, reads))
            });
        }
    }
}

fn send(rounds: usize) {
    for (bench, role) in [("send as server", Role::Server), ("send as client", Role::Client)] {
        for size in SIZES {
            compare(bench, size, rounds, |peer| {
                let transport = Memory::new(Vec::new(), 0, Reads::Burst);
                (peer.send)(role, transport, Content::Binary.payload(size))
            });
        }
    }
}

fn masking(rounds: usize) {
    mask::check();
    for size in SIZES {
        let mut data = Content::Binary.payload(size);
        let kernels = mask::all(size);
        let mut least = Least::new(kernels.iter().map(|(name, _)| *name));
        let calls = messages(size);
        for _ in 0..rounds {
            for (index, (_, kernel)) in kernels.iter().enumerate() {
                least.time(index, calls, || {
                    for _ in 0..calls {
                        kernel(black_box(&mut data), black_box([0x37, 0xfa, 0x21, 0x3d]));
                    }
                });
            }
        }
        least.print("mask", size);
    }
}

fn main() {
    let rounds = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(15);
    println!("bench,size,library,nanoseconds");
    receive(rounds);
    send(rounds);
    masking(rounds);
}
