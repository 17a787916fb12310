//! Compression through the blocking client and server.

use std::io::Read as _;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use sansock::deflate::{ContextTakeover, DeflateConfig};
use sansock::net::{Client, Incoming, Server, ServerHandle, WebSocket};
use sansock::{CloseCode, Compression, EncodedMessage, Event, Message, MessageKind};

use crate::wire::{FORGOTTEN, KEPT, json, noise};

/// An echo server in the background.
struct Echo {
    address: SocketAddr,
    handle: ServerHandle,
    thread: JoinHandle<()>,
}

impl Echo {
    fn start(
        deflate: DeflateConfig,
        serve: impl Fn(WebSocket) -> Result<(), sansock::net::Error> + Send + Sync + 'static,
    ) -> Self {
        let server = Server::bind("127.0.0.1:0").unwrap().deflate(deflate);
        let (address, handle) = (server.local_addr(), server.handle());
        let serve = move |incoming: &Incoming| Ok(serve(incoming.accept()?)?);
        let thread = thread::spawn(move || server.run(serve).unwrap());
        Self { address, handle, thread }
    }

    fn connect(&self, deflate: Option<DeflateConfig>) -> WebSocket {
        let client = Client::new(&format!("ws://{}/", self.address)).unwrap();
        deflate.into_iter().fold(client, Client::deflate).connect().unwrap()
    }

    fn stop(self) {
        self.handle.shutdown();
        self.thread.join().unwrap();
    }
}

fn next(socket: &mut WebSocket) -> (MessageKind, Vec<u8>) {
    loop {
        if let Event::Message(message) = socket.next_event().unwrap().unwrap() {
            return (message.kind(), message.as_bytes().to_vec());
        }
    }
}

fn echo(mut socket: WebSocket) -> Result<(), sansock::net::Error> {
    while let Some((event, outgoing)) = socket.exchange()? {
        if let Event::Message(message) = event {
            outgoing.queue(message)?;
        }
    }
    Ok(())
}

#[test]
fn messages_of_all_sizes_go_there_and_back() {
    for deflate in [KEPT, FORGOTTEN] {
        let server = Echo::start(deflate, echo);
        for offer in [Some(KEPT), Some(FORGOTTEN), None] {
            let mut socket = server.connect(offer);
            assert_eq!(socket.deflate().is_some(), offer.is_some());
            let noise = noise(100_000);
            for length in [0, 10, 511, 512, 4_096, 100_000] {
                let text = json(length);
                for message in [Message::Text(&text), Message::Binary(&noise[..length])] {
                    for compression in [Compression::Auto, Compression::Always, Compression::Never]
                    {
                        socket.send(message.with_compression(compression)).unwrap();
                        let echoed = next(&mut socket);
                        assert_eq!(echoed, (message.kind(), message.as_bytes().to_vec()));
                    }
                    socket.send_fragment(message, false).unwrap();
                    socket.send_fragment(message, true).unwrap();
                    assert_eq!(next(&mut socket).1.len(), 2 * message.len());
                }
            }
            socket.start_close(CloseCode::NORMAL, "").unwrap();
            while socket.next_event().unwrap().is_some() {}
        }
        server.stop();
    }
}

#[test]
fn what_was_negotiated_can_be_asked_for() {
    let server = Echo::start(FORGOTTEN, |mut socket| {
        assert!(socket.deflate().is_some());
        socket.start_close(CloseCode::NORMAL, "")
    });
    let socket = server.connect(Some(KEPT));
    let negotiated = socket.deflate().unwrap();
    assert_eq!(negotiated.server_context(), ContextTakeover::Forbidden);
    assert_eq!(negotiated.client_context(), ContextTakeover::Forbidden);
    drop(socket);
    server.stop();
}

#[test]
fn a_message_is_compressed_once_for_clients_with_and_without_compression() {
    let text = json(50_000);
    let news = EncodedMessage::compressed(&text, &DeflateConfig::server());
    let server = Echo::start(KEPT, move |mut socket| {
        for _ in 0..3 {
            socket.outgoing().send_encoded(&news)?;
            socket.outgoing().queue_encoded(&news)?;
            socket.send(news.as_message())?;
        }
        socket.start_close(CloseCode::NORMAL, "")?;
        while socket.next_event()?.is_some() {}
        Ok(())
    });
    for offer in [Some(KEPT), None] {
        let mut socket = server.connect(offer);
        for _ in 0..9 {
            assert_eq!(next(&mut socket), (MessageKind::Text, text.clone().into_bytes()));
        }
    }
    server.stop();
}

/// Once for all that have negotiated it, and the others get it as it is.
#[test]
fn a_hub_sends_the_same_compressed_message_to_all_that_can_read_it() {
    let hub = sansock::hub::Hub::new();
    let topic = hub.topic("news");
    let server = Echo::start(KEPT, move |socket| {
        let (mut reader, writer) = socket.split()?;
        let _subscription = topic.subscribe(&writer.subscriber(sansock::hub::Budget::default()));
        while reader.next_event()?.is_some() {}
        Ok(())
    });
    let mut clients = [Some(KEPT), None, Some(FORGOTTEN)].map(|offer| server.connect(offer));
    while hub.topic("news").subscriptions() < 3 {
        thread::yield_now();
    }
    let text = json(50_000);
    let news = EncodedMessage::compressed(&text, &DeflateConfig::server());
    for _ in 0..3 {
        assert_eq!(hub.topic("news").publish_encoded(&news).accepted, 3);
    }
    for client in &mut clients {
        for _ in 0..3 {
            assert_eq!(next(client), (MessageKind::Text, text.clone().into_bytes()));
        }
    }
    drop(clients);
    server.stop();
}

#[test]
fn a_large_message_leaves_compressed_on_every_way() {
    let text = json(50_000);
    let news = EncodedMessage::compressed(&text, &DeflateConfig::server());
    let server = Echo::start(KEPT, move |mut socket| {
        socket.send(news.as_message())?;
        socket.outgoing().send_encoded(&news)?;
        let (_reader, writer) = socket.split()?;
        writer.send(news.as_message())?;
        writer.send_encoded(&news)
    });
    let mut frames = Vec::new();
    server.connect(Some(KEPT)).get_mut().read_to_end(&mut frames).unwrap();
    assert!((100..text.len()).contains(&frames.len()), "{} bytes", frames.len());
    server.stop();
}

#[test]
fn two_threads_compress_and_inflate() {
    let server = Echo::start(KEPT, echo);
    let (mut reader, writer) = server.connect(Some(KEPT)).split().unwrap();
    let messages: Vec<String> = (0..50).map(|i| json(i * 1_000)).collect();
    let expected = messages.clone();
    let reading = thread::spawn(move || {
        for message in expected {
            match reader.next_event().unwrap() {
                Some(Event::Message(echoed)) => assert_eq!(echoed, Message::Text(&message)),
                event => unreachable!("{event:?}"),
            }
        }
    });
    for (i, message) in messages.iter().enumerate() {
        match i % 3 {
            0 => writer.send(message).unwrap(),
            1 => writer.queue(message).unwrap(),
            _ => writer.send_encoded(&EncodedMessage::new(message)).unwrap(),
        }
    }
    writer.flush().unwrap();
    reading.join().unwrap();
    drop(writer);
    server.stop();
}
