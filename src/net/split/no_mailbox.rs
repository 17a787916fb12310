//! Replaces [`mailbox`](super::mailbox) without the feature `hub`: there is never mail.

use crate::split::{SendQueue, Sender};

#[derive(Debug, Default)]
pub(super) struct Mailbox;

#[expect(clippy::unused_self, reason = "as with a hub")]
impl Mailbox {
    pub(super) const fn new() -> Self {
        Self
    }

    pub(super) const fn is_due(&self, _: &Sender) -> bool {
        false
    }

    pub(super) const fn refill(&self, _: &mut Sender, _: &mut SendQueue) {}

    pub(super) const fn end(&self) {}
}
