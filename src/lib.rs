//! WebSocket (RFC 6455) from scratch: a sans-IO core and thin blocking adapters.

mod buffer;
mod close;
mod config;
mod connection;
mod error;
mod event;
mod frame;
mod handshake;
mod mask;
#[cfg(feature = "net")]
pub mod net;
mod receiver;
mod sender;
mod timer;
mod uri;
mod utf8;

pub use buffer::{ReceiveBuffer, SendBuffer};
pub use close::{Close, CloseCode, InvalidCloseCode};
pub use config::{Config, Delivery, Limits, Role};
pub use connection::{Connection, Outcome, State, Transport};
pub use error::{ProtocolError, SendError};
pub use event::{Event, Message, MessageKind};
pub use frame::{EncodedHeader, FrameHeader, OpCode};
pub use handshake::{
    Answer, ClientHandshake, Established, HandshakeError, HeadLimits, Headers, InvalidOrigin,
    Offer, Origin, OriginPolicy, Rejection, Request, Response, ServerHandshake,
};
pub use mask::{Mask, MaskSource};
#[cfg(feature = "rand")]
pub use mask::{RandomMasks, random_nonce};
pub use receiver::Receiver;
pub use sender::{EncodedMessage, Sender};
pub use timer::{Deadline, Keepalive, Timeout, Timeouts};
pub use uri::{Scheme, Uri, UriError};
