//! The types of extensions (TLVs) that the specification defines.

/// The protocol that was negotiated by ALPN, such as `h2`.
pub const ALPN: u8 = 0x01;
/// The host name that the client has asked for in TLS (SNI).
pub const AUTHORITY: u8 = 0x02;
/// The checksum of the header, which the reader has verified.
pub const CRC32C: u8 = 0x03;
/// Padding.
pub const NOOP: u8 = 0x04;
/// An identifier of the connection, of up to 128 bytes.
pub const UNIQUE_ID: u8 = 0x05;
/// What the client's TLS was, with extensions of its own.
pub const SSL: u8 = 0x20;
/// The name of the network namespace.
pub const NETNS: u8 = 0x30;
