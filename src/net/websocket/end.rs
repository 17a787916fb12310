//! Ends the transport as [`Teardown`] says.

use std::io::{Read, Write};
use std::time::Instant;

use super::{Step, WebSocket};
use crate::net::blocking::is_reset;
use crate::net::{Error, Outgoing};
use crate::{Outcome, Teardown};

impl<S: Read + Write> WebSocket<S> {
    /// Does what `teardown` says with the transport; `None` means to continue reading.
    #[cold]
    pub(super) fn tear_down(&mut self, teardown: Teardown) -> Option<Result<Step, Error>> {
        let until = match teardown {
            Teardown::NotYet | Teardown::AwaitPeer => return None,
            Teardown::HalfClose if self.control.is_some() => {
                self.half_close();
                return None;
            }
            // Without a half-close the peer may wait for our end.
            Teardown::HalfClose => None,
            Teardown::Drop { until } => until,
        };
        self.write_last(until.unwrap_or_else(Instant::now));
        self.finished = true;
        self.half_close();
        if let Some(slot) = &self.outgoing.core.slot {
            slot.settle_as(self.outcome(), self.connection().close_sent());
        }
        let is_abnormal = matches!(self.outcome(), Some(Outcome::Abnormal));
        match self.broken.take_if(|error| is_abnormal && !is_reset(error)) {
            // Returned once; later calls return `Abnormal`.
            Some(error) => Some(Err(error.into())),
            None => Some(self.result()),
        }
    }

    /// Ends our side when nothing waits to be written.
    fn half_close(&mut self) {
        let waits = !self.outgoing.core.buffer.is_empty() && !self.cannot_write() && !self.finished;
        if let Some(control) = &self.control
            && !waits
            && !std::mem::replace(&mut self.half_closed, true)
        {
            // A broken transport cannot be ended.
            let _ = (control.shutdown_write)(&mut self.outgoing.stream);
        }
    }

    /// Writes the waiting bytes, at most until `until` if the transport has timeouts.
    fn write_last(&mut self, until: Instant) {
        if self.cannot_write() || self.outgoing.core.buffer.is_empty() {
            return;
        }
        match &self.control {
            Some(control) => {
                // `buffered_amount` shows what is lost.
                let Outgoing { stream, core, .. } = &mut self.outgoing;
                let _ = (control.write_until)(stream, &mut core.buffer, until);
            }
            None => drop(self.outgoing.write_out()),
        }
    }

    fn cannot_write(&self) -> bool {
        self.broken.is_some() || self.outgoing.write_timed_out
    }

    /// The result of a connection that has ended.
    pub(super) fn result(&self) -> Result<Step, Error> {
        match self.outcome() {
            Some(Outcome::Clean { .. }) | None => Ok(Step::Ended),
            Some(Outcome::Abnormal) => Err(Error::Abnormal),
            Some(&Outcome::Failed(error)) => Err(error.into()),
            Some(&Outcome::TimedOut(timeout)) => Err(timeout.into()),
        }
    }
}
