//! Behind nginx, with the configuration that docs/CHAT.md shows.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use sansock::handshake::OriginPolicy;
use sansock::net::{Client, Incoming, Server as Sansock};
use sansock::{Event, Message};

use crate::driver::{Browser, Device, TIMEOUT};
use crate::server::{Over, Server, fresh_directory};

const CHAT: &str = include_str!("../../../../docs/CHAT.md");

/// It passes `/chat/` on; it ends with the test.
struct Nginx {
    program: Child,
    /// `127.0.0.1:PORT`
    address: String,
    directory: PathBuf,
}

impl Nginx {
    fn before(address: &str) -> Self {
        // The port stays free: the system does not choose it again soon.
        let own = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let directory = fresh_directory();
        let block = CHAT.split_once("```nginx\n").unwrap().1.split_once("```").unwrap().0;
        let (location, map) = block.split_once("# In the http block").unwrap();
        let (_, map) = map.split_once('\n').unwrap();
        let location = location.replace("127.0.0.1:9002", address);
        assert!(location.contains(address));
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("{what}_temp_path {what};"))
            .concat();
        let configuration = format!(
            "daemon off; master_process off; pid nginx.pid; error_log error.log; events {{}}
             http {{ access_log off; {temporary} {map} server {{ listen {own}; {location} }} }}"
        );
        fs::write(directory.join("nginx.conf"), configuration).unwrap();
        let mut program = Command::new("nginx")
            .args(["-e", "error.log", "-c", "nginx.conf", "-p"])
            .arg(&directory)
            .spawn()
            .expect("nginx is missing: apt-get install nginx-light");
        let start = Instant::now();
        while TcpStream::connect(&own).is_err() {
            assert!(start.elapsed() < TIMEOUT, "nginx does not listen");
            assert!(program.try_wait().unwrap().is_none(), "nginx does not start");
            thread::sleep(Duration::from_millis(10));
        }
        Self { program, address: own, directory }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

#[tokio::test]
async fn the_chat_works_under_a_path_of_its_own() {
    let server = Server::start("chat", Over::Http);
    let nginx = Nginx::before(server.address());
    let browser = Browser::start(Device::Desk).await;
    let window = browser.window(&format!("http://{}/chat/", nginx.address)).await;
    window.shows("#state", "connected").await;
    window.types("Anna\u{e007}").await;
    window.shows("#state", "connected as Anna").await;
    window.types("through nginx\u{e007}").await;
    window.shows("#log .mine .text", "through nginx").await;
    assert_eq!(browser.console().await, [""; 0]);
    browser.end().await;
}

#[test]
fn who_accepts_sees_what_the_proxy_says_of_the_client() {
    let server = Sansock::bind("127.0.0.1:0").unwrap().origins(OriginPolicy::SameHost);
    let handle = server.handle();
    let nginx = Nginx::before(&handle.local_addr().to_string());
    let running = thread::spawn(|| {
        server.run(|incoming: &Incoming| {
            let request = incoming.request();
            let header = |name| request.headers().get_str(name).unwrap_or_default();
            let (by, over) = (header("X-Forwarded-For"), header("X-Forwarded-Proto"));
            let seen = format!("{} for {by} over {over}", request.target());
            Ok(incoming.accept()?.send(&seen)?)
        })
    });
    let mut socket = Client::new(&format!("ws://{}/chat/a?b=c", nginx.address))
        .unwrap()
        .origin(format!("http://{}", nginx.address))
        .header("X-Forwarded-For", "203.0.113.7")
        .connect()
        .unwrap();
    let seen = "/a?b=c for 203.0.113.7, 127.0.0.1 over http";
    assert_eq!(socket.next_event().unwrap(), Some(Event::Message(Message::Text(seen))));
    drop(socket);
    handle.shutdown();
    running.join().unwrap().unwrap();
}
