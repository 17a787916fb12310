//! Which bytes of a buffer are known to be text.

use crate::utf8::{InvalidUtf8, Utf8};

/// What an event lies in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// The bytes from the transport.
    #[default]
    Wire,
    /// The message that was assembled.
    Message,
}

/// Checks the text in progress, and knows where it lies. It lives in the buffer, beside the bytes
/// that it has checked: a receiver could not vouch for them, since a program may give it the buffer
/// of another in the middle of a message.
#[derive(Debug, Default)]
pub(super) struct Text {
    utf8: Utf8,
    place: Place,
    /// How many bytes were checked, from where `place` starts, and no others since the text
    /// started.
    checked: usize,
}

/// Proof that the bytes to be lent are UTF-8: only [`Text`] makes one.
#[derive(Debug)]
pub(super) struct Checked(());

impl Text {
    pub(super) const fn new() -> Self {
        Self { utf8: Utf8::new(), place: Place::Wire, checked: 0 }
    }

    /// Whether no character is incomplete.
    pub(super) fn is_idle(&self) -> bool {
        self.utf8.carry().is_empty()
    }

    /// What has been seen of a character that is cut.
    pub(super) fn carry(&self) -> Utf8 {
        self.utf8
    }

    /// Checks the bytes from `before` on, counted from where `place` starts.
    #[inline]
    pub(super) fn check(
        &mut self,
        place: Place,
        before: usize,
        bytes: &[u8],
    ) -> Result<(), InvalidUtf8> {
        if before == 0 {
            *self = Self { place, ..Self::new() };
        } else if (self.place, self.checked) != (place, before) {
            return Err(InvalidUtf8);
        }
        self.utf8.feed(bytes)?;
        self.checked = before.saturating_add(bytes.len());
        Ok(())
    }

    /// Ends a text that was checked, if it is just the first `length` bytes of `place`.
    #[inline]
    pub(super) fn finish(&mut self, place: Place, length: usize) -> Result<Checked, InvalidUtf8> {
        self.utf8.finish()?;
        if (self.place, self.checked) != (place, length) {
            return Err(InvalidUtf8);
        }
        Ok(Checked(()))
    }

    /// Checks a text as a whole.
    #[inline]
    pub(super) fn check_whole(&mut self, bytes: &[u8]) -> Result<Checked, InvalidUtf8> {
        self.utf8 = Utf8::new();
        self.utf8.feed(bytes)?;
        self.utf8.finish()?;
        Ok(Checked(()))
    }

    /// Checks the next piece of a text, behind what the last one carried on. The proof is for both
    /// without what this one carries on; `fin` tells that the text ends.
    pub(super) fn check_piece(&mut self, bytes: &[u8], fin: bool) -> Result<Checked, InvalidUtf8> {
        self.checked = 0;
        self.utf8.feed(bytes)?;
        if fin {
            self.utf8.finish()?;
        }
        Ok(Checked(()))
    }

    /// Checks the reason of a Close frame.
    pub(super) fn check_reason(reason: &[u8]) -> Result<Checked, InvalidUtf8> {
        simdutf8::basic::from_utf8(reason).map(|_| Checked(())).map_err(|_| InvalidUtf8)
    }

    /// The bytes at the start of `place` are no longer those that were checked.
    #[inline]
    pub(super) fn forget(&mut self, place: Place) {
        if self.place == place {
            self.checked = 0;
        }
    }
}
