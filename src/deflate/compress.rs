//! Compressing messages (RFC 7692, 7.2.1).

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use flate2::{Compress, Compression, FlushCompress};

use super::config::{ContextTakeover, DeflateConfig, DeflateLevel, WindowBits};
use super::inflate::TAIL;
use super::pool::Pool;
use super::progress::Progress;

static IDLE: Pool<Compressor> = Pool::new();

/// Compresses the messages of a connection, one after the other.
pub(crate) struct Deflate {
    kind: Kind,
    takeover: ContextTakeover,
    threshold: usize,
    /// Made for the first message.
    stream: Option<Box<Compressor>>,
}

/// What a compressor was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    bits: WindowBits,
    level: DeflateLevel,
}

struct Compressor {
    kind: Kind,
    stream: Compress,
}

// zlib-rs keeps its state behind a `&mut`, which is the only reason that it is not unwind safe. No
// safe caller relies on the consistency of that state.
impl UnwindSafe for Compressor {}
impl RefUnwindSafe for Compressor {}

impl Deflate {
    pub(super) const fn new(
        bits: WindowBits,
        level: DeflateLevel,
        takeover: ContextTakeover,
        threshold: usize,
    ) -> Self {
        Self { kind: Kind { bits, level }, takeover, threshold, stream: None }
    }

    /// The length from which a message is compressed.
    pub(crate) const fn threshold(&self) -> usize {
        self.threshold
    }

    /// Whether a message may be sent uncompressed after it was compressed in vain: no later message
    /// refers to it.
    pub(crate) const fn can_send_uncompressed(&self) -> bool {
        matches!(self.takeover, ContextTakeover::Forbidden)
    }

    /// Compresses `input` and flushes: the output ends at a byte boundary, with [`TAIL`].
    ///
    /// `output` must have room for at least 7 bytes. If it is filled completely, call this again
    /// with the rest of the input.
    pub(crate) fn deflate(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        let kind = self.kind;
        let compressor = self.stream.get_or_insert_with(|| {
            IDLE.take(|idle| idle.kind == kind).unwrap_or_else(|| Box::new(Compressor::new(kind)))
        });
        let stream = &mut compressor.stream;
        let before = (stream.total_in(), stream.total_out());
        // The only error is that of a misused state.
        let result = stream.compress(input, output, FlushCompress::Sync);
        debug_assert!(result.is_ok());
        Progress::since(before, (stream.total_in(), stream.total_out()))
    }

    /// Returns how many bytes of a message's last frame remain: "Remove 4 octets (that are 0x00
    /// 0x00 0xff 0xff) from the tail end. After this step, the last octet of the compressed data
    /// contains (possibly part of) the DEFLATE header bits with the "BTYPE" bits set to 00."
    /// (7.2.1)
    pub(crate) fn without_tail(made: &[u8]) -> usize {
        made.strip_suffix(&TAIL).unwrap_or(made).len()
    }

    /// The payload of a message's last frame if nothing is left to compress: the header of an empty
    /// block (7.2.3.6).
    pub(crate) const EMPTY: u8 = 0;

    /// Ends a message.
    pub(crate) fn end_message(&mut self) {
        if self.takeover == ContextTakeover::Forbidden {
            self.give_back();
        }
    }

    /// Returns the payload of a message that was compressed for many connections, if its back
    /// references fit into the negotiated window. Later messages do not refer to earlier ones.
    pub(crate) fn shared<'m>(&mut self, message: &'m SharedDeflate) -> Option<&'m [u8]> {
        if message.reach > 1 << self.kind.bits.get() {
            return None;
        }
        if let Some(compressor) = &mut self.stream {
            compressor.stream.reset();
        }
        Some(&message.frame)
    }

    fn give_back(&mut self) {
        if let Some(mut compressor) = self.stream.take() {
            compressor.stream.reset();
            IDLE.give(compressor);
        }
    }
}

impl Compressor {
    fn new(kind: Kind) -> Self {
        let level = Compression::new(match kind.level {
            DeflateLevel::Fast => 1,
            DeflateLevel::Balanced => 6,
            DeflateLevel::Small => 9,
        });
        Self { kind, stream: Compress::new_with_window_bits(level, false, kind.bits.get()) }
    }
}

impl Drop for Deflate {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// The payload of a message that was compressed once, for many connections.
#[derive(Clone, Debug)]
pub(crate) struct SharedDeflate {
    frame: Arc<[u8]>,
    /// The largest distance of its back references, in bytes.
    reach: usize,
}

impl SharedDeflate {
    /// Takes the compressed payload of a message of `length` bytes, made with
    /// [`DeflateConfig::deflate_once`].
    pub(crate) fn new(frame: &[u8], length: usize, config: &DeflateConfig) -> Self {
        let window = 1 << config.server_bits.get();
        Self { frame: frame.into(), reach: length.min(window) }
    }

    pub(crate) fn len(&self) -> usize {
        self.frame.len()
    }
}
