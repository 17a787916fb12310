//! Writes that wait for the peer, one at a time, with a look at the clock in between.

use std::io::{self, Write};
use std::time::Instant;

use super::Error;
use super::blocking::STEP;
use super::blocking::{is_would_block, was_our_timeout};
use crate::WritePace;
use crate::buffer::Unwritten;
use crate::{Connection, SendBuffer, State, Teardown};

/// Bytes that wait to be written.
pub(super) trait Waiting {
    fn is_empty(&self) -> bool;
    /// Writes once. After an error everything still waits.
    fn write_once(&mut self, stream: &mut impl Write) -> io::Result<usize>;
}

impl Waiting for SendBuffer {
    #[inline]
    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }

    #[inline]
    fn write_once(&mut self, stream: &mut impl Write) -> io::Result<usize> {
        Self::write_once(self, stream)
    }
}

impl Waiting for Unwritten<'_> {
    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }

    fn write_once(&mut self, stream: &mut impl Write) -> io::Result<usize> {
        Self::write_once(self, stream)
    }
}

/// Why waiting for the peer has ended.
pub(super) enum Waited {
    /// All is written.
    Done,
    /// A deadline of the connection has passed.
    Due(Instant),
    /// The peer has taken too little for too long.
    TooSlow(io::Error),
}

/// Continues after a write that may have been incomplete, for as long as the peer takes enough and
/// no deadline passes. Without `pace` the transport has no timeouts, and one that would block is an
/// error.
pub(super) fn wait_for_peer(
    waiting: &mut impl Waiting,
    stream: &mut impl Write,
    connection: &mut Connection,
    pace: &mut Option<WritePace>,
    mut written: io::Result<usize>,
) -> io::Result<Waited> {
    let mut started = None;
    connection.note_unread();
    loop {
        let n = match written {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) if is_would_block(&error) && pace.is_some() && is_ours(started) => 0,
            Err(error) => return Err(error),
        };
        if waiting.is_empty() {
            return Ok(Waited::Done);
        }
        let now = Instant::now();
        if let Some(pace) = pace {
            if is_due(connection, now) {
                return Ok(Waited::Due(now));
            }
            if let Err(error) = pace.took(n, now) {
                return Ok(Waited::TooSlow(error));
            }
        }
        started = Some(now);
        written = waiting.write_once(stream);
    }
}

/// Whether a write that would have blocked ended because of our [`STEP`], and not because the
/// program made the transport non-blocking. The start of the first write is unknown.
fn is_ours(started: Option<Instant>) -> bool {
    started.is_none_or(|at| was_our_timeout(at.elapsed(), STEP))
}

/// Whether the timers must be checked, or the transport must be dropped. On an open connection only
/// the deadlines for a silent peer may have passed, which do not count while nothing is read.
fn is_due(connection: &Connection, now: Instant) -> bool {
    let passed = |until: Option<Instant>| until.is_some_and(|until| until <= now);
    match (connection.state(), connection.teardown()) {
        (State::Open, _) => false,
        (_, Teardown::Drop { until }) => until.is_none() || passed(until),
        _ => passed(connection.poll_timeout()),
    }
}

/// Checks the timers while a write waits for the peer.
pub(super) fn check_timers(
    connection: &mut Connection,
    buffer: &mut SendBuffer,
    now: Instant,
) -> Result<(), Error> {
    if connection.poll_timeout().is_some_and(|at| at <= now) {
        connection.handle_timeout(now, buffer)?;
    }
    match connection.teardown() {
        Teardown::Drop { until } if until.is_none_or(|until| until <= now) => {
            Err(io::Error::from(io::ErrorKind::TimedOut).into())
        }
        _ => Ok(()),
    }
}

/// Writes from where the payload lies if that costs less than a copy, and returns the result of the
/// last write. What the transport does not take is queued.
pub(super) fn write_if_worth_it(
    mut unwritten: Unwritten<'_>,
    least: usize,
    stream: &mut impl Write,
) -> Option<io::Result<usize>> {
    unwritten.is_worth_a_write(least).then(|| write_while_taken(&mut unwritten, stream))
}

/// Writes from where the payload lies, and waits for the peer if it must; then it returns why the
/// wait has ended, and how many bytes were given up. After an error and when a deadline has passed,
/// the rest is queued.
pub(super) fn write_and_wait(
    mut unwritten: Unwritten<'_>,
    stream: &mut impl Write,
    connection: &mut Connection,
    mut pace: Option<WritePace>,
) -> Option<(io::Result<Waited>, usize)> {
    let written = write_while_taken(&mut unwritten, stream);
    if unwritten.is_empty() && written.is_ok() {
        return None;
    }
    let waited = wait_for_peer(&mut unwritten, stream, connection, &mut pace, written);
    // A copy would take as much memory again, for nothing.
    let lost = if let Ok(Waited::TooSlow(_)) = waited { unwritten.discard() } else { 0 };
    Some((waited, lost))
}

/// Writes while the transport takes everything it is offered, for about a [`STEP`]; the rest is
/// still unwritten. Returns the result of the last write.
pub(super) fn write_while_taken(
    unwritten: &mut Unwritten<'_>,
    stream: &mut impl Write,
) -> io::Result<usize> {
    // Nearly always one write takes all, and needs no clock.
    let mut started = None;
    loop {
        let offered: usize = unwritten.slices().iter().map(|slice| slice.len()).sum();
        let written = unwritten.write_once(stream)?;
        if written == 0 && offered > 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        if written < offered
            || unwritten.is_empty()
            || started.get_or_insert_with(Instant::now).elapsed() > STEP
        {
            return Ok(written);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    /// Takes so many bytes, and then nothing.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = bytes.len().min(self.0);
            self.0 -= n;
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A transport that takes nothing is broken: repeating the write would never end.
    #[test]
    fn a_write_of_no_bytes_is_an_error_and_its_rest_waits() {
        let (mut connection, mut buffer) = (Connection::server(&Config::new()), SendBuffer::new());
        let payload = vec![0; 100_000];
        let mut unwritten = connection.send_in_place(&*payload, &mut buffer).unwrap();
        let mut transport = Full(1_000);
        let mut written = write_while_taken(&mut unwritten, &mut transport);
        while written.is_ok() {
            assert!(unwritten.remaining() > 0);
            written = write_while_taken(&mut unwritten, &mut transport);
        }
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::WriteZero);
        drop(unwritten);
        assert_eq!(buffer.buffered_amount(), 10 + 100_000 - 1_000);
    }
}
