//! The clients, and what must hold at the end.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};

use crate::chaos;
use crate::client::{Client, Common, Findings, HOUR, State};
use crate::log::Log;
use crate::parts::Parts;
use crate::wires::Wires;

/// Every client of so many has a network that is cut.
const CUT: usize = 15;
/// How long everything may take to arrive after the last fault.
const REST: Duration = Duration::from_secs(60);

/// What the faults need to see of the clients.
pub(crate) struct Crowd {
    pub(crate) clients: Vec<(Rc<RefCell<State>>, Rc<Log>)>,
    pub(crate) common: Rc<Common>,
    pub(crate) wires: Wires,
}

impl Crowd {
    /// How many clients have had no answer since then.
    pub(crate) fn waiting_since(&self, time: Instant) -> usize {
        self.clients.iter().filter(|it| it.0.borrow().waits_since(time)).count()
    }

    /// What went wrong for the first of them.
    pub(crate) fn trouble_since(&self, time: Instant) -> String {
        let mut waiting = self.clients.iter().filter(|it| it.0.borrow().waits_since(time));
        waiting.next().map(|it| it.0.borrow().trouble.clone()).unwrap_or_default()
    }
}

/// Runs the clients while things fail, and checks.
pub(crate) async fn run(
    clients: usize,
    rooms: usize,
    chats: usize,
    time: Duration,
) -> Result<(), Box<dyn std::error::Error>> {
    let options = ["--rate", "20", "--resume", "10000", "--keepalive", "3"];
    let mut parts = Parts::start(chats, &options).await;
    println!("{clients} clients in {rooms} rooms, {chats} processes, {} s", time.as_secs());
    let run = async {
        let crowd = enter(clients, rooms, &parts).await;
        let start = Instant::now();
        chaos::run(&mut parts, &crowd, time).await?;
        crowd.common.findings.borrow_mut().writing = false;
        settle(&crowd).await;
        report(&crowd, start.elapsed())
    };
    let result = LocalSet::new().run_until(run).await;
    if result.is_err() {
        parts.fail();
    }
    result
}

async fn enter(clients: usize, rooms: usize, parts: &Parts) -> Crowd {
    let findings = Findings {
        wrong: Vec::new(),
        acknowledged: 0,
        delivered: 0,
        repeated: 0,
        refused: 0,
        connections: 0,
        latency: Histogram::new_with_max(HOUR, 2).unwrap(),
        writing: true,
    };
    let common = Rc::new(Common { epoch: Instant::now(), findings: RefCell::new(findings) });
    let logs: Vec<Rc<Log>> = (0..rooms).map(|_| Rc::default()).collect();
    let wires = Wires::to(parts.haproxy.address).await;
    let mut all = Vec::new();
    for number in 0..clients {
        let (room, state) = (number % rooms, Rc::default());
        all.push((Rc::clone(&state), Rc::clone(&logs[room])));
        let client = Client {
            name: format!("client{number}"),
            room: format!("room{room}"),
            log: Rc::clone(&logs[room]),
            front: if number % CUT == 0 { wires.address } else { parts.haproxy.address },
            common: Rc::clone(&common),
            state,
        };
        tokio::task::spawn_local(client.run());
    }
    Crowd { clients: all, common, wires }
}

/// Waits until all is acknowledged and has arrived everywhere.
async fn settle(crowd: &Crowd) {
    let start = Instant::now();
    let is_done = |(state, log): &(Rc<RefCell<State>>, Rc<Log>)| {
        let state = state.borrow();
        state.pending.is_none() && log.lacks(&state.place) == 0
    };
    while !crowd.clients.iter().all(is_done) && start.elapsed() < REST {
        sleep(Duration::from_millis(50)).await;
    }
    // What is doubled would come now.
    sleep(Duration::from_secs(1)).await;
}

fn report(crowd: &Crowd, time: Duration) -> Result<(), Box<dyn std::error::Error>> {
    let mut findings = crowd.common.findings.borrow_mut();
    let mut wrong = std::mem::take(&mut findings.wrong);
    for (number, (state, log)) in crowd.clients.iter().enumerate() {
        let state = state.borrow();
        let lacks = log.lacks(&state.place);
        if lacks > 0 || state.pending.is_some() || state.own != state.acknowledged {
            let (own, acknowledged) = (state.own, state.acknowledged);
            wrong.push(format!(
                "client{number}: lacks {lacks}, pending {:?}, {own} of {acknowledged} own",
                state.pending
            ));
        }
    }
    let ms = |percent| findings.latency.value_at_quantile(percent) / 1_000;
    println!(
        "{} s: {} messages acknowledged, {} delivered, {} sent again, {} refused, {} connections",
        time.as_secs(),
        findings.acknowledged,
        findings.delivered,
        findings.repeated,
        findings.refused,
        findings.connections
    );
    println!(
        "from sending to receiving, faults included: p50 {} ms, p99 {} ms, the latest {} ms",
        ms(0.5),
        ms(0.99),
        findings.latency.max() / 1_000
    );
    if wrong.is_empty() {
        println!("every client has every acknowledged message of its room once, in order");
        return Ok(());
    }
    for line in wrong.iter().take(20) {
        println!("{line}");
    }
    Err(format!("{} things are wrong", wrong.len()).into())
}
