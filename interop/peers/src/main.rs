//! The Rust end of the interoperability tests, which `interop/peers/run` starts.
//!
//! ```sh
//! cargo run -p interop-peers -- serve TAKEOVER BITS
//! cargo run -p interop-peers -- connect TAKEOVER BITS URL
//! ```
//!
//! TAKEOVER is `allowed` or `forbidden`, BITS is 9 to 15: what holds for both directions.

use std::error::Error;
use std::process::ExitCode;

use sansock::deflate::{ContextTakeover, DeflateConfig, NegotiatedDeflate, WindowBits};
use sansock::handshake::OriginPolicy;
use sansock::net::{Client, Outgoing, Server, Stream, WebSocket};
use sansock::{CloseCode, Compression, Event, Message};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["serve", takeover, bits] => config(takeover, bits).and_then(serve),
        ["connect", takeover, bits, url] => config(takeover, bits).and_then(|it| connect(it, url)),
        _ => Err("serve TAKEOVER BITS, or connect TAKEOVER BITS URL".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interop: {error}");
            ExitCode::FAILURE
        }
    }
}

fn config(takeover: &str, bits: &str) -> Result<DeflateConfig, Box<dyn Error>> {
    let takeover = match takeover {
        "allowed" => ContextTakeover::Allowed,
        "forbidden" => ContextTakeover::Forbidden,
        _ => return Err("TAKEOVER is allowed or forbidden".into()),
    };
    let bits = WindowBits::new(bits.parse()?).ok_or("BITS is 9 to 15")?;
    Ok(DeflateConfig::client()
        .server_context(takeover)
        .client_context(takeover)
        .server_max_window_bits(bits)
        .client_max_window_bits(bits))
}

/// Echoes on every connection, all compressed; tells its port on the first line.
fn serve(config: DeflateConfig) -> Result<(), Box<dyn Error>> {
    let server = Server::bind("127.0.0.1:0")?.deflate(config).origins(OriginPolicy::Any);
    println!("{}", server.local_addr().port());
    server.run(move |incoming| {
        let mut socket = incoming.accept()?;
        if !is_agreed(socket.deflate(), &config) {
            eprintln!("interop: negotiated {:?}", socket.deflate());
            socket.start_close(CloseCode::POLICY_VIOLATION, "not what was to be negotiated")?;
            return Ok(());
        }
        while let Some((event, outgoing)) = socket.exchange()? {
            if let Event::Message(message) = event {
                outgoing.queue(message.with_compression(Compression::Always))?;
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// Has all kinds of messages echoed, and closes.
fn connect(config: DeflateConfig, url: &str) -> Result<(), Box<dyn Error>> {
    let mut socket = Client::new(url)?.deflate(config).connect()?;
    if !is_agreed(socket.deflate(), &config) {
        return Err(format!("negotiated {:?}", socket.deflate()).into());
    }
    let noise = noise(1 << 20);
    for round in 0..2 {
        for length in [0, 1, 125, 126, 1_000, 65_535, 65_536, 1 << 20] {
            let text = text(length);
            for message in [Message::Text(&text), Message::Binary(&noise[..length])] {
                for compression in [Compression::Always, Compression::Auto, Compression::Never] {
                    let sent = |out: &mut Outgoing<Stream>| {
                        out.send(message.with_compression(compression))
                    };
                    check(&mut socket, message, sent)?;
                }
                // In three fragments.
                let sent = |out: &mut Outgoing<Stream>| {
                    let third = length / 3;
                    match message {
                        Message::Text(text) => {
                            let (first, rest) = text.split_at(third);
                            out.send_fragment(first, false)?;
                            out.send_fragment(rest, false)?;
                            out.send_fragment("", true)
                        }
                        Message::Binary(bytes) => {
                            out.send_fragment(&bytes[..third], false)?;
                            out.send_fragment(&bytes[third..2 * third], false)?;
                            out.send_fragment(&bytes[2 * third..], true)
                        }
                    }
                };
                check(&mut socket, message, sent)
                    .map_err(|error| format!("round {round}, {length} bytes: {error}"))?;
            }
        }
    }
    socket.start_close(CloseCode::NORMAL, "")?;
    while socket.next_event()?.is_some() {}
    Ok(())
}

/// Whether no more was agreed on than `config` allows.
fn is_agreed(agreed: Option<&NegotiatedDeflate>, config: &DeflateConfig) -> bool {
    let allowed = config.as_negotiated();
    agreed.is_some_and(|agreed| {
        agreed.server_context() == allowed.server_context()
            && agreed.client_context() == allowed.client_context()
            && agreed.server_max_window_bits() <= allowed.server_max_window_bits()
            && agreed.client_max_window_bits() <= allowed.client_max_window_bits()
    })
}

/// Sends and compares what comes back.
fn check(
    socket: &mut WebSocket,
    message: Message<'_>,
    send: impl FnOnce(&mut Outgoing<Stream>) -> Result<(), sansock::net::Error>,
) -> Result<(), Box<dyn Error>> {
    send(socket.outgoing())?;
    loop {
        match socket.next_event()?.ok_or("closed too soon")? {
            Event::Message(echo) if echo == message => return Ok(()),
            Event::Message(echo) => {
                return Err(format!("{} bytes came back as {}", message.len(), echo.len()).into());
            }
            _ => {}
        }
    }
}

/// Text that compresses well, ASCII at the places where it is cut.
fn text(length: usize) -> String {
    let mut text: String = (0..)
        .flat_map(|i| format!("{{\"id\": {i}}}, ").into_bytes())
        .map(char::from)
        .take(length)
        .collect();
    if length > 1_000 {
        text.replace_range(10..14, "💩");
    }
    text
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}
