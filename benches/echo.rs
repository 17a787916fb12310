//! A blocking client and a blocking server over loopback TCP. The kernel takes most of the time:
//! only the ratio to other programs in the same run matters.
//!
//! `cargo bench -p sansock-benches --bench echo`
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench that fails stops")]

mod common;

use std::hint::black_box;
use std::thread;

use common::{Payload, quick};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sansock::Event;
use sansock::net::{Incoming, Server, WebSocket, client};

fn answer(incoming: &Incoming) -> Result<(), sansock::net::Error> {
    let mut socket = incoming.accept()?;
    while let Some((event, outgoing)) = socket.exchange()? {
        if let Event::Message(message) = event {
            outgoing.queue(message)?;
        }
    }
    Ok(())
}

fn receive(socket: &mut WebSocket) -> usize {
    match socket.next_event().unwrap() {
        Some(Event::Message(message)) => black_box(message.as_bytes()).len(),
        event => panic!("{event:?}"),
    }
}

fn echo(criterion: &mut Criterion) {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let (url, handle) = (format!("ws://{}/", server.local_addr()), server.handle());
    let running = thread::spawn(|| server.run(|incoming| Ok(answer(incoming)?)));
    let mut socket = client::connect(&url).unwrap();

    let mut group = criterion.benchmark_group("echo/one by one");
    for size in [20, 1 << 10, 16 << 10, 1 << 20] {
        let payload = Payload::Binary.bytes(size);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                socket.send(&payload).unwrap();
                receive(&mut socket)
            });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("echo/64 at a time");
    let payload = Payload::Binary.bytes(20);
    group.throughput(Throughput::Elements(64));
    group.bench_function(BenchmarkId::from_parameter(20), |bencher| {
        bencher.iter(|| {
            for _ in 0..64 {
                socket.queue(&payload).unwrap();
            }
            (0..64).map(|_| receive(&mut socket)).sum::<usize>()
        });
    });
    group.finish();

    drop(socket);
    handle.shutdown();
    running.join().unwrap().unwrap();
}

criterion_group! { name = benches; config = quick(); targets = echo }
criterion_main!(benches);
