//! How much one read asks the transport for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use sansock::Role;
use sansock::handshake::Established;
use sansock_tokio::{Config, ReceiveBuffer, WebSocket};
use testkit::frame::{BINARY, FIN, Frame};
use tokio::io::{AsyncRead, Join, ReadBuf, Sink, join, sink};

const MESSAGE: usize = 100_000;

/// Brings messages, and nothing once behind each. Notes the longest read.
#[derive(Debug)]
struct Measured {
    frame: Vec<u8>,
    at: usize,
    is_pausing: bool,
    longest: Arc<AtomicUsize>,
}

impl Measured {
    fn new() -> (Self, Arc<AtomicUsize>) {
        let frame = Frame { first: FIN | BINARY, key: Some([0; 4]), payload: vec![7; MESSAGE] };
        let longest = Arc::new(AtomicUsize::new(0));
        let shared = Arc::clone(&longest);
        (Self { frame: frame.bytes(), at: 0, is_pausing: false, longest }, shared)
    }
}

impl AsyncRead for Measured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.longest.fetch_max(bytes.remaining(), Ordering::Relaxed);
        if std::mem::take(&mut self.is_pausing) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let n = bytes.remaining().min(self.frame.len() - self.at);
        bytes.put_slice(&self.frame[self.at..self.at + n]);
        self.at = (self.at + n) % self.frame.len();
        self.is_pausing = self.at == 0;
        Poll::Ready(Ok(()))
    }
}

/// A connection, and the longest read that it has made so far.
fn connection(read_size: usize) -> (WebSocket<Join<Measured, Sink>>, Arc<AtomicUsize>) {
    let (reads, longest) = Measured::new();
    let config = Config::new().read_size(read_size);
    let input = ReceiveBuffer::with_read_size(config.read_size);
    let established = Established::after_handshake(Role::Server, None);
    (WebSocket::from_established(join(reads, sink()), established, &config, input), longest)
}

/// It is the connection's own, also when that was idle and others have left larger buffers.
#[tokio::test]
async fn a_read_asks_for_the_read_size_at_most() {
    const SIZE: usize = 8 << 10;
    let (mut usual, longest) = connection(Config::READ_SIZE);
    let (mut small, small_longest) = connection(SIZE);
    let (split, split_longest) = connection(SIZE);
    let (mut reader, _writer) = split.split();
    for _ in 0..5 {
        assert!(usual.recv().await.unwrap().is_some());
        assert!(small.recv().await.unwrap().is_some());
        assert!(reader.recv().await.unwrap().is_some());
    }
    assert!(longest.load(Ordering::Relaxed) > MESSAGE / 2);
    assert_eq!(small_longest.load(Ordering::Relaxed), SIZE);
    assert_eq!(split_longest.load(Ordering::Relaxed), SIZE);
}
