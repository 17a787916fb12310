//! WebSocket (RFC 6455) from scratch: a sans-IO core and thin blocking adapters.

mod buffer;
mod close;
mod config;
mod error;
mod event;
mod frame;
mod handshake;
mod mask;
mod timer;
mod uri;
mod utf8;

pub use buffer::{ReceiveBuffer, SendBuffer};
pub use close::{Close, CloseCode, InvalidCloseCode};
pub use config::{Config, Delivery, Limits, Role};
pub use error::{ProtocolError, SendError};
pub use event::{Event, Message, MessageKind};
pub use frame::{EncodedHeader, FrameHeader, OpCode};
pub use handshake::{
    Answer, ClientHandshake, Established, HandshakeError, HeadLimits, Headers, InvalidOrigin,
    Offer, Origin, OriginPolicy, Rejection, Request, Response, ServerHandshake,
};
pub use mask::{Mask, MaskSource};
pub use timer::{Keepalive, Timeouts};
pub use uri::{Scheme, Uri, UriError};
