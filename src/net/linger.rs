//! The end of a connection on the wire.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use super::stream::{Socket, time_until};

/// What is read and discarded at most while the peer has not seen our last words.
const LINGER_BYTES: usize = 64 << 20;
/// How long that may take where [`Timeouts::closing`](crate::Timeouts::closing) sets no time.
const LINGER_TIME: Duration = Duration::from_secs(10);

/// Until when to wait for the peer at the end of a connection.
pub(super) fn linger_until(closing: Option<Duration>) -> Instant {
    let now = Instant::now();
    let until = closing.and_then(|closing| now.checked_add(closing));
    until.or_else(|| now.checked_add(LINGER_TIME)).unwrap_or(now)
}

/// [`discard`] from a transport that can bound its waiting.
pub(super) fn linger<S: Socket>(stream: &mut S, until: Instant) {
    discard(stream, until, S::set_read_timeout);
}

/// Reads and discards until the peer has ended its side, for a bounded time and amount: to drop the
/// transport while bytes of the peer are unread makes TCP send a reset, and the peer may lose the
/// Close frame or the HTTP answer that was written last.
pub(super) fn discard<S: Read>(
    stream: &mut S,
    until: Instant,
    set_read_timeout: impl Fn(&S, Option<Duration>) -> io::Result<()>,
) {
    let mut discarded: usize = 0;
    let mut bytes = [0; 16 << 10];
    while discarded < LINGER_BYTES && Instant::now() < until {
        if set_read_timeout(stream, Some(time_until(until))).is_err() {
            return;
        }
        match stream.read(&mut bytes) {
            Ok(0) => return,
            Ok(n) => discarded = discarded.saturating_add(n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
