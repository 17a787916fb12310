//! A Redis server of a test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crate::program::TIMEOUT;

/// It keeps what it has acknowledged, and ends with the test.
pub(crate) struct Redis {
    program: Child,
    port: u16,
    directory: PathBuf,
}

impl Redis {
    pub(crate) fn start() -> Self {
        Self::start_at(free_port())
    }

    pub(crate) fn start_at(port: u16) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("sansock-scale-{}-{number}", process::id()));
        fs::create_dir(&directory).unwrap();
        let mut redis = Self { program: spawn(port, &directory), port, directory };
        redis.wait();
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// As an operator or a lack of memory ends it: without a moment to write anything.
    pub(crate) fn kill(&mut self) {
        self.program.kill().unwrap();
        self.program.wait().unwrap();
    }

    /// Copies what it has on the disk, and returns where the copy is.
    pub(crate) fn copy(&self) -> PathBuf {
        let copy = self.directory.join("copy");
        copy_all(&self.directory.join("appendonlydir"), &copy);
        copy
    }

    /// Starts it again with a copy of what it had before.
    pub(crate) fn restart_with(&mut self, copy: &Path) {
        let data = self.directory.join("appendonlydir");
        fs::remove_dir_all(&data).unwrap();
        copy_all(copy, &data);
        self.restart();
    }

    /// Starts it again with what it has on the disk.
    pub(crate) fn restart(&mut self) {
        self.program = spawn(self.port, &self.directory);
        self.wait();
    }

    /// Stops it (`-STOP`) or lets it go on (`-CONT`).
    pub(crate) fn signal(&self, name: &str) {
        let id = self.program.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Runs a command, and returns the first line of its answer.
    pub(crate) fn run(&self, command: &str) -> String {
        let mut line = String::new();
        self.begin(command).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Runs a command, and returns its answer, which is a text.
    pub(crate) fn text(&self, command: &str) -> String {
        let mut answer = self.begin(command);
        let mut line = String::new();
        answer.read_line(&mut line).unwrap();
        let mut text = vec![0; line.trim_end()[1..].parse().unwrap()];
        answer.read_exact(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    fn begin(&self, command: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        write!(stream, "{command}\r\n").unwrap();
        BufReader::new(stream)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn wait(&mut self) {
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() || self.run("PING") != "+PONG" {
            assert!(start.elapsed() < TIMEOUT, "redis-server does not listen");
            assert!(self.program.try_wait().unwrap().is_none(), "redis-server does not start");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn copy_all(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-r").args([from, to]).status().unwrap().success());
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn spawn(port: u16, directory: &Path) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--save", "", "--bind", "127.0.0.1"]);
    command.args(["--appendonly", "yes", "--appendfsync", "always", "--dir"]).arg(directory);
    let program = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    program.expect("redis-server is missing. On Debian: apt-get install redis-server")
}
