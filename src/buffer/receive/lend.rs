//! What a receiver does with payload: unmask, check, move and lend it.

use super::ReceiveBuffer;
use super::lent::{Content, Lent, What};
use super::text::{Place, Text};
use crate::buffer::copy::copy;
use crate::mask::Mask;
use crate::message::MessageKind;
use crate::utf8::InvalidUtf8;

impl ReceiveBuffer {
    /// Unmasks (and, for text, checks) the payload bytes that have arrived, in place: up to
    /// `length` from the start of the payload, which is the first byte that is not consumed.
    #[expect(clippy::inline_always, reason = "the mask stays in registers")]
    #[inline(always)]
    pub(crate) fn clean_in_place(
        &mut self,
        length: usize,
        mask: Option<&mut Mask>,
        kind: Option<MessageKind>,
    ) -> Result<(), InvalidUtf8> {
        let arrived = length.min(self.wire.len());
        let before = self.clean.min(arrived);
        self.clean = arrived;
        if let Some(mask) = mask {
            mask.apply(self.wire.first_mut(arrived).split_at_mut(before).1);
        }
        if kind == Some(MessageKind::Text) {
            return self.text.check(Place::Wire, before, self.wire.part(before..arrived));
        }
        Ok(())
    }

    /// Number of payload bytes that [`clean_in_place`](Self::clean_in_place) has processed.
    #[inline]
    pub(crate) fn clean(&self) -> usize {
        self.clean
    }

    /// Consumes the message that was cleaned in place and lends it.
    #[inline]
    pub(crate) fn lend_in_place(&mut self, kind: MessageKind) -> Result<(), InvalidUtf8> {
        let length = self.clean;
        self.lend_message(kind, Place::Wire, length)?;
        self.wire.consume(length);
        self.clean = 0;
        Ok(())
    }

    /// Unmasks, checks, consumes and lends a message that has arrived as a whole.
    #[expect(clippy::inline_always, reason = "the mask stays in registers")]
    #[inline(always)]
    pub(crate) fn lend_whole(
        &mut self,
        length: usize,
        mask: Option<Mask>,
        kind: MessageKind,
    ) -> Result<(), InvalidUtf8> {
        let bytes = self.wire.first_mut(length);
        if let Some(mut mask) = mask {
            mask.apply(bytes);
        }
        let content = match kind {
            MessageKind::Text => Content::Text(self.text.check_whole(bytes)?),
            MessageKind::Binary => Content::Binary,
        };
        self.lend_checked(&content, Place::Wire, length);
        self.wire.consume(length);
        Ok(())
    }

    /// Consumes the payload of a control frame that was cleaned in place and lends it.
    pub(crate) fn lend_control(&mut self, what: What) -> Result<(), InvalidUtf8> {
        let positions = self.wire.positions(self.clean);
        self.consume(self.clean);
        self.lent = Some(if what == What::Close {
            let reason = self.wire.at(positions.clone()).get(2..).unwrap_or_default();
            Lent::close(&Text::check_reason(reason)?, positions)
        } else {
            Lent::heartbeat(what == What::Ping, positions)
        });
        Ok(())
    }

    /// Moves the next `n` payload bytes to the end of the message, unmasking them in the same pass.
    pub(crate) fn assemble(
        &mut self,
        n: usize,
        mask: Option<&mut Mask>,
        kind: MessageKind,
    ) -> Result<(), InvalidUtf8> {
        let before = self.message.end();
        let source = self.wire.part(0..n);
        let target = self.message.spare_of(n);
        match mask {
            Some(mask) => mask.apply_to(source, target),
            None => copy(target, source),
        }
        self.consume(n);
        self.message.filled(n);
        self.message.consume_all();
        match kind {
            MessageKind::Text => self.check_message(before),
            MessageKind::Binary => Ok(()),
        }
    }

    /// Unmasks and checks the bytes that were read straight into the message, and returns how many
    /// they are.
    pub(crate) fn clean_direct(
        &mut self,
        mask: Option<&mut Mask>,
        kind: MessageKind,
    ) -> Result<usize, InvalidUtf8> {
        let (before, n) = (self.message.start(), self.message.len());
        if let Some(mask) = mask {
            mask.apply(self.message.as_mut_slice());
        }
        self.message.consume_all();
        if kind == MessageKind::Text {
            self.check_message(before)?;
        }
        Ok(n)
    }

    /// Lends the message that was assembled.
    pub(crate) fn lend_assembled(&mut self, kind: MessageKind) -> Result<(), InvalidUtf8> {
        self.lend_message(kind, Place::Message, self.message.end())
    }

    /// Lends the next `n` payload bytes as a piece of a message, if there is any. Text is cut
    /// before an incomplete character; its bytes come with the next piece.
    pub(crate) fn lend_chunk(
        &mut self,
        n: usize,
        mask: Option<&mut Mask>,
        kind: MessageKind,
        fin: bool,
    ) -> Result<bool, InvalidUtf8> {
        let carried = self.text.carry();
        let bytes = self.wire.first_mut(n);
        if let Some(mask) = mask {
            mask.apply(bytes);
        }
        let content = match kind {
            MessageKind::Text => Content::Text(self.text.check_piece(bytes, fin)?),
            MessageKind::Binary => Content::Binary,
        };
        // The bytes there are consumed: older payload, a header, or the headroom.
        self.wire.push_front(carried.carry());
        let start = self.wire.start();
        self.wire.consume(carried.carry().len());
        self.consume(n);
        let end = self.wire.start().saturating_sub(self.text.carry().carry().len());
        if start == end && !fin {
            return Ok(false);
        }
        self.lent = Some(Lent::chunk(&content, fin, Place::Wire, start..end));
        Ok(true)
    }

    /// Checks the assembled bytes, starting at `before`.
    #[inline]
    fn check_message(&mut self, before: usize) -> Result<(), InvalidUtf8> {
        self.text.check(Place::Message, before, self.message.at(before..self.message.end()))
    }

    /// Lends a message that was unmasked; text only if all of it was checked.
    #[inline]
    fn lend_message(
        &mut self,
        kind: MessageKind,
        place: Place,
        length: usize,
    ) -> Result<(), InvalidUtf8> {
        let content = match kind {
            MessageKind::Text => Content::Text(self.text.finish(place, length)?),
            MessageKind::Binary => Content::Binary,
        };
        self.lend_checked(&content, place, length);
        Ok(())
    }

    /// Lends a message whose text was checked as a whole.
    #[inline]
    fn lend_checked(&mut self, content: &Content, place: Place, length: usize) {
        self.text.forget(place);
        self.next_read.expected = 0;
        let positions = match place {
            Place::Wire => self.wire.positions(length),
            Place::Message => 0..length,
        };
        self.lent = Some(Lent::message(content, place, positions));
    }
}
