//! Inflating messages (RFC 7692, 7.2.2).

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

use flate2::{Decompress, FlushDecompress, Status};

use super::config::ContextTakeover;
use super::pool::Pool;
use super::progress::Progress;

/// "0x00 0x00 0xff 0xff", which the sender removes (7.2.1).
pub(super) const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// [`TAIL`] and an empty final block: the stream ends with its last byte, if it stands between two
/// blocks.
const LAST: [u8; 9] = [0, 0, 0xFF, 0xFF, 1, 0, 0, 0xFF, 0xFF];
/// Empty blocks, which change nothing between two blocks. Inside a block these bytes are codes or
/// data: they make output, end the stream or are invalid. They are more than the longest header of
/// a block, of 2,285 bits, may swallow before that shows.
static EMPTY: [[u8; 5]; 61] = [[0, 0, 0, 0xFF, 0xFF]; 61];

static IDLE: Pool<Decompress> = Pool::new();

/// The payload is not DEFLATE (RFC 1951).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidDeflate {
    /// Number of bytes that were produced before the error.
    made: usize,
}

impl InvalidDeflate {
    pub(crate) const fn made(self) -> usize {
        self.made
    }

    /// Adds the output of `before`, which preceded the error.
    const fn behind(self, before: Progress) -> Self {
        Self { made: before.made.saturating_add(self.made) }
    }
}

/// Inflates the messages of a connection, one after the other.
pub(crate) struct Inflate {
    takeover: ContextTakeover,
    /// Made for the first message.
    stream: Option<Box<Decompress>>,
    /// The last bytes of the payload so far.
    last: [u8; 4],
    /// Whether the next byte certainly starts a new block: the message has just begun, or a final
    /// block has just ended.
    fresh: bool,
    /// Whether a final block has ended and nothing was produced since.
    spent: bool,
}

// As for the compressor: zlib-rs keeps its state behind a `&mut`.
impl UnwindSafe for Inflate {}
impl RefUnwindSafe for Inflate {}

impl Inflate {
    pub(super) const fn new(takeover: ContextTakeover) -> Self {
        Self { takeover, stream: None, last: [0xFF; 4], fresh: true, spent: false }
    }

    /// Inflates the next bytes of a payload; `fin` means that it ends with them. `output` must not
    /// be empty.
    ///
    /// If `output` is filled completely, there may be more output: call this again with the rest of
    /// the input, which may be empty.
    pub(crate) fn inflate(
        &mut self,
        input: &[u8],
        fin: bool,
        output: &mut [u8],
    ) -> Result<Progress, InvalidDeflate> {
        let progress = self.run(input, output)?;
        self.remember(input.get(..progress.taken).unwrap_or(input));
        let output = output.get_mut(progress.made..).unwrap_or_default();
        if fin && progress.taken == input.len() && !output.is_empty() {
            self.check_end(output).map_err(|error| error.behind(progress))?;
        }
        Ok(progress)
    }

    /// Checks that the payload has ended between two blocks: a message that ends inside a block was
    /// cut off. The decompressor does not tell, so it gets more blocks.
    fn check_end(&mut self, output: &mut [u8]) -> Result<(), InvalidDeflate> {
        // A context that is not used again may end.
        let tail = match self.takeover {
            ContextTakeover::Forbidden => &LAST[..],
            ContextTakeover::Allowed => EMPTY.as_flattened().get(1..).unwrap_or_default(),
        };
        // "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the message."
        // (7.2.2) Not if they are still there: a payload from which they were removed ends in an
        // octet with zeroes of a block header (7.2.1). Nor if a block has just ended with the whole
        // stream, or an empty payload has begun none: the octets would be half a block.
        let tail = match self.last {
            _ if self.fresh => return Ok(()),
            // Behind a final block they are no block of their own, but nothing is missing.
            TAIL if self.spent => return Ok(()),
            TAIL => tail.get(TAIL.len()..).unwrap_or_default(),
            _ => tail,
        };
        // Everything before is out, because `output` has room.
        let ends = self.takeover == ContextTakeover::Forbidden;
        match self.step(tail, output) {
            Ok((end, ended)) if (end.made, end.taken, ended) == (0, tail.len(), ends) => Ok(()),
            // What came out of the tail is no part of the message.
            _ => Err(InvalidDeflate { made: 0 }),
        }
    }

    /// Ends a message whose payload was completely inflated.
    pub(crate) fn end_message(&mut self) {
        (self.last, self.fresh) = ([0xFF; 4], true);
        let spent = std::mem::take(&mut self.spent);
        match self.takeover {
            ContextTakeover::Forbidden => self.give_back(),
            // Bytes after the end of the stream do not begin the next message.
            ContextTakeover::Allowed if spent => self.restart(),
            ContextTakeover::Allowed => {}
        }
    }

    /// Inflates until the input is consumed or the output is full, one stream after the other: a
    /// final block may be followed by another stream, in the same message (RFC 7692, 7.2.3.5) or in
    /// the next.
    fn run(&mut self, mut input: &[u8], mut output: &mut [u8]) -> Result<Progress, InvalidDeflate> {
        let mut progress = Progress::default();
        loop {
            let (step, ended) = self.step(input, output).map_err(|error| error.behind(progress))?;
            progress = progress.and(step);
            input = input.get(step.taken..).unwrap_or_default();
            output = output.get_mut(step.made..).unwrap_or_default();
            if !ended || input.is_empty() || output.is_empty() {
                return Ok(progress);
            }
        }
    }

    /// Inflates up to the end of a final block, and returns whether it was reached.
    fn step(
        &mut self,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(Progress, bool), InvalidDeflate> {
        let stream = self.stream.get_or_insert_with(|| {
            // Always with the largest window: zlib-rs allocates it in any case.
            IDLE.take(|_| true).unwrap_or_else(|| Box::new(Decompress::new(false)))
        });
        let before = (stream.total_in(), stream.total_out());
        let status = stream.decompress(input, output, FlushDecompress::None);
        let step = Progress::since(before, (stream.total_in(), stream.total_out()));
        let status = status.map_err(|_| InvalidDeflate { made: step.made })?;
        self.fresh &= step.taken == 0;
        self.spent &= step.made == 0;
        let ended = status == Status::StreamEnd;
        if ended {
            // A block with BFINAL ends the data (RFC 1951, 3.2.3): later data cannot refer to it.
            self.restart();
            (self.fresh, self.spent) = (true, true);
        }
        Ok((step, ended))
    }

    fn restart(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.reset(false);
        }
    }

    fn remember(&mut self, taken: &[u8]) {
        for byte in taken.iter().rev().take(4).rev() {
            let [_, second, third, fourth] = self.last;
            self.last = [second, third, fourth, *byte];
        }
    }

    fn give_back(&mut self) {
        self.restart();
        if let Some(stream) = self.stream.take() {
            IDLE.give(stream);
        }
    }
}

impl Drop for Inflate {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl fmt::Debug for Inflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflate")
            .field("takeover", &self.takeover)
            .field("in_use", &self.stream.is_some())
            .finish_non_exhaustive()
    }
}
