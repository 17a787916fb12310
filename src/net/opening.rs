//! Drives an exchange before the connection is open over a blocking transport.

use std::io;
use std::time::Instant;

use super::blocking::{is_would_block, time_until};
use super::linger::{until, write_until};
use super::{Error, Transport};
use crate::handshake::Opening;
use crate::{Deadline, ReceiveBuffer, SendBuffer};

/// What one read has brought.
pub(super) enum Read {
    /// Bytes, or nothing yet.
    Something,
    End,
    /// The deadline has passed.
    TooLate,
}

/// Reads until the handshake is complete. The deadline covers the whole handshake: a peer that
/// sends its head byte by byte does not extend it.
pub(super) fn read_head<S: Transport>(
    stream: &mut S,
    input: &mut ReceiveBuffer,
    handshake: &mut impl Opening,
    deadline: &Deadline,
) -> Result<(), Error> {
    while !handshake.advance(input)? {
        match read_in_time(stream, input, deadline)? {
            Read::Something => {}
            Read::End => handshake.receive_eof()?,
            Read::TooLate => handshake.time_out()?,
        }
    }
    Ok(())
}

/// Reads once, unless the deadline has passed.
pub(super) fn read_in_time<S: Transport>(
    stream: &mut S,
    input: &mut ReceiveBuffer,
    deadline: &Deadline,
) -> io::Result<Read> {
    if deadline.handle_timeout(Instant::now()).is_err() {
        return Ok(Read::TooLate);
    }
    stream.set_read_timeout(deadline.poll_timeout().map(time_until))?;
    match input.read_from(stream) {
        Ok(0) => Ok(Read::End),
        Ok(_) => Ok(Read::Something),
        // Truncated TLS: here the same as the end of the stream.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Read::End),
        Err(error) if error.kind() == io::ErrorKind::Interrupted || is_would_block(&error) => {
            Ok(Read::Something)
        }
        Err(error) => Err(error),
    }
}

/// Writes what waits; `false` if the deadline passed before.
pub(super) fn write_in_time<S: Transport>(
    stream: &mut S,
    output: &mut SendBuffer,
    deadline: &Deadline,
) -> io::Result<bool> {
    while !write_until(stream, output, until(deadline))? {
        // `until` is sooner than a deadline that never comes.
        if deadline.handle_timeout(Instant::now()).is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}
