//! The command line.

use std::net::ToSocketAddrs;
use std::time::Duration;

use lexopt::{Arg, ValueExt as _};
use sansock::drain::Drain;
use sansock::{CloseCode, Keepalive};

use crate::values::value;

pub(crate) struct Options {
    pub(crate) address: String,
    pub(crate) reuse_port: bool,
    /// The networks of proxies that send PROXY headers.
    pub(crate) proxies: Vec<String>,
    /// The networks of proxies that set X-Forwarded-For.
    pub(crate) forwarders: Vec<String>,
    pub(crate) keepalive: Keepalive,
    pub(crate) drain: Drain,
}

impl Options {
    /// Parses all arguments; `None` if the help is asked for.
    pub(crate) fn parse(mut arguments: lexopt::Parser) -> Result<Option<Self>, lexopt::Error> {
        let mut options = Self {
            address: "127.0.0.1:9001".into(),
            reuse_port: false,
            proxies: Vec::new(),
            forwarders: Vec::new(),
            keepalive: Keepalive::every(Duration::from_secs(20)),
            drain: Drain::new().code(CloseCode::SERVICE_RESTART),
        };
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("reuse-port") => options.reuse_port = true,
                Arg::Long("proxy-from") => options.proxies.push(arguments.value()?.string()?),
                Arg::Long("forwarded-from") => {
                    options.forwarders.push(arguments.value()?.string()?);
                }
                Arg::Long("keepalive") => {
                    options.keepalive = Keepalive::every(seconds(&mut arguments, "keepalive")?);
                }
                Arg::Long("grace") => options.drain.grace = seconds(&mut arguments, "grace")?,
                Arg::Long("spread") => options.drain.spread = seconds(&mut arguments, "spread")?,
                Arg::Long("closing") => options.drain.closing = seconds(&mut arguments, "closing")?,
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                Arg::Value(address) => {
                    address.parse_with(ToSocketAddrs::to_socket_addrs)?;
                    options.address = address.string()?;
                }
                argument => return Err(argument.unexpected()),
            }
        }
        // The other program's listener gets the clients then, and none of them a 503.
        options.drain.keep_listening = !options.reuse_port;
        Ok(Some(options))
    }
}

fn seconds(arguments: &mut lexopt::Parser, option: &str) -> Result<Duration, lexopt::Error> {
    let seconds: f64 = value(arguments, option)?;
    Duration::try_from_secs_f64(seconds).map_err(|error| format!("--{option}: {error}").into())
}
