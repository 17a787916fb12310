//! Drives an opening handshake over a blocking transport.

use std::io;
use std::time::Instant;

use super::blocking::{is_would_block, time_until};
use super::{Error, Transport};
use crate::handshake::Opening;
use crate::{Deadline, ReceiveBuffer};

/// Reads until the handshake is complete. The deadline covers the whole handshake: a peer that
/// sends its head byte by byte does not extend it.
pub(super) fn read_head<S: Transport>(
    stream: &mut S,
    input: &mut ReceiveBuffer,
    handshake: &mut impl Opening,
    deadline: &Deadline,
) -> Result<(), Error> {
    while !handshake.advance(input)? {
        if deadline.handle_timeout(Instant::now()).is_err() {
            handshake.time_out()?;
        }
        stream.set_read_timeout(deadline.poll_timeout().map(time_until))?;
        match input.read_from(stream) {
            Ok(0) => handshake.receive_eof()?,
            Ok(_) => {}
            // Truncated TLS: here the same as the end of the stream.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                handshake.receive_eof()?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted || is_would_block(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
