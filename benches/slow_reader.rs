//! What one slow reader among a thousand costs the others: from `publish` until a receiver has the
//! message, without it and with it, in turns.
//!
//! `cargo bench -p sansock-benches --bench slow_reader [-- SUBSCRIBERS]`
//!
//! The receivers are tasks of one thread. The slow reader's connection and inbox are full all the
//! time: of each message one is dropped for it.
#![expect(clippy::unwrap_used, reason = "a bench that fails stops")]
#![expect(clippy::print_stdout, reason = "it prints its result")]

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use sansock::handshake::Established;
use sansock::hub::{Budget, Hub, Subscription, Topic, WhenFull};
use sansock::net::{Stream, WebSocket, Writer};
use sansock::{Config, EncodedMessage, ReceiveBuffer, Role, SendBuffer};
use tokio::io::AsyncReadExt as _;

/// How many messages each run has, and the time between two.
const MESSAGES: usize = 200;
const PAUSE: Duration = Duration::from_millis(10);
const LENGTH: usize = 125;

fn main() {
    let given = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let subscribers: usize = given.unwrap_or(1_000);
    let topic = Hub::new().topic("news");
    let (latencies, all) = channel();
    let peers: Vec<_> = (0..subscribers).map(|_| subscribe(&topic)).collect();
    let (kept, streams): (Vec<_>, Vec<_>) = peers.into_iter().unzip();
    let epoch = Instant::now();
    thread::spawn(move || receive(streams, epoch, &latencies));

    println!("{:>9} {:>8} {:>8} {:>8}", "", "p50, us", "p99, us", "max, us");
    let mut p99 = [Vec::new(), Vec::new()];
    for _ in 0..5 {
        for (with, p99) in [false, true].into_iter().zip(&mut p99) {
            let slow = with.then(|| slow_reader(&topic));
            let mut run = publish(&topic, subscribers, epoch, &all);
            run.sort_unstable();
            let at = |percent: usize| run[(run.len() - 1) * percent / 100] / 1_000;
            let name = if with { "one slow" } else { "none slow" };
            println!("{name:>9} {:>8} {:>8} {:>8}", at(50), at(99), at(100));
            p99.push(at(99));
            drop(slow);
        }
    }
    let [without, with] = p99.map(|mut runs| {
        runs.sort_unstable();
        runs[runs.len() / 2]
    });
    println!("p99, medians: {without} and {with} us, {:.3}", ratio(with, without));
    drop(kept);
}

fn ratio(one: u64, other: u64) -> f64 {
    f64::from(u32::try_from(one).unwrap()) / f64::from(u32::try_from(other).unwrap())
}

type Subscribed = ((Writer, sansock::net::Reader, Subscription), TcpStream);

fn subscribe(topic: &Topic) -> Subscribed {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ours.set_nodelay(true).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    let connection = Established::after_handshake(Role::Server, None).connection(&Config::new());
    let (input, output) = (ReceiveBuffer::new(), SendBuffer::new());
    let socket = WebSocket::new(Stream::from(ours), connection, input, output).unwrap();
    let (reader, writer) = socket.split().unwrap();
    let budget = Budget::new(64 << 10).when_full(WhenFull::DropOldest);
    let subscription = topic.subscribe(&writer.subscriber(budget));
    ((writer, reader, subscription), theirs)
}

/// A subscriber whose network and inbox are full.
fn slow_reader(topic: &Topic) -> Subscribed {
    let slow = subscribe(topic);
    let subscriber = slow.0.0.subscriber(Budget::default());
    let long = EncodedMessage::new(vec![0; 10 << 10]);
    while subscriber.counts().dropped == 0 {
        subscriber.send(&long);
    }
    slow
}

fn publish(topic: &Topic, subscribers: usize, epoch: Instant, all: &Receiver<u64>) -> Vec<u64> {
    let mut run = Vec::with_capacity(MESSAGES * subscribers);
    for _ in 0..MESSAGES {
        thread::sleep(PAUSE);
        topic.publish(message(nanoseconds(epoch)));
        run.extend((0..subscribers).map(|_| all.recv().unwrap()));
    }
    run
}

fn nanoseconds(epoch: Instant) -> u64 {
    u64::try_from(epoch.elapsed().as_nanos()).unwrap()
}

/// A message that carries the time.
fn message(now: u64) -> [u8; LENGTH] {
    let mut message = [0; LENGTH];
    message[..8].copy_from_slice(&now.to_be_bytes());
    message
}

/// Reads from all, and sends how long each message took.
fn receive(streams: Vec<TcpStream>, epoch: Instant, latencies: &Sender<u64>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        for stream in streams {
            stream.set_nonblocking(true).unwrap();
            let mut stream = tokio::net::TcpStream::from_std(stream).unwrap();
            let latencies = latencies.clone();
            tokio::task::spawn_local(async move {
                let mut frame = [0; 2 + LENGTH];
                while stream.read_exact(&mut frame).await.is_ok() {
                    let (_, payload) = frame.split_at(2);
                    let sent = u64::from_be_bytes(*payload.first_chunk().unwrap());
                    let _ = latencies.send(nanoseconds(epoch).saturating_sub(sent));
                }
            });
        }
        std::future::pending::<()>().await;
    });
}
