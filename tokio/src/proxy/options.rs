//! What a client knows of proxies.

use sansock::dial::Proxies;

use crate::tls::Connector;

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(super) proxies: Proxies,
    /// For `https:` proxies, if not the default.
    pub(super) tls: Option<Connector>,
}

impl Options {
    pub(crate) const fn new() -> Self {
        Self { proxies: Proxies::none(), tls: None }
    }
}
