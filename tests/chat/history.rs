//! What a new visitor gets of what was said before.

use serde_json::Value;

use crate::Chat;
use crate::program::Visitor;

/// Says these texts, and returns their messages as they come to all.
fn say(visitor: &mut Visitor, texts: impl Iterator<Item = String>) -> Vec<Value> {
    let said = texts.map(|text| {
        visitor.say(&text);
        visitor.until("message", |message| message["text"] == text)
    });
    said.collect()
}

fn numbers(from: u32, to: u32) -> impl Iterator<Item = String> {
    (from..=to).map(|number| number.to_string())
}

/// Milliseconds and sequence of an id.
fn id(message: &Value) -> (u64, u64) {
    let (milliseconds, sequence) = message["id"].as_str().unwrap().split_once('-').unwrap();
    (milliseconds.parse().unwrap(), sequence.parse().unwrap())
}

#[test]
fn a_new_visitor_gets_the_last_messages_unchanged_before_all_others() {
    let chat = Chat::start(&["--rate", "1000", "--history", "5"]);
    let mut anna = chat.join("Anna");
    let said = say(&mut anna, numbers(1, 7));
    // MDN's page signs in with the first message, and knows no other types.
    let mut bert = chat.visit();
    bert.sign_in("Bert");
    for message in &said[2..] {
        assert_eq!(bert.next(), *message);
    }
    assert_eq!(bert.next()["type"], "username");
}

#[test]
fn ids_grow_and_the_date_of_a_message_is_that_of_its_id() {
    let chat = Chat::start(&["--rate", "1000"]);
    let mut anna = chat.join("Anna");
    let said = say(&mut anna, numbers(1, 50));
    assert!(said.is_sorted_by(|one, next| id(one) < id(next)), "{said:?}");
    for message in said {
        assert_eq!(message["date"], id(&message).0, "{message}");
    }
}

#[test]
fn without_history_a_new_visitor_gets_nothing_of_before() {
    let chat = Chat::start(&["--rate", "1000", "--history", "0"]);
    let mut anna = chat.join("Anna");
    say(&mut anna, numbers(1, 3));
    let mut bert = chat.join("Bert");
    anna.say("now");
    assert_eq!(bert.until("message", |_| true)["text"], "now");
}

/// Half of `--buffer` bounds it, so a visitor that gets it is not closed for reading too slowly.
#[test]
fn history_is_bounded_in_bytes() {
    let chat = Chat::start(&["--rate", "1000", "--buffer", "65536"]);
    let mut anna = chat.join("Anna");
    let text = "x".repeat(2000);
    let said = say(&mut anna, (10..60).map(|number| format!("{}{number}", &text[2..])));
    let mut bert = chat.join("Bert");
    bert.say("end");
    let mut got = Vec::new();
    let mut cecil = chat.visit();
    cecil.until("message", |message| {
        got.push(message.clone());
        message["text"] == "end"
    });
    got.pop();
    assert!((10..=16).contains(&got.len()), "{} of 2 KB in 32 KiB", got.len());
    assert_eq!(got, said[50 - got.len()..]);
}
