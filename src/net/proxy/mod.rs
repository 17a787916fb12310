//! The way through a proxy (feature `proxy`): the exchange itself is that of [`dial`](crate::dial).

mod cause;
mod error;
mod layer;
mod methods;
mod options;
#[cfg(feature = "reconnect")]
mod retry;
mod through;

pub use error::{ProxyCause, ProxyError};
pub(super) use layer::{Layer, Layered};
pub(super) use options::Options;
pub(super) use through::Through;
