//! Servers of another make, as processes.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};
use std::{env, thread};

use sansock::web::{ReadyState, WebSocket};

/// The most that anything here may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// A server that runs; it ends with this.
pub(crate) struct Peer {
    child: Mutex<Child>,
    port: String,
    lines: Receiver<String>,
}

impl Peer {
    fn start(program: &Path, script: &str) -> Self {
        let mut child = Command::new(program)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script))
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
        let port = lines.recv_timeout(TIMEOUT).unwrap();
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
        self.lines.recv_timeout(TIMEOUT).unwrap()
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
    let installed = env::var_os("INTEROP").expect("INTEROP is not set: use interop/web/run");
    let python = Path::new(&installed).join("venv/bin/python");
    for (program, script) in [(&*python, "server.py"), (Path::new("node"), "server.cjs")] {
        println!("with {script}");
        test(&Peer::start(program, script));
    }
}

/// All lines, until every sender is dropped.
pub(crate) fn lines(receiver: &Receiver<String>) -> Vec<String> {
    std::iter::from_fn(|| receiver.recv_timeout(TIMEOUT).ok()).collect()
}

/// Waits until there is something.
pub(crate) fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let until = Instant::now() + TIMEOUT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
