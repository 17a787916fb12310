//! A client that connects again.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sansock::dial::reconnect::{Cause, GiveUp, ReconnectPolicy};
use sansock::handshake::accept_key;
use sansock::net::{CancelConnect, Client, Error, Reconnecting};
use sansock::{CloseCode, OwnedMessage, SendError};

use crate::common::*;

/// What a server does with one connection.
enum Act {
    /// Answers with this, whatever it is.
    Answer(&'static str),
    /// Accepts, sends these bytes, and ends its side.
    Accept(&'static [u8]),
    /// Accepts, reads nothing more, and breaks the connection when it is told to.
    ReadNothing(Receiver<()>),
    /// Accepts, and answers the Close frame. Its messages are in the list.
    Collect(Arc<Mutex<Vec<Vec<u8>>>>),
}

const CLOSED_1000: Act = Act::Accept(b"\x88\x02\x03\xe8");
const CLOSED_1001: Act = Act::Accept(b"\x88\x02\x03\xe9");
const CLOSED_1012: Act = Act::Accept(b"\x88\x02\x03\xf4");
const BUSY: Act = Act::Answer("HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
const FORBIDDEN: Act = Act::Answer("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");

/// Runs a server that does with each connection what the list says, one after the other. Returns a
/// client for it, and the heads of the requests.
fn server(acts: impl IntoIterator<Item = Act>) -> (Client, JoinHandle<Vec<String>>) {
    let acts: Vec<_> = acts.into_iter().collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::new(&format!("ws://{}/", listener.local_addr().unwrap())).unwrap();
    let server = thread::spawn(move || {
        acts.into_iter().map(|act| serve(listener.accept().unwrap().0, act)).collect()
    });
    (client, server)
}

fn serve(mut stream: TcpStream, act: Act) -> String {
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(byte(&mut stream));
    }
    let head = String::from_utf8(head).unwrap();
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accept = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept_key(key.as_bytes())
    );
    if let Act::Answer(answer) = act {
        stream.write_all(answer.as_bytes()).unwrap();
        return head;
    }
    stream.write_all(accept.as_bytes()).unwrap();
    match act {
        Act::Answer(_) => {}
        Act::Accept(bytes) => {
            stream.write_all(bytes).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        }
        Act::ReadNothing(told) => told.recv().unwrap(),
        Act::Collect(messages) => {
            loop {
                let (first, payload) = read_frame(&mut stream);
                if first == 0x88 {
                    break;
                }
                messages.lock().unwrap().push(payload);
            }
            stream.write_all(b"\x88\x02\x03\xe8").unwrap();
        }
    }
    head
}

fn byte(stream: &mut TcpStream) -> u8 {
    let mut byte = [0];
    stream.read_exact(&mut byte).unwrap();
    byte[0]
}

/// The first byte and the payload of a client's frame.
fn read_frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let first = byte(stream);
    let number = |stream: &mut TcpStream, bytes: usize| {
        (0..bytes).fold(0, |number, _| number << 8 | usize::from(byte(stream)))
    };
    let length = match byte(stream) & 0x7f {
        126 => number(stream, 2),
        127 => number(stream, 8),
        length => length.into(),
    };
    let mut key = [0; 4];
    stream.read_exact(&mut key).unwrap();
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).unwrap();
    (first, testkit::frame::masked(&payload, key))
}

/// A client's connections, and why it connects again.
fn reconnecting(client: Client, policy: ReconnectPolicy) -> (Reconnecting, Arc<Mutex<Vec<Cause>>>) {
    let causes = Arc::new(Mutex::new(Vec::new()));
    let reported = Arc::clone(&causes);
    let connections = client.reconnecting(policy).on_retry(move |retry| {
        assert!(retry.to_string().contains("; the next attempt is in "), "{retry}");
        reported.lock().unwrap().push(retry.cause);
    });
    (connections, causes)
}

/// No delay but what close codes and Retry-After ask for. A server that has ended ends the test.
fn at_once() -> ReconnectPolicy {
    ReconnectPolicy::new().first_delay(Duration::ZERO).attempts(1_000)
}

#[test]
fn it_connects_again_when_the_policy_says_and_as_long_as_it_says() {
    let broken = Act::Accept(b"");
    let hung = Act::Answer("");
    let (client, server) = server([hung, BUSY, CLOSED_1012, broken, CLOSED_1001, CLOSED_1000]);
    let policy = at_once().restart_delay(ms(300)..=ms(300));
    let (mut connections, causes) = reconnecting(client, policy);
    let (start, mut made) = (Instant::now(), 0);
    while let Some(mut connection) = connections.next().unwrap() {
        while let Ok(Some(_)) = connection.next_event() {}
        made += 1;
    }
    assert_eq!((made, connections.gave_up()), (4, Some(GiveUp::Permanent)));
    assert_eq!(connections.outcome().unwrap().code(), 1000);
    let busy = Cause::Refused { status: 503, retry_after: Some(ms(1_000)) };
    let expected =
        [Cause::Network, busy, Cause::Closed(1012), Cause::Closed(1006), Cause::Closed(1001)];
    assert_eq!(*causes.lock().unwrap(), expected);
    let took = start.elapsed();
    assert!(ms(1_300) <= took && took < TIMEOUT, "{took:?}");
    assert!(connections.next().unwrap().is_none(), "it is over");
    server.join().unwrap();
}

#[test]
fn it_gives_up_when_a_new_attempt_would_not_help_or_after_their_number() {
    let (client, _server) = server([FORBIDDEN]);
    let (mut connections, causes) = reconnecting(client, at_once());
    let Err(Error::Handshake(error)) = connections.next() else { panic!("not refused") };
    assert_eq!(error.response().unwrap().status(), 403);
    assert_eq!(connections.gave_up(), Some(GiveUp::Permanent));
    assert!(connections.next().unwrap().is_none());
    assert!(causes.lock().unwrap().is_empty());

    let (client, server) = server([Act::Answer(""), CLOSED_1001, Act::Answer("")]);
    let (mut connections, causes) = reconnecting(client, at_once().attempts(2));
    let mut connection = connections.next().unwrap().unwrap();
    while let Ok(Some(_)) = connection.next_event() {}
    assert!(matches!(connections.next(), Err(Error::Handshake(_))));
    assert_eq!(connections.gave_up(), Some(GiveUp::Attempts(2)));
    assert_eq!(causes.lock().unwrap().len(), 2);
    server.join().unwrap();
}

#[test]
fn each_attempt_has_its_own_offer_and_each_connection_is_prepared() {
    let messages = Arc::new(Mutex::new(Vec::new()));
    let collects = [0; 3].map(|_| Act::Collect(Arc::clone(&messages)));
    let (client, server) = server([Act::Answer("")].into_iter().chain(collects));
    let (connections, causes) = reconnecting(client, at_once().also_after_code(1000));
    let (mut token, prepared) = (0, AtomicUsize::new(0));
    let mut connections = connections
        .before_connect(move |offer| {
            token += 1;
            Ok(offer.header("Authorization", format!("Bearer {token}")))
        })
        .on_connect(move |socket| {
            let number = prepared.fetch_add(1, Ordering::Relaxed);
            socket.send(format!("subscribe {number}"))?;
            if number > 0 {
                return Ok(());
            }
            socket.close(CloseCode::NORMAL, "")?;
            // The hook says that it did not succeed.
            Err(Error::Abnormal)
        });
    for number in 1..3 {
        let mut connection = connections.next().unwrap().unwrap();
        connection.send(format!("message {number}")).unwrap();
        connection.close(CloseCode::NORMAL, "").unwrap();
    }
    for (number, head) in (1..).zip(server.join().unwrap()) {
        assert!(head.contains(&format!("\r\nAuthorization: Bearer {number}\r\n")), "{head}");
        assert_eq!(head.matches("Authorization").count(), 1, "{head}");
    }
    let expected = ["subscribe 0", "subscribe 1", "message 1", "subscribe 2", "message 2"];
    assert_eq!(*messages.lock().unwrap(), expected.map(|text| text.as_bytes().to_vec()));
    let expected = [Cause::Network, Cause::Closed(1006), Cause::Closed(1000)];
    assert_eq!(*causes.lock().unwrap(), expected);
}

#[test]
fn a_delay_is_cancelled() {
    let (client, _server) = server([CLOSED_1012]);
    let cancel = CancelConnect::new();
    let policy = at_once().restart_delay(TIMEOUT * 10..=TIMEOUT * 10);
    let (mut connections, causes) = reconnecting(client.cancel(&cancel), policy);
    let waiting = thread::spawn(move || {
        let mut connection = connections.next().unwrap().unwrap();
        while let Ok(Some(_)) = connection.next_event() {}
        assert!(matches!(connections.next(), Err(Error::Cancelled)));
        assert!(connections.next().unwrap().is_none());
    });
    while causes.lock().unwrap().is_empty() {
        thread::sleep(ms(5));
    }
    cancel.cancel();
    within(TIMEOUT, || waiting.join().unwrap());
}

/// What was accepted is written once, or handed back: exactly those messages of which the transport
/// has not taken the last byte.
#[test]
fn what_was_not_written_is_sent_over_the_next_connection() {
    const LENGTH: usize = 20_000;
    const FRAME: usize = LENGTH + 8;
    let (tell, told) = channel();
    let messages = Arc::new(Mutex::new(Vec::new()));
    let (client, server) = server([Act::ReadNothing(told), Act::Collect(Arc::clone(&messages))]);
    let (mut connections, _) = reconnecting(client.write_timeout(ms(150)), at_once());
    let mut connection = connections.next().unwrap().unwrap();
    let message = |number: usize| {
        let mut payload = vec![0; LENGTH];
        payload[..8].copy_from_slice(&(number as u64).to_be_bytes());
        OwnedMessage::from(payload)
    };
    // More than the buffers of the system take.
    let mut sent = 0;
    while connection.buffered_amount() < 44 << 20 {
        connection.queue(message(sent)).unwrap();
        sent += 1;
    }
    let Err(Error::Io(error)) = connection.flush() else { panic!("all was written") };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let waiting = connection.buffered_amount();
    tell.send(()).unwrap();
    let mut connection = connections.next().unwrap().unwrap();
    connection.send_unsent().unwrap();
    connection.send("last").unwrap();
    connection.close(CloseCode::NORMAL, "").unwrap();
    assert!(connection.take_unsent().is_empty());
    server.join().unwrap();
    let messages = messages.lock().unwrap();
    assert_eq!(messages.len(), waiting.div_ceil(FRAME) + 1);
    let numbers: Vec<_> = messages
        .iter()
        .map_while(|it| it.first_chunk())
        .map(|it| u64::from_be_bytes(*it))
        .collect();
    let first = sent + 1 - messages.len();
    assert!(numbers.iter().copied().eq(first as u64..sent as u64), "{numbers:?} of {sent}");
}

/// A long message that is cut off in the middle is among them, and so is what found no room. What is
/// refused is not.
#[test]
fn a_message_that_was_given_up_is_handed_back() {
    let (tell, told) = channel();
    let (client, server) = server([Act::ReadNothing(told), CLOSED_1000]);
    let (mut connections, _) = reconnecting(client.write_timeout(ms(150)), at_once());
    let mut connection = connections.next().unwrap().unwrap();
    let long = vec![7; 60 << 20];
    let Err(Error::Io(error)) = connection.send(long.clone()) else { panic!("all was written") };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(matches!(connection.queue("refused"), Err(Error::Send(SendError::Closed))));
    tell.send(()).unwrap();
    let mut connection = connections.next().unwrap().unwrap();
    assert_eq!(connection.take_unsent(), [OwnedMessage::from(long)]);
    drop(connections);
    server.join().unwrap();
}

#[test]
fn a_connection_that_was_taken_is_reported() {
    let messages = Arc::new(Mutex::new(Vec::new()));
    let collect = || Act::Collect(Arc::clone(&messages));
    let (client, server) = server([collect(), CLOSED_1001, collect()]);
    let (mut connections, causes) = reconnecting(client, at_once());
    assert!(connections.take().is_none());
    for end in [None, Some(Error::Abnormal)] {
        assert!(connections.next().unwrap().is_some());
        let (mut reader, writer) = connections.take().unwrap().split().unwrap();
        assert!(connections.take().is_none());
        let _ = writer.start_close(CloseCode::NORMAL, "");
        while let Ok(Some(_)) = reader.next_event() {}
        if let Some(error) = &end {
            connections.ended(error);
        }
    }
    assert!(connections.next().unwrap().is_some());
    let outcome = connections.take().unwrap().close(CloseCode::NORMAL, "").unwrap();
    connections.ended(&outcome);
    assert!(connections.next().unwrap().is_none());
    assert_eq!(*causes.lock().unwrap(), [Cause::Closed(1006); 2]);
    server.join().unwrap();
}
