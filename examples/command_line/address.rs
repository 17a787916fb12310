//! Where the servers listen.

use std::ffi::OsString;
use std::path::PathBuf;

mod host_port;

/// The arguments `ADDR`, `--cert` and `--key`.
#[derive(Clone, Default)]
pub(crate) struct Listen {
    pub(crate) address: Option<String>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

impl Listen {
    /// Parses the address.
    pub(crate) fn at(&mut self, address: OsString) -> Result<(), lexopt::Error> {
        self.address = Some(host_port::host_port(address)?);
        Ok(())
    }

    pub(crate) fn check(&self) -> Result<(), lexopt::Error> {
        match (&self.cert, &self.key) {
            (Some(_), Some(_)) | (None, None) => Ok(()),
            _ => Err("--cert and --key must be given together".into()),
        }
    }
}
