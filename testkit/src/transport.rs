//! A transport in memory that fails on demand.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};

/// The result of the next write.
#[derive(Clone, Copy, Debug)]
pub enum Turn {
    /// It takes this many bytes at most.
    Takes(usize),
    /// It takes nothing and fails.
    Fails(io::ErrorKind),
}

/// A transport that takes as many bytes as it is told, and records each write. Reads return the end
/// of the stream, or `incoming`.
#[derive(Debug, Default)]
pub struct Wire {
    /// The results of the next writes; after them, writes take everything.
    pub turns: VecDeque<Turn>,
    /// Each write's bytes; of a vectored write, all slices together.
    pub writes: Vec<Vec<u8>>,
    /// How many writes were vectored.
    pub vectored: usize,
    /// How often it was flushed.
    pub flushed: usize,
    /// The results of the next reads.
    pub incoming: VecDeque<io::Result<Vec<u8>>>,
}

impl Wire {
    /// All written bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.writes.concat()
    }

    fn take(&mut self, all: &[u8]) -> io::Result<usize> {
        let n = match self.turns.pop_front() {
            None => all.len(),
            Some(Turn::Takes(n)) => n.min(all.len()),
            Some(Turn::Fails(kind)) => return Err(kind.into()),
        };
        self.writes.push(all[..n].to_vec());
        Ok(n)
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(next) = self.incoming.pop_front() else { return Ok(0) };
        let mut bytes = next?;
        let rest = bytes.split_off(buffer.len().min(bytes.len()));
        if !rest.is_empty() {
            self.incoming.push_front(Ok(rest));
        }
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.vectored += 1;
        self.take(&slices.iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed += 1;
        Ok(())
    }
}
