//! Names and lists of users across processes.

use std::thread;
use std::time::{Duration, Instant};

use crate::redis::Redis;
use crate::{SOON, chat, join, numbers, say_numbers, texts};

/// The lease of a user, and the time between two renewals.
const LEASE: Duration = Duration::from_secs(15 + 5);

#[test]
fn names_and_lists_are_those_of_all_processes() {
    let redis = Redis::start();
    let mut chats = [chat(&redis), chat(&redis)];
    let mut anna = join(&chats[0], "a", "Anna");
    let mut second = chats[1].visit_at("/?client=b");
    second.sign_in("ANNA");
    // Before all learn of it.
    assert_eq!(second.until("rejectusername", |_| true)["name"], "ANNA2");
    assert_eq!(second.next()["name"], "ANNA2");
    anna.until("username", |message| message["name"] == "ANNA2");
    anna.until_users(&["ANNA2", "Anna"]);
    second.until_users(&["ANNA2", "Anna"]);
    second.sign_in("Bert");
    anna.until_users(&["Anna", "Bert"]);
    // The name is free again.
    let third = join(&chats[0], "c", "Anna2");
    second.until_users(&["Anna", "Anna2", "Bert"]);
    drop(third);
    second.until_users(&["Anna", "Bert"]);
    // A process that ends takes its users with it at once.
    let end = thread::spawn(|| second.outcome());
    let start = Instant::now();
    chats[1].interrupt();
    end.join().unwrap();
    anna.until_users(&["Anna"]);
    assert!(start.elapsed() < SOON);
}

#[test]
fn of_many_that_want_a_name_at_once_each_has_another() {
    let redis = Redis::start();
    let chats = [chat(&redis), chat(&redis)];
    let joining = (0..40).map(|number| {
        let client = chats[number % 2].client_at(&format!("/?client=c{number}"));
        thread::spawn(move || {
            let mut visitor = crate::Visitor::new(client.connect().unwrap());
            visitor.sign_in("Anna");
            visitor
        })
    });
    let mut visitors: Vec<_> =
        joining.collect::<Vec<_>>().into_iter().map(|it| it.join().unwrap()).collect();
    let list = visitors[0].until("userlist", |it| it["users"].as_array().unwrap().len() == 40);
    let mut names: Vec<_> =
        list["users"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    names.dedup();
    assert!(names.len() == 40 && names.contains(&"Anna") && names.contains(&"Anna20"), "{names:?}");
}

#[test]
fn the_users_of_a_killed_process_disappear() {
    let redis = Redis::start();
    let chats = [chat(&redis), chat(&redis)];
    let mut anna = join(&chats[0], "a", "Anna");
    let _bert = join(&chats[1], "b", "Bert");
    anna.until_users(&["Anna", "Bert"]);
    let start = Instant::now();
    chats[1].signal("-KILL");
    anna.until_users(&["Anna"]);
    assert!(start.elapsed() < LEASE + SOON, "{:?}", start.elapsed());
    // Its own lease was renewed meanwhile.
    join(&chats[0], "c", "Bert");
}

/// The process that is left has only a guest in that room, and so no lease to renew there.
#[test]
fn the_users_of_a_killed_process_disappear_for_guests_too() {
    let redis = Redis::start();
    let chats = [chat(&redis), chat(&redis)];
    let _bert = join(&chats[1], "b", "Bert");
    // As many as a process can have.
    let add = "EVAL \"for n = 1, 10000 do local user = 'dead:' .. n \
               redis.call('ZADD', KEYS[1], 0, user) redis.call('HSET', KEYS[3], 'u' .. n, user) \
               redis.call('HSET', KEYS[2], user, n .. '\\tu' .. n .. '\\tU' .. n) end\" 3 \
               chat:{lobby}:leases chat:{lobby}:users chat:{lobby}:names";
    assert_eq!(redis.run(add), "$-1");
    let mut guest = chats[0].visit_at("/?client=g");
    guest.until("room", |_| true);
    let start = Instant::now();
    chats[1].signal("-KILL");
    guest.until_users(&[]);
    assert!(start.elapsed() < LEASE + SOON, "{:?}", start.elapsed());
    // Their names are free.
    join(&chats[0], "c", "U1");
}

/// The other process goes on meanwhile.
#[test]
fn a_process_that_was_stopped_for_long_goes_on_where_it_was() {
    let redis = Redis::start();
    let chats = [chat(&redis), chat(&redis)];
    let mut anna = join(&chats[0], "a", "Anna");
    let mut bert = join(&chats[1], "b", "Bert");
    let mut carl = join(&chats[1], "c", "Carl");
    anna.until_users(&["Anna", "Bert", "Carl"]);
    chats[1].signal("-STOP");
    say_numbers(&mut anna, 1, 1500);
    anna.until_users(&["Anna"]);
    // Somebody else has that name now.
    let mut other = join(&chats[0], "d", "Bert");
    chats[1].signal("-CONT");
    assert_eq!(bert.until("rejectusername", |_| true)["name"], "Bert2");
    other.until_users(&["Anna", "Bert", "Bert2", "Carl"]);
    assert_eq!(texts(&mut carl, "1500"), numbers(1, 1500));
    // It writes too.
    carl.say_once("here", "k");
    carl.acknowledged("k");
    assert_eq!(texts(&mut anna, "here"), ["here"]);
}

#[test]
fn a_name_goes_to_the_newer_connection_of_its_client() {
    let redis = Redis::start();
    let chats = [chat(&redis), chat(&redis)];
    let mut old = join(&chats[0], "a", "Anna");
    let _new = join(&chats[1], "a", "Anna");
    assert!(old.error().contains("another connection"));
    old.say("hello");
    assert!(old.error().contains("sign in"));
    drop(old);
    // What the old one leaves behind is nobody's name.
    let mut bert = chats[0].visit_at("/?client=b");
    bert.sign_in("Bert");
    bert.until_users(&["Anna", "Bert"]);
}

/// It says something before it knows that its leases have ended.
#[test]
fn a_process_that_was_stopped_for_long_says_nothing_under_a_name_of_another() {
    let redis = Redis::start();
    let chats = [chat(&redis), chat(&redis)];
    let mut anna = join(&chats[0], "a", "Anna");
    let mut bert = join(&chats[1], "b", "Bert");
    anna.until_users(&["Anna", "Bert"]);
    chats[1].signal("-STOP");
    anna.until_users(&["Anna"]);
    let mut other = join(&chats[0], "c", "Bert");
    // It is there as soon as the process goes on.
    bert.say_once("of the first", "1");
    chats[1].signal("-CONT");
    let answer = loop {
        let message = bert.next();
        if message["key"] == "1" {
            break message;
        }
    };
    if answer["type"] == "error" {
        assert_eq!(answer["retry"], true, "{answer}");
        thread::sleep(Duration::from_millis(500));
        bert.say_once("of the first", "1");
        bert.acknowledged("1");
    }
    let message = anna.until("message", |_| true);
    assert_eq!((&message["text"], &message["name"]), (&"of the first".into(), &"Bert2".into()));
    other.say("of the second");
    assert_eq!(anna.until("message", |_| true)["name"], "Bert");
}
