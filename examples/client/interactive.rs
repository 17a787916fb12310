//! Sends typed lines and shows what arrives.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::exit;
use std::thread;

use sansock::net::{self, WebSocket, Writer};
use sansock::{CloseCode, Event, Message};

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

/// Shows one line for each event, whatever characters the server sends.
fn show(event: Event<'_>, output: &mut impl io::Write) -> io::Result<()> {
    match event {
        Event::Message(Message::Text(text)) => writeln!(output, "text: {}", printable(text)),
        Event::Message(Message::Binary(bytes)) => {
            writeln!(output, "binary, {} bytes: {}", bytes.len(), hex(bytes))
        }
        Event::Ping(payload) => writeln!(output, "ping: {}", hex(payload)),
        Event::Pong(payload) => writeln!(output, "pong: {}", hex(payload)),
        Event::Close(close) => match close.code {
            Some(code) => writeln!(output, "close: {code} {}", printable(close.reason)),
            None => writeln!(output, "close: no code"),
        },
        _ => Ok(()),
    }
}

/// Removes characters that control a terminal.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
    }
    shown
}

/// Shows the first bytes.
fn hex(bytes: &[u8]) -> String {
    let shown: Vec<String> = bytes.iter().take(32).map(|byte| format!("{byte:02x}")).collect();
    shown.join(" ") + if bytes.len() > 32 { " ..." } else { "" }
}
