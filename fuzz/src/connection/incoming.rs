//! What the timers must learn of the bytes that have arrived, by a reading of the headers alone.

use crate::wire::{self, Header, Read};

/// What has happened up to a moment at which all that has arrived was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Bytes have arrived since the last time.
    pub(super) heard: bool,
    /// Some of them were of a message: of a header or of payload.
    pub(super) touched: bool,
    /// The number of the message that has begun and not ended. It begins with the first byte of its
    /// first header.
    pub(super) in_message: Option<u32>,
}

/// Reads along what arrives, and stops where it breaks the rules.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// The start of a header.
    pending: Vec<u8>,
    frame: Option<Header>,
    /// Payload that is missing of the frame.
    missing: u64,
    in_message: bool,
    messages: u32,
    heard: bool,
    touched: bool,
}

impl Incoming {
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        self.heard |= !bytes.is_empty();
        loop {
            match self.frame {
                Some(frame) => {
                    let n = bytes.len().min(usize::try_from(self.missing).unwrap_or(usize::MAX));
                    bytes = &bytes[n..];
                    self.missing -= n as u64;
                    self.touched |= n > 0 && frame.opcode < 8;
                    if self.missing > 0 {
                        return;
                    }
                    self.frame = None;
                    if frame.opcode < 8 {
                        self.in_message = !frame.fin;
                    }
                }
                None => {
                    self.header_goes_on(bytes);
                    // No header is longer.
                    let start = &bytes[..bytes.len().min(14)];
                    match wire::header(&[&self.pending, start].concat()) {
                        Read::Complete(header) => {
                            bytes = &bytes[header.length - self.pending.len()..];
                            self.pending.clear();
                            self.missing = header.payload;
                            self.frame = Some(header);
                        }
                        Read::Incomplete => return self.pending.extend_from_slice(bytes),
                        Read::Wrong(why) => panic!("sansock sent {why}"),
                    }
                }
            }
        }
    }

    /// What the next bytes tell of the header that they begin or go on with. Of which kind it is, its
    /// first byte says.
    fn header_goes_on(&mut self, bytes: &[u8]) {
        let Some(next) = bytes.first() else { return };
        let opcode = self.pending.first().unwrap_or(next) & 15;
        if opcode < 8 {
            self.touched = true;
            self.in_message = true;
            // Once, and not for the fragments that follow.
            self.messages += u32::from(opcode > 0 && self.pending.is_empty());
        }
    }

    /// What has happened since the last call.
    pub(super) fn take(&mut self) -> Facts {
        Facts {
            heard: std::mem::take(&mut self.heard),
            touched: std::mem::take(&mut self.touched),
            in_message: self.in_message.then_some(self.messages),
        }
    }
}
