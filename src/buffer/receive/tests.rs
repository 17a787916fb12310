//! What receivers do with the buffer, and misuse that receivers alone do not cause.

use super::*;
use crate::message::{Message, MessageKind};
use crate::utf8::InvalidUtf8;

const TEXT: MessageKind = MessageKind::Text;
const BINARY: MessageKind = MessageKind::Binary;

fn holding(bytes: &[u8]) -> ReceiveBuffer {
    let mut buffer = ReceiveBuffer::new();
    buffer.extend_from_slice(bytes);
    buffer
}

/// No receiver does this alone, but two of them that share one buffer may.
#[test]
fn only_text_that_was_checked_from_its_start_is_lent() {
    // Never checked.
    let mut buffer = holding(b"\xFF\xFF");
    assert_eq!(buffer.clean_in_place(2, None, Some(BINARY)), Ok(()));
    assert_eq!(buffer.lend_in_place(TEXT), Err(InvalidUtf8));

    // Checked once its first bytes were cleaned as binary.
    let mut buffer = holding(b"\xFFab");
    assert_eq!(buffer.clean_in_place(1, None, Some(BINARY)), Ok(()));
    assert_eq!(buffer.clean_in_place(3, None, Some(TEXT)), Err(InvalidUtf8));

    // The same in a message that is assembled, and in one that is read directly.
    let mut buffer = holding(b"\xFFab");
    assert_eq!(buffer.assemble(1, None, BINARY), Ok(()));
    assert_eq!(buffer.assemble(2, None, TEXT), Err(InvalidUtf8));
    assert_eq!(buffer.lend_assembled(TEXT), Err(InvalidUtf8));
    let mut buffer = holding(b"\xFF");
    assert_eq!(buffer.assemble(1, None, BINARY), Ok(()));
    buffer.expect_direct(2);
    buffer.extend_from_slice(b"ab");
    assert_eq!(buffer.clean_direct(None, TEXT), Err(InvalidUtf8));

    // As many bytes as were checked, but not the same.
    let mut buffer = holding(b"ab\xFF\xFF");
    assert_eq!(buffer.clean_in_place(2, None, Some(TEXT)), Ok(()));
    buffer.consume(2);
    assert_eq!(buffer.clean_in_place(2, None, None), Ok(()));
    assert_eq!(buffer.lend_in_place(TEXT), Err(InvalidUtf8));

    // Checked, and found wrong.
    let mut buffer = holding(b"\xFFa");
    assert_eq!(buffer.clean_in_place(1, None, Some(TEXT)), Err(InvalidUtf8));
    assert_eq!(buffer.clean_in_place(2, None, Some(TEXT)), Err(InvalidUtf8));
    assert_eq!(buffer.lend_in_place(TEXT), Err(InvalidUtf8));
}

#[test]
fn a_short_answer_waits_only_for_what_has_arrived() {
    let mut buffer = holding(b"ab");
    assert_eq!(buffer.clean_in_place(1, None, Some(BINARY)), Ok(()));
    assert_eq!(buffer.lend_in_place(BINARY), Ok(()));
    assert_eq!(buffer.worth_a_write(), Unwritten::WORTH_A_WRITE);
    assert_eq!(buffer.clean_in_place(1, None, Some(BINARY)), Ok(()));
    assert_eq!(buffer.lend_in_place(BINARY), Ok(()));
    assert_eq!(buffer.worth_a_write(), Unwritten::WORTH_A_PIECE);
}

/// The end of a character is valid only after its beginning.
#[test]
fn two_texts_do_not_complete_each_other() {
    // One that is assembled and one in place.
    let mut buffer = holding(b"\xC3\xA9a");
    assert_eq!(buffer.assemble(1, None, TEXT), Ok(()));
    assert_eq!(buffer.clean_in_place(1, None, Some(TEXT)), Err(InvalidUtf8));

    // Pieces, in the middle of a message that is assembled.
    let mut buffer = holding(b"\xC3\xA9a");
    assert_eq!(buffer.assemble(1, None, TEXT), Ok(()));
    assert_eq!(buffer.lend_chunk(1, None, TEXT, false), Ok(true));
    buffer.reclaim();
    assert_eq!(buffer.assemble(1, None, TEXT), Err(InvalidUtf8));

    // A piece that ends inside a character, and a message.
    let mut buffer = holding(b"a\xC3\xA9");
    assert_eq!(buffer.lend_chunk(2, None, TEXT, false), Ok(true));
    buffer.reclaim();
    assert_eq!(buffer.clean_in_place(1, None, Some(TEXT)), Err(InvalidUtf8));
}

#[test]
fn a_cut_character_comes_with_the_next_piece() {
    let mut buffer = holding(b"a\xF0\x9F\x92");
    assert_eq!(buffer.lend_chunk(4, None, TEXT, false), Ok(true));
    let piece = |text, fin| Some(Event::Chunk { data: Message::Text(text), fin });
    assert_eq!(buffer.event(), piece("a", false));
    // All is consumed, so the rest starts at the very beginning: the room before it is needed.
    buffer.extend_from_slice(b"\xA9b");
    assert_eq!(buffer.wire.start(), ReceiveBuffer::HEADROOM);
    assert_eq!(buffer.lend_chunk(2, None, TEXT, true), Ok(true));
    assert_eq!(buffer.event(), piece("💩b", true));
}

#[test]
fn a_piece_of_less_than_a_character_is_none() {
    let mut buffer = holding(b"\xE2\x82\xAC");
    assert_eq!(buffer.lend_chunk(1, None, TEXT, false), Ok(false));
    assert_eq!(buffer.lend_chunk(1, None, TEXT, false), Ok(false));
    assert!(buffer.event().is_none());
    assert_eq!(buffer.lend_chunk(1, None, TEXT, false), Ok(true));
    let euro = Event::Chunk { data: Message::Text("€"), fin: false };
    assert_eq!(buffer.event(), Some(euro));
}

/// Some bytes wait at each read, so the queue is never empty: these bytes move to the front
/// instead, and the buffer does not grow beyond the size of one read.
#[test]
fn a_stream_without_a_pause_needs_no_more_than_one_read() {
    let (mut buffer, mut received, mut sent) = (ReceiveBuffer::new(), 0_u8, 0_u8);
    for round in 0..3_000 {
        let spare = buffer.spare_mut();
        assert!(!spare.is_empty());
        let n = spare.len().min(1 + round % 997);
        for byte in &mut spare[..n] {
            *byte = sent;
            sent = sent.wrapping_add(1);
        }
        buffer.filled(n);
        while buffer.as_slice().len() > 10 {
            assert_eq!(buffer.as_slice()[0], received);
            buffer.consume(1);
            received = received.wrapping_add(1);
        }
    }
    assert!(buffer.capacity() <= (32 << 10), "{}", buffer.capacity());
}

#[test]
fn what_is_expected_takes_no_memory_before_it_arrives() {
    let mut buffer = ReceiveBuffer::new();
    buffer.expect_direct(usize::MAX);
    let mut arrived = 0;
    while arrived < 2 << 20 {
        let n = buffer.spare_mut().len().min(10_000);
        buffer.filled(n);
        arrived += n;
        let most = 2 * (arrived + (32 << 10));
        assert!(buffer.capacity() <= most, "{} for {arrived}", buffer.capacity());
    }
}

#[test]
#[should_panic(expected = "filled more than there was room")]
fn a_transport_that_lies_about_what_it_read_is_found_out() {
    struct Liar;
    impl Read for Liar {
        fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
            Ok(target.len() + 1)
        }
    }
    let _ = ReceiveBuffer::new().read_from(&mut Liar);
}

#[test]
fn what_has_arrived_can_be_discarded() {
    let mut buffer = holding(b"what a refused client sends");
    buffer.discard();
    assert!(buffer.as_slice().is_empty() && buffer.is_idle());
}
