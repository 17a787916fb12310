//! Where masking keys come from.

/// Where a client's masking keys come from: "The masking key needs to be unpredictable" (5.3).
///
/// With the feature `rand`, `RandomMasks` is the one to use. A source of one's own must be a CSPRNG
/// too: "the masking key for a given frame MUST NOT make it simple for a server/proxy to predict the
/// masking key for a subsequent frame."
pub trait MaskSource: Send {
    /// A fresh key for the next frame.
    fn next_key(&mut self) -> [u8; 4];
}
