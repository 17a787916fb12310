//! The client for the Autobahn test suite's fuzzing server; `autobahn/run client --of tokio` starts
//! both.
//!
//! ```sh
//! cargo run --release -p sansock-tokio --example tokio_autobahn_client -- ws://127.0.0.1:9001 \
//!     --agent sansock-tokio
//! ```
//!
//! With `--features deflate` it offers permessage-deflate.

use std::error::Error;
use std::process::ExitCode;

use lexopt::{Arg, ValueExt as _};
use sansock_tokio::uri::Uri;
use sansock_tokio::{Client, Event, WebSocket};

#[path = "../../examples/command_line/mod.rs"]
mod command_line;

const HELP: &str = "\
The client under test for the Autobahn test suite: asks the fuzzing server for the number of cases,
echoes in each case, and then asks for the reports.

Usage: tokio_autobahn_client URL [OPTIONS]

URL is that of the fuzzing server, such as ws://127.0.0.1:9001.

Options:
  --agent NAME  the name in the reports; default sansock-tokio. Letters, digits, and `-._~`
  --help        show this
";

fn main() -> ExitCode {
    command_line::main(HELP, Options::parse, |options| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(run(options))
    })
}

struct Options {
    url: String,
    agent: String,
}

impl Options {
    fn parse(mut arguments: lexopt::Parser) -> Result<Option<Self>, lexopt::Error> {
        let (mut url, mut agent) = (None, String::from("sansock-tokio"));
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("agent") => {
                    agent = arguments.value()?.string()?;
                    if !agent.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c)) {
                        return Err("--agent: letters, digits, and `-._~`".into());
                    }
                }
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                Arg::Value(value) if url.is_none() => {
                    let value: Uri = value.parse()?;
                    url = Some(value.to_string().trim_end_matches('/').to_owned());
                }
                argument => return Err(argument.unexpected()),
            }
        }
        Ok(Some(Self { url: url.ok_or("the URL is missing")?, agent }))
    }
}

async fn run(Options { url, agent }: Options) -> Result<(), Box<dyn Error>> {
    let mut socket = connect(&format!("{url}/getCaseCount")).await?;
    let count = socket.next_message().await?;
    let count: u32 =
        count.as_ref().and_then(|count| count.as_text()).ok_or("no number of cases")?.parse()?;
    while socket.recv().await?.is_some() {}
    for case in 1..=count {
        let mut socket = connect(&format!("{url}/runCase?case={case}&agent={agent}")).await?;
        // Many cases break the protocol and expect the connection to fail.
        if let Err(error) = echo(&mut socket).await {
            println!("case {case} of {count}: {error}");
        }
    }
    let mut socket = connect(&format!("{url}/updateReports?agent={agent}")).await?;
    while socket.recv().await?.is_some() {}
    Ok(())
}

async fn connect(url: &str) -> Result<WebSocket, String> {
    let failed = |error| format!("cannot connect to {url}: {error}");
    let client = Client::new(url).map_err(failed)?;
    #[cfg(feature = "deflate")]
    let client = client.deflate(sansock_tokio::deflate::DeflateConfig::client());
    client.connect().await.map_err(failed)
}

async fn echo(socket: &mut WebSocket) -> Result<(), sansock_tokio::Error> {
    while let Some((event, mut outgoing)) = socket.exchange().await? {
        if let Event::Message(message) = event {
            outgoing.queue(message)?;
        }
    }
    Ok(())
}
