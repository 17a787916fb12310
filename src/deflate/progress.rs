//! The result of one step of compressing or inflating.

/// How many bytes a step consumed and produced.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) taken: usize,
    pub(crate) made: usize,
}

impl Progress {
    /// Calculates it from the totals before and after the step.
    pub(super) fn since(before: (u64, u64), after: (u64, u64)) -> Self {
        // Neither is more than the length of a slice.
        let difference =
            |before: u64, after: u64| usize::try_from(after.wrapping_sub(before)).unwrap_or(0);
        Self { taken: difference(before.0, after.0), made: difference(before.1, after.1) }
    }

    /// The sum of two steps.
    pub(super) const fn and(self, next: Self) -> Self {
        Self {
            taken: self.taken.saturating_add(next.taken),
            made: self.made.saturating_add(next.made),
        }
    }
}
