//! All connections of a server share one timer: the deadlines hold wherever a connection goes.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use sansock_tokio::{
    CloseCode, Config, Connections, Error, HandlerResult, Incoming, Keepalive, Server, Timeouts,
    WebSocket,
};
use tokio::io::DuplexStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::common::{Running, SOON, drain, server_over};

type Socket = WebSocket<DuplexStream>;

const SECOND: Duration = Duration::from_secs(1);

fn keepalive(interval: Duration) -> Config {
    let keepalive = Keepalive { interval, timeout: interval / 2 };
    Config::new().timeouts(Timeouts::new().keepalive(keepalive))
}

/// How long a peer may be silent.
async fn silence(mut socket: Socket) -> Duration {
    let start = Instant::now();
    let ended = drain(&mut socket).await;
    assert!(matches!(ended, Err(Error::Timeout(_))), "{ended:?}");
    start.elapsed()
}

/// Lets the connection wait once, which sets its timer.
async fn wait_once(socket: &mut Socket) {
    assert!(poll_fn(|cx| Poll::Ready(socket.poll_advance(cx))).await.is_pending());
}

/// Opens a connection, and returns it when the handler has it.
async fn handled(connections: &Connections, socket: Socket) -> Socket {
    let (give, taken) = oneshot::channel();
    drop(connections.spawn(async { Ok(socket) }, |opened| async move {
        give.send(opened?).unwrap();
        Ok(())
    }));
    taken.await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn many_silent_peers_are_given_up_as_one_would_be() {
    let config = keepalive(20 * SECOND);
    let (alone, _client) = server_over(&config, 1_000);
    let expected = silence(alone).await;

    let (connections, mut ends, mut clients) = (Connections::new(), Vec::new(), Vec::new());
    for number in 0..200 {
        let (socket, client) = server_over(&config, 1_000);
        let (tell, told) = oneshot::channel();
        drop(connections.spawn(async { Ok(socket) }, |opened| async move {
            tell.send(silence(opened?).await).unwrap();
            Ok(())
        }));
        ends.push(told);
        clients.push(client);
        // Some in the same millisecond, others not, and some after the first have ended.
        sleep(Duration::from_micros(number * 3_100)).await;
    }
    for end in ends {
        assert_eq!(end.await.unwrap(), expected);
    }
    timeout(SECOND, connections.closed()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_deadline_holds_in_whichever_task_the_connection_is() {
    let config = keepalive(20 * SECOND);
    let (alone, _client) = server_over(&config, 1_000);
    let expected = silence(alone).await;

    let (connections, start) = (Connections::new(), Instant::now());
    let (socket, _client) = server_over(&config, 1_000);
    let mut socket = handled(&connections, socket).await;
    for _ in 0..3 {
        wait_once(&mut socket).await;
        socket = tokio::spawn(async move {
            wait_once(&mut socket).await;
            socket
        })
        .await
        .unwrap();
    }
    tokio::spawn(silence(socket)).await.unwrap();
    assert_eq!(start.elapsed(), expected);

    // As halves, and as a connection made of the parts of this one.
    let start = Instant::now();
    let (socket, _client) = server_over(&config, 1_000);
    let mut socket = handled(&connections, socket).await;
    wait_once(&mut socket).await;
    let (mut reader, _writer) = socket.split();
    while let Ok(Some(_)) = reader.recv().await {}
    assert_eq!(start.elapsed(), expected);

    let start = Instant::now();
    let (socket, _client) = server_over(&config, 1_000);
    let mut socket = handled(&connections, socket).await;
    wait_once(&mut socket).await;
    let (io, connection, input, output) = socket.into_parts();
    silence(WebSocket::new(io, connection, input, output)).await;
    assert_eq!(start.elapsed(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_given_up_although_another_deadline_was_set_before() {
    for split in [false, true] {
        let (connections, start) = (Connections::new(), Instant::now());
        let (mut socket, _client) = server_over(&keepalive(20 * SECOND), 1_000);
        socket.set_write_timeout(5 * SECOND);
        let mut socket = handled(&connections, socket).await;
        wait_once(&mut socket).await;
        let sending = tokio::spawn(async move {
            if split {
                let (_reader, writer) = socket.split();
                writer.send(vec![7; 100_000]).await
            } else {
                socket.send(vec![7; 100_000]).await
            }
        });
        let sent = sending.await.unwrap();
        let is_late =
            |error: &Error| matches!(error, Error::Io(it) if it.kind() == ErrorKind::TimedOut);
        assert!(sent.as_ref().is_err_and(is_late), "{sent:?}");
        assert_eq!(start.elapsed(), 5 * SECOND, "split: {split}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_its_server_has_cut_off_goes_on_with_its_deadlines() {
    let config = Config::new().timeouts(Timeouts::new().closing(10 * SECOND));
    let (mut alone, _client) = server_over(&config, 1_000);
    alone.start_close(CloseCode::GOING_AWAY, "").await.unwrap();
    let expected = silence(alone).await;

    let (connections, start) = (Connections::new(), Instant::now());
    let (socket, _client) = server_over(&config, 1_000);
    let socket = handled(&connections, socket).await;
    let elsewhere = tokio::spawn(silence(socket));
    sleep(SECOND).await;
    connections.shutdown(CloseCode::GOING_AWAY);
    connections.drain(5 * SECOND, async {}).await;
    assert_eq!(start.elapsed(), 6 * SECOND);
    // The next connection has its number.
    let (other, _client) = server_over(&config, 1_000);
    let other = tokio::spawn(silence(handled(&connections, other).await));
    assert_eq!(elsewhere.await.unwrap(), SECOND + expected);
    assert_eq!(other.await.unwrap(), expected);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Waits for `silence` in a thread with a runtime to itself.
fn in_another_runtime(socket: Socket) -> mpsc::Receiver<Duration> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(runtime().block_on(silence(socket))));
    told
}

#[test]
fn a_deadline_holds_in_another_runtime() {
    let config = keepalive(Duration::from_millis(300));
    for waits_before in [false, true] {
        for runtime_ends in [false, true] {
            let (first, connections) = (runtime(), Connections::new());
            let (socket, _client) = server_over(&config, 1_000);
            let (other, _client_of_other) = server_over(&config, 1_000);
            let (socket, _other) = first.block_on(async {
                let mut socket = handled(&connections, socket).await;
                if waits_before {
                    wait_once(&mut socket).await;
                }
                let mut other = handled(&connections, other).await;
                wait_once(&mut other).await;
                (socket, other)
            });
            // Nothing drives the first runtime any more.
            let told = in_another_runtime(socket);
            if runtime_ends {
                std::thread::sleep(Duration::from_millis(50));
                drop(first);
            } else if waits_before {
                // As with any timer: it was set there.
                first.block_on(async { sleep(SECOND).await });
            }
            assert!(told.recv_timeout(SOON).is_ok(), "{waits_before} {runtime_ends}");
        }
    }
}

/// The timer is in the first runtime that has needed one.
#[test]
fn a_deadline_holds_when_the_runtime_of_the_timer_has_ended() {
    let config = keepalive(Duration::from_millis(300));
    let (first, second, connections) = (runtime(), runtime(), Connections::new());
    let (socket, _client) = server_over(&config, 1_000);
    let mut socket = second.block_on(handled(&connections, socket));
    first.block_on(wait_once(&mut socket));
    second.block_on(async {
        let waiting = tokio::spawn(silence(socket));
        tokio::task::yield_now().await;
        // Elsewhere, because a runtime does not end inside of another one.
        std::thread::spawn(move || drop(first)).join().unwrap();
        timeout(SOON, waiting).await.unwrap().unwrap();

        let (socket, _client) = server_over(&config, 1_000);
        let socket = handled(&connections, socket).await;
        timeout(SOON, silence(socket)).await.unwrap();
    });
}

async fn never_ends(incoming: Incoming) -> HandlerResult {
    Ok(drain(&mut incoming.accept().await?).await?)
}

/// Connects clients that do not answer Pings.
async fn connect_silent(running: &Running, number: usize) -> Vec<WebSocket> {
    let mut clients = Vec::new();
    for _ in 0..number {
        clients.push(sansock_tokio::connect(&running.url).await.unwrap());
    }
    while running.handle.counts().open_now < number as u64 {
        sleep(Duration::from_millis(1)).await;
    }
    clients
}

async fn all_ended(running: &Running) {
    let ended = async {
        while running.handle.connections() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, ended).await.unwrap();
}

async fn silent_clients_end(number: usize) {
    for drops_run in [false, true] {
        let silence = |server: Server| server.config(keepalive(Duration::from_millis(200)));
        let running = Running::start(silence, never_ends).await;
        let _clients = connect_silent(&running, number).await;
        if drops_run {
            running.task.abort();
        }
        all_ended(&running).await;
        assert_eq!(running.handle.counts().timeouts.keepalive, number as u64);
    }
}

#[tokio::test]
async fn a_deadline_holds_after_the_future_of_the_server_was_dropped() {
    silent_clients_end(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn deadlines_hold_with_many_threads() {
    silent_clients_end(50).await;
}

#[tokio::test]
async fn a_deadline_holds_while_the_future_of_the_server_is_not_polled() {
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let (url, handle) = (format!("ws://{}/", server.local_addr()), server.handle());
    let server = server.config(keepalive(Duration::from_millis(200)));
    let mut run = Box::pin(server.run(never_ends));
    let _client = tokio::select! {
        client = sansock_tokio::connect(&url) => client.unwrap(),
        _ = &mut run => panic!("it goes on"),
    };
    let ended = async {
        while handle.connections() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, ended).await.unwrap();
    assert_eq!(handle.counts().timeouts.keepalive, 1);
}
