//! The memory that permessage-deflate takes is what `DeflateConfig` says.
#![cfg(feature = "deflate")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use sansock::deflate::{ContextTakeover, DeflateConfig, WindowBits};
use sansock::handshake::Established;
use sansock::{Compression, Config, Connection, Message, ReceiveBuffer, Role, SendBuffer};
use testkit::masks::FixedKey;
use testkit::memory::{Counting, held};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn connection(role: Role, deflate: &DeflateConfig) -> Connection {
    Established::after_handshake(role, None)
        .with_deflate(deflate.as_negotiated())
        .connection_with(&Config::new(), FixedKey)
}

/// One message from a server to a client: what the one and the other hold then.
fn exchange(deflate: &DeflateConfig) -> (Connection, isize, Connection, isize) {
    let (mut server, mut client) = (None, None);
    let nothing = held(|| server = Some(connection(Role::Server, deflate)));
    // What was agreed on; neither a compressor nor a decompressor.
    assert_eq!(nothing, 40, "before the first message");
    held(|| client = Some(connection(Role::Client, deflate)));
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
    input.extend_from_slice(&[0x8A, 0]);
    client.next_event(&mut input, &mut output).unwrap();
    let sent = held(|| {
        let message = Message::Text("Hello").with_compression(Compression::Always);
        server.send(message, &mut output).unwrap();
    });
    let grown = isize::try_from(output.as_slice().len()).unwrap();
    assert!(grown < 20);
    input.extend_from_slice(output.as_slice());
    let received = held(|| {
        assert!(client.next_event(&mut input, &mut output).unwrap().is_some());
    });
    // The growth of the buffers is not counted.
    (server, sent - 256, client, received - 4_096)
}

/// Documented at [`DeflateConfig`], in this order: to inflate, then to compress with 15 to 9 bits.
const DOCUMENTED: [isize; 8] =
    [47_696, 380_184, 314_648, 281_880, 265_496, 257_304, 253_208, 251_160];

/// One after the other: tests that run side by side would share the pool.
#[test]
fn what_a_connection_holds() {
    with_context_takeover_it_is_what_the_documentation_says();
    without_context_takeover_nothing_is_held_between_messages();
    what_a_connection_held_serves_the_next();
}

fn with_context_takeover_it_is_what_the_documentation_says() {
    let mut measured = Vec::new();
    for bits in (9..=15).rev() {
        let bits = WindowBits::new(bits).unwrap();
        let kept = DeflateConfig::client().server_max_window_bits(bits);
        let (server, to_compress, client, to_inflate) = exchange(&kept);
        if measured.is_empty() {
            measured.push(to_inflate);
        }
        measured.push(to_compress);
        // Not returned to the pool, so that the next ones are new.
        std::mem::forget((server, client));
    }
    assert_eq!(measured.len(), DOCUMENTED.len());
    for (documented, measured) in DOCUMENTED.into_iter().zip(&measured) {
        assert!((documented - measured).abs() < 1_024, "{documented}, but {measured}");
    }
}

fn without_context_takeover_nothing_is_held_between_messages() {
    let forgotten = DeflateConfig::server();
    assert_eq!(forgotten.as_negotiated().server_context(), ContextTakeover::Forbidden);
    // The first fills the pool.
    let first = exchange(&forgotten);
    for _ in 0..100 {
        let (server, to_compress, client, to_inflate) = exchange(&forgotten);
        assert!(to_compress <= 0 && to_inflate <= 0, "{to_compress} {to_inflate}");
        drop((server, client));
    }
    drop(first);
}

fn what_a_connection_held_serves_the_next() {
    let kept = DeflateConfig::client();
    // Takes what other connections have left.
    let first = exchange(&kept);
    let (server, to_compress, client, to_inflate) = exchange(&kept);
    assert!(to_compress > 0 && to_inflate > 0, "{to_compress} {to_inflate}");
    drop((server, client));
    let (_server, to_compress, _client, to_inflate) = exchange(&kept);
    assert!(to_compress <= 0 && to_inflate <= 0, "{to_compress} {to_inflate}");
    drop(first);
}
