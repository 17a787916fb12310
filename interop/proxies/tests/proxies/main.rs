//! Through proxies of others: squid, tinyproxy, microsocks and dante. `interop/proxies/run` builds what
//! this needs, and says what to install.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod program;
mod proxy;

use crate::program::{Echo, run_client};
use crate::proxy::{Proxy, dante, microsocks, squid, squid_with_tls, tinyproxy};

/// The blocking and the async client.
const CLIENTS: [&str; 2] = ["client", "tokio_client"];

/// A name, which the proxy resolves, or the client does; and an address.
const HOSTS: [&str; 2] = ["localhost", "127.0.0.1"];

/// The selfcheck of both clients passes, with and without TLS to the server.
fn all_pass(proxy: &Proxy, schemes: &[&str]) {
    pass(proxy, schemes, &HOSTS);
}

fn pass(proxy: &Proxy, schemes: &[&str], hosts: &[&str]) {
    let authorities = proxy.directory.path("authorities.pem");
    for echo in [Echo::start(None), Echo::start(Some(&proxy.directory))] {
        let ca = authorities.exists().then_some(&*authorities);
        for scheme in schemes {
            for host in hosts {
                let url = echo.url(host);
                for client in CLIENTS {
                    let ended = run_client(client, &proxy.url(scheme), &url, ca);
                    assert_eq!(
                        (ended.code, &*ended.stderr),
                        (Some(0), ""),
                        "{client} {scheme} {url}"
                    );
                    assert!(ended.stdout.starts_with("all right"), "{ended:?}");
                }
            }
        }
    }
}

/// Each client ends with an error that names the proxy, and says this.
fn is_refused(proxy: &Proxy, scheme_url: &str, url: &str, said: &[&str]) {
    for client in CLIENTS {
        let ended = run_client(client, scheme_url, url, None);
        assert_eq!(ended.code, Some(1), "{client} {scheme_url} {url}: {ended:?}");
        assert!(ended.stderr.contains(&proxy.address), "{ended:?}");
        assert!(said.iter().any(|said| ended.stderr.contains(said)), "{ended:?}");
        assert!(
            !ended.stderr.contains("open-sesame") && !ended.stderr.contains("wrong"),
            "{ended:?}"
        );
    }
}

/// A server that is not there.
const NOWHERE: &str = "ws://127.0.0.1:1/";

#[test]
fn through_squid() {
    let squid = squid(false);
    all_pass(&squid, &["http"]);
    is_refused(&squid, &squid.url("http"), NOWHERE, &["it answered 503"]);
}

#[test]
fn through_squid_with_basic_authorization() {
    let squid = squid(true);
    all_pass(&squid, &["http"]);
    for wrong in [squid.url_with("http", ""), squid.url_with("http", "Aladdin:wrong@")] {
        is_refused(&squid, &wrong, NOWHERE, &["it answered 407"]);
    }
}

#[test]
fn through_squid_over_tls() {
    all_pass(&squid_with_tls(), &["https"]);
}

#[test]
fn through_tinyproxy() {
    let tinyproxy = tinyproxy(false);
    all_pass(&tinyproxy, &["http"]);
    is_refused(&tinyproxy, &tinyproxy.url("http"), NOWHERE, &["it answered 50"]);
}

#[test]
fn through_tinyproxy_with_basic_authorization() {
    let tinyproxy = tinyproxy(true);
    all_pass(&tinyproxy, &["http"]);
    for wrong in [tinyproxy.url_with("http", ""), tinyproxy.url_with("http", "Aladdin:wrong@")] {
        is_refused(&tinyproxy, &wrong, NOWHERE, &["it answered 407", "it answered 401"]);
    }
}

#[test]
fn through_microsocks() {
    let microsocks = microsocks(false);
    all_pass(&microsocks, &["socks5", "socks5h"]);
    is_refused(&microsocks, &microsocks.url("socks5"), NOWHERE, &["connection refused (5)"]);
}

#[test]
fn through_microsocks_with_a_password() {
    let microsocks = microsocks(true);
    all_pass(&microsocks, &["socks5", "socks5h"]);
    let without = microsocks.url_with("socks5h", "");
    is_refused(&microsocks, &without, NOWHERE, &["none of the offered methods"]);
    let wrong = microsocks.url_with("socks5h", "Aladdin:wrong@");
    is_refused(&microsocks, &wrong, NOWHERE, &["refused the user name or the password"]);
}

#[test]
fn through_dante() {
    let dante = dante(false);
    all_pass(&dante, &["socks5", "socks5h"]);
    // It speaks SOCKS4, but takes the address of SOCKS4a that announces a name for a server's.
    pass(&dante, &["socks4a"], &["127.0.0.1"]);
    is_refused(&dante, &dante.url("socks5"), NOWHERE, &["connection refused (5)"]);
    is_refused(&dante, &dante.url("socks4a"), NOWHERE, &["rejected or failed (91)"]);
}

#[test]
fn through_dante_with_a_password() {
    let dante = dante(true);
    all_pass(&dante, &["socks5", "socks5h"]);
    let without = dante.url_with("socks5h", "");
    is_refused(&dante, &without, NOWHERE, &["none of the offered methods"]);
    let wrong = dante.url_with("socks5h", "Aladdin:wrong@");
    is_refused(&dante, &wrong, NOWHERE, &["refused the user name or the password"]);
}
