//! One order for all, each message once, and resuming at another process.

use std::thread;

use crate::program::TIMEOUT;
use crate::redis::Redis;
use crate::{chat, join, numbers, say_numbers, texts};

#[test]
fn all_processes_show_all_messages_in_one_order() {
    let redis = Redis::start();
    let chats = [chat(&redis), chat(&redis)];
    let mut listeners = [chats[0].visit_at("/?client=l"), chats[1].visit_at("/?client=m")];
    for listener in &mut listeners {
        listener.until("room", |_| true);
    }
    let writers = ["a", "b", "c", "d"].iter().enumerate().map(|(number, name)| {
        let mut writer = join(&chats[number % 2], name, name);
        thread::spawn(move || {
            // They do not wait for each other, nor for the answer.
            for number in 0..200 {
                writer.say_once(&format!("{name}{number}"), &number.to_string());
            }
            writer.acknowledged("199");
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.join().unwrap();
    }
    let heard = listeners.map(|mut listener| {
        let message = |_| listener.until("message", |_| true);
        (0..800).map(message).collect::<Vec<_>>()
    });
    assert!(heard[0] == heard[1], "the order differs");
    for name in ["a", "b", "c", "d"] {
        let of_one = heard[0].iter().filter(|message| message["name"] == name);
        let texts: Vec<_> = of_one.map(|message| message["text"].as_str().unwrap()).collect();
        let said: Vec<_> = (0..200).map(|number| format!("{name}{number}")).collect();
        assert_eq!(texts, said);
    }
}

#[test]
fn a_room_that_is_new_to_a_process_has_its_history_and_others_have_their_own() {
    let redis = Redis::start();
    let chats = [chat(&redis), chat(&redis)];
    let mut anna = chats[0].join_at("/rooms/a", "Anna");
    say_numbers(&mut anna, 1, 150);
    let mut bert = chats[1].visit_at("/rooms/a?client=b");
    let room = bert.until("room", |_| true);
    assert_eq!(room["replay"], 100);
    assert_eq!(texts(&mut bert, "150"), numbers(51, 150));
    let mut other = chats[1].visit_at("/rooms/b?client=b");
    assert_eq!(other.until("room", |_| true)["replay"], 0);
    // It is followed at once.
    say_numbers(&mut anna, 151, 151);
    assert_eq!(texts(&mut bert, "151"), ["151"]);
}

#[test]
fn a_client_resumes_at_another_process_and_keeps_its_name() {
    let redis = Redis::start();
    let chats = [chat(&redis), chat(&redis), chat(&redis)];
    let mut anna = join(&chats[0], "a", "Anna");
    let mut bert = join(&chats[1], "b", "Bert");
    let last = say_numbers(&mut anna, 1, 10);
    texts(&mut bert, "10");
    chats[1].signal("-KILL");
    say_numbers(&mut anna, 11, 400);
    // One that knows the room already, and one that does not.
    for chat in [&chats[0], &chats[2]] {
        let mut again = chat.visit_at(&format!("/?client=b&after={last}"));
        assert_eq!(texts(&mut again, "400"), numbers(11, 400));
        // The lease of the process that was killed has not ended.
        again.sign_in("Bert");
        let named = again.until("username", |message| message["name"] != "Anna");
        assert_eq!(named["name"], "Bert");
        drop(again);
    }
}

/// The process lags behind the one that the client was at.
#[test]
fn a_client_that_is_ahead_of_its_new_process_gets_nothing_twice() {
    let redis = Redis::start();
    let chats = [chat(&redis), chat(&redis)];
    let mut anna = join(&chats[0], "a", "Anna");
    let mut bert = join(&chats[1], "b", "Bert");
    say_numbers(&mut anna, 1, 1);
    texts(&mut bert, "1");
    for number in 0..20 {
        chats[1].signal("-STOP");
        let (from, to) = (2 + number * 10, 11 + number * 10);
        let last = say_numbers(&mut anna, from, to);
        let path = format!("/?client=c&after={last}");
        let client = chats[1].client_at(&path);
        let connecting = thread::spawn(move || client.connect().unwrap());
        chats[1].signal("-CONT");
        let mut ahead = crate::Visitor::new(connecting.join().unwrap());
        ahead.until("room", |_| true);
        say_numbers(&mut anna, 100_000 + number, 100_000 + number);
        let next = (100_000 + number).to_string();
        assert_eq!(texts(&mut ahead, &next).join(" "), next, "after {last}");
    }
}

/// The id is one that no Stream here has had.
#[test]
fn a_client_that_is_ahead_of_redis_is_told_of_the_gap() {
    let redis = Redis::start();
    let chat = chat(&redis);
    let mut anna = join(&chat, "a", "Anna");
    say_numbers(&mut anna, 1, 1);
    let mut late = chat.visit_at("/?client=b&after=99999999999999-0");
    late.until("gap", |_| true);
}

#[test]
fn a_message_that_is_sent_again_at_another_process_is_stored_once() {
    let redis = Redis::start();
    let chats = [chat(&redis), chat(&redis)];
    let mut listener = chats[0].visit_at("/?client=l");
    listener.until("room", |_| true);
    let mut anna = join(&chats[0], "a", "Anna");
    for number in 0..50 {
        // Both at the same time.
        let mut again = join(&chats[1], "a", &format!("Anna{number}"));
        let key = format!("{number} with \n and \u{e9}");
        again.say_once("text", &key);
        anna.say_once("text", &key);
        assert_eq!(again.acknowledged(&key), anna.acknowledged(&key));
        // The key of another client is another one.
        let mut other = join(&chats[1], &format!("b{number}"), &format!("Bert{number}"));
        other.say_once(&format!("other {number}"), &key);
        other.acknowledged(&key);
    }
    let heard = texts(&mut listener, "other 49");
    assert_eq!(heard.len(), 100, "{heard:?}");
}

#[test]
fn the_last_64_keys_are_remembered_for_a_time() {
    let redis = Redis::start();
    let options = ["--rate", "1000", "--keep", "2", "--redis", &redis.url()];
    let chat = crate::Chat::start(&options);
    let mut anna = join(&chat, "a", "Anna");
    anna.say_once("text", "first");
    let first = anna.acknowledged("first");
    say_numbers(&mut anna, 1, 63);
    anna.say_once("text", "first");
    assert_eq!(anna.acknowledged("first"), first);
    say_numbers(&mut anna, 64, 64);
    anna.say_once("text", "first");
    assert_ne!(anna.acknowledged("first"), first);
    // Nothing of a client stays for ever.
    assert_ne!(redis.run("EXISTS chat:{lobby}:seen:a"), ":0");
    let start = std::time::Instant::now();
    while redis.run("EXISTS chat:{lobby}:seen:a") != ":0" {
        assert!(start.elapsed() < TIMEOUT, "the keys stay");
    }
    for key in ["log", "events"] {
        let left = redis.run(&format!("TTL chat:{{lobby}}:{key}"));
        assert!(left[1..].parse::<u32>().is_ok_and(|left| left > 500_000), "{key}: {left}");
    }
}

#[test]
fn an_error_comes_as_it_does_without_redis() {
    let redis = Redis::start();
    let chat = chat(&redis);
    let mut guest = chat.visit_at("/?client=g");
    guest.say_once("hello", "1");
    let error = guest.until("error", |_| true);
    assert_eq!((&error["key"], &error["retry"]), (&"1".into(), &false.into()));
    assert!(error["text"].as_str().unwrap().contains("sign in"), "{error}");
    // In one go: the name is there when the message is stored.
    guest.sign_in("Anna");
    guest.say("hello");
    assert_eq!(guest.until("message", |_| true)["name"], "Anna");
}

/// The room is freed between them, and its visitors are counted anew.
#[test]
fn two_connections_that_do_not_name_themselves_are_two_clients() {
    let redis = Redis::start();
    let chat = crate::Chat::start(&["--rooms", "1", "--redis", &redis.url()]);
    let mut ids = Vec::new();
    for text in ["one", "other"] {
        let mut anna = crate::visit_when_free(&chat, "/rooms/a");
        anna.join("Anna");
        anna.say_once(text, "1");
        ids.push(anna.acknowledged("1"));
        drop(anna);
        drop(crate::visit_when_free(&chat, "/rooms/b"));
    }
    assert_ne!(ids[0], ids[1]);
    let mut late = crate::visit_when_free(&chat, "/rooms/a?client=l");
    assert_eq!(texts(&mut late, "other"), ["one", "other"]);
}
