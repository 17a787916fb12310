//! A transport in memory. It copies bytes as the kernel would, so that the bytes are in the cache
//! as with a socket.

use std::io::{self, Read, Write};

/// The size of one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// Up to 64 KiB: a peer that sends without waiting.
    Burst,
    /// At most to the end of a frame: request and response.
    Single,
}

/// Delivers the same frames forever, and takes everything that is written.
pub(crate) struct Memory {
    /// Frames of one length.
    frames: Vec<u8>,
    length: usize,
    reads: Reads,
    next: usize,
    /// As large as a socket's buffer, used as a ring.
    sink: Box<[u8]>,
    end: usize,
    written: u64,
}

impl Memory {
    const MOST: usize = 64 << 10;

    /// All `frames` have `length` bytes; they may be empty if nothing is read.
    pub(crate) fn new(frames: Vec<u8>, length: usize, reads: Reads) -> Self {
        let sink = vec![0; Self::MOST].into();
        Self { frames, length, reads, next: 0, sink, end: 0, written: 0 }
    }

    /// Number of bytes written in total.
    pub(crate) const fn written(&self) -> u64 {
        self.written
    }

    /// Returns the bytes of the next read, which asks for `length` bytes.
    #[inline]
    pub(crate) fn arriving(&mut self, length: usize) -> &[u8] {
        let left = match self.reads {
            Reads::Burst => self.frames.len() - self.next,
            Reads::Single => self.length - self.next % self.length,
        };
        let start = self.next;
        let end = start + length.min(left).min(Self::MOST);
        self.next = if end == self.frames.len() { 0 } else { end };
        &self.frames[start..end]
    }

    #[inline]
    pub(crate) fn take(&mut self, mut bytes: &[u8]) {
        self.written += bytes.len() as u64;
        while !bytes.is_empty() {
            let n = bytes.len().min(self.sink.len() - self.end);
            self.sink[self.end..self.end + n].copy_from_slice(&bytes[..n]);
            self.end = (self.end + n) % Self::MOST;
            bytes = &bytes[n..];
        }
    }
}

impl Read for Memory {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.arriving(buffer.len());
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl Write for Memory {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes);
        Ok(bytes.len())
    }

    #[inline]
    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        for bytes in slices {
            self.take(bytes);
        }
        Ok(slices.iter().map(|bytes| bytes.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
