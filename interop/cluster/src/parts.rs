//! Redis, the chats, and `HAProxy` in front of them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs, process};

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::program::Program;

/// All programs, in a directory of their own.
pub(crate) struct Parts {
    directory: PathBuf,
    pub(crate) redis: Part,
    pub(crate) chats: Vec<Part>,
    pub(crate) haproxy: Part,
    has_failed: bool,
}

/// A program that can be started again at its port.
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    command: Vec<String>,
    log: PathBuf,
    pub(crate) program: Program,
}

impl Part {
    async fn start(name: &str, port: u16, command: Vec<String>, directory: &Path) -> Self {
        let log = directory.join(format!("{name}.log"));
        let program = launch(&command, &log);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let started = Self { name: name.into(), address, command, log, program };
        started.answers().await;
        started
    }

    /// Starts it after its end.
    pub(crate) async fn again(&mut self) {
        self.program = launch(&self.command, &self.log);
        self.answers().await;
    }

    /// Waits until it accepts connections.
    async fn answers(&self) {
        let start = Instant::now();
        while TcpStream::connect(self.address).await.is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "{} does not answer", self.name);
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn launch(command: &[String], log: &Path) -> Program {
    Program::start(Command::new(&command[0]).args(&command[1..]), log)
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).into()
}

/// Ports that were free a moment ago.
fn free_ports(number: usize) -> Vec<u16> {
    let listeners: Vec<_> =
        (0..number).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
    listeners.iter().map(|it| it.local_addr().unwrap().port()).collect()
}

impl Parts {
    /// Starts all. `options` are for the chats.
    pub(crate) async fn start(chats: usize, options: &[&str]) -> Self {
        let directory = env::temp_dir().join(format!("sansock-cluster-{}", process::id()));
        fs::create_dir_all(&directory).unwrap();
        let ports = free_ports(chats + 2);
        let (redis, front) = (ports[0], ports[1]);
        let redis = Self::redis(redis, &directory).await;
        let url = format!("redis://{}/", redis.address);
        let program = env::var("CHAT").expect("the variable CHAT names the program of the chat");
        let mut all = Vec::new();
        for (&port, number) in ports[2..].iter().zip(1..) {
            let address = format!("127.0.0.1:{port}");
            let mut command = words([&program, &address, "--redis", &url]);
            command.extend(options.iter().map(|&word| word.to_owned()));
            all.push(Part::start(&format!("chat{number}"), port, command, &directory).await);
        }
        let file = directory.join("haproxy.cfg");
        fs::write(&file, configuration(front, &all)).unwrap();
        let command = words(["haproxy", "-db", "-f", file.to_str().unwrap()]);
        let haproxy = Part::start("haproxy", front, command, &directory).await;
        Self { directory, redis, chats: all, haproxy, has_failed: false }
    }

    /// Keeps what the programs have printed, and says where it is.
    pub(crate) fn fail(&mut self) {
        self.has_failed = true;
        println!("what the programs have printed is in {}", self.directory.display());
    }

    /// What was acknowledged must be on the disk: `appendfsync always`.
    async fn redis(port: u16, directory: &Path) -> Part {
        let port_word = port.to_string();
        let command = words([
            "redis-server",
            "--port",
            &port_word,
            "--bind",
            "127.0.0.1",
            "--dir",
            directory.to_str().unwrap(),
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--save",
            "",
        ]);
        Part::start("redis", port, command, directory).await
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        for part in self.chats.iter_mut().chain([&mut self.haproxy, &mut self.redis]) {
            part.program.kill();
        }
        if !self.has_failed {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// `HAProxy` moves the clients of a process that does not answer within a second.
fn configuration(port: u16, chats: &[Part]) -> String {
    let server = |chat: &Part| format!("  server {} {} check\n", chat.name, chat.address);
    let servers = chats.iter().map(server).collect::<Vec<_>>().concat();
    format!(
        "global
  maxconn 9500
defaults
  mode http
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  timeout check 1s
  option redispatch
frontend clients
  bind 127.0.0.1:{port}
  default_backend chats
backend chats
  balance leastconn
  option httpchk
  http-check send meth GET uri /healthz hdr Host localhost
  default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
{servers}"
    )
}
