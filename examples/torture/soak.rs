//! `torture --soak`: mixed traffic with random faults, and an account of every message.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sansock::net::{Client, Error, Next, WebSocket};
use sansock::{CloseCode, Event, Message, OpCode};

use crate::common::{Dice, Fallible, ensure, join};
use crate::gauge::Reading;
use crate::peer::{self, frame, header, request};
use crate::server::Server;

/// Clients at a time.
const CLIENTS: u64 = 16;
/// How often the server is looked at, in the whole run.
const SAMPLES: u32 = 200;
/// By how much the memory may be larger in the last tenth than in the first: what the allocator
/// keeps, in KiB.
const GROWTH: u64 = 4 << 10;
/// The longest message, in bytes.
const LONGEST: usize = 256 << 10;
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of the messages.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    connections: u64,
    /// Messages that were sent, and bytes of their payloads.
    sent: u64,
    sent_bytes: u64,
    /// Of these: came back, intact and in order.
    echoed: u64,
    echoed_bytes: u64,
    /// Of these: did not come back before the client's own fault ended the connection.
    lost: u64,
    /// Faults, and connections that were closed by the rules.
    faults: u64,
    closed: u64,
}

pub(crate) fn soak(time: Duration, seed: Option<u64>) -> Fallible {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let seed = seed.unwrap_or(u64::from(now.subsec_nanos()));
    println!("soak: {} s, {CLIENTS} clients, --seed {seed}", time.as_secs());
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
                    let client = Visitor { urls, address };
                    client.visit(&mut dice, over).inspect_err(|_| {
                        // One broken rule ends the run.
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

/// Looks at the server from time to time.
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
    // Connections come and go: one or two more are chance.
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

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The closing handshake, after every echo has come.
    Close,
    /// The closing handshake at once: what the server still echoes comes before its Close frame.
    CloseEarly,
    /// The stream is dropped with echoes on their way: a reset, mostly.
    Drop,
    /// A frame is begun and never ended.
    HalfFrame,
    /// A frame that breaks a rule.
    Violation,
}

const FATES: [Fate; 8] = [
    Fate::Close,
    Fate::Close,
    Fate::Close,
    Fate::CloseEarly,
    Fate::CloseEarly,
    Fate::Drop,
    Fate::HalfFrame,
    Fate::Violation,
];

/// One client after the other.
struct Visitor {
    urls: [String; 2],
    address: std::net::SocketAddr,
}

impl Visitor {
    fn visit(&self, dice: &mut Dice, over: &AtomicBool) -> Fallible<Account> {
        let mut account = Account::default();
        while !over.load(Ordering::SeqCst) {
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

    /// A client that goes away before there is a connection, or asks for none.
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

/// One connection, its messages numbered.
struct Talk {
    socket: WebSocket,
    seed: u64,
    sent: u64,
    echoed: u64,
    sent_bytes: u64,
    echoed_bytes: u64,
    /// The server's Close frame has come.
    closed: bool,
}

impl Talk {
    fn open(url: &str, seed: u64) -> Fallible<Self> {
        let client = Client::new(url)?.connect_timeout(PATIENCE).write_timeout(PATIENCE);
        Ok(Self {
            socket: client.connect()?,
            seed,
            sent: 0,
            echoed: 0,
            sent_bytes: 0,
            echoed_bytes: 0,
            closed: false,
        })
    }

    /// Some rounds of a few messages each, and then the end.
    fn run(&mut self, dice: &mut Dice, fate: Fate) -> Fallible {
        let rounds = dice.below(20);
        for _ in 0..rounds {
            let ahead = dice.below(8);
            for _ in 0..=ahead {
                self.send(dice)?;
            }
            self.socket.flush()?;
            let leave = dice.below(ahead + 1);
            self.read_until(self.sent - leave)?;
        }
        match fate {
            Fate::Close => {
                self.read_until(self.sent)?;
                self.close(CloseCode::NORMAL)
            }
            Fate::CloseEarly => self.close(CloseCode::GOING_AWAY),
            Fate::Drop => Ok(()),
            Fate::HalfFrame => {
                let mut half = header(OpCode::Binary, true, 1 + dice.below(LONGEST as u64));
                half.push(0);
                self.write_raw(&half)
            }
            Fate::Violation => self.violate(dice),
        }
    }

    /// A message whose bytes follow from the connection's seed and the message's number.
    fn message(&self, number: u64) -> Vec<u8> {
        let mut dice = Dice::new(self.seed ^ number.wrapping_mul(0xff51_afd7_ed55_8ccd));
        let length = match dice.below(20) {
            0 => dice.size(LONGEST),
            1..=5 => dice.size(8 << 10),
            _ => dice.size(200),
        };
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&dice.roll().to_le_bytes());
        }
        bytes.truncate(length);
        if number % 2 == 0 {
            // Text: letters only.
            bytes.iter_mut().for_each(|byte| *byte = b'a' + *byte % 26);
        }
        bytes
    }

    /// Queues the next message, in one frame or in several with Pings in between.
    fn send(&mut self, dice: &mut Dice) -> Fallible {
        let bytes = self.message(self.sent);
        let text = self.sent % 2 == 0;
        let message = |bytes| -> Fallible<Message<'_>> {
            Ok(if text {
                Message::Text(std::str::from_utf8(bytes)?)
            } else {
                Message::Binary(bytes)
            })
        };
        let outgoing = self.socket.outgoing();
        if dice.below(4) == 0 {
            let (mut left, step) = (bytes.as_slice(), 1 + bytes.len() / 3);
            loop {
                let (now, later) = left.split_at(step.min(left.len()));
                outgoing.queue_fragment(message(now)?, later.is_empty())?;
                if later.is_empty() {
                    break;
                }
                left = later;
                if dice.below(3) == 0 {
                    outgoing.ping(b"between fragments")?;
                }
            }
        } else {
            outgoing.queue(message(&bytes)?)?;
        }
        self.sent += 1;
        self.sent_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Reads until so many echoes have come.
    fn read_until(&mut self, echoes: u64) -> Fallible {
        while self.echoed < echoes {
            ensure(self.read_one()?, || "the server ended the connection".into())?;
        }
        Ok(())
    }

    /// `false` at the end.
    fn read_one(&mut self) -> Fallible<bool> {
        let expected = self.message(self.echoed);
        match self.socket.next_event_timeout(PATIENCE)? {
            Next::Event(Event::Message(echo)) => {
                let text = matches!(echo, Message::Text(_));
                let same = echo.as_bytes() == expected && text == (self.echoed % 2 == 0);
                ensure(same && self.echoed < self.sent, || {
                    format!("echo {} is not what was sent", self.echoed)
                })?;
                self.echoed += 1;
                self.echoed_bytes += expected.len() as u64;
            }
            Next::Event(Event::Close(_)) => self.closed = true,
            Next::Event(_) => {}
            Next::Ended => return Ok(false),
            Next::TimedOut => return Err("no answer".into()),
        }
        Ok(true)
    }

    /// The closing handshake. Echoes that were on their way come before the server's Close frame.
    fn close(&mut self, code: CloseCode) -> Fallible {
        self.socket.start_close(code, "")?;
        while self.read_one()? {}
        ensure(self.closed, || "no Close frame".into())?;
        // What was sent before a Close frame is answered before the answer to it.
        ensure(self.echoed == self.sent, || "echoes are missing behind a clean close".into())
    }

    fn violate(&mut self, dice: &mut Dice) -> Fallible {
        let bad = match dice.below(3) {
            0 => frame(OpCode::Continuation, true, b"of nothing"),
            1 => frame(OpCode::Text, true, b"\xff is not UTF-8"),
            _ => header(OpCode::Binary, true, 1 << 62),
        };
        self.write_raw(&bad)?;
        loop {
            match self.read_one() {
                Ok(true) => {}
                Ok(false) => return ensure(self.closed, || "no Close frame".into()),
                // The reset of a server that has unread bytes of ours is allowed, silence is not.
                Err(error) if is_over(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn write_raw(&mut self, bytes: &[u8]) -> Fallible {
        self.socket.flush()?;
        Ok(self.socket.get_mut().write_all(bytes)?)
    }
}

fn is_over(error: &crate::common::Failure) -> bool {
    matches!(
        error.downcast_ref(),
        Some(Error::Io(error)) if error.kind() == io::ErrorKind::ConnectionReset
    )
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
