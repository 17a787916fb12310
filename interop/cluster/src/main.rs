//! Three chat processes behind `HAProxy`, with Redis between them. Clients write numbered messages,
//! while processes are killed and paused, Redis is stopped, killed and paused, and networks are cut.
//! At the end every client has every acknowledged message of its room once, in order.
//!
//! ```sh
//! interop/cluster/run                  # a minute
//! interop/cluster/run --seconds 3600
//! interop/cluster/run --load           # how much they carry
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a program of tests stops at an error"
)]
#![expect(clippy::print_stdout, reason = "it prints what it finds")]

use std::process::ExitCode;
use std::time::Duration;

use lexopt::{Arg, ValueExt as _};

mod chaos;
mod client;
#[path = "../../../examples/command_line/mod.rs"]
mod command_line;
mod crowd;
mod load;
mod log;
mod parts;
mod program;
mod wires;

const HELP: &str = "\
Runs the chat over Redis in several processes, has everything fail, and checks what clients get.

Usage: cluster [OPTIONS]
       cluster --load [--clients CLIENTS] [--chats PROCESSES]

Options:
  --seconds SECONDS   how long things fail; default 60
  --clients CLIENTS   default 300, and 9000 with --load
  --rooms ROOMS       default 10, and 90 with --load
  --chats PROCESSES   how many processes of the chat; default 3
  --load              nothing fails: more and more messages, until they arrive too late
  --help              show this

The variable CHAT names the program of the chat. The exit code is 1 if a message was lost, doubled or
out of order.
";

pub(crate) struct Options {
    seconds: u64,
    clients: Option<usize>,
    rooms: Option<usize>,
    chats: usize,
    load: bool,
}

fn main() -> ExitCode {
    command_line::main(HELP, parse, |options| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(run(options))
    })
}

fn parse(mut arguments: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options { seconds: 60, clients: None, rooms: None, chats: 3, load: false };
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("seconds") => options.seconds = arguments.value()?.parse()?,
            Arg::Long("clients") => options.clients = Some(arguments.value()?.parse()?),
            Arg::Long("rooms") => options.rooms = Some(arguments.value()?.parse()?),
            Arg::Long("chats") => options.chats = arguments.value()?.parse()?,
            Arg::Long("load") => options.load = true,
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            argument => return Err(argument.unexpected()),
        }
    }
    if options.chats == 0 || options.clients == Some(0) || options.rooms == Some(0) {
        return Err("--chats, --clients and --rooms: at least 1".into());
    }
    Ok(Some(options))
}

async fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    if options.load {
        let (clients, rooms) = (options.clients.unwrap_or(9_000), options.rooms.unwrap_or(90));
        return load::run(clients, rooms, options.chats).await;
    }
    let (clients, rooms) = (options.clients.unwrap_or(300), options.rooms.unwrap_or(10));
    let time = Duration::from_secs(options.seconds);
    crowd::run(clients, rooms, options.chats, time).await
}
