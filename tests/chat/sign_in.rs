//! The protocol of MDN's chat example.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::{Chat, program::Visitor};

#[test]
fn what_one_says_comes_to_all_and_its_sender() {
    let chat = Chat::start(&[]);
    let mut anna = chat.join("Anna");
    let mut bert = chat.join("Bert");
    anna.until("username", |message| message["name"] == "Bert");
    anna.until_users(&["Anna", "Bert"]);
    anna.say("H\u{e9}llo <b>&amp;</b> \u{1f600}");
    for visitor in [&mut anna, &mut bert] {
        let message = visitor.next();
        assert_eq!(message["type"], "message");
        assert_eq!(message["name"], "Anna");
        assert_eq!(message["text"], "H\u{e9}llo <b>&amp;</b> \u{1f600}");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let date = u128::from(message["date"].as_u64().unwrap());
        assert!(date <= now && date + 60_000 > now, "{date} milliseconds");
    }
}

#[test]
fn a_name_in_use_is_replaced_and_told_before_all_learn_of_it() {
    let chat = Chat::start(&[]);
    let mut anna = chat.join("Anna");
    let mut second = chat.visit();
    assert_ne!(anna.id, second.id);
    second.sign_in("anna");
    let rejected = second.next();
    assert_eq!(rejected["type"], "rejectusername");
    assert_eq!(rejected["id"], second.id);
    assert_eq!(rejected["name"], "anna2");
    assert_eq!(second.next()["name"], "anna2");
    anna.until_users(&["Anna", "anna2"]);
    // A long one is cut so that it stays within its limit.
    let long = "\u{e9}".repeat(32);
    let _third = chat.join(&long);
    let mut fourth = chat.visit();
    fourth.sign_in(&long);
    let name = fourth.until("rejectusername", |_| true)["name"].clone();
    assert_eq!(name, format!("{}2", "\u{e9}".repeat(31)));
}

#[test]
fn a_name_may_be_changed_and_is_free_again_then() {
    let chat = Chat::start(&[]);
    let mut anna = chat.join("Anna");
    anna.sign_in("Anne");
    anna.until("username", |message| message["name"] == "Anne");
    anna.until_users(&["Anne"]);
    let mut other = chat.join("Anna");
    other.sign_in("Anna");
    let own = other.next();
    assert_eq!((&own["type"], &own["name"]), (&json!("username"), &json!("Anna")), "their own");
}

#[test]
fn a_visitor_that_leaves_is_removed_from_the_list() {
    let chat = Chat::start(&[]);
    let mut anna = chat.join("Anna");
    let mut bert = chat.join("Bert");
    let carl = chat.join("Carl");
    bert.socket.close(None, "").unwrap();
    anna.until_users(&["Anna", "Carl"]);
    drop(carl);
    anna.until_users(&["Anna"]);
}

#[test]
fn a_client_that_offers_no_subprotocol_is_served_and_one_that_offers_several_gets_chat() {
    let chat = Chat::start(&[]);
    let offers: [(&[&str], Option<&str>); 4] = [
        (&["chat", "superchat"], Some("chat")),
        (&["superchat", "chat"], Some("chat")),
        (&[], None),
        (&["superchat"], None),
    ];
    for (offered, chosen) in offers {
        let client = offered.iter().fold(chat.client(), |client, name| client.subprotocol(*name));
        let visitor = Visitor::new(client.connect().unwrap());
        assert_eq!(visitor.socket.subprotocol(), chosen, "{offered:?}");
    }
}
