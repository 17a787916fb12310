//! A client that connects again, by tokio's clock.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sansock::handshake::accept_key;
use sansock_tokio::dial::reconnect::{Cause, GiveUp, ReconnectPolicy};
use sansock_tokio::{Client, CloseCode, Config, Error, Message, Reconnecting, Retry, Timeouts};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// What a server does with one connection.
enum Act {
    /// Closes it before it has answered.
    Hang,
    /// Answers with this head.
    Answer(&'static str),
    /// Accepts, sends these bytes, and ends its side.
    Accept(&'static [u8]),
    /// Accepts when it is told to, reads nothing more, and breaks the connection when it is told to.
    Told(Arc<Notify>),
    /// Accepts, and answers the Close frame. Its messages are in the list.
    Collect(Arc<Mutex<Vec<Vec<u8>>>>),
}

const CLOSED_1000: Act = Act::Accept(b"\x88\x02\x03\xe8");
const CLOSED_1001: Act = Act::Accept(b"\x88\x02\x03\xe9");
const CLOSED_1008: Act = Act::Accept(b"\x88\x02\x03\xf0");
const CLOSED_1012: Act = Act::Accept(b"\x88\x02\x03\xf4");
const BROKEN: Act = Act::Accept(b"");
const BUSY: Act = Act::Answer("HTTP/1.1 503 Busy\r\nRetry-After: 100\r\nContent-Length: 0\r\n\r\n");
const FORBIDDEN: Act = Act::Answer("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");

/// Runs a server that does with each connection what the list says, one after the other. Returns a
/// client for it, and the heads of the requests. There is no timeout: the only timer is that of the
/// delays.
async fn server(acts: impl IntoIterator<Item = Act>) -> (Client, JoinHandle<Vec<String>>) {
    let acts: Vec<_> = acts.into_iter().collect();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&format!("ws://{}/", listener.local_addr().unwrap())).unwrap();
    let server = tokio::spawn(async move {
        let mut heads = Vec::new();
        for act in acts {
            let (stream, _) = listener.accept().await.unwrap();
            heads.push(serve(stream, act).await);
        }
        heads
    });
    let config = Config::new().timeouts(Timeouts::none());
    (client.connect_timeout(None).write_timeout(None).config(config), server)
}

async fn serve(mut stream: TcpStream, act: Act) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accept = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept_key(key.as_bytes())
    );
    match act {
        Act::Hang => {}
        Act::Answer(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
        Act::Accept(bytes) => {
            stream.write_all(accept.as_bytes()).await.unwrap();
            stream.write_all(bytes).await.unwrap();
            stream.shutdown().await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        Act::Told(told) => {
            told.notified().await;
            stream.write_all(accept.as_bytes()).await.unwrap();
            told.notified().await;
        }
        Act::Collect(messages) => {
            stream.write_all(accept.as_bytes()).await.unwrap();
            loop {
                let (first, payload) = frame(&mut stream).await;
                if first == 0x88 {
                    break;
                }
                messages.lock().unwrap().push(payload);
            }
            stream.write_all(b"\x88\x02\x03\xe8").await.unwrap();
        }
    }
    head
}

/// The first byte and the payload of a client's frame.
async fn frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let first = stream.read_u8().await.unwrap();
    let length = match stream.read_u8().await.unwrap() & 0x7f {
        126 => stream.read_u16().await.unwrap().into(),
        127 => stream.read_u64().await.unwrap(),
        length => length.into(),
    };
    let mut key = [0; 4];
    stream.read_exact(&mut key).await.unwrap();
    let mut payload = vec![0; length.try_into().unwrap()];
    stream.read_exact(&mut payload).await.unwrap();
    (first, testkit::frame::masked(&payload, key))
}

/// A client's connections, and why it connects again.
fn reconnecting(client: Client, policy: ReconnectPolicy) -> (Reconnecting, Arc<Mutex<Vec<Cause>>>) {
    let causes = Arc::new(Mutex::new(Vec::new()));
    let reported = Arc::clone(&causes);
    let connections = client.reconnecting(policy).on_retry(move |retry: &Retry<'_>| {
        assert!(retry.to_string().contains("; the next attempt is in "), "{retry}");
        reported.lock().unwrap().push(retry.cause);
    });
    (connections, causes)
}

/// No delay but what close codes and Retry-After ask for.
fn at_once() -> ReconnectPolicy {
    ReconnectPolicy::new().first_delay(Duration::ZERO).attempts(1_000)
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn it_connects_again_when_the_policy_says_and_as_long_as_it_says() {
    let acts = [Act::Hang, BUSY, CLOSED_1012, BROKEN, CLOSED_1001, CLOSED_1000];
    let (client, server) = server(acts).await;
    let (mut connections, causes) = reconnecting(client, at_once());
    let start = Instant::now();
    let mut made = 0;
    while let Some(mut connection) = connections.next().await.unwrap() {
        while let Ok(Some(_)) = connection.recv().await {}
        made += 1;
    }
    assert_eq!((made, connections.gave_up()), (4, Some(GiveUp::Permanent)));
    assert_eq!(connections.outcome().unwrap().code(), 1000);
    let busy = Cause::Refused { status: 503, retry_after: Some(seconds(100)) };
    let expected =
        [Cause::Network, busy, Cause::Closed(1012), Cause::Closed(1006), Cause::Closed(1001)];
    assert_eq!(*causes.lock().unwrap(), expected);
    // 100 seconds for 503, and 5 to 30 for 1012.
    let took = start.elapsed();
    assert!(seconds(105) <= took && took < seconds(131), "{took:?}");
    assert!(connections.next().await.unwrap().is_none(), "it is over");
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn it_gives_up_when_a_new_attempt_would_not_help() {
    let (client, _server) = server([CLOSED_1008]).await;
    let (mut connections, causes) = reconnecting(client, at_once());
    let mut connection = connections.next().await.unwrap().unwrap();
    while let Ok(Some(_)) = connection.recv().await {}
    assert!(connections.next().await.unwrap().is_none());
    assert_eq!(connections.outcome().unwrap().code(), 1008);

    let (client, _server) = server([FORBIDDEN]).await;
    let (mut connections, refused) = reconnecting(client, at_once());
    let Err(Error::Handshake(error)) = connections.next().await else { panic!("not refused") };
    assert_eq!(error.response().unwrap().status(), 403);
    assert_eq!(connections.gave_up(), Some(GiveUp::Permanent));
    assert!(connections.next().await.unwrap().is_none());
    assert!(causes.lock().unwrap().is_empty() && refused.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn it_gives_up_after_the_number_of_attempts() {
    let (client, server) = server([Act::Hang, CLOSED_1001, Act::Hang, Act::Hang]).await;
    // The connection that lasts counts: there are three attempts again.
    let policy = at_once().attempts(2).healthy_after(seconds(1));
    let (mut connections, causes) = reconnecting(client, policy);
    let mut connection = connections.next().await.unwrap().unwrap();
    tokio::time::sleep(seconds(1)).await;
    while let Ok(Some(_)) = connection.recv().await {}
    assert!(matches!(connections.next().await, Err(Error::Handshake(_))));
    assert_eq!(connections.gave_up(), Some(GiveUp::Attempts(2)));
    assert_eq!(causes.lock().unwrap().len(), 3);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_its_own_offer_and_each_connection_is_prepared() {
    let messages = Arc::new(Mutex::new(Vec::new()));
    let collects = [0; 3].map(|_| Act::Collect(Arc::clone(&messages)));
    let (client, server) = server([Act::Hang].into_iter().chain(collects)).await;
    let (mut connections, causes) = reconnecting(client, at_once().also_after_code(1000));
    let (tokens, prepared) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    connections = connections
        .before_connect(move |offer| {
            let token = tokens.fetch_add(1, Ordering::Relaxed);
            async move { Ok(offer.header("Authorization", format!("Bearer {token}"))) }
        })
        .on_connect(move |mut socket| {
            let number = prepared.fetch_add(1, Ordering::Relaxed);
            async move {
                socket.send(format!("subscribe {number}")).await?;
                if number == 0 {
                    socket.close(CloseCode::NORMAL, "").await?;
                    // The hook says that it did not succeed.
                    return Err(Error::Abnormal);
                }
                Ok(socket)
            }
        });
    for number in 1..3 {
        let mut connection = connections.next().await.unwrap().unwrap();
        connection.send(format!("message {number}")).await.unwrap();
        connection.close(CloseCode::NORMAL, "").await.unwrap();
    }
    let heads = server.await.unwrap();
    for (number, head) in heads.iter().enumerate() {
        assert!(head.contains(&format!("\r\nAuthorization: Bearer {number}\r\n")), "{head}");
        assert_eq!(head.matches("Authorization").count(), 1, "{head}");
    }
    let messages = messages.lock().unwrap();
    let expected = ["subscribe 0", "subscribe 1", "message 1", "subscribe 2", "message 2"];
    assert_eq!(*messages, expected.map(|text| text.as_bytes().to_vec()));
    // The end of the first prepared connection was an error of the hook.
    let causes = causes.lock().unwrap();
    assert_eq!(*causes, [Cause::Network, Cause::Closed(1006), Cause::Closed(1000)]);
}

/// The delay, and an attempt, go on in the next call.
#[tokio::test(start_paused = true)]
async fn next_can_be_dropped() {
    let told = Arc::new(Notify::new());
    let (client, server) = server([CLOSED_1012, Act::Told(Arc::clone(&told))]).await;
    let policy = at_once().restart_delay(seconds(10)..=seconds(10));
    let (mut connections, causes) = reconnecting(client, policy);
    let mut connection = connections.next().await.unwrap().unwrap();
    while let Ok(Some(_)) = connection.recv().await {}
    let start = Instant::now();
    for _ in 0..7 {
        assert!(timeout(seconds(3), connections.next()).await.is_err());
    }
    // The second attempt has begun after 10 seconds, and waits for the server.
    assert_eq!(start.elapsed(), seconds(21));
    told.notify_one();
    assert!(connections.next().await.unwrap().is_some());
    assert_eq!(start.elapsed(), seconds(21));
    told.notify_one();
    assert_eq!(server.await.unwrap().len(), 2, "one attempt, however often it was dropped");
    assert_eq!(*causes.lock().unwrap(), [Cause::Closed(1012)]);
}

/// What was accepted is written once, or handed back: exactly those messages of which the transport
/// has not taken the last byte.
#[tokio::test(start_paused = true)]
async fn what_was_not_written_is_sent_over_the_next_connection() {
    const LENGTH: usize = 100_000;
    const FRAME: usize = LENGTH + 14;
    let (told, messages) = (Arc::new(Notify::new()), Arc::new(Mutex::new(Vec::new())));
    let acts = [Act::Told(Arc::clone(&told)), Act::Collect(Arc::clone(&messages))];
    let (client, server) = server(acts).await;
    let (mut connections, _) = reconnecting(client, at_once());
    told.notify_one();
    let mut connection = connections.next().await.unwrap().unwrap();
    let message = |number: usize| {
        let mut payload = vec![0; LENGTH];
        payload[..8].copy_from_slice(&(number as u64).to_be_bytes());
        Message::from(payload)
    };
    // More than the buffers of the system take.
    let mut sent = 0;
    while connection.buffered_amount() < 20 * FRAME {
        connection.queue(message(sent)).unwrap();
        let _ = timeout(Duration::from_millis(1), connection.flush()).await;
        sent += 1;
    }
    let waiting = connection.buffered_amount();
    told.notify_one();
    let mut connection = connections.next().await.unwrap().unwrap();
    assert_eq!(connection.buffered_amount(), 0);
    connection.send_unsent().await.unwrap();
    connection.send("last").await.unwrap();
    connection.close(CloseCode::NORMAL, "").await.unwrap();
    assert!(connection.take_unsent().is_empty());
    server.await.unwrap();
    let messages = messages.lock().unwrap();
    assert_eq!(messages.len(), waiting.div_ceil(FRAME) + 1);
    let numbers: Vec<_> = messages
        .iter()
        .map_while(|it| it.first_chunk())
        .map(|it| u64::from_be_bytes(*it))
        .collect();
    let first = sent + 1 - messages.len();
    assert!(numbers.iter().copied().eq(first as u64..sent as u64), "{numbers:?}");
}

/// A task can wait for the next connection.
#[tokio::test(start_paused = true)]
async fn it_moves_to_a_task() {
    let (client, server) = server([CLOSED_1001, CLOSED_1000]).await;
    let (mut connections, _) = reconnecting(client, at_once());
    let task = tokio::spawn(async move {
        let mut made = 0;
        while let Some(mut connection) = connections.next().await.unwrap() {
            while let Ok(Some(_)) = connection.recv().await {}
            made += 1;
        }
        made
    });
    assert_eq!(task.await.unwrap(), 2);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_taken_is_reported() {
    let messages = Arc::new(Mutex::new(Vec::new()));
    let collect = || Act::Collect(Arc::clone(&messages));
    let (client, server) = server([collect(), CLOSED_1001, collect()]).await;
    let (mut connections, causes) = reconnecting(client, at_once());
    assert!(connections.take().is_none());
    for end in [None, Some(Error::Abnormal)] {
        assert!(connections.next().await.unwrap().is_some());
        let socket = connections.take().unwrap();
        assert!(connections.take().is_none());
        let (mut reader, writer) = socket.split();
        let _ = writer.start_close(CloseCode::NORMAL, "").await;
        while let Ok(Some(_)) = reader.recv().await {}
        if let Some(error) = &end {
            connections.ended(error);
        }
    }
    assert!(connections.next().await.unwrap().is_some());
    let mut socket = connections.take().unwrap();
    let outcome = socket.close(CloseCode::NORMAL, "").await.unwrap();
    connections.ended(&outcome);
    assert!(connections.next().await.unwrap().is_none());
    assert_eq!(*causes.lock().unwrap(), [Cause::Closed(1006); 2]);
    server.await.unwrap();
}
