//! The adapters `net` and `web` as packages of their own would have them: `crate::X` is what
//! [`sansock`] exports, and nothing else.

pub use sansock::*;

#[path = "../../src/net/mod.rs"]
pub mod net;
#[cfg(feature = "web")]
#[path = "../../src/web/mod.rs"]
pub mod web;
