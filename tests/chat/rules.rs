//! Errors are reported to the sender; other visitors do not notice.

use std::net::TcpListener;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use sansock::handshake::{HandshakeError, ResponseError};
use sansock::net::Error;
use serde_json::json;
use testkit::pair::{clean, closed};

use crate::Chat;

#[test]
fn an_invalid_message_is_reported_to_its_sender_only() {
    let chat = Chat::start(&["--rate", "1000"]);
    let mut anna = chat.join("Anna");
    let mut rude = chat.join("Rude");
    anna.until_users(&["Anna", "Rude"]);
    let deep = "[".repeat(60_000);
    let wrong = [
        ("", "JSON"),
        ("hello", "JSON"),
        ("{\"type\":\"message\",\"text\":\"cut", "JSON"),
        (&deep, "JSON"),
        ("{\"type\":\"message\",\"text\":\"\\ud800\"}", "JSON"),
        ("[]", "type"),
        ("null", "type"),
        ("{}", "type"),
        ("{\"type\":1}", "type"),
        ("{\"type\":\"shout\"}", "shout"),
        ("{\"type\":\"userlist\",\"users\":[]}", "userlist"),
        ("{\"type\":\"message\"}", "text"),
        ("{\"type\":\"message\",\"text\":[1]}", "text"),
        ("{\"type\":\"message\",\"text\":\" \"}", "empty"),
        ("{\"type\":\"username\"}", "name"),
        ("{\"type\":\"username\",\"name\":{}}", "name"),
        ("{\"type\":\"username\",\"name\":\"\"}", "1 to 32"),
        ("{\"type\":\"username\",\"name\":\" \\t\"}", "1 to 32"),
        ("{\"type\":\"username\",\"name\":\"a\\u0000b\"}", "control"),
    ];
    for (message, word) in wrong {
        rude.socket.send(message).unwrap();
        let error = rude.error();
        assert!(error.contains(word), "{}: {error}", &message[..message.len().min(99)]);
    }
    rude.socket.send(&b"{}"[..]).unwrap();
    assert!(rude.error().contains("binary"));
    rude.say("sorry");
    assert_eq!(anna.next()["text"], "sorry");
}

#[test]
fn names_and_texts_have_limits_in_characters() {
    let chat = Chat::start(&["--rate", "1000"]);
    let mut anna = chat.visit();
    anna.sign_in(&"\u{1f600}".repeat(33));
    assert!(anna.error().contains("1 to 32"));
    anna.sign_in(&format!(" {} ", "\u{1f600}".repeat(32)));
    anna.until("username", |message| message["name"] == "\u{1f600}".repeat(32));
    anna.say(&"\u{1f600}".repeat(2001));
    assert!(anna.error().contains("2000"));
    anna.say(&"\u{1f600}".repeat(2000));
    anna.until("message", |message| message["text"] == "\u{1f600}".repeat(2000));
    // A message longer than any text is not read to its end.
    anna.say(&"x".repeat(70_000));
    assert_eq!(anna.outcome(), Some(clean(1009)));
}

/// Characters that are invisible, turn the direction of writing or pile up marks.
#[test]
fn a_name_has_no_characters_that_deceive() {
    let chat = Chat::start(&["--rate", "1000"]);
    let mut guest = chat.visit();
    let flood = format!("a{}", "\u{301}".repeat(5));
    for wish in [
        "Anna\u{200b}",
        "\u{200b}",
        "\u{202e}annA",
        "a\u{2028}b",
        "\u{3164}",
        "\u{301}a",
        "a\u{ad}b",
        &flood,
    ] {
        guest.sign_in(wish);
        assert!(guest.error().contains("a name has"), "{wish:?}");
    }
}

/// Names that look the same are the same: other cases, spaces, normal forms, scripts.
#[test]
fn a_name_that_looks_like_another_is_taken() {
    let chat = Chat::start(&["--rate", "1000"]);
    let _anna = chat.join("Anna");
    let _zoe = chat.join("Zo\u{eb}");
    for (wish, given) in [
        ("anna", "anna2"),
        ("ANNA", "ANNA3"),
        ("An na", "An na4"),
        ("\u{410}nna", "\u{410}nna5"),
        ("Zoe\u{308}", "Zo\u{eb}2"),
    ] {
        let mut other = chat.visit();
        other.sign_in(wish);
        let rejected = other.until("rejectusername", |_| true);
        assert_eq!(rejected["name"], given, "{wish:?}");
    }
}

#[test]
fn a_visitor_that_has_not_signed_in_may_only_listen() {
    let chat = Chat::start(&[]);
    let mut guest = chat.visit();
    guest.say("hello");
    assert!(guest.error().contains("sign in"));
    let mut anna = chat.join("Anna");
    anna.say("hello");
    guest.until("message", |message| message["name"] == "Anna");
}

#[test]
fn a_flood_is_dropped_and_told_once_and_ends_with_1008_if_it_goes_on() {
    let chat = Chat::start(&["--rate", "1"]);
    let mut anna = chat.join("Anna");
    for number in 0..20 {
        anna.say(&number.to_string());
    }
    let mut said = 0;
    loop {
        let message = anna.next();
        match message["type"].as_str() {
            Some("message") => said += 1,
            Some("error") => break,
            _ => panic!("{message}"),
        }
    }
    assert_eq!(said, 3, "four at once, and to sign in was the first");
    thread::sleep(Duration::from_millis(2500));
    anna.say("slower");
    anna.until("message", |message| message["text"] == "slower");
    for _ in 0..150 {
        let message = json!({ "type": "message", "text": "spam" }).to_string();
        if anna.socket.send(message.as_str()).is_err() {
            break;
        }
    }
    assert_eq!(anna.outcome(), Some(closed(1008, "too many messages")));
    chat.join("Anna");
}

#[test]
fn pages_of_other_sites_are_refused_with_403_unless_they_are_allowed() {
    let chat = Chat::start(&["--origin", "https://a.example", "--origin", "http://b.example:81"]);
    let own = format!("http://{}", chat.address);
    for origin in [&*own, "https://a.example", "http://b.example:81"] {
        chat.client().origin(origin).connect().unwrap();
    }
    for origin in ["https://evil.example", "http://a.example", "http://127.0.0.1", "null"] {
        let error = chat.client().origin(origin).connect().unwrap_err();
        let Error::Handshake(HandshakeError::Response(ResponseError::Status(response))) = error
        else {
            panic!("{origin}: {error}");
        };
        assert_eq!(response.status(), 403, "{origin}");
    }
}

/// The Origin of such a page agrees with the Host header.
#[test]
fn it_answers_to_known_hosts_only() {
    let chat = Chat::start(&["--host", "chat.example.com"]);
    for (host, status) in [
        ("localhost", "200"),
        ("127.0.0.1:1", "200"),
        ("[::1]:9002", "200"),
        // As a load balancer or a scraper names one of the machine's addresses.
        ("10.0.0.5:9002", "200"),
        ("Chat.example.com", "200"),
        ("example.com", "421"),
        ("127.0.0.1.evil.example:9002", "421"),
    ] {
        let (head, _) = chat.get_of(host, "/");
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {head}");
    }
}

#[test]
fn it_says_which_option_lets_a_host_in() {
    let chat = Chat::start_at("127.0.0.1:0", &[], Stdio::piped());
    let (_, body) = chat.get_of("chat.example.com", "/");
    assert!(body.contains("Server::hosts"), "{body}");
    let complaint = chat.complaint();
    assert!(complaint.contains("--host"), "{complaint}");
}

/// No client sends the zone of an address, so the host that is answered to has none.
#[test]
fn it_answers_to_the_host_that_it_listens_on() {
    let mut addresses = vec![("127.0.0.2:0", "127.0.0.2"), ("localhost:0", "localhost")];
    // Some systems have no IPv6.
    if TcpListener::bind("[::1]:0").is_ok() {
        addresses.push(("[0:0:0:0:0:0:0:1%1]:0", "[::1]"));
    }
    for (address, host) in addresses {
        let chat = Chat::start_at(address, &[], Stdio::null());
        let (head, _) = chat.get_of(host, "/");
        assert!(head.starts_with("HTTP/1.1 200 "), "{address}: {head}");
    }
}
