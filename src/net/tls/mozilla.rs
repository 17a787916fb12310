//! Root certificates as data (feature `webpki-roots`).

use webpki_roots::TLS_SERVER_ROOTS;

use super::connector::ConnectorBuilder;

impl ConnectorBuilder {
    /// Trusts whom Mozilla trusted when the crate `webpki-roots` was published (feature
    /// `webpki-roots`): for machines without root certificates of their own.
    pub fn mozilla_roots(mut self) -> Self {
        self.roots_mut().extend(TLS_SERVER_ROOTS.iter().cloned());
        self
    }
}
