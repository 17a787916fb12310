//! The payload of a frame: in place, assembled from fragments, piece by piece, or of a control
//! frame (RFC 6455, 5.4 to 5.6).

use super::{Frame, Receiver, Step, to_usize};
use crate::buffer::{ReceiveBuffer, What};
use crate::close::CloseCode;
use crate::config::Role;
use crate::error::ProtocolError;
use crate::frame::Opcode;
use crate::message::MessageKind;

impl Receiver {
    /// A message in one frame that is still arriving.
    pub(super) fn in_place(
        &mut self,
        mut frame: Frame,
        kind: MessageKind,
        buffer: &mut ReceiveBuffer,
    ) -> Result<Step, ProtocolError> {
        let length = to_usize(frame.remaining);
        buffer.clean_in_place(length, frame.mask.as_mut(), Some(kind))?;
        if buffer.clean() < length {
            return Ok(self.wait_for(frame));
        }
        buffer.lend_in_place(kind)?;
        self.message = None;
        buffer.expect_another(self.long_header(length), length);
        Ok(Step::Lent)
    }

    /// Whether the frame in hand is the first of its message.
    const fn is_first_frame(&self) -> bool {
        self.fragments == 1
    }

    /// The length of the header of a payload of `length` bytes, 126 or more: the key is a client's.
    const fn long_header(&self, length: usize) -> usize {
        match (self.role, length > 0xFFFF) {
            (Role::Server, false) => 8,
            (Role::Server, true) => 14,
            (Role::Client, false) => 4,
            (Role::Client, true) => 10,
        }
    }

    pub(super) fn control(
        &mut self,
        mut frame: Frame,
        opcode: Opcode,
        buffer: &mut ReceiveBuffer,
    ) -> Result<Step, ProtocolError> {
        let length = to_usize(frame.remaining);
        buffer.clean_in_place(length, frame.mask.as_mut(), None)?;
        if buffer.clean() < length {
            return Ok(self.wait_for(frame));
        }
        let what = match opcode {
            Opcode::Ping => What::Ping,
            Opcode::Pong => What::Pong,
            _ => {
                // "the first two bytes of the body MUST be a 2-byte unsigned integer" (5.5.1) that
                // is not one of the codes of 7.4.1 and 7.4.2 which "MUST NOT be set".
                let body = buffer.as_slice().get(..length).unwrap_or_default();
                if let Some(code) = body.first_chunk() {
                    let code = u16::from_be_bytes(*code);
                    CloseCode::new(code).ok_or(ProtocolError::CloseCode(code))?;
                }
                self.closed = true;
                What::Close
            }
        };
        buffer.lend_control(what)?;
        Ok(Step::LentControl)
    }

    /// Moves what has arrived of a fragment, and lends the message when it ends.
    pub(super) fn assemble(
        &mut self,
        mut frame: Frame,
        kind: MessageKind,
        buffer: &mut ReceiveBuffer,
    ) -> Result<Step, ProtocolError> {
        let direct = buffer.clean_direct(frame.mask.as_mut(), kind)?;
        frame.took(direct);
        let n = frame.arrived(buffer);
        if n > 0 {
            buffer.assemble(n, frame.mask.as_mut(), kind)?;
            frame.took(n);
        }
        if frame.remaining > 0 {
            let missing = to_usize(frame.remaining);
            // A frame that is the whole message was too long to wait in the buffer.
            let whole = frame.fin && self.is_first_frame();
            if whole || missing >= Self::WORTH_DIRECT {
                buffer.expect_direct(missing);
            }
            return Ok(self.wait_for(frame));
        }
        if !frame.fin {
            return Ok(Step::FrameEnded);
        }
        buffer.lend_assembled(kind)?;
        self.message = None;
        let length = to_usize(self.length);
        if self.is_first_frame() {
            buffer.expect_another(self.long_header(length), length);
        } else {
            buffer.expect_fragments(to_usize(self.fragments.into()), length, direct > 0);
        }
        Ok(Step::Lent)
    }

    /// Lends what has arrived of a frame.
    pub(super) fn chunk(
        &mut self,
        mut frame: Frame,
        kind: MessageKind,
        buffer: &mut ReceiveBuffer,
    ) -> Result<Step, ProtocolError> {
        let n = frame.arrived(buffer);
        frame.took(n);
        let over = frame.remaining == 0;
        let last = over && frame.fin;
        let lent = (n > 0 || last) && buffer.lend_chunk(n, frame.mask.as_mut(), kind, last)?;
        if last {
            self.message = None;
        }
        let waits = if over { Step::FrameEnded } else { self.wait_for(frame) };
        Ok(if lent { Step::Lent } else { waits })
    }
}
