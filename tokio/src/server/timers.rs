//! One timer of the runtime for all connections of a server: one for each would take more memory
//! than a connection needs for the rest of its timeouts.
//!
//! No task drives it: its waker wakes the connections that are due. So it goes on whatever becomes
//! of the server's future, and of the connection that has set it.

use std::collections::BTreeSet;
use std::future::Future as _;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Id};
use tokio::task::coop;
use tokio::time::Sleep;

use super::entries::Entries;
use super::registry::Registry;
use crate::clock::now;

/// A time in milliseconds, which is the precision of tokio's timers. Rounded up, because a deadline
/// that is looked at too early has not passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(u64);

impl Tick {
    const BITS: u32 = 40;
    /// The tick of the base, in the middle: times before it have a tick too, because a runtime may
    /// have a clock of its own (`tokio::time::pause`). A time 17 years ahead comes too early.
    const BASE: u64 = 1 << (Self::BITS - 1);

    pub(super) fn new(base: Instant, at: Instant) -> Self {
        const NANOS: u32 = 1_000_000;
        let millis = |time: Duration, rest: u32| {
            let seconds = time.as_secs().min(Self::BASE / 1000 - 1);
            seconds * 1000 + u64::from((time.subsec_nanos() + rest) / NANOS)
        };
        Self(match at.checked_duration_since(base) {
            Some(after) => Self::BASE + millis(after, NANOS - 1),
            None => Self::BASE - millis(base.saturating_duration_since(at), 0),
        })
    }

    fn at(self, base: Instant) -> Option<Instant> {
        let millis = |from: u64, to: u64| Duration::from_millis(to.saturating_sub(from));
        base.checked_add(millis(Self::BASE, self.0))?.checked_sub(millis(self.0, Self::BASE))
    }
}

/// The time of one connection. It changes only while the registry is locked.
#[derive(Debug, Default)]
pub(super) struct Timer(AtomicU64);

/// What a [`Timer`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timed {
    Unset,
    /// The connection will be woken at this time.
    Set(Tick),
    /// It was.
    Fired(Tick),
    /// The registry no longer has the connection.
    Removed,
}

impl Timer {
    #[inline]
    pub(super) fn is_set(&self) -> bool {
        matches!(self.get(), Timed::Set(_))
    }

    #[inline]
    pub(super) fn get(&self) -> Timed {
        match self.0.load(Ordering::Acquire) {
            0 => Timed::Unset,
            u64::MAX => Timed::Removed,
            timed if timed & 1 == 0 => Timed::Set(Tick(timed >> 1)),
            timed => Timed::Fired(Tick(timed >> 1)),
        }
    }

    fn change(&self, to: Timed) {
        let timed = match to {
            Timed::Unset => 0,
            Timed::Set(Tick(tick)) => tick << 1,
            Timed::Fired(Tick(tick)) => tick << 1 | 1,
            Timed::Removed => u64::MAX,
        };
        self.0.store(timed, Ordering::Release);
    }
}

/// The times of all connections.
#[derive(Default)]
pub(super) struct Timers(Option<Alarm>);

struct Alarm {
    /// For the first of the times, or for an earlier one.
    sleep: Pin<Box<Sleep>>,
    waker: Waker,
    /// The runtime of `sleep`.
    runtime: Id,
    /// Each time, and behind it the number of the connection in the lower bits.
    times: BTreeSet<u64>,
}

const NUMBER_BITS: u32 = u64::BITS - Tick::BITS;

fn key(Tick(tick): Tick, number: u32) -> u64 {
    tick << NUMBER_BITS | u64::from(number)
}

/// The reverse of [`key`].
fn parts(key: u64) -> (Tick, u32) {
    let number = key & ((1 << NUMBER_BITS) - 1);
    (Tick(key >> NUMBER_BITS), u32::try_from(number).unwrap_or_default())
}

impl Timers {
    /// Sets the time of a connection. Returns whether the timer has to be moved for it, or `None` if
    /// the connection needs a timer of its own: it is in another runtime, whose time may be another,
    /// or the registry does not have it any more.
    pub(super) fn set(
        &mut self,
        registry: &Arc<Registry>,
        timer: &Timer,
        number: u32,
        tick: Tick,
    ) -> Option<bool> {
        let runtime = Handle::try_current().ok()?.id();
        if timer.get() == Timed::Removed || number >> NUMBER_BITS != 0 {
            return None;
        }
        self.forget(timer, number, Timed::Unset);
        let alarm = self.0.get_or_insert_with(|| Alarm::new(registry, runtime, tick));
        if alarm.runtime != runtime {
            return None;
        }
        alarm.times.insert(key(tick, number));
        timer.change(Timed::Set(tick));
        Some(!alarm.comes_before(tick.at(registry.base)))
    }

    /// Takes out the time of a connection.
    pub(super) fn forget(&mut self, timer: &Timer, number: u32, to: Timed) {
        if let (Some(alarm), Timed::Set(tick)) = (&mut self.0, timer.get()) {
            alarm.times.remove(&key(tick, number));
        }
        timer.change(to);
    }

    /// Takes out what is due, moves the timer to the next time, and returns which tasks to wake.
    pub(super) fn advance(&mut self, base: Instant, entries: &Entries) -> Vec<Waker> {
        let mut wakers = Vec::new();
        while let Some(alarm) = &mut self.0 {
            let Some(&first) = alarm.times.first() else {
                if alarm.sleep.is_elapsed() {
                    self.0 = None;
                }
                break;
            };
            let (first, _) = parts(first);
            let at = first.at(base).unwrap_or_else(now);
            if !alarm.has_passed(at) {
                break;
            }
            if at > now() {
                // The runtime shuts down, and connections in others have to go on.
                self.0 = None;
                for slot in entries.iter().map(|it| &it.slot).filter(|it| it.timer().is_set()) {
                    slot.timer().change(Timed::Unset);
                    wakers.extend(slot.holder());
                }
                break;
            }
            while let Some(&time) = alarm.times.first().filter(|time| parts(**time).0 <= first) {
                alarm.times.remove(&time);
                let (tick, number) = parts(time);
                if let Some(entry) = entries.get(number) {
                    entry.slot.timer().change(Timed::Fired(tick));
                    wakers.extend(entry.slot.holder());
                }
            }
        }
        wakers
    }
}

impl Alarm {
    fn new(registry: &Arc<Registry>, runtime: Id, first: Tick) -> Self {
        let first = first.at(registry.base).unwrap_or_else(now);
        Self {
            sleep: Box::pin(tokio::time::sleep_until(first.into())),
            waker: Waker::from(Arc::new(Ring(Arc::downgrade(registry)))),
            runtime,
            times: BTreeSet::new(),
        }
    }

    /// Whether the timer waits for this time, or for an earlier one. One that nothing has polled yet
    /// does not wait.
    fn comes_before(&self, at: Option<Instant>) -> bool {
        self.times.len() > 1
            && !self.sleep.is_elapsed()
            && at.is_some_and(|at| self.sleep.deadline().into_std() <= at)
    }

    /// Moves the timer to `at`. Returns whether the runtime says that this has passed: comparing
    /// clocks would not do, because the runtime looks for what has arrived before it looks at its
    /// timers, and only then is a silent peer silent.
    fn has_passed(&mut self, at: Instant) -> bool {
        if self.sleep.deadline().into_std() != at {
            if !self.sleep.is_elapsed() {
                // `reset` may wake from inside, while the registry is locked.
                let _ = poll(self.sleep.as_mut(), Waker::noop());
            }
            self.sleep.as_mut().reset(at.into());
        }
        self.sleep.is_elapsed() || poll(self.sleep.as_mut(), &self.waker)
    }
}

/// Polls a timer, whatever is left of the budget of the task that sets it.
fn poll(sleep: Pin<&mut Sleep>, waker: &Waker) -> bool {
    pin!(coop::unconstrained(sleep)).poll(&mut Context::from_waker(waker)).is_ready()
}

/// What the timer wakes.
struct Ring(Weak<Registry>);

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        if let Some(registry) = self.0.upgrade() {
            registry.wake_due();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use tokio::io::DuplexStream;

    use super::super::registry::Guard;
    use super::super::slot::Closing as _;
    use super::*;

    /// Polls once.
    fn poll_until(guard: &Guard<DuplexStream>, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        guard.register(cx.waker());
        guard.poll_until(cx, at).unwrap_or(Poll::Pending)
    }

    /// How many seconds pass until `at` has come.
    async fn wait(guard: &Guard<DuplexStream>, at: Instant) -> u64 {
        let start = now();
        poll_fn(|cx| poll_until(guard, cx, at)).await;
        (now() - start).as_secs()
    }

    fn times(registry: &Registry) -> usize {
        registry.lock().timers.0.as_ref().map_or(0, |alarm| alarm.times.len())
    }

    #[test]
    fn a_tick_is_never_before_its_time() {
        let base = now() + Duration::from_secs(86_400);
        let times = [0, 1, 999_999, 1_000_000, 1_000_001, 20_000_000_000, 40_000_000_000_000];
        for nanos in times.map(Duration::from_nanos) {
            for at in [base + nanos, base.checked_sub(nanos).unwrap()] {
                let tick = Tick::new(base, at).at(base).unwrap();
                assert!(tick >= at && tick < at + Duration::from_millis(1), "{nanos:?}");
            }
        }
        let years = |years: u64| Duration::from_secs(years * 365 * 86_400);
        assert!(Tick::new(base, base + years(1_000)).at(base).unwrap() > base + years(17));
        let last = Tick::new(base, base + years(1_000));
        assert_eq!(parts(key(last, (1 << NUMBER_BITS) - 1)), (last, (1 << NUMBER_BITS) - 1));
    }

    #[tokio::test(start_paused = true)]
    async fn it_waits_for_each_time_in_whatever_order_they_come() {
        let registry = Arc::<Registry>::default();
        let (one, other) = (registry.register(), registry.register());
        let start = now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut noop = Context::from_waker(Waker::noop());
        // A time that is put off leaves the timer where it is.
        assert!(poll_until(&one, &mut noop, at(5)).is_pending());
        let timed = one.timer().get();
        assert!(poll_until(&one, &mut noop, at(9)).is_pending());
        assert_eq!(one.timer().get(), timed);
        // The other one comes before, and between.
        assert_eq!(wait(&other, at(4)).await, 4);
        assert_eq!(wait(&other, at(7)).await, 3);
        assert_eq!(wait(&one, at(10)).await, 3);
        assert_eq!(wait(&one, at(10)).await, 0, "it has passed");
        assert_eq!(wait(&one, at(12)).await, 2);
        assert!(poll_until(&one, &mut noop, at(99)).is_pending());
        assert!(poll_until(&other, &mut noop, at(99)).is_pending());
        assert_eq!(wait(&one, at(13)).await, 1, "one that comes earlier");
        assert_eq!(times(&registry), 1, "of the other one");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn none_is_early_or_forgotten_with_many_threads() {
        let registry = Arc::<Registry>::default();
        let wait_often = |seed: u64| {
            let guard = registry.register();
            tokio::spawn(async move {
                for round in 0..50 {
                    let at = now() + Duration::from_micros(seed * 7_919 * (round + 1) % 5_000);
                    wait(&guard, at).await;
                    assert!(now() >= at);
                }
            })
        };
        for waiting in (0..200).map(wait_often).collect::<Vec<_>>() {
            tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap().unwrap();
        }
        assert_eq!(times(&registry), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_has_ended_leaves_nothing() {
        let registry = Arc::<Registry>::default();
        let at = now() + Duration::from_secs(5);
        let mut noop = Context::from_waker(Waker::noop());
        let guards: Vec<_> = (0..100).map(|_| registry.register()).collect();
        for guard in &guards {
            assert!(poll_until(guard, &mut noop, at).is_pending());
        }
        assert_eq!(times(&registry), 100);
        let slot = Arc::clone(&guards[7].0);
        drop(guards);
        assert_eq!(times(&registry), 0);
        assert!(slot.poll_until(&mut noop, at).is_none(), "a timer of its own");
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert!(registry.lock().timers.0.is_none());

        let weak = Arc::downgrade(&registry);
        assert!(poll_until(&registry.register(), &mut noop, at).is_ready());
        let guard = registry.register();
        let later = now() + Duration::from_secs(5);
        assert!(poll_until(&guard, &mut noop, later).is_pending());
        drop((registry, slot, guard));
        assert!(weak.upgrade().is_none(), "the timer does not keep it");
    }

    /// With the budget spent a read finds nothing although something may have arrived.
    #[tokio::test(start_paused = true)]
    async fn nothing_is_due_without_budget() {
        let registry = Arc::<Registry>::default();
        let guard = registry.register();
        let at = now() + Duration::from_secs(5);
        let mut noop = Context::from_waker(Waker::noop());
        assert!(poll_until(&guard, &mut noop, at).is_pending());
        tokio::time::sleep(Duration::from_secs(6)).await;
        poll_fn(|cx| {
            while let Poll::Ready(budget) = coop::poll_proceed(cx) {
                budget.made_progress();
            }
            assert!(poll_until(&guard, cx, at).is_pending());
            Poll::Ready(())
        })
        .await;
        tokio::task::yield_now().await;
        assert!(poll_until(&guard, &mut noop, at).is_ready());
    }
}
