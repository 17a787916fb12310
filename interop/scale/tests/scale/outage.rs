//! Redis is gone, slow, or has forgotten everything.

use std::thread;
use std::time::{Duration, Instant};

use crate::program::Visitor;
use crate::redis::{Redis, free_port};
use crate::{Chat, SOON, chat, join, numbers, say_numbers, texts};

/// How long a message may wait for Redis, and what it takes to notice that.
const DEADLINE: Duration = Duration::from_secs(3 + 2);

pub(crate) fn until_available(visitor: &mut Visitor, is_available: bool) {
    visitor.until("status", |message| message["available"] == is_available);
}

/// Sends a message again until it is stored, and returns its id.
pub(crate) fn insist(visitor: &mut Visitor, text: &str, key: &str) -> String {
    loop {
        visitor.say_once(text, key);
        let answer = loop {
            let message = visitor.next();
            if message["key"] == key {
                break message;
            }
        };
        match answer["type"].as_str() {
            Some("ack") => return answer["id"].as_str().unwrap().into(),
            _ => assert_eq!(answer["retry"], true, "{answer}"),
        }
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_restart_of_redis_loses_nothing_that_was_acknowledged() {
    let mut redis = Redis::start();
    let chats = [chat(&redis), chat(&redis)];
    let mut anna = join(&chats[0], "a", "Anna");
    let mut bert = join(&chats[1], "b", "Bert");
    for round in 0..3 {
        say_numbers(&mut anna, round * 100 + 1, round * 100 + 50);
        redis.kill();
        until_available(&mut anna, false);
        // At once, and it names Redis.
        let start = Instant::now();
        anna.say_once("51", "51");
        let error = anna.until("error", |_| true);
        assert!(start.elapsed() < DEADLINE);
        assert_eq!((&error["key"], &error["retry"]), (&"51".into(), &true.into()));
        let address = redis.url()["redis://".len()..].trim_end_matches('/').to_owned();
        assert!(error["text"].as_str().unwrap().contains(&address), "{error}");
        // Who comes meanwhile learns of it.
        let mut guest = chats[0].visit();
        until_available(&mut guest, false);
        guest.sign_in("Guest");
        assert!(guest.error().contains(&address));
        redis.restart();
        until_available(&mut anna, true);
        for number in round * 100 + 51..=round * 100 + 100 {
            insist(&mut anna, &number.to_string(), &number.to_string());
        }
    }
    // Bert has stayed, and learnt of it too.
    let (mut heard, mut states) = (Vec::new(), Vec::new());
    while heard.last().is_none_or(|text| text != "300") {
        let message = bert.next();
        match message["type"].as_str() {
            Some("message") => heard.push(message["text"].clone()),
            Some("status") => states.push(message["available"].as_bool().unwrap()),
            other => assert_ne!(other, Some("gap")),
        }
    }
    assert_eq!(heard, expected());
    assert_eq!(states, [false, true, false, true, false, true]);
    let third = chat(&redis);
    let mut carl = third.visit_at("/?client=c&after=0-0");
    assert_eq!(texts(&mut carl, "300"), expected());
}

fn expected() -> Vec<String> {
    numbers(1, 300)
}

#[test]
fn nothing_is_lost_or_doubled_while_redis_is_killed_again_and_again() {
    let mut redis = Redis::start();
    let chats = [chat(&redis), chat(&redis)];
    let mut listener = chats[1].visit_at("/?client=l");
    listener.until("room", |_| true);
    let mut anna = join(&chats[0], "a", "Anna");
    let writer = thread::spawn(move || {
        let start = Instant::now();
        let mut number = 0;
        while start.elapsed() < Duration::from_secs(8) {
            number += 1;
            insist(&mut anna, &number.to_string(), &number.to_string());
        }
        number
    });
    for _ in 0..4 {
        thread::sleep(Duration::from_secs(1));
        redis.kill();
        thread::sleep(Duration::from_millis(500));
        redis.restart();
    }
    let last = writer.join().unwrap();
    assert_eq!(texts(&mut listener, &last.to_string()), numbers(1, last));
}

#[test]
fn while_redis_is_slow_messages_are_refused_in_time_and_reads_go_on() {
    let redis = Redis::start();
    let chats = [chat(&redis), chat(&redis)];
    let mut anna = join(&chats[0], "a", "Anna");
    let mut listener = chats[1].visit_at("/?client=l");
    listener.until("room", |_| true);
    redis.signal("-STOP");
    let start = Instant::now();
    anna.say_once("maybe", "1");
    // Whatever needs no Redis is answered at once.
    anna.send(&"nonsense".into());
    assert!(anna.error().contains("type"));
    assert!(start.elapsed() < Duration::from_secs(1));
    let error = anna.until("error", |_| true);
    assert_eq!((&error["key"], &error["retry"]), (&"1".into(), &true.into()));
    assert!(start.elapsed() < DEADLINE, "{:?}", start.elapsed());
    let text = error["text"].as_str().unwrap();
    assert!(text.contains("127.0.0.1") && (text.contains("slow") || text.contains("reached")));
    // It may be stored when Redis goes on, and is not stored twice.
    redis.signal("-CONT");
    insist(&mut anna, "maybe", "1");
    insist(&mut anna, "end", "2");
    assert_eq!(texts(&mut listener, "end"), ["maybe", "end"]);
}

/// A flood while Redis answers nothing: each message is answered, and the memory is bounded.
#[test]
fn what_waits_for_redis_is_bounded() {
    let redis = Redis::start();
    let chat = chat(&redis);
    let mut anna = join(&chat, "a", "Anna");
    redis.signal("-STOP");
    let start = Instant::now();
    for number in 0..3000 {
        anna.say_once("flood", &number.to_string());
    }
    let mut is_full = false;
    for _ in 0..3000 {
        let error = anna.until("error", |_| true);
        assert_eq!(error["retry"], true);
        is_full |= error["text"].as_str().unwrap().contains("1024 messages wait");
    }
    assert!(is_full && start.elapsed() < DEADLINE, "{is_full} {:?}", start.elapsed());
    redis.signal("-CONT");
    insist(&mut anna, "end", "end");
}

#[test]
fn a_chat_starts_without_redis_and_connects_later() {
    let port = free_port();
    let chat = Chat::start(&["--redis", &format!("redis://127.0.0.1:{port}/"), "--rate", "1000"]);
    let mut early = chat.visit_at("/?client=e&after=0-0");
    until_available(&mut early, false);
    early.sign_in("Anna");
    assert!(early.error().contains(&format!("127.0.0.1:{port}")));
    let _redis = Redis::start_at(port);
    // Its room is there a little before it is told.
    early.until("room", |_| true);
    until_available(&mut early, true);
    early.join("Anna");
    say_numbers(&mut early, 1, 1);
}

/// Redis without its data: visitors are told, their names are there again, and all goes on.
#[test]
fn a_log_that_is_gone_is_a_gap() {
    let redis = Redis::start();
    let chats = [chat(&redis), chat(&redis)];
    let mut anna = join(&chats[0], "a", "Anna");
    let mut bert = join(&chats[1], "b", "Bert");
    let last = say_numbers(&mut anna, 1, 3);
    texts(&mut bert, "3");
    assert_eq!(redis.run("FLUSHALL"), "+OK");
    let start = Instant::now();
    anna.until_users(&["Anna", "Bert"]);
    assert!(start.elapsed() < SOON * 2);
    insist(&mut anna, "4", "4");
    assert_eq!(texts(&mut bert, "4"), ["gap", "4"]);
    let mut late = chats[1].visit_at(&format!("/?client=c&after={last}"));
    assert_eq!(texts(&mut late, "4"), ["gap", "4"]);
}

#[test]
fn a_process_that_missed_more_than_redis_has_tells_of_the_gap() {
    let mut redis = Redis::start();
    let chats = [chat(&redis), chat(&redis)];
    let mut anna = join(&chats[0], "a", "Anna");
    let mut bert = join(&chats[1], "b", "Bert");
    say_numbers(&mut anna, 1, 3);
    texts(&mut bert, "3");
    chats[1].signal("-STOP");
    say_numbers(&mut anna, 4, 20);
    // What it reads next is not what follows, with the Redis that it knew and with one that started anew.
    redis.run("XTRIM chat:{lobby}:log MAXLEN 5");
    chats[1].signal("-CONT");
    assert_eq!(texts(&mut bert, "20"), [vec!["gap".into()], numbers(16, 20)].concat());
    chats[1].signal("-STOP");
    say_numbers(&mut anna, 21, 40);
    redis.run("XTRIM chat:{lobby}:log MAXLEN 5");
    redis.kill();
    redis.restart();
    chats[1].signal("-CONT");
    assert_eq!(texts(&mut bert, "40"), [vec!["gap".into()], numbers(36, 40)].concat());
}

/// As after a crash without `appendfsync always`, or with a replica that lagged.
#[test]
fn a_redis_that_has_lost_the_last_messages_is_a_gap_at_once() {
    let mut redis = Redis::start();
    let chats = [chat(&redis), chat(&redis)];
    let mut anna = join(&chats[0], "a", "Anna");
    let mut bert = join(&chats[1], "b", "Bert");
    say_numbers(&mut anna, 1, 3);
    let copy = redis.copy();
    let last = say_numbers(&mut anna, 4, 6);
    texts(&mut bert, "6");
    redis.kill();
    redis.restart_with(&copy);
    // Nothing new is said.
    bert.until("gap", |_| true);
    let mut late = chats[1].visit_at(&format!("/?client=c&after={last}"));
    late.until("gap", |_| true);
    let mut new = chats[1].visit_at("/?client=d");
    assert_eq!(texts(&mut new, "3"), numbers(1, 3));
    insist(&mut anna, "7", "7");
    for visitor in [&mut bert, &mut late, &mut new] {
        assert_eq!(texts(visitor, "7"), ["7"]);
    }
}

#[test]
fn scripts_that_redis_has_forgotten_are_sent_again() {
    let redis = Redis::start();
    let chat = chat(&redis);
    let mut anna = join(&chat, "a", "Anna");
    redis.run("SCRIPT FLUSH");
    insist(&mut anna, "text", "1");
    say_numbers(&mut anna, 2, 3);
}
