//! Runs the faults, and measures the server and good clients during each.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::{Fallible, ensure, ms};
use crate::gauge::Reading;
use crate::good::{self, alone, beside};
use crate::report;
use crate::server::Server;

/// A row of the table of faults.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) attack: Attack,
    pub(crate) home: Home,
    pub(crate) service: Service,
    /// The number of simultaneous connections, and the memory that each may cost the server, in
    /// KiB.
    pub(crate) memory: (usize, usize),
}

/// The attack; it returns what the peers saw, or which bound was exceeded.
#[derive(Clone, Copy)]
pub(crate) enum Attack {
    /// The server stays alive.
    On(fn(&mut Server) -> Fallible<String>),
    /// The server ends.
    Ending(fn(Server) -> Fallible<String>),
}

/// The server to attack.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Home {
    /// The server shared by all of these faults.
    Shared,
    /// A separate server, with a `ulimit` and arguments.
    Own { ulimit: &'static str, arguments: &'static [&'static str] },
}

/// The service that good clients may expect during the attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// Their normal time.
    Normal,
    /// Both processors are busy with the flood.
    Busy,
    /// Their normal time on existing connections; new ones are not possible.
    Held,
    /// They wait while the process is stopped.
    Frozen,
    /// The server closes their connections.
    Ends,
}

/// The result of one fault.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) fault: Fault,
    pub(crate) saw: String,
    pub(crate) before: Reading,
    pub(crate) peak: u64,
    /// `None` if the server has ended.
    pub(crate) after: Option<(Reading, good::Service)>,
    pub(crate) during: Option<good::Service>,
    pub(crate) time: Duration,
    pub(crate) cpu: Duration,
}

/// Memory that belongs to no connection: the allocator's arenas and the good clients, in KiB.
pub(crate) const SLACK: u64 = 8 << 10;
/// How long the good clients are measured without a fault.
const UNDISTURBED: Duration = ms(2000);

pub(crate) fn all(faults: &[&Fault], markdown: Option<&Path>) -> Fallible {
    let start = Instant::now();
    let mut shared = Server::start("", &[])?;
    let normal = alone(shared.address, UNDISTURBED)?;
    let first = shared.settled(0)?;
    let mut rows = Vec::new();
    for &fault in faults {
        let row = one(fault, &mut shared).and_then(|row| row.check(&normal).map(|()| row));
        let row = row.map_err(|error| format!("{}: {error}", fault.name))?;
        eprintln!("{}: {} ({:.1} s)", fault.name, row.saw, row.time.as_secs_f64());
        rows.push(row);
    }
    let last = shared.settled(0)?;
    shared.tell_to_stop()?;
    let ledger = shared.ended()?;
    let table = report::table(&rows, &normal, (first, last), &ledger, start.elapsed())?;
    println!("{table}");
    if let Some(file) = markdown {
        fs::write(file, table)?;
    }
    Ok(())
}

fn one(fault: &Fault, shared: &mut Server) -> Fallible<Row> {
    let mut own = match fault.home {
        Home::Shared => None,
        Home::Own { ulimit, arguments } => Some(Server::start(ulimit, arguments)?),
    };
    match fault.attack {
        Attack::On(attack) => survived(fault, own.as_mut().unwrap_or(shared), attack),
        Attack::Ending(attack) => ended(fault, own.take().ok_or("it needs a server")?, attack),
    }
}

fn survived(
    fault: &Fault,
    server: &mut Server,
    attack: fn(&mut Server) -> Fallible<String>,
) -> Fallible<Row> {
    let before = server.settled(0)?;
    server.gauge.reset_peak()?;
    let start = Instant::now();
    let newcomers = fault.service != Service::Held;
    let (saw, during) = beside(server.address, newcomers, || attack(server))?;
    let time = start.elapsed();
    let after = server.settled(0)?;
    let later = alone(server.address, ms(500))?;
    Ok(Row {
        fault: *fault,
        saw,
        before,
        peak: after.peak,
        after: Some((after, later)),
        during: Some(during),
        time,
        cpu: after.cpu.saturating_sub(before.cpu),
    })
}

fn ended(fault: &Fault, server: Server, attack: fn(Server) -> Fallible<String>) -> Fallible<Row> {
    let before = server.settled(0)?;
    let start = Instant::now();
    let saw = attack(server)?;
    Ok(Row {
        fault: *fault,
        saw,
        before,
        peak: before.peak,
        after: None,
        during: None,
        time: start.elapsed(),
        cpu: Duration::ZERO,
    })
}

impl Fault {
    /// How much the server's memory may grow, in KiB.
    pub(crate) const fn bound(&self) -> u64 {
        (self.memory.0 * self.memory.1) as u64 + SLACK
    }
}

impl Row {
    fn check(&self, normal: &good::Service) -> Fallible {
        let bound = self.before.memory + self.fault.bound();
        ensure(self.peak <= bound, || format!("{} KiB, more than {bound}", self.peak))?;
        if let Some(during) = &self.during {
            self.fault.service.check(during, normal, "meanwhile")?;
        }
        if let Some((_, after)) = &self.after {
            Service::Normal.check(after, normal, "afterwards")?;
        }
        Ok(())
    }
}

impl Service {
    /// The bounds of the median, given an undisturbed one, and of the maximum. The maximum allows
    /// for a SYN that finds the listener's backlog full and is repeated after a second. The machine
    /// may be busy otherwise: a server that waits for an attacker is much slower than these bounds.
    pub(crate) fn bounds(self, normal: Duration) -> (Duration, Duration) {
        match self {
            Self::Normal | Self::Held => (normal * 3 + ms(20), ms(2000)),
            Self::Busy | Self::Ends => (normal * 3 + ms(100), ms(3000)),
            Self::Frozen => (normal * 3 + ms(20), ms(5000)),
        }
    }

    fn check(self, seen: &good::Service, normal: &good::Service, when: &str) -> Fallible {
        for (what, seen, normal) in [
            ("echo", &seen.echo, &normal.echo),
            ("a new connection", &seen.opening, &normal.opening),
        ] {
            let (median, max) = self.bounds(normal.median());
            ensure(seen.median() <= median && seen.max() <= max, || {
                format!(
                    "{what} took {:?} in the median and {:?} at most {when}; it may {median:?} and {max:?}",
                    seen.median(),
                    seen.max()
                )
            })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attack")
    }
}
