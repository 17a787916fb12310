//! Receiving messages of 8 B to 1 MiB from a transport in memory: bytes to events, including the
//! copy that a kernel would make.
//!
//! `cargo bench -p sansock-benches --bench receive`, or with a filter: `-- server/binary`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench that fails stops")]

mod common;

use common::{Endless, Payload, Receive, Receiving, SIZES, message, quick};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sansock::Role;

fn row<R: Receive>(
    criterion: &mut Criterion,
    name: &str,
    (role, payload, frames): (Role, Payload, usize),
    transport: fn(&[u8]) -> Endless,
    receiver: fn(Role, Endless) -> R,
) {
    let mut group = criterion.benchmark_group(name);
    for size in SIZES {
        let message = message(role, payload.kind(), &payload.bytes(size), frames);
        let mut receiving = receiver(role, transport(&message));
        assert_eq!(receiving.receive(), size);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| receiving.receive());
        });
    }
}

fn receive(criterion: &mut Criterion) {
    let core = Receiving::new;
    for (name, payload) in Payload::ALL {
        let row_name = format!("receive/server/{name}");
        row(criterion, &row_name, (Role::Server, payload, 1), Endless::burst, core);
    }
    let binary = Payload::Binary;
    row(criterion, "receive/client/binary", (Role::Client, binary, 1), Endless::burst, core);
    row(criterion, "receive/server/one a read", (Role::Server, binary, 1), Endless::single, core);
    row(criterion, "receive/server/four frames", (Role::Server, binary, 4), Endless::burst, core);
}

/// Through the blocking adapter.
#[cfg(feature = "net")]
fn blocking(criterion: &mut Criterion) {
    let (binary, net) = ((Role::Server, Payload::Binary, 1), common::Blocking::receiving);
    row(criterion, "receive/net/server/binary", binary, Endless::burst, net);
    row(criterion, "receive/net/server/one a read", binary, Endless::single, net);
}

#[cfg(not(feature = "net"))]
fn blocking(_: &mut Criterion) {}

criterion_group! { name = benches; config = quick(); targets = receive, blocking }
criterion_main!(benches);
