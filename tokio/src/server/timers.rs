//! One timer of the runtime for all connections of a server: one for each would take more memory
//! than a connection needs for the rest of its timeouts.
//!
//! No task drives it: its waker wakes the connections that are due. So it goes on whatever becomes
//! of the server's future, and of the connection that has set it.

use std::future::Future as _;
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::{Context, Wake, Waker};
use std::time::Instant;

use tokio::runtime::{Handle, Id};
use tokio::task::coop;
use tokio::time::Sleep;

use super::entries::Entries;
use super::registry::Registry;
use super::timer::{Tick, Timed, Timer};
use super::times::Times;
use crate::clock::now;

/// The times of all connections.
#[derive(Default)]
pub(super) struct Timers(Option<Alarm>);

struct Alarm {
    /// For the first of the times, or for an earlier one.
    sleep: Pin<Box<Sleep>>,
    waker: Waker,
    /// The runtime of `sleep`.
    runtime: Id,
    /// Whether `sleep` was polled, so that it wakes.
    is_polled: bool,
    times: Times,
}

impl Timers {
    /// Sets the time of a connection. Returns whether the timer has to be moved for it, or `None` if
    /// the connection needs a timer of its own: it is in another runtime, whose time may be another,
    /// or the registry does not have it any more.
    pub(super) fn set(
        &mut self,
        registry: &Arc<Registry>,
        entries: &Entries,
        timer: &Timer,
        number: u32,
        tick: Tick,
    ) -> Option<bool> {
        let runtime = Handle::try_current().ok()?.id();
        if timer.get() == Timed::Removed || number > Tick::MOST_NUMBER {
            return None;
        }
        self.forget(timer, Timed::Unset);
        let alarm = self.0.get_or_insert_with(|| Alarm::new(registry, runtime, tick));
        if alarm.runtime != runtime {
            return None;
        }
        alarm.times.insert(tick, number, entries);
        timer.change(Timed::Set(tick));
        Some(!alarm.comes_before(tick.at(registry.base)))
    }

    /// Takes out the time of a connection.
    pub(super) fn forget(&mut self, timer: &Timer, to: Timed) {
        if let (Some(alarm), true) = (&mut self.0, timer.is_set()) {
            alarm.times.remove_one();
        }
        timer.change(to);
    }

    /// Takes out what is due, moves the timer to the next time, and returns which tasks to wake.
    pub(super) fn advance(&mut self, base: Instant, entries: &Entries) -> Vec<Waker> {
        let mut wakers = Vec::new();
        while let Some(alarm) = &mut self.0 {
            let Some((first, _)) = alarm.times.first(entries) else {
                if alarm.sleep.is_elapsed() {
                    self.0 = None;
                }
                break;
            };
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
            while let Some((tick, slot)) = alarm.times.first(entries).filter(|it| it.0 <= first) {
                slot.timer().change(Timed::Fired(tick));
                alarm.times.remove_one();
                wakers.extend(slot.holder());
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
            is_polled: false,
            times: Times::default(),
        }
    }

    /// Whether the timer waits for this time, or for an earlier one.
    fn comes_before(&self, at: Option<Instant>) -> bool {
        self.is_polled
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
        self.is_polled = true;
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
    use std::time::Duration;

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

    /// A connection whose time comes ever sooner, beside others that wait.
    #[tokio::test(start_paused = true)]
    async fn times_that_were_replaced_do_not_pile_up() {
        let registry = Arc::<Registry>::default();
        let at = |millis| now() + Duration::from_millis(millis);
        let mut noop = Context::from_waker(Waker::noop());
        let guards: Vec<_> = (0..100).map(|_| registry.register()).collect();
        for (i, guard) in (0..).zip(&guards) {
            assert!(poll_until(guard, &mut noop, at(500_000 + i)).is_pending());
        }
        let restless = &guards[7];
        for millis in (2_000..10_000).rev() {
            assert!(poll_until(restless, &mut noop, at(millis)).is_pending());
            assert_eq!(times(&registry), 100);
            let held = registry.lock().timers.0.as_ref().map_or(0, |alarm| alarm.times.held());
            assert!(held <= 300, "{held}");
        }
        assert_eq!(wait(restless, at(2_000)).await, 2);
        assert_eq!(times(&registry), 99);
        // None of the others was lost.
        assert_eq!(wait(&guards[99], at(498_099)).await, 498);
        assert_eq!(times(&registry), 0);
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
