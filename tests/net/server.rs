//! The blocking server: handshakes that take their time, limits, handlers that misbehave, and the
//! shutdown that tells every client.

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use crate::common::*;
use sansock::frame::Opcode;
use sansock::handshake::{
    HandshakeError, HeadLimits, HostPolicy, OriginPolicy, Rejection, ResponseError,
};
use sansock::net::{Client, Error, Incoming, Server, ServerError, WebSocket, client};
use sansock::{CloseCode, Config, Keepalive, Limits, Outcome, Timeouts};

/// Sends and checks that it comes back.
fn talk(socket: &mut WebSocket) {
    socket.send("Hello").unwrap();
    assert_eq!(next_message(socket), b"Hello");
}

/// PEERS 28: slow handshakes do not run on the accept thread and do not delay other clients.
#[test]
fn slow_handshakes_do_not_delay_other_clients() {
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
    assert!(start.elapsed() < TIMEOUT, "{:?}", start.elapsed());
    drop(slow);
    server.stop();
}

/// PEERS 28: one deadline for the whole handshake.
#[test]
fn a_slow_handshake_is_refused_with_408() {
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
    assert!((ms(190)..TIMEOUT).contains(&start.elapsed()), "{:?}", start.elapsed());
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
    let http_1_0 = format!("{REQUEST}\r\n").replace("HTTP/1.1", "HTTP/1.0");
    for (request, status) in [
        ("POST / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        ("GET / HTTP/1.0\r\nHost: x\r\n\r\n", 426),
        ("HEAD / HTTP/1.0\r\n\r\n", 426),
        (&http_1_0, 400),
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

/// A page of another site must not connect with the user's cookies unless the server says so.
#[test]
fn pages_of_other_hosts_are_refused_by_default() {
    let server = Running::start(|server| server, |incoming| incoming.accept().map(|_| ()));
    let any = Running::start(
        |server| server.origins(OriginPolicy::Any),
        |incoming| incoming.accept().map(|_| ()),
    );
    for (origin, status) in [
        ("", 101),
        ("Origin: http://server.example.com\r\n", 101),
        ("Origin: https://server.example.com\r\n", 101),
        ("Origin: https://evil.example\r\n", 403),
        ("Origin: null\r\n", 403),
    ] {
        for (address, status) in [(server.address(), status), (any.address(), 101)] {
            let mut stream = connect(address);
            stream.write_all(format!("{REQUEST}{origin}\r\n").as_bytes()).unwrap();
            let head = read_head(&mut stream);
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{origin:?}: {head}");
        }
    }
    server.stop();
    any.stop();
}

/// A page whose site's name now resolves to the server: Origin and Host agree, and both are its own.
#[test]
fn a_server_with_a_list_of_hosts_refuses_every_request_for_another() {
    let hosts = HostPolicy::list(["localhost", "127.0.0.1"]).unwrap();
    let answered = |server: &Running, request: &str| {
        let mut stream = connect(server.address());
        stream.write_all(request.as_bytes()).unwrap();
        read_head(&mut stream)
    };
    let ok = |incoming: &Incoming| {
        if incoming.request().is_websocket() {
            incoming.accept().map(|_| ())
        } else {
            incoming.reject(&Rejection::new(200))
        }
    };
    let listed = Running::start(|server| server.hosts(hosts), ok);
    let any = Running::start(|server| server, ok);
    for (host, is_listed) in [("localhost:9", true), ("127.0.0.1", true), ("evil.example", false)] {
        let page = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let upgrade = REQUEST.replace("server.example.com", host);
        let upgrade = format!("{upgrade}Origin: http://{host}\r\n\r\n");
        for (request, status) in [(&page, 200), (&upgrade, 101)] {
            let head = answered(&any, request);
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {head}");
            let status = if is_listed { status } else { 421 };
            let head = answered(&listed, request);
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {head}");
        }
    }
    listed.stop();
    any.stop();
}

/// Clients that fail before the handler are reported, once, with their address, and so are handlers
/// that fail; a panic in a report ends nothing.
#[test]
fn refused_clients_are_reported() {
    let (sender, reports) = mpsc::channel();
    let sender = Mutex::new(sender);
    let config = timeouts(|timeouts| timeouts.handshake(ms(200)));
    let server = Running::start(
        |server| {
            server.config(config).on_error(move |error, peer| {
                sender.lock().unwrap().send((format!("{error:?}"), peer)).unwrap();
                panic!("a test's panic in a report");
            })
        },
        |incoming| match incoming.request().path() {
            "/fails" => incoming.accept().and(Err(Error::Abnormal)),
            _ => echo(incoming),
        },
    );
    for (request, expected) in [
        ("POST / HTTP/1.1\r\nHost: x\r\n\r\n", "Opening(Handshake(Request(Method)))"),
        ("GET / HT", "Opening(Handshake(Incomplete(TimedOut)))"),
    ] {
        let mut stream = connect(server.address());
        stream.write_all(request.as_bytes()).unwrap();
        let (error, peer) = reports.recv_timeout(TIMEOUT).unwrap();
        assert_eq!((&*error, peer), (expected, Some(stream.local_addr().unwrap())));
    }
    let stream = connect(server.address());
    let vanished = stream.local_addr().unwrap();
    drop(stream);
    let report = reports.recv_timeout(TIMEOUT).unwrap();
    assert_eq!(
        report,
        ("Opening(Handshake(Incomplete(UnexpectedEof)))".to_owned(), Some(vanished))
    );
    // A handler that fails is reported, and one that does not is not.
    let mut good = client::connect(&server.url()).unwrap();
    talk(&mut good);
    good.close(CloseCode::NORMAL, "").unwrap();
    let mut failed = client::connect(&format!("{}fails", server.url())).unwrap();
    while failed.next_event().unwrap().is_some() {}
    assert_eq!(failed.outcome().unwrap().code(), 1011);
    let (error, peer) = reports.recv_timeout(TIMEOUT).unwrap();
    let local = failed.get_ref().get_ref().local_addr().unwrap();
    assert_eq!((&*error, peer), ("Handler(Abnormal)", Some(local)));
    server.stop();
    // The last thread drops the function a moment after its connection has ended.
    assert_eq!(reports.recv_timeout(TIMEOUT), Err(mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn a_plain_request_can_be_answered_with_a_page() {
    let server = Running::start(
        |server| server,
        |incoming| {
            let request = incoming.request();
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

/// Seconds until a server's connection sends a Ping; 0 if it never does.
fn seconds_to_the_ping(
    set: impl FnOnce(Server) -> Server,
    of_the_connection: Option<Config>,
) -> u64 {
    let server = Running::start(set, move |incoming| {
        if let Some(config) = of_the_connection {
            incoming.set_config(config);
        }
        let mut socket = incoming.accept()?;
        let _ = socket.next_event_timeout(ms(1))?;
        let at = socket.connection().poll_timeout();
        let seconds = at.map_or(0, |at| (at - Instant::now()).as_secs() + 1);
        socket.send(seconds.to_string())
    });
    let mut socket = client::connect(&server.url()).unwrap();
    let seconds = String::from_utf8(next_message(&mut socket)).unwrap().parse().unwrap();
    drop(socket);
    server.stop();
    seconds
}

/// After 20 seconds, also where a config sets something else. Its own keepalive comes first.
#[test]
fn a_server_pings_silent_clients_by_default() {
    let limits = Config::new().limits(Limits::new().message(1_000));
    let own = timeouts(|timeouts| timeouts.keepalive(Keepalive::every(ms(7_000))));
    assert_eq!(seconds_to_the_ping(|server| server, None), 20);
    assert_eq!(seconds_to_the_ping(|server| server.config(limits), None), 20);
    assert_eq!(seconds_to_the_ping(|server| server, Some(limits)), 20);
    assert_eq!(seconds_to_the_ping(|server| server.config(own), None), 7);
    assert_eq!(seconds_to_the_ping(|server| server, Some(own)), 7);
    assert_eq!(seconds_to_the_ping(|server| server.keepalive(None), None), 0);
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
    third.recv_timeout(TIMEOUT).unwrap();
    waiting.join().unwrap();
    talk(&mut two);
    drop(two);
    server.stop();
}

#[test]
fn a_panic_concerns_its_own_connection_only() {
    let server = Running::start(
        |server| server,
        |incoming| match incoming.request().path() {
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
    let Error::Handshake(HandshakeError::Response(ResponseError::Status(response))) = error else {
        panic!("{error:?}")
    };
    assert_eq!(response.status(), 500);
    let mut late = client::connect(&format!("{}late", server.url())).unwrap();
    late.send("x").unwrap();
    while late.next_event().unwrap().is_some() {}
    assert_eq!(late.outcome().unwrap().code(), 1011);
    drop(late);
    talk(&mut good);
    until("the places of the others are free", || server.handle.connections() == 1);
    drop(good);
    server.stop();
}

#[test]
fn a_handler_that_does_not_answer_means_500_and_is_reported() {
    let (report, reported) = mpsc::channel();
    let report = Mutex::new(report);
    let report = move |error: &ServerError, _| {
        let unanswered = matches!(error, ServerError::Unanswered);
        report.lock().unwrap().send((unanswered, error.to_string())).unwrap();
    };
    let server = Running::start(|server| server.on_error(report), |_| Ok(()));
    let error = client::connect(&server.url()).unwrap_err();
    let Error::Handshake(HandshakeError::Response(ResponseError::Status(response))) = error else {
        panic!("{error:?}")
    };
    assert_eq!(response.status(), 500);
    let (unanswered, text) = reported.recv_timeout(TIMEOUT).unwrap();
    assert!(unanswered, "{text}");
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

/// Messages sent just before the handler returns arrive, even if the client is still sending.
#[test]
fn what_a_handler_sent_last_arrives() {
    let server = Running::start(
        |server| server,
        |incoming| {
            let mut socket = incoming.accept()?;
            socket.next_event()?;
            socket.send("last message")
        },
    );
    let mut socket = client::connect(&server.url()).unwrap();
    for _ in 0..100 {
        socket.send(bytes(0, 10_000)).unwrap();
    }
    assert_eq!(next_message(&mut socket), b"last message");
    while socket.next_event().unwrap().is_some() {}
    assert_eq!(socket.outcome().unwrap().code(), 1000, "the handler has returned");
    drop(socket);
    server.stop();
}

fn end(socket: &mut WebSocket) -> Result<Outcome, Error> {
    while socket.next_event()?.is_some() {}
    Ok(socket.outcome().unwrap().clone())
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
            give.lock().unwrap().send(stream.nodelay()?).unwrap();
            Ok(())
        },
    );
    let socket = client::connect(&server.url()).unwrap();
    assert!(take.recv().unwrap());
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
            give.lock().unwrap().send((incoming.request().path().to_owned(), again)).unwrap();
            Ok(())
        },
    );
    assert!(client::connect(&server.url()).is_err());
    let (path, again) = take.recv().unwrap();
    assert_eq!(path, "/", "the request can still be read");
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
        let (reported, handle) = (AtomicBool::new(false), server.handle());
        let server = server.on_error(move |error, peer| {
            if peer.is_none()
                && matches!(error, ServerError::Accept(_))
                && !reported.swap(true, Relaxed)
                && handle.counts().accept_errors == 1
            {
                eprintln!("REPORTED");
            }
        });
        eprintln!("\nADDRESS {}", server.local_addr());
        server.run(|incoming| Ok(echo(incoming)?)).unwrap();
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
        .args([
            "-c",
            "ulimit -n 40; exec \"$0\" --exact server::child_with_few_descriptors --nocapture",
        ])
        .arg(env::current_exe().unwrap())
        .env(CHILD, "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map(Killed)
        .unwrap();
    let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines().map_while(Result::ok);
    let address = lines
        .find_map(|line| line.strip_prefix("ADDRESS ").map(|address| address.parse().unwrap()));
    let address = address.unwrap();
    let url = format!("ws://{address}/");
    let crowd: Vec<_> = (0..60).map(|_| connect(address)).collect();
    let descriptors = format!("/proc/{}/fd", child.0.id());
    until("all descriptors are taken", || std::fs::read_dir(&descriptors).unwrap().count() >= 40);
    assert!(lines.any(|line| line == "REPORTED"));
    let before = processor_time(child.0.id());
    thread::sleep(ms(1000));
    let spent = processor_time(child.0.id()) - before;
    assert!(spent <= 6, "{spent} hundredths of a second spent in a second");
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

/// Two threads of a handler that answer at once: one of them does.
#[test]
fn of_several_threads_that_answer_one_does() {
    let server = Running::start(
        |server| server,
        |incoming| {
            let barrier = std::sync::Barrier::new(4);
            let answer = |accepts: bool| {
                barrier.wait();
                if accepts {
                    return incoming.accept().map(Some);
                }
                incoming.reject(&Rejection::new(404)).map(|()| None)
            };
            let answers = thread::scope(|scope| {
                let threads = [true, false, true, false].map(|it| {
                    scope.spawn({
                        let answer = &answer;
                        move || answer(it)
                    })
                });
                threads.map(|thread| thread.join().unwrap())
            });
            let answered = answers.iter().filter(|answer| answer.is_ok()).count();
            for mut socket in answers.into_iter().flatten().flatten() {
                socket.send(answered.to_string())?;
            }
            Ok(())
        },
    );
    for _ in 0..100 {
        let (mut stream, head) = raw_client(server.address());
        if head.starts_with("HTTP/1.1 101") {
            let mut frames = read_exactly(&mut stream, 7);
            assert_eq!(frames.split_off(3), close_frame(1000));
            assert_eq!(frames, frame(Opcode::Text, b"1"));
            stream.write_all(&masked_close(1000)).unwrap();
        } else {
            assert!(head.starts_with("HTTP/1.1 404"), "{head}");
            assert!(head.contains("Content-Length: 0\r\n"), "{head}");
        }
        assert_eq!(read_to_end(&mut stream), b"", "behind {head}");
    }
    server.stop();
}
