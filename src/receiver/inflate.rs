//! Frames of compressed messages (RFC 7692, 6.2).

use super::{Frame, Receiver, Step};
use crate::buffer::{InflateError, ReceiveBuffer};
use crate::config::Delivery;
use crate::error::ProtocolError;
use crate::message::MessageKind;

impl Receiver {
    /// Inflates the part of a frame that has arrived. Lends the message when it ends, or piece by
    /// piece.
    pub(super) fn inflate(
        &mut self,
        mut frame: Frame,
        kind: MessageKind,
        buffer: &mut ReceiveBuffer,
    ) -> Result<Step, ProtocolError> {
        let Some(inflate) = &mut self.inflate else { return Ok(Step::FrameEnded) };
        let limit = self.max_message;
        loop {
            let n = frame.arrived(buffer);
            buffer.clean_in_place(n, frame.mask.as_mut(), None)?;
            let fin = frame.fin && n as u64 == frame.remaining;
            let room = limit.saturating_sub(self.length);
            let (step, lent) = match self.delivery {
                Delivery::Messages => {
                    buffer.inflate(n, fin, inflate, kind, room).map(|step| (step, false))
                }
                Delivery::Chunks => buffer.inflate_chunk(n, fin, inflate, kind, room),
            }
            .map_err(|error| match error {
                InflateError::Deflate => ProtocolError::InvalidDeflate,
                InflateError::Utf8 => ProtocolError::InvalidUtf8,
                InflateError::NoRoom => ProtocolError::MessageTooLarge { limit },
            })?;
            frame.took(step.taken);
            // The output is at most `room` bytes.
            self.length = self.length.saturating_add(step.made as u64);
            if fin && step.drained {
                inflate.end_message();
                if self.delivery == Delivery::Messages {
                    buffer.lend_assembled(kind)?;
                }
                self.message = None;
                return Ok(Step::Lent);
            }
            if lent {
                self.frame = Some(frame);
                return Ok(Step::Lent);
            }
            if step.drained {
                let over = frame.remaining == 0;
                return Ok(if over { Step::FrameEnded } else { self.wait_for(frame) });
            }
        }
    }
}
