//! The client for the Autobahn test suite's fuzzing server; `autobahn/run client` starts both.
//!
//! ```sh
//! cargo run --release --example autobahn_client -- ws://127.0.0.1:9001 --agent sansock
//! ```
//!
//! With `--features deflate` it offers permessage-deflate.

use std::error::Error;
use std::process::ExitCode;

use lexopt::{Arg, ValueExt as _};
use sansock::net::{self, Client, WebSocket};
use sansock::uri::Uri;
use sansock::{Event, Message};

mod command_line;

const HELP: &str = "\
The client under test for the Autobahn test suite: asks the fuzzing server for the number of cases,
echoes in each case, and then asks for the reports.

Usage: autobahn_client URL [OPTIONS]

URL is that of the fuzzing server, such as ws://127.0.0.1:9001.

Options:
  --agent NAME  the name in the reports; default sansock
  --help        show this
";

fn main() -> ExitCode {
    command_line::main(HELP, Options::parse, run)
}

struct Options {
    url: Uri,
    agent: String,
}

impl Options {
    fn parse(mut arguments: lexopt::Parser) -> Result<Option<Self>, lexopt::Error> {
        let (mut url, mut agent) = (None, String::from("sansock"));
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("agent") => agent = arguments.value()?.string()?,
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                Arg::Value(value) if url.is_none() => url = Some(value.parse::<Uri>()?),
                argument => return Err(argument.unexpected()),
            }
        }
        Ok(Some(Self { url: url.ok_or("the URL is missing")?, agent: percent_encode(&agent) }))
    }
}

fn run(Options { url, agent }: Options) -> Result<(), Box<dyn Error>> {
    let url = url.to_string();
    let url = url.trim_end_matches('/');
    let count = case_count(&format!("{url}/getCaseCount"))?;
    for case in 1..=count {
        let mut socket = connect(&format!("{url}/runCase?case={case}&agent={agent}"))?;
        // Many cases break the protocol and expect the connection to fail.
        if let Err(error) = echo(&mut socket) {
            println!("case {case} of {count}: {error}");
        }
    }
    let mut socket = connect(&format!("{url}/updateReports?agent={agent}"))?;
    while socket.next_event()?.is_some() {}
    Ok(())
}

fn connect(url: &str) -> Result<WebSocket, String> {
    let connected = Client::new(url).and_then(|client| {
        #[cfg(feature = "deflate")]
        let client = client.deflate(sansock::deflate::DeflateConfig::client());
        client.connect()
    });
    connected.map_err(|error| format!("cannot connect to {url}: {error}"))
}

fn case_count(url: &str) -> Result<u32, Box<dyn Error>> {
    let mut count = None;
    let mut socket = connect(url)?;
    while let Some(event) = socket.next_event()? {
        if let Event::Message(Message::Text(text)) = event {
            count = Some(text.parse()?);
        }
    }
    count.ok_or_else(|| "the server did not say how many cases there are".into())
}

fn echo(socket: &mut WebSocket) -> Result<(), net::Error> {
    while let Some((event, outgoing)) = socket.exchange()? {
        if let Event::Message(message) = event {
            outgoing.queue(message)?;
        }
    }
    Ok(())
}

/// Percent-encodes a string for the query of a URL (RFC 3986, 2.1).
fn percent_encode(name: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(encode).collect()
}
