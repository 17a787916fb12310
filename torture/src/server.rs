//! The server in a separate process, seen from outside.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::common::{Fallible, ensure, wait_for};
use crate::gauge::{Gauge, Reading};
use crate::good::Good;
use crate::serve::Ledger;

/// A running server. Dropping it ends its process.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    lines: Receiver<String>,
    pub(crate) address: SocketAddr,
    /// With `--tls`.
    pub(crate) tls: Option<SocketAddr>,
    pub(crate) gauge: Gauge,
    /// Its resources before the first client.
    empty: Reading,
}

/// How long an undisturbed server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(20);

impl Server {
    /// Starts `torture serve` with these arguments, under what the shell's `ulimit` sets.
    pub(crate) fn start(ulimit: &str, arguments: &[&str]) -> Fallible<Self> {
        let program = env::current_exe()?;
        let mut command = if ulimit.is_empty() {
            Command::new(program)
        } else {
            // The shell executes the server in the same process.
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(format!("ulimit {ulimit} && exec \"$0\" \"$@\"")).arg(program);
            shell
        };
        command.arg("serve").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        // glibc keeps memory of ended threads, in eight arenas per processor; the larger the blocks
        // were, the more it keeps. With one arena that returns free memory, growth comes from the
        // server.
        command.env("MALLOC_ARENA_MAX", "1").env("MALLOC_TRIM_THRESHOLD_", "131072");
        let mut process = command.spawn()?;
        let gauge = Gauge(process.id());
        let output = process.stdout.take();
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in output.into_iter().flat_map(|output| BufReader::new(output).lines()) {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let (address, empty) = (([127, 0, 0, 1], 0).into(), Reading::default());
        let mut server = Self { process, lines, address, tls: None, gauge, empty };
        let line = server.line()?;
        let mut addresses = line.split(' ').map(str::parse);
        server.address = addresses.next().ok_or("no address")??;
        server.tls = addresses.next().transpose()?;
        server.empty = gauge.read()?;
        server.warm_up()?;
        Ok(server)
    }

    /// Number of messages that [`start`](Self::start) has sent.
    pub(crate) const WARM_UP: u64 = 8;

    /// Makes the server allocate what it allocates only once.
    fn warm_up(&self) -> Fallible {
        let mut good = (0..Self::WARM_UP)
            .map(|_| Good::connect(self.address))
            .collect::<Fallible<Vec<_>>>()?;
        for good in &mut good {
            good.exchange()?;
        }
        good.into_iter().try_for_each(Good::close)?;
        self.settled(0).map(drop)
    }

    fn line(&self) -> Fallible<String> {
        Ok(self.lines.recv_timeout(TIMEOUT).map_err(|_| "the server says nothing")?)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// Waits until the server has exactly `connections`, each with a thread and a descriptor, and
    /// returns its resources.
    pub(crate) fn settled(&self, connections: u64) -> Fallible<Reading> {
        let threads = self.empty.threads + connections;
        let descriptors = self.empty.descriptors + connections;
        let mut now = Reading::default();
        let settled = wait_for("threads and descriptors go back", TIMEOUT, || {
            now = self.gauge.read()?;
            Ok((now.threads, now.descriptors) == (threads, descriptors))
        });
        settled.map_err(|error| {
            format!(
                "{error}: {} threads instead of {threads}, {} descriptors instead of {descriptors}",
                now.threads, now.descriptors
            )
        })?;
        Ok(now)
    }

    /// Tells the server to shut down.
    pub(crate) fn tell_to_stop(&mut self) -> Fallible {
        let input = self.process.stdin.as_mut().ok_or("told already")?;
        Ok(writeln!(input, "stop")?)
    }

    /// Waits for the end of a server that was told to stop, and returns its counts.
    pub(crate) fn ended(mut self) -> Fallible<Ledger> {
        let ledger = self.line()?.parse()?;
        let mut status = None;
        wait_for("the server ends", TIMEOUT, || {
            status = self.process.try_wait()?;
            Ok(status.is_some())
        })?;
        ensure(status.is_some_and(|status| status.success()), || format!("it ended {status:?}"))?;
        Ok(ledger)
    }

    /// Stops the process.
    pub(crate) fn freeze(&self) -> Fallible<Frozen> {
        self.gauge.signal("-STOP")?;
        Ok(Frozen(self.gauge))
    }
}

/// A process that is stopped until this is dropped.
#[derive(Debug)]
pub(crate) struct Frozen(Gauge);

impl Drop for Frozen {
    fn drop(&mut self) {
        // If it fails, the server does not answer, and the run fails.
        let _ = self.0.signal("-CONT");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
