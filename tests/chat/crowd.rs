//! Many visitors, slow ones and dead ones.

use std::thread;
use std::time::Instant;

use testkit::pair::{clean, closed};

use crate::Chat;
use crate::program::{TIMEOUT, Visitor};

#[test]
fn a_slow_visitor_is_closed_with_1013_and_the_others_continue() {
    let chat = Chat::start(&["--rate", "1000000", "--buffer", "65536"]);
    let slow = chat.join("Slow");
    let mut anna = chat.join("Anna");
    let text = "x".repeat(2000);
    let start = Instant::now();
    // The network takes some megabytes before anything waits. Anna's messages of two rounds have room:
    // those of the last one may still count as waiting when she has read them.
    'talk: loop {
        assert!(start.elapsed() < TIMEOUT, "the slow one is kept");
        for _ in 0..8 {
            anna.say(&text);
        }
        for _ in 0..8 {
            let message = anna.next();
            if message["type"] == "userlist" {
                assert_eq!(message["users"].as_array().unwrap().len(), 1);
                break 'talk;
            }
        }
    }
    assert_eq!(slow.outcome(), Some(closed(1013, "you read too slowly")));
    anna.say("still here");
    anna.until("message", |message| message["text"] == "still here");
}

#[test]
fn a_dead_visitor_is_removed_from_the_list() {
    let chat = Chat::start(&["--keepalive", "1"]);
    // Its connection stays open, but it does not answer Pings.
    let _dead = chat.join("Dead");
    let mut anna = chat.join("Anna");
    anna.until_users(&["Anna"]);
}

#[test]
fn a_thousand_visitors_hear_what_one_says() {
    let chat = Chat::start(&[]);
    let mut visitors: Vec<Visitor> = (0..1000).map(|_| chat.visit()).collect();
    let names: Vec<String> = (0..20).map(|number| format!("Visitor {number}")).collect();
    for (visitor, name) in visitors.iter_mut().zip(&names) {
        visitor.sign_in(name);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    visitors[0].until("userlist", |message| message["users"].as_array().unwrap().len() == 20);
    visitors[7].say("hello, all");
    for visitor in &mut visitors {
        let heard = visitor.until("message", |_| true);
        assert_eq!((&heard["name"], &heard["text"]), (&names[7].into(), &"hello, all".into()));
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_closes_every_connection_with_1001() {
    let mut chat = Chat::start(&[]);
    let visitors = [chat.join("Anna"), chat.join("Bert"), chat.visit()];
    let ends = visitors.map(|visitor| thread::spawn(|| visitor.outcome()));
    assert_eq!(chat.interrupt(), Some(0));
    for end in ends {
        assert_eq!(end.join().unwrap(), Some(clean(1001)));
    }
}
