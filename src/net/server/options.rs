//! What holds for each connection of a server.

use std::time::{Duration, Instant};

use super::report::Report;
use crate::handshake::{Answer, HeadLimits, OriginPolicy};
use crate::net::tls::Acceptor;
use crate::{Config, Deadline};

#[derive(Clone, Debug)]
pub(in crate::net) struct Options {
    pub(super) config: Config,
    pub(super) head_limits: HeadLimits,
    pub(super) origins: OriginPolicy,
    /// What is accepted where an answer of the program says nothing else.
    pub(super) answer: Answer,
    pub(super) max_connections: usize,
    pub(super) write_timeout: Option<Duration>,
    pub(super) stack_size: Option<usize>,
    pub(in crate::net) tls: Option<Acceptor>,
    pub(super) report: Report,
}

impl Options {
    pub(super) fn new() -> Self {
        Self {
            config: Config::new(),
            head_limits: HeadLimits::new(),
            origins: OriginPolicy::SameHost,
            answer: Answer::new(),
            max_connections: 10_000,
            write_timeout: Some(Duration::from_secs(30)),
            stack_size: None,
            tls: None,
            report: Report::default(),
        }
    }

    /// The deadline of a transport that ends now.
    pub(super) fn ending(&self) -> Deadline {
        self.config.timeouts.ending(Instant::now())
    }
}
