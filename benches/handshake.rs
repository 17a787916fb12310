//! The opening handshake in memory: the work of each side for one connection.
//!
//! `cargo bench -p sansock-benches --bench handshake`
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench that fails stops")]

mod common;

use std::hint::black_box;

use common::quick;
use criterion::{Criterion, criterion_group, criterion_main};
use sansock::handshake::{Answer, ClientHandshake, HeadLimits, Offer, ServerHandshake};
use sansock::uri::Uri;
use sansock::{ReceiveBuffer, SendBuffer};

/// What a browser sends.
const REQUEST: &[u8] = b"GET /chat?room=1 HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n\
    Accept: */*\r\n\
    Accept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Origin: https://www.example.com\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Connection: keep-alive, Upgrade\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    Upgrade: websocket\r\n\r\n";

/// The nonce whose answer is in RFC 6455, 1.3.
const NONCE: [u8; 16] = *b"the sample nonce";

const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    Sec-WebSocket-Protocol: chat\r\n\r\n";

fn server(criterion: &mut Criterion) {
    let answer = Answer::new().subprotocol("chat");
    criterion.bench_function("handshake/server", |bencher| {
        let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
        bencher.iter(|| {
            input.extend_from_slice(black_box(REQUEST));
            let mut handshake = ServerHandshake::new(HeadLimits::new());
            assert!(handshake.advance(&mut input).unwrap());
            let request = handshake.request().unwrap();
            let established = request.accept(&answer, &mut output).unwrap();
            output.consume(black_box(output.as_slice()).len());
            established
        });
    });
}

fn client(criterion: &mut Criterion) {
    let uri: Uri = "ws://server.example.com/chat?room=1".parse().unwrap();
    let offer = Offer::new(uri).subprotocol("chat").subprotocol("superchat");
    criterion.bench_function("handshake/client", |bencher| {
        let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
        bencher.iter(|| {
            let limits = HeadLimits::new();
            let mut handshake =
                ClientHandshake::start(&offer, black_box(NONCE), limits, &mut output).unwrap();
            output.consume(black_box(output.as_slice()).len());
            input.extend_from_slice(black_box(RESPONSE));
            assert!(handshake.advance(&mut input).unwrap());
            handshake.established().unwrap()
        });
    });
}

criterion_group! { name = benches; config = quick(); targets = server, client }
criterion_main!(benches);
