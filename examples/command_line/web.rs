//! The command line of the examples that open one `web::WebSocket`.

use lexopt::{Arg, ValueExt as _};
use sansock::web::{Builder, WebSocket};

/// Returns a builder for the given URL, or for that of `echo_server`; `None` for `--help`.
pub(crate) fn parse(mut arguments: lexopt::Parser) -> Result<Option<Builder>, lexopt::Error> {
    let mut socket = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            Arg::Value(url) if socket.is_none() => {
                socket = Some(url.parse_with(WebSocket::builder)?);
            }
            argument => return Err(argument.unexpected()),
        }
    }
    let socket = socket.map_or_else(|| WebSocket::builder("ws://127.0.0.1:9001/"), Ok);
    socket.map(Some).map_err(|error| lexopt::Error::Custom(error.into()))
}
