//! What is sent to check an echo server.

use sansock::Message;

/// Around the borders between the three forms of a frame's length (RFC 6455, 5.2), and a large one.
pub(crate) const SIZES: [usize; 7] = [0, 1, 125, 126, 65_535, 65_536, 1 << 20];

/// Text of `size` bytes, with characters of one to four bytes.
pub(crate) fn text(size: usize) -> String {
    let mut text = String::with_capacity(size);
    for char in "a\u{e9}\u{20ac}\u{1d11e}".chars().cycle() {
        if text.len() + char.len_utf8() > size {
            break;
        }
        text.push(char);
    }
    while text.len() < size {
        text.push('.');
    }
    text
}

/// Bytes with all values, most of which are not UTF-8.
pub(crate) fn binary(size: usize) -> Vec<u8> {
    (0..=u8::MAX).rev().cycle().take(size).collect()
}

/// The message in `count` pieces, text cut between characters; `true` marks the last.
pub(crate) fn fragments(
    message: Message<'_>,
    count: usize,
) -> impl Iterator<Item = (Message<'_>, bool)> {
    let cut = move |number: usize| {
        let near = message.len() * number / count;
        match message {
            Message::Text(text) => {
                (near..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(near)
            }
            Message::Binary(_) => near,
        }
    };
    (0..count).map(move |number| {
        let range = cut(number)..cut(number + 1);
        let piece = match message {
            Message::Text(text) => Message::Text(&text[range]),
            Message::Binary(bytes) => Message::Binary(&bytes[range]),
        };
        (piece, number + 1 == count)
    })
}
