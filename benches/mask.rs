//! Masking from 1 B to 64 MiB: each kernel, compared with a loop over bytes and a plain copy.
//!
//! `cargo bench -p sansock-benches --bench mask`, or with a filter: `-- in_place/aligned`.

/// The crate's own file: no part of its API.
#[allow(dead_code, unreachable_pub, unused_imports, reason = "not all of it is used here")]
#[path = "../src/mask/mod.rs"]
mod mask;

use std::hint::black_box;
use std::time::Duration;

use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use mask::kernels::Kernel;
use sansock::handshake::random_nonce;
use sansock::mask::{MaskSource, RandomMasks};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const SIZES: [usize; 13] =
    [1, 8, 16, 32, 64, 125, 256, 1 << 10, 16 << 10, 64 << 10, 1 << 20, 16 << 20, 64 << 20];

fn byte_loop(data: &mut [u8], key: [u8; 4]) {
    for (i, byte) in data.iter_mut().enumerate() {
        *byte ^= key[i % 4];
    }
}

/// Sets the time per row so that thirteen sizes of a dozen rows take minutes, not hours.
fn quick() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400))
}

/// Room for `size` bytes that start `offset` bytes after a cache line.
struct Bytes {
    buffer: Vec<u8>,
    start: usize,
    size: usize,
}

impl Bytes {
    fn new(size: usize, offset: usize) -> Self {
        let buffer = vec![1; size + 128];
        let start = buffer.as_ptr().addr().wrapping_neg() % 64 + offset;
        Self { buffer, start, size }
    }

    fn get(&mut self) -> &mut [u8] {
        black_box(&mut self.buffer[self.start..self.start + self.size])
    }
}

fn in_place(criterion: &mut Criterion) {
    let rows = [Kernel { name: "byte loop", in_place: byte_loop, copying: |_, _, _| () }];
    for (alignment, offset) in [("aligned", 0), ("misaligned", 5)] {
        let mut group = criterion.benchmark_group(format!("in_place/{alignment}"));
        group.sampling_mode(SamplingMode::Flat);
        for size in SIZES {
            let mut data = Bytes::new(size, offset);
            group.throughput(Throughput::Bytes(size as u64));
            for kernel in rows.into_iter().chain(Kernel::all()) {
                group.bench_function(BenchmarkId::new(kernel.name, size), |bencher| {
                    bencher.iter(|| (kernel.in_place)(data.get(), black_box(KEY)));
                });
            }
        }
    }
}

fn copying(criterion: &mut Criterion) {
    let rows = [
        Kernel {
            name: "memcpy",
            in_place: |_, _| (),
            copying: |source, target, _| target.copy_from_slice(source),
        },
        Kernel {
            name: "memcpy, then chosen",
            in_place: |_, _| (),
            copying: |source, target, key| {
                target.copy_from_slice(source);
                sansock::mask::Mask::new(key).apply(target);
            },
        },
    ];
    for (alignment, offset) in [("aligned", 0), ("misaligned", 5)] {
        let mut group = criterion.benchmark_group(format!("copying/{alignment}"));
        group.sampling_mode(SamplingMode::Flat);
        for size in SIZES {
            let (mut source, mut target) = (Bytes::new(size, 0), Bytes::new(size, offset));
            group.throughput(Throughput::Bytes(size as u64));
            for kernel in rows.into_iter().chain(Kernel::all()) {
                group.bench_function(BenchmarkId::new(kernel.name, size), |bencher| {
                    bencher.iter(|| (kernel.copying)(source.get(), target.get(), black_box(KEY)));
                });
            }
        }
    }
}

fn keys(criterion: &mut Criterion) {
    let mut masks = RandomMasks::new();
    criterion.bench_function("next_key", |bencher| bencher.iter(|| masks.next_key()));
    criterion.bench_function("random_nonce", |bencher| bencher.iter(random_nonce));
}

criterion_group! { name = benches; config = quick(); targets = in_place, copying, keys }
criterion_main!(benches);
