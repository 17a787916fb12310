//! Reads the first bytes of a response's body (RFC 9112, 6), which often say what went wrong.

use crate::buffer::ReceiveBuffer;

use super::fields::Headers;

/// Collects a body up to a limit, and knows where it ends.
#[derive(Clone, Debug)]
pub(crate) struct BodyReader {
    framing: Framing,
    limit: usize,
    kept: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Framing {
    /// Up to this many more bytes.
    Length(u64),
    /// Up to the end of the connection.
    UntilEof,
    Chunked(Chunk),
}

/// The position of the next byte in the chunked coding (RFC 9112, 7.1).
#[derive(Clone, Copy, Debug)]
enum Chunk {
    Size(u64),
    /// After the size: extensions, then CR LF.
    Extension(u64),
    Data(u64),
    /// CR LF after the data.
    DataEnd,
    /// The last chunk has begun, or this is not chunked coding.
    Last,
}

impl BodyReader {
    /// Applies RFC 9112, 6.3, to a response to GET. Invalid headers do not matter: the handshake
    /// has failed already, and the body is read up to the limit, the end of the stream, or the
    /// deadline.
    pub(crate) fn new(status: u16, headers: Headers<'_>, limit: usize) -> Self {
        let framing = if matches!(status, 101 | 204 | 304) {
            Framing::Length(0)
        } else if headers.list_has("Transfer-Encoding", "chunked") {
            Framing::Chunked(Chunk::Size(0))
        } else {
            match headers.get_str("Content-Length").and_then(|length| length.parse().ok()) {
                Some(length) => Framing::Length(length),
                None => Framing::UntilEof,
            }
        };
        Self { framing, limit, kept: Vec::new() }
    }

    /// Takes what has arrived. Returns `true` if there is nothing more to keep.
    pub(crate) fn advance(&mut self, input: &mut ReceiveBuffer) -> bool {
        let mut taken = 0;
        while !self.is_complete() {
            let Some(byte) = input.as_slice().get(taken) else { break };
            self.step(*byte);
            taken = taken.saturating_add(1);
        }
        input.consume(taken);
        self.is_complete()
    }

    /// Returns the bytes that were kept.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.kept)
    }

    fn is_complete(&self) -> bool {
        self.kept.len() >= self.limit
            || matches!(self.framing, Framing::Length(0) | Framing::Chunked(Chunk::Last))
    }

    fn step(&mut self, byte: u8) {
        self.framing = match self.framing {
            Framing::UntilEof => {
                self.kept.push(byte);
                Framing::UntilEof
            }
            Framing::Length(left) => {
                self.kept.push(byte);
                Framing::Length(left.saturating_sub(1))
            }
            Framing::Chunked(Chunk::Data(left)) => {
                self.kept.push(byte);
                Framing::Chunked(match left.saturating_sub(1) {
                    0 => Chunk::DataEnd,
                    left => Chunk::Data(left),
                })
            }
            Framing::Chunked(chunk) => Framing::Chunked(chunk.step(byte)),
        };
    }
}

impl Chunk {
    fn step(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Size(size), _) => match char::from(byte).to_digit(16) {
                Some(digit) => size
                    .checked_mul(16)
                    .map_or(Self::Last, |size| Self::Size(size | u64::from(digit))),
                None => Self::Extension(size),
            },
            (Self::Extension(0), b'\n') => Self::Last,
            (Self::Extension(size), b'\n') => Self::Data(size),
            (Self::DataEnd, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::Size(0),
            (Self::DataEnd | Self::Data(_), _) => Self::Last,
            (Self::Extension(_) | Self::Last, _) => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::fields::Field;

    /// The body that is kept, whether it was complete, and what was left in the buffer.
    fn read(
        fields: &[(&str, &str)],
        wire: &[u8],
        limit: usize,
        step: usize,
    ) -> (Vec<u8>, bool, usize) {
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| Field::new(name, value.as_bytes())).collect();
        let mut reader = BodyReader::new(404, Headers::new(&fields), limit);
        let mut input = ReceiveBuffer::new();
        let mut complete = reader.advance(&mut input);
        for piece in wire.chunks(step) {
            input.extend_from_slice(piece);
            complete = reader.advance(&mut input);
        }
        (reader.take(), complete, input.as_slice().len())
    }

    #[test]
    fn a_body_ends_where_its_framing_says() {
        const CHUNKED: (&str, &str) = ("Transfer-Encoding", "chunked");
        for (fields, wire, kept, complete, rest) in [
            (&[("Content-Length", "3")][..], "abcdef", "abc", true, 3),
            (&[("Content-Length", "0")], "abc", "", true, 3),
            (&[("Content-Length", "9")], "abc", "abc", false, 0),
            (&[("Content-Length", "x")], "abc", "abc", false, 0),
            (&[("Content-Length", "99999999999999999999")], "abc", "abc", false, 0),
            (&[], "abc", "abc", false, 0),
            (
                &[("Transfer-Encoding", "gzip, Chunked"), ("Content-Length", "1")],
                "1\r\na\r\n0\r\n\r\n",
                "a",
                true,
                2,
            ),
            (
                &[CHUNKED],
                "3;x=\"y\"\r\nabc\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
                "abc0123456789",
                true,
                8,
            ),
            (&[CHUNKED], "3\r\nab", "ab", false, 0),
            (&[CHUNKED], "3\r\nabcX\r\n", "abc", true, 2),
            (&[CHUNKED], "fffffffffffffffff\r\nabc", "", true, 5),
            (&[CHUNKED], "ffffffffffffffff\r\nabc", "abc", false, 0),
            (&[CHUNKED], "\r\nabc", "", true, 3),
        ] {
            for step in 1..=wire.len() {
                let outcome = read(fields, wire.as_bytes(), 100, step);
                assert_eq!(outcome, (kept.into(), complete, rest), "{fields:?} {wire:?} by {step}");
            }
        }
    }

    #[test]
    fn no_more_is_kept_than_the_limit() {
        for (limit, kept) in [(0, ""), (1, "a"), (2, "ab"), (3, "abc")] {
            for fields in [&[][..], &[("Content-Length", "3")]] {
                let outcome = read(fields, b"abc", limit, 1);
                assert_eq!(outcome.0, kept.as_bytes());
                assert_eq!(outcome.1, limit < 3 || !fields.is_empty() || kept.len() == limit);
            }
        }
    }

    #[test]
    fn some_responses_have_no_body() {
        for status in [101, 204, 304] {
            let mut reader = BodyReader::new(status, Headers::new(&[]), 100);
            assert!(reader.advance(&mut ReceiveBuffer::new()), "{status}");
        }
    }
}
