//! Cancelling at each step of dialling leaves no descriptor behind.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]
#![cfg(target_os = "linux")]

#[path = "../tls/certificates.rs"]
#[expect(dead_code, reason = "it is shared with the tests of TLS")]
mod certificates;
#[expect(dead_code, reason = "it is shared with the other tests")]
mod driver;
#[expect(dead_code, reason = "it is shared with the other tests")]
mod fake;
#[expect(dead_code, reason = "it is shared with the other tests")]
mod origin;

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use sansock::Timeouts;
use sansock::dial::ProxyScheme;
use sansock::net::{CancelConnect, Error, Stream};

use crate::certificates::{ours, params};
use crate::driver::{Dial, TIMEOUT, run, within};
use crate::fake::{Fake, acceptor, pass_on};
use crate::origin::{ORIGIN, Origin, silent};

/// Where a client waits when it is cancelled.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    /// No address of the proxy answers.
    Connecting,
    /// The proxy does not answer the `ClientHello`.
    ProxysTls,
    /// The proxy does not answer CONNECT.
    Tunnel,
    /// The proxy does not answer CONNECT that came over TLS.
    TunnelOverTls,
    /// The server does not answer the `ClientHello`.
    ServersTls,
    /// The server does not answer the request.
    Handshake,
}

const STEPS: [Step; 6] = [
    Step::Connecting,
    Step::ProxysTls,
    Step::Tunnel,
    Step::TunnelOverTls,
    Step::ServersTls,
    Step::Handshake,
];

fn count() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// A proxy that lets clients come up to a step, and says when one is there.
fn stalling(step: Step) -> (Fake, Receiver<()>) {
    let (there, arrived) = channel();
    let scheme = match step {
        Step::ProxysTls | Step::TunnelOverTls => ProxyScheme::Https,
        _ => ProxyScheme::Http,
    };
    let fake = Fake::that(scheme, move |tcp, _| serve(step, tcp, &there));
    (fake, arrived)
}

fn serve(step: Step, tcp: TcpStream, there: &Sender<()>) -> io::Result<()> {
    let mut client = match step {
        // The first bytes have come.
        Step::Connecting | Step::ProxysTls | Step::Tunnel => return wait(tcp, 1, there),
        Step::TunnelOverTls => {
            let client: Stream =
                acceptor().accept(tcp, &Timeouts::new()).map_err(io::Error::other)?;
            return wait(client, 1, there);
        }
        Step::ServersTls | Step::Handshake => tcp,
    };
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        io::Read::read_exact(&mut client, &mut byte)?;
        head.extend(byte);
    }
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    if step == Step::ServersTls {
        return wait(client, 1, there);
    }
    // A server that does the TLS handshake and answers nothing more.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let there = there.clone();
    thread::spawn(move || {
        let tls = ours().issue(&params(&[ORIGIN])).acceptor();
        let stream = tls.accept(listener.accept().unwrap().0, &Timeouts::new()).unwrap();
        wait(stream, 1, &there)
    });
    pass_on(client, address)
}

/// Says that so many bytes have come, and waits for the client's end.
fn wait(mut stream: impl io::Read, mut bytes: usize, there: &Sender<()>) -> io::Result<()> {
    loop {
        match stream.read(&mut [0; 1 << 10]) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                if bytes > 0 {
                    let _ = there.send(());
                }
                bytes = bytes.saturating_sub(n);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Waits until the client is there; connecting gives no sign.
fn arrived(step: Step, arrived: &Receiver<()>) {
    match step {
        Step::Connecting => thread::sleep(Duration::from_millis(400)),
        _ => arrived.recv_timeout(TIMEOUT).unwrap(),
    }
}

fn cancel_blocking(step: Step, dial: &Dial, signs: Receiver<()>) {
    let cancel = CancelConnect::new();
    let client = dial.blocking().cancel(&cancel);
    let connecting = thread::spawn(move || client.connect().map(drop));
    arrived(step, &signs);
    drop(signs);
    cancel.cancel();
    let result = within(TIMEOUT, move || connecting.join().unwrap());
    assert!(matches!(result, Err(Error::Cancelled)), "{step:?}: {result:?}");
}

fn drop_the_future(step: Step, dial: &Dial, signs: Receiver<()>) {
    let client = dial.asynchronous();
    run(async {
        let waiting = tokio::task::spawn_blocking(move || arrived(step, &signs));
        tokio::select! {
            result = client.connect() => panic!("{step:?}: {result:?}"),
            there = waiting => there.unwrap(),
        }
    });
}

/// The proxy's threads close what they have when their client's end has come, so a descriptor that a
/// client left open keeps two or more of them.
#[test]
fn cancelling_leaves_no_descriptor_behind() {
    let origin = Origin::start(true);
    let (unreachable, _listener) = silent();
    // With tokio's feature `signal` the first runtime opens two for the process.
    run(async {});
    let before = count();
    for cancel in [cancel_blocking, drop_the_future] {
        for step in STEPS {
            let (fake, signs) = stalling(step);
            let opened = count();
            let mut dial = Dial::new(&origin, &fake, fake.proxy());
            // The blocking client's attempts end by themselves.
            dial.connect_timeout = Duration::from_secs(2);
            if step == Step::Connecting {
                let addresses: [SocketAddr; 3] = [unreachable; 3];
                dial.proxy_addresses = addresses.to_vec();
            }
            cancel(step, &dial, signs);
            let start = Instant::now();
            while count() > opened {
                let names = std::fs::read_dir("/proc/self/fd").unwrap();
                let open: Vec<_> =
                    names.filter_map(|it| it.unwrap().path().read_link().ok()).collect();
                assert!(start.elapsed() < TIMEOUT, "{step:?}: {opened} are now {open:?}");
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
    // The listeners of the proxies stay.
    assert_eq!(count(), before + 2 * STEPS.len());
}
