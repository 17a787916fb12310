//! Redis answers, but refuses or takes its time.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::outage::{insist, until_available};
use crate::program::{Chat, Visitor};
use crate::redis::Redis;
use crate::{chat, join, numbers, say_numbers, texts};

/// The error with this key, which says that the same message may be accepted later.
pub(crate) fn refused(visitor: &mut Visitor, key: &str) -> String {
    refusal(visitor, key, &mut Vec::new())
}

/// The same; what is told before it of the state is added to `told`.
fn refusal(visitor: &mut Visitor, key: &str, told: &mut Vec<bool>) -> String {
    visitor.say_once("text", key);
    loop {
        let message = visitor.next();
        if message["type"] == "status" {
            assert!(message["text"].as_str().unwrap().starts_with("Redis at"), "{message}");
            told.push(message["available"].as_bool().unwrap());
        } else if message["key"] == key {
            assert_eq!((&message["type"], &message["retry"]), (&"error".into(), &true.into()));
            return message["text"].as_str().unwrap().to_owned();
        }
    }
}

/// The states that are told in this time.
pub(crate) fn states(visitor: &mut Visitor, time: Duration) -> Vec<bool> {
    thread::sleep(time);
    visitor.send(&"end".into());
    let mut states = Vec::new();
    loop {
        let message = visitor.next();
        match message["type"].as_str() {
            Some("status") => states.push(message["available"].as_bool().unwrap()),
            Some("error") if message.get("retry").is_none() => return states,
            _ => {}
        }
    }
}

/// As after a failover, with a full memory, and without the replicas that it wants.
#[test]
fn a_redis_that_stores_nothing_is_told_once() {
    let redis = Redis::start();
    let chat = chat(&redis);
    let mut anna = join(&chat, "a", "Anna");
    let troubles = [
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "READONLY"),
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "OOM"),
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "NOREPLICAS"),
    ];
    for (number, (begin, end, code)) in troubles.into_iter().enumerate() {
        let number = u32::try_from(number).unwrap();
        say_numbers(&mut anna, 10 * number, 10 * number);
        assert_eq!(redis.run(begin), "+OK");
        let mut told = Vec::new();
        // The reader can be the first that hears of it, with a code of its own.
        while !refusal(&mut anna, "key", &mut told).contains(code) {
            thread::sleep(Duration::from_millis(50));
        }
        told.extend(states(&mut anna, Duration::from_secs(3)));
        assert_eq!(told, [false]);
        assert!(refused(&mut anna, "key").contains(code));
        assert_eq!(redis.run(end), "+OK");
        until_available(&mut anna, true);
        say_numbers(&mut anna, 10 * number + 1, 10 * number + 2);
    }
}

/// What visitors have asked for counts, whether it was refused at once or has waited.
#[test]
fn the_figures_say_what_was_refused() {
    let mut redis = Redis::start();
    let chat = chat(&redis);
    let mut anna = join(&chat, "a", "Anna");
    let count = || {
        let (_, metrics) = chat.get("/metrics");
        let line = metrics.lines().find(|it| it.starts_with("chat_storage_refused_total "));
        line.unwrap().rsplit_once(' ').unwrap().1.parse::<u32>().unwrap()
    };
    assert_eq!(count(), 0);
    redis.signal("-STOP");
    refused(&mut anna, "1");
    assert_eq!(count(), 1);
    redis.kill();
    // Who only enters a room asks for nothing that can be refused, and does not count.
    let mut other = chat.visit_at("/rooms/other?client=o");
    until_available(&mut other, false);
    refused(&mut anna, "1");
    other.sign_in("Other");
    other.error();
    assert_eq!(count(), 3);
}

/// Passes on what two ends say, with a delay of so many milliseconds for each answer of the second.
fn pass_slowly(port: u16, delay: &'static AtomicU64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || pass(from, to, &AtomicU64::new(0)));
            thread::spawn(move || pass(server, client, delay));
        }
    });
    own
}

fn pass(mut from: TcpStream, mut to: TcpStream, delay: &AtomicU64) {
    let mut bytes = [0; 1 << 14];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        thread::sleep(Duration::from_millis(delay.load(Ordering::SeqCst)));
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// Leases are renewed in many rooms meanwhile.
#[test]
fn with_a_slow_redis_each_message_is_answered_in_time() {
    static DELAY: AtomicU64 = AtomicU64::new(0);
    let redis = Redis::start();
    let port = pass_slowly(redis.port(), &DELAY);
    let chat = Chat::start(&["--redis", &format!("redis://127.0.0.1:{port}/")]);
    let mut anna = join(&chat, "a", "Anna");
    let mut listener = chat.visit_at("/?client=l");
    listener.until("room", |_| true);
    let others: Vec<_> = (0..20)
        .map(|number| {
            let mut other = chat.visit_at(&format!("/rooms/r{number}"));
            other.join("Bert");
            other
        })
        .collect();
    DELAY.store(300, Ordering::SeqCst);
    let start = Instant::now();
    let mut number = 0;
    while start.elapsed() < Duration::from_secs(12) {
        number += 1;
        let sent = Instant::now();
        insist(&mut anna, &number.to_string(), &number.to_string());
        assert!(sent.elapsed() < Duration::from_secs(3), "{:?}", sent.elapsed());
    }
    assert_eq!(texts(&mut listener, &number.to_string()), numbers(1, number));
    drop(others);
}

/// A room that was left is empty at once, though Redis does not know of it yet.
#[test]
fn with_a_slow_redis_an_empty_room_makes_room_at_once() {
    static DELAY: AtomicU64 = AtomicU64::new(0);
    let redis = Redis::start();
    let port = pass_slowly(redis.port(), &DELAY);
    let chat = Chat::start(&["--rooms", "1", "--redis", &format!("redis://127.0.0.1:{port}/")]);
    let mut anna = chat.join_at("/rooms/r0", "Anna");
    DELAY.store(1500, Ordering::SeqCst);
    for number in 1..4 {
        drop(anna);
        let start = Instant::now();
        anna = crate::visit_when_free(&chat, &format!("/rooms/r{number}"));
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }
}
