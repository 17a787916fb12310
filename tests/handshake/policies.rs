//! Which pages may connect, and which hosts a server answers to.

use sansock::handshake::{
    HeadError, Host, HostPolicy, InvalidHost, Origin, OriginPolicy, RequestError,
};

use super::{REQUEST, refused, seen, with, with_first_line};

#[test]
fn origin_policies() {
    let list = OriginPolicy::list(["http://example.com", "https://app.example.com:8443"]).unwrap();
    // Host, Origin, same host?, in the list?
    for (host, origin, same_host, listed) in [
        ("example.com", "http://example.com", true, true),
        ("example.com", "HTTP://EXAMPLE.com:80", true, true),
        ("example.com:80", "http://example.com", true, true),
        ("example.com", "https://example.com", true, false),
        ("example.com:443", "https://example.com", true, false),
        ("example.com:443", "http://example.com", false, true),
        ("example.com:8080", "http://example.com:8080", true, false),
        ("example.com:8080", "http://example.com", false, true),
        ("example.com", "http://example.com:8080", false, false),
        ("a", "https://app.example.com:8443", false, true),
        ("a", "https://app.example.com", false, false),
        ("[::1]:9001", "http://[0::1]:9001", true, false),
        ("example.com", "http://example.com.evil.org", false, false),
        ("example.com", "http://evil-example.com", false, false),
        ("example.com", "http://evil.org/http://example.com", false, false),
        ("example.com", "http://example.com@evil.org", false, false),
        ("example.com", "http://example.com/", false, false),
        ("example.com", "http://evil.org http://example.com", false, false),
        ("example.com", "chrome-extension://example.com", false, false),
        ("example.com", "example.com", false, false),
        ("null", "null", false, false),
    ] {
        let request = with(REQUEST, "Host", &[&format!("Host: {host}")]);
        let request = with(&request, "Origin", &[&format!("Origin: {origin}")]);
        let allowed = |policy: &OriginPolicy| match seen(&request, |it| policy.check(&it)) {
            Ok(()) => true,
            Err(error) => {
                assert_eq!((&error, error.status()), (&RequestError::OriginDenied, 403));
                false
            }
        };
        assert!(allowed(&OriginPolicy::Any));
        assert_eq!(allowed(&OriginPolicy::SameHost), same_host, "{host} {origin:?}");
        assert_eq!(allowed(&list), listed, "{origin:?}");
    }
    // Not a browser: those never send an empty one (RFC 6454, 7.1 and 7.3).
    for lines in [&[][..], &["Origin:"], &["Origin: \t "]] {
        let request = with(REQUEST, "Origin", lines);
        assert_eq!(seen(&request, |it| it.origin().map(str::to_owned)), None, "{lines:?}");
        for policy in [&OriginPolicy::Any, &OriginPolicy::SameHost, &list] {
            assert_eq!(seen(&request, |it| policy.check(&it)), Ok(()), "{lines:?} {policy:?}");
        }
    }
    assert_eq!(OriginPolicy::default(), OriginPolicy::SameHost);
}

/// "An HTTP client, proxy, or other intermediary MUST remove any `ZoneID` attached to an outgoing
/// URI" (RFC 6874, 4), so no Host, target or Origin has one, however it is written.
#[test]
fn an_address_with_a_zone_is_no_host() {
    for address in ["[fe80::1%25eth0]", "[fe80::1%eth0]", "[fe80::1%251]", "[::1%25]", "[::1%lo]"] {
        let host = with(REQUEST, "Host", &[&format!("Host: {address}:9001")]);
        refused(&host, &HeadError::InvalidHeader("Host").into(), 400);
        let plain = format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n");
        refused(&plain, &HeadError::InvalidHeader("Host").into(), 400);
        let line = format!("GET http://{address}/ HTTP/1.1");
        refused(&with_first_line(REQUEST, &line), &RequestError::Target.into(), 400);
        assert_eq!(address.parse::<Host>(), Err(InvalidHost));
        let origin = with(REQUEST, "Host", &["Host: [fe80::1]"]);
        let origin = with(&origin, "Origin", &[&format!("Origin: http://{address}")]);
        let denied = Err(RequestError::OriginDenied);
        assert_eq!(seen(&origin, |it| OriginPolicy::SameHost.check(&it)), denied);
    }
}

/// An address has no name that a page could have resolve to it; what only looks like one has.
#[test]
fn a_host_policy_may_allow_every_address() {
    let policy = HostPolicy::ListOrAddress(vec!["a.b:8443".parse().unwrap()]);
    for (host, allowed) in [
        ("a.b:8443", true),
        ("10.0.0.5", true),
        ("127.0.0.1:9002", true),
        ("[2001:db8::1]:9002", true),
        ("[::ffff:10.0.0.5]", true),
        ("a.b", false),
        ("localhost", false),
        ("10.0.0.5.evil.example", false),
        ("10.0.0.5.", false),
        ("10.5", false),
        ("0x0a000005", false),
        ("167772165", false),
        ("evil.example", false),
    ] {
        // A name that a URL cannot have is refused before any policy.
        if host.parse::<Host>().is_err() {
            continue;
        }
        let request = with(REQUEST, "Host", &[&format!("Host: {host}")]);
        let expected = if allowed { Ok(()) } else { Err(RequestError::HostDenied) };
        assert_eq!(seen(&request, |it| policy.check(&it)), expected, "{host}");
    }
}

#[test]
fn host_policies_compare_name_and_port() {
    let policy =
        HostPolicy::list(["LOCALHOST", "127.0.0.1", "[0::1]", "a.b:8443", "c:443"]).unwrap();
    for (host, allowed) in [
        ("localhost", true),
        ("LocalHost:9002", true),
        ("127.0.0.1:1", true),
        ("[::1]:9002", true),
        ("[0:0:0:0:0:0:0:1]", true),
        ("a.b:8443", true),
        ("c", true),
        ("c:443", true),
        ("c:80", false),
        ("a.b", false),
        ("a.b:80", false),
        ("localhost.evil.example", false),
        ("evil.localhost", false),
        ("localhost.", false),
        ("127.0.0.2", false),
        ("[::2]", false),
        ("[::ffff:127.0.0.1]", false),
        ("evil.example:9002", false),
    ] {
        let request = with(REQUEST, "Host", &[&format!("Host: {host}")]);
        let expected = if allowed { Ok(()) } else { Err(RequestError::HostDenied) };
        assert_eq!(seen(&request, |it| policy.check(&it)), expected, "{host}");
        assert_eq!(seen(&request, |it| HostPolicy::Any.check(&it)), Ok(()), "{host}");
    }
    assert_eq!(RequestError::HostDenied.status(), 421);
    assert_eq!(HostPolicy::default(), HostPolicy::Any);
    for text in ["", "a b", "a:b", "a/", "::1", "*.a", "u@a", "http://a"] {
        assert_eq!(text.parse::<Host>(), Err(InvalidHost), "{text:?}");
    }
    assert_eq!("A:80".parse::<Host>().unwrap().to_string(), "a:80");
}

/// Pages of apps: see the documentation of `OriginPolicy` for the risk.
#[test]
fn a_list_may_name_the_origins_without_a_host() {
    let with_origin = |origin: &str| with(REQUEST, "Origin", &[&format!("Origin: {origin}")]);
    for (listed, others) in [("null", ["file://", "\"\""]), ("file://", ["null", "file://null"])] {
        let policy = OriginPolicy::list([listed, "capacitor://localhost"]).unwrap();
        for origin in [listed, "capacitor://localhost"] {
            assert_eq!(seen(&with_origin(origin), |it| policy.check(&it)), Ok(()), "{origin}");
        }
        for origin in others.into_iter().chain(["https://null", "http://server.example.com"]) {
            let denied = Err(RequestError::OriginDenied);
            assert_eq!(seen(&with_origin(origin), |it| policy.check(&it)), denied, "{origin}");
        }
        let policy = OriginPolicy::SameHost;
        let denied = Err(RequestError::OriginDenied);
        assert_eq!(seen(&with_origin(listed), |it| policy.check(&it)), denied);
    }
}

#[test]
fn an_origin_is_shown_in_lower_case_without_the_default_port() {
    assert_eq!("https://A:443".parse::<Origin>().unwrap().to_string(), "https://a");
}
