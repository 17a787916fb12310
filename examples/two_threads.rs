//! One thread reads while another writes.
//!
//! A single thread would block: it would not read the echoes while it writes, until all buffers are
//! full and both ends wait for each other.
//!
//! ```sh
//! cargo run --release --example two_threads
//! cargo run --release --example two_threads -- ws://127.0.0.1:9001/
//! ```

use std::error::Error;
use std::process::ExitCode;
use std::thread;

use lexopt::{Arg, ValueExt as _};
use sansock::net::{self, Client, Incoming, Reader, Server, Writer};
use sansock::{CloseCode, Event, Message};

use crate::values::value;

mod command_line;
#[path = "command_line/values.rs"]
mod values;

const HELP: &str = "\
Sends messages to an echo server in one thread and counts the echoes in another.

Usage: two_threads [URL] [OPTIONS]

URL is a WebSocket echo server; without it the program starts one.

Options:
  --messages NUMBER  how many messages to send; default 1000000
  --help             show this
";

struct Options {
    client: Option<Client>,
    messages: u64,
}

fn main() -> ExitCode {
    command_line::main(HELP, parse, run)
}

fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let client = options.client.map_or_else(start_echo_server, Ok)?;
    let (reader, writer) = client.connect()?.split()?;
    let writing = thread::spawn(move || write(&writer, options.messages));
    let echoes = read(reader)?;
    writing.join().map_err(|_| "the writing thread panicked")??;
    println!("{echoes} echoes for {} messages", options.messages);
    if echoes == options.messages { Ok(()) } else { Err("echoes are missing".into()) }
}

/// Queued messages are written many at a time; `send` would write each message separately.
fn write(writer: &Writer, messages: u64) -> Result<(), net::Error> {
    for number in 0..messages {
        writer.queue(format!("message {number}"))?;
        if number % 100 == 99 {
            writer.flush()?;
        }
    }
    // Queued messages are sent first, and the echoes still arrive: the server sends its own Close
    // frame after them.
    writer.start_close(CloseCode::NORMAL, "all sent")
}

/// Reads until the connection is over.
fn read(mut reader: Reader) -> Result<u64, Box<dyn Error>> {
    let mut echoes = 0;
    while let Some(event) = reader.next_event()? {
        if let Event::Message(message) = event {
            if message != Message::Text(&format!("message {echoes}")) {
                return Err(format!("another message than number {echoes}").into());
            }
            echoes += 1;
        }
    }
    Ok(echoes)
}

/// Starts a server for this process, whose threads end with it, and returns a client for it.
fn start_echo_server() -> Result<Client, net::Error> {
    let server = Server::bind("127.0.0.1:0")?;
    let address = server.local_addr();
    thread::spawn(|| server.run(|incoming| Ok(echo(incoming)?)));
    Client::new(&format!("ws://{address}/"))
}

fn echo(incoming: &Incoming) -> Result<(), net::Error> {
    let mut socket = incoming.accept()?;
    while let Some((event, outgoing)) = socket.exchange()? {
        if let Event::Message(message) = event {
            outgoing.queue(message)?;
        }
    }
    Ok(())
}

fn parse(mut arguments: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options { client: None, messages: 1_000_000 };
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("messages") => options.messages = value(&mut arguments, "messages")?,
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            Arg::Value(url) if options.client.is_none() => {
                options.client = Some(url.parse_with(Client::new)?);
            }
            argument => return Err(argument.unexpected()),
        }
    }
    Ok(Some(options))
}
