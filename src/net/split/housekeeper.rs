//! The thread that writes what the reader has queued and looks at the time.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use super::outbox::{Locked, Outbox, Shared};
use crate::connection::Outcome;
use crate::timer::Timeout;

/// Who wakes so late was stopped, and the reader with him: what has arrived meanwhile lies unread.
const LATE: Duration = Duration::from_millis(100);
/// So long the reader then has to tell of it, before silence is taken for one of the peer's.
const GRACE: Duration = Duration::from_millis(200);

/// Runs until the last half is dropped and what was queued is written, or cannot be.
pub(super) fn keep_house(shared: &Shared) {
    let mut outbox = shared.lock();
    let mut next: Option<Instant> = None;
    while !outbox.is_over() {
        if next.take().is_some_and(|next| next.elapsed() > LATE) {
            outbox = hear_the_reader(shared, outbox);
        }
        next = match outbox.look_at_the_time(shared.is_listening()) {
            Ok(next) => next,
            Err(timeout) => {
                outbox = expire(shared, outbox, timeout);
                continue;
            }
        };
        outbox = if outbox.waits_for_housekeeper() {
            shared.write(outbox)
        } else {
            shared.wait(outbox, next)
        };
    }
}

/// Waits until the reader has heard of the peer, but not for long.
fn hear_the_reader<'a>(shared: &'a Shared, mut outbox: Locked<'a>) -> Locked<'a> {
    let until = Instant::now().checked_add(GRACE);
    while !outbox.observed.heard && until.is_some_and(|until| Instant::now() < until) {
        outbox = shared.wait(outbox, until);
    }
    outbox
}

/// Something took too long: one attempt to say so to the peer, and the end.
fn expire<'a>(shared: &'a Shared, mut outbox: Locked<'a>, timeout: Timeout) -> Locked<'a> {
    outbox.outcome = Some(Outcome::TimedOut(timeout));
    if outbox.waits_for_housekeeper() && !outbox.has_rest() {
        outbox = shared.write(outbox);
    }
    // The reader wakes at the end of its stream, a writer at an error.
    let _ = shared.stream.get_ref().shutdown(Shutdown::Both);
    shared.notify();
    outbox
}

impl Outbox {
    /// Whether nobody is left, and nothing more can be done for those who were.
    fn is_over(&self) -> bool {
        self.handles == 0
            && (self.is_written()
                || self.has_failed()
                || self.until.is_some_and(|until| until <= Instant::now()))
    }

    /// Does what is due, and says when to look next.
    fn look_at_the_time(&mut self, is_listening: bool) -> Result<Option<Instant>, Timeout> {
        if self.outcome.is_some() || self.handles == 0 {
            return Ok(self.until);
        }
        self.observed.closing = self.sender.is_closed();
        // What the peer has sent may lie unread.
        self.observed.heard |= !is_listening;
        let due = self.timers.handle(Instant::now(), &self.observed);
        (self.observed.heard, self.observed.used) = (false, false);
        if let Some(due) = due {
            self.wanted = true;
            self.sender.act_on(due, &mut self.queued)?;
            self.observed.closing = self.sender.is_closed();
        }
        Ok(self.timers.poll(&self.observed))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::sync::atomic::Ordering;
    use std::thread;

    use super::*;
    use crate::config::Config;
    use crate::net::Stream;
    use crate::sender::Sender;
    use crate::timer::{Keepalive, Timeouts, Timers};

    const SILENCE: Duration = Duration::from_millis(10);
    const ANSWER: Duration = Duration::from_millis(500);

    /// How a connection stands whose housekeeper has sent a Ping and then could not run until the time
    /// for the answer was over. `reader` is what the reader does, who could not run either.
    fn stopped(reader: impl FnOnce(&Shared)) -> Option<Outcome> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let stream = Stream::from(listener.accept().unwrap().0);
        let keepalive = Keepalive { interval: SILENCE, timeout: ANSWER };
        let timers = Timers::new(Timeouts::none().keepalive(keepalive));
        let outbox = Outbox::new(Sender::server(&Config::new()), timers, None);
        let shared = Shared::new(stream, None, outbox).unwrap();
        shared.listening.store(true, Ordering::Release);
        thread::scope(|scope| {
            scope.spawn(|| keep_house(&shared));
            let mut ping = [0; 10];
            peer.read_exact(&mut ping).unwrap();
            assert_eq!(ping[0], 0x89);

            let outbox = shared.lock();
            thread::sleep(ANSWER + 2 * LATE);
            drop(outbox);
            reader(&shared);

            let mut outbox = shared.lock();
            let outcome = outbox.outcome;
            outbox.handles = 0;
            drop(outbox);
            shared.notify();
            outcome
        })
    }

    #[test]
    fn who_was_stopped_hears_what_has_arrived_before_silence_counts() {
        let outcome = stopped(|shared| {
            // The housekeeper is the first to go on.
            thread::sleep(Duration::from_millis(10));
            shared.lock().observed.heard = true;
            shared.notify();
            let is_over = |outbox: Locked<'_>| !outbox.observed.heard || outbox.outcome.is_some();
            while !is_over(shared.lock()) {
                thread::yield_now();
            }
        });
        assert_eq!(outcome, None);
    }

    #[test]
    fn silence_counts_when_the_reader_has_nothing_to_tell() {
        let outcome = stopped(|shared| {
            while shared.lock().outcome.is_none() {
                thread::yield_now();
            }
        });
        assert_eq!(outcome, Some(Outcome::TimedOut(Timeout::Keepalive)));
    }
}
