//! The resources of a process, as Linux reports them.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::common::{Fallible, ensure};

/// A process to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauge(pub(crate) u32);

/// The resources of a process at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    /// Resident memory in KiB, now and at its highest since [`Gauge::reset_peak`].
    pub(crate) memory: u64,
    pub(crate) peak: u64,
    pub(crate) threads: u64,
    pub(crate) descriptors: u64,
    /// Processor time in the program and in the kernel for it.
    pub(crate) cpu: Duration,
}

impl Gauge {
    pub(crate) fn read(self) -> Fallible<Reading> {
        let status = fs::read_to_string(self.path("status"))?;
        let field = |name: &str| -> Fallible<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let value = line.and_then(|line| line.split_whitespace().next());
            Ok(value.ok_or_else(|| format!("no {name} in /proc/{}/status", self.0))?.parse()?)
        };
        Ok(Reading {
            memory: field("VmRSS:")?,
            peak: field("VmHWM:")?,
            threads: field("Threads:")?,
            descriptors: fs::read_dir(self.path("fd"))?.count() as u64,
            cpu: self.cpu()?,
        })
    }

    pub(crate) fn cpu(self) -> Fallible<Duration> {
        let stat = fs::read_to_string(self.path("stat"))?;
        // The name, in parentheses, may contain any characters; utime and stime are the fields 14
        // and 15, in hundredths of a second.
        let behind = stat.rsplit(')').next().unwrap_or_default();
        let mut ticks = 0;
        for field in behind.split_whitespace().skip(11).take(2) {
            ticks += field.parse::<u64>()?;
        }
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Resets [`Reading::peak`] to the memory now.
    pub(crate) fn reset_peak(self) -> Fallible {
        Ok(fs::write(self.path("clear_refs"), "5")?)
    }

    /// Sends a signal, with `kill`, because std has no function for it.
    pub(crate) fn signal(self, name: &str) -> Fallible {
        let status = Command::new("kill").args([name, &self.0.to_string()]).status()?;
        ensure(status.success(), || format!("kill {name}: {status}"))
    }

    fn path(self, file: &str) -> String {
        format!("/proc/{}/{file}", self.0)
    }
}
