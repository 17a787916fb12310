//! Replaces `mailbox` without the feature `hub`: there is never a message.

pub(super) use sansock::EncodedMessage as Mail;
use sansock::split::{SendQueue, Sender};

use super::core::Piece;

#[derive(Debug)]
pub(super) struct Mailbox;

#[expect(clippy::unused_self, reason = "as with a hub")]
impl Mailbox {
    pub(super) const fn new() -> Self {
        Self
    }

    pub(super) const fn is_due(&self) -> bool {
        false
    }

    pub(super) fn take(
        &self,
        _: &mut Sender,
        _: &mut SendQueue,
        _: impl Fn(Piece),
    ) -> Option<(Mail, bool)> {
        None
    }

    pub(super) const fn end(&self) {}
}
