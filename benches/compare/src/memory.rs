//! A transport in memory. It copies what is read and written, as the kernel would, so that a codec is
//! measured with the bytes where a socket would leave them.

use std::io::{self, Read, Write};

/// What one read brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// Up to 64 KiB: a peer that sends without waiting.
    Burst,
    /// No more than to the end of a frame: question and answer.
    Single,
}

/// Delivers the same frames for ever, and takes whatever is written.
pub(crate) struct Memory {
    /// Frames of one length.
    frames: Vec<u8>,
    length: usize,
    reads: Reads,
    next: usize,
    /// As large as a socket's buffer, and used round.
    sink: Box<[u8]>,
    end: usize,
    written: u64,
}

impl Memory {
    const MOST: usize = 64 << 10;

    /// `frames` are all `length` bytes long; none of them if nothing will be read.
    pub(crate) fn new(frames: Vec<u8>, length: usize, reads: Reads) -> Self {
        let sink = vec![0; Self::MOST].into();
        Self { frames, length, reads, next: 0, sink, end: 0, written: 0 }
    }

    /// How many bytes were written in all.
    pub(crate) const fn written(&self) -> u64 {
        self.written
    }

    /// What the next read brings, of `wanted` bytes.
    #[inline]
    pub(crate) fn arriving(&mut self, wanted: usize) -> &[u8] {
        let left = match self.reads {
            Reads::Burst => self.frames.len() - self.next,
            Reads::Single => self.length - self.next % self.length,
        };
        let start = self.next;
        let end = start + wanted.min(left).min(Self::MOST);
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
