//! Where the servers listen.

use std::ffi::OsString;
use std::net::ToSocketAddrs;
use std::path::PathBuf;

use lexopt::ValueExt as _;

/// The arguments `ADDR`, `--cert` and `--key`.
#[derive(Clone, Default)]
pub(crate) struct Listen {
    pub(crate) address: Option<String>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

impl Listen {
    /// Parses the address: an invalid one is an error in the arguments, one that is in use is not.
    pub(crate) fn at(&mut self, address: OsString) -> Result<(), lexopt::Error> {
        address.parse_with(ToSocketAddrs::to_socket_addrs)?;
        self.address = Some(address.string()?);
        Ok(())
    }

    pub(crate) fn check(&self) -> Result<(), lexopt::Error> {
        match (&self.cert, &self.key) {
            (Some(_), Some(_)) | (None, None) => Ok(()),
            _ => Err("--cert and --key must be given together".into()),
        }
    }
}
