//! What arrives, for a terminal.

use std::io;

use sansock::{Event, Message};

/// Shows one line for each event, whatever characters the server sends.
pub(crate) fn show(event: Event<'_>, output: &mut impl io::Write) -> io::Result<()> {
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
pub(crate) fn printable(text: &str) -> String {
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
