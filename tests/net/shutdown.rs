//! The shutdown of a server: it closes every client after its accepted messages, and never waits
//! forever.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Instant;

use crate::common::*;
use sansock::frame::Opcode;
use sansock::net::{Error, Incoming, Server, WebSocket, client};
use sansock::{CloseCode, Event, Outcome, SendError};
use testkit::pair::clean;

fn end(socket: &mut WebSocket) -> Result<Outcome, Error> {
    while socket.next_event()?.is_some() {}
    Ok(socket.outcome().unwrap().clone())
}

/// Reads until the end; how many messages came before it.
fn messages_before_the_end(mut socket: WebSocket) -> (usize, Outcome) {
    let mut messages = 0;
    while let Some(event) = socket.next_event().unwrap() {
        messages += usize::from(matches!(event, Event::Message(_)));
    }
    (messages, socket.outcome().unwrap().clone())
}

fn going_away() -> Outcome {
    clean(1001)
}

/// A handler of each kind, chosen by the path.
fn all_kinds(accepted: &AtomicUsize, incoming: &Incoming) -> Result<(), Error> {
    let path = incoming.request().path().to_owned();
    let mut socket = incoming.accept()?;
    match path.as_str() {
        // Has sent everything, and waits.
        "/idle" => while socket.next_event()?.is_some() {},
        // Never waits, only sends.
        "/pushes" => loop {
            socket.send("tick")?;
            accepted.fetch_add(1, Ordering::SeqCst);
            thread::sleep(ms(5));
        },
        // Works, and has queued messages that must be sent before the Close frame.
        "/busy" => {
            socket.next_event()?;
            for _ in 0..1000 {
                socket.queue(bytes(1, 1000))?;
            }
            thread::sleep(ms(150));
            while socket.next_event()?.is_some() {}
        }
        // Two threads.
        _ => {
            let (mut reader, writer) = socket.split()?;
            for _ in 0..1000 {
                writer.queue(bytes(1, 1000))?;
            }
            while reader.next_event()?.is_some() {}
        }
    }
    Ok(())
}

#[test]
fn a_shutdown_tells_every_client_behind_what_was_accepted() {
    static PUSHED: AtomicUsize = AtomicUsize::new(0);
    let server = Running::start(|server| server, |incoming| all_kinds(&PUSHED, incoming));
    let connect = |path: &str| client::connect(&format!("{}{path}", server.url())).unwrap();
    let read = |socket| thread::spawn(|| messages_before_the_end(socket));
    let idle: Vec<_> = (0..8).map(|_| read(connect("idle"))).collect();
    let split = read(connect("split"));
    let pushes = read(connect("pushes"));
    let mut busy = connect("busy");
    busy.send("go").unwrap();
    let busy = read(busy);
    until("all run", || server.handle.connections() == 11 && PUSHED.load(Ordering::SeqCst) > 3);
    thread::sleep(ms(50));
    let time = server.stop();
    assert!(time < TIMEOUT, "{time:?}");
    for idle in idle {
        assert_eq!(idle.join().unwrap(), (0, going_away()));
    }
    assert_eq!(split.join().unwrap(), (1000, going_away()));
    assert_eq!(busy.join().unwrap(), (1000, going_away()));
    assert_eq!(pushes.join().unwrap(), (PUSHED.load(Ordering::SeqCst), going_away()));
}

/// Echoes, and counts the messages accepted for sending; messages after our Close frame are not.
fn counted_echo(accepted: &AtomicUsize, incoming: &Incoming) -> Result<(), Error> {
    let split = incoming.request().path() == "/split";
    let count = |sent| match sent {
        Err(Error::Send(SendError::Closed)) => Ok(()),
        sent => sent.inspect(|()| {
            accepted.fetch_add(1, Ordering::SeqCst);
        }),
    };
    let mut socket = incoming.accept()?;
    if split {
        let (mut reader, writer) = socket.split()?;
        while let Some(event) = reader.next_event()? {
            if let Event::Message(message) = event {
                count(writer.queue(message))?;
            }
        }
        assert_eq!(writer.buffered_amount(), 0);
    } else {
        while let Some((event, outgoing)) = socket.exchange()? {
            if let Event::Message(message) = event {
                count(outgoing.queue(message))?;
            }
        }
        assert_eq!(socket.buffered_amount(), 0);
    }
    Ok(())
}

/// Sends numbered messages, some always on their way, until the server says 1001; how many came
/// back, each whole and in its place.
fn exchange_until_the_end(mut socket: WebSocket) -> (usize, Outcome) {
    let message = |n: usize| n.to_be_bytes().repeat(1 + n % 2000);
    let (mut sent, mut echoed, mut told) = (0, 0, false);
    loop {
        while !told && sent < echoed + 8 {
            socket.queue(message(sent)).unwrap();
            sent += 1;
        }
        match socket.next_event().unwrap() {
            Some(Event::Message(echo)) => {
                assert!(echo.as_bytes() == message(echoed), "echo {echoed}");
                echoed += 1;
            }
            Some(_) => told = true,
            None => return (echoed, socket.outcome().unwrap().clone()),
        }
    }
}

/// Every client gets 1001 after all messages that the server accepted for it, and nothing is left
/// over.
#[test]
fn a_shutdown_under_load_loses_nothing_that_was_accepted() {
    static ACCEPTED: AtomicUsize = AtomicUsize::new(0);
    let server = Running::start(|server| server, |incoming| counted_echo(&ACCEPTED, incoming));
    let clients: Vec<_> = (0..16)
        .map(|n| {
            let path = ["", "split"][n % 2];
            let socket = client::connect(&format!("{}{path}", server.url())).unwrap();
            thread::spawn(|| exchange_until_the_end(socket))
        })
        .collect();
    until("all are busy", || ACCEPTED.load(Ordering::SeqCst) > 2000);
    server.stop();
    let mut echoed = 0;
    for client in clients {
        let (messages, outcome) = client.join().unwrap();
        assert_eq!(outcome, going_away());
        echoed += messages;
    }
    assert_eq!(echoed, ACCEPTED.load(Ordering::SeqCst));
}

/// `buffered_amount` shows the bytes that could not be sent, even if the connection seems to end
/// cleanly.
#[test]
fn a_shutdown_reports_unsent_bytes() {
    for peer_closes in [false, true] {
        let (sender, lost) = mpsc::channel();
        let sender = Mutex::new(sender);
        let config = timeouts(|timeouts| timeouts.closing(ms(300)));
        let server = Running::start(
            |server| server.config(config),
            move |incoming| {
                let mut socket = incoming.accept()?;
                fill(socket.get_ref().get_ref());
                // Most of it is queued.
                socket.queue(bytes(0, 1 << 20))?;
                let ended = end(&mut socket).map_err(|error| error.to_string());
                let _ = sender.lock().unwrap().send((ended, socket.buffered_amount()));
                Ok(())
            },
        );
        let (mut stream, _) = raw_client(server.address());
        if peer_closes {
            stream.write_all(&masked_close(1000)).unwrap();
        }
        thread::sleep(ms(100));
        server.stop();
        let (ended, lost) = lost.recv_timeout(TIMEOUT).unwrap();
        assert!((1 << 19..=10 + (1 << 20) + 8).contains(&lost), "{lost} bytes, {ended:?}");
        drop(stream);
    }
}

/// Neither a peer that does not answer, nor one that does not read, nor a missing request keeps
/// `run` from returning; a shutdown does not wait for them at all.
#[test]
fn a_shutdown_waits_for_a_bounded_time() {
    let config = timeouts(|timeouts| timeouts.closing(ms(500)));
    let server = Running::start(
        |server| server.config(config).write_timeout(None),
        |incoming| {
            let path = incoming.request().path().to_owned();
            let mut socket = incoming.accept()?;
            if path == "/fills" {
                fill(socket.get_ref().get_ref());
            }
            if path == "/blocks" {
                socket.send(bytes(0, 64 << 20))?;
            }
            while socket.next_event()?.is_some() {}
            Ok(())
        },
    );
    let raw = |path: &str| {
        let mut stream = connect(server.address());
        stream.write_all(REQUEST.replace("/chat", path).as_bytes()).unwrap();
        stream.write_all(b"\r\n").unwrap();
        read_head(&mut stream);
        stream
    };
    let streams = ["/silent", "/fills", "/fills", "/fills", "/blocks"].map(raw);
    let mute = connect(server.address());
    until("all run", || server.handle.connections() == 6);
    thread::sleep(ms(50));
    let start = Instant::now();
    server.handle.shutdown();
    assert!(start.elapsed() < ms(400), "{:?}", start.elapsed());
    server.join();
    assert!((ms(450)..TIMEOUT).contains(&start.elapsed()), "{:?}", start.elapsed());
    drop((streams, mute));
}

#[test]
fn a_shutdown_ends_handshakes_at_once() {
    let server = Running::start(|server| server, echo);
    let mut mute = connect(server.address());
    let mut half = connect(server.address());
    half.write_all(REQUEST.as_bytes()).unwrap();
    until("both are there", || server.handle.connections() == 2);
    thread::sleep(ms(30));
    // `Timeouts::handshake` and `closing` are 10 seconds.
    let time = server.stop();
    assert!(time < TIMEOUT / 2, "{time:?}");
    assert_eq!(read_to_end(&mut mute), b"");
    assert_eq!(read_to_end(&mut half), b"");
}

#[test]
fn a_connection_that_is_closing_gets_no_second_close_frame() {
    let server = Running::start(
        |server| server.config(timeouts(|timeouts| timeouts.closing(ms(400)))),
        |incoming| incoming.accept()?.close(CloseCode::NORMAL, "").map(|_| ()),
    );
    let (mut stream, _) = raw_client(server.address());
    assert_eq!(read_exactly(&mut stream, 4), close_frame(1000));
    server.handle.shutdown();
    thread::sleep(ms(30));
    stream.write_all(&masked_close(1000)).unwrap();
    assert_eq!(read_to_end(&mut stream), b"");
    drop(stream);
    server.join();
}

/// There is no room for the Close frame at first: the client gets it once it has read something and
/// answers.
#[test]
fn a_client_that_reads_late_gets_1001_late() {
    let server = Running::start(
        |server| server,
        |incoming| {
            let mut socket = incoming.accept()?;
            fill(socket.get_ref().get_ref());
            end(&mut socket).map(|_| ())
        },
    );
    let (mut stream, _) = raw_client(server.address());
    thread::sleep(ms(100));
    server.handle.shutdown();
    let reader = stream.try_clone().unwrap();
    let reader = thread::spawn(move || {
        let mut stream = reader;
        read_to_end(&mut stream)
    });
    // Ends the wait of the server's thread, which then sends the Close frame itself.
    thread::sleep(ms(50));
    stream.write_all(&masked(Opcode::Pong, b"")).unwrap();
    stream.write_all(&masked_close(1000)).unwrap();
    let all = reader.join().unwrap();
    assert_eq!(all[all.len() - 4..], close_frame(1001), "{:?}", tail(&all));
    drop(stream);
    server.join();
}

#[test]
fn a_shutdown_before_run_and_two_at_once() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    server.handle().shutdown();
    within(TIMEOUT, move || server.run(|incoming| Ok(echo(incoming)?))).unwrap();

    let server = Running::start(|server| server, echo);
    let handle = server.handle.clone();
    let other = thread::spawn(move || handle.shutdown());
    server.handle.shutdown();
    other.join().unwrap();
    server.join();

    // While the accept thread waits for a place.
    let server = Running::start(|server| server.max_connections(1), echo);
    let socket = client::connect(&server.url()).unwrap();
    let ended = thread::spawn(|| messages_before_the_end(socket));
    thread::sleep(ms(20));
    assert!(server.stop() < TIMEOUT);
    assert_eq!(ended.join().unwrap(), (0, going_away()));
}

/// Shutdowns at every moment of many short connections: no client misses it, `run` always returns.
#[test]
fn a_shutdown_meets_connections_in_every_state() {
    for round in 0..25 {
        let server = Running::start(
            |server| server,
            |incoming| {
                let socket = incoming.accept()?;
                let (mut reader, writer) = socket.split()?;
                while let Some(event) = reader.next_event()? {
                    if let Event::Message(message) = event {
                        writer.queue(message)?;
                    }
                }
                Ok(())
            },
        );
        let clients: Vec<_> = (0..6)
            .map(|_| {
                let url = server.url();
                thread::spawn(move || -> Option<Outcome> {
                    let mut socket = client::connect(&url).ok()?;
                    while socket.send("x").is_ok() {
                        match socket.next_event() {
                            Ok(Some(Event::Close(_)) | None) | Err(_) => break,
                            Ok(Some(_)) => {}
                        }
                    }
                    Some(end(&mut socket).unwrap())
                })
            })
            .collect();
        until("some run", || server.handle.connections() > round % 6);
        let time = server.stop();
        assert!(time < TIMEOUT, "{time:?}");
        for client in clients {
            if let Some(outcome) = client.join().unwrap() {
                assert_eq!(outcome, going_away());
            }
        }
    }
}
