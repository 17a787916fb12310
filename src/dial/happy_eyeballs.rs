//! Which address of a host is tried when (RFC 8305, "Happy Eyeballs").

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// In which order the addresses of a host are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AddressOrder {
    /// The two families take turns, beginning with that of the first address (RFC 8305, 4): if one
    /// family leads nowhere, the other is tried next.
    #[default]
    Interleaved,
    /// As the resolver has them.
    AsResolved,
}

/// Decides which address of a host is connected to when: each some time after the one before, or at
/// once when that has failed, while the earlier attempts go on (RFC 8305, 5). The first attempt that
/// succeeds wins, and the program closes the others.
///
/// ```
/// use sansock::dial::{AddressOrder, HappyEyeballs, Next};
/// use std::time::{Duration, Instant};
///
/// let addresses = ["[2001:db8::1]:443".parse()?, "192.0.2.1:443".parse()?];
/// let delay = HappyEyeballs::DELAY;
/// let mut plan = HappyEyeballs::new(addresses, AddressOrder::Interleaved, delay);
/// let start = Instant::now();
/// assert_eq!(plan.poll(start), Next::Connect(addresses[0]));
/// // Nothing happens for 250 ms: the other family is tried too.
/// assert_eq!(plan.poll(start), Next::Wait(Some(start + delay)));
/// assert_eq!(plan.poll(start + delay), Next::Connect(addresses[1]));
/// // One attempt fails, and then the other.
/// plan.failed();
/// assert_eq!(plan.poll(start + delay), Next::Wait(None));
/// plan.failed();
/// assert_eq!(plan.poll(start + delay), Next::Exhausted);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HappyEyeballs {
    untried: VecDeque<SocketAddr>,
    delay: Duration,
    /// When the last attempt began.
    last: Option<Instant>,
    running: usize,
    /// Whether an attempt has failed since the last one began.
    must_hurry: bool,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// Begin to connect to this address, and ask again.
    Connect(SocketAddr),
    /// Wait for the end of an attempt, until then at most.
    Wait(Option<Instant>),
    /// All addresses have failed, or there were none.
    Exhausted,
}

impl HappyEyeballs {
    /// The time between two attempts: "One recommended value for a default delay is 250
    /// milliseconds." (RFC 8305, 5)
    pub const DELAY: Duration = Duration::from_millis(250);

    /// The least time between two attempts, unless the first has failed: "a subsequent connection
    /// MUST NOT be started within 10 milliseconds of the previous attempt." (RFC 8305, 5)
    pub const LEAST_DELAY: Duration = Duration::from_millis(10);

    /// Creates a plan for these addresses. A delay of less than [`LEAST_DELAY`](Self::LEAST_DELAY)
    /// is taken for that.
    #[must_use]
    pub fn new(
        addresses: impl IntoIterator<Item = SocketAddr>,
        order: AddressOrder,
        delay: Duration,
    ) -> Self {
        let addresses = addresses.into_iter();
        let untried = match order {
            AddressOrder::AsResolved => addresses.collect(),
            AddressOrder::Interleaved => interleaved(addresses),
        };
        let delay = delay.max(Self::LEAST_DELAY);
        Self { untried, delay, last: None, running: 0, must_hurry: false }
    }

    /// Returns what to do next. Call it again after each [`Next::Connect`], after each failure, and
    /// when the time of [`Next::Wait`] has come.
    pub fn poll(&mut self, now: Instant) -> Next {
        let due = self.last.filter(|_| !self.must_hurry);
        // A time beyond the clock never comes.
        let due = due.map(|last| last.checked_add(self.delay));
        let is_due = due.is_none_or(|due| due.is_some_and(|due| due <= now));
        if is_due && let Some(address) = self.untried.pop_front() {
            self.running = self.running.saturating_add(1);
            (self.last, self.must_hurry) = (Some(now), false);
            return Next::Connect(address);
        }
        match self.running {
            0 => Next::Exhausted,
            _ if self.untried.is_empty() => Next::Wait(None),
            _ => Next::Wait(due.flatten()),
        }
    }

    /// Records that an attempt has failed: the next one begins at once.
    pub fn failed(&mut self) {
        self.running = self.running.saturating_sub(1);
        self.must_hurry = true;
    }

    /// Returns the addresses that were not tried.
    pub fn untried(&self) -> impl Iterator<Item = SocketAddr> {
        self.untried.iter().copied()
    }
}

/// The families in turns, each in its own order.
fn interleaved(addresses: impl Iterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let all: Vec<_> = addresses.collect();
    let first_is_ipv6 = all.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) =
        all.into_iter().partition(|address| address.is_ipv6() == first_is_ipv6);
    let mut ordered = VecDeque::new();
    while let Some(address) = first.pop_front() {
        ordered.push_back(address);
        ordered.extend(second.pop_front());
    }
    ordered.append(&mut second);
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &str) -> Vec<SocketAddr> {
        let parse = |name: &str| match name.split_at(1) {
            ("6", n) => format!("[2001:db8::{n}]:80").parse().unwrap(),
            (_, n) => format!("192.0.2.{n}:80").parse().unwrap(),
        };
        list.split(' ').filter(|name| !name.is_empty()).map(parse).collect()
    }

    fn plan(list: &str) -> HappyEyeballs {
        HappyEyeballs::new(addresses(list), AddressOrder::Interleaved, HappyEyeballs::DELAY)
    }

    /// "the client SHOULD then [...] interleave address families" (RFC 8305, 4)
    #[test]
    fn families_take_turns() {
        for (resolved, tried) in [
            ("", ""),
            ("41", "41"),
            ("61 62 63 41 42", "61 41 62 42 63"),
            ("41 42 43 61", "41 61 42 43"),
            ("61 41 42 43", "61 41 42 43"),
            ("41 61 42 62", "41 61 42 62"),
        ] {
            assert!(plan(resolved).untried().eq(addresses(tried)), "{resolved}");
            let as_resolved =
                HappyEyeballs::new(addresses(resolved), AddressOrder::AsResolved, Duration::ZERO);
            assert!(as_resolved.untried().eq(addresses(resolved)));
        }
    }

    /// The times at which the addresses are tried, in milliseconds, if each fails so many of them
    /// after its start; `None` never fails. And when all had failed.
    fn times(failures: &[Option<u64>], delay: u64) -> (Vec<u64>, Option<u64>) {
        let list: Vec<_> = (0..failures.len()).map(|n| format!("6{}", n + 1)).collect();
        let list = addresses(&list.join(" "));
        let delay = Duration::from_millis(delay);
        let mut plan = HappyEyeballs::new(list.clone(), AddressOrder::Interleaved, delay);
        let start = Instant::now();
        let (mut began, mut ends) = (Vec::new(), Vec::new());
        for ms in 0..100_000 {
            let now = start + Duration::from_millis(ms);
            ends.iter().filter(|end| **end == ms).for_each(|_| plan.failed());
            loop {
                match plan.poll(now) {
                    Next::Connect(address) => {
                        assert_eq!(address, list[began.len()]);
                        ends.extend(failures[began.len()].map(|after| ms + after));
                        began.push(ms);
                    }
                    Next::Wait(at) => {
                        assert_eq!(at.is_some(), began.len() < list.len());
                        assert!(at.is_none_or(|at| at > now));
                        break;
                    }
                    Next::Exhausted => return (began, Some(ms)),
                }
            }
        }
        (began, None)
    }

    #[test]
    fn the_next_begins_after_the_delay_or_at_once_when_one_has_failed() {
        for (failures, delay, began, end) in [
            (&[None][..], 250, &[0][..], None),
            (&[], 250, &[], Some(0)),
            (&[Some(40)], 250, &[0], Some(40)),
            // Silent ones.
            (&[None, None, None], 250, &[0, 250, 500], None),
            // One that fails lets the next begin, and the delay begins anew.
            (&[Some(40), None, None], 250, &[0, 40, 290], None),
            // A failure of an earlier one counts too.
            (&[Some(300), None, None], 250, &[0, 250, 300], None),
            (&[Some(1), Some(1), Some(1)], 250, &[0, 1, 2], Some(3)),
            // The least delay.
            (&[None, None], 0, &[0, 10], None),
        ] {
            assert_eq!(times(failures, delay), (began.to_vec(), end), "{failures:?}");
        }
    }

    #[test]
    fn a_delay_beyond_the_clock_never_passes() {
        let mut plan =
            HappyEyeballs::new(addresses("61 62"), AddressOrder::Interleaved, Duration::MAX);
        let now = Instant::now();
        assert!(matches!(plan.poll(now), Next::Connect(_)));
        assert_eq!(plan.poll(now), Next::Wait(None));
        plan.failed();
        assert!(matches!(plan.poll(now), Next::Connect(_)));
    }
}
