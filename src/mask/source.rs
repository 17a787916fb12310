//! Where masking keys come from.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

/// Where a client's masking keys come from: "The masking key needs to be unpredictable" (5.3).
///
/// With the feature `rand`, `RandomMasks` is the one to use. Any other source must be a CSPRNG too:
/// "the masking key for a given frame MUST NOT make it simple for a server/proxy to predict the
/// masking key for a subsequent frame."
pub trait MaskSource: Send + Sync {
    /// Returns a fresh key for the next frame.
    fn next_key(&mut self) -> [u8; 4];
}

/// A function that returns a fresh key at each call.
impl<F: FnMut() -> [u8; 4] + Send + Sync> MaskSource for F {
    #[inline]
    fn next_key(&mut self) -> [u8; 4] {
        self()
    }
}

/// A mask source of any type.
pub(crate) struct BoxedMaskSource(Box<dyn MaskSource>);

impl BoxedMaskSource {
    pub(crate) fn new(source: impl MaskSource + 'static) -> Self {
        Self(Box::new(source))
    }

    #[inline]
    pub(crate) fn next_key(&mut self) -> [u8; 4] {
        self.0.next_key()
    }
}

// A source that has panicked can only panic again or return keys, and every key is valid.
impl UnwindSafe for BoxedMaskSource {}
impl RefUnwindSafe for BoxedMaskSource {}

/// Does not show the source: its keys are secret.
impl fmt::Debug for BoxedMaskSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxedMaskSource").finish_non_exhaustive()
    }
}
