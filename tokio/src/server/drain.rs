//! Drives the plan of a drain.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant as StdInstant;

use sansock::CloseCode;
use sansock::drain::{Drain, DrainPlan, DrainReport, DrainStep};
use sansock::handshake::Rejection;
use tokio::time::Instant;

use super::entries::Entry;
use super::registry::{Places, Progress, Registry};
use super::slot::Closing;
use crate::clock::now;

/// What is to be done while the registry is not locked.
struct Due {
    /// These are told to close.
    slots: Vec<Arc<dyn Closing>>,
    code: CloseCode,
    /// These are cut off.
    cut_off: Vec<Entry>,
    /// When to look again; `None` at the end.
    until: Option<StdInstant>,
}

impl Registry {
    /// Starts a drain, unless a drain or a shutdown has begun.
    pub(super) fn start_drain(self: &Arc<Self>, settings: Drain) {
        {
            let mut places = self.lock();
            if places.drain.is_some() {
                return;
            }
            places.begin_drain(settings);
        }
        let (registry, plan) = (Arc::clone(self), settings.plan(now()));
        // Not awaited: it goes on whatever becomes of the caller.
        drop(tokio::spawn(async move { registry.run_drain(plan).await }));
    }

    pub(super) fn is_draining(&self) -> bool {
        self.lock().drain.is_some()
    }

    pub(super) fn drain_report(&self) -> Option<DrainReport> {
        let places = self.lock();
        let mut report = places.drain.as_ref()?.report;
        report.open = places.connections().count();
        Some(report)
    }

    /// Returns the response to a client that is not served, because the connections drain. After a
    /// shutdown no client is served.
    pub(super) fn refusal(&self, is_websocket: bool) -> Option<Rejection> {
        let mut places = self.lock();
        let drain = places.drain.as_mut()?;
        match drain.progress {
            Progress::Grace => return None,
            Progress::Closing if !is_websocket => return None,
            Progress::Closing | Progress::Told => {}
        }
        drain.report.refused = drain.report.refused.saturating_add(usize::from(is_websocket));
        Some(drain.settings.rejection())
    }

    /// Runs the plan to its end.
    async fn run_drain(&self, mut plan: DrainPlan) {
        loop {
            let changed = self.changed.notified();
            let looked = now();
            let Some(due) = self.lock().advance(&mut plan, looked) else { return };
            if due.slots.is_empty()
                && let Some(until) = due.until
            {
                let _ = tokio::time::timeout_at(Instant::from_std(until), changed).await;
                // Each look is at all connections, so not every one that ends is worth one.
                let pause = looked.checked_add(DrainPlan::LEAST_PAUSE).unwrap_or(until);
                tokio::time::sleep_until(Instant::from_std(pause.min(until))).await;
                continue;
            }
            for slot in due.slots {
                slot.close(due.code);
            }
            due.cut_off.into_iter().for_each(Entry::cut_off);
            self.changed.notify_waiters();
            if due.until.is_none() {
                return;
            }
        }
    }
}

impl Places {
    /// Does what is due; `None` if a shutdown has taken over.
    fn advance(&mut self, plan: &mut DrainPlan, now: StdInstant) -> Option<Due> {
        let drain = self.drain.as_ref().filter(|it| it.progress != Progress::Told)?;
        let code = drain.settings.code;
        // One that has ended by itself waits for its handler only.
        let is_told = |slot: &&Arc<dyn Closing>| slot.was_told() || slot.has_ended();
        let told = self.connections().filter(is_told).count();
        let mut untold: VecDeque<_> = self.connections().filter(|it| !is_told(it)).collect();
        let mut slots = Vec::new();
        let (progress, until) = loop {
            match plan.poll(now, untold.len(), told.saturating_add(slots.len())) {
                DrainStep::Close => slots.extend(untold.pop_front().cloned()),
                DrainStep::Serve(until) => break (Progress::Grace, Some(until)),
                DrainStep::Wait(until) => break (Progress::Closing, Some(until)),
                DrainStep::Over => break (Progress::Told, None),
            }
        };
        let mut cut_off = Vec::new();
        if until.is_none() {
            self.shutdown = Some(code);
            if now >= plan.deadline() {
                cut_off = self.take_all();
            } else {
                // Those that are in their handshake.
                slots = self.all.iter().map(|entry| Arc::clone(&entry.slot)).collect();
            }
        }
        if let Some(drain) = &mut self.drain {
            drain.progress = progress;
        }
        Some(Due { slots, code, cut_off, until })
    }
}
