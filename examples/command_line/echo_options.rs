//! The options of every echo server.

use std::num::NonZeroU32;
use std::time::Duration;

use lexopt::{Arg, ValueExt as _};

use crate::address::Listen;
use crate::handshake::Offer;
use crate::values::value;
use crate::{Config, Limits, Timeouts};

#[derive(Clone)]
pub(crate) struct EchoOptions {
    pub(crate) listen: Listen,
    max_message: u64,
    pub(crate) handshake_timeout: Duration,
    pub(crate) subprotocols: Vec<String>,
}

impl EchoOptions {
    /// Parses all arguments; `None` if the help is asked for. `own` takes the options that only this
    /// program has, and returns whether it knows the option.
    pub(crate) fn parse(
        mut arguments: lexopt::Parser,
        mut own: impl FnMut(&str, &mut lexopt::Parser) -> Result<bool, lexopt::Error>,
    ) -> Result<Option<Self>, lexopt::Error> {
        let mut options = Self {
            listen: Listen::default(),
            max_message: 64 << 20,
            handshake_timeout: Duration::from_secs(10),
            subprotocols: Vec::new(),
        };
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("max-message") => {
                    options.max_message = value(&mut arguments, "max-message")?;
                }
                Arg::Long("handshake-timeout") => {
                    let seconds: NonZeroU32 = value(&mut arguments, "handshake-timeout")?;
                    options.handshake_timeout = Duration::from_secs(seconds.get().into());
                }
                Arg::Long("subprotocol") => {
                    options.subprotocols.push(subprotocol(arguments.value()?.string()?)?);
                }
                Arg::Long("cert") => options.listen.cert = Some(arguments.value()?.into()),
                Arg::Long("key") => options.listen.key = Some(arguments.value()?.into()),
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                Arg::Value(address) if options.listen.address.is_none() => {
                    options.listen.at(address)?;
                }
                Arg::Long(name) => {
                    let name = name.to_owned();
                    if !own(&name, &mut arguments)? {
                        return Err(Arg::Long(&name).unexpected());
                    }
                }
                argument => return Err(argument.unexpected()),
            }
        }
        options.listen.check()?;
        Ok(Some(options))
    }

    pub(crate) fn config(&self) -> Config {
        let limits = Limits::new().message(self.max_message).frame(self.max_message);
        Config::new().limits(limits).timeouts(Timeouts::new().handshake(self.handshake_timeout))
    }
}

fn subprotocol(name: String) -> Result<String, lexopt::Error> {
    let uri = "ws://localhost/".parse().map_err(|_| "the URL")?;
    match Offer::new(uri).subprotocol(&name).check() {
        Ok(()) => Ok(name),
        Err(error) => Err(format!("--subprotocol: {error}").into()),
    }
}
