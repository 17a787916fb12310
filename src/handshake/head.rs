//! Reads the head of a request or a response. Scans each byte once as it arrives, and splits the
//! complete head with httparse.

use crate::buffer::ReceiveBuffer;

use super::error::{HandshakeError, HeadError};
use super::fields::Field;
use super::limits::HeadLimits;

/// A request line or a status line.
pub(crate) trait StartLine: Sized {
    /// "In the interest of robustness, a server that is expecting to receive and parse a
    /// request-line SHOULD ignore at least one empty line (CRLF) received prior to the
    /// request-line." (RFC 9112, 2.2)
    const SKIPS_EMPTY_LINES: bool;

    /// "a recipient MAY recognize a single LF as a line terminator and ignore any preceding CR."
    /// (RFC 9112, 2.2)
    const ALLOWS_BARE_LF: bool;

    /// "A user agent that receives an obs-fold in a response message [...] MUST replace each
    /// received obs-fold with one or more SP octets prior to interpreting the field value." (RFC
    /// 9112, 5.2)
    const UNFOLDS: bool;

    /// The error if the head exceeds its limit behind the line's first word.
    fn too_long(limit: usize) -> HeadError;

    /// Whether `byte`, which is not a space, may stand at `position` of the line's first word. With
    /// this, bytes that are not HTTP are refused at once.
    fn opens_with(position: usize, byte: u8) -> bool;

    /// Parses the line without its CR LF.
    fn parse(line: &[u8]) -> Result<Self, HandshakeError>;
}

/// A complete head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head<L> {
    pub(crate) start_line: L,
    pub(crate) fields: Vec<Field>,
}

/// Takes the bytes of a head out of the receive buffer as they arrive, and nothing after it.
#[derive(Clone, Debug)]
pub(crate) struct HeadReader<L> {
    limits: HeadLimits,
    /// Bytes of all heads so far.
    spent: usize,
    at: At,
    bytes: Vec<u8>,
    /// The start line, parsed as soon as it is complete, and where the header lines begin.
    start_line: Option<(L, usize)>,
    /// Number of header lines that have begun.
    headers: usize,
}

/// The position of the next byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// In the first word of the start line.
    FirstWord,
    /// At the first byte of a header line, or of the empty line that ends the head.
    LineStart,
    InLine,
    /// After the CR of an empty line before the start line.
    EmptyLineCr,
    /// After the CR of a line.
    Cr,
    /// After the CR of the empty line.
    LastCr,
    End,
}

impl<L: StartLine> HeadReader<L> {
    pub(crate) const fn new(limits: HeadLimits) -> Self {
        Self {
            limits,
            spent: 0,
            at: At::FirstWord,
            bytes: Vec::new(),
            start_line: None,
            headers: 0,
        }
    }

    /// Takes what has arrived, up to the end of the head. Returns `None` if more is needed.
    ///
    /// After `Some` the next call begins another head, under what is left of the limit.
    pub(crate) fn advance(
        &mut self,
        input: &mut ReceiveBuffer,
    ) -> Result<Option<Head<L>>, HandshakeError> {
        if self.at == At::End {
            self.at = At::FirstWord;
            self.bytes.clear();
        }
        let mut taken = 0;
        while let Some(&byte) = input.as_slice().get(taken) {
            self.step(byte)?;
            // Empty lines before the start line count, but are not kept.
            match self.at {
                At::FirstWord if byte == b'\n' => self.bytes.clear(),
                _ => self.bytes.push(byte),
            }
            self.spent = self.spent.saturating_add(1);
            taken = taken.saturating_add(1);
            match self.at {
                At::End => break,
                // The head is not complete, so at least one more byte follows.
                _ if self.spent < self.limits.bytes => {}
                _ => return Err(self.too_large().into()),
            }
        }
        input.consume(taken);
        if self.at == At::End { self.finish() } else { Ok(None) }
    }

    /// Whether the head begins with these bytes, as far as it has arrived. Empty lines before it do
    /// not count.
    pub(crate) fn begins_with(&self, bytes: &[u8]) -> bool {
        self.bytes.starts_with(bytes)
    }

    fn too_large(&self) -> HeadError {
        let limit = self.limits.bytes;
        match self.at {
            At::InLine if self.start_line.is_none() => L::too_long(limit),
            _ => HeadError::TooLarge { limit },
        }
    }

    /// Applies the rules for lines (RFC 9112, 2.2) to the next byte.
    fn step(&mut self, byte: u8) -> Result<(), HandshakeError> {
        self.at = match (self.at, byte) {
            (At::Cr, b'\n') => {
                self.end_line()?;
                At::LineStart
            }
            (At::LastCr, b'\n') => At::End,
            (At::EmptyLineCr, b'\n') => At::FirstWord,
            (At::InLine, b'\n') if L::ALLOWS_BARE_LF => {
                self.end_line()?;
                At::LineStart
            }
            (At::LineStart, b'\n') if L::ALLOWS_BARE_LF => At::End,
            // "A recipient of such a bare CR MUST consider that element to be invalid" (RFC 9112,
            // 2.2). Some servers take a bare LF as the end of a line and some proxies do not, which
            // allows requests to be smuggled past them.
            (At::Cr | At::LastCr | At::EmptyLineCr, _) | (_, b'\n') => {
                return Err(HeadError::LineEnding.into());
            }
            (_, 0..=8 | 11..=12 | 14..=31 | 127) => return Err(HeadError::ControlByte(byte).into()),
            (At::FirstWord, b'\r') if L::SKIPS_EMPTY_LINES && self.bytes.is_empty() => {
                At::EmptyLineCr
            }
            (At::FirstWord, b' ') if !self.bytes.is_empty() => At::InLine,
            (At::FirstWord, _) if L::opens_with(self.bytes.len(), byte) => At::FirstWord,
            (At::FirstWord, _) => return Err(HeadError::StartLine.into()),
            (At::LineStart, b'\r') => At::LastCr,
            // A line before the first header continues none: "A recipient that receives whitespace
            // between the start-line and the first header field MUST either reject the message as
            // invalid or consume each whitespace-preceded line without further processing" (2.2).
            (At::LineStart, b' ' | b'\t') if L::UNFOLDS && self.headers > 0 => {
                self.unfold();
                At::InLine
            }
            // "A server that receives an obs-fold in a request message [...] MUST either reject the
            // message by sending a 400 (Bad Request) [...]" (RFC 9112, 5.2)
            (At::LineStart, b' ' | b'\t') => return Err(HeadError::FoldedLine.into()),
            (At::LineStart, _) => {
                if self.headers == self.limits.headers {
                    return Err(HeadError::TooManyHeaders { limit: self.limits.headers }.into());
                }
                self.headers = self.headers.saturating_add(1);
                At::InLine
            }
            (At::InLine, b'\r') => At::Cr,
            (At::InLine | At::End, _) => At::InLine,
        };
        Ok(())
    }

    /// Processes the end of a line. `bytes` ends in its CR, if it has one, and the LF comes next.
    fn end_line(&mut self) -> Result<(), HandshakeError> {
        if self.start_line.is_none() {
            let line = self.bytes.strip_suffix(b"\r").unwrap_or(&self.bytes);
            self.start_line = Some((L::parse(line)?, self.bytes.len().saturating_add(1)));
        }
        Ok(())
    }

    /// Puts a space in the place of the end of the last header line, which goes on.
    fn unfold(&mut self) {
        for end in [b'\n', b'\r'] {
            let _ = self.bytes.pop_if(|byte| *byte == end);
        }
        self.bytes.push(b' ');
    }

    fn finish(&mut self) -> Result<Option<Head<L>>, HandshakeError> {
        let headers = std::mem::take(&mut self.headers);
        let (start_line, end) = self.start_line.take().ok_or(HeadError::StartLine)?;
        let lines = self.bytes.get(end..).unwrap_or_default();
        let mut parsed = vec![httparse::EMPTY_HEADER; headers];
        match httparse::parse_headers(lines, &mut parsed) {
            Ok(httparse::Status::Complete((_, headers))) => {
                let fields = headers.iter().map(|header| Field::new(header.name, header.value));
                Ok(Some(Head { start_line, fields: fields.collect() }))
            }
            Ok(httparse::Status::Partial) | Err(_) => Err(HeadError::HeaderLine.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any first line that begins with a letter.
    #[derive(Clone, Debug, PartialEq)]
    struct Line(Vec<u8>);

    impl StartLine for Line {
        const SKIPS_EMPTY_LINES: bool = false;
        const ALLOWS_BARE_LF: bool = false;
        const UNFOLDS: bool = false;

        fn too_long(limit: usize) -> HeadError {
            HeadError::TargetTooLong { limit }
        }

        fn opens_with(_: usize, byte: u8) -> bool {
            byte.is_ascii_alphabetic()
        }

        fn parse(line: &[u8]) -> Result<Self, HandshakeError> {
            Ok(Self(line.to_vec()))
        }
    }

    type Outcome = Result<Option<Head<Line>>, HandshakeError>;

    /// Feeds `bytes` in pieces of `step`; also gives what is left in the buffer.
    fn read(limits: HeadLimits, bytes: &[u8], step: usize) -> (Outcome, Vec<u8>) {
        let (mut reader, mut input) = (HeadReader::new(limits), ReceiveBuffer::new());
        let mut outcome = Ok(None);
        for piece in bytes.chunks(step) {
            input.extend_from_slice(piece);
            if outcome == Ok(None) {
                outcome = reader.advance(&mut input);
            }
        }
        (outcome, input.as_slice().to_vec())
    }

    fn outcome(bytes: &[u8]) -> Outcome {
        read(HeadLimits::new(), bytes, bytes.len().max(1)).0
    }

    fn head(line: &str, fields: &[(&str, &[u8])]) -> Head<Line> {
        let fields = fields.iter().map(|(name, value)| Field::new(name, value)).collect();
        Head { start_line: Line(line.into()), fields }
    }

    #[test]
    fn a_head_is_a_line_and_headers() {
        for (bytes, expected) in [
            (&b"A B\r\n\r\n"[..], head("A B", &[])),
            (b"A B\r\nX: y\r\n\r\n", head("A B", &[("X", b"y")])),
            (b"A B\r\nX:y\r\nX: \t z \t\r\n\r\n", head("A B", &[("X", b"y"), ("X", b"z")])),
            (b"A B\r\nX:\r\nY: a b\tc\r\n\r\n", head("A B", &[("X", b""), ("Y", b"a b\tc")])),
            (
                b"A B\r\n!#$%&'*+-.^_`|~09az: :\xff\r\n\r\n",
                head("A B", &[("!#$%&'*+-.^_`|~09az", b":\xff")]),
            ),
        ] {
            assert_eq!(outcome(bytes), Ok(Some(expected)), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_is_not_a_head_is_refused() {
        use HeadError::{ControlByte, FoldedLine, HeaderLine, LineEnding, StartLine};
        for (bytes, error) in [
            (&b"A B\n"[..], LineEnding),
            (b"A B\r\nX: y\n", LineEnding),
            (b"A B\r\nX: y\r\n\n", LineEnding),
            (b"A B\rX", LineEnding),
            (b"A B\r\r", LineEnding),
            (b"A B\r\nX: y\rZ", LineEnding),
            (b"A B\r\n\rX", LineEnding),
            (b"A B\r\n\n", LineEnding),
            (b"\n", LineEnding),
            (b"A B\0", ControlByte(0)),
            (b"A B\r\nX: y\0", ControlByte(0)),
            (b"A B\r\nX\0", ControlByte(0)),
            (b"A B\r\n\0", ControlByte(0)),
            (b"A B\r\nX: \x7f", ControlByte(0x7f)),
            (b"A B\r\nX: \x1b", ControlByte(0x1b)),
            (b"A B\r\nX: \x0b", ControlByte(0x0b)),
            (b"\x16", ControlByte(0x16)),
            (b"A B\r\nX: y\r\n ", FoldedLine),
            (b"A B\r\nX: y\r\n\t", FoldedLine),
            (b"A B\r\n ", FoldedLine),
            (b"\r", StartLine),
            (b" ", StartLine),
            (b"A\r", StartLine),
            (b"1", StartLine),
            (b"A B\r\nX\r\n\r\n", HeaderLine),
            (b"A B\r\nX y: z\r\n\r\n", HeaderLine),
            (b"A B\r\nX : y\r\n\r\n", HeaderLine),
            (b"A B\r\nX\t: y\r\n\r\n", HeaderLine),
            (b"A B\r\n: y\r\n\r\n", HeaderLine),
            (b"A B\r\nX(: y\r\n\r\n", HeaderLine),
            (b"A B\r\nX\xe9: y\r\n\r\n", HeaderLine),
            (b"A B\r\nX: y\r\nZ\r\n\r\n", HeaderLine),
        ] {
            assert_eq!(outcome(bytes), Err(error.into()), "{}", bytes.escape_ascii());
            let earlier = outcome(&bytes[..bytes.len() - 1]);
            assert_eq!(earlier, Ok(None), "not at its last byte: {}", bytes.escape_ascii());
        }
    }

    #[test]
    fn any_pieces_give_the_same_and_the_rest_stays() {
        let bytes = b"A B\r\nX: y\r\n\r\n\x81\x00rest\r\n\r\n";
        for step in 1..=bytes.len() {
            let (outcome, rest) = read(HeadLimits::new(), bytes, step);
            assert_eq!(outcome, Ok(Some(head("A B", &[("X", b"y")]))));
            assert_eq!(rest, b"\x81\x00rest\r\n\r\n");
        }
    }

    #[test]
    fn the_limit_on_bytes_is_exact() {
        let bytes = b"A B\r\nX: y\r\n\r\nmore";
        let length = bytes.len() - 4;
        for step in 1..=bytes.len() {
            let limits = HeadLimits::new().bytes(length);
            assert_eq!(read(limits, bytes, step).0, Ok(Some(head("A B", &[("X", b"y")]))));
            for limit in 0..length {
                let outcome = read(HeadLimits::new().bytes(limit), bytes, step).0;
                // From the space of `A B` to the CR.
                let error = if (2..=3).contains(&limit) {
                    HeadError::TargetTooLong { limit }
                } else {
                    HeadError::TooLarge { limit }
                };
                assert_eq!(outcome, Err(error.into()));
            }
        }
    }

    #[test]
    fn the_limit_on_headers_is_exact() {
        let bytes = b"A B\r\nX: y\r\nX: z\r\n\r\n";
        assert!(read(HeadLimits::new().headers(2), bytes, 1).0.is_ok());
        for (limit, shown_by) in [(1, "A B\r\nX: y\r\nX"), (0, "A B\r\nX")] {
            let limits = HeadLimits::new().headers(limit);
            let outcome = read(limits, shown_by.as_bytes(), 1).0;
            assert_eq!(outcome, Err(HeadError::TooManyHeaders { limit }.into()));
        }
        assert!(read(HeadLimits::new().headers(0), b"A B\r\n\r\n", 1).0.is_ok());
    }

    #[test]
    fn two_heads_share_the_limit() {
        let bytes = b"A B\r\n\r\nC D\r\n\r\n";
        let mut input = ReceiveBuffer::new();
        input.extend_from_slice(bytes);
        let mut reader = HeadReader::<Line>::new(HeadLimits::new().bytes(bytes.len() - 1));
        assert_eq!(reader.advance(&mut input), Ok(Some(head("A B", &[]))));
        assert_eq!(
            reader.advance(&mut input),
            Err(HeadError::TooLarge { limit: bytes.len() - 1 }.into())
        );
    }
}
