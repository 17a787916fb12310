//! What a step of compressing or inflating has done.

/// What a step took in and what came out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) taken: usize,
    pub(crate) made: usize,
}

impl Progress {
    /// From the totals before and after.
    pub(super) fn since(before: (u64, u64), after: (u64, u64)) -> Self {
        // Neither is more than the length of a slice.
        let difference =
            |before: u64, after: u64| usize::try_from(after.wrapping_sub(before)).unwrap_or(0);
        Self { taken: difference(before.0, after.0), made: difference(before.1, after.1) }
    }

    /// Both steps, one after the other.
    pub(super) const fn and(self, next: Self) -> Self {
        Self {
            taken: self.taken.saturating_add(next.taken),
            made: self.made.saturating_add(next.made),
        }
    }
}
