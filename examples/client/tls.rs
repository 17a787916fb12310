//! The certificates that a client trusts.

use std::error::Error;
use std::path::Path;

use sansock::net::Client;

#[cfg(feature = "rustls")]
pub(crate) fn trust(client: Client, ca: &Path) -> Result<Client, Box<dyn Error>> {
    use sansock::net::tls::Connector;
    let connector = Connector::builder().roots_from_pem_file(ca)?.build()?;
    #[cfg(feature = "proxy")]
    let client = client.proxy_tls(connector.clone());
    Ok(client.tls(connector))
}

#[cfg(not(feature = "rustls"))]
pub(crate) fn trust(_: Client, ca: &Path) -> Result<Client, Box<dyn Error>> {
    Err(format!("{} needs TLS: build with --features rustls", ca.display()).into())
}
