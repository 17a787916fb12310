//! UTF-8 over chunk and frame boundaries (RFC 6455, 8.1).

/// The bytes are not, and cannot become, UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidUtf8;

/// Validates text piece by piece and fails on the first piece with a byte that cannot be right.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Utf8 {
    /// The bytes of a character that the last piece ended in: 0 to 3 of them.
    carry: [u8; 3],
    length: u8,
}

impl Utf8 {
    /// Starts at the first byte of a text.
    pub(crate) const fn new() -> Self {
        Self { carry: [0; 3], length: 0 }
    }

    /// The incomplete character at the end of what was fed: a valid prefix of 0 to 3 bytes.
    pub(crate) fn carry(&self) -> &[u8] {
        &self.carry[..usize::from(self.length)]
    }

    /// Checks the next piece.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), InvalidUtf8> {
        let mut all = self.carry().to_vec();
        all.extend_from_slice(bytes);
        match std::str::from_utf8(&all) {
            Ok(_) => self.length = 0,
            Err(error) if error.error_len().is_some() => return Err(InvalidUtf8),
            Err(error) => {
                let rest = &all[error.valid_up_to()..];
                self.carry[..rest.len()].copy_from_slice(rest);
                self.length = rest.len() as u8;
            }
        }
        Ok(())
    }

    /// Checks that the text does not end inside a character, and starts anew.
    pub(crate) fn finish(&mut self) -> Result<(), InvalidUtf8> {
        if self.length == 0 { Ok(()) } else { Err(InvalidUtf8) }
    }
}
