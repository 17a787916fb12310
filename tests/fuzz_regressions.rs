//! What fuzzing found, each with the rule that was broken. The targets are in `fuzz/`.

use sansock::{Config, ProtocolError, ReceiveBuffer, Receiver, Role};

/// The error of a stream that arrives in pieces of `step` bytes.
fn error(bytes: &[u8], role: Role, step: usize) -> Option<ProtocolError> {
    let (mut receiver, mut buffer) = (Receiver::new(role, &Config::new()), ReceiveBuffer::new());
    bytes.chunks(step).find_map(|piece| {
        buffer.extend_from_slice(piece);
        receiver.advance(&mut buffer).err()
    })
}

/// Found by `receive`: a header that breaks two rules gave another error when it came byte by byte
/// than when it came at once.
#[test]
fn a_header_that_breaks_several_rules_gives_one_error_however_it_arrives() {
    use ProtocolError::*;
    for (bytes, role, expected) in [
        // A server's frame, masked, its length with the top bit: found as this.
        (&b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff"[..], Role::Client, Masked),
        (b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", Role::Server, Unmasked),
        (b"\x82\xfe\x00\x05", Role::Client, Masked),
        (b"\x89\x7e\x00\x7e", Role::Server, ControlTooLong),
        (b"\xc9\xfe\x00\x7e", Role::Server, ReservedBits(0xc9)),
        (b"\x49\x85", Role::Server, FragmentedControl),
        (b"\x80\xfe\x00\x05", Role::Server, UnexpectedContinuation),
    ] {
        for step in 1..=bytes.len() {
            assert_eq!(error(bytes, role, step), Some(expected), "{bytes:x?} by {step}");
        }
    }
}
