//! Sending messages of 8 B to 1 MiB to a transport that takes everything: messages to bytes.
//!
//! `cargo bench -p sansock-benches --bench send`, or with a filter: `-- client`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench that fails stops")]

mod common;

use std::hint::black_box;

use common::{Payload, SIZES, Sending, quick};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sansock::{EncodedMessage, Message, Role};

/// Each message is written separately.
fn send(criterion: &mut Criterion) {
    for (name, role) in [("send/server", Role::Server), ("send/client", Role::Client)] {
        let mut group = criterion.benchmark_group(name);
        for size in SIZES {
            let payload = Payload::Binary.bytes(size);
            let mut sending = Sending::new(role);
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| sending.send(Message::Binary(black_box(&payload))));
            });
        }
    }
}

/// The same through the blocking adapter.
#[cfg(feature = "net")]
fn blocking(criterion: &mut Criterion) {
    for (name, role) in [("send/net/server", Role::Server), ("send/net/client", Role::Client)] {
        let mut group = criterion.benchmark_group(name);
        for size in SIZES {
            let payload = Payload::Binary.bytes(size);
            let mut sending = common::Blocking::sending(role);
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| sending.send(Message::Binary(black_box(&payload))));
            });
        }
    }
}

#[cfg(not(feature = "net"))]
fn blocking(_: &mut Criterion) {}

/// A message of 16 KiB that lies so many bytes before its place in the send buffer, modulo 4096:
/// on some processors the distance decides how long a copy takes.
fn distance(criterion: &mut Criterion) {
    const PAGE: usize = 4096;
    let mut group = criterion.benchmark_group("send/distance");
    let (length, header) = (4 * PAGE, 4);
    let memory = Payload::Binary.bytes(length + PAGE);
    group.throughput(Throughput::Bytes(length as u64));
    for distance in [0, 8, 16, PAGE / 2] {
        let mut sending = Sending::new(Role::Server);
        sending.connection.send(&memory[..length], &mut sending.output).unwrap();
        let place = sending.output.as_slice().as_ptr().addr() + header;
        sending.flush();
        let start = (place - distance).wrapping_sub(memory.as_ptr().addr()) % PAGE;
        let payload = &memory[start..start + length];
        group.bench_function(BenchmarkId::from_parameter(distance), |bencher| {
            bencher.iter(|| {
                sending.connection.send(black_box(payload), &mut sending.output).unwrap();
                sending.flush();
            });
        });
    }
}

/// Sixty-four messages per write; the time is for all of them.
fn queue(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queue 64/server");
    for size in [8, 125, 1 << 10] {
        let payload = Payload::Binary.bytes(size);
        let mut sending = Sending::new(Role::Server);
        group.throughput(Throughput::Elements(64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                for _ in 0..64 {
                    let message = Message::Binary(black_box(&payload));
                    sending.connection.send(message, &mut sending.output).unwrap();
                }
                sending.flush();
            });
        });
    }
}

/// One message to a thousand connections, encoded for each of them or once for all.
fn broadcast(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("broadcast to 1000");
    let mut everyone: Vec<Sending> = (0..1000).map(|_| Sending::new(Role::Server)).collect();
    for size in [125, 1 << 10] {
        let payload = Payload::Binary.bytes(size);
        group.throughput(Throughput::Elements(1000));
        group.bench_function(BenchmarkId::new("send", size), |bencher| {
            bencher.iter(|| {
                for one in &mut everyone {
                    one.connection.send(black_box(&payload), &mut one.output).unwrap();
                    one.flush();
                }
            });
        });
        group.bench_function(BenchmarkId::new("send_encoded", size), |bencher| {
            bencher.iter(|| {
                let message = EncodedMessage::new(black_box(&payload));
                for one in &mut everyone {
                    one.connection.send_encoded(&message, &mut one.output).unwrap();
                    one.flush();
                }
            });
        });
    }
}

criterion_group! { name = benches; config = quick(); targets = send, blocking, distance, queue, broadcast }
criterion_main!(benches);
