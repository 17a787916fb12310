//! The texts of errors.

use std::collections::HashSet;
use std::error::Error;

use sansock::dial::{
    InvalidProxy, InvalidProxyVariable, Proxies, ProxyScheme, SocksRefusal, TunnelError,
};
use sansock::handshake::{HeadError, UsageError};

use crate::exchange::{proxy, start};

/// The texts, each with what it must say.
fn check(errors: &[(&dyn Error, &[&str])]) {
    let mut different = HashSet::new();
    for (error, parts) in errors {
        let text = error.to_string();
        for part in *parts {
            assert!(text.contains(part), "{text:?} does not say {part:?}");
        }
        assert!(!text.contains('\n') && !text.ends_with('.'), "{text:?} is no part of a sentence");
        assert!(different.insert(text.clone()), "{text:?} is said of two errors");
    }
}

#[test]
fn an_error_says_what_was_wrong_and_what_to_change() {
    use InvalidProxy as I;
    use TunnelError as T;
    let variable = InvalidProxyVariable { name: "HTTPS_PROXY", error: I::Port };
    check(&[
        (&I::Scheme, &["http://", "https://", "socks5://", "socks5h://", "socks4a://"]),
        (&I::UserInfo, &["user name", "percent-encode"]),
        (&I::Host, &["host"]),
        (&I::Port, &["65535"]),
        (&I::Path, &["path"]),
        (&I::Socks5Credentials, &["255"]),
        (&I::Socks4aPassword, &["SOCKS4a", "password"]),
        (&variable, &["HTTPS_PROXY", "65535"]),
        (&T::Head(HeadError::TooLarge { limit: 11 }), &["11", "HeadLimits::bytes"]),
        (&T::SocksVersion(0x48), &["0x48"]),
        (&T::NoAcceptableMethod, &["user name"]),
        (&T::UnexpectedMethod(3), &["3", "authentication"]),
        (&T::AuthenticationFailed, &["password"]),
        (&T::Socks(SocksRefusal::TtlExpired), &["TTL"]),
        (&T::AddressType(2), &["2"]),
        (&T::EarlyBytes, &["behind its answer"]),
        (&T::UnexpectedEof, &["closed"]),
        (&T::TimedOut, &["Timeouts::handshake"]),
        (&T::Usage(UsageError::InvalidHeaderName("a b".into())), &["a b"]),
        (&T::Host, &["255", "SOCKS4a"]),
        (&T::AddressMissing, &["socks5h"]),
    ]);
}

#[test]
fn what_is_shown_has_no_password() {
    for scheme in ["http", "https", "socks5", "socks5h"] {
        let proxy = proxy(&format!("{scheme}://user:secret@p"));
        assert_eq!(proxy.scheme().to_string(), scheme);
        let exchange = start(&proxy, "wss://127.0.0.1/", None).unwrap();
        let proxies = Proxies::none().ws(proxy.clone()).wss(proxy).except(|_| true);
        for shown in [format!("{exchange:?}"), format!("{proxies:?}")] {
            assert!(!shown.contains("secret") && !shown.contains("user"), "{shown}");
            assert!(
                shown.contains("Tunnel(") || shown.contains(&format!("{scheme}://p:")),
                "{shown}"
            );
        }
    }
    assert_eq!(ProxyScheme::Socks4a.as_str(), "socks4a");
}

/// A state is shown by its name.
#[test]
fn a_tunnel_shows_how_far_it_is() {
    let mut exchange = start(&proxy("socks4a://p"), "ws://h/", None).unwrap();
    assert!(format!("{exchange:?}").contains("SOCKS4a"));
    assert_eq!(exchange.receive(&[0, 90, 0, 0, 0, 0, 0, 0]), Ok(true));
    assert!(format!("{exchange:?}").contains("established"));
    let mut exchange = start(&proxy("socks5h://p"), "ws://h/", None).unwrap();
    assert!(format!("{exchange:?}").contains("SOCKS5"));
    assert!(exchange.receive(b"x").is_err());
    assert!(format!("{exchange:?}").contains("failed"));
}
