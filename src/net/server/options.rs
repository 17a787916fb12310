//! The settings of each connection of a server.

use std::time::{Duration, Instant};

use super::report::Report;
use crate::handshake::{Answer, HeadLimits, HostPolicy, OriginPolicy};
use crate::net::proxy_header::ProxyProtocol;
use crate::net::tls::Acceptor;
use crate::{Config, Deadline, Keepalive};

#[derive(Clone, Debug)]
pub(in crate::net) struct Options {
    config: Config,
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
    pub(super) stack_size: Option<usize>,
    pub(in crate::net) tls: Option<Acceptor>,
    /// Which peers send PROXY headers.
    pub(in crate::net) proxy: Option<ProxyProtocol>,
    pub(super) report: Report,
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
            write_timeout: Some(Duration::from_secs(30)),
            stack_size: None,
            tls: None,
            proxy: None,
            report: Report::default(),
        }
    }

    pub(super) fn set_config(&mut self, config: Config) {
        self.config = config;
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

    /// The deadline for ending a transport, starting now.
    pub(super) fn ending(&self) -> Deadline {
        self.config.timeouts.ending(Instant::now())
    }
}
