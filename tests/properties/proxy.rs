//! What a proxy answers, however it is cut.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sansock::dial::{Proxy, Tunnel, TunnelError};
use sansock::handshake::HeadLimits;
use sansock::{ReceiveBuffer, SendBuffer};

use crate::cuts;

/// The outcome of an answer, and all that was sent.
type Outcome = (Result<bool, TunnelError>, Vec<u8>);

/// The exchange with a proxy that sends these pieces, up to its outcome.
fn exchange(proxy: &str, pieces: Vec<&[u8]>) -> Outcome {
    let proxy: Proxy = proxy.parse().unwrap();
    let uri = "wss://example.com/".parse().unwrap();
    let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
    let limits = HeadLimits::new().bytes(512).headers(8).body(8);
    let mut tunnel = Tunnel::start(&proxy, &uri, None, limits, &mut output).unwrap();
    let mut outcome = Ok(false);
    for piece in pieces {
        input.extend_from_slice(piece);
        if outcome == Ok(false) {
            outcome = tunnel.advance(&mut input, &mut output);
        }
    }
    let mut sent = Vec::new();
    output.write_to(&mut sent).unwrap();
    (outcome, sent)
}

/// A proxy, and an answer that it may give.
fn answer() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let field = prop_oneof![
        Just("Content-Length: 5\r\n".to_owned()),
        Just("Transfer-Encoding: chunked\r\n".to_owned()),
        "[A-Z][a-z-]{0,8}: [ -~]{0,20}\r\n",
    ];
    let head = (select(vec![100, 199, 200, 204, 299, 403, 407, 502]), vec(field, 0..4));
    let head = head.prop_map(|(status, fields)| {
        format!("HTTP/1.1 {status} Reason\r\n{}\r\n", fields.concat()).into_bytes()
    });
    let http = vec(head, 1..3).prop_map(|heads| ("http://u:p@proxy", heads.concat()));
    let reply = (0_u8..10, select(vec![1_u8, 3, 4, 5]), vec(any::<u8>(), 0..24));
    let reply = reply.prop_map(|(code, kind, rest)| [&[5, code, 0, kind][..], &rest].concat());
    let method = select(vec![&[5, 0][..], &[5, 2, 1, 0], &[5, 2, 1, 1], &[5, 0xff]]);
    let socks5 = (method, reply)
        .prop_map(|(method, reply)| ("socks5h://u:p@proxy", [method, &reply].concat()));
    let socks4a = (88_u8..95, vec(any::<u8>(), 0..8))
        .prop_map(|(code, rest)| ("socks4a://u@proxy", [&[0, code][..], &rest].concat()));
    prop_oneof![http, socks5, socks4a]
}

proptest! {
    /// Also if some of its bytes are others.
    #[test]
    fn an_answer_means_the_same_in_any_pieces(
        (proxy, mut answer) in answer(),
        changes in vec((any::<Index>(), any::<u8>()), 0..3),
        cuts in cuts(),
    ) {
        for (place, byte) in changes {
            let place = place.index(answer.len());
            answer[place] = byte;
        }
        let (whole, sent) = exchange(proxy, vec![&answer]);
        let (cut, sent_in_pieces) = exchange(proxy, cuts.pieces(&answer));
        // What follows an answer is an error only if it has arrived with the answer.
        let early = |outcome: &Result<bool, TunnelError>| {
            matches!(outcome, Ok(true) | Err(TunnelError::EarlyBytes))
        };
        prop_assert!(whole == cut || early(&whole) && early(&cut), "{whole:?} {cut:?}");
        prop_assert_eq!(sent, sent_in_pieces);
    }
}
