//! What a server has counted, as a list that tests can compare.

use std::collections::BTreeMap;

use sansock::counts::ServerCounts;

/// Every number that is not zero, by its name. The bytes on the wire have tests of their own.
pub type Numbers = BTreeMap<String, u64>;

/// All numbers of `counts`. Fails if they do not add up.
pub fn numbers(counts: &ServerCounts) -> Numbers {
    let over = counts.refused.total() + counts.answered + counts.accepted;
    assert_eq!(counts.connected, counts.handshakes_now + over, "{counts:?}");
    assert_eq!(counts.accepted, counts.open_now + counts.close_sent.total(), "{counts:?}");
    let received = counts.close_received.total() + counts.close_unread;
    assert_eq!(counts.close_sent.total(), received, "{counts:?}");
    assert_eq!(
        counts.timeouts.handshake,
        counts.refused.get(sansock::counts::Refusal::Timeout),
        "{counts:?}"
    );
    let mut all: Vec<(String, u64)> = [
        ("open_now", counts.open_now),
        ("handshakes_now", counts.handshakes_now),
        ("connected", counts.connected),
        ("accepted", counts.accepted),
        ("answered", counts.answered),
        ("received.messages", counts.received.messages),
        ("received.payload_bytes", counts.received.payload_bytes),
        ("sent.messages", counts.sent.messages),
        ("sent.payload_bytes", counts.sent.payload_bytes),
        ("close_unread", counts.close_unread),
        ("handlers_failed", counts.handlers_failed),
        ("handlers_panicked", counts.handlers_panicked),
        ("accept_errors", counts.accept_errors),
    ]
    .map(|(name, count)| (name.to_owned(), count))
    .into();
    let named = |kind: &str, name: &dyn std::fmt::Display| format!("{kind}.{name}");
    all.extend(counts.refused.iter().map(|(it, n)| (named("refused", &it.name()), n)));
    all.extend(counts.close_received.iter().map(|(it, n)| (named("close_received", &it), n)));
    all.extend(counts.close_sent.iter().map(|(it, n)| (named("close_sent", &it), n)));
    all.extend(counts.timeouts.iter().map(|(it, n)| (named("timeouts", &it), n)));
    all.into_iter().filter(|(_, n)| *n > 0).collect()
}

/// The numbers that are expected: a text such as `connected 1, refused.origin 1`.
pub fn expected(text: &str) -> Numbers {
    let number = |entry: &str| {
        let (name, number) = entry.trim().split_once(' ').unwrap();
        (name.to_owned(), number.parse().unwrap())
    };
    text.split(',').map(number).collect()
}
