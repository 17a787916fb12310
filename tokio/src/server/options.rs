//! The settings of each connection of a server.

use std::sync::Arc;
use std::time::Duration;

use sansock::handshake::{Answer, HeadLimits, HostPolicy, OriginPolicy};
use sansock::net::ServerError;
use sansock::{Config, Keepalive};
use std::net::SocketAddr;

use crate::proxy_header::ProxyProtocol;
use crate::tls::Acceptor;

/// The write timeout, unless the program sets another.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The function that gets the reports of errors.
pub(super) type Report = dyn Fn(&ServerError, Option<SocketAddr>) + Send + Sync;

#[derive(Clone)]
pub(crate) struct Options {
    pub(super) config: Config,
    /// For a config without keepalive.
    pub(super) keepalive: Option<Keepalive>,
    pub(super) head_limits: HeadLimits,
    pub(super) origins: OriginPolicy,
    pub(super) hosts: HostPolicy,
    /// The default answer, for an answer of the program without these settings.
    pub(super) answer: Answer,
    pub(super) max_connections: usize,
    pub(super) max_handshakes: usize,
    pub(super) write_timeout: Option<Duration>,
    pub(crate) tls: Option<Acceptor>,
    /// Which peers send PROXY headers.
    pub(crate) proxy: Option<ProxyProtocol>,
    pub(super) report: Option<Arc<Report>>,
}

impl Options {
    pub(super) fn new() -> Self {
        Self {
            config: Config::new(),
            keepalive: Some(Keepalive::every(Duration::from_secs(20))),
            head_limits: HeadLimits::new(),
            origins: OriginPolicy::SameHost,
            hosts: HostPolicy::Any,
            answer: Answer::new(),
            max_connections: 10_000,
            max_handshakes: 2_500,
            write_timeout: Some(WRITE_TIMEOUT),
            tls: None,
            proxy: None,
            report: None,
        }
    }

    /// The settings of a connection.
    pub(super) fn config(&self) -> Config {
        self.with_keepalive(self.config)
    }

    /// These settings, with the server's keepalive if they have none.
    pub(super) fn with_keepalive(&self, mut config: Config) -> Config {
        config.timeouts.keepalive = config.timeouts.keepalive.or(self.keepalive);
        config
    }

    pub(super) fn report(&self, error: &ServerError, peer: Option<SocketAddr>) {
        if let Some(report) = &self.report {
            report(error, peer);
        }
    }
}
