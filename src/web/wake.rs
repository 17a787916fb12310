//! Tells the program's event loop that a task waits.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The function given to [`Builder::event_loop`](super::Builder::event_loop).
pub(super) struct Wake(Box<dyn Fn() + Send + Sync>);

impl Wake {
    pub(super) fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Box::new(wake))
    }

    /// Calls the function. Returns `false` if it panicked: the thread that connects and reads must
    /// go on, or nothing would end the connection.
    pub(super) fn call(&self) -> bool {
        catch_unwind(AssertUnwindSafe(&self.0)).is_ok()
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wake")
    }
}
