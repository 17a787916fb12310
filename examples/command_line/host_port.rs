//! An address to listen on.

use std::ffi::OsString;
use std::io;
use std::net::ToSocketAddrs as _;

use lexopt::ValueExt as _;

/// Parses `HOST:PORT`, and looks the host up: an invalid address is an error in the arguments, one
/// that is in use is not.
pub(crate) fn host_port(address: OsString) -> Result<String, lexopt::Error> {
    let address = address.string()?;
    match address.to_socket_addrs() {
        Ok(_) => Ok(address),
        // Some other programs listen everywhere at `:9001`.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput || address.starts_with(':') => {
            let wanted = "HOST:PORT, such as 127.0.0.1:9001";
            Err(format!("{address:?} is not {wanted}: {error}").into())
        }
        Err(error) => Err(format!("the host of {address:?} is not known: {error}").into()),
    }
}
