//! The faults, one function each: it attacks, checks what the attackers saw, and reports it.

pub(crate) mod clock;
pub(crate) mod floods;
pub(crate) mod opening;
pub(crate) mod panics;
pub(crate) mod scarcity;
pub(crate) mod shutdown;
pub(crate) mod slow_reading;
pub(crate) mod stalls;
pub(crate) mod vanishing;
