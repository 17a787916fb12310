//! tokio's clock: under `tokio::time::pause` all timeouts are virtual.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::time::Sleep;

/// The time that the timers of a connection are told.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// What wakes a connection, which is moved rarely: it may fire too early, never too late. Setting it
/// for every message would cost more than the message.
#[derive(Debug, Default)]
pub(crate) enum Clock {
    #[default]
    Unset,
    /// The server of the connection wakes it at this time, or earlier.
    Server(Instant),
    Own(Box<Timer>),
}

/// A timer of the runtime.
#[derive(Debug)]
pub(crate) struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// The task that it wakes.
    waker: Option<Waker>,
}

impl Clock {
    /// Is ready when `at` has passed, and never for `None`. It needs no server.
    pub(crate) fn poll_until(&mut self, cx: &mut Context<'_>, at: Option<Instant>) -> Poll<()> {
        let Some(at) = at.map(tokio::time::Instant::from_std) else { return Poll::Pending };
        if let Self::Own(timer) = self {
            return timer.poll_until(cx, at);
        }
        let sleep = Box::pin(tokio::time::sleep_until(at));
        let mut timer = Box::new(Timer { sleep, waker: None });
        let polled = timer.poll_until(cx, at);
        *self = Self::Own(timer);
        polled
    }
}

impl Timer {
    fn poll_until(&mut self, cx: &mut Context<'_>, at: tokio::time::Instant) -> Poll<()> {
        let Self { sleep, waker } = self;
        let fired_early = sleep.is_elapsed() && sleep.deadline() < at;
        if sleep.deadline() > at || fired_early {
            sleep.as_mut().reset(at);
            *waker = None;
        }
        let wakes_this_task = waker.as_ref().is_some_and(|it| it.will_wake(cx.waker()));
        if wakes_this_task && !sleep.is_elapsed() {
            return Poll::Pending;
        }
        match sleep.as_mut().poll(cx) {
            // It was set for an earlier time, which has just come.
            Poll::Ready(()) if sleep.deadline() < at => {
                sleep.as_mut().reset(at);
                *waker = Some(cx.waker().clone());
                sleep.as_mut().poll(cx)
            }
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    async fn wait(clock: &mut Clock, at: Instant) -> Duration {
        let start = now();
        poll_fn(|cx| clock.poll_until(cx, Some(at))).await;
        now() - start
    }

    #[tokio::test(start_paused = true)]
    async fn it_waits_for_each_time_in_whatever_order_they_come() {
        let mut clock = Clock::default();
        let start = now();
        let at = |seconds| start + Duration::from_secs(seconds);
        // A time that is put off leaves the timer where it is.
        let pending = poll_fn(|cx| Poll::Ready(clock.poll_until(cx, Some(at(5))))).await;
        assert!(pending.is_pending());
        assert_eq!(wait(&mut clock, at(10)).await.as_secs(), 10);
        assert_eq!(wait(&mut clock, at(10)).await.as_secs(), 0, "it has passed");
        assert_eq!(wait(&mut clock, at(12)).await.as_secs(), 2);
        let pending = poll_fn(|cx| Poll::Ready(clock.poll_until(cx, Some(at(99))))).await;
        assert!(pending.is_pending());
        assert_eq!(wait(&mut clock, at(13)).await.as_secs(), 1, "one that comes earlier");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_time_it_never_is_ready() {
        let mut clock = Clock::default();
        assert!(poll_fn(|cx| Poll::Ready(clock.poll_until(cx, None))).await.is_pending());
        assert!(matches!(clock, Clock::Unset), "and needs no timer");
    }

    #[tokio::test(start_paused = true)]
    async fn it_wakes_the_task_that_polled_last() {
        let mut clock = Clock::default();
        let at = now() + Duration::from_secs(1);
        let mut other = Context::from_waker(Waker::noop());
        assert!(clock.poll_until(&mut other, Some(at)).is_pending());
        assert_eq!(wait(&mut clock, at).await.as_secs(), 1);
    }
}
