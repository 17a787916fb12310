//! The blocking server and client.

use std::error::Error;

use sansock::deflate::DeflateConfig;
use sansock::handshake::OriginPolicy;
use sansock::net::{self, Client, Server, WebSocket};
use sansock::{CloseCode, Compression, Event, Message};

use crate::messages::{LENGTHS, compare, noise, text, thirds};
use crate::{Tls, is_agreed};

/// Echoes on every connection, all compressed; tells its port on the first line.
pub(crate) fn serve(config: DeflateConfig, tls: Option<&Tls>) -> Result<(), Box<dyn Error>> {
    let mut server = Server::bind("127.0.0.1:0")?.deflate(config).origins(OriginPolicy::Any);
    if let Some(tls) = tls {
        server = server.tls(tls.acceptor()?);
    }
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
pub(crate) fn connect(
    config: DeflateConfig,
    tls: Option<&Tls>,
    url: &str,
) -> Result<(), Box<dyn Error>> {
    let mut client = Client::new(url)?.deflate(config);
    if let Some(tls) = tls {
        client = client.tls(tls.connector()?);
    }
    let mut socket = client.connect()?;
    if !is_agreed(socket.deflate(), &config) {
        return Err(format!("negotiated {:?}", socket.deflate()).into());
    }
    let noise = noise(1 << 20);
    for length in [LENGTHS, LENGTHS].concat() {
        let text = text(length);
        for message in [Message::Text(&text), Message::Binary(&noise[..length])] {
            for compression in [Compression::Always, Compression::Auto, Compression::Never] {
                socket.send(message.with_compression(compression))?;
                echoed(&mut socket, message)?;
            }
            let [first, second, third] = thirds(message);
            socket.send_fragment(first, false)?;
            socket.send_fragment(second, false)?;
            socket.send_fragment(third, true)?;
            echoed(&mut socket, message)?;
        }
    }
    socket.close(CloseCode::NORMAL, "")?;
    Ok(())
}

fn echoed(socket: &mut WebSocket, sent: Message<'_>) -> Result<(), Box<dyn Error>> {
    loop {
        if let Event::Message(echo) = socket.next_event()?.ok_or(net::Error::Abnormal)? {
            return Ok(compare(sent, echo)?);
        }
    }
}
