//! A hub and an event loop, over real sockets: other threads publish, and the loop writes.

use std::io::{self, Read};
use std::net::TcpStream;
use std::thread;

use mio::net::{TcpListener, TcpStream as Stream};
use mio::{Events, Interest, Poll, Token, Waker};
use sansock::handshake::Established;
use sansock::hub::{Budget, Due, Hub, Ready, Subscriber, Subscription, WhenFull};
use sansock::{CloseCode, Config, Connection, Role, SendBuffer};
use testkit::masks::FixedKey;

const WAKE: Token = Token(usize::MAX);

/// A connection of the loop.
struct Client {
    stream: Stream,
    connection: Connection,
    output: SendBuffer,
    subscriber: Subscriber,
    subscription: Subscription,
}

impl Client {
    /// Writes what waits, and then what the hub has, as far as the socket takes it.
    fn write(&mut self) -> io::Result<()> {
        loop {
            match self.output.write_to(&mut self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                written => written?,
            }
            match self.subscriber.take() {
                None => return Ok(()),
                Some(Due::Message(mail)) => {
                    let queued = self.connection.send_encoded_in_place(&mail, &mut self.output);
                    match queued.map_err(io::Error::other)?.write_to(&mut self.stream) {
                        Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                            return Err(error);
                        }
                        _ => {}
                    }
                }
                Some(Due::Close(code, reason)) => {
                    let closed = self.connection.start_close(code, reason, &mut self.output);
                    closed.map_err(io::Error::other)?;
                }
            }
        }
    }
}

/// A loop with so many clients, and their other ends. It ends when all clients have.
fn start(hub: &Hub, budgets: &[Budget]) -> Vec<TcpStream> {
    let mut poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), WAKE).unwrap();
    let ready = Ready::new(move || waker.wake().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (mut clients, mut peers) = (Vec::new(), Vec::new());
    for (token, budget) in budgets.iter().enumerate() {
        peers.push(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        let mut stream = loop {
            match listener.accept() {
                Ok((stream, _)) => break stream,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        };
        poll.registry().register(&mut stream, Token(token), Interest::WRITABLE).unwrap();
        let connection = Established::after_handshake(Role::Server, None)
            .connection_with(&Config::new(), FixedKey);
        let subscriber = ready.subscriber(token, *budget);
        let subscription = hub.topic("news").subscribe(&subscriber);
        let output = SendBuffer::new();
        clients.push(Some(Client { stream, connection, output, subscriber, subscription }));
    }
    thread::spawn(move || {
        let (mut events, mut tokens) = (Events::with_capacity(64), Vec::new());
        while clients.iter().any(Option::is_some) {
            poll.poll(&mut events, None).unwrap();
            ready.take(&mut tokens);
            tokens.extend(events.iter().map(|it| it.token().0).filter(|it| *it != WAKE.0));
            for &token in &tokens {
                let client = &mut clients[token];
                if client.as_mut().is_some_and(|client| client.write().is_err())
                    && let Some(Client { subscription, .. }) = client.take()
                {
                    drop(subscription);
                }
            }
        }
    });
    peers
}

fn read(peer: &mut TcpStream, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    peer.read_exact(&mut bytes).unwrap();
    assert!(bytes == expected);
}

#[test]
fn what_other_threads_publish_arrives_in_the_same_order_everywhere() {
    let hub = Hub::new();
    let mut peers = start(&hub, &[Budget::default(); 20]);
    let both = [1, 2_u8].map(|thread| {
        let topic = hub.topic("news");
        thread::spawn(move || {
            for n in 0..100_u8 {
                assert_eq!(topic.publish([thread, n]).accepted, 20);
            }
        })
    });
    for thread in both {
        thread.join().unwrap();
    }
    let mut first = vec![0; 200 * 4];
    peers[0].read_exact(&mut first).unwrap();
    for thread in [1, 2] {
        let own = first.chunks(4).filter(|it| it[2] == thread).map(|it| it[3]);
        assert!(own.eq(0..100), "each thread's stay in order");
    }
    for peer in &mut peers[1..] {
        read(peer, &first);
    }
}

#[test]
fn a_client_that_does_not_read_keeps_nobody_and_is_closed_behind_what_was_begun() {
    const LONG: usize = 100_000;
    let code = CloseCode::TRY_AGAIN_LATER;
    let hub = Hub::new();
    let slow = Budget::new(3 * LONG).when_full(WhenFull::Close(code, "too slow"));
    let mut peers = start(&hub, &[slow, Budget::default(), Budget::default()]);
    let message = vec![7; LONG];
    let frame = [&[0x82, 127, 0, 0, 0, 0, 0, 1, 0x86, 0xa0], &message[..]].concat();
    let mut closed = 0;
    for _ in 0..200 {
        closed += hub.topic("news").publish(&message).closed;
        for peer in &mut peers[1..] {
            read(peer, &frame);
        }
    }
    assert_eq!(closed, 1, "20 MB do not fit");
    let mut all = Vec::new();
    let close = [&[0x88, 10, 0x03, 0xf5], &b"too slow"[..]].concat();
    while !all.ends_with(&close) {
        let mut piece = [0; 8 << 10];
        let n = peers[0].read(&mut piece).unwrap();
        assert!(n > 0);
        all.extend_from_slice(&piece[..n]);
    }
    all.truncate(all.len() - close.len());
    assert!(all.chunks(frame.len()).all(|one| one == frame));
}
