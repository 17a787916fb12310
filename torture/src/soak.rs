//! `torture --soak`: mixed traffic with random faults, and an account of every message.

use std::fmt;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::common::{Dice, Fallible, ensure, join};
use crate::gauge::Reading;
use crate::peer::{self, request};
use crate::server::Server;
use crate::talk::{FATES, Fate, Talk};

/// Number of simultaneous clients.
const CLIENTS: u64 = 16;
/// Number of measurements of the server in the whole run.
const SAMPLES: u32 = 200;
/// How much larger the memory may be in the last tenth than in the first, in KiB: the allocator
/// keeps some.
const GROWTH: u64 = 1 << 10;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) time: Duration,
    /// The longest pause of a client between two connections, in milliseconds.
    pub(crate) rest: u64,
    /// The seed of the clients' random choices.
    pub(crate) seed: Option<u64>,
}

/// The counts of the messages.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    connections: u64,
    /// Messages that were sent, and bytes of their payloads.
    sent: u64,
    sent_bytes: u64,
    /// How many of these came back, intact and in order.
    echoed: u64,
    echoed_bytes: u64,
    /// How many of these did not come back before the client's own fault ended the connection.
    lost: u64,
    /// Faults, and connections that were closed with a closing handshake.
    faults: u64,
    closed: u64,
}

pub(crate) fn soak(options: &Options) -> Fallible {
    let &Options { time, rest, seed } = options;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let seed = seed.unwrap_or(u64::from(now.subsec_nanos()));
    println!("soak: {} s, {CLIENTS} clients, --rest {rest} --seed {seed}", time.as_secs());
    let mut server = Server::start("", &[])?;
    let before = server.settled(0)?;
    let over = AtomicBool::new(false);
    let (account, samples) = thread::scope(|scope| {
        let urls = [server.url("/"), server.url("/split")];
        let (over, address) = (&over, server.address);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| {
                let urls = urls.clone();
                let mut dice = Dice::new(seed ^ (n << 32));
                scope.spawn(move || {
                    let client = Visitor { urls, address, rest };
                    client.visit(&mut dice, over).inspect_err(|_| {
                        // The first error ends the run.
                        over.store(true, Ordering::SeqCst);
                    })
                })
            })
            .collect();
        let samples = sample(&server, time, over);
        over.store(true, Ordering::SeqCst);
        let accounts = clients.into_iter().map(join).collect::<Fallible<Vec<_>>>();
        (
            accounts.map(|accounts| accounts.into_iter().fold(Account::default(), Account::plus)),
            samples,
        )
    });
    let (account, samples) = (account?, samples?);
    println!("{account}");
    account.check()?;
    let after = server.settled(0)?;
    server.tell_to_stop()?;
    let ledger = server.ended()?;
    println!(
        "server: {} messages accepted for sending, {} bytes of them lost with their connections, {} \
         connections failed, {} clients refused",
        ledger.accepted, ledger.unsent, ledger.failed, ledger.refused
    );
    ensure(ledger.accepted >= account.echoed, || "more echoes than the server sent".into())?;
    ensure(ledger.panics == 0, || format!("{} panics", ledger.panics))?;
    growth(&samples)?;
    println!(
        "before and after: {} and {} KiB, {} and {} threads, {} and {} descriptors",
        before.memory,
        after.memory,
        before.threads,
        after.threads,
        before.descriptors,
        after.descriptors
    );
    Ok(())
}

/// Measures the server from time to time.
fn sample(server: &Server, time: Duration, over: &AtomicBool) -> Fallible<Vec<Reading>> {
    let start = Instant::now();
    let mut samples = Vec::new();
    while start.elapsed() < time && !over.load(Ordering::SeqCst) {
        thread::sleep(time / SAMPLES);
        samples.push(server.gauge.read()?);
    }
    Ok(samples)
}

/// Compares the first tenth with the last.
fn growth(samples: &[Reading]) -> Fallible {
    let tenth = (samples.len() / 10).max(1);
    let (first, last) = (&samples[..tenth], &samples[samples.len() - tenth..]);
    let mean = |of: &[Reading], what: fn(&Reading) -> u64| {
        of.iter().map(what).sum::<u64>() / of.len().max(1) as u64
    };
    // Connections come and go: a difference of one or two is random.
    for (name, what, unit, slack) in [
        ("memory", (|it| it.memory) as fn(&Reading) -> u64, " KiB", GROWTH),
        ("threads", |it| it.threads, "", CLIENTS / 2),
        ("descriptors", |it| it.descriptors, "", CLIENTS / 2),
    ] {
        let (first, last) = (mean(first, what), mean(last, what));
        println!("{name}, mean of the first and the last tenth: {first} and {last}{unit}");
        ensure(last <= first + slack, || format!("{name} has grown from {first} to {last}{unit}"))?;
    }
    Ok(())
}

/// One client after the other.
struct Visitor {
    urls: [String; 2],
    address: std::net::SocketAddr,
    rest: u64,
}

impl Visitor {
    fn visit(&self, dice: &mut Dice, over: &AtomicBool) -> Fallible<Account> {
        let mut account = Account::default();
        while !over.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(dice.below(self.rest)));
            if dice.below(8) == 0 {
                self.never_opens(dice)?;
                account.faults += 1;
                continue;
            }
            let fate = FATES[dice.size(FATES.len())];
            let seed = dice.roll();
            let mut talk = Talk::open(&self.urls[dice.size(2)], seed)?;
            let result = talk.run(dice, fate);
            let Talk { sent, echoed, sent_bytes, echoed_bytes, .. } = talk;
            result.map_err(|error| format!("{fate:?}, {echoed} of {sent} echoed: {error}"))?;
            account = account.plus(Account {
                connections: 1,
                sent,
                sent_bytes,
                echoed,
                echoed_bytes,
                lost: sent - echoed,
                faults: u64::from(!matches!(fate, Fate::Close | Fate::CloseEarly)),
                closed: u64::from(matches!(fate, Fate::Close | Fate::CloseEarly)),
            });
        }
        Ok(account)
    }

    /// A client that disconnects before the connection is open, or does not ask for one.
    fn never_opens(&self, dice: &mut Dice) -> Fallible {
        let mut stream = peer::tcp(self.address)?;
        let request = request("/");
        stream.write_all(&request.as_bytes()[..dice.size(request.len())])?;
        if dice.below(2) == 0 {
            stream.write_all(b"\r\n: \r\n\r\n")?;
            peer::end(&mut stream)?;
        }
        Ok(())
    }
}

impl Account {
    fn plus(self, other: Self) -> Self {
        Self {
            connections: self.connections + other.connections,
            sent: self.sent + other.sent,
            sent_bytes: self.sent_bytes + other.sent_bytes,
            echoed: self.echoed + other.echoed,
            echoed_bytes: self.echoed_bytes + other.echoed_bytes,
            lost: self.lost + other.lost,
            faults: self.faults + other.faults,
            closed: self.closed + other.closed,
        }
    }

    fn check(&self) -> Fallible {
        ensure(self.echoed > 0 && self.faults > 0, || "nothing happened".into())?;
        ensure(self.sent == self.echoed + self.lost, || "messages are unaccounted for".into())
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} connections, {} closed by the rules, {} faults; {} messages ({} MiB) sent, {} ({} MiB) came \
             back intact and in order, {} were on their way when a fault of the client's ended the \
             connection",
            self.connections,
            self.closed,
            self.faults,
            self.sent,
            self.sent_bytes >> 20,
            self.echoed,
            self.echoed_bytes >> 20,
            self.lost
        )
    }
}
