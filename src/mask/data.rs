//! The data that a kernel works on.
#![expect(clippy::inline_always, reason = "must be compiled for the registers of each kernel")]

/// Bytes to mask: a slice in place, or a source and a target of the same length.
pub(super) trait Data: Sized {
    fn len(&self) -> usize;

    /// The address of the target's first byte.
    fn address(&self) -> usize;

    fn split_at(self, at: usize) -> (Self, Self);

    /// Applies `mask` to each whole block of `BLOCK` bytes, `WIDTH` bytes at a time, and returns
    /// the rest. `BLOCK` is a multiple of `WIDTH`: the loop is unrolled that many times.
    fn blocks<const BLOCK: usize, const WIDTH: usize>(
        self,
        mask: impl Fn([u8; WIDTH]) -> [u8; WIDTH],
    ) -> Self;

    /// Applies `mask` to the first `WIDTH` bytes, if there are that many, and returns the rest. The
    /// data is shorter than twice `WIDTH`, so it needs no loop.
    fn word<const WIDTH: usize>(self, mask: impl Fn([u8; WIDTH]) -> [u8; WIDTH]) -> Self;
}

impl Data for &mut [u8] {
    #[inline(always)]
    fn len(&self) -> usize {
        <[u8]>::len(self)
    }

    #[inline(always)]
    fn address(&self) -> usize {
        self.as_ptr().addr()
    }

    #[inline(always)]
    fn split_at(self, at: usize) -> (Self, Self) {
        self.split_at_mut(at)
    }

    #[inline(always)]
    fn blocks<const BLOCK: usize, const WIDTH: usize>(
        self,
        mask: impl Fn([u8; WIDTH]) -> [u8; WIDTH],
    ) -> Self {
        let (blocks, rest) = self.as_chunks_mut::<BLOCK>();
        for block in blocks {
            for bytes in block.as_chunks_mut().0 {
                *bytes = mask(*bytes);
            }
        }
        rest
    }

    #[inline(always)]
    fn word<const WIDTH: usize>(self, mask: impl Fn([u8; WIDTH]) -> [u8; WIDTH]) -> Self {
        let (words, rest) = self.as_chunks_mut();
        debug_assert!(words.len() < 2);
        if let Some(word) = words.first_mut() {
            *word = mask(*word);
        }
        rest
    }
}

/// A source and a target of the same length.
pub(super) struct Pair<'a> {
    source: &'a [u8],
    target: &'a mut [u8],
}

impl<'a> Pair<'a> {
    #[inline(always)]
    pub(super) fn new(source: &'a [u8], target: &'a mut [u8]) -> Self {
        debug_assert_eq!(source.len(), target.len());
        Self { source, target }
    }
}

impl Data for Pair<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.source.len()
    }

    #[inline(always)]
    fn address(&self) -> usize {
        self.target.as_ptr().addr()
    }

    #[inline(always)]
    fn split_at(self, at: usize) -> (Self, Self) {
        let (source, source_rest) = self.source.split_at(at);
        let (target, target_rest) = self.target.split_at_mut(at);
        (Self { source, target }, Self { source: source_rest, target: target_rest })
    }

    #[inline(always)]
    fn blocks<const BLOCK: usize, const WIDTH: usize>(
        self,
        mask: impl Fn([u8; WIDTH]) -> [u8; WIDTH],
    ) -> Self {
        let (sources, source) = self.source.as_chunks::<BLOCK>();
        let (targets, target) = self.target.as_chunks_mut::<BLOCK>();
        for (source, target) in sources.iter().zip(targets) {
            for (source, target) in source.as_chunks().0.iter().zip(target.as_chunks_mut().0) {
                *target = mask(*source);
            }
        }
        Self { source, target }
    }

    #[inline(always)]
    fn word<const WIDTH: usize>(self, mask: impl Fn([u8; WIDTH]) -> [u8; WIDTH]) -> Self {
        let (sources, source) = self.source.as_chunks();
        let (targets, target) = self.target.as_chunks_mut();
        debug_assert!(sources.len() < 2);
        if let (Some(source), Some(target)) = (sources.first(), targets.first_mut()) {
            *target = mask(*source);
        }
        Self { source, target }
    }
}
