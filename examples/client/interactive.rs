//! Sends typed lines and shows what arrives.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::exit;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use sansock::net::{self, WebSocket, Writer};
use sansock::{CloseCode, Outcome};

use crate::show::show;

pub(crate) fn run(socket: WebSocket) -> Result<(), Box<dyn Error>> {
    Terminal::start(false)?.show(socket)?;
    Ok(())
}

/// The terminal, and the connection to which its lines go.
#[derive(Clone)]
pub(crate) struct Terminal(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    writer: Option<Writer>,
    /// Which writer it is.
    number: u64,
    /// Whether another connection follows.
    reconnects: bool,
    /// Whether the user has ended the program.
    ended: bool,
}

impl Terminal {
    pub(crate) fn start(reconnects: bool) -> Result<Self, Box<dyn Error>> {
        let terminal = Self(Arc::default());
        terminal.lock().reconnects = reconnects;
        let on_signal = terminal.clone();
        ctrlc::set_handler(move || {
            if !on_signal.close() {
                // The connection is already closing, but the server is slow; or there is none.
                exit(130);
            }
        })?;
        let input = terminal.clone();
        // This thread ends with the program, because a read from the terminal cannot be interrupted.
        thread::spawn(move || {
            if let Err(error) = input.send_lines() {
                eprintln!("no more is sent: {error}");
            }
        });
        Ok(terminal)
    }

    /// Sends the lines to this connection, and shows what arrives until its end.
    pub(crate) fn show(&self, socket: WebSocket) -> Result<Option<Outcome>, net::Error> {
        let subprotocol = socket.subprotocol().map(|name| format!(", subprotocol {name}"));
        let (mut reader, writer) = socket.split()?;
        // From now on a signal closes it.
        self.set_writer(Some(writer));
        let mut output = io::stdout();
        writeln!(output, "open{}", subprotocol.unwrap_or_default())?;
        let mut shown = Ok(());
        while shown.is_ok()
            && let Some(event) = reader.next_event()?
        {
            shown = show(event, &mut output);
        }
        shown?;
        Ok(reader.outcome())
    }

    /// Sets where the lines go; with `None` they wait for a connection.
    pub(crate) fn set_writer(&self, writer: Option<Writer>) {
        let mut state = self.lock();
        state.writer = writer;
        state.number += 1;
        if state.ended
            && let Some(writer) = &state.writer
        {
            let _ = writer.start_close(CloseCode::NORMAL, "");
        }
        self.0.1.notify_all();
    }

    /// Returns whether the user has ended the program.
    #[cfg(feature = "reconnect")]
    pub(crate) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a connection that is not the one with this number; `None` if the program ends.
    fn writer(&self, not: Option<u64>) -> Option<(u64, Writer)> {
        let mut state = self.lock();
        loop {
            match &state.writer {
                _ if state.ended => return None,
                Some(writer) if not != Some(state.number) => {
                    return Some((state.number, writer.clone()));
                }
                _ => state = self.0.1.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Returns whether there was a connection to close.
    fn close(&self) -> bool {
        let writer = {
            let mut state = self.lock();
            state.ended = true;
            self.0.1.notify_all();
            state.writer.clone()
        };
        writer.is_some_and(|writer| writer.start_close(CloseCode::NORMAL, "").is_ok())
    }

    fn send_lines(&self) -> Result<(), net::Error> {
        for line in io::stdin().lines() {
            self.send_line(&line?)?;
        }
        self.close();
        Ok(())
    }

    fn send_line(&self, line: &str) -> Result<(), net::Error> {
        let mut closed = None;
        while let Some((number, writer)) = self.writer(closed) {
            match writer.send(line) {
                // It was not accepted: the next connection gets it.
                Err(net::Error::Send(_)) if self.lock().reconnects => closed = Some(number),
                Err(error) if self.lock().reconnects => {
                    eprintln!("a line may be lost: {error}");
                    return Ok(());
                }
                result => return result,
            }
        }
        Ok(())
    }
}
