//! Servers of another make, as processes.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use sansock::web::{ReadyState, WebSocket};

/// The most that anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A server that runs; it ends with this.
pub(crate) struct Peer {
    child: Mutex<Child>,
    port: String,
    lines: Receiver<String>,
}

impl Peer {
    pub(crate) const PYTHON: &str = "websockets==15.0.1";
    pub(crate) const NODE: &str = "ws@8.18.3";

    fn start(program: &str, script: &str, needs: &str) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let installed = here.join("target/peers").join(needs);
        assert!(
            installed.exists(),
            "{} is missing: run interop/web/install, which installs {} and {}",
            installed.display(),
            Self::PYTHON,
            Self::NODE
        );
        let program = if program == "node" {
            program.into()
        } else {
            here.join("target/peers").join(program)
        };
        let mut child = Command::new(&program)
            .arg(here.join(script))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.lines() {
                if line.is_err() || sender.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        let port = lines.recv_timeout(PATIENCE).unwrap();
        Self { child: Mutex::new(child), port, lines }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://127.0.0.1:{}{path}", self.port)
    }

    /// A socket that is open.
    pub(crate) fn open(&self, path: &str) -> WebSocket {
        let socket = WebSocket::new(&self.url(path)).unwrap();
        until("open", || (socket.ready_state() == ReadyState::Open).then_some(()));
        socket
    }

    /// What the server tells next: path, bytes or characters received, close code and reason.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    pub(crate) fn end(&self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs a test with each peer.
pub(crate) fn both(test: impl Fn(&Peer)) {
    for (program, script, needs) in [
        ("python/bin/python", "server.py", "python/bin/python"),
        ("node", "server.cjs", "node/node_modules/ws"),
    ] {
        println!("with {script}");
        test(&Peer::start(program, script, needs));
    }
}

/// All that was told, until nobody is left to tell.
pub(crate) fn lines(receiver: &Receiver<String>) -> Vec<String> {
    std::iter::from_fn(|| receiver.recv_timeout(PATIENCE).ok()).collect()
}

/// Waits until there is something.
pub(crate) fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
