//! A busy connection does not keep the other tasks of its thread waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sansock_tokio::{Config, Event};
use tokio::io::AsyncWriteExt as _;

use crate::common::server_over;

#[tokio::test]
async fn another_task_runs_beside_100_000_buffered_messages() {
    const MESSAGES: usize = 100_000;
    let (mut server, mut client) = server_over(&Config::new(), 8 << 20);
    // An empty message that is masked.
    client.write_all(&b"\x82\x80\0\0\0\0".repeat(MESSAGES)).await.unwrap();
    let turns = Arc::new(AtomicUsize::new(0));
    let other = tokio::spawn({
        let turns = Arc::clone(&turns);
        async move {
            loop {
                turns.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    });
    for _ in 0..MESSAGES {
        assert!(matches!(server.recv().await.unwrap(), Some(Event::Message(_))));
    }
    other.abort();
    let turns = turns.load(Ordering::Relaxed);
    assert!(turns > MESSAGES / 1_000, "{turns} turns");
}
