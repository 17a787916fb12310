//! The chat in two processes, over a Redis of the test. `interop/scale/run` builds what this needs, and
//! says what to install.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

mod messages;
mod outage;
mod presence;
#[path = "../../../../tests/chat/program.rs"]
#[expect(dead_code, reason = "some of it serves tests/chat alone")]
mod program;
mod redis;
mod refusing;
mod strange;

use std::thread;
use std::time::{Duration, Instant};

use crate::program::{Chat, Visitor};
use crate::redis::Redis;

/// What a process needs to notice what another has done, at the most, if neither was stopped.
const SOON: Duration = Duration::from_secs(5);

/// A process of the chat over this Redis.
fn chat(redis: &Redis) -> Chat {
    Chat::start(&["--rate", "100000", "--redis", &redis.url()])
}

/// A visitor of this client that has signed in.
fn join(chat: &Chat, client: &str, name: &str) -> Visitor {
    let mut visitor = chat.visit_at(&format!("/?client={client}"));
    visitor.join(name);
    visitor
}

/// A visitor of a room that is refused as long as the rooms are all in use.
fn visit_when_free(chat: &Chat, path: &str) -> Visitor {
    let start = Instant::now();
    loop {
        match chat.client_at(path).connect() {
            Ok(socket) => return Visitor::new(socket),
            Err(refused) => assert!(start.elapsed() < program::TIMEOUT, "{refused}"),
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Says these numbers, and returns the id of the last one.
fn say_numbers(visitor: &mut Visitor, from: u32, to: u32) -> String {
    let ids = (from..=to).map(|number| {
        let number = number.to_string();
        visitor.say_once(&number, &number);
        visitor.acknowledged(&number)
    });
    ids.last().unwrap().as_str().unwrap().to_owned()
}

/// The texts that come up to this one; a gap is one too.
fn texts(visitor: &mut Visitor, last: &str) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.last().is_none_or(|text| text != last) {
        let message = visitor.next();
        match message["type"].as_str() {
            Some("message") => texts.push(message["text"].as_str().unwrap().to_owned()),
            Some("gap") => texts.push("gap".into()),
            _ => {}
        }
    }
    texts
}

fn numbers(from: u32, to: u32) -> Vec<String> {
    (from..=to).map(|number| number.to_string()).collect()
}
