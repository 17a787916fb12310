//! Instructions per short message, counted by callgrind. A busy machine does not change this
//! measure, so it has ceilings. `cargo bench -p sansock-benches --bench instructions` fails if a
//! count is above its ceiling.
//!
//! A count depends on the compiler, by an instruction on the folder that it is built in, and slightly on
//! the CPU (the C library selects a memcpy for it).
//! If a change is worth more instructions, raise the ceiling in the same commit.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench that fails stops")]

mod common;

use std::env;
use std::error::Error;
use std::process::{Command, ExitCode};

#[cfg(feature = "net")]
use common::Blocking;
use common::{Endless, Payload, Receive, Receiving, Sending, message};
use sansock::{Message, Role};

struct Case {
    name: &'static str,
    /// Instructions per message. One or two more than counted: where the checkout lies changes them.
    ceiling: u64,
    /// Handles this many messages.
    run: fn(u64),
}

/// The adapter's cases need the feature `net`.
const CASES: &[Case] = &[
    Case {
        name: "receive 8 B",
        ceiling: 244,
        run: |n| receive(Role::Server, 8, Endless::burst, n),
    },
    Case {
        name: "receive 125 B",
        ceiling: 435,
        run: |n| receive(Role::Server, 125, Endless::burst, n),
    },
    Case {
        name: "receive 8 B, one a read",
        ceiling: 336,
        run: |n| receive(Role::Server, 8, Endless::single, n),
    },
    Case {
        name: "receive 8 B as client",
        ceiling: 226,
        run: |n| receive(Role::Client, 8, Endless::burst, n),
    },
    Case { name: "receive 125 B of text", ceiling: 550, run: receive_text },
    Case { name: "receive 125 B in four frames", ceiling: 1840, run: receive_fragments },
    #[cfg(feature = "net")]
    Case {
        name: "net: receive 8 B, one a read",
        ceiling: 445,
        run: |n| all(Blocking::receiving(Role::Server, Endless::single(&binary(8))), n),
    },
    Case { name: "send 8 B", ceiling: 105, run: |n| send(Role::Server, 8, n) },
    Case { name: "send 125 B", ceiling: 114, run: |n| send(Role::Server, 125, n) },
    Case { name: "send 8 B as client", ceiling: 110, run: |n| send(Role::Client, 8, n) },
    #[cfg(feature = "net")]
    Case {
        name: "net: send 8 B",
        ceiling: 107,
        run: |n| {
            let (payload, mut sending) =
                (Payload::Binary.bytes(8), Blocking::sending(Role::Server));
            (0..n).for_each(|_| sending.send(Message::Binary(&payload)));
        },
    },
];

#[cfg(feature = "net")]
fn binary(size: usize) -> Vec<u8> {
    message(Role::Server, Payload::Binary.kind(), &Payload::Binary.bytes(size), 1)
}

fn receive(role: Role, size: usize, transport: fn(&[u8]) -> Endless, messages: u64) {
    let message = message(role, Payload::Binary.kind(), &Payload::Binary.bytes(size), 1);
    all(Receiving::new(role, transport(&message)), messages);
}

fn receive_text(messages: u64) {
    let text = Payload::Ascii;
    let message = message(Role::Server, text.kind(), &text.bytes(125), 1);
    all(Receiving::new(Role::Server, Endless::burst(&message)), messages);
}

fn receive_fragments(messages: u64) {
    let message = message(Role::Server, Payload::Binary.kind(), &Payload::Binary.bytes(125), 4);
    all(Receiving::new(Role::Server, Endless::burst(&message)), messages);
}

fn all(mut receiving: impl Receive, messages: u64) {
    for _ in 0..messages {
        receiving.receive();
    }
}

fn send(role: Role, size: usize, messages: u64) {
    let payload = Payload::Binary.bytes(size);
    let mut sending = Sending::new(role);
    for _ in 0..messages {
        sending.send(Message::Binary(&payload));
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [word, name, messages] = &arguments[..]
        && word == "run"
    {
        let case = CASES.iter().find(|case| case.name == name).ok_or("no such case")?;
        (case.run)(messages.parse()?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut code = ExitCode::SUCCESS;
    println!("{:30} {:>12} {:>8}", "instructions per message", "", "ceiling");
    for case in CASES {
        // Both counts include the start of the program.
        let (few, many) = (500, 2500);
        let count = (count(case, many)? - count(case, few)?) / (many - few);
        let above = if count > case.ceiling { "  TOO MANY" } else { "" };
        println!("{:30} {count:12} {:8}{above}", case.name, case.ceiling);
        if count > case.ceiling {
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// The instructions of this program in a separate process that handles this many messages.
fn count(case: &Case, messages: u64) -> Result<u64, Box<dyn Error>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args(["run", case.name, &messages.to_string()])
        .output()
        .map_err(|error| format!("valgrind, which counts, cannot be run: {error}"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    let collected = report.lines().find_map(|line| line.split("Collected : ").nth(1));
    match collected {
        Some(count) if output.status.success() => Ok(count.trim().parse()?),
        _ => Err(format!("callgrind failed: {report}").into()),
    }
}
