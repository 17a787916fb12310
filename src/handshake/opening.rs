//! What both ends of an opening handshake have in common.

use crate::buffer::ReceiveBuffer;

use super::client::ClientHandshake;
use super::error::HandshakeError;
use super::server::ServerHandshake;

/// The operations of [`ClientHandshake`] and [`ServerHandshake`] that drive either of them, for an
/// adapter that does both with the same loop.
///
/// No other type implements it.
pub trait Opening: Sealed {
    /// Reads what has arrived; `true` when the peer's head is complete.
    ///
    /// # Errors
    ///
    /// The peer's head is not valid.
    fn advance(&mut self, input: &mut ReceiveBuffer) -> Result<bool, HandshakeError>;

    /// Reports that the transport has ended.
    ///
    /// # Errors
    ///
    /// The head is not complete.
    fn receive_eof(&mut self) -> Result<(), HandshakeError>;

    /// Reports that the [`Deadline`](crate::Deadline) of the handshake has passed.
    ///
    /// # Errors
    ///
    /// The head is not complete.
    fn time_out(&mut self) -> Result<(), HandshakeError>;
}

/// Cannot be named outside of this crate.
#[doc(hidden)]
pub trait Sealed {}

macro_rules! opening {
    ($type:ty) => {
        impl Sealed for $type {}

        impl Opening for $type {
            fn advance(&mut self, input: &mut ReceiveBuffer) -> Result<bool, HandshakeError> {
                <$type>::advance(self, input)
            }

            fn receive_eof(&mut self) -> Result<(), HandshakeError> {
                <$type>::receive_eof(self)
            }

            fn time_out(&mut self) -> Result<(), HandshakeError> {
                <$type>::time_out(self)
            }
        }
    };
}

opening!(ClientHandshake);
opening!(ServerHandshake);
