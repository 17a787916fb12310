//! One connection of the soak run: numbered messages, the check of their echoes, and one of several
//! ends.

use std::io::{self, Write as _};
use std::time::Duration;

use sansock::net::{Client, Error, Next, WebSocket};
use sansock::{CloseCode, Config, Event, Message};
use testkit::frame::{BINARY, CONTINUATION, FIN, TEXT};

use crate::common::{Dice, Failure, Fallible, ensure};
use crate::peer::{frame, header};

/// The longest message, in bytes.
const LONGEST: usize = 256 << 10;
const TIMEOUT: Duration = Duration::from_secs(10);

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The closing handshake, after every echo has come.
    Close,
    /// The closing handshake at once: the remaining echoes come before the server's Close frame.
    CloseEarly,
    /// The stream is dropped while echoes are on their way: usually a reset.
    Drop,
    /// A frame that is never completed.
    HalfFrame,
    /// A frame that breaks a rule.
    Violation,
}

/// The ends, each as often as it is listed here.
pub(crate) const FATES: [Fate; 8] = [
    Fate::Close,
    Fate::Close,
    Fate::Close,
    Fate::CloseEarly,
    Fate::CloseEarly,
    Fate::Drop,
    Fate::HalfFrame,
    Fate::Violation,
];

/// One connection, its messages numbered.
#[derive(Debug)]
pub(crate) struct Talk {
    socket: WebSocket,
    seed: u64,
    pub(crate) sent: u64,
    pub(crate) echoed: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) echoed_bytes: u64,
    /// Whether the server's Close frame has arrived.
    closed: bool,
}

impl Talk {
    pub(crate) fn open(url: &str, seed: u64) -> Fallible<Self> {
        // What is echoed behind our Close frame counts.
        let config = Config::new().messages_after_close(true);
        let client = Client::new(url)?.connect_timeout(TIMEOUT).write_timeout(TIMEOUT);
        let client = client.config(config);
        Ok(Self {
            socket: client.connect()?,
            seed,
            sent: 0,
            echoed: 0,
            sent_bytes: 0,
            echoed_bytes: 0,
            closed: false,
        })
    }

    /// Some rounds of a few messages each, and then the end.
    pub(crate) fn run(&mut self, dice: &mut Dice, fate: Fate) -> Fallible {
        let rounds = dice.below(20);
        for _ in 0..rounds {
            let ahead = dice.below(8);
            for _ in 0..=ahead {
                self.send(dice)?;
            }
            self.socket.flush()?;
            let leave = dice.below(ahead + 1);
            self.read_until(self.sent - leave)?;
        }
        match fate {
            Fate::Close => {
                self.read_until(self.sent)?;
                self.close(CloseCode::NORMAL)
            }
            Fate::CloseEarly => self.close(CloseCode::GOING_AWAY),
            Fate::Drop => Ok(()),
            Fate::HalfFrame => {
                let mut half = header(FIN | BINARY, 1 + dice.below(LONGEST as u64));
                half.push(0);
                self.write_raw(&half)
            }
            Fate::Violation => self.violate(dice),
        }
    }

    /// A message whose bytes depend on the connection's seed and the message's number.
    fn message(&self, number: u64) -> Vec<u8> {
        let mut dice = Dice::new(self.seed ^ number.wrapping_mul(0xff51_afd7_ed55_8ccd));
        let length = match dice.below(20) {
            0 => dice.size(LONGEST),
            1..=5 => dice.size(8 << 10),
            _ => dice.size(200),
        };
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&dice.roll().to_le_bytes());
        }
        bytes.truncate(length);
        if is_text(number) {
            // Text: letters only.
            for byte in &mut bytes {
                *byte = b'a' + *byte % 26;
            }
        }
        bytes
    }

    /// Queues the next message, in one frame or in several with Pings in between.
    fn send(&mut self, dice: &mut Dice) -> Fallible {
        let bytes = self.message(self.sent);
        let text = is_text(self.sent);
        let message = |bytes| -> Fallible<Message<'_>> {
            Ok(if text {
                Message::Text(std::str::from_utf8(bytes)?)
            } else {
                Message::Binary(bytes)
            })
        };
        let outgoing = self.socket.outgoing();
        if dice.below(4) == 0 {
            let (mut left, step) = (bytes.as_slice(), 1 + bytes.len() / 3);
            loop {
                let (now, later) = left.split_at(step.min(left.len()));
                outgoing.queue_fragment(message(now)?, later.is_empty())?;
                if later.is_empty() {
                    break;
                }
                left = later;
                if dice.below(3) == 0 {
                    outgoing.ping(b"between fragments")?;
                }
            }
        } else {
            outgoing.queue(message(&bytes)?)?;
        }
        self.sent += 1;
        self.sent_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Reads until `echoes` echoes have arrived.
    fn read_until(&mut self, echoes: u64) -> Fallible {
        while self.echoed < echoes {
            ensure(self.read_one()?, || "the server ended the connection".into())?;
        }
        Ok(())
    }

    /// Reads one event; `false` at the end.
    fn read_one(&mut self) -> Fallible<bool> {
        let expected = self.message(self.echoed);
        match self.socket.next_event_timeout(TIMEOUT)? {
            Next::Event(Event::Message(echo)) => {
                let text = matches!(echo, Message::Text(_));
                let same = echo.as_bytes() == expected && text == is_text(self.echoed);
                ensure(same && self.echoed < self.sent, || {
                    format!("echo {} differs from the sent message", self.echoed)
                })?;
                self.echoed += 1;
                self.echoed_bytes += expected.len() as u64;
            }
            Next::Event(Event::Close(_)) => self.closed = true,
            Next::Event(_) => {}
            Next::Ended => return Ok(false),
            Next::TimedOut => return Err("no answer".into()),
        }
        Ok(true)
    }

    /// Does the closing handshake. Echoes on their way come before the server's Close frame.
    fn close(&mut self, code: CloseCode) -> Fallible {
        self.socket.start_close(code, "")?;
        while self.read_one()? {}
        ensure(self.closed, || "no Close frame".into())?;
        // Messages sent before a Close frame are answered before the answer to it.
        ensure(self.echoed == self.sent, || "echoes are missing behind a clean close".into())
    }

    fn violate(&mut self, dice: &mut Dice) -> Fallible {
        let bad = match dice.below(3) {
            0 => frame(FIN | CONTINUATION, b"of nothing"),
            1 => frame(FIN | TEXT, b"\xff is not UTF-8"),
            _ => header(FIN | BINARY, 1 << 62),
        };
        self.write_raw(&bad)?;
        loop {
            match self.read_one() {
                Ok(true) => {}
                Ok(false) => return ensure(self.closed, || "no Close frame".into()),
                // A server with unread bytes of ours may send a reset; silence is not allowed.
                Err(error) if is_over(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn write_raw(&mut self, bytes: &[u8]) -> Fallible {
        self.socket.flush()?;
        Ok(self.socket.get_mut().write_all(bytes)?)
    }
}

/// Whether this message is text: every second one is.
const fn is_text(number: u64) -> bool {
    number.is_multiple_of(2)
}

fn is_over(error: &Failure) -> bool {
    matches!(
        error.downcast_ref(),
        Some(Error::Io(error)) if error.kind() == io::ErrorKind::ConnectionReset
    )
}
