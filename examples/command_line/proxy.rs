//! The options `--proxy` and `--proxy-env`.

use lexopt::ValueExt as _;

/// The proxies of a client.
#[cfg(feature = "proxy")]
pub(crate) type Proxies = sansock::dial::Proxies;
/// The proxies of a client: there are none.
#[cfg(not(feature = "proxy"))]
pub(crate) type Proxies = std::convert::Infallible;

/// Adds `--proxy URL` or `--proxy-env`; one of the two may be given, once.
pub(crate) fn parse(
    option: &str,
    arguments: &mut lexopt::Parser,
    proxies: &mut Option<Proxies>,
) -> Result<(), lexopt::Error> {
    if proxies.is_some() {
        return Err("one of --proxy and --proxy-env, once".into());
    }
    *proxies = Some(match option {
        "proxy" => of_url(&arguments.value()?.string()?).map_err(|it| format!("--proxy: {it}"))?,
        _ => of_environment().map_err(|it| format!("--proxy-env: {it}"))?,
    });
    Ok(())
}

#[cfg(feature = "proxy")]
fn of_url(url: &str) -> Result<Proxies, sansock::dial::InvalidProxy> {
    url.parse::<sansock::dial::Proxy>().map(Proxies::from)
}

#[cfg(not(feature = "proxy"))]
const fn of_url(_: &str) -> Result<Proxies, &'static str> {
    Err("build with --features proxy")
}

#[cfg(feature = "proxy-env")]
fn of_environment() -> Result<Proxies, sansock::dial::InvalidProxyVariable> {
    Proxies::from_env()
}

#[cfg(not(feature = "proxy-env"))]
const fn of_environment() -> Result<Proxies, &'static str> {
    Err("build with --features proxy-env")
}
