//! The blocking client: connecting and the opening handshake, against servers that answer well,
//! badly or not at all.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::common::*;
use sansock::frame::Opcode;
use sansock::handshake::{
    Answer, HandshakeError, HeadLimits, Incomplete, ResponseError, UsageError,
};
use sansock::net::{Client, Error, Transport, client};
use sansock::{Event, Message, Timeouts};

/// A server that reads one request and calls a function with it and its stream.
fn raw_server<T: Send + 'static>(
    serve: impl FnOnce(String, TcpStream) -> T + Send + 'static,
) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        let request = read_head(&mut stream);
        serve(request, stream)
    });
    (url, thread)
}

/// The 101 answer to a request, through our own server's code.
fn switching_protocols(request: &str) -> Vec<u8> {
    let (mut input, mut output) = (sansock::ReceiveBuffer::new(), sansock::SendBuffer::new());
    input.extend_from_slice(request.as_bytes());
    let mut handshake = sansock::handshake::ServerHandshake::new(HeadLimits::new());
    assert_eq!(handshake.advance(&mut input), Ok(true));
    handshake.request().unwrap().accept(&Answer::new(), &mut output).unwrap();
    output.as_slice().to_vec()
}

#[test]
fn connects_negotiates_and_talks() {
    let server = Running::start(
        |server| server,
        |incoming| {
            let request = incoming.request();
            assert_eq!(request.target(), "/chat?room=1");
            assert_eq!(request.headers().get("X-Test"), Some(&b"yes"[..]));
            let mut socket =
                incoming.accept_with(&Answer::new().subprotocol("b").header("X-Answer", "42"))?;
            while let Some((event, outgoing)) = socket.exchange()? {
                if let Event::Message(message) = event {
                    outgoing.send(message)?;
                }
            }
            Ok(())
        },
    );
    let (mut socket, response) = Client::new(&format!("{}chat?room=1", server.url()))
        .unwrap()
        .subprotocol("a")
        .subprotocol("b")
        .header("X-Test", "yes")
        .connect_with_response()
        .unwrap();
    assert_eq!(socket.subprotocol(), Some("b"));
    assert_eq!(response.headers().get("X-Answer"), Some(&b"42"[..]));
    assert!(socket.get_ref().get_ref().nodelay().unwrap());
    socket.send("Hello").unwrap();
    assert_eq!(socket.next_event().unwrap(), Some(Event::Message(Message::Text("Hello"))));
    socket.close(sansock::CloseCode::NORMAL, "bye").unwrap();
    assert_eq!(socket.outcome().unwrap().code(), 1000);
    assert!(server.stop() < TIMEOUT);
}

#[test]
fn a_host_name_is_tried_at_each_of_its_addresses() {
    // `localhost` is often ::1 first; the server is only at 127.0.0.1.
    let server = Running::start(|server| server, echo);
    let port = server.address().port();
    let mut socket = client::connect(&format!("ws://localhost:{port}/")).unwrap();
    socket.send("x").unwrap();
    assert_eq!(next_message(&mut socket), b"x");
    drop(socket);
    server.stop();
}

#[test]
fn a_refused_tcp_connection_is_a_connect_error() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = client::connect(&format!("ws://{address}/")).unwrap_err();
    let Error::Connect(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!((error.host(), error.attempts()[0].0), ("127.0.0.1", address));
}

#[cfg(not(feature = "rustls"))]
#[test]
fn tls_is_refused_not_left_out() {
    assert!(matches!(client::connect("wss://127.0.0.1:1/"), Err(Error::NoTls)));
}

#[test]
fn an_answer_other_than_101_is_an_error_that_carries_it() {
    let (url, server) = raw_server(|_, mut stream| {
        let answer = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\
            Content-Length: 9\r\n\r\nwho's it?";
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let Err(Error::Handshake(HandshakeError::Response(ResponseError::Status(response)))) =
        client::connect(&url)
    else {
        panic!("connected")
    };
    assert_eq!(response.status(), 401);
    assert_eq!(response.reason(), "Unauthorized");
    assert_eq!(response.headers().get("WWW-Authenticate"), Some(&b"Basic"[..]));
    assert_eq!(response.body(), b"who's it?");
    server.join().unwrap();
}

#[test]
fn an_error_page_that_does_not_end_is_given_as_far_as_it_came() {
    let (url, server) = raw_server(|_, mut stream| {
        stream.write_all(b"HTTP/1.1 500 Oops\r\nContent-Length: 99\r\n\r\nhalf").unwrap();
        stream // Kept open.
    });
    let config = timeouts(|timeouts| timeouts.handshake(ms(200)));
    let error = Client::new(&url).unwrap().config(config).connect().unwrap_err();
    let Error::Handshake(HandshakeError::Response(ResponseError::Status(response))) = error else {
        panic!("{error:?}")
    };
    assert_eq!((response.status(), response.body()), (500, &b"half"[..]));
    drop(server.join().unwrap());
}

#[test]
fn frames_in_the_same_packet_as_the_head_are_kept() {
    let (url, server) = raw_server(|request, mut stream| {
        let answer = [
            switching_protocols(&request),
            frame(Opcode::Text, b"early"),
            frame(Opcode::Text, b"bird")[..3].to_vec(),
        ];
        stream.write_all(&answer.concat()).unwrap();
        stream.write_all(&frame(Opcode::Text, b"bird")[3..]).unwrap();
        stream
    });
    let mut socket = client::connect(&url).unwrap();
    assert_eq!(next_message(&mut socket), b"early");
    assert_eq!(next_message(&mut socket), b"bird");
    drop(server.join().unwrap());
}

#[test]
fn a_server_that_never_answers_times_out() {
    let (url, server) = raw_server(|_, stream| stream);
    let config = timeouts(|timeouts| timeouts.handshake(ms(150)));
    let start = Instant::now();
    let error = Client::new(&url).unwrap().config(config).connect().unwrap_err();
    assert!(
        matches!(error, Error::Handshake(HandshakeError::Incomplete(Incomplete::TimedOut))),
        "{error:?}"
    );
    assert!((ms(140)..TIMEOUT).contains(&start.elapsed()));
    drop(server.join().unwrap());
}

#[test]
fn the_deadline_is_that_of_the_whole_handshake() {
    let (url, server) = raw_server(|request, mut stream| {
        for byte in switching_protocols(&request) {
            if stream.write_all(&[byte]).is_err() {
                return;
            }
            thread::sleep(ms(30));
        }
        panic!("the client has waited for the whole answer");
    });
    let config = timeouts(|timeouts| timeouts.handshake(ms(200)));
    let error = Client::new(&url).unwrap().config(config).connect().unwrap_err();
    assert!(
        matches!(error, Error::Handshake(HandshakeError::Incomplete(Incomplete::TimedOut))),
        "{error:?}"
    );
    server.join().unwrap();
}

#[test]
fn a_server_that_hangs_up_is_told_apart() {
    let (url, server) = raw_server(|_, mut stream| stream.write_all(b"HTTP/1.1 101").unwrap());
    let error = client::connect(&url).unwrap_err();
    assert!(
        matches!(error, Error::Handshake(HandshakeError::Incomplete(Incomplete::UnexpectedEof))),
        "{error:?}"
    );
    server.join().unwrap();
}

/// PEERS 23: a redirect is an answer like any other; no header of ours goes elsewhere.
#[test]
fn redirects_are_not_followed() {
    let (url, server) = raw_server(|_, mut stream| {
        stream
            .write_all(
                b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            )
            .unwrap();
    });
    let error = Client::new(&url).unwrap().header("Cookie", "secret=1").connect().unwrap_err();
    let Error::Handshake(HandshakeError::Response(ResponseError::Status(response))) = error else {
        panic!("{error:?}")
    };
    assert_eq!(response.headers().get("Location"), Some(&b"ws://127.0.0.1:1/"[..]));
    server.join().unwrap();
}

/// "A client that receives a "close" connection option MUST cease sending requests on that connection
/// and close the connection after reading the response message" (RFC 9112, 9.6). So does ours after
/// every refusal, and it says nothing more.
#[test]
fn a_client_that_is_refused_ends_the_connection() {
    for answer in [
        "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 403 Forbidden\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 101 x\r\n\r\n",
        "220 ready\r\n",
    ] {
        let (url, server) = raw_server(|_, mut stream| {
            stream.write_all(answer.as_bytes()).unwrap();
            let mut more = Vec::new();
            stream.read_to_end(&mut more).map(|_| more)
        });
        client::connect(&url).unwrap_err();
        assert_eq!(server.join().unwrap().unwrap(), b"", "{answer:?}");
    }
}

#[test]
fn what_the_program_gives_wrong_is_refused_before_anything_is_connected() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let error = Client::new(&url).unwrap().header("X", "a\r\nb: c").connect().unwrap_err();
    assert!(
        matches!(error, Error::Handshake(HandshakeError::Usage(UsageError::InvalidHeaderValue(_)))),
        "{error:?}"
    );
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_handshake_over_a_stream_of_ones_own() {
    let server = Running::start(|server| server, echo);
    let stream = sansock::net::Stream::from(connect(server.address()));
    let client = Client::new(&server.url()).unwrap().config(timeouts(|_| Timeouts::none()));
    let (mut socket, response) = client.handshake(stream).unwrap();
    assert_eq!(response.status(), 101);
    socket.send([1, 2, 3]).unwrap();
    assert_eq!(next_message(&mut socket), [1, 2, 3]);
    drop(socket);
    server.stop();
}

/// A transport that takes nothing at first, such as a tunnel that is still being built.
struct Late {
    stream: TcpStream,
    opens: Instant,
}

impl Read for Late {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.read(bytes)
    }
}

impl Write for Late {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if Instant::now() < self.opens {
            thread::sleep(ms(100));
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Late {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.shutdown_write()
    }
}

/// The time for the handshake is that for writing the request, too: also longer than any default, or
/// none at all.
#[test]
fn the_request_has_the_time_of_the_handshake() {
    let config = timeouts(|timeouts| timeouts.handshake(Duration::from_secs(60)));
    let server = Running::start(|server| server.config(config), echo);
    for (time, opens, is_late) in [
        (Some(ms(300)), Duration::from_secs(60), true),
        (Some(Duration::from_secs(60)), ms(400), false),
        (None, ms(10_500), false),
        (Some(Duration::MAX), ms(400), false),
    ] {
        let client = Client::new(&server.url()).unwrap();
        let client = client.config(timeouts(|timeouts| timeouts.handshake(time)));
        let stream = Late { stream: connect(server.address()), opens: Instant::now() + opens };
        let result = within(TIMEOUT * 2, move || client.handshake(stream).map(drop));
        match result {
            Err(Error::Handshake(HandshakeError::Incomplete(Incomplete::TimedOut))) if is_late => {}
            Ok(()) if !is_late => {}
            other => panic!("{time:?}: {other:?}"),
        }
    }
    server.stop();
}
