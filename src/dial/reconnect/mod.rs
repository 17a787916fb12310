//! Reconnecting without I/O: whether a client connects again, and after which delay.
//!
//! [`ReconnectPolicy`] has the settings. [`Reconnect`] is asked for the delay each time that a
//! connection has ended or could not be made; [`Cause`] says why. It reads no clock and has no
//! source of random numbers: the program passes both in. The clients of `net` and `sansock-tokio`
//! have a `reconnecting` that does all of it.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use sansock::dial::reconnect::{Cause, GiveUp, Reconnect, ReconnectPolicy};
//!
//! let policy = ReconnectPolicy::new().first_delay(Duration::from_secs(1)).attempts(3);
//! let mut reconnect = Reconnect::new(policy);
//! let now = Instant::now();
//! // The transport ended without a Close frame. The random number is the program's.
//! let delay = reconnect.next_delay(&Cause::Closed(1006), now, u64::MAX / 2)?;
//! assert!(delay < Duration::from_secs(1));
//! // Once it has connected, it says so.
//! reconnect.connected(now + delay);
//! // The server refuses what the client does: to come back makes it no better.
//! assert_eq!(reconnect.next_delay(&Cause::Closed(1008), now, 0), Err(GiveUp::Permanent));
//! # Ok::<(), GiveUp>(())
//! ```
#![cfg(feature = "reconnect")]

mod cause;
mod policy;
mod random;
mod retry_after;
mod state;
mod unsent;

pub use cause::Cause;
pub use policy::ReconnectPolicy;
pub use retry_after::retry_after;
pub use state::{GiveUp, Reconnect};
pub use unsent::Unsent;
