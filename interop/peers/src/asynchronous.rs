//! The server and the client on tokio.

use std::error::Error;

use sansock::deflate::DeflateConfig;
use sansock::handshake::OriginPolicy;
use sansock::{CloseCode, Compression, Event, Message};
use sansock_tokio::{Client, Server, WebSocket};
use tokio::runtime::Runtime;

use crate::messages::{LENGTHS, compare, noise, text, thirds};
use crate::{Tls, is_agreed};

/// Echoes on every connection, all compressed; tells its port on the first line.
pub(crate) fn serve(config: DeflateConfig, tls: Option<&Tls>) -> Result<(), Box<dyn Error>> {
    Runtime::new()?.block_on(async {
        let server = Server::bind("127.0.0.1:0").await?;
        let mut server = server.deflate(config).origins(OriginPolicy::Any);
        if let Some(tls) = tls {
            server = server.tls(tls.acceptor()?);
        }
        println!("{}", server.local_addr().port());
        let echo = move |incoming: sansock_tokio::Incoming| async move {
            let mut socket = incoming.accept().await?;
            if !is_agreed(socket.deflate(), &config) {
                eprintln!("interop: negotiated {:?}", socket.deflate());
                socket.close(CloseCode::POLICY_VIOLATION, "not what was to be negotiated").await?;
                return Ok(());
            }
            while let Some((event, mut outgoing)) = socket.exchange().await? {
                if let Event::Message(message) = event {
                    outgoing.queue(message.with_compression(Compression::Always))?;
                }
            }
            Ok(())
        };
        Ok(server.run(echo).await?)
    })
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
    Runtime::new()?.block_on(async {
        let mut socket = client.connect().await?;
        if !is_agreed(socket.deflate(), &config) {
            return Err(format!("negotiated {:?}", socket.deflate()).into());
        }
        let noise = noise(1 << 20);
        for length in [LENGTHS, LENGTHS].concat() {
            let text = text(length);
            for message in [Message::Text(&text), Message::Binary(&noise[..length])] {
                for compression in [Compression::Always, Compression::Auto, Compression::Never] {
                    socket.send(message.with_compression(compression)).await?;
                    echoed(&mut socket, message).await?;
                }
                let [first, second, third] = thirds(message);
                socket.send_fragment(first, false).await?;
                socket.send_fragment(second, false).await?;
                socket.send_fragment(third, true).await?;
                echoed(&mut socket, message).await?;
            }
        }
        socket.close(CloseCode::NORMAL, "").await?;
        Ok(())
    })
}

async fn echoed(socket: &mut WebSocket, sent: Message<'_>) -> Result<(), Box<dyn Error>> {
    loop {
        if let Event::Message(echo) = socket.recv().await?.ok_or(sansock_tokio::Error::Abnormal)? {
            return Ok(compare(sent, echo)?);
        }
    }
}
