//! Faults and floods against the crate's server, on loopback: what the attackers see, what it costs
//! the server, and whether good clients are still served.
//!
//! ```sh
//! cargo run --release -p torture
//! cargo run --release -p torture -- --soak 3600
//! ```
//!
//! The server runs in a separate process, so that its memory, threads, descriptors and processor
//! time can be measured separately, and limits apply to it alone. It ends with this program.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use lexopt::{Arg, ValueExt as _};

#[path = "../../examples/command_line/mod.rs"]
mod command_line;
mod common;
mod faults;
mod gauge;
mod good;
mod peer;
mod report;
mod run;
mod serve;
mod server;
mod soak;
mod talk;

use faults::{clock, floods, opening, panics, scarcity, shutdown, slow_reading, stalls, vanishing};
use run::{Attack, Fault, Home, Service};

const HELP: &str = "\
Attacks the crate's own server on loopback and checks the effects.

Usage: torture [--markdown FILE] [FAULT...]
       torture --soak SECONDS [--rest MILLISECONDS] [--seed NUMBER]
       torture --list

Without a FAULT, all of them run in turn. The exit code is 1 if a bound is exceeded.

Options:
  --markdown FILE  also write the table to this file
  --soak SECONDS   run mixed traffic with random faults for this time
  --rest MILLISECONDS
                   the longest pause of a soak client between two connections; without it, the
                   clients use all processors
  --seed NUMBER    the seed of the soak's random choices; it is printed, so that a run can be
                   repeated
  --list           list the faults and what they do
  --help           show this
";

/// The memory of a connection without a message: its state and the used pages of its thread's
/// stack, in KiB.
const BARE: usize = 64;
/// The memory of the read buffer for small messages, in KiB.
const INPUT: usize = 256;
/// The memory of a full send buffer, including its growth, in KiB.
const OUTPUT: usize = 2 * serve::BUFFERED / 1024;

/// The memory of a TLS connection: records that are encrypted and not yet written, in KiB.
const TLS: usize = 128;

/// The large message, which all handlers lend, in KiB.
const LARGE: usize = serve::LARGE / 1024;

/// The faults, in the order of the run. Each has the number of its connections and the KiB that
/// each of them may cost the server.
const FAULTS: &[Fault] = &[
    Fault {
        name: "slow-handshakes",
        what: "200 clients send their request a byte each 50 ms",
        attack: Attack::On(opening::slow_handshakes),
        home: Home::Shared,
        service: Service::Normal,
        memory: (opening::SLOW, BARE),
    },
    Fault {
        name: "half-open-handshakes",
        what: "2,000 clients send half a request and stay",
        attack: Attack::On(opening::half_open),
        home: Home::Shared,
        service: Service::Busy,
        memory: (opening::HALF_OPEN, BARE),
    },
    Fault {
        name: "vanish",
        what: "1,000 clients connect and are gone: without a byte, after half a request, after a whole one",
        attack: Attack::On(opening::vanish),
        home: Home::Shared,
        service: Service::Busy,
        memory: (opening::VANISHING, BARE),
    },
    Fault {
        name: "reset",
        what: "200 connections are reset in the middle of a frame",
        attack: Attack::On(vanishing::resets),
        home: Home::Shared,
        service: Service::Busy,
        memory: (vanishing::RESETS, 2 * BARE),
    },
    Fault {
        name: "half-open",
        what: "50 connections answer nothing any more, 50 have ended their own side only",
        attack: Attack::On(vanishing::half_open),
        home: Home::Shared,
        service: Service::Normal,
        memory: (vanishing::HALF_OPEN, 2 * BARE),
    },
    Fault {
        name: "never-read",
        what: "16 peers send 16 KiB messages at full speed and read no echo",
        attack: Attack::On(stalls::never_read),
        home: Home::Shared,
        service: Service::Busy,
        memory: (stalls::MUTE, 2 * BARE + INPUT + OUTPUT),
    },
    Fault {
        name: "drip-read",
        what: "16 peers ask for 32 MiB and read one byte every 5 ms",
        attack: Attack::On(slow_reading::drip),
        home: Home::Own { ulimit: "", arguments: &[] },
        service: Service::Normal,
        memory: (slow_reading::DRIPPING, LARGE / slow_reading::DRIPPING + 2 * BARE),
    },
    Fault {
        name: "drip-read-tls",
        what: "16 peers ask for 32 MiB over TLS and read one byte every 5 ms",
        attack: Attack::On(slow_reading::drip_tls),
        home: Home::Own { ulimit: "", arguments: &["--tls"] },
        service: Service::Normal,
        memory: (slow_reading::DRIPPING, LARGE / slow_reading::DRIPPING + 2 * BARE + TLS),
    },
    Fault {
        name: "drip-read-web",
        what: "4 objects of browsers send 32 MiB each to a server that reads one byte every 5 ms",
        attack: Attack::On(slow_reading::drip_web),
        home: Home::Own { ulimit: "", arguments: &[] },
        service: Service::Normal,
        memory: (slow_reading::SLOW, LARGE / slow_reading::SLOW + LARGE + LARGE / 8),
    },
    Fault {
        name: "slow-link",
        what: "4 peers take 32 MiB in, 256 KiB every 30 ms, and send nothing",
        attack: Attack::On(slow_reading::slow_link),
        home: Home::Own { ulimit: "", arguments: &[] },
        service: Service::Normal,
        memory: (slow_reading::SLOW, LARGE / slow_reading::SLOW + 2 * BARE),
    },
    Fault {
        name: "unread-pongs",
        what: "4 peers send Pings at full speed and read no Pong",
        attack: Attack::On(stalls::unread_pongs),
        home: Home::Shared,
        service: Service::Busy,
        memory: (stalls::PINGING, 2 * BARE + INPUT),
    },
    Fault {
        name: "deaf-handler",
        what: "8 peers send 16 MiB each at full speed while the handler does not read for 2 s",
        attack: Attack::On(stalls::deaf_handler),
        home: Home::Shared,
        service: Service::Busy,
        memory: (stalls::DEAF_PEERS, BARE + INPUT + OUTPUT),
    },
    Fault {
        name: "pings",
        what: "100,000 Pings in a row",
        attack: Attack::On(floods::pings),
        home: Home::Shared,
        service: Service::Busy,
        memory: (1, BARE + INPUT),
    },
    Fault {
        name: "empty-continuations",
        what: "a message of a million empty frames",
        attack: Attack::On(floods::empty_continuations),
        home: Home::Shared,
        service: Service::Busy,
        memory: (1, BARE + INPUT),
    },
    Fault {
        name: "one-byte-fragments",
        what: "a message of 1 MiB in frames of one byte, where `Limits::fragments` allows as many",
        attack: Attack::On(floods::one_byte_fragments),
        home: Home::Own { ulimit: "", arguments: &["--fragments", "1048576"] },
        service: Service::Busy,
        memory: (1, BARE + INPUT + 2 * 1024 + OUTPUT),
    },
    Fault {
        name: "lengths",
        what: "100 frames announce 2^62 bytes, 100 announce 2^63",
        attack: Attack::On(floods::lengths),
        home: Home::Shared,
        service: Service::Busy,
        memory: (floods::LENGTHS, BARE),
    },
    Fault {
        name: "descriptors",
        what: "150 connections to a server that may have 64 descriptors (`ulimit -n`)",
        attack: Attack::On(scarcity::descriptors),
        home: Home::Own {
            ulimit: scarcity::FEW_DESCRIPTORS,
            arguments: &["--handshake-seconds", "60"],
        },
        service: Service::Held,
        memory: (64, BARE),
    },
    Fault {
        name: "threads",
        what: "50 connections where address space (`ulimit -v`) is there for a dozen stacks of 1 GiB",
        attack: Attack::On(scarcity::threads),
        home: Home::Own {
            ulimit: scarcity::LITTLE_SPACE,
            arguments: &["--handshake-seconds", "60", "--stack", scarcity::LARGE_STACK],
        },
        service: Service::Held,
        memory: (16, BARE),
    },
    Fault {
        name: "clock",
        what: "the core's clock jumps by hours both ways; the server's process is stopped for 3.5 s",
        attack: Attack::On(clock::jumps_and_stops),
        home: Home::Shared,
        service: Service::Frozen,
        memory: (clock::GOOD, 2 * BARE),
    },
    Fault {
        name: "panic",
        what: "200 handlers panic, half of them before they answer the request",
        attack: Attack::On(panics::panics),
        home: Home::Shared,
        service: Service::Busy,
        memory: (panics::PANICS, BARE),
    },
    Fault {
        name: "full-shutdown",
        what: "the server shuts down while 20 peers have asked for 32 MiB and do not read",
        attack: Attack::Ending(slow_reading::shutdown),
        home: Home::Own { ulimit: "", arguments: &[] },
        service: Service::Ends,
        memory: (slow_reading::FULL, LARGE / slow_reading::FULL + 2 * BARE),
    },
    Fault {
        name: "shutdown",
        what: "50 clients exchange messages at full speed when the server shuts down",
        attack: Attack::Ending(shutdown::under_load),
        home: Home::Own { ulimit: "", arguments: &[] },
        service: Service::Ends,
        memory: (shutdown::CLIENTS, 2 * BARE + INPUT + OUTPUT),
    },
];

fn main() -> ExitCode {
    command_line::main(HELP, Task::parse, |task| task.run().map_err(|error| error as _))
}

/// The task given by the arguments.
#[derive(Debug)]
enum Task {
    Serve(serve::Options),
    List,
    Faults { chosen: Vec<&'static Fault>, markdown: Option<PathBuf> },
    Soak(soak::Options),
}

impl Task {
    fn parse(mut arguments: lexopt::Parser) -> Result<Option<Self>, lexopt::Error> {
        let (mut chosen, mut markdown) = (Vec::new(), None);
        let (mut soak, mut rest, mut seed, mut list) = (None, None, None, false);
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Value(value) if value == "serve" && chosen.is_empty() => {
                    return serve_options(arguments).map(Self::Serve).map(Some);
                }
                Arg::Value(name) => chosen.push(name.parse_with(fault)?),
                Arg::Long("markdown") => markdown = Some(arguments.value()?.into()),
                Arg::Long("soak") => {
                    let seconds: std::num::NonZeroU32 = arguments.value()?.parse()?;
                    soak = Some(Duration::from_secs(seconds.get().into()));
                }
                Arg::Long("rest") => rest = Some(arguments.value()?.parse()?),
                Arg::Long("seed") => seed = Some(arguments.value()?.parse()?),
                Arg::Long("list") => list = true,
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                argument => return Err(argument.unexpected()),
            }
        }
        match soak {
            Some(_) if list || markdown.is_some() || !chosen.is_empty() => {
                Err("--soak goes with --rest and --seed only".into())
            }
            Some(time) => {
                Ok(Some(Self::Soak(soak::Options { time, rest: rest.unwrap_or(0), seed })))
            }
            None if seed.is_some() || rest.is_some() => {
                Err("--rest and --seed go with --soak".into())
            }
            None if list => Ok(Some(Self::List)),
            None if chosen.is_empty() => {
                Ok(Some(Self::Faults { chosen: FAULTS.iter().collect(), markdown }))
            }
            None => Ok(Some(Self::Faults { chosen, markdown })),
        }
    }

    fn run(self) -> common::Fallible {
        match self {
            Self::Serve(options) => serve::serve(&options),
            Self::List => {
                for fault in FAULTS {
                    println!("{:20} {}", fault.name, fault.what);
                }
                Ok(())
            }
            Self::Faults { chosen, markdown } => run::all(&chosen, markdown.as_deref()),
            Self::Soak(options) => soak::soak(&options),
        }
    }
}

fn fault(name: &str) -> Result<&'static Fault, String> {
    let found = FAULTS.iter().find(|fault| fault.name == name);
    found.ok_or_else(|| format!("there is no fault {name}; --list shows them"))
}

/// Parses `torture serve`, which this program starts itself.
fn serve_options(mut arguments: lexopt::Parser) -> Result<serve::Options, lexopt::Error> {
    let mut options = serve::Options {
        fragments: serve::FRAGMENTS,
        handshake: serve::HANDSHAKE,
        stack: None,
        tls: false,
    };
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("fragments") => options.fragments = arguments.value()?.parse()?,
            Arg::Long("handshake-seconds") => {
                options.handshake = Duration::from_secs(arguments.value()?.parse()?);
            }
            Arg::Long("tls") => options.tls = true,
            Arg::Long("stack") => options.stack = Some(arguments.value()?.parse()?),
            argument => return Err(argument.unexpected()),
        }
    }
    Ok(options)
}
