//! Compressed messages that leave (RFC 7692, 6.1 and 7.2.1).

use sansock::buffer::Unwritten;
use sansock::deflate::{ContextTakeover, DeflateConfig, DeflateLevel, WindowBits};
use sansock::{Compression, Config, EncodedMessage, Message, MessageKind, Role, SendError};
use testkit::frame::{CONTINUATION, Frame};
use testkit::masks::Keys;

use crate::oracle;
use crate::wire::{End, FORGOTTEN, KEPT, Seen, json, noise, text, ways};

const HELLO: Message<'_> = Message::Text("Hello");

fn server(deflate: DeflateConfig) -> End {
    End::new(Role::Server, &Config::new(), deflate)
}

/// The frames in these bytes, which hold nothing else.
fn frames(bytes: &[u8]) -> Vec<Frame> {
    let frames = testkit::frame::frames(bytes);
    assert_eq!(frames.iter().flat_map(Frame::bytes).collect::<Vec<_>>(), bytes);
    frames
}

fn send(end: &mut End, message: Message<'_>, compression: Compression) -> Vec<u8> {
    end.connection.send(message.with_compression(compression), &mut end.output).unwrap();
    end.written()
}

#[test]
fn the_examples_of_section_7_2_3() {
    // 7.2.3.1
    let hello = [0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    // 7.2.3.2
    let again = [0xc1, 0x05, 0xf2, 0x00, 0x11, 0x00, 0x00];
    for (deflate, second) in [(KEPT, &again[..]), (FORGOTTEN, &hello)] {
        let mut end = server(deflate);
        assert_eq!(send(&mut end, HELLO, Compression::Always), hello);
        assert_eq!(send(&mut end, HELLO, Compression::Always), second);
        // 7.2.3.6
        assert_eq!(send(&mut end, Message::Text(""), Compression::Always), [0xc1, 0x01, 0x00]);
        let third = send(&mut end, HELLO, Compression::Always);
        assert!(third.len() <= second.len());
    }
}

#[test]
fn the_threshold_and_the_program_decide() {
    let long = json(512);
    let message = Message::Text(&long);
    let short = Message::Text(&long[..511]);
    for (message, compression, compressed) in [
        (message, Compression::Auto, true),
        (short, Compression::Auto, false),
        (message, Compression::Never, false),
        (short, Compression::Always, true),
    ] {
        for role in [Role::Server, Role::Client] {
            let mut end = End::new(role, &Config::new(), KEPT);
            let bytes = send(&mut end, message, compression);
            let frame = &frames(&bytes)[0];
            assert_eq!(frame.rsv1(), compressed, "{compression:?}");
            assert_eq!(frame.payload.len() < message.len(), compressed);
        }
    }
    let mut end = server(KEPT.threshold(5));
    end.connection.send("Hello", &mut end.output).unwrap();
    end.connection.send("Hell", &mut end.output).unwrap();
    let sent = frames(&end.written());
    assert_eq!([sent[0].rsv1(), sent[1].rsv1()], [true, false]);
}

#[test]
fn without_the_extension_nothing_is_compressed() {
    let connection = sansock::handshake::Established::after_handshake(Role::Server, None)
        .connection_with(&Config::new(), Keys(1));
    let mut end = End { connection, ..server(KEPT) };
    for compression in [Compression::Auto, Compression::Always] {
        let bytes = send(&mut end, Message::Text(&json(1_000)), compression);
        assert!(!frames(&bytes)[0].rsv1());
    }
    end.connection.send_fragment("a", false, &mut end.output).unwrap();
    assert_eq!(end.written(), b"\x01\x01a");
}

#[test]
fn what_does_not_become_shorter_is_sent_as_it_is_if_nothing_refers_to_it() {
    let noise = noise(2_000);
    let mut end = server(FORGOTTEN);
    let sent = frames(&send(&mut end, Message::Binary(&noise), Compression::Auto));
    assert_eq!((sent[0].rsv1(), &sent[0].payload), (false, &noise));
    for (deflate, compression) in [(FORGOTTEN, Compression::Always), (KEPT, Compression::Auto)] {
        let mut end = server(deflate);
        let sent = frames(&send(&mut end, Message::Binary(&noise), compression));
        let mut inflated = Vec::new();
        oracle::inflate(&sent[0].payload, &mut inflated);
        assert_eq!((sent[0].rsv1(), inflated), (true, noise.clone()));
    }
}

#[test]
fn a_message_leaves_in_fragments() {
    let parts = [json(700), String::new(), json(10), json(9_000), String::new()];
    for deflate in [KEPT, FORGOTTEN] {
        let mut end = server(deflate);
        let mut peer = End::client(deflate);
        for round in 0..3 {
            for (i, part) in parts.iter().enumerate() {
                let fin = i + 1 == parts.len();
                end.connection.send_fragment(part, fin, &mut end.output).unwrap();
                end.connection.ping(b"p", &mut end.output).unwrap();
                let bytes = end.written();
                let frame = &frames(&bytes)[0];
                assert_eq!((frame.fin(), frame.rsv1()), (fin, i == 0));
                let continues = frame.opcode() == CONTINUATION;
                assert_eq!(continues, i > 0);
                assert!(frame.payload.len() <= part.len().div_ceil(2) + 10);
                let seen = peer.receive(&bytes, 7).unwrap();
                let message = fin.then(|| text(&parts.concat()));
                let expected = message.into_iter().chain([Seen::Ping(b"p".to_vec())]);
                assert_eq!(seen, expected.collect::<Vec<_>>(), "{round} {i}");
            }
        }
    }
}

/// What was handed over can be read before the next fragment comes.
#[test]
fn a_fragment_does_not_wait_for_the_next() {
    let mut end = server(KEPT);
    let config = Config::new().delivery(sansock::Delivery::Chunks);
    let mut peer = End::new(Role::Client, &config, KEPT);
    for part in ["a", "bc", "Hello", &json(3_000)] {
        end.connection.send_fragment(part, false, &mut end.output).unwrap();
        let seen = peer.receive(&end.written(), usize::MAX);
        assert_eq!(seen, Ok(vec![Seen::Pieces(MessageKind::Text, part.into())]));
    }
}

#[test]
fn the_first_fragment_decides_for_the_message() {
    for (compression, fin, compressed) in [
        (Compression::Auto, false, true),
        (Compression::Auto, true, false),
        (Compression::Always, true, true),
        (Compression::Never, false, false),
    ] {
        let mut end = server(KEPT);
        // Whatever the message before was.
        for fin in [false, true] {
            let other = HELLO.with_compression(Compression::Always);
            end.connection.send_fragment(other, fin, &mut end.output).unwrap();
        }
        end.connection
            .send_fragment(HELLO.with_compression(compression), fin, &mut end.output)
            .unwrap();
        if !fin {
            for fin in [false, true] {
                for other in [Compression::Always, Compression::Never] {
                    let part = Message::Text("x").with_compression(other);
                    let last = fin && other == Compression::Never;
                    end.connection.send_fragment(part, last, &mut end.output).unwrap();
                }
            }
        }
        let bytes = end.written();
        assert_eq!(frames(&bytes)[2].rsv1(), compressed, "{compression:?} {fin}");
        assert!(frames(&bytes)[3..].iter().all(|frame| !frame.rsv1()));
        let whole = if fin { "Hello" } else { "Helloxxxx" };
        assert_eq!(End::client(KEPT).receive(&bytes, 1), Ok(vec![text("HelloHello"), text(whole)]));
    }
}

#[test]
fn a_message_that_is_compressed_does_not_leave_from_where_it_lies() {
    let mut end = server(KEPT);
    let text = json(100_000);
    let unwritten = end.connection.send_in_place(&text, &mut end.output).unwrap();
    assert!(!unwritten.is_worth_a_write(Unwritten::WORTH_A_WRITE));
    drop(unwritten);
    assert!(frames(&end.written())[0].rsv1());
    let plain = Message::Text(&text).with_compression(Compression::Never);
    let unwritten = end.connection.send_in_place(plain, &mut end.output).unwrap();
    assert!(unwritten.is_worth_a_write(Unwritten::WORTH_A_WRITE));
    drop(unwritten);
    assert!(!frames(&end.written())[0].rsv1());
}

#[test]
fn what_is_refused_changes_nothing() {
    let mut end = server(KEPT);
    let mut peer = End::client(KEPT);
    let long = json(3_000);
    assert_eq!(
        peer.receive(&send(&mut end, Message::Text(&long), Compression::Auto), 9).unwrap(),
        [text(&long)]
    );
    end.connection.send_fragment("a", false, &mut end.output).unwrap();
    let refused = end.connection.send(&long, &mut end.output);
    assert_eq!(refused, Err(SendError::MessageInProgress));
    let refused = end.connection.send_fragment([0; 1_000], true, &mut end.output);
    assert_eq!(refused, Err(SendError::KindChanged));
    end.connection.send_fragment(&long, true, &mut end.output).unwrap();
    assert_eq!(peer.receive(&end.written(), 9).unwrap(), [text(&format!("a{long}"))]);
}

#[test]
fn every_way_there_and_back() {
    let noise = noise(10_000);
    for (config, deflate) in ways() {
        for (role, other) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
            for bits in [9, 12, 15].map(|it| WindowBits::new(it).unwrap()) {
                for level in [DeflateLevel::Fast, DeflateLevel::Balanced, DeflateLevel::Small] {
                    let deflate = deflate
                        .server_max_window_bits(bits)
                        .client_max_window_bits(bits)
                        .level(level);
                    let mut end = End::new(role, &config, deflate);
                    let mut peer = End::new(other, &config, deflate);
                    for length in [0, 1, 125, 126, 511, 512, 4_096, 65_535, 65_536, 66_000] {
                        let (message, noise) = (json(length), &noise[..length % 10_000]);
                        end.connection.send(&message, &mut end.output).unwrap();
                        end.connection.send(noise, &mut end.output).unwrap();
                        let seen = peer.receive(&end.written(), 16_384);
                        let noise = Seen::Message(MessageKind::Binary, noise.to_vec());
                        assert_eq!(seen, Ok(vec![text(&message), noise]));
                    }
                }
            }
        }
    }
}

/// What is negotiated is the largest distance (7.1.2).
#[test]
fn the_window_is_never_larger_than_negotiated() {
    for bits in 9..=15 {
        for level in [DeflateLevel::Fast, DeflateLevel::Balanced, DeflateLevel::Small] {
            for takeover in [ContextTakeover::Allowed, ContextTakeover::Forbidden] {
                let deflate = KEPT
                    .server_max_window_bits(WindowBits::new(bits).unwrap())
                    .server_context(takeover)
                    .level(level);
                let mut end = server(deflate);
                let (mut so_far, mut farthest) = (Vec::new(), 0);
                // Repeats at all distances that might be taken, and just not.
                let noise = noise(33_000);
                for reach in [200, 250, 256, 257, 511, 512, 513, 1 << bits, (1 << bits) + 1, 32_768]
                {
                    let part = &noise[..reach];
                    let message = [part, part, &json(2_000).into_bytes(), part].concat();
                    let sent = send(&mut end, Message::Binary(&message), Compression::Always);
                    let start = so_far.len();
                    farthest =
                        farthest.max(oracle::inflate(&frames(&sent)[0].payload, &mut so_far));
                    assert_eq!(so_far[start..], message);
                }
                assert!(farthest <= 1 << bits, "{farthest} with {bits} bits");
                if level == DeflateLevel::Small {
                    assert!(3 * farthest > 1 << bits, "the window is made use of");
                }
            }
        }
    }
}

/// zlib cannot compress with a window of 256 bytes.
#[test]
fn a_window_of_8_bits_is_not_used() {
    use sansock::handshake::{ClientHandshake, HeadLimits, Offer};
    use sansock::{ReceiveBuffer, SendBuffer};
    let offer = Offer::new("ws://example.com/".parse().unwrap()).deflate(KEPT);
    let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
    let mut handshake =
        ClientHandshake::start(&offer, *b"the sample nonce", HeadLimits::new(), &mut output)
            .unwrap();
    input.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
          Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=8\r\n\r\n",
    );
    assert!(handshake.advance(&mut input).unwrap());
    let connection = handshake.established().unwrap().connection_with(&Config::new(), Keys(1));
    let mut end = End { connection, ..End::client(KEPT) };
    let sent = send(&mut end, Message::Text(&json(1_000)), Compression::Always);
    assert!(!frames(&sent)[0].rsv1());
    // The other direction is not affected.
    let hello = [0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(end.receive(&hello, 9), Ok(vec![text("Hello")]));
}

#[test]
fn a_message_is_compressed_once_for_many() {
    let long = json(2_000);
    let message = EncodedMessage::compressed(&long, &KEPT);
    assert_eq!(message.as_message(), Message::Text(&long));
    let plain = sansock::handshake::Established::after_handshake(Role::Server, None)
        .connection_with(&Config::new(), Keys(1));
    let bits = |bits| WindowBits::new(bits).unwrap();
    for (end, compressed) in [
        (server(KEPT), true),
        (server(FORGOTTEN), true),
        (server(KEPT.server_max_window_bits(bits(11))), true),
        // It may refer to what this client has forgotten.
        (server(KEPT.server_max_window_bits(bits(10))), false),
        (End { connection: plain, ..server(KEPT) }, false),
        (End::client(KEPT), true),
    ] {
        let mut end = end;
        let role = end.connection.role();
        let other = if role == Role::Client { Role::Server } else { Role::Client };
        let mut peer = End::new(other, &Config::new(), KEPT);
        for _ in 0..3 {
            // What the connection compresses by itself goes on fitting.
            end.connection.send(&long, &mut end.output).unwrap();
            end.connection.send_encoded(&message, &mut end.output).unwrap();
            let bytes = end.written();
            if role == Role::Server {
                assert_eq!(frames(&bytes)[1].rsv1(), compressed);
            }
            let seen = peer.receive(&bytes, usize::MAX);
            assert_eq!(seen, Ok(vec![text(&long), text(&long)]));
        }
    }
    let small = EncodedMessage::compressed(&long, &KEPT.server_max_window_bits(bits(9)));
    let mut end = server(KEPT.server_max_window_bits(bits(9)));
    end.connection.send_encoded(&small, &mut end.output).unwrap();
    assert!(frames(&end.written())[0].rsv1());
}
