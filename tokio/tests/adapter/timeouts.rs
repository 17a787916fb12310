//! Every timeout, by tokio's clock.

use std::time::Duration;

use sansock_tokio::{CloseCode, Config, Error, Event, Keepalive, Timeouts};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use crate::common::{drain, pair, server_over};

fn config(timeouts: Timeouts) -> Config {
    Config::new().timeouts(timeouts)
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn keepalive_ends_a_dead_peer_and_no_live_one() {
    let keepalive = Keepalive { interval: 20 * SECOND, timeout: 10 * SECOND };
    let config = config(Timeouts::new().keepalive(keepalive));
    let start = Instant::now();
    let (mut server, _client) = server_over(&config, 1_000);
    let error = drain(&mut server).await.unwrap_err();
    assert!(matches!(error, Error::Timeout(sansock::Timeout::Keepalive)), "{error}");
    let elapsed = start.elapsed();
    assert!(elapsed >= 30 * SECOND && elapsed <= 31 * SECOND, "{elapsed:?}");

    // The same of halves, and behind a message.
    let start = Instant::now();
    let (server, mut client) = server_over(&config, 1_000);
    client.write_all(b"\x82\x80\0\0\0\0").await.unwrap();
    let (mut reader, _writer) = server.split();
    assert!(matches!(reader.recv().await.unwrap(), Some(Event::Message(_))));
    let error = reader.recv().await.unwrap_err();
    assert!(matches!(error, Error::Timeout(sansock::Timeout::Keepalive)), "{error}");
    assert!(start.elapsed() <= 51 * SECOND, "{:?}", start.elapsed());

    // One that answers Pings lives.
    let (mut client, mut server) = pair(&config);
    let answering = tokio::spawn(async move { drain(&mut client).await });
    let hour = tokio::time::timeout(3_600 * SECOND, drain(&mut server)).await;
    assert!(hour.is_err(), "{hour:?}");
    server.close(CloseCode::NORMAL, "").await.unwrap();
    answering.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_with_1001() {
    let (mut client, mut server) = pair(&config(Timeouts::new().idle(60 * SECOND)));
    let start = Instant::now();
    let serving = tokio::spawn(async move { drain(&mut server).await });
    drain(&mut client).await.unwrap();
    assert_eq!(client.outcome().unwrap().code(), 1001);
    assert!(start.elapsed() >= 60 * SECOND && start.elapsed() < 62 * SECOND);
    serving.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_message_that_takes_too_long_ends_with_1008() {
    let (mut server, mut client) = server_over(&config(Timeouts::new().message(5 * SECOND)), 1_000);
    let start = Instant::now();
    // A byte each half second: each read brings something.
    let dripping = tokio::spawn(async move {
        client.write_all(b"\x82\xfe\x10\0\0\0\0\0").await.unwrap();
        while client.write_all(b"x").await.is_ok() {
            tokio::time::sleep(SECOND / 2).await;
        }
    });
    let error = drain(&mut server).await.unwrap_err();
    assert!(matches!(error, Error::Timeout(sansock::Timeout::Message)), "{error}");
    assert!(start.elapsed() <= 6 * SECOND, "{:?}", start.elapsed());
    drop(server);
    dripping.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn close_takes_no_longer_than_it_may() {
    // One that neither reads nor answers, and one that reads and does not answer.
    for pipe in [10, 10_000] {
        let (mut server, _client) = server_over(&config(Timeouts::new().closing(3 * SECOND)), pipe);
        server.queue(vec![0; 5_000]).unwrap();
        let start = Instant::now();
        let closed = server.close(CloseCode::NORMAL, "").await;
        assert!(matches!(closed, Err(Error::Timeout(sansock::Timeout::Closing))), "{closed:?}");
        assert!(start.elapsed() >= 3 * SECOND && start.elapsed() < 4 * SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_ends_in_the_write_timeout() {
    for split in [false, true] {
        for drips in [false, true] {
            let (mut server, mut client) = server_over(&Config::new(), 1_000);
            server.set_write_timeout(30 * SECOND);
            let reading = tokio::spawn(async move {
                let mut byte = [0];
                while drips && matches!(client.read(&mut byte).await, Ok(1)) {
                    tokio::time::sleep(SECOND / 10).await;
                }
                std::future::pending::<()>().await;
            });
            let start = Instant::now();
            let payload = vec![0; 1 << 20];
            let error = if split {
                let (_reader, writer) = server.split();
                writer.send(payload).await.unwrap_err()
            } else {
                server.send(payload).await.unwrap_err()
            };
            let Error::Io(error) = error else { panic!("{error}") };
            assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "{error}");
            let elapsed = start.elapsed();
            assert!(
                elapsed >= 29 * SECOND && elapsed <= 32 * SECOND,
                "{elapsed:?}, {split}, {drips}"
            );
            reading.abort();
        }
    }
}

/// The same while the program waits for the peer.
#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_ends_the_wait_too() {
    let (mut server, _client) = server_over(&Config::new(), 1_000);
    server.set_write_timeout(30 * SECOND);
    server.queue(vec![0; 1 << 20]).unwrap();
    let start = Instant::now();
    let Err(Error::Io(error)) = server.recv().await else { panic!("it does not end") };
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert!(start.elapsed() <= 32 * SECOND, "{:?}", start.elapsed());
    assert!(matches!(server.recv().await, Err(Error::Abnormal)), "and then it is over");
}

/// An honest slow link: 2 kB a second take half an hour for 4 MiB.
#[tokio::test(start_paused = true)]
async fn a_slow_link_survives() {
    let keepalive = Keepalive { interval: 20 * SECOND, timeout: 20 * SECOND };
    let (mut server, mut client) =
        server_over(&config(Timeouts::new().keepalive(keepalive)), 1_000);
    server.set_write_timeout(30 * SECOND);
    let reading = tokio::spawn(async move {
        let (mut bytes, mut count) = ([0; 500], 0);
        while count < 4 << 20 {
            count += client.read(&mut bytes).await.unwrap();
            tokio::time::sleep(SECOND / 4).await;
        }
        client
    });
    server.queue(vec![0; 4 << 20]).unwrap();
    let reads = tokio::time::timeout(300 * SECOND, server.recv()).await;
    assert!(reads.is_err(), "{reads:?}");
    server.flush().await.unwrap();
    drop(reading);
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_ping_is_written_before_the_next_event() {
    for split in [false, true] {
        answer_pings(split).await;
    }
}

async fn answer_pings(split: bool) {
    let (mut server, mut client) = server_over(&Config::new(), 10_000);
    client.write_all(&b"\x89\x81\0\0\0\x001\x89\x81\0\0\0\x002"[..]).await.unwrap();
    let pings = [Event::Ping(b"1"), Event::Ping(b"2")];
    if split {
        let (mut reader, _writer) = server.split();
        for ping in pings {
            assert_eq!(reader.recv().await.unwrap(), Some(ping));
        }
    } else {
        for ping in pings {
            assert_eq!(server.recv().await.unwrap(), Some(ping));
        }
    }
    let mut answers = [0; 6];
    client.read_exact(&mut answers).await.unwrap();
    assert_eq!(&answers, b"\x8a\x011\x8a\x012");
}
