//! A program that the test starts, stops and measures.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running program. Dropping it kills it.
pub(crate) struct Program {
    child: Child,
}

impl Program {
    /// Starts it; what it prints is appended to the file.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stderr(log.try_clone().unwrap()).stdout(log);
        let child = command.spawn().unwrap_or_else(|error| panic_for(command, &error));
        Self { child }
    }

    /// Sends a signal, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap();
        assert!(sent.success(), "kill -{name} {pid}");
    }

    /// `kill -9`
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends it with SIGTERM, and waits.
    pub(crate) fn end(&mut self) {
        self.signal("TERM");
        self.child.wait().unwrap();
    }

    /// The processor time that it has used.
    pub(crate) fn cpu(&self) -> Duration {
        cpu(&self.child.id().to_string())
    }

    /// The memory that it uses, in KiB.
    pub(crate) fn memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

/// The processor time that a process has used; `self` is this one.
pub(crate) fn cpu(process: &str) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // After the name, which may hold anything: utime and stime are the 12th and 13th.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    // Linux counts in hundredths of a second.
    Duration::from_millis(ticks * 10)
}

fn panic_for(command: &Command, error: &std::io::Error) -> ! {
    #[expect(clippy::panic, reason = "a program of tests stops at an error")]
    {
        panic!("{command:?}: {error}")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}
