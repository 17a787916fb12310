//! Keeps track of which bytes of a buffer are known to be text.

use crate::utf8::{InvalidUtf8, Utf8};

/// The memory that holds an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// The bytes from the transport.
    #[default]
    Wire,
    /// The message that was assembled.
    Message,
}

/// Checks the text in progress, and records where it is. It belongs to the buffer, not to the
/// receiver: a program may give a receiver the buffer of another one in the middle of a message.
#[derive(Debug, Default)]
pub(super) struct Text {
    utf8: Utf8,
    place: Place,
    /// Number of bytes that were checked, from the start of `place`, since the text started.
    checked: usize,
}

/// Proof that the bytes to be lent are UTF-8: only [`Text`] makes one.
#[derive(Debug)]
pub(super) struct Checked(());

impl Text {
    pub(super) const fn new() -> Self {
        Self { utf8: Utf8::new(), place: Place::Wire, checked: 0 }
    }

    /// Whether there is no incomplete character.
    pub(super) fn is_idle(&self) -> bool {
        self.utf8.carry().is_empty()
    }

    /// The first bytes of an incomplete character.
    pub(super) fn carry(&self) -> Utf8 {
        self.utf8
    }

    /// Checks the bytes starting at `before`, counted from the start of `place`.
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

    /// Ends a text that was checked, if it is exactly the first `length` bytes of `place`.
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

    /// Checks the next piece of a text, after the bytes carried over from the last one. The proof
    /// covers both, without the bytes that this piece carries over; `fin` means that the text ends.
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

    /// Records that the bytes at the start of `place` have changed since they were checked.
    #[inline]
    pub(super) fn forget(&mut self, place: Place) {
        if self.place == place {
            self.checked = 0;
        }
    }
}
