//! A header and a payload to a TCP socket: copied together and written at once, or written from two
//! places. The second saves the copy, and costs the kernel more.
//!
//! `cargo bench -p sansock-benches --bench write`
//!
//! It shows from which length on a payload is worth a write of its own
//! (`Unwritten::WORTH_A_PIECE`).
#![expect(clippy::unwrap_used, reason = "a bench that fails stops")]
#![expect(clippy::print_stdout, reason = "it prints its result")]

use std::hint::black_box;
use std::io::{IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

const HEADER: [u8; 4] = [0x82, 126, 4, 0];
const ROUNDS: usize = 400;

/// Writes a message of the length that `payload` has.
type Way = fn(&mut TcpStream, &mut Vec<u8>, &[u8]) -> usize;

const WAYS: [Way; 2] = [
    |stream, buffer, payload| {
        buffer.clear();
        buffer.extend_from_slice(&HEADER);
        buffer.extend_from_slice(payload);
        stream.write(buffer).unwrap()
    },
    |stream, _, payload| {
        stream.write_vectored(&[IoSlice::new(&HEADER), IoSlice::new(payload)]).unwrap()
    },
];

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    println!("{:>8} {:>12} {:>12} {:>7}", "bytes", "copied, ns", "in place, ns", "ratio");
    for kib in [1, 2, 4, 8, 16, 32, 64] {
        let payload = vec![7; kib << 10];
        let [copied, in_place] = least(&mut stream, &mut peer, &payload);
        let ratio = in_place / copied;
        println!("{:>8} {copied:>12.0} {in_place:>12.0} {ratio:>7.3}", payload.len());
    }
}

/// The least nanoseconds per write of each way. The peer reads between the measurements, so that no
/// write waits, in the same thread, so that nothing else runs.
fn least(stream: &mut TcpStream, peer: &mut TcpStream, payload: &[u8]) -> [f64; 2] {
    let (mut buffer, mut sink) = (Vec::new(), vec![0; 1 << 20]);
    let messages = u16::try_from((128 << 10) / payload.len()).map_or(32, |fit| fit.min(32));
    let mut least = [f64::INFINITY; 2];
    for _ in 0..ROUNDS {
        for (way, least) in WAYS.iter().zip(&mut least) {
            let start = Instant::now();
            for _ in 0..messages {
                let written = way(stream, &mut buffer, black_box(payload));
                assert_eq!(written, HEADER.len() + payload.len(), "the socket's buffer is full");
            }
            *least = least.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(messages));
            let mut left = usize::from(messages) * (HEADER.len() + payload.len());
            while left > 0 {
                left -= peer.read(&mut sink).unwrap();
            }
        }
    }
    least
}
