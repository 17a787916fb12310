//! WebSocket (RFC 6455) from scratch: a sans-IO core and thin blocking adapters.

mod buffer;
mod close;
mod config;
mod error;
mod event;
mod frame;
mod mask;
mod timer;
mod utf8;

pub use buffer::{ReceiveBuffer, SendBuffer};
pub use close::{Close, CloseCode, InvalidCloseCode};
pub use config::{Config, Delivery, Limits, Role};
pub use error::{ProtocolError, SendError};
pub use event::{Event, Message, MessageKind};
pub use frame::{EncodedHeader, FrameHeader, OpCode};
pub use mask::{Mask, MaskSource};
#[cfg(feature = "rand")]
pub use mask::{RandomMasks, random_nonce};
pub use timer::{Keepalive, Timeouts};

/// What `benches/` measures of the parts that are private: no part of the API, without any promise.
#[doc(hidden)]
pub mod bench_internals {
    pub use crate::mask::kernels::Kernel;
    pub use crate::utf8::{InvalidUtf8, Utf8};
}
