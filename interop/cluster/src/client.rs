//! A client of the chat: writes numbered messages, one after the other, comes back after each end,
//! and checks what it gets.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hdrhistogram::Histogram;
use sansock_tokio::{Config, Error, Event, Keepalive, Stream, Timeouts, WebSocket};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::log::{Log, Place};

/// The longest latency that is told apart, in microseconds.
pub(crate) const HOUR: u64 = 3_600_000_000;
/// A connection without an answer for this time is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// What all clients share.
pub(crate) struct Common {
    pub(crate) epoch: Instant,
    pub(crate) findings: RefCell<Findings>,
}

/// What was seen.
pub(crate) struct Findings {
    pub(crate) wrong: Vec<String>,
    pub(crate) acknowledged: u64,
    pub(crate) delivered: u64,
    pub(crate) repeated: u64,
    pub(crate) refused: u64,
    pub(crate) connections: u64,
    /// From sending to receiving, in microseconds, resumed messages included.
    pub(crate) latency: Histogram<u32>,
    /// Whether clients write.
    pub(crate) writing: bool,
}

pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) room: String,
    pub(crate) log: Rc<Log>,
    pub(crate) front: SocketAddr,
    pub(crate) common: Rc<Common>,
    pub(crate) state: Rc<RefCell<State>>,
}

/// What a client has sent and got.
#[derive(Default)]
pub(crate) struct State {
    /// The last message that it has.
    last: Option<String>,
    pub(crate) place: Place,
    /// The number of the message that is not acknowledged, and whether it was sent on this
    /// connection.
    pub(crate) pending: Option<u64>,
    is_sent: bool,
    is_signed_in: bool,
    sent: u64,
    pub(crate) acknowledged: u64,
    /// The number of its own message that came last.
    pub(crate) own: u64,
    pub(crate) last_ack: Option<Instant>,
    /// What went wrong last.
    pub(crate) trouble: String,
}

impl State {
    /// A new connection begins.
    fn begin(&mut self) {
        (self.is_sent, self.is_signed_in) = (false, false);
    }

    /// Whether it has had no answer since then.
    pub(crate) fn waits_since(&self, time: Instant) -> bool {
        self.last_ack.is_none_or(|ack| ack < time)
    }
}

impl Client {
    /// Runs until it is dropped.
    pub(crate) async fn run(self) {
        let mut pause = Duration::from_millis(100);
        loop {
            match self.connect().await {
                Ok(socket) => {
                    pause = Duration::from_millis(100);
                    self.common.findings.borrow_mut().connections += 1;
                    self.state.borrow_mut().begin();
                    // However it ended, the next connection goes on.
                    let ended = self.talk(socket).await;
                    self.state.borrow_mut().trouble = format!("{ended:?}");
                }
                Err(error) => {
                    self.state.borrow_mut().trouble = error;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
            }
            // Not all at the same time.
            let own = u32::try_from(self.name.len() % 7).unwrap_or_default();
            sleep(pause + Duration::from_millis(10) * own).await;
        }
    }

    async fn connect(&self) -> Result<WebSocket<Stream>, String> {
        let in_time = timeout(PATIENCE, self.open()).await;
        in_time.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    async fn open(&self) -> Result<WebSocket<Stream>, Error> {
        let mut url = format!("ws://{}/rooms/{}?client={}", self.front, self.room, self.name);
        if let Some(last) = &self.state.borrow().last {
            url = format!("{url}&after={last}");
        }
        let second = Duration::from_secs(2);
        let keepalive = Keepalive { interval: second, timeout: second };
        let config = Config::new().timeouts(Timeouts::new().keepalive(keepalive));
        sansock_tokio::Client::new(&url)?.config(config).connect().await
    }

    async fn talk(&self, mut socket: WebSocket<Stream>) -> Result<(), Error> {
        let mut next = Instant::now();
        let mut answered = Instant::now();
        loop {
            let is_waiting = self.state.borrow().is_sent;
            let until = if is_waiting { answered + PATIENCE } else { next };
            tokio::select! {
                event = socket.recv() => match event? {
                    Some(Event::Message(message)) => {
                        let text = message.as_text().unwrap_or_default();
                        if let Some(pause) = self.got(&serde_json::from_str(text).unwrap()) {
                            next = Instant::now() + pause;
                            self.state.borrow_mut().is_sent = false;
                        }
                    }
                    Some(_) => {}
                    None => return Ok(()),
                },
                () = sleep_until(until) => {
                    if is_waiting {
                        return Ok(());
                    }
                    if !std::mem::replace(&mut self.state.borrow_mut().is_signed_in, true) {
                        let name = json!({ "type": "username", "name": self.name });
                        socket.queue(name.to_string())?;
                    }
                    let Some(text) = self.next() else {
                        next = Instant::now() + Duration::from_millis(100);
                        continue;
                    };
                    socket.send(text).await?;
                    answered = Instant::now();
                }
            }
        }
    }

    /// The message that is to be sent: the one that was not acknowledged, or a new one.
    fn next(&self) -> Option<String> {
        let mut state = self.state.borrow_mut();
        let mut findings = self.common.findings.borrow_mut();
        let number = match state.pending {
            Some(number) => {
                findings.repeated += 1;
                number
            }
            None if findings.writing => {
                state.sent += 1;
                state.sent
            }
            None => return None,
        };
        state.pending = Some(number);
        state.is_sent = true;
        let now = self.common.epoch.elapsed().as_micros();
        let text = format!("{} {number} {now}", self.name);
        Some(json!({ "type": "message", "text": text, "key": number.to_string() }).to_string())
    }

    /// Looks at what has come. After an answer it returns how long to wait before the next message.
    fn got(&self, message: &Value) -> Option<Duration> {
        let mut state = self.state.borrow_mut();
        let mut findings = self.common.findings.borrow_mut();
        let text = |name: &str| message[name].as_str().unwrap_or_default();
        match text("type") {
            "message" => {
                findings.delivered += 1;
                let id = text("id").parse().unwrap_or_else(|()| unreachable!("{message}"));
                if let Err(error) = self.log.see(&mut state.place, id) {
                    findings.wrong.push(format!("{}: {error}", self.name));
                }
                state.last = Some(text("id").to_owned());
                self.check(text("text"), &mut state, &mut findings);
            }
            "ack" if state.pending.is_some_and(|it| text("key") == it.to_string()) => {
                state.acknowledged += 1;
                state.pending = None;
                state.last_ack = Some(Instant::now());
                findings.acknowledged += 1;
                return Some(Duration::from_millis(500));
            }
            "error" => {
                findings.refused += 1;
                // What is wrong is the name, unless the same message may be accepted later.
                state.is_signed_in &= !text("key").is_empty() && message["retry"] == true;
                state.trouble = message.to_string();
                return Some(Duration::from_millis(300));
            }
            "gap" => findings.wrong.push(format!("{}: {message}", self.name)),
            _ => {}
        }
        None
    }

    /// Its own messages come back once each, in the order of their numbers.
    fn check(&self, text: &str, state: &mut State, findings: &mut Findings) {
        let mut words = text.split(' ');
        let (name, number, sent) = (words.next(), words.next(), words.next());
        let sent: u128 = sent.and_then(|it| it.parse().ok()).unwrap_or_default();
        let late = self.common.epoch.elapsed().as_micros().saturating_sub(sent);
        findings.latency.saturating_record(u64::try_from(late).unwrap_or(u64::MAX));
        if name == Some(&self.name) {
            let number: u64 = number.and_then(|it| it.parse().ok()).unwrap_or_default();
            if number != state.own + 1 {
                let own = state.own;
                findings.wrong.push(format!("{}: own {number} after {own}", self.name));
            }
            state.own = number;
        }
    }
}
