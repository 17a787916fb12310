//! Redis has what no chat has stored.

use std::thread;
use std::time::Duration;

use crate::outage::insist;
use crate::redis::Redis;
use crate::refusing::{refused, states};
use crate::{chat, join, say_numbers, texts};

/// The room's keys are of another type.
#[test]
fn a_room_that_redis_has_not_as_it_should_hurts_no_other() {
    let redis = Redis::start();
    for what in ["log", "events", "users"] {
        redis.run(&format!("SET chat:{{{what}0}}:{what} x"));
    }
    let chat = chat(&redis);
    let mut anna = join(&chat, "a", "Anna");
    let mut listener = chat.visit_at("/?client=l");
    listener.until("room", |_| true);
    for what in ["log", "events", "users"] {
        let mut of_broken = chat.visit_at(&format!("/rooms/{what}0?client=b"));
        of_broken.sign_in("Bert");
        let mut later = chat.visit_at(&format!("/rooms/{what}1?client=c"));
        later.join("Carl");
        redis.run(&format!("DEL chat:{{{what}1}}:{what}"));
        redis.run(&format!("SET chat:{{{what}1}}:{what} x"));
        // Longer than a renewal of the leases takes.
        assert!(states(&mut anna, Duration::from_secs(7)).is_empty(), "{what}");
        say_numbers(&mut anna, 1, 3);
        // Storing needs no events.
        if what != "events" {
            assert!(refused(&mut later, "key").contains("WRONGTYPE"));
        }
        for room in [0, 1] {
            redis.run(&format!("DEL chat:{{{what}{room}}}:{what}"));
        }
        of_broken.sign_in("Bert");
        for (room, visitor) in [&mut of_broken, &mut later].into_iter().enumerate() {
            let mut listener = chat.visit_at(&format!("/rooms/{what}{room}?client=l"));
            insist(visitor, "there again", "k");
            listener.until("message", |message| message["text"] == "there again");
        }
    }
}

#[test]
fn entries_that_no_chat_has_made_are_left_out() {
    let redis = Redis::start();
    let chats = [chat(&redis), chat(&redis)];
    let mut anna = join(&chats[0], "a", "Anna");
    let mut listener = chats[1].visit_at("/?client=l");
    listener.until("room", |_| true);
    say_numbers(&mut anna, 1, 1);
    assert_eq!(texts(&mut listener, "1"), ["1"]);
    let log = "XADD chat:{lobby}:log *";
    let odd = [
        "x y",
        r#""\xff" "\xfe""#,
        "number nan name a text b",
        "number inf name a text b",
        "number -1 name a text b",
        "number 1e300 name a text b",
        "number 18446744073709551615 name a text b",
        r#"number 2 name "\xff" text b"#,
        "number 2 text a name b",
        "number 2 name a text b more c",
    ];
    let huge = "EVAL \"return redis.call('XADD', KEYS[1], '*', 'number', '2', 'name', 'x', \
                'text', string.rep('x', 3000000))\" 1 chat:{lobby}:log";
    let commands = odd.iter().map(|fields| format!("{log} {fields}"));
    for (number, command) in (2..).zip(commands.chain([huge.to_owned()])) {
        assert!(redis.run(&command).starts_with('$'), "{command}");
        assert!(redis.run("XADD chat:{lobby}:events * x \"\\xff\"").starts_with('$'));
        let before = questions(&redis);
        thread::sleep(Duration::from_millis(500));
        assert!(questions(&redis) - before < 20, "{command}");
        // The first one may follow a gap, and what looks like a message.
        for text in [number.to_string(), format!("{number} again")] {
            anna.say_once(&text, &text);
            anna.acknowledged(&text);
        }
        let heard = texts(&mut listener, &format!("{number} again"));
        let heard: Vec<_> = heard.into_iter().filter(|text| text != "gap" && text != "b").collect();
        assert_eq!(heard, [number.to_string(), format!("{number} again")], "{command}");
        assert!(states(&mut anna, Duration::ZERO).is_empty(), "{command}");
    }
    let third = chat(&redis);
    let mut new = third.visit_at("/?client=n");
    let heard = texts(&mut new, "12 again");
    assert!(heard.len() < 25 && heard.contains(&"2".into()), "{heard:?}");
}

/// How often anything was read.
fn questions(redis: &Redis) -> u64 {
    let stats = redis.text("INFO commandstats");
    let count = stats.split_once("cmdstat_xread:calls=").unwrap().1;
    count.split_once(',').unwrap().0.parse().unwrap()
}
