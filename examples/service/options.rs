//! The command line.

use std::time::Duration;

use lexopt::{Arg, ValueExt as _};
use sansock::drain::Drain;
use sansock::proxy_protocol::ProxyProtocol;
use sansock::{CloseCode, Keepalive};

use crate::host_port::host_port;
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
                Arg::Long("proxy-from") => {
                    options.proxies.push(network(&mut arguments, "proxy-from")?);
                }
                Arg::Long("forwarded-from") => {
                    options.forwarders.push(network(&mut arguments, "forwarded-from")?);
                }
                Arg::Long("keepalive") => {
                    let time = seconds(&mut arguments, "keepalive")?;
                    if time.is_zero() {
                        return Err("--keepalive: more than 0 seconds".into());
                    }
                    options.keepalive = Keepalive::every(time);
                }
                Arg::Long("grace") => options.drain.grace = seconds(&mut arguments, "grace")?,
                Arg::Long("spread") => options.drain.spread = seconds(&mut arguments, "spread")?,
                Arg::Long("closing") => options.drain.closing = seconds(&mut arguments, "closing")?,
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                Arg::Value(address) => options.address = host_port(address)?,
                argument => return Err(argument.unexpected()),
            }
        }
        // The other program's listener gets the clients then, and none of them a 503.
        options.drain.keep_listening = !options.reuse_port;
        Ok(Some(options))
    }
}

fn network(arguments: &mut lexopt::Parser, option: &str) -> Result<String, lexopt::Error> {
    let text = arguments.value()?.string()?;
    ProxyProtocol::from_networks([&*text]).map_err(|error| format!("--{option}: {error}"))?;
    Ok(text)
}

fn seconds(arguments: &mut lexopt::Parser, option: &str) -> Result<Duration, lexopt::Error> {
    let seconds: f64 = value(arguments, option)?;
    let not_a_time = |_| format!("--{option}: {seconds} is not a number of seconds such as 0.5");
    Duration::try_from_secs_f64(seconds).map_err(|error| not_a_time(error).into())
}
