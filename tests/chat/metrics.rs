//! What a monitoring system and a load balancer ask.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::Chat;
use crate::program::TIMEOUT;

/// The samples of a text, by their name with its labels, and the type of each metric.
struct Metrics {
    samples: BTreeMap<String, String>,
    types: BTreeMap<String, String>,
}

impl Metrics {
    fn of(chat: &Chat) -> Self {
        let (head, body) = chat.get("/metrics");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let kind = "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8";
        assert!(head.contains(kind), "{head}");
        Self::parse(&body)
    }

    /// Parses the text format of Prometheus, version 0.0.4, and checks its rules.
    fn parse(text: &str) -> Self {
        let mut metrics = Self { samples: BTreeMap::new(), types: BTreeMap::new() };
        let mut explained = BTreeSet::new();
        let mut current = String::new();
        assert!(text.ends_with('\n'), "the last line must end too");
        for line in text.lines() {
            let words: Vec<_> = line.splitn(4, ' ').collect();
            match *words {
                ["#", "HELP", name, help] => {
                    assert!(explained.insert(name.to_owned()), "two texts: {line}");
                    assert!(help.ends_with('.'), "{line}");
                }
                ["#", "TYPE", name, kind] => {
                    assert!(explained.contains(name), "no HELP before it: {line}");
                    assert!(matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
                    assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                    let before = metrics.types.insert(name.into(), kind.into());
                    assert_eq!(before, None, "{line}");
                    name.clone_into(&mut current);
                }
                _ => metrics.sample(line, &current),
            }
        }
        metrics.check_histograms();
        metrics
    }

    fn sample(&mut self, line: &str, current: &str) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let family = name.split('{').next().unwrap();
        let letters = |name: &str| name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
        assert!(letters(family), "{line}");
        // All samples of a metric are one group, below its type.
        match self.types[current].as_str() {
            "histogram" => assert!(
                ["_bucket", "_sum", "_count"].iter().any(|it| family == format!("{current}{it}")),
                "{line}"
            ),
            _ => assert_eq!(family, current, "{line}"),
        }
        if let Some(labels) = name.strip_prefix(&format!("{family}{{")) {
            let mut names = BTreeSet::new();
            for label in labels.strip_suffix('}').unwrap().split(',') {
                let (name, value) = label.split_once('=').unwrap();
                assert!(letters(name) && names.insert(name), "{line}");
                let value = value.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap();
                assert!(!value.contains(['"', '\\']) && !value.is_empty(), "{line}");
            }
        }
        assert!(number(value) >= 0.0, "{line}");
        assert_eq!(self.samples.insert(name.into(), value.into()), None, "twice: {line}");
    }

    fn check_histograms(&self) {
        for (name, _) in self.types.iter().filter(|(_, kind)| *kind == "histogram") {
            let prefix = format!("{name}_bucket{{le=\"");
            let bucket = |(name, count): (&String, &String)| {
                let bound = name.strip_prefix(&prefix)?.strip_suffix("\"}")?;
                Some((number(bound), number(count)))
            };
            let mut buckets: Vec<_> = self.samples.iter().filter_map(bucket).collect();
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{buckets:?}");
            let last = buckets.last().unwrap();
            assert_eq!(*last, (f64::INFINITY, number(&self.samples[&format!("{name}_count")])));
            assert!(self.samples.contains_key(&format!("{name}_sum")));
        }
    }

    /// A counter or a gauge; 0 if there is none.
    fn get(&self, name: &str) -> u64 {
        self.samples.get(name).map_or(0, |value| value.parse().unwrap())
    }
}

fn number(text: &str) -> f64 {
    text.parse().unwrap()
}

/// Waits until `name` has this value.
#[track_caller]
fn until(chat: &Chat, name: &str, value: u64) -> Metrics {
    let start = Instant::now();
    loop {
        let metrics = Metrics::of(chat);
        if metrics.get(name) == value {
            return metrics;
        }
        assert!(start.elapsed() < TIMEOUT, "{name} is {}, not {value}", metrics.get(name));
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_figures_are_those_of_the_visitors() {
    let chat = Chat::start(&[]);
    let idle = Metrics::of(&chat);
    assert_eq!(idle.get("sansock_connections"), 0);
    // The request itself.
    assert_eq!(idle.get("sansock_handshakes"), 1);
    let mut mary = chat.join("Mary");
    let mut paul = chat.join("Paul");
    for text in ["Hello!", "How are you?", "Is anybody there?"] {
        mary.say(text);
        paul.until("message", |message| message["text"] == text);
    }
    // A visitor has the text a moment before it is counted.
    let has_counted = |open: &Metrics| open.get("chat_publish_seconds_count") >= 3;
    let open = std::iter::repeat_with(|| Metrics::of(&chat)).find(has_counted).unwrap();
    assert_eq!(open.get("sansock_connections"), 2);
    assert_eq!(open.get("sansock_accepted_total"), 2);
    assert_eq!(open.get("chat_publish_seconds_count"), 3);
    // Two names and three texts.
    assert_eq!(open.get("sansock_messages_total{direction=\"received\"}"), 5);
    // To each visitor an id, the texts, and what both have signed in for.
    assert!(open.get("sansock_messages_total{direction=\"sent\"}") >= 2 + 6 + 3);
    assert!(open.get("sansock_payload_bytes_total{direction=\"received\"}") > 100);
    assert!(open.get("sansock_answered_total") >= 1);

    paul.socket.start_close(sansock::CloseCode::new(4711), "").unwrap();
    assert!(paul.outcome().unwrap().was_clean());
    drop(mary);
    let closed = until(&chat, "sansock_connections", 0);
    assert_eq!(closed.get("sansock_closes_total{side=\"client\",code=\"4xxx\"}"), 1);
    assert_eq!(closed.get("sansock_closes_total{side=\"client\",code=\"1006\"}"), 1);
    let origin = chat.client().origin("https://elsewhere.example").connect();
    assert!(origin.is_err());
    assert_eq!(Metrics::of(&chat).get("sansock_refused_total{reason=\"rejected\"}"), 1);
    let (head, _) = chat.get_of("elsewhere.example", "/metrics");
    assert!(head.starts_with("HTTP/1.1 421"), "{head}");
    assert_eq!(Metrics::of(&chat).get("sansock_refused_total{reason=\"host\"}"), 1);
}

/// A number that only grows, but for the gauges.
#[test]
fn no_counter_falls() {
    let chat = Chat::start(&[]);
    let mut before = Metrics::of(&chat);
    for round in 0..5 {
        let mut visitor = chat.join("Mary");
        visitor.say("Hello!");
        visitor.until("message", |_| true);
        if round % 2 == 0 {
            visitor.socket.close(None, "").unwrap();
        }
        drop(visitor);
        let after = until(&chat, "sansock_connections", 0);
        for (name, value) in &before.samples {
            let family = name.split('{').next().unwrap();
            if after.types.get(family).is_none_or(|kind| kind != "gauge") {
                let after = after.samples.get(name).map_or(0.0, |value| number(value));
                assert!(after >= number(value), "{name}");
            }
        }
        before = after;
    }
}

#[cfg(unix)]
#[test]
fn the_health_check_fails_before_the_first_visitor_is_closed() {
    let mut chat = Chat::start(&["--grace", "2"]);
    let (head, body) = chat.get("/healthz");
    assert!(head.starts_with("HTTP/1.1 200") && body == "ok\n", "{head}");
    let visitor = chat.join("Mary");
    chat.signal("-INT");
    let start = Instant::now();
    let health = || chat.get("/healthz").0;
    while health().starts_with("HTTP/1.1 200") {
        assert!(start.elapsed() < TIMEOUT);
    }
    assert!(health().starts_with("HTTP/1.1 503"));
    // Everything else goes on meanwhile.
    let mut late = chat.join("Paul");
    late.say("Hello!");
    late.until("message", |message| message["text"] == "Hello!");
    assert_eq!(Metrics::of(&chat).get("sansock_connections"), 2);
    assert!(start.elapsed() < Duration::from_secs(2), "this machine is too slow for the test");
    for visitor in [visitor, late] {
        assert_eq!(visitor.outcome().unwrap().code(), 1001);
    }
    assert_eq!(chat.wait(), Some(0));
}

/// `docs/CHAT.md` says what each metric is for.
#[test]
fn the_documentation_names_every_metric_and_no_other() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CHAT.md");
    let document = fs::read_to_string(path).unwrap();
    let row = |line: &str| Some(line.strip_prefix("| `")?.split(['`', '{']).next()?.to_owned());
    let is_metric = |name: &String| name.starts_with("sansock_") || name.starts_with("chat_");
    let documented: BTreeSet<_> = document.lines().filter_map(row).filter(is_metric).collect();
    let metrics = Metrics::of(&Chat::start(&[]));
    let named: BTreeSet<_> = metrics.types.into_keys().collect();
    assert_eq!(documented, named);
}
