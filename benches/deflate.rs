//! permessage-deflate: the cost of compressing and inflating JSON messages through a connection
//! (with frames, UTF-8 and buffers), compared with plain flate2 on the same bytes.
//!
//! `cargo bench -p sansock-benches --features deflate --bench deflate`, or with a filter: `--
//! inflate/allowed`.

use std::hint::black_box;
use std::time::Duration;

use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use sansock::deflate::{ContextTakeover, DeflateConfig};
use sansock::handshake::Established;
use sansock::{
    Compression as When, Config, Connection, Event, Message, ReceiveBuffer, Role, SendBuffer,
};
use testkit::masks::FixedKey;

const SIZES: [usize; 4] = [128, 1 << 10, 16 << 10, 1 << 20];
const TAKEOVERS: [(&str, ContextTakeover); 2] =
    [("allowed", ContextTakeover::Allowed), ("forbidden", ContextTakeover::Forbidden)];
/// The number of different messages; they are sent in turn.
const MESSAGES: usize = 16;

/// Records as a server might send them: similar, but all different.
fn json(size: usize, message: usize) -> String {
    let mut text = String::with_capacity(size + 100);
    let mut state = message as u64 + 1;
    while text.len() < size {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (id, price) = (state >> 48, (state >> 32) % 100_000);
        let user = id % 9;
        let record = format!(r#"{{"id":{id},"price":{price},"side":"buy","user":"Zoë {user}"}},"#);
        text.push_str(&record);
    }
    let boundary = (0..=size).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(boundary);
    text.extend(std::iter::repeat_n(' ', size - boundary));
    text
}

fn connection(role: Role, takeover: ContextTakeover) -> Connection {
    let deflate = DeflateConfig::client().server_context(takeover).client_context(takeover);
    Established::after_handshake(role, None)
        .with_deflate(deflate.as_negotiated())
        .connection_with(&Config::new(), FixedKey)
}

fn new_compressor() -> Compress {
    Compress::new(Compression::new(6), false)
}

fn compress(criterion: &mut Criterion) {
    for (name, takeover) in TAKEOVERS {
        let mut group = criterion.benchmark_group(format!("compress/{name}"));
        group.sampling_mode(SamplingMode::Flat);
        for size in SIZES {
            let messages: Vec<String> = (0..MESSAGES).map(|i| json(size, i)).collect();
            group.throughput(Throughput::Bytes(size as u64));
            let mut next = messages.iter().cycle();
            let mut server = connection(Role::Server, takeover);
            let mut output = SendBuffer::new();
            group.bench_function(BenchmarkId::new("sansock", size), |bencher| {
                bencher.iter(|| {
                    let message = Message::Text(next.next().map_or("", String::as_str));
                    let sent =
                        server.send(black_box(message).with_compression(When::Always), &mut output);
                    black_box(output.as_slice());
                    output.consume(output.as_slice().len());
                    sent
                });
            });
            let mut next = messages.iter().cycle();
            let mut stream = new_compressor();
            let mut compressed = vec![0; size + 1_024];
            group.bench_function(BenchmarkId::new("flate2", size), |bencher| {
                bencher.iter(|| {
                    let message = next.next().map_or("", String::as_str).as_bytes();
                    let flush = FlushCompress::Sync;
                    let done = stream.compress(black_box(message), &mut compressed, flush);
                    black_box(&compressed);
                    if takeover == ContextTakeover::Forbidden {
                        stream.reset();
                    }
                    done
                });
            });
        }
    }
}

/// Frames as one stream: the first message refers to nothing before it, so that it can follow the
/// last one.
fn frames<'m>(
    takeover: ContextTakeover,
    messages: impl Iterator<Item = Message<'m>>,
) -> Vec<Vec<u8>> {
    let mut server = connection(Role::Server, takeover);
    messages
        .map(|message| {
            let mut output = SendBuffer::new();
            let _ = server.send(message.with_compression(When::Always), &mut output);
            output.as_slice().to_vec()
        })
        .collect()
}

/// Receives as from a socket: each read gets at most the room.
fn receive(
    client: &mut Connection,
    input: &mut ReceiveBuffer,
    output: &mut SendBuffer,
    mut frame: &[u8],
) -> usize {
    loop {
        let spare = input.spare_mut();
        let n = frame.len().min(spare.len());
        spare[..n].copy_from_slice(&frame[..n]);
        input.filled(n);
        frame = &frame[n..];
        match client.next_event(input, output) {
            Ok(Some(Event::Message(message))) => break message.len(),
            Ok(_) if !frame.is_empty() => {}
            _ => unreachable!("a message in each frame"),
        }
    }
}

fn inflate(criterion: &mut Criterion) {
    for (name, takeover) in TAKEOVERS {
        let mut group = criterion.benchmark_group(format!("inflate/{name}"));
        group.sampling_mode(SamplingMode::Flat);
        for size in SIZES {
            group.throughput(Throughput::Bytes(size as u64));
            let messages: Vec<String> = (0..MESSAGES).map(|i| json(size, i)).collect();
            // Text is checked as UTF-8, which is not part of the extension.
            let text = frames(takeover, messages.iter().map(|it| Message::Text(it)));
            let frames = frames(takeover, messages.iter().map(|it| Message::Binary(it.as_bytes())));
            for (name, frames) in [("sansock", &frames), ("sansock, text", &text)] {
                let mut next = frames.iter().cycle();
                let mut client = connection(Role::Client, takeover);
                let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
                group.bench_function(BenchmarkId::new(name, size), |bencher| {
                    bencher.iter(|| {
                        let frame = next.next().map_or(&[][..], |frame| &frame[..]);
                        receive(&mut client, &mut input, &mut output, frame)
                    });
                });
            }
            let payloads: Vec<&[u8]> = frames.iter().map(|frame| payload(frame)).collect();
            let mut next = payloads.iter().cycle();
            let mut stream = Decompress::new(false);
            let mut inflated = vec![0; size + 1];
            group.bench_function(BenchmarkId::new("flate2", size), |bencher| {
                bencher.iter(|| {
                    let before = stream.total_out();
                    let payload = next.next().copied().unwrap_or_default();
                    let flush = FlushDecompress::None;
                    let first = stream.decompress(black_box(payload), &mut inflated, flush);
                    let made = usize::try_from(stream.total_out() - before).unwrap_or(0);
                    let tail = &[0, 0, 0xFF, 0xFF];
                    let second = stream.decompress(tail, &mut inflated[made..], flush);
                    black_box(&inflated);
                    if takeover == ContextTakeover::Forbidden {
                        stream.reset(false);
                    }
                    (first, second)
                });
            });
        }
    }
}

/// The payload after a server's frame header.
/// Input that inflates to nothing, which costs the most time for each of its bytes: the time per
/// byte that SECURITY.md names.
fn empty(criterion: &mut Criterion) {
    const SIZE: usize = 200_000;
    let blocks: [(&str, &[u8]); 3] = [
        ("stored", &[0, 0, 0, 0xFF, 0xFF]),
        ("fixed", &[0x02, 0x08, 0x20, 0x80, 0x00]),
        ("final", &[3, 0]),
    ];
    let mut group = criterion.benchmark_group("inflate/empty");
    group.throughput(Throughput::Bytes(SIZE as u64));
    for (name, block) in blocks {
        let payload = block.repeat(SIZE / block.len());
        // A fragment, so that nothing needs to end.
        let mut frame = vec![0x41, 127];
        frame.extend((payload.len() as u64).to_be_bytes());
        frame.extend(payload);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut client = connection(Role::Client, ContextTakeover::Forbidden);
                let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
                input.extend_from_slice(&frame);
                assert_eq!(client.advance(&mut input, &mut output), Ok(false));
            });
        });
    }
}

fn payload(frame: &[u8]) -> &[u8] {
    match frame.get(1) {
        Some(126) => &frame[4..],
        Some(127) => &frame[10..],
        _ => &frame[2..],
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    targets = compress, inflate, empty
}
criterion_main!(benches);
