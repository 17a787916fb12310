//! Sends typed lines and shows what arrives.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::exit;
use std::thread;

use sansock::CloseCode;
use sansock::net::{self, WebSocket, Writer};

use crate::show::show;

pub(crate) fn run(socket: WebSocket) -> Result<(), Box<dyn Error>> {
    let subprotocol = socket.subprotocol().map(|name| format!(", subprotocol {name}"));
    let (mut reader, writer) = socket.split()?;
    let on_signal = writer.clone();
    ctrlc::set_handler(move || {
        if on_signal.start_close(CloseCode::NORMAL, "").is_err() {
            // The connection is already closing, but the server is slow.
            exit(130);
        }
    })?;
    let mut output = io::stdout();
    writeln!(output, "open{}", subprotocol.unwrap_or_default())?;
    // This thread ends with the program, because a read from the terminal cannot be interrupted.
    thread::spawn(move || {
        if let Err(error) = send_lines(&writer) {
            eprintln!("no more is sent: {error}");
        }
    });
    while let Some(event) = reader.next_event()? {
        show(event, &mut output)?;
    }
    Ok(())
}

fn send_lines(writer: &Writer) -> Result<(), net::Error> {
    for line in io::stdin().lines() {
        writer.send(&line?)?;
    }
    writer.start_close(CloseCode::NORMAL, "")
}
