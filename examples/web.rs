//! The `WebSocket` object of browsers, in a dozen lines.
//!
//! ```sh
//! cargo run --release --example echo_server
//! cargo run --release --features web --example web -- ws://127.0.0.1:9001/
//! ```

use std::error::Error;
use std::process::ExitCode;

use sansock::web::Builder;

#[path = "command_line/web.rs"]
mod arguments;
mod command_line;

const HELP: &str = "\
Sends a greeting through the WebSocket object of browsers, and closes when a message arrives.

Usage: web [URL]

URL is ws://127.0.0.1:9001/ by default.

Options:
  --help  show this
";

fn main() -> ExitCode {
    command_line::main(HELP, arguments::parse, run)
}

/// `WebSocket::new(url)?` is the shorter way to a `socket`.
fn run(builder: Builder) -> Result<(), Box<dyn Error>> {
    let socket = builder.open()?;
    socket.on_open(|socket, _| {
        // Cannot fail: the connection is open.
        let _ = socket.send("Hello");
    });
    socket.on_message(|socket, event| {
        println!("message: {:?}", event.data);
        socket.close();
    });
    socket.on_error(|_, event| println!("error: {}", event.message));
    socket.on_close(|_, event| println!("close: {} {}", event.code, event.reason));
    match socket.wait() {
        Some(event) if event.was_clean => Ok(()),
        _ => Err("the connection was not closed cleanly".into()),
    }
}
