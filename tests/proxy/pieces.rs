//! However an answer is cut, the outcome is the same.

use sansock::dial::TunnelError;

use crate::exchange::{proxy, start};

/// What a proxy sends, up to the end of the exchange and past it.
const ANSWERS: &[(&str, &[u8])] = &[
    ("http://p", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"),
    ("http://p", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nab"),
    ("http://p", b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
    ("http://p", b"HTTP/1.1 200 OK\r\nX Y\r\n\r\n"),
    ("socks5h://p", b"\x05\x00\x05\x00\x00\x03\x03abc\x00\x50"),
    ("socks5h://u:p@p", b"\x05\x02\x01\x00\x05\x00\x00\x04................\x00\x50"),
    ("socks5h://u:p@p", b"\x05\x02\x01\x01"),
    ("socks5h://p", b"\x05\x00\x05\x05"),
    ("socks4a://p", b"\x00\x5a......"),
    ("socks4a://p", b"\x00\x5b......"),
];

/// The outcome of the whole, and what was sent.
fn outcome<'b>(
    url: &str,
    pieces: impl Iterator<Item = &'b [u8]>,
) -> (Result<bool, TunnelError>, Vec<u8>) {
    let mut exchange = start(&proxy(url), "ws://h/", None).unwrap();
    let mut sent = exchange.sent();
    let mut outcome = Ok(false);
    for piece in pieces {
        if outcome == Ok(false) {
            outcome = exchange.receive(piece);
        }
        sent.extend(exchange.sent());
    }
    (outcome, sent)
}

#[test]
fn cut_at_each_byte_or_into_pieces_of_each_size() {
    for (url, answer) in ANSWERS {
        let whole = outcome(url, [*answer].into_iter());
        assert_ne!(whole.0, Ok(false), "{}", answer.escape_ascii());
        for at in 0..=answer.len() {
            let (first, second) = answer.split_at(at);
            assert_eq!(outcome(url, [first, second].into_iter()), whole, "cut at {at}");
        }
        for size in 1..answer.len() {
            assert_eq!(outcome(url, answer.chunks(size)), whole, "pieces of {size}");
        }
    }
}
