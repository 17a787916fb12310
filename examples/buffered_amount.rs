//! Sends only while `bufferedAmount` is below a threshold, so that memory stays bounded even if the
//! network is slow. A page would use a timer; here a thread does it.
//!
//! ```sh
//! cargo run --release --example echo_server
//! cargo run --release --features web --example buffered_amount -- ws://127.0.0.1:9001/
//! ```

use std::error::Error;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use sansock::web::{Builder, Event};

#[path = "command_line/web.rs"]
mod arguments;
mod command_line;

const HELP: &str = "\
Sends 10,000 messages to an echo server, and pauses while more than 256 KiB wait for the network.

Usage: buffered_amount [URL]

URL is ws://127.0.0.1:9001/ by default.

Options:
  --help  show this
";

/// How many bytes may wait for the network.
const THRESHOLD: u64 = 256 << 10;
const MESSAGES: u32 = 10_000;

fn main() -> ExitCode {
    command_line::main(HELP, arguments::parse, run)
}

fn run(builder: Builder) -> Result<(), Box<dyn Error>> {
    let socket = builder.open()?;
    let events = socket.events();
    match events.recv() {
        Some(Event::Open(_)) => {}
        Some(Event::Error(error)) => return Err((*error.message).into()),
        other => return Err(format!("not opened: {other:?}").into()),
    }
    // Counts the echoes while the messages are sent.
    let echoes = thread::spawn(|| {
        let is_message = |event: &Event| matches!(event, Event::Message(_));
        events.filter(is_message).take(MESSAGES as usize).count()
    });

    let (data, mut most) = (vec![7; 10_000], 0);
    for _ in 0..MESSAGES {
        while socket.buffered_amount() >= THRESHOLD {
            thread::sleep(Duration::from_millis(1));
        }
        socket.send(&data)?;
        most = most.max(socket.buffered_amount());
    }

    let echoes = echoes.join().map_err(|_| "the counting thread panicked")?;
    socket.close_with(1000, "all sent")?;
    println!("{echoes} echoes for {MESSAGES} messages; at most {most} bytes waited");
    Ok(())
}
