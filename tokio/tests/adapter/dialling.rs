//! Which address of a host is connected to, and when (RFC 8305).

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use sansock_tokio::dial::AddressOrder;
use sansock_tokio::{Client, Config, Error, Message};

use crate::common::{Running, echo};

/// What a busy machine may take besides.
const SLACK: Duration = Duration::from_millis(1_500);

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A listener whose backlog is full: the system answers nothing.
fn silent() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut backlog = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, ms(200)) {
        backlog.push(stream);
        assert!(backlog.len() < 20_000);
    }
    (address, listener, backlog)
}

fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A client of a host with these addresses.
fn client_of(addresses: &[SocketAddr]) -> Client {
    let addresses = addresses.to_vec();
    Client::new("ws://host.example/").unwrap().resolver(move |host, port| {
        assert_eq!((&*host, port), ("host.example", 80));
        let addresses = addresses.clone();
        async move { Ok(addresses) }
    })
}

#[tokio::test]
async fn an_address_that_does_not_answer_costs_a_quarter_of_a_second() {
    let server = Running::start(|server| server, echo).await;
    let open = server.url.trim_start_matches("ws://").trim_end_matches('/').parse().unwrap();
    let (silent, _listener, _backlog) = silent();
    for addresses in
        [vec![silent, open, silent, silent, silent, silent], vec![closed(), silent, open]]
    {
        let start = Instant::now();
        let mut socket = client_of(&addresses).connect().await.unwrap();
        let took = start.elapsed();
        assert!(ms(240) < took && took < ms(300) + SLACK, "{took:?}");
        socket.send("x").await.unwrap();
        assert_eq!(socket.next_message().await.unwrap(), Some(Message::from("x".to_owned())));
    }
    // The delay and the order are settings.
    let start = Instant::now();
    let client = client_of(&[silent, open]).attempt_delay(ms(20));
    drop(client.address_order(AddressOrder::AsResolved).connect().await.unwrap());
    assert!(start.elapsed() < ms(200) + SLACK, "{:?}", start.elapsed());
    server.end().await;
}

/// The time is for all addresses together, and the error names every one.
#[tokio::test]
async fn if_no_address_answers_the_error_names_all() {
    let (silent, _listener, _backlog) = silent();
    let closed = closed();
    let client = client_of(&[closed, silent, silent, silent, closed]).connect_timeout(ms(400));
    let start = Instant::now();
    let Err(Error::Connect(error)) = client.connect().await else { panic!("no error") };
    let took = start.elapsed();
    assert!(ms(400) <= took && took < ms(500) + SLACK, "{took:?}");
    let attempts: Vec<_> = error.attempts().iter().map(|it| (it.0, it.1.kind())).collect();
    let late = (silent, ErrorKind::TimedOut);
    let refused = (closed, ErrorKind::ConnectionRefused);
    assert_eq!(attempts, [refused, late, late, late, (closed, ErrorKind::TimedOut)]);
}

/// The time is also for the lookup.
#[tokio::test(start_paused = true)]
async fn a_lookup_may_fail_or_take_too_long() {
    let client = Client::new("ws://[::1]/").unwrap();
    for (hangs, kind) in [(false, ErrorKind::NotFound), (true, ErrorKind::TimedOut)] {
        let client = client.clone().resolver(move |host, _| async move {
            assert_eq!(host, "::1", "without brackets");
            if hangs {
                std::future::pending::<()>().await;
            }
            Err(ErrorKind::NotFound.into())
        });
        let Err(Error::Connect(error)) = client.connect().await else { panic!("no error") };
        assert_eq!((error.kind(), error.attempts().len()), (kind, 0));
    }
}

/// The local address is set before the socket connects.
#[tokio::test]
async fn options_of_the_socket_are_set_before_it_connects() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let server = Running::start(
        |server| server,
        move |incoming| {
            let _ = tell.send(incoming.peer_addr().map(|address| address.ip()));
            echo(incoming)
        },
    )
    .await;
    for addresses in [vec![server.address], vec![closed(), server.address]] {
        // All of 127.0.0.0/8 is this machine.
        let client = client_of(&addresses).tcp_socket(move |socket, address| {
            assert!(addresses.contains(&address));
            socket.bind(([127, 0, 0, 9], 0).into())
        });
        let mut socket = client.connect().await.unwrap();
        assert!(socket.get_ref().get_ref().nodelay().unwrap());
        socket.send("x").await.unwrap();
        assert_eq!(socket.next_message().await.unwrap(), Some(Message::from("x")));
        assert_eq!(told.recv().await.unwrap(), Some([127, 0, 0, 9].into()));
    }
    // An error is that of the attempt.
    let client = client_of(&[server.address]);
    let client = client.tcp_socket(|_, _| Err(std::io::Error::other("not this one")));
    let Err(Error::Connect(error)) = client.connect().await else { panic!("it has connected") };
    assert!(error.to_string().ends_with("not this one"), "{error}");
    server.end().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_path_and_a_url_lead_to_a_unix_socket() {
    let path = std::env::temp_dir().join(format!("sansock-tokio-{}", std::process::id()));
    let path = path.to_str().unwrap();
    let _ = std::fs::remove_file(path);
    let listener = tokio::net::UnixListener::bind(path).unwrap();
    let server = tokio::spawn(async move {
        for _ in 0..2 {
            let (stream, _) = listener.accept().await.unwrap();
            let incoming = sansock_tokio::Incoming::read(stream, &Config::new()).await.unwrap();
            assert_eq!(incoming.request().target(), "/chat?x=1");
            let mut socket = incoming.accept().await.unwrap();
            let message = socket.next_message().await.unwrap().unwrap();
            socket.send(message).await.unwrap();
            assert!(socket.next_message().await.unwrap().is_none());
        }
    });
    let client = Client::new("ws://localhost/chat?x=1").unwrap();
    let (by_path, _) = client.connect_unix(path).await.unwrap();
    let url = format!("ws+unix:{path}:/chat?x=1");
    // The server serves one after the other.
    let check = |mut socket: sansock_tokio::WebSocket<tokio::net::UnixStream>| async move {
        socket.send("x").await.unwrap();
        assert_eq!(socket.next_message().await.unwrap(), Some(Message::from("x")));
        socket.close(sansock_tokio::CloseCode::NORMAL, "").await.unwrap();
    };
    check(by_path).await;
    check(sansock_tokio::connect_unix(&url).await.unwrap()).await;
    server.await.unwrap();
    std::fs::remove_file(path).unwrap();
    let gone = client.connect_unix(path).await.unwrap_err();
    assert!(matches!(&gone, Error::Io(error) if error.kind() == ErrorKind::NotFound), "{gone}");
}
