//! Exchanges over a transport before the connection is open, and the end of one that was refused.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;

use sansock::handshake::Opening;
use sansock::{Deadline, ReceiveBuffer, SendBuffer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Instant, timeout_at};

use crate::Error;

/// Runs `future` until the deadline; `None` if that has passed.
pub(crate) async fn in_time<T>(deadline: &Deadline, future: impl Future<Output = T>) -> Option<T> {
    match deadline.poll_timeout() {
        Some(at) => timeout_at(Instant::from_std(at), future).await.ok(),
        None => Some(future.await),
    }
}

/// What one read has brought.
pub(crate) enum Read {
    Something,
    End,
    /// The deadline has passed.
    TooLate,
}

/// Reads until the handshake is complete. The deadline covers the whole handshake: a peer that
/// sends its head byte by byte does not extend it.
pub(crate) async fn read_head<S: AsyncRead + Unpin>(
    io: &mut S,
    input: &mut ReceiveBuffer,
    handshake: &mut impl Opening,
    deadline: &Deadline,
) -> Result<(), Error> {
    while !handshake.advance(input)? {
        match read_in_time(io, input, deadline).await? {
            Read::Something => {}
            Read::End => handshake.receive_eof()?,
            Read::TooLate => handshake.time_out()?,
        }
    }
    Ok(())
}

/// Reads once, unless the deadline passes before.
pub(crate) async fn read_in_time<S: AsyncRead + Unpin>(
    io: &mut S,
    input: &mut ReceiveBuffer,
    deadline: &Deadline,
) -> io::Result<Read> {
    match in_time(deadline, read(io, input)).await {
        None => Ok(Read::TooLate),
        Some(Ok(0)) => Ok(Read::End),
        Some(Ok(_)) => Ok(Read::Something),
        // Truncated TLS: here the same as the end of the stream.
        Some(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Read::End),
        Some(Err(error)) => Err(error),
    }
}

/// Reads once.
async fn read<S: AsyncRead + Unpin>(io: &mut S, input: &mut ReceiveBuffer) -> io::Result<usize> {
    let n = poll_fn(|cx| {
        let mut bytes = ReadBuf::new(input.spare_mut());
        Pin::new(&mut *io).poll_read(cx, &mut bytes).map_ok(|()| bytes.filled().len())
    });
    let n = n.await?;
    input.filled(n);
    Ok(n)
}

/// Writes what waits; `false` if the deadline passed before.
pub(crate) async fn write_until<S: AsyncWrite + Unpin>(
    io: &mut S,
    output: &mut SendBuffer,
    deadline: &Deadline,
) -> io::Result<bool> {
    let write = async {
        while !output.is_empty() {
            let n = io.write(output.as_slice()).await?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            output.consume(n);
        }
        io.flush().await
    };
    in_time(deadline, write).await.transpose().map(|written| written.is_some())
}

/// The largest number of bytes that are read and discarded from a refused client.
const OF_REFUSED: usize = 64 << 20;

/// Writes a response that refuses the peer, ends our side, and, if it `lingers`, reads until the peer ends its own: a
/// transport that is dropped while bytes lie unread makes TCP send a reset, which may take the
/// response away.
pub(crate) async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(
    io: &mut S,
    output: &mut SendBuffer,
    deadline: &Deadline,
    lingers: bool,
) {
    if !matches!(write_until(io, output, deadline).await, Ok(true)) {
        return;
    }
    let linger = async {
        io.shutdown().await?;
        if !lingers {
            return Ok(());
        }
        let mut bytes = [0; 4 << 10];
        let mut discarded: usize = 0;
        while discarded < OF_REFUSED {
            match io.read(&mut bytes).await? {
                0 => break,
                n => discarded = discarded.saturating_add(n),
            }
        }
        io::Result::Ok(())
    };
    // Whether it succeeds concerns only this peer, and it was told.
    let _ = in_time(deadline, linger).await;
}
