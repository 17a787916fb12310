//! Root certificates as data (feature `webpki-roots`).

use webpki_roots::TLS_SERVER_ROOTS;

use super::connector::ConnectorBuilder;

impl ConnectorBuilder {
    /// Adds the root certificates that Mozilla trusted when the crate `webpki-roots` was published
    /// (feature `webpki-roots`), for machines without root certificates.
    pub fn mozilla_roots(mut self) -> Self {
        self.roots_mut().extend(TLS_SERVER_ROOTS.iter().cloned());
        self
    }
}
