//! The page of the chat on two processes, with Redis between them and `HAProxy` in front.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::chat::{ENTER, join};
use crate::driver::{Browser, Device, TIMEOUT};
use crate::server::{Over, Server, fresh_directory};

/// A program of others that listens; it ends with the test.
struct Program {
    command: Command,
    child: Child,
    /// `127.0.0.1:PORT`
    address: String,
    directory: PathBuf,
}

impl Program {
    fn start(address: String, directory: PathBuf, mut command: Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = child.expect("see interop/browser/run");
        let mut program = Self { command, child, address, directory };
        program.listens();
        program
    }

    /// `kill -9`
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn again(&mut self) {
        self.child = self.command.spawn().unwrap();
        self.listens();
    }

    fn listens(&mut self) {
        let start = Instant::now();
        while TcpStream::connect(&self.address).is_err() {
            assert!(start.elapsed() < TIMEOUT, "{:?} does not listen", self.command);
            assert!(self.child.try_wait().unwrap().is_none(), "{:?} does not start", self.command);
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// An address that stays free: the system does not choose it again soon.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn redis() -> Program {
    let (address, directory) = (free_address(), fresh_directory());
    let (_, port) = address.split_once(':').unwrap();
    let mut command = Command::new("redis-server");
    command.args(["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]);
    command.args(["--appendfsync", "always", "--dir"]).arg(&directory);
    Program::start(address, directory, command)
}

/// Each new connection goes to the process that has fewer of them.
fn haproxy(chats: &[&Server]) -> Program {
    let (address, directory) = (free_address(), fresh_directory());
    let server = |(number, chat): (usize, &&Server)| {
        format!(" server chat{number} {} check inter 200ms fall 1 rise 1\n", chat.address())
    };
    let servers = chats.iter().enumerate().map(server).collect::<Vec<_>>().concat();
    let configuration = format!(
        "defaults\n mode http\n option redispatch\n timeout connect 2s\n timeout client 60s\n \
         timeout server 60s\n timeout tunnel 1h\nfrontend pages\n bind {address}\n \
         default_backend chats\nbackend chats\n balance leastconn\n option httpchk GET /healthz\n{servers}"
    );
    let file = directory.join("haproxy.cfg");
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new("haproxy");
    command.args(["-db", "-f"]).arg(file);
    Program::start(address, directory, command)
}

/// How many `WebSocket`s the process has, by its own figures.
fn connections(chat: &Server) -> usize {
    let mut stream = TcpStream::connect(chat.address()).unwrap();
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut figures = String::new();
    stream.read_to_string(&mut figures).unwrap();
    let line = figures.lines().find_map(|line| line.strip_prefix("sansock_connections "));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn two_windows_on_two_processes_see_each_other_and_go_on_when_one_is_killed() {
    let redis = redis();
    let url = format!("redis://{}/", redis.address);
    let chat = || Server::start_with("chat", Over::Http, &["127.0.0.1:0", "--redis", &url]);
    let mut chats = vec![chat(), chat()];
    let haproxy = haproxy(&chats.iter().collect::<Vec<_>>());
    let page = format!("http://{}/", haproxy.address);

    let browser = Browser::start(Device::Desk).await;
    let anna = join(browser.window(&page).await, "Anna", "Anna").await;
    let bert = join(browser.another_window(&page).await, "Bert", "Bert").await;
    assert_eq!([connections(&chats[0]), connections(&chats[1])], [1, 1], "one on each");

    anna.types(&format!("one{ENTER}")).await;
    bert.shows("#log .theirs .text", "one").await;
    bert.types(&format!("two{ENTER}")).await;
    anna.shows("#log .theirs .text", "two").await;
    anna.shows_all("#users li", &["Anna (you)", "Bert"]).await;

    // Dropping it is `kill -9`.
    drop(chats.pop());
    for (window, name, text) in [(&anna, "Anna", "three"), (&bert, "Bert", "four")] {
        window.shows("#state", &format!("connected as {name}")).await;
        window.types(&format!("{text}{ENTER}")).await;
    }
    for window in [&anna, &bert] {
        let all = ["one", "two", "three", "four"];
        window.shows("#log .text", "four").await;
        let mut texts = window.texts("#log .mine .text, #log .theirs .text").await;
        // Which of the last two was first is the room's.
        texts[2..].sort_by_key(|text| text == "four");
        assert_eq!(texts, all);
    }
    anna.shows_all("#users li", &["Anna (you)", "Bert"]).await;
    assert_eq!(connections(&chats[0]), 2);
    browser.end().await;
}

/// Its connections stay open, and nothing comes from them.
#[tokio::test]
async fn a_page_whose_process_stands_still_goes_on_at_another() {
    let redis = redis();
    let url = format!("redis://{}/", redis.address);
    let chat = || Server::start_with("chat", Over::Http, &["127.0.0.1:0", "--redis", &url]);
    let chats = [chat(), chat()];
    let haproxy = haproxy(&chats.iter().collect::<Vec<_>>());
    let browser = Browser::start(Device::Desk).await;
    let page = format!("http://{}/", haproxy.address);
    let anna = join(browser.window(&page).await, "Anna", "Anna").await;
    anna.types(&format!("before{ENTER}")).await;
    anna.shows("#log .mine .text", "before").await;

    let [one, other] = if connections(&chats[0]) == 1 { [0, 1] } else { [1, 0] };
    chats[one].signal("-STOP");
    anna.types(&format!("meanwhile{ENTER}")).await;
    anna.shows("#log .mine .text", "meanwhile").await;
    assert_eq!(connections(&chats[other]), 1);
    chats[one].signal("-CONT");
    anna.types(&format!("after{ENTER}")).await;
    anna.shows_all("#log .mine .text", &["before", "meanwhile", "after"]).await;
    anna.shows_all("#users li", &["Anna (you)"]).await;
    browser.end().await;
}

/// The connection stays, what is written meanwhile waits, and it is sent when Redis is back.
#[tokio::test]
async fn the_page_says_that_redis_is_gone_and_goes_on_when_it_is_back() {
    let mut redis = redis();
    let url = format!("redis://{}/", redis.address);
    let chat = Server::start_with("chat", Over::Http, &["127.0.0.1:0", "--redis", &url]);
    let browser = Browser::start(Device::Desk).await;
    let anna = join(browser.window(&chat.url).await, "Anna", "Anna").await;
    anna.types(&format!("before{ENTER}")).await;
    anna.shows("#log .mine .text", "before").await;

    redis.kill();
    anna.shows("#log .error", "cannot be reached").await;
    anna.types(&format!("meanwhile{ENTER}")).await;
    anna.shows("#waiting", "1 message is not sent yet").await;
    anna.shows("#state", "connected as Anna").await;
    anna.script("document.querySelector('#name').value = 'Anna Two'").await;
    anna.clicks("#join").await;
    anna.shows("#waiting", "You are not yet Anna Two").await;
    redis.again();
    anna.shows("#log .notice", "messages can be stored again").await;
    anna.shows_all("#log .mine .text", &["before", "meanwhile"]).await;
    anna.shows("#state", "connected as Anna Two").await;
    assert_eq!(connections(&chat), 1);
    browser.end().await;
}
