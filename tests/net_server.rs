//! The blocking server: handshakes that take their time, limits, handlers that misbehave, and the
//! shutdown that tells every client.

#[path = "common/net.rs"]
mod common;

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use common::*;
use sansock::net::{Client, Error, Incoming, Server, WebSocket, client};
use sansock::{
    CloseCode, Config, Event, HandshakeError, HeadLimits, OpCode, OriginPolicy, Outcome, Rejection,
    Timeouts,
};

/// Sends and checks that it comes back.
fn talk(socket: &mut WebSocket) {
    socket.send("Hello").unwrap();
    assert_eq!(next_message(socket), b"Hello");
}

/// PEERS 28: slow handshakes are done off the accept thread and keep nobody waiting.
#[test]
fn slow_handshakes_by_the_dozen_keep_nobody_waiting() {
    let server = Running::start(|server| server, echo);
    let slow: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut stream = connect(server.address());
            stream.write_all(b"GET / HTT").unwrap();
            stream
        })
        .collect();
    let start = Instant::now();
    for _ in 0..5 {
        talk(&mut client::connect(&server.url()).unwrap());
    }
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    drop(slow);
    server.stop();
}

/// PEERS 28: one deadline for the whole handshake.
#[test]
fn a_handshake_that_drips_is_ended_with_408() {
    let config = timeouts(|timeouts| timeouts.handshake(ms(200)));
    let server = Running::start(|server| server.config(config), echo);
    let mut stream = connect(server.address());
    let start = Instant::now();
    let mut reader = stream.try_clone().unwrap();
    let answer = thread::spawn(move || read_to_end(&mut reader));
    for byte in REQUEST.bytes() {
        if answer.is_finished() || stream.write_all(&[byte]).is_err() {
            break;
        }
        thread::sleep(ms(20));
    }
    let answer = String::from_utf8(answer.join().unwrap()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!((ms(190)..PATIENCE).contains(&start.elapsed()), "{:?}", start.elapsed());
    drop(stream);
    server.stop();
}

#[test]
fn wrong_requests_get_their_status_and_never_reach_the_handler() {
    let server = Running::start(
        |server| {
            server
                .head_limits(HeadLimits::new().bytes(1000))
                .origins(OriginPolicy::list(["https://good.example"]).unwrap())
        },
        |incoming| incoming.accept().map(|_| ()),
    );
    let long = format!("{REQUEST}X: {}\r\n\r\n", "x".repeat(1000));
    let evil = format!("{REQUEST}Origin: https://evil.example\r\n\r\n");
    let old = format!("{REQUEST}\r\n").replace("Version: 13", "Version: 8");
    for (request, status) in [
        ("POST / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        ("GET / HTTP/1.0\r\nHost: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 426),
        (&old, 426),
        (&long, 431),
        (&evil, 403),
    ] {
        let mut stream = connect(server.address());
        stream.write_all(request.as_bytes()).unwrap();
        let head = read_head(&mut stream);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {head}");
    }
    server.stop();
}

#[test]
fn a_plain_request_can_be_answered_with_a_page() {
    let server = Running::start(
        |server| server,
        |incoming| {
            let request = incoming.request().unwrap();
            assert!(!request.is_websocket() && incoming.peer_addr().ip().is_loopback());
            let page = Rejection::new(200).header("Content-Type", "text/html").body("<p>hi");
            incoming.reject(&page)
        },
    );
    let mut stream = connect(server.address());
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let answer = String::from_utf8(read_to_end(&mut stream)).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n<p>hi"),
        "{answer}"
    );
    drop(stream);
    server.stop();
}

#[test]
fn further_connections_wait_for_a_place() {
    let server = Running::start(|server| server.max_connections(2), echo);
    let mut one = client::connect(&server.url()).unwrap();
    let mut two = client::connect(&server.url()).unwrap();
    let url = server.url();
    let (done, third) = mpsc::channel();
    let waiting = thread::spawn(move || {
        talk(&mut client::connect(&url).unwrap());
        done.send(()).unwrap();
    });
    assert!(third.recv_timeout(ms(100)).is_err());
    assert_eq!(server.handle.connections(), 2);
    talk(&mut one);
    talk(&mut two);
    drop(one);
    third.recv_timeout(PATIENCE).unwrap();
    waiting.join().unwrap();
    talk(&mut two);
    drop(two);
    server.stop();
}

#[test]
fn a_panic_concerns_its_own_connection_only() {
    let server = Running::start(
        |server| server,
        |incoming| match incoming.request().unwrap().path() {
            "/early" => panic!("a test's panic before the answer"),
            "/late" => {
                let mut socket = incoming.accept()?;
                socket.next_event()?;
                panic!("a test's panic after it");
            }
            _ => echo(incoming),
        },
    );
    let mut good = client::connect(&server.url()).unwrap();
    let error = client::connect(&format!("{}early", server.url())).unwrap_err();
    let Error::Handshake(HandshakeError::Status(response)) = error else { panic!("{error:?}") };
    assert_eq!(response.status(), 500);
    let mut late = client::connect(&format!("{}late", server.url())).unwrap();
    late.send("x").unwrap();
    assert!(matches!(late.next_event(), Err(Error::Abnormal)));
    drop(late);
    talk(&mut good);
    until("the places of the others are free", || server.handle.connections() == 1);
    drop(good);
    server.stop();
}

#[test]
fn a_handler_that_does_not_answer_means_500() {
    let server = Running::start(|server| server, |_| Ok(()));
    let error = client::connect(&server.url()).unwrap_err();
    let Error::Handshake(HandshakeError::Status(response)) = error else { panic!("{error:?}") };
    assert_eq!(response.status(), 500);
    server.stop();
}

#[test]
fn a_connection_ends_with_its_handler_even_if_another_thread_has_it() {
    let (give, take) = mpsc::channel();
    let server = Running::start(|server| server, {
        let give = Mutex::new(give);
        move |incoming| {
            give.lock().unwrap().send(incoming.accept()?).unwrap();
            Ok(())
        }
    });
    let mut socket = client::connect(&server.url()).unwrap();
    let mut kept = take.recv().unwrap();
    assert!(matches!(socket.next_event(), Err(Error::Abnormal)));
    drop(socket);
    until("the place is free", || server.handle.connections() == 0);
    assert!(matches!(end(&mut kept), Err(Error::Abnormal | Error::Io(_))));
    server.stop();
}

/// What a program sends just before it returns arrives, even if the client is still sending.
#[test]
fn what_a_handler_sent_last_arrives() {
    let server = Running::start(
        |server| server,
        |incoming| {
            let mut socket = incoming.accept()?;
            socket.next_event()?;
            socket.send("last words")
        },
    );
    let mut socket = client::connect(&server.url()).unwrap();
    for _ in 0..100 {
        socket.send(&bytes(0, 10_000)).unwrap();
    }
    assert_eq!(next_message(&mut socket), b"last words");
    assert!(matches!(socket.next_event(), Err(Error::Abnormal)));
    drop(socket);
    server.stop();
}

fn end(socket: &mut WebSocket) -> Result<Outcome, Error> {
    while socket.next_event()?.is_some() {}
    Ok(socket.outcome().unwrap())
}

/// Reads until the end; how many messages came before it.
fn messages_before_the_end(mut socket: WebSocket) -> (usize, Outcome) {
    let mut messages = 0;
    while let Some(event) = socket.next_event().unwrap() {
        messages += usize::from(matches!(event, Event::Message(_)));
    }
    (messages, socket.outcome().unwrap())
}

const GOING_AWAY: Outcome = Outcome::Clean(Some(CloseCode::GOING_AWAY));

/// A handler of each kind, chosen by the path.
fn all_kinds(accepted: &AtomicUsize, incoming: &mut Incoming) -> Result<(), Error> {
    let path = incoming.request().unwrap().path().to_owned();
    let mut socket = incoming.accept()?;
    match path.as_str() {
        // Has sent all it had to, and waits.
        "/idle" => while socket.next_event()?.is_some() {},
        // Never waits, only sends.
        "/pushes" => loop {
            socket.send("tick")?;
            accepted.fetch_add(1, Ordering::SeqCst);
            thread::sleep(ms(5));
        },
        // Works, and has queued what is to leave before the Close frame.
        "/busy" => {
            socket.next_event()?;
            for _ in 0..1000 {
                socket.queue(&bytes(1, 1000))?;
            }
            thread::sleep(ms(150));
            while socket.next_event()?.is_some() {}
        }
        // Two threads.
        _ => {
            let (mut reader, writer) = socket.split()?;
            for _ in 0..1000 {
                writer.queue(&bytes(1, 1000))?;
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
    assert!(time < PATIENCE, "{time:?}");
    for idle in idle {
        assert_eq!(idle.join().unwrap(), (0, GOING_AWAY));
    }
    assert_eq!(split.join().unwrap(), (1000, GOING_AWAY));
    assert_eq!(busy.join().unwrap(), (1000, GOING_AWAY));
    assert_eq!(pushes.join().unwrap(), (PUSHED.load(Ordering::SeqCst), GOING_AWAY));
}

/// Neither a peer that does not answer, nor one that does not read, nor a request that does not
/// come keeps `run` from returning; a shutdown does not wait for them at all.
#[test]
fn a_shutdown_waits_for_nobody_for_ever() {
    let config = timeouts(|timeouts| timeouts.closing(ms(500)));
    let server = Running::start(
        |server| server.config(config).write_timeout(None),
        |incoming| {
            let path = incoming.request().unwrap().path().to_owned();
            let mut socket = incoming.accept()?;
            if path == "/fills" {
                fill(socket.get_ref().get_ref());
            }
            if path == "/blocks" {
                socket.send(&bytes(0, 64 << 20))?;
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
    assert!((ms(450)..PATIENCE).contains(&start.elapsed()), "{:?}", start.elapsed());
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
    assert!(time < PATIENCE / 2, "{time:?}");
    assert_eq!(read_to_end(&mut mute), b"");
    assert_eq!(read_to_end(&mut half), b"");
}

#[test]
fn a_connection_that_is_closing_gets_no_second_close_frame() {
    let server = Running::start(
        |server| server.config(timeouts(|timeouts| timeouts.closing(ms(400)))),
        |incoming| incoming.accept()?.close(CloseCode::NORMAL, ""),
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

/// The Close frame finds no room at once: the client gets it once it has read something and answers.
#[test]
fn a_client_that_reads_late_is_told_late() {
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
    // Ends the wait of the server's thread, which then says it itself.
    thread::sleep(ms(50));
    stream.write_all(&masked(OpCode::Pong, b"")).unwrap();
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
    within(PATIENCE, move || server.run(echo)).unwrap();

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
    assert!(server.stop() < PATIENCE);
    assert_eq!(ended.join().unwrap(), (0, GOING_AWAY));
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
        assert!(time < PATIENCE, "{time:?}");
        for client in clients {
            if let Some(outcome) = client.join().unwrap() {
                assert_eq!(outcome, GOING_AWAY);
            }
        }
    }
}

#[test]
fn options_reach_the_connection() {
    let (give, take) = mpsc::channel();
    let give = Mutex::new(give);
    let server = Running::start(
        |server| server.stack_size(256 << 10).write_timeout(Some(ms(5000))),
        move |incoming| {
            let socket = incoming.accept()?;
            let stream = socket.get_ref().get_ref();
            give.lock().unwrap().send((stream.nodelay()?, stream.write_timeout()?)).unwrap();
            Ok(())
        },
    );
    let socket = client::connect(&server.url()).unwrap();
    assert_eq!(take.recv().unwrap(), (true, Some(ms(5000))));
    drop(socket);
    server.stop();
}

#[test]
fn a_request_is_answered_once() {
    let (give, take) = mpsc::channel();
    let give = Mutex::new(give);
    let server = Running::start(
        |server| server,
        move |incoming| {
            incoming.reject(&Rejection::new(404))?;
            let again = [
                incoming.reject(&Rejection::new(404)).map_err(|error| error.to_string()),
                incoming.accept().map(|_| ()).map_err(|error| error.to_string()),
            ];
            give.lock().unwrap().send((incoming.request().is_some(), again)).unwrap();
            Ok(())
        },
    );
    assert!(client::connect(&server.url()).is_err());
    let (has_request, again) = take.recv().unwrap();
    assert!(!has_request);
    for result in again {
        assert_eq!(result.unwrap_err(), "the request was answered already");
    }
    server.stop();
}

const CHILD: &str = "SANSOCK_TEST_FEW_DESCRIPTORS";

/// The server of the test below, in a process with few descriptors; does nothing in the others.
#[test]
fn child_with_few_descriptors() {
    if env::var_os(CHILD).is_some() {
        let config = timeouts(|_| Timeouts::none());
        let server = Server::bind("127.0.0.1:0").unwrap().config(config);
        eprintln!("\nADDRESS {}", server.local_addr());
        server.run(echo).unwrap();
    }
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Out of descriptors, `accept` fails at once, over and over: the server must neither end nor spin,
/// and go on when there are some again.
#[cfg(target_os = "linux")]
#[test]
fn running_out_of_descriptors_passes() {
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -n 40; exec \"$0\" --exact child_with_few_descriptors --nocapture"])
        .arg(env::current_exe().unwrap())
        .env(CHILD, "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map(Killed)
        .unwrap();
    let lines = BufReader::new(child.0.stderr.take().unwrap()).lines();
    let address = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("ADDRESS ").map(|address| address.parse().unwrap()));
    let address = address.unwrap();
    let url = format!("ws://{address}/");
    let crowd: Vec<_> = (0..60).map(|_| connect(address)).collect();
    let descriptors = format!("/proc/{}/fd", child.0.id());
    until("all descriptors are taken", || std::fs::read_dir(&descriptors).unwrap().count() >= 40);
    let before = processor_time(child.0.id());
    thread::sleep(ms(500));
    let spent = processor_time(child.0.id()) - before;
    assert!(spent <= 10, "{spent} hundredths of a second spent in half a second");
    drop(crowd);
    let config = Config::new();
    let mut socket = Client::new(&url).unwrap().config(config).connect().unwrap();
    talk(&mut socket);
}

/// In hundredths of a second.
#[cfg(target_os = "linux")]
fn processor_time(process: u32) -> u64 {
    let mut stat = String::new();
    std::fs::File::open(format!("/proc/{process}/stat"))
        .and_then(|mut file| file.read_to_string(&mut stat))
        .unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn an_address_that_is_taken_is_an_error() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let error = Server::bind(server.local_addr()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}
