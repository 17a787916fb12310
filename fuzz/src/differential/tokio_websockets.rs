//! tokio-websockets, as strict as this crate, and with an incremental check of UTF-8 as well.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_core::Stream as _;
use sansock::{ProtocolError, Role};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_websockets::{ClientBuilder, Error, Limits, Message, ServerBuilder};

use super::{Difference, End, Peer, Theirs};
use crate::feed::Seen;

pub(super) const PEER: Peer = Peer { name: "tokio-websockets", receive, differences: &DIFFERENCES };

const DIFFERENCES: [Difference; 3] = [
    Difference {
        why: "5.2: of a 64-bit length \"the most significant bit MUST be 0\", which is an error of \
              the protocol, 1002. tokio-websockets holds it to the limit alone, 1009.",
        applies: |ours, theirs| {
            ours.error == Some(ProtocolError::LengthTopBit)
                && ours.events == theirs.events
                && theirs.end == End::Failed(1009)
        },
    },
    Difference {
        why: "5.4 and 7.4.1: that a message grows above the limit shows in a frame's header. \
              tokio-websockets adds up when the frame is there, so what is wrong with its text comes \
              first.",
        applies: |ours, theirs| {
            matches!(ours.error, Some(ProtocolError::MessageTooLarge { .. }))
                && ours.events == theirs.events
                && theirs.end == End::Failed(1007)
        },
    },
    Difference {
        why: "8.1: text that ends inside a character is not UTF-8. tokio-websockets does not look \
              where the last frame is empty, and takes the message.",
        applies: |ours, theirs| {
            let next = theirs.events.get(ours.events.len());
            ours.error == Some(ProtocolError::InvalidUtf8)
                && theirs.events.starts_with(&ours.events)
                && matches!(next, Some(Seen::Text(text)) if text.ends_with('\u{FFFD}'))
        },
    },
];

fn receive(stream: &[u8], role: Role, limit: usize) -> Theirs {
    let transport = Transport(stream);
    let limits = Limits::default().max_payload_len(Some(limit));
    let mut socket = match role {
        Role::Client => ClientBuilder::new().limits(limits).take_over(transport),
        Role::Server => ServerBuilder::new().limits(limits).serve(transport),
    };
    let mut context = Context::from_waker(Waker::noop());
    let mut events = Vec::new();
    let end = loop {
        match Pin::new(&mut socket).poll_next(&mut context) {
            Poll::Pending => break End::Waiting,
            Poll::Ready(None) => break End::Closed,
            Poll::Ready(Some(Ok(message))) => events.push(seen(&message)),
            Poll::Ready(Some(Err(error))) => break ended(&error),
        }
    };
    Theirs { events, end }
}

fn seen(message: &Message) -> Seen {
    let bytes = message.as_payload().to_vec();
    if message.is_text() {
        // Their own conversion believes that they have checked it.
        Seen::Text(String::from_utf8_lossy(&bytes).into_owned())
    } else if message.is_binary() {
        Seen::Binary(bytes)
    } else if message.is_ping() {
        Seen::Ping(bytes)
    } else if message.is_pong() {
        Seen::Pong(bytes)
    } else {
        match bytes.split_first_chunk() {
            None => Seen::Close(None, String::new()),
            Some((code, reason)) => Seen::Close(
                Some(u16::from_be_bytes(*code)),
                String::from_utf8(reason.to_vec()).expect("a reason is UTF-8"),
            ),
        }
    }
}

fn ended(error: &Error) -> End {
    use tokio_websockets::proto::ProtocolError::InvalidUtf8;

    match error {
        Error::Protocol(InvalidUtf8) => End::Failed(1007),
        Error::Protocol(_) => End::Failed(1002),
        Error::PayloadTooLong { .. } => End::Failed(1009),
        other => panic!("{other:?} from bytes alone"),
    }
}

/// A transport that has these bytes, waits behind them, and takes all that is written.
struct Transport<'s>(&'s [u8]);

impl AsyncRead for Transport<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let n = self.0.len().min(buffer.remaining());
        if n == 0 {
            return Poll::Pending;
        }
        let (now, later) = self.0.split_at(n);
        buffer.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Transport<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
