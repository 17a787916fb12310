//! Acknowledgements, messages that are sent twice, and connections that resume.

use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::Chat;
use crate::program::Visitor;
use crate::rooms::refusal;

/// The texts of the messages up to this one, and the id of that.
fn texts(visitor: &mut Visitor, last: &str) -> (Vec<String>, String) {
    let mut texts = Vec::new();
    let message = visitor.until("message", |message| {
        texts.push(message["text"].as_str().unwrap().to_owned());
        message["text"] == last
    });
    (texts, message["id"].as_str().unwrap().to_owned())
}

/// Says these numbers, and returns the id of the last one.
fn say_numbers(visitor: &mut Visitor, from: u32, to: u32) -> String {
    let ids = numbers(from, to).into_iter().map(|number| {
        visitor.say_once(&number, &number);
        visitor.acknowledged(&number)
    });
    ids.last().unwrap().as_str().unwrap().to_owned()
}

fn numbers(from: u32, to: u32) -> Vec<String> {
    (from..=to).map(|number| number.to_string()).collect()
}

#[test]
fn a_message_that_is_sent_twice_is_stored_once_and_acknowledged_twice() {
    let chat = Chat::start(&["--rate", "1000"]);
    let mut listener = chat.visit();
    let mut anna = chat.visit_at("/?client=a");
    anna.join("Anna");
    anna.say_once("one", "1");
    let id = anna.acknowledged("1");
    assert_eq!(listener.until("message", |_| true)["id"], id);
    anna.say_once("one", "1");
    assert_eq!(anna.acknowledged("1"), id);
    drop(anna);
    // After a reconnect it need not even sign in before it sends again.
    let mut again = chat.visit_at("/?client=a");
    again.say_once("one", "1");
    assert_eq!(again.acknowledged("1"), id);
    // The key is another one's in another room, and of another client.
    let mut elsewhere = chat.visit_at("/rooms/b?client=a");
    elsewhere.join("Anna");
    elsewhere.say_once("elsewhere", "1");
    assert_ne!(elsewhere.acknowledged("1"), id);
    for (path, name) in [("/?client=b", "Bert"), ("/", "Carl"), ("/", "Dora")] {
        let mut other = chat.visit_at(path);
        other.join(name);
        other.say_once("two", "1");
        assert_ne!(other.acknowledged("1"), id, "{path}");
        assert_eq!(listener.until("message", |_| true)["text"], "two", "and nothing between");
        other.socket.close(None, "").unwrap();
    }
}

#[test]
fn the_last_64_keys_of_a_client_are_remembered_for_a_time() {
    let chat = Chat::start(&["--rate", "1000", "--keep", "2"]);
    let mut anna = chat.visit_at("/?client=a");
    anna.join("Anna");
    anna.say_once("text", "first");
    let first = anna.acknowledged("first");
    say_numbers(&mut anna, 1, 63);
    anna.say_once("text", "first");
    assert_eq!(anna.acknowledged("first"), first);
    say_numbers(&mut anna, 64, 64);
    anna.say_once("text", "first");
    let second = anna.acknowledged("first");
    assert_ne!(second, first);
    thread::sleep(Duration::from_millis(2100));
    anna.say_once("text", "first");
    assert_ne!(anna.acknowledged("first"), second);
}

#[test]
fn an_error_names_the_key_and_that_it_is_final() {
    let chat = Chat::start(&["--rate", "1000"]);
    let mut anna = chat.visit();
    anna.say_once("hello", "1");
    let error = anna.until("error", |_| true);
    assert!(error["text"].as_str().unwrap().contains("sign in"), "{error}");
    assert_eq!((&error["key"], &error["retry"]), (&"1".into(), &false.into()));
    anna.join("Anna");
    anna.say_once(" ", "2");
    assert_eq!(anna.until("error", |_| true)["key"], "2");
    for key in [Value::from(1), "".into(), "x".repeat(65).into(), Value::Array(Vec::new())] {
        anna.send(&serde_json::json!({ "type": "message", "text": "text", "key": key }));
        assert!(anna.error().contains("1 to 64 bytes"), "{key}");
    }
    anna.say_once("text", &"x".repeat(64));
    anna.acknowledged(&"x".repeat(64));
}

#[test]
fn a_client_that_comes_back_gets_exactly_what_it_missed() {
    let chat = Chat::start(&["--rate", "1000", "--history", "2"]);
    let mut anna = chat.join("Anna");
    say_numbers(&mut anna, 1, 5);
    let mut bert = chat.visit_at("/?client=b");
    let room = bert.next();
    assert_eq!((&room["type"], &room["room"]), (&"room".into(), &"lobby".into()));
    let (seen, last) = texts(&mut bert, "5");
    assert_eq!((seen, &room["last"], &room["replay"]), (numbers(4, 5), &(*last).into(), &2.into()));
    drop(bert);
    say_numbers(&mut anna, 6, 20);
    let mut bert = chat.visit_at(&format!("/?client=b&after={last}"));
    assert_eq!(bert.next()["replay"], 15);
    // The first that follow are those, and no gap.
    let missed: Vec<_> = (6..=20).map(|_| bert.next()["text"].clone()).collect();
    assert_eq!(missed, numbers(6, 20));
    let last = say_numbers(&mut anna, 21, 21);
    assert_eq!(texts(&mut bert, "21").0, ["21"]);
    // Nothing was missed.
    let mut cecil = chat.visit_at(&format!("/?after={last}"));
    assert_eq!(cecil.next()["replay"], 0);
    say_numbers(&mut anna, 22, 22);
    assert_eq!(cecil.next()["text"], "22");
}

/// It was there before the first message.
#[test]
fn a_client_that_has_nothing_yet_resumes_too() {
    let chat = Chat::start(&["--rate", "1000", "--history", "2"]);
    let mut early = chat.visit_at("/?client=e");
    let last = early.until("room", |_| true)["last"].clone();
    assert_eq!(last, "0-0");
    drop(early);
    say_numbers(&mut chat.join("Anna"), 1, 9);
    let mut early = chat.visit_at("/?client=e&after=0-0");
    assert_eq!(early.next()["replay"], 9);
    assert_eq!(early.next()["text"], "1");
}

#[test]
fn a_client_that_missed_too_much_is_told_of_the_gap() {
    let chat = Chat::start(&["--rate", "1000", "--history", "2", "--resume", "5"]);
    let mut anna = chat.join("Anna");
    let two = say_numbers(&mut anna, 1, 2);
    say_numbers(&mut anna, 3, 7);
    let mut just = chat.visit_at(&format!("/?after={two}"));
    assert_eq!(just.next()["replay"], 5);
    assert_eq!(just.next()["text"], "3");
    say_numbers(&mut anna, 8, 8);
    // An id that is not known, newer or older, is one of another log: that of before a restart.
    for after in [&*two, "0-0", "1-1", "99999999999999-0"] {
        let mut late = chat.visit_at(&format!("/?after={after}"));
        assert_eq!(late.next()["type"], "room");
        let gap = late.next();
        assert_eq!((&gap["type"], &gap["after"]), (&"gap".into(), &after.into()));
        if after.len() < 15 {
            assert_eq!(texts(&mut late, "8").0, numbers(4, 8));
        }
    }
}

/// Replay and live messages join without a loss or a double, whenever the connection comes.
#[test]
fn a_client_that_comes_back_again_and_again_has_each_message_once() {
    // It may be far behind.
    let far = ["--resume", "3000", "--buffer", "16777216"];
    let chat = Chat::start(&[&["--rate", "1000000", "--history", "0"][..], &far].concat());
    let mut anna = chat.visit_at("/?client=a");
    anna.join("Anna");
    let last_text = "3000".to_owned();
    let writer = thread::spawn(move || {
        for (index, number) in numbers(1, 3000).iter().enumerate() {
            anna.say(number);
            if index % 10 == 9 {
                anna.until("message", |message| message["text"] == **number);
            }
        }
    });
    let (mut last, mut got) = ("0-0".to_owned(), Vec::new());
    while got.last() != Some(&last_text) {
        let mut visitor = chat.visit_at(&format!("/?client=b&after={last}"));
        for _ in 0..20 {
            let message = visitor.next();
            assert_ne!(message["type"], "gap");
            if message["type"] == "message" {
                message["id"].as_str().unwrap().clone_into(&mut last);
                got.push(message["text"].as_str().unwrap().to_owned());
                if got.last() == Some(&last_text) {
                    break;
                }
            }
        }
    }
    writer.join().unwrap();
    assert_eq!(got, numbers(1, 3000));
}

/// The old connection of a client that was cut off is there until its Pings are not answered.
#[test]
fn a_client_that_comes_back_has_its_name_at_once() {
    let chat = Chat::start(&[]);
    let mut old = chat.visit_at("/?client=a");
    old.join("Anna");
    let mut stranger = chat.visit_at("/?client=b");
    stranger.sign_in("Anna");
    stranger.until("username", |message| message["name"] == "Anna2");
    let mut new = chat.visit_at("/?client=a");
    new.join("anna");
    assert!(old.error().contains("another connection"));
    old.say("hello");
    assert!(old.error().contains("sign in"));
    // What the old one leaves behind is nobody's name.
    drop(old);
    thread::sleep(Duration::from_millis(200));
    stranger.until_users(&["Anna2", "anna"]);
    new.say("hello");
    assert_eq!(stranger.until("message", |_| true)["name"], "anna");
    stranger.sign_in("Anna");
    stranger.until("rejectusername", |message| message["name"] == "Anna2");
}

#[test]
fn a_query_that_says_nothing_valid_is_refused_and_the_text_says_why() {
    let chat = Chat::start(&[]);
    let long = format!("/?client={}", "x".repeat(65));
    for (path, word) in [
        ("/?client=", "?client= has 1 to 64"),
        ("/?client=a%20b", "A-Z"),
        (&long, "64"),
        ("/?after=", "?after= is the id"),
        ("/?after=x-1", "1700000000000-0"),
        ("/?client=a&after=1-x", "1700000000000-0"),
        ("/?after=-1", "1700000000000-0"),
        ("/?after=18446744073709551616-0", "1700000000000-0"),
    ] {
        let (status, body) = refusal(&chat, path);
        assert!(status == 400 && body.contains(word), "{path}: {status} {body}");
    }
    chat.visit_at("/?after=18446744073709551615-18446744073709551615");
    chat.visit_at("/?else=1&&client=A_-9");
    // The page is for everybody, and its script says nothing of this.
    assert!(chat.get("/?client=").0.starts_with("HTTP/1.1 200 "));
}
