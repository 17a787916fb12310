//! Takes the fixed parts of SOCKS out of the receive buffer.

use super::error::TunnelError;
use crate::buffer::ReceiveBuffer;

/// Checks the first byte as soon as it has arrived: a peer that does not speak SOCKS shows there.
pub(super) fn check_version(input: &ReceiveBuffer, version: u8) -> Result<(), TunnelError> {
    match input.as_slice().first() {
        Some(byte) if *byte != version => Err(TunnelError::SocksVersion(*byte)),
        _ => Ok(()),
    }
}

/// Takes `N` bytes, if they have arrived.
pub(super) fn take<const N: usize>(input: &mut ReceiveBuffer) -> Option<[u8; N]> {
    let bytes = *input.as_slice().first_chunk::<N>()?;
    input.consume(N);
    Some(bytes)
}
