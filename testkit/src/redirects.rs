//! A server that redirects a client, for the tests of all clients.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sansock::handshake::accept_key;

/// Longer than anything takes, so that a hang is a failure.
const TIMEOUT: Duration = Duration::from_secs(8);

/// A redirect.
#[derive(Debug)]
pub struct Hop {
    pub status: u16,
    /// The Location; `A` and `B` stand for the two origins.
    pub location: &'static str,
    /// Which of the two is asked next.
    pub origin: char,
    /// What it is asked for.
    pub target: &'static str,
}

const fn hop(status: u16, location: &'static str, origin: char, target: &'static str) -> Hop {
    Hop { status, location, origin, target }
}

/// What the first origin is asked for.
pub const FIRST: &str = "/start?x=1";

/// Twelve redirects: each status, each kind of reference, to another origin and back.
pub const HOPS: [Hop; 12] = [
    hop(301, "/one", 'A', "/one"),
    hop(302, "two", 'A', "/two"),
    hop(303, "dir/", 'A', "/dir/"),
    hop(307, "three?q=1", 'A', "/dir/three?q=1"),
    hop(308, "../four", 'A', "/four"),
    hop(301, "?only=query", 'A', "/four?only=query"),
    hop(302, "#fragment", 'A', "/four?only=query"),
    hop(303, "ws://A/absolute#x", 'A', "/absolute"),
    hop(307, "http://A/http", 'A', "/http"),
    hop(308, "//A/without-scheme", 'A', "/without-scheme"),
    hop(301, "http://B/other", 'B', "/other"),
    hop(302, "//A/back", 'A', "/back"),
];

/// What a client offers besides; [`check`] looks for it.
pub const HEADERS: [(&str, &str); 4] = [
    ("Authorization", "Bearer secret"),
    ("Cookie", "session=secret"),
    ("X-Secret", "marked"),
    ("X-Plain", "plain"),
];

/// Two origins.
#[derive(Debug)]
pub struct Origins {
    a: TcpListener,
    b: TcpListener,
}

impl Origins {
    pub fn new() -> Self {
        let [a, b] = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        Self { a, b }
    }

    /// Host and port of the first origin.
    pub fn first(&self) -> String {
        self.a.local_addr().unwrap().to_string()
    }

    fn filled_in(&self, location: &str) -> String {
        let b = self.b.local_addr().unwrap().to_string();
        location.replace("//A", &format!("//{}", self.first())).replace("//B", &format!("//{b}"))
    }

    /// Redirects a client as the table says, then accepts, and answers its Close frame. Returns the
    /// heads of all requests. A connection that is still open when the next is made hangs.
    pub fn redirect(self) -> JoinHandle<Vec<String>> {
        thread::spawn(move || {
            let mut listener = &self.a;
            let mut heads = Vec::new();
            for hop in &HOPS {
                let mut stream = accept(listener);
                heads.push(read_head(&mut stream));
                let location = self.filled_in(hop.location);
                answer(&mut stream, hop.status, &format!("Location: {location}\r\n"));
                let end = stream.read_to_end(&mut Vec::new());
                assert_eq!(end.unwrap(), 0, "it is closed before the next is made");
                listener = if hop.origin == 'A' { &self.a } else { &self.b };
            }
            let mut stream = accept(listener);
            heads.push(read_head(&mut stream));
            let key = header(heads.last().unwrap(), "Sec-WebSocket-Key").unwrap();
            let key = accept_key(key.as_bytes());
            let fields = format!(
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {key}\r\n\
                 Sec-WebSocket-Protocol: chat\r\n"
            );
            answer(&mut stream, 101, &fields);
            stream.write_all(b"\x88\x02\x03\xe8").unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
            heads
        })
    }
}

impl Default for Origins {
    fn default() -> Self {
        Self::new()
    }
}

/// Answers each connection with a redirect to itself, after a while, and a number that grows.
/// [`end`] ends it.
pub fn redirect_forever(listener: TcpListener, pause: Duration) -> JoinHandle<usize> {
    thread::spawn(move || {
        for number in 0.. {
            let mut stream = accept(&listener);
            if read_head(&mut stream) == END {
                return number;
            }
            thread::sleep(pause);
            answer(&mut stream, 302, &format!("Location: /{number}\r\n"));
        }
        0
    })
}

const END: &str = "\r\n\r\n";

/// Ends [`redirect_forever`].
pub fn end(address: SocketAddr) {
    TcpStream::connect(address).unwrap().write_all(END.as_bytes()).unwrap();
}

/// Checks the heads of the requests that [`Origins::redirect`] returns.
pub fn check(heads: &[String], first: &str) {
    assert_eq!(heads.len(), HOPS.len() + 1);
    let targets = [FIRST].into_iter().chain(HOPS.iter().map(|hop| hop.target));
    let mut keys = Vec::new();
    let mut was_elsewhere = false;
    for (index, (head, target)) in heads.iter().zip(targets).enumerate() {
        assert!(head.starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{index}: {head}");
        let is_first = index.checked_sub(1).is_none_or(|index| HOPS[index].origin == 'A');
        was_elsewhere |= !is_first;
        assert_eq!(header(head, "Host") == Some(first), is_first, "{head}");
        keys.push(header(head, "Sec-WebSocket-Key").unwrap());
        for (name, value) in HEADERS {
            let expected = (name == "X-Plain" || !was_elsewhere).then_some(value);
            assert_eq!(header(head, name), expected, "{index}: {head}");
        }
        assert_eq!(header(head, "Sec-WebSocket-Protocol"), Some("chat"));
    }
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), heads.len(), "each has a key of its own");
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// Reads a head; what has arrived if it ends before.
fn read_head(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(END.as_bytes()) && stream.read(&mut byte).is_ok_and(|n| n > 0) {
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}

fn answer(stream: &mut TcpStream, status: u16, fields: &str) {
    let length = if status == 101 { "" } else { "Content-Length: 0\r\n" };
    // The client may have given up.
    let _ = write!(stream, "HTTP/1.1 {status} \r\n{fields}{length}\r\n");
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
