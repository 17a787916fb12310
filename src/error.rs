//! Errors, by blame: [`ProtocolError`] is the peer's fault, [`SendError`] is the program's.

use std::fmt;

use crate::close::CloseCode;
use crate::utf8::InvalidUtf8;

/// The peer broke the protocol or exceeded a limit. This is fatal: a Close frame with
/// [`close_code`](Self::close_code) has been queued and every later call returns the same error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A reserved bit is set that no negotiated extension defines, or that it does not allow on
    /// this frame (RFC 6455, 5.2). The value is the first byte of the frame.
    ReservedBits(u8),
    /// An opcode that is not defined: 3 to 7 or 11 to 15 (5.2).
    ReservedOpcode(u8),
    /// A control frame without FIN (5.5).
    FragmentedControl,
    /// A control frame with a payload of more than 125 bytes (5.5).
    ControlTooLong,
    /// A payload length that is not in its shortest form (5.2).
    NonMinimalLength,
    /// A 64-bit payload length with its top bit set (5.2).
    LengthTopBit,
    /// A client's frame that is not masked (5.1).
    Unmasked,
    /// A server's frame that is masked (5.1).
    Masked,
    /// A continuation frame with no message to continue (5.4).
    UnexpectedContinuation,
    /// A text or binary frame inside a fragmented message (5.4).
    ExpectedContinuation,
    /// Text or a close reason that is not UTF-8 (8.1).
    InvalidUtf8,
    /// The payload of a compressed message is not DEFLATE (RFC 7692, 7.2.2).
    InvalidDeflate,
    /// A Close frame whose body is one byte long (5.5.1).
    CloseLength,
    /// A close code that must not be on the wire (7.4).
    CloseCode(u16),
    /// A frame is longer than [`Limits::frame`](crate::Limits::frame).
    FrameTooLarge {
        /// The announced length.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// A message is longer than [`Limits::message`](crate::Limits::message), or it has more
    /// compressed bytes than this limit, an eighth of it and 256 KiB: more than any compressor makes
    /// of such a message.
    MessageTooLarge {
        /// The limit.
        limit: u64,
    },
    /// A message has more frames than [`Limits::fragments`](crate::Limits::fragments).
    TooManyFragments {
        /// The limit.
        limit: u32,
    },
}

impl ProtocolError {
    /// Returns the status code of the Close frame that is sent to the peer (7.4.1).
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::InvalidUtf8 | Self::InvalidDeflate => CloseCode::INVALID_PAYLOAD,
            Self::FrameTooLarge { .. } | Self::MessageTooLarge { .. } => CloseCode::MESSAGE_TOO_BIG,
            Self::TooManyFragments { .. } => CloseCode::POLICY_VIOLATION,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedBits(byte) => {
                write!(f, "reserved bits are set in the frame header byte {byte:#04x}")
            }
            Self::ReservedOpcode(opcode) => write!(f, "reserved opcode {opcode:#x}"),
            Self::FragmentedControl => f.write_str("fragmented control frame"),
            Self::ControlTooLong => f.write_str("control frame longer than 125 bytes"),
            Self::NonMinimalLength => f.write_str("payload length is not in its shortest form"),
            Self::LengthTopBit => f.write_str("payload length has its top bit set"),
            Self::Unmasked => f.write_str("frame from the client is not masked"),
            Self::Masked => f.write_str("frame from the server is masked"),
            Self::UnexpectedContinuation => {
                f.write_str("continuation frame without a message to continue")
            }
            Self::ExpectedContinuation => {
                f.write_str("new message before the end of the fragmented one")
            }
            Self::InvalidUtf8 => f.write_str("invalid UTF-8"),
            Self::InvalidDeflate => f.write_str("invalid compressed data"),
            Self::CloseLength => f.write_str("Close frame with a body of one byte"),
            Self::CloseCode(code) => write!(f, "close code {code} must not be on the wire"),
            Self::FrameTooLarge { length, limit } => {
                write!(f, "frame of {length} bytes is over the limit of {limit} (Limits::frame)")
            }
            Self::MessageTooLarge { limit } => {
                write!(f, "message is over the limit of {limit} bytes (Limits::message)")
            }
            Self::TooManyFragments { limit } => {
                write!(f, "message has more than {limit} frames (Limits::fragments)")
            }
        }
    }
}

impl std::error::Error for ProtocolError {}

impl From<InvalidUtf8> for ProtocolError {
    /// "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is
    /// not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_."
    /// (8.1)
    fn from(_: InvalidUtf8) -> Self {
        Self::InvalidUtf8
    }
}

/// A message, fragment or control frame was refused. Nothing was queued and the connection is
/// unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendError {
    /// A Close frame has been sent or queued, or the connection is over: "The application MUST NOT
    /// send any more data frames after sending a Close frame" (RFC 6455, 5.5.1).
    Closed,
    /// A fragmented message is being sent. Finish it before the next one (5.4).
    MessageInProgress,
    /// A fragment has a different type than the message that it continues (5.4).
    KindChanged,
    /// A Ping or Pong payload of more than 125 bytes (5.5). The value is its length.
    ControlTooLong(usize),
    /// A close reason of more than 123 bytes (5.5.1). The value is its length.
    ReasonTooLong(usize),
    /// A close reason without a code: the body of a Close frame starts with the code (5.5.1).
    ReasonWithoutCode,
    /// More bytes would wait in the send buffer than [`Limits::buffered`](crate::Limits::buffered).
    BufferFull {
        /// The limit.
        limit: usize,
    },
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection is closing or closed"),
            Self::MessageInProgress => f.write_str("a fragmented message is in progress"),
            Self::KindChanged => f.write_str("the fragments of a message have one type"),
            Self::ControlTooLong(length) => {
                write!(f, "control payload of {length} bytes; 125 is the most (RFC 6455, 5.5)")
            }
            Self::ReasonTooLong(length) => {
                write!(f, "close reason of {length} bytes; 123 is the most (RFC 6455, 5.5.1)")
            }
            Self::ReasonWithoutCode => {
                f.write_str("a close reason needs a close code (RFC 6455, 5.5.1)")
            }
            Self::BufferFull { limit } => {
                write!(f, "send buffer is full: the limit is {limit} bytes (Limits::buffered)")
            }
        }
    }
}

impl std::error::Error for SendError {}
