//! Masking (RFC 6455, 5.3).

/// A masking key and the position in it: applied piece by piece, at any cut.
///
/// "Octet i of the transformed data is the XOR of octet i of the original data with octet at index
/// i modulo 4 of the masking key."
#[derive(Clone, Copy, Debug)]
pub struct Mask {
    key: [u8; 4],
}

impl Mask {
    /// Starts at the first byte of a payload.
    #[must_use]
    pub const fn new(key: [u8; 4]) -> Self {
        Self { key }
    }

    /// Masks or unmasks the next bytes of the payload in place.
    pub fn apply(&mut self, data: &mut [u8]) {
        for (byte, key) in data.iter_mut().zip(self.key.iter().cycle()) {
            *byte ^= key;
        }
        self.key.rotate_left(data.len() % 4);
    }

    /// Masks or unmasks the next bytes of the payload while copying them.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn apply_to(&mut self, source: &[u8], target: &mut [u8]) {
        target.copy_from_slice(source);
        self.apply(target);
    }
}

/// Where a client's masking keys come from: "The masking key needs to be unpredictable" (5.3).
pub trait MaskSource: Send {
    /// A fresh key for the next frame.
    fn next_key(&mut self) -> [u8; 4];
}
