//! A clock that jumps, and a process that is stopped.

use std::thread;
use std::time::{Duration, Instant};

use sansock::handshake::Established;
use sansock::{
    Config, Connection, Event, Keepalive, Outcome, ReceiveBuffer, Role, SendBuffer, State, Timeout,
    Timeouts,
};
use testkit::frame::PONG;

use crate::common::{Failure, Fallible, ensure, join, ms};
use crate::good::Good;
use crate::peer::frame;
use crate::serve::KEEPALIVE;
use crate::server::Server;

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);
pub(crate) const GOOD: usize = 20;
const STOPPED: Duration = ms(3500);

/// A connection of the core with a simulated clock.
struct Virtual {
    connection: Connection,
    input: ReceiveBuffer,
    output: SendBuffer,
}

impl Virtual {
    fn new(now: Instant) -> Fallible<Self> {
        let timeouts = Timeouts::new()
            .keepalive(Keepalive { interval: SECOND, timeout: SECOND })
            .idle(HOUR * 24)
            .message(HOUR * 24);
        let config = Config::new().timeouts(timeouts);
        let connection = Established::after_handshake(Role::Server, None).connection(&config);
        let mut new = Self { connection, input: ReceiveBuffer::new(), output: SendBuffer::new() };
        new.connection.handle_timeout(now, &mut new.output)?;
        Ok(new)
    }

    /// The number of bytes that the connection wants to send at a moment.
    fn at(&mut self, now: Instant) -> Result<usize, Timeout> {
        let before = self.output.buffered_amount();
        let result = self.connection.handle_timeout(now, &mut self.output);
        let frames = (self.output.buffered_amount() - before) / PING;
        result.map(|()| frames)
    }

    fn hear(&mut self) -> Fallible {
        self.input.extend_from_slice(&frame(PONG, b""));
        let event = self.connection.next_event(&mut self.input, &mut self.output)?;
        ensure(event == Some(Event::Pong(b"")), || "a Pong is no event".into())?;
        let event = self.connection.next_event(&mut self.input, &mut self.output)?;
        ensure(event.is_none(), || "one Pong is two events".into())
    }
}

/// A keepalive Ping: 2 bytes of header, 8 of payload.
const PING: usize = 10;

/// `std::time::Instant` cannot be made to jump, so the core is given the times.
fn jumps() -> Fallible {
    let start = Instant::now() + HOUR;
    let mut it = Virtual::new(start)?;
    ensure(it.at(start + HOUR)? == 1, || "a jump of an hour does not cause one Ping".into())?;
    ensure(it.at(start + HOUR)? == 0, || "a second Ping is sent".into())?;
    it.hear()?;
    ensure(it.at(start + HOUR * 2)? == 0, || {
        "a Ping is sent although the peer was just heard".into()
    })?;
    for back in [SECOND, HOUR, HOUR * 3] {
        let then = (start + HOUR * 2).checked_sub(back).unwrap_or(start);
        ensure(it.at(then)? == 0, || format!("a jump back by {back:?} causes a timeout"))?;
    }
    ensure(it.connection.state() == State::Open, || "still open".into())?;
    ensure(it.at(start + HOUR * 4)? == 1, || "after the way back, silence counts again".into())?;
    let late = start + HOUR * 8;
    ensure(it.at(late) == Ok(0), || "no peer is judged at first sight".into())?;
    let second_look = late + ms(100);
    ensure(it.at(second_look) == Err(Timeout::Keepalive), || "no answer is the end".into())?;
    ensure(it.at(start) == Err(Timeout::Keepalive), || "the end stays the end".into())?;
    let outcome = it.connection.outcome();
    ensure(outcome == Some(&Outcome::TimedOut(Timeout::Keepalive)), || format!("{outcome:?}"))?;
    // The end of time: as far as `Instant` goes.
    let mut it = Virtual::new(start)?;
    let mut far = HOUR;
    while let Some(later) = start.checked_add(far) {
        far *= 2;
        let _ = it.at(later);
    }
    Ok(())
}

/// The core with a clock that jumps, and the server's process stopped for longer than its
/// deadlines.
pub(crate) fn jumps_and_stops(server: &mut Server) -> Fallible<String> {
    jumps()?;
    let mut good = (0..GOOD)
        .map(|n| Good::connect_to(&server.url(if n % 2 == 0 { "/" } else { "/split" })))
        .collect::<Fallible<Vec<_>>>()?;
    // The server has sent Pings, and waits for the answers when it is stopped.
    thread::sleep(KEEPALIVE.interval + ms(200));
    let frozen = server.freeze()?;
    thread::scope(|scope| {
        // The clients answer while it is stopped.
        let clients: Vec<_> =
            good.iter_mut().map(|good| scope.spawn(move || good.exchange())).collect();
        thread::sleep(STOPPED);
        drop(frozen);
        for client in clients {
            join(client).map_err(|error| format!("after the server was stopped: {error}"))?;
        }
        Ok::<(), Failure>(())
    })?;
    Ok(format!(
        "a jump ahead is one Ping and then 1011, a way back nothing; {GOOD} clients that the server had \
         pinged, half of them on split connections, were served when it went on, {STOPPED:?} later"
    ))
}
