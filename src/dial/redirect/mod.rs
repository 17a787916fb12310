//! Redirects of the handshake, without I/O.
//!
//! "the server might redirect the client using a 3xx status code (but clients are not required to
//! follow them)" (RFC 6455, 4.1). A client follows none unless the program sets a [`RedirectPolicy`]. [`Redirects`] then says what to ask next: it resolves the
//! Location (RFC 3986, 5), and takes from the offer what the next server must not see.
#![cfg(feature = "redirects")]

mod error;
mod follow;
mod location;
mod policy;

pub use error::{RedirectError, RedirectProblem};
pub use follow::Redirects;
pub use policy::RedirectPolicy;
