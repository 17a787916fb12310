//! Rooms by path.

use std::thread;
use std::time::{Duration, Instant};

use sansock::handshake::{HandshakeError, ResponseError};
use sansock::net::Error;

use crate::Chat;
use crate::program::TIMEOUT;

/// The status with which a socket is refused at this path, and the text.
pub(crate) fn refusal(chat: &Chat, path: &str) -> (u16, String) {
    match chat.client_at(path).connect().unwrap_err() {
        Error::Handshake(HandshakeError::Response(ResponseError::Status(response))) => {
            (response.status(), String::from_utf8_lossy(response.body()).into_owned())
        }
        error => panic!("{path}: {error}"),
    }
}

#[test]
fn each_room_has_its_own_messages_names_and_list() {
    let chat = Chat::start(&[]);
    let mut here = chat.join_at("/rooms/here", "Anna");
    let mut there = chat.join_at("/rooms/there-2_x", "Anna");
    here.say("here");
    there.say("there");
    assert_eq!(here.until("message", |_| true)["text"], "here");
    assert_eq!(there.until("message", |_| true)["text"], "there");
    let _bert = chat.join_at("/rooms/here", "Bert");
    here.until_users(&["Anna", "Bert"]);
    for path in ["/rooms/here", "/rooms/nobody-was-here"] {
        let (head, page) = chat.get(path);
        assert!(head.starts_with("HTTP/1.1 200 ") && page.contains("<title>"), "{path}: {head}");
    }
}

#[test]
fn the_room_at_the_root_is_the_lobby() {
    let chat = Chat::start(&[]);
    let mut anna = chat.join("Anna");
    let mut bert = chat.join_at("/rooms/lobby", "Bert");
    bert.say("hello");
    assert_eq!(anna.until("message", |_| true)["text"], "hello");
}

#[test]
fn a_path_that_names_no_room_is_refused_and_the_text_says_how_names_are() {
    let chat = Chat::start(&[]);
    let long = format!("/rooms/{}", "x".repeat(33));
    for (path, status, word) in [
        ("/nothing", 404, "/rooms/NAME"),
        ("/rooms", 404, "/rooms/NAME"),
        ("/rooms/", 400, "1 to 32 characters: a-z"),
        ("/rooms/Upper", 400, "a-z"),
        ("/rooms/a/b", 400, "a-z"),
        ("/rooms/a%20b", 400, "a-z"),
        ("/rooms/..", 400, "a-z"),
        (&long, 400, "32"),
    ] {
        let (head, body) = chat.get(path);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {head}");
        assert!(body.contains(word), "{path}: {body}");
        let (of_socket, body) = refusal(&chat, path);
        assert!(of_socket == status && body.contains(word), "{path}: {of_socket} {body}");
    }
    chat.join_at(&long[..long.len() - 1], "Anna");
}

#[test]
fn an_empty_room_is_freed_after_a_time() {
    let chat = Chat::start(&["--keep", "1"]);
    let mut anna = chat.join_at("/rooms/a", "Anna");
    anna.say("hello");
    anna.until("message", |_| true);
    // It is there as long as somebody is.
    thread::sleep(Duration::from_millis(2500));
    let mut other = chat.visit_at("/rooms/a");
    other.until("message", |_| true);
    drop((anna, other));
    let start = Instant::now();
    while replay(&chat) > 0 {
        assert!(start.elapsed() < TIMEOUT, "the empty room is kept");
        thread::sleep(Duration::from_millis(2500));
    }
}

/// How many messages of before a new visitor gets.
fn replay(chat: &Chat) -> u64 {
    let mut visitor = chat.visit_at("/rooms/a?client=x");
    visitor.until("room", |_| true)["replay"].as_u64().unwrap()
}

#[test]
fn a_room_too_many_is_refused_with_503_until_another_is_empty() {
    let chat = Chat::start(&["--rooms", "2"]);
    let _first = chat.join_at("/rooms/first", "Anna");
    let second = chat.join_at("/rooms/second", "Anna");
    let (status, body) = refusal(&chat, "/rooms/third");
    assert!(status == 503 && body.contains("--rooms"), "{status} {body}");
    // Those that exist still take visitors.
    chat.join_at("/rooms/first", "Bert");
    drop(second);
    let start = Instant::now();
    while chat.client_at("/rooms/third").connect().is_err() {
        assert!(start.elapsed() < TIMEOUT, "the empty room is kept");
        thread::sleep(Duration::from_millis(10));
    }
}
