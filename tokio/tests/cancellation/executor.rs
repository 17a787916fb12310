//! An executor that polls a task only if it was woken, so that a lost wake-up is a failure and not a
//! delay.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Runs two tasks to their ends.
///
/// # Panics
///
/// If neither was woken before.
pub(crate) fn run<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    // Timers need a runtime. They never fire: it is not driven.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let flags = [true, true].map(|woken| Arc::new(Flag(AtomicBool::new(woken))));
    let wakers = [0, 1].map(|i| Waker::from(Arc::clone(&flags[i])));
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut of_a, mut of_b) = (None, None);
    loop {
        let mut idle = true;
        if of_a.is_none() && flags[0].0.swap(false, Ordering::SeqCst) {
            idle = false;
            of_a = ready(a.as_mut().poll(&mut Context::from_waker(&wakers[0])));
        }
        if of_b.is_none() && flags[1].0.swap(false, Ordering::SeqCst) {
            idle = false;
            of_b = ready(b.as_mut().poll(&mut Context::from_waker(&wakers[1])));
        }
        if let (Some(_), Some(_)) = (&of_a, &of_b) {
            return (of_a.unwrap(), of_b.unwrap());
        }
        assert!(
            !idle,
            "a lost wake-up: neither task goes on, {}, {}",
            of_a.is_some(),
            of_b.is_some()
        );
    }
}

fn ready<T>(poll: Poll<T>) -> Option<T> {
    match poll {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Polls `future` `times` times, each time that the task is woken, and then drops it.
pub(crate) async fn cut<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = times;
    let result = poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
    if result.is_none() {
        yield_now().await;
    }
    result
}

/// Lets the other task go on.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A boxed future, for scripts of several shapes.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;
