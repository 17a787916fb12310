//! `GET /metrics` for Prometheus, in its text format 0.0.4, and `GET /healthz` for load balancers.

use std::fmt::{Display, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sansock::counts::{CloseCodes, ServerCounts};
use sansock::handshake::{Rejection, Request};
use sansock::hub::HubCounts;
use sansock::net::ServerHandle;

use crate::rooms::Rooms;

/// How long it takes to send a stored text to everybody in the room.
pub(crate) static PUBLISH: Histogram = Histogram::new();

/// The answer to a plain request for one of the two paths.
pub(crate) fn answer_plain(
    request: Request<'_>,
    server: &ServerHandle,
    rooms: &Rooms,
) -> Option<Rejection> {
    if request.is_websocket() {
        return None;
    }
    let (status, kind, body) = match request.path() {
        "/metrics" => {
            (200, "text/plain; version=0.0.4; charset=utf-8", text(&server.counts(), rooms))
        }
        "/healthz" if server.is_draining() => (503, PLAIN, "draining\n".into()),
        "/healthz" => (200, PLAIN, "ok\n".into()),
        _ => return None,
    };
    let answer = Rejection::new(status).header("Content-Type", kind);
    let answer = answer.header("Cache-Control", "no-store");
    Some(answer.header("X-Content-Type-Options", "nosniff").body(body))
}

const PLAIN: &str = "text/plain; charset=utf-8";

/// All metrics.
fn text(counts: &ServerCounts, rooms: &Rooms) -> String {
    let mut text = Text::default();
    clients(&mut text, counts);
    ends(&mut text, counts);
    messages(&mut text, counts);
    published(&mut text, &rooms.counts());
    let (is_available, refused) = rooms.storage();
    text.family("chat_storage_available", "gauge", "1 if messages can be stored.");
    text.sample("chat_storage_available", &[], u8::from(is_available));
    let help = "Names and messages that were refused because of Redis.";
    text.counter("chat_storage_refused_total", help, refused);
    let help = "How long it takes to send a text to all in the room.";
    text.histogram("chat_publish_seconds", help, &PUBLISH);
    text.0
}

fn clients(text: &mut Text, counts: &ServerCounts) {
    text.family("sansock_connections", "gauge", "Connections that are open now.");
    text.sample("sansock_connections", &[], counts.open_now);
    text.family("sansock_handshakes", "gauge", "Clients in their opening handshake now.");
    text.sample("sansock_handshakes", &[], counts.handshakes_now);
    text.counter("sansock_clients_total", "Clients that have connected.", counts.connected);
    text.counter("sansock_accepted_total", "Clients that got a connection.", counts.accepted);
    let help = "Plain HTTP requests that were answered: for the page, this text, health checks.";
    text.counter("sansock_answered_total", help, counts.answered);
    text.family("sansock_refused_total", "counter", "Clients that got no connection.");
    for (reason, count) in counts.refused.iter() {
        text.sample("sansock_refused_total", &[("reason", reason.name())], count);
    }
    let help = "Failures of the listener, for example without descriptors.";
    text.counter("sansock_accept_errors_total", help, counts.accept_errors);
}

fn ends(text: &mut Text, counts: &ServerCounts) {
    let help =
        "Ended connections by the code of the Close frame that each side has sent; 1006 if none.";
    text.family("sansock_closes_total", "counter", help);
    let sides = [("client", &counts.close_received), ("server", &counts.close_sent)];
    for (side, codes) in sides {
        for (code, count) in by_code(codes) {
            text.sample("sansock_closes_total", &[("side", side), ("code", &code)], count);
        }
    }
    let unread = [("side", "client"), ("code", "unread")];
    text.sample("sansock_closes_total", &unread, counts.close_unread);
    text.family("sansock_timeouts_total", "counter", "Deadlines that have passed.");
    for (kind, count) in counts.timeouts.iter() {
        text.sample("sansock_timeouts_total", &[("kind", kind)], count);
    }
    text.family("sansock_handler_failures_total", "counter", "Handlers that have failed.");
    let failures = [("error", counts.handlers_failed), ("panic", counts.handlers_panicked)];
    for (kind, count) in failures {
        text.sample("sansock_handler_failures_total", &[("kind", kind)], count);
    }
}

fn messages(text: &mut Text, counts: &ServerCounts) {
    let directions = [("received", &counts.received), ("sent", &counts.sent)];
    text.family("sansock_messages_total", "counter", "Whole messages.");
    for (direction, traffic) in directions {
        let labels = [("direction", direction)];
        text.sample("sansock_messages_total", &labels, traffic.messages);
    }
    let help = "Bytes of the messages' payloads, before compression.";
    text.family("sansock_payload_bytes_total", "counter", help);
    for (direction, traffic) in directions {
        let labels = [("direction", direction)];
        text.sample("sansock_payload_bytes_total", &labels, traffic.payload_bytes);
    }
    let help = "Bytes on the streams of all clients: handshakes, frames and pages, within TLS.";
    text.family("sansock_wire_bytes_total", "counter", help);
    for (direction, traffic) in directions {
        let labels = [("direction", direction)];
        text.sample("sansock_wire_bytes_total", &labels, traffic.wire_bytes);
    }
}

fn published(text: &mut Text, hub: &HubCounts) {
    let gauges = [
        ("sansock_hub_topics", "Rooms, those that are kept without visitors included.", hub.topics),
        ("sansock_hub_subscriptions", "Visitors in rooms.", hub.subscriptions),
        ("sansock_hub_waiting_messages", "Messages that wait for slow visitors.", hub.waiting),
        ("sansock_hub_waiting_bytes", "What they count against --buffer.", hub.waiting_bytes),
        ("sansock_hub_fullest_bytes", "The most that waits for one visitor.", hub.fullest_bytes),
    ];
    for (name, help, value) in gauges {
        text.family(name, "gauge", help);
        text.sample(name, &[], value);
    }
    let counters = [
        ("sansock_hub_published_total", "Messages to all of a room.", hub.published),
        ("sansock_hub_published_bytes_total", "Bytes of their frames.", hub.published_bytes),
        ("sansock_hub_accepted_total", "How often a visitor had room for one.", hub.accepted),
        ("sansock_hub_dropped_total", "Messages that were not sent to a visitor.", hub.dropped),
        ("sansock_hub_closed_total", "Visitors that were closed as too slow.", hub.closed),
    ];
    for (name, help, value) in counters {
        text.counter(name, help, value);
    }
}

/// The codes from 3000 on are together: clients choose among two thousand, and each value of a label
/// costs memory in Prometheus.
fn by_code(codes: &CloseCodes) -> Vec<(String, u64)> {
    let mut all: Vec<(String, u64)> = Vec::new();
    for (code, count) in codes.iter() {
        let name = match code {
            3000..=3999 => "3xxx".into(),
            4000..=4999 => "4xxx".into(),
            code => code.to_string(),
        };
        match all.last_mut() {
            // In ascending order, so that equal names are neighbours.
            Some((last, sum)) if *last == name => *sum += count,
            _ => all.push((name, count)),
        }
    }
    all
}

/// The text format.
#[derive(Default)]
struct Text(String);

impl Text {
    /// Begins the samples of a metric.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    /// A counter without labels.
    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        self.sample(name, &[], value);
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let escape =
            |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<_> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
        match labels.join(",") {
            labels if labels.is_empty() => self.line(format_args!("{name} {value}")),
            labels => self.line(format_args!("{name}{{{labels}}} {value}")),
        }
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.family(name, "histogram", help);
        let mut count = 0;
        let bounds = BOUNDS.iter().map(|micros| (f64::from(*micros) / 1e6).to_string());
        for (bucket, bound) in histogram.buckets.iter().zip(bounds.chain(["+Inf".into()])) {
            count += bucket.load(Ordering::Relaxed);
            self.sample(&format!("{name}_bucket"), &[("le", &bound)], count);
        }
        let sum = Duration::from_nanos(histogram.nanos.load(Ordering::Relaxed));
        self.sample(&format!("{name}_sum"), &[], sum.as_secs_f64());
        self.sample(&format!("{name}_count"), &[], count);
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // A String takes everything.
        let _ = writeln!(self.0, "{line}");
    }
}

/// The upper bounds of the buckets, in microseconds.
const BOUNDS: [u32; 12] =
    [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000];

/// How often something took how long.
pub(crate) struct Histogram {
    /// One for each of [`BOUNDS`], and one for what took longer.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

impl Histogram {
    const fn new() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; BOUNDS.len() + 1], nanos: AtomicU64::new(0) }
    }

    /// Measures `work`.
    pub(crate) fn time<T>(&self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.observe(start.elapsed());
        result
    }

    pub(crate) fn observe(&self, time: Duration) {
        let over = |bound: &u32| time > Duration::from_micros((*bound).into());
        let bucket = BOUNDS.partition_point(over);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}
