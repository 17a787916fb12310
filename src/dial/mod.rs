//! Dialling without I/O: which address of a host is tried when.

mod happy_eyeballs;

pub use happy_eyeballs::{AddressOrder, HappyEyeballs, Next};
