//! The table of results.

use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use crate::common::Fallible;
use crate::gauge::Reading;
use crate::good::{Service, Times};
use crate::run::{Row, SLACK};
use crate::serve::{self, Ledger};

/// Formats the whole table as Markdown.
pub(crate) fn table(
    rows: &[Row],
    normal: &Service,
    (first, last): (Reading, Reading),
    ledger: &Ledger,
    time: Duration,
) -> Fallible<String> {
    let mut out = String::new();
    head(&mut out, normal, time)?;
    for row in rows {
        line(&mut out, row)?;
    }
    foot(&mut out, (first, last), ledger)?;
    Ok(out)
}

fn head(out: &mut String, normal: &Service, time: Duration) -> Fallible {
    let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    write!(
        out,
        "# Faults and floods\n\n\
         Written by `cargo run --release -p torture -- --markdown docs/TORTURE.md`, which fails if \
         a bound is broken.\n\n\
         - The server is a process of its own that echoes, with these settings: messages of {} MiB, {} \
         frames each, {} MiB that wait to be sent, handshake {:?}, keepalive {:?} and {:?}, closing {:?}, \
         write timeout {:?}. Where the table names a `ulimit`, the server has it alone.\n\
         - **memory**: resident, before, at its highest, afterwards; in parentheses what the highest may \
         be: before + connections × what each may cost + {} MiB for the allocator and the good clients. \
         The allocator, if it is glibc's, has one arena and gives back what is free.\n\
         - **threads**, **descriptors**: before and afterwards, without connections. They must be equal.\n\
         - **CPU**: processor time of the server, and the time that the fault took.\n\
         - **echo**, **new connection**: what good clients waited meanwhile, median and maximum: one that \
         exchanges 64 bytes every 5 ms, and one that connects every 50 ms, gets an echo and closes. \
         Undisturbed: {} and {}.\n\
         - **afterwards**: the same two, for half a second after the fault.\n\n\
         {processors} processors, {:.0} s in all.\n\n\
         | fault | the peers saw | memory in MiB | threads | descriptors | CPU | echo | new connection | \
         afterwards |\n|---|---|---|---|---|---|---|---|---|\n",
        serve::MESSAGE >> 20,
        serve::FRAGMENTS,
        serve::BUFFERED >> 20,
        serve::HANDSHAKE,
        serve::KEEPALIVE.interval,
        serve::KEEPALIVE.timeout,
        serve::CLOSING,
        serve::WRITE,
        SLACK >> 10,
        times(&normal.echo),
        times(&normal.opening),
        time.as_secs_f64(),
    )?;
    Ok(())
}

fn line(out: &mut String, row: &Row) -> Fallible {
    let Row { fault, saw, before, peak, after, during, time, cpu } = row;
    let (connections, each) = fault.memory;
    let bound = before.memory + fault.bound();
    write!(out, "| **{}**: {} | {saw} ", fault.name, fault.what)?;
    let Some((after, later)) = after else {
        writeln!(out, "| – | – | – | – | – | – | – |")?;
        return Ok(());
    };
    write!(
        out,
        "| {}, {}, {} ({}: {connections} × {each} KiB) | {}, {} | {}, {} | {:.2} s of {:.1} s ",
        mib(before.memory),
        mib(*peak),
        mib(after.memory),
        mib(bound),
        before.threads,
        after.threads,
        before.descriptors,
        after.descriptors,
        cpu.as_secs_f64(),
        time.as_secs_f64()
    )?;
    let (echo, opening) = match during {
        Some(during) => (times(&during.echo), times(&during.opening)),
        None => (String::new(), String::new()),
    };
    writeln!(out, "| {echo} | {opening} | {}; {} |", times(&later.echo), times(&later.opening))?;
    Ok(())
}

fn foot(out: &mut String, (first, last): (Reading, Reading), ledger: &Ledger) -> Fallible {
    writeln!(
        out,
        "\nThe server that the faults without limits of their own have in common held {} MiB before the \
         first and {} MiB after the last. It accepted {} messages for sending, refused {} clients, saw {} \
         connections fail and {} handlers panic.",
        mib(first.memory),
        mib(last.memory),
        ledger.accepted,
        ledger.refused,
        ledger.failed,
        ledger.panics
    )?;
    Ok(())
}

fn mib(kib: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a number to read")]
    let mib = kib as f64 / 1024.0;
    format!("{mib:.1}")
}

/// Median and maximum.
pub(crate) fn times(times: &Times) -> String {
    if times.count() == 0 {
        return "–".into();
    }
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    format!("{:.2}, {:.0} ms", ms(times.median()), ms(times.max()))
}
