//! Drives the plan of a drain.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::registry::{Draining, Progress, Registry, Shared};
use crate::CloseCode;
use crate::drain::{Drain, DrainPlan, DrainReport, DrainStep};
use crate::net::lock::wait;
use crate::net::slot::Slot;

/// What is to be done while the registry is not locked.
struct Due {
    /// These are told to close.
    slots: Vec<Arc<Slot>>,
    code: CloseCode,
    /// No more clients are accepted.
    stops: bool,
    /// When to look again; `None` at the end.
    until: Option<Instant>,
}

impl Shared {
    /// Begins a drain; `false` if a drain or a shutdown has begun already.
    pub(super) fn begin_drain(&self, settings: Drain) -> bool {
        self.lock().begin(settings)
    }

    /// Runs the plan to its end.
    pub(super) fn run_drain(self: &Arc<Self>, mut plan: DrainPlan) {
        loop {
            let mut registry = self.lock();
            let looked = Instant::now();
            let Some(due) = registry.advance(&mut plan, looked) else { return };
            if let (true, false, Some(until)) = (due.slots.is_empty(), due.stops, due.until) {
                drop(wait(&self.changed, registry, Some(until)));
                // Each look is at all connections, so not every one that ends is worth one.
                let pause = looked.checked_add(DrainPlan::LEAST_PAUSE).unwrap_or(until);
                thread::sleep(pause.min(until).saturating_duration_since(Instant::now()));
                continue;
            }
            drop(registry);
            for slot in due.slots {
                slot.tell(due.code);
            }
            self.changed.notify_all();
            if due.stops {
                self.start_waking();
            }
            if due.until.is_none() {
                return;
            }
        }
    }

    /// Stops accepting, and tells every connection to close.
    pub(super) fn shut_down(&self) {
        let (slots, code) = {
            let mut registry = self.lock();
            registry.shutting_down = true;
            registry.begin(Drain::new());
            let code = registry.tell_all();
            (registry.slots.clone(), code)
        };
        self.changed.notify_all();
        for slot in slots {
            slot.tell(code);
        }
    }

    pub(super) fn drain_report(&self) -> Option<DrainReport> {
        let registry = self.lock();
        let mut report = registry.drain.as_ref()?.report;
        report.open = registry.connections().count();
        Some(report)
    }
}

impl Registry {
    fn begin(&mut self, settings: Drain) -> bool {
        let begins = self.drain.is_none();
        let report = DrainReport::default();
        self.drain.get_or_insert(Draining { settings, progress: Progress::Grace, report });
        begins
    }

    /// Ends the plan of a drain: what is open is told now, with this code.
    fn tell_all(&mut self) -> CloseCode {
        let Some(drain) = &mut self.drain else { return CloseCode::GOING_AWAY };
        if drain.progress != Progress::CutOff {
            drain.progress = Progress::Told;
        }
        drain.settings.code
    }

    /// Does what is due; `None` if a shutdown has taken over.
    fn advance(&mut self, plan: &mut DrainPlan, now: Instant) -> Option<Due> {
        let drain = self.drain.as_ref()?;
        if !matches!(drain.progress, Progress::Grace | Progress::Closing) {
            return None;
        }
        let Drain { code, keep_listening, .. } = drain.settings;
        // One that has ended by itself waits for its handler only.
        let is_told = |slot: &&Arc<Slot>| slot.was_told() || slot.is_settled();
        let told = self.connections().filter(is_told).count();
        let mut untold: VecDeque<_> = self.connections().filter(|it| !is_told(it)).collect();
        let mut slots = Vec::new();
        let (progress, until) = loop {
            match plan.poll(now, untold.len(), told.saturating_add(slots.len())) {
                DrainStep::Close => slots.extend(untold.pop_front().cloned()),
                DrainStep::Serve(until) => break (Progress::Grace, Some(until)),
                DrainStep::Wait(until) => break (Progress::Closing, Some(until)),
                DrainStep::Over if now < plan.deadline() => break (Progress::Told, None),
                DrainStep::Over => break (Progress::CutOff, None),
            }
        };
        if progress == Progress::CutOff {
            self.cut_off();
        } else if until.is_none() {
            // Those that are in their handshake.
            slots.clone_from(&self.slots);
        }
        let ends = until.is_none() || (progress == Progress::Closing && !keep_listening);
        let stops = ends && !std::mem::replace(&mut self.shutting_down, ends);
        if let Some(drain) = &mut self.drain {
            drain.progress = progress;
        }
        Some(Due { slots, code, stops, until })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::counts::CountedClient;
    use crate::net::Stream;

    /// Otherwise the drain would tell it again and again, without a pause, until its handler
    /// returns.
    #[test]
    fn a_connection_that_has_ended_is_told_nothing_while_its_handler_runs() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let client = CountedClient::new(&Arc::default());
        let slot = Arc::new(Slot::new(Stream::from(tcp), client));
        slot.client().accept();
        slot.settle();
        let (mut registry, now) = (Registry::default(), Instant::now());
        registry.slots.push(slot);
        registry.begin(Drain::new());
        let mut plan = Drain::new().plan(now);
        let due = registry.advance(&mut plan, now).unwrap();
        assert!(due.slots.is_empty());
        assert_eq!(due.until, Some(plan.deadline()));
    }
}
