//! The messages that are echoed.

use sansock::Message;

/// Text that compresses well, ASCII at the places where it is cut.
pub(crate) fn text(length: usize) -> String {
    let mut text: String = (0..)
        .flat_map(|i| format!("{{\"id\": {i}}}, ").into_bytes())
        .map(char::from)
        .take(length)
        .collect();
    if length > 1_000 {
        text.replace_range(10..14, "💩");
    }
    text
}

/// Bytes that do not compress.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// The lengths of the messages, in bytes.
pub(crate) const LENGTHS: [usize; 8] = [0, 1, 125, 126, 1_000, 65_535, 65_536, 1 << 20];

/// The message in three fragments.
pub(crate) fn thirds(message: Message<'_>) -> [Message<'_>; 3] {
    let third = message.len() / 3;
    match message {
        Message::Text(text) => {
            let (first, rest) = text.split_at(third);
            [first, rest, ""].map(Message::Text)
        }
        Message::Binary(bytes) => {
            [&bytes[..third], &bytes[third..2 * third], &bytes[2 * third..]].map(Message::Binary)
        }
    }
}

/// Whether the echo is right.
pub(crate) fn compare(sent: Message<'_>, echo: Message<'_>) -> Result<(), String> {
    if echo == sent {
        return Ok(());
    }
    Err(format!("{} bytes came back as {}", sent.len(), echo.len()))
}
