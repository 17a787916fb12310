//! The way through a proxy (feature `proxy`): the exchange itself is that of `sansock::dial`.

mod methods;
mod options;
mod through;

pub(crate) use options::Options;
pub(crate) use through::Through;
