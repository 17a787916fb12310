//! Two threads on a connection with TLS.

use std::thread;

use sansock::frame::Opcode;
use sansock::net::{Error, Next, TlsError};
use sansock::{CloseCode, Config, Event, Message};
use testkit::pair::clean;

use crate::certificates::ours;
use crate::common::*;
use crate::peer::Peer;
use crate::{connect_to_ours, serve};

/// Both peers send at full speed and ping each other, each with messages too large for the
/// network's buffers: neither waits for the other forever.
#[test]
fn both_halves_work_at_full_speed_both_ways() {
    const COUNT: usize = 200;
    let acceptor = ours().server().acceptor();
    let both = |socket: sansock::net::WebSocket| -> Result<usize, Error> {
        let (mut reader, writer) = socket.split()?;
        let sending = thread::spawn(move || -> Result<(), Error> {
            let message = bytes(7, 100_000);
            for number in 0..COUNT {
                writer.send(&message[..])?;
                writer.queue(&*format!("{number}"))?;
                writer.ping(b"ping")?;
            }
            Ok(())
        });
        let (mut messages, mut pongs, mut number) = (0, 0, 0);
        while messages < 2 * COUNT || pongs == 0 {
            match reader.next_event()? {
                Some(Event::Message(Message::Text(text))) => {
                    assert_eq!(text, format!("{number}"));
                    (messages, number) = (messages + 1, number + 1);
                }
                Some(Event::Message(message)) => {
                    assert!(message.as_bytes() == bytes(7, 100_000));
                    messages += 1;
                }
                Some(Event::Pong(_)) => pongs += 1,
                Some(_) => {}
                None => break,
            }
        }
        sending.join().unwrap()?;
        Ok(messages)
    };
    let server = Running::start(
        |server| server.tls(acceptor),
        move |incoming| {
            assert_eq!(both(incoming.accept()?)?, 2 * COUNT);
            Ok(())
        },
    );
    let socket = connect_to_ours(&server);
    let messages = within(TIMEOUT * 4, move || both(socket).unwrap());
    assert_eq!(messages, 2 * COUNT);
    server.stop();
}

#[test]
fn several_writers_share_a_session() {
    let server = serve(&ours().server());
    let (mut reader, writer) = connect_to_ours(&server).split().unwrap();
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let writer = writer.clone();
            thread::spawn(move || (0..500).for_each(|_| writer.send("Hello").unwrap()))
        })
        .collect();
    for _ in 0..2000 {
        assert!(matches!(reader.next_event().unwrap(), Some(Event::Message(_))));
    }
    for sender in senders {
        sender.join().unwrap();
    }
    writer.start_close(CloseCode::NORMAL, "").unwrap();
    while reader.next_event().unwrap().is_some() {}
    assert_eq!(reader.outcome(), Some(clean(1000)));
}

#[test]
fn the_end_of_a_split_connection_has_close_notify_and_a_cut_is_told() {
    let (socket, mut peer) = Peer::with_client(&Config::new());
    let (mut reader, writer) = socket.split().unwrap();
    peer.send(&close_frame(1000));
    peer.send_close_notify();
    while reader.next_event().unwrap().is_some() {}
    drop((reader, writer));
    assert_eq!(peer.read(100).len(), 8, "our Close frame and close_notify");

    let (socket, mut peer) = Peer::with_client(&Config::new());
    let (mut reader, _writer) = socket.split().unwrap();
    peer.send(&frame(Opcode::Text, b"Hello"));
    drop(peer);
    assert!(matches!(reader.next_event().unwrap(), Some(Event::Message(_))));
    let error = reader.next_event().map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Tls(TlsError::Truncated)), "{error:?}");
}

#[test]
fn waiting_for_a_time_goes_on_afterwards_even_amid_a_frame() {
    let (socket, mut peer) = Peer::with_client(&Config::new());
    let (mut reader, _writer) = socket.split().unwrap();
    let (start, rest) = (&frame(Opcode::Text, b"Hello")[..3], &frame(Opcode::Text, b"Hello")[3..]);
    for _ in 0..3 {
        assert_eq!(reader.next_event_timeout(ms(0)).unwrap(), Next::TimedOut);
        peer.send(start);
        assert_eq!(reader.next_event_timeout(ms(20)).unwrap(), Next::TimedOut);
        peer.send(rest);
        let next = reader.next_event_timeout(TIMEOUT).unwrap();
        assert_eq!(next, Next::Event(Event::Message(Message::Text("Hello"))));
    }
}

#[test]
fn a_server_that_shuts_down_closes_split_connections() {
    let acceptor = ours().server().acceptor();
    let server = Running::start(
        |server| server.tls(acceptor),
        |incoming| {
            let (mut reader, writer) = incoming.accept()?.split()?;
            writer.send("Hello")?;
            while reader.next_event()?.is_some() {}
            Ok(())
        },
    );
    let mut socket = connect_to_ours(&server);
    next_message(&mut socket);
    thread::sleep(ms(50));
    let stopping = thread::spawn(move || server.stop());
    while socket.next_event().unwrap().is_some() {}
    assert_eq!(socket.outcome(), Some(&clean(1001)));
    assert!(stopping.join().unwrap() < ms(2000));
}

/// With TLS the background thread writes what is published: in order, and what does not fit into the
/// inbox of a client that does not read is dropped.
#[test]
fn a_hub_reaches_clients_with_tls() {
    use sansock::hub::{Budget, Hub, WhenFull};

    const LONG: usize = 100_000;
    let hub = Hub::new();
    let (topic, acceptor) = (hub.topic("news"), ours().server().acceptor());
    let server = Running::start(
        |server| server.tls(acceptor),
        move |incoming| {
            let (mut reader, writer) = incoming.accept()?.split()?;
            let budget = Budget::new(4 * LONG).when_full(WhenFull::DropNewest);
            let _subscription = topic.subscribe(&writer.subscriber(budget));
            while reader.next_event()?.is_some() {}
            Ok(())
        },
    );
    let (mut reads, slow) = (connect_to_ours(&server), connect_to_ours(&server));
    until("both have subscribed", || hub.topic("news").subscriptions() == 2);
    let mut dropped = 0;
    for number in 0..300 {
        let mut message = vec![0; LONG];
        message[0] = u8::try_from(number % 251).unwrap();
        // One that waits for the slow client takes 20 ms, and then nobody would be dropped.
        let published = hub.topic("news").publish(&message);
        dropped += published.dropped;
        assert!(next_message(&mut reads) == message, "{number}");
    }
    assert!(dropped > 0, "the slow one takes 30 MB");
    drop((reads, slow));
    server.stop();
}

/// Although the background thread writes it: a fragmented message may take as long as the program
/// likes, and a Close frame need not wait for its end (RFC 6455, 5.4).
#[test]
fn a_client_with_tls_whose_inbox_is_full_is_closed_between_fragments() {
    use sansock::hub::{Budget, Hub};

    let hub = Hub::new();
    let (topic, acceptor) = (hub.topic("news"), ours().server().acceptor());
    let server = Running::start(
        |server| server.tls(acceptor),
        move |incoming| {
            let (mut reader, writer) = incoming.accept()?.split()?;
            writer.send_fragment("one ", false)?;
            let _subscription = topic.subscribe(&writer.subscriber(Budget::new(0)));
            while reader.next_event()?.is_some() {}
            Ok(())
        },
    );
    let mut socket = connect_to_ours(&server);
    until("it has subscribed", || hub.topic("news").subscriptions() == 1);
    assert_eq!(hub.topic("news").publish("waits for the last fragment").accepted, 1);
    assert_eq!(hub.topic("news").publish("does not fit").closed, 1);
    within(TIMEOUT, move || {
        while socket.next_event().unwrap().is_some() {}
        assert_eq!(socket.outcome().unwrap().code(), 1013);
    });
    server.stop();
}
