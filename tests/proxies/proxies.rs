//! The way through a proxy: one table of cases for all drivers.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

/// Makes a test of each function for each driver.
macro_rules! on_all_drivers {
    ($($name:ident),* $(,)?) => {
        mod blocking { $( #[test] fn $name() { super::$name::<crate::driver::Blocking>(); } )* }
        mod asynchronous { $( #[test] fn $name() { super::$name::<crate::driver::Asynchronous>(); } )* }
        mod web { $( #[test] fn $name() { super::$name::<crate::driver::Web>(); } )* }
    };
}

#[path = "../tls/certificates.rs"]
#[expect(dead_code, reason = "it is shared with the tests of TLS")]
mod certificates;
mod driver;
mod fake;
mod origin;
mod refusals;
mod routes;
mod secrets;
mod time;
