//! UTF-8 validation from 1 B to 1 MiB: the crate's own, which takes pieces, compared with std and
//! simdutf8.
//!
//! `cargo bench -p sansock-benches --bench utf8`, or with a filter: `-- mixed`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench that fails stops")]

mod common;
/// The crate's own file: no part of its API.
#[allow(dead_code, unreachable_pub, unused_imports, reason = "not all of it is used here")]
#[path = "../src/utf8/mod.rs"]
mod utf8;

use std::hint::black_box;
use std::time::Duration;

use common::{ASCII, MIXED, text};
use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use utf8::Utf8;

const SIZES: [usize; 12] = [1, 4, 8, 16, 32, 50, 64, 125, 1 << 10, 16 << 10, 64 << 10, 1 << 20];

const TEXTS: [(&str, &str); 3] = [
    ("ascii", ASCII),
    ("accents", "À Noël, l'élève a dîné au café; après, plus rien ne s'est passé. "),
    ("mixed", MIXED),
];

fn whole(criterion: &mut Criterion) {
    for (kind, sample) in TEXTS {
        let mut group = criterion.benchmark_group(kind);
        group.sampling_mode(SamplingMode::Flat);
        for size in SIZES {
            let text = text(sample, size);
            let bytes = text.as_bytes();
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::new("sansock", size), |bencher| {
                let mut utf8 = Utf8::new();
                bencher.iter(|| utf8.feed(black_box(bytes)).and_then(|()| utf8.finish()));
            });
            group.bench_function(BenchmarkId::new("std", size), |bencher| {
                bencher.iter(|| std::str::from_utf8(black_box(bytes)).is_ok());
            });
            group.bench_function(BenchmarkId::new("simdutf8", size), |bencher| {
                bencher.iter(|| simdutf8::basic::from_utf8(black_box(bytes)).is_ok());
            });
        }
    }
}

/// A text of 64 KiB in pieces of any length, as a socket would deliver it.
fn pieces(criterion: &mut Criterion) {
    let text = text(TEXTS[2].1, 64 << 10);
    let mut group = criterion.benchmark_group("mixed in pieces");
    group.throughput(Throughput::Bytes(64 << 10));
    for size in [7, 61, 1001, 4099] {
        group.bench_function(BenchmarkId::new("sansock", size), |bencher| {
            let mut utf8 = Utf8::new();
            bencher.iter(|| {
                for piece in black_box(text.as_bytes()).chunks(size) {
                    let _ = black_box(utf8.feed(piece));
                }
                utf8.finish()
            });
        });
    }
}

fn quick() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400))
}

criterion_group! { name = benches; config = quick(); targets = whole, pieces }
criterion_main!(benches);
