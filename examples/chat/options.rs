//! The command line.

use std::ffi::OsStr;
use std::fmt::Display;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use lexopt::Arg;
use redis::IntoConnectionInfo as _;
use sansock::drain::Drain;
use sansock::handshake::{Host, HostPolicy, InvalidHost, Origin};
use sansock::hub::{Budget, WhenFull};
use sansock::{CloseCode, Config, Keepalive, Limits, Timeouts};

use crate::listen::Listen;
use crate::values::value;

pub(crate) const HELP: &str = "\
A chat server with its page.

Usage: chat [ADDR] [OPTIONS]

ADDR is HOST:PORT, default 127.0.0.1:9002; with port 0 the system chooses a port.

Options:
  --origin ORIGIN        also accept pages of this site, such as https://example.com; may be
                         repeated. Pages of the server's own host are always accepted
  --host HOST            also answer to this name; may be repeated. The server always answers to
                         localhost, the HOST of ADDR, and every IP address
  --rate MESSAGES        how many messages per second a visitor may send, and four times as many
                         at once; default 5
  --buffer BYTES         how many bytes may wait for a slow visitor before the server closes the
                         connection; default 1048576 (1 MiB), at least 65536
  --history MESSAGES     how many of a room's last messages a new visitor gets, as far as they fit
                         into half of --buffer; default 100, at most 10000
  --resume MESSAGES      how many messages that it missed a visitor gets when it comes back, within
                         the same half; default 1000, at most 10000
  --rooms ROOMS          how many rooms there may be at a time; default 1000
  --keep SECONDS         how long an empty room is kept, and the keys by which a message that is
                         sent twice is known; default 600
  --keepalive SECONDS    send a Ping after this time of silence, and allow the same time for the
                         answer; default 20
  --redis URL            keep the rooms in Redis, so that several processes serve them, such as
                         redis://127.0.0.1:6379/; default: in this process
  --grace SECONDS        how long after a signal the health check fails before the first visitor is
                         closed; default 0
  --spread SECONDS       how long closing all visitors takes then; default 0: all at once
  --cert PEM --key PEM   serve https: and wss: with the certificate chain in the first file and
                         its key in the second
  --help                 show this

GET /metrics has the server's figures for Prometheus, and GET /healthz is answered with 200, and with
503 as soon as a signal was received. Both are as public as the page. A scraper that asks for the
server by an address needs nothing; for a name it needs --host NAME.

Ctrl-C and SIGTERM close every connection with 1001, as --grace and --spread say; a second signal
ends the program at once.
";

/// The largest message: a text of [`MAX_TEXT`](crate::protocol::MAX_TEXT) characters, even if all
/// are escaped, and some more, so that the sender of a longer text gets an error message.
const MAX_MESSAGE: u64 = 64 << 10;
/// The least number of bytes that may wait for a visitor: one largest message.
const LEAST_BUFFER: usize = 64 << 10;

/// The most messages that a room has at hand.
const MAX_ENTRIES: usize = 10_000;

pub(crate) struct Options {
    pub(crate) listen: Listen,
    pub(crate) origins: Vec<Origin>,
    hosts: Vec<Host>,
    pub(crate) rate: NonZeroU32,
    buffer: usize,
    keepalive: Duration,
    pub(crate) drain: Drain,
    pub(crate) rooms: RoomOptions,
    pub(crate) redis: Option<redis::Client>,
}

/// What concerns rooms.
#[derive(Clone, Copy)]
pub(crate) struct RoomOptions {
    /// How many there may be.
    pub(crate) limit: usize,
    /// How long one is kept without visitors, and the keys of a client without messages.
    pub(crate) keep: Duration,
    pub(crate) log: LogOptions,
    /// How much may wait for a visitor.
    pub(crate) budget: Budget,
}

/// How much of its messages a room has at hand.
#[derive(Clone, Copy)]
pub(crate) struct LogOptions {
    /// How many messages new visitors get.
    pub(crate) history: usize,
    /// How many messages those get who come back.
    pub(crate) resume: usize,
    /// How many bytes all have together.
    pub(crate) bytes: usize,
}

impl LogOptions {
    /// How many messages are at hand.
    pub(crate) fn entries(self) -> usize {
        self.history.max(self.resume)
    }
}

impl Options {
    pub(crate) fn parse(mut arguments: lexopt::Parser) -> Result<Option<Self>, lexopt::Error> {
        let mut options = Self {
            listen: Listen::default(),
            origins: Vec::new(),
            hosts: Vec::new(),
            rate: NonZeroU32::MIN.saturating_add(4),
            buffer: 1 << 20,
            keepalive: Duration::from_secs(20),
            drain: Drain::new(),
            rooms: RoomOptions {
                limit: 1000,
                keep: Duration::from_secs(600),
                log: LogOptions { history: 100, resume: 1000, bytes: 0 },
                budget: Budget::default(),
            },
            redis: None,
        };
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("cert") => options.listen.cert = Some(arguments.value()?.into()),
                Arg::Long("key") => options.listen.key = Some(arguments.value()?.into()),
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                Arg::Value(address) if options.listen.address.is_none() => {
                    options.listen.at(address)?;
                    let address = options.listen.address.as_deref().unwrap_or_default();
                    options.hosts.push(host_of(address).map_err(|error| {
                        format!("pages could not name the HOST of {address}: {error}")
                    })?);
                }
                Arg::Long(name) => {
                    let name = name.to_owned();
                    options.set(&name, &mut arguments)?;
                }
                argument => return Err(argument.unexpected()),
            }
        }
        // The other half is for what is said meanwhile.
        options.rooms.log.bytes = options.buffer / 2;
        let too_slow = WhenFull::Close(CloseCode::TRY_AGAIN_LATER, "you read too slowly");
        options.rooms.budget = Budget::new(options.buffer).when_full(too_slow);
        options.listen.check()?;
        Ok(Some(options))
    }

    /// Sets the option of this name.
    fn set(&mut self, name: &str, arguments: &mut lexopt::Parser) -> Result<(), lexopt::Error> {
        match name {
            "origin" => self.origins.push(value(arguments, name)?),
            "host" => self.hosts.push(value(arguments, name)?),
            "rate" => self.rate = number(arguments, name, NonZeroU32::MIN..=NonZeroU32::MAX)?,
            "buffer" => self.buffer = number(arguments, name, LEAST_BUFFER..=usize::MAX)?,
            "history" => self.rooms.log.history = number(arguments, name, 0..=MAX_ENTRIES)?,
            "resume" => self.rooms.log.resume = number(arguments, name, 0..=MAX_ENTRIES)?,
            "rooms" => self.rooms.limit = number(arguments, name, 1..=usize::MAX)?,
            "keep" => self.rooms.keep = seconds(arguments, name, 1)?,
            "redis" => self.redis = Some(open_redis(&arguments.value()?)?),
            "keepalive" => self.keepalive = seconds(arguments, name, 1)?,
            "grace" => self.drain.grace = seconds(arguments, name, 0)?,
            "spread" => self.drain.spread = seconds(arguments, name, 0)?,
            _ => return Err(Arg::Long(name).unexpected()),
        }
        Ok(())
    }

    /// Pages that have their site's name resolve to this server are refused.
    pub(crate) fn hosts(&self) -> Result<HostPolicy, InvalidHost> {
        let mut hosts = self.hosts.clone();
        hosts.push("localhost".parse()?);
        // Load balancers and monitoring systems ask for an address.
        Ok(HostPolicy::ListOrAddress(hosts))
    }

    pub(crate) fn config(&self) -> Config {
        let limits = Limits::new().message(MAX_MESSAGE).frame(MAX_MESSAGE).buffered(self.buffer);
        let keepalive = Keepalive { interval: self.keepalive, timeout: self.keepalive };
        Config::new().limits(limits).timeouts(Timeouts::new().keepalive(keepalive))
    }
}

/// Parses a number in this range.
fn number<T: FromStr + PartialOrd + Display>(
    arguments: &mut lexopt::Parser,
    option: &str,
    range: RangeInclusive<T>,
) -> Result<T, lexopt::Error> {
    let value = arguments.value()?;
    let value = value.to_string_lossy();
    value.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let (least, most) = range.into_inner();
        format!("--{option}: {value:?} is not a number from {least} to {most}").into()
    })
}

fn seconds(
    arguments: &mut lexopt::Parser,
    option: &str,
    least: u32,
) -> Result<Duration, lexopt::Error> {
    Ok(Duration::from_secs(number(arguments, option, least..=u32::MAX)?.into()))
}

/// Parses the URL of a Redis server. The error does not contain it, because it can have a password.
fn open_redis(url: &OsStr) -> Result<redis::Client, String> {
    let info = url.to_str().unwrap_or_default().into_connection_info();
    let client = info.and_then(|info| {
        // The commands that name this client would each have the time that connecting may take.
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        redis::Client::open(info.set_redis_settings(settings))
    });
    client.map_err(|error| {
        format!(
            "--redis: not the URL of a server ({error}); allowed are redis://127.0.0.1:6379/ and \
             redis://USER:PASSWORD@HOST:PORT/DATABASE, where DATABASE is a number"
        )
    })
}

/// The host of an address that can be listened on, as a Host header has it: without the zone of an
/// IPv6 address, which clients do not send.
fn host_of(address: &str) -> Result<Host, InvalidHost> {
    match (address.parse(), address.rsplit_once(':')) {
        (Ok(SocketAddr::V6(address)), _) => format!("[{}]", address.ip()).parse(),
        (_, Some((host, _))) => host.parse(),
        (_, None) => Err(InvalidHost),
    }
}
