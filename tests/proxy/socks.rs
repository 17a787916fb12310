//! SOCKS5 (RFC 1928, RFC 1929) and SOCKS4a.

use sansock::dial::{SocksRefusal, TunnelError};

use crate::exchange::{Exchange, proxy, start};

/// SOCKS5 without a password, up to the reply.
fn before_the_reply() -> Exchange {
    let mut exchange = start(&proxy("socks5h://p"), "ws://h/", None).unwrap();
    assert_eq!(exchange.receive(&[5, 0]), Ok(false));
    exchange.sent();
    exchange
}

#[test]
fn socks5_sends_a_name_or_an_address() {
    const LONG: &str = "2001:db8::1";
    let address = |bytes: &[u8]| [&[5, 1, 0][..], bytes].concat();
    let ipv6 = [4, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0xbb];
    for (scheme, url, resolved, request) in [
        ("socks5h", "wss://Example.com/", None, address(b"\x03\x0bexample.com\x01\xbb")),
        // What was resolved here is not used.
        ("socks5h", "ws://h:8080/", Some("192.0.2.1"), address(b"\x03\x01h\x1f\x90")),
        ("socks5", "ws://h/", Some("192.0.2.1"), address(&[1, 192, 0, 2, 1, 0, 80])),
        ("socks5", "wss://h/", Some(LONG), address(&ipv6)),
        ("socks5", "ws://127.0.0.1:1/", None, address(&[1, 127, 0, 0, 1, 0, 1])),
        ("socks5h", "ws://127.0.0.1:1/", None, address(&[1, 127, 0, 0, 1, 0, 1])),
        ("socks5h", "wss://[2001:db8::1]/", None, address(&ipv6)),
    ] {
        let mut exchange = start(&proxy(&format!("{scheme}://p")), url, resolved).unwrap();
        assert_eq!(exchange.sent(), [5, 1, 0]);
        assert_eq!(exchange.receive(&[5, 0]), Ok(false));
        assert_eq!(exchange.sent(), request, "{scheme} {url}");
        assert_eq!(exchange.receive(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]), Ok(true));
        assert_eq!(exchange.sent(), b"");
    }
}

#[test]
fn socks5_sends_user_and_password_only_if_the_proxy_chooses_them() {
    for (method, message) in [(0, &b""[..]), (2, b"\x01\x04user\x06secret")] {
        let mut exchange = start(&proxy("socks5h://user:secret@p"), "ws://h/", None).unwrap();
        assert_eq!(exchange.sent(), [5, 2, 0, 2]);
        assert_eq!(exchange.receive(&[5, method]), Ok(false));
        if method == 2 {
            assert_eq!(exchange.sent(), message);
            assert_eq!(exchange.receive(&[1, 0]), Ok(false));
        }
        assert_eq!(exchange.sent(), b"\x05\x01\x00\x03\x01h\x00\x50");
    }
    let mut exchange = start(&proxy("socks5h://user:secret@p"), "ws://h/", None).unwrap();
    assert_eq!(exchange.receive(&[5, 2]), Ok(false));
    let error = TunnelError::AuthenticationFailed;
    assert_eq!(exchange.receive(&[1, 1]), Err(error.clone()));
    assert!(error.is_authentication());
    exchange.has_failed_with(&error);
}

#[test]
fn socks5_takes_no_method_that_was_not_offered() {
    for (url, method, error) in [
        ("socks5h://p", 0xff, TunnelError::NoAcceptableMethod),
        ("socks5h://u:p@p", 0xff, TunnelError::NoAcceptableMethod),
        ("socks5h://p", 2, TunnelError::UnexpectedMethod(2)),
        ("socks5h://u:p@p", 1, TunnelError::UnexpectedMethod(1)),
    ] {
        let mut exchange = start(&proxy(url), "ws://h/", None).unwrap();
        assert_eq!(exchange.receive(&[5, method]), Err(error.clone()));
        exchange.has_failed_with(&error);
    }
}

#[test]
fn socks5_reads_a_bound_address_of_each_type() {
    for reply in [
        &b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"[..],
        b"\x05\x00\x00\x04................\x00\x50",
        b"\x05\x00\x00\x03\x05proxy\x00\x50",
        b"\x05\x00\x00\x03\x00\x00\x50",
    ] {
        assert_eq!(before_the_reply().receive(reply), Ok(true), "{}", reply.escape_ascii());
        let early = [reply, b"x"].concat();
        assert_eq!(before_the_reply().receive(&early), Err(TunnelError::EarlyBytes));
        let short = &reply[..reply.len() - 1];
        assert_eq!(before_the_reply().receive(short), Ok(false));
    }
    let unknown = before_the_reply().receive(&[5, 0, 0, 2, 0]);
    assert_eq!(unknown, Err(TunnelError::AddressType(2)));
}

/// Every code has a name; a refusal may be cut off behind it.
#[test]
fn each_refusal_has_its_name() {
    use SocksRefusal::*;
    for (code, refusal) in [
        (1, GeneralFailure),
        (2, NotAllowed),
        (3, NetworkUnreachable),
        (4, HostUnreachable),
        (5, ConnectionRefused),
        (6, TtlExpired),
        (7, CommandNotSupported),
        (8, AddressTypeNotSupported),
        (9, Unassigned(9)),
        (255, Unassigned(255)),
    ] {
        let mut exchange = before_the_reply();
        let error = TunnelError::Socks(refusal);
        assert_eq!(exchange.receive(&[5, code]), Err(error.clone()));
        assert!(error.to_string().contains(&code.to_string()), "{error}");
        exchange.has_failed_with(&error);
    }
    for (code, refusal) in
        [(91, Rejected), (92, IdentdUnreachable), (93, IdentdMismatch), (0, Unassigned(0))]
    {
        let mut exchange = start(&proxy("socks4a://p"), "ws://h/", None).unwrap();
        let error = TunnelError::Socks(refusal);
        assert_eq!(exchange.receive(&[0, code]), Err(error.clone()));
        assert!(error.to_string().contains(&code.to_string()), "{error}");
    }
}

#[test]
fn what_is_no_socks_shows_in_its_first_byte() {
    for (mut exchange, name) in [
        (start(&proxy("socks5h://p"), "ws://h/", None).unwrap(), "method"),
        (before_the_reply(), "reply"),
        (start(&proxy("socks4a://p"), "ws://h/", None).unwrap(), "SOCKS4a"),
    ] {
        assert_eq!(exchange.receive(b"H"), Err(TunnelError::SocksVersion(b'H')), "{name}");
    }
    let mut exchange = start(&proxy("socks5://a:b@p"), "ws://127.0.0.1/", None).unwrap();
    assert_eq!(exchange.receive(&[5, 2]), Ok(false));
    assert_eq!(exchange.receive(&[5]), Err(TunnelError::SocksVersion(5)), "of RFC 1929");
}

#[test]
fn socks4a_sends_a_name_or_an_address_and_a_user() {
    for (proxy_url, url, request) in [
        ("socks4a://p", "ws://h/", &b"\x04\x01\x00\x50\x00\x00\x00\x01\x00h\x00"[..]),
        ("socks4a://me@p", "wss://h/", b"\x04\x01\x01\xbb\x00\x00\x00\x01me\x00h\x00"),
        ("socks4a://me@p", "ws://127.0.0.1/", b"\x04\x01\x00\x50\x7f\x00\x00\x01me\x00"),
    ] {
        let mut exchange = start(&proxy(proxy_url), url, None).unwrap();
        assert_eq!(exchange.sent(), request);
        assert_eq!(exchange.receive(&[0, 90, 0, 0, 0, 0, 0]), Ok(false));
        assert_eq!(exchange.receive(&[0]), Ok(true));
        assert_eq!(exchange.sent(), b"");
    }
}

#[test]
fn a_host_that_socks_cannot_carry_is_the_programs_fault() {
    let long = format!("ws://{}h/", "a.".repeat(127));
    let longer = format!("ws://{}hi/", "a.".repeat(127));
    for (proxy_url, url, error) in [
        ("socks5h://p", &*long, None),
        ("socks4a://p", &long, None),
        ("socks5h://p", &longer, Some(TunnelError::Host)),
        ("socks4a://p", &longer, Some(TunnelError::Host)),
        ("socks4a://p", "ws://[::1]/", Some(TunnelError::Host)),
        ("socks5://p", "ws://h/", Some(TunnelError::AddressMissing)),
    ] {
        assert_eq!(start(&proxy(proxy_url), url, None).err(), error, "{proxy_url} {url}");
    }
    assert!(proxy("socks5://p").needs_address(&"ws://h/".parse().unwrap()));
    for (proxy_url, url) in
        [("socks5://p", "ws://[::1]/"), ("socks5h://p", "ws://h/"), ("http://p", "ws://h/")]
    {
        assert!(!proxy(proxy_url).needs_address(&url.parse().unwrap()));
    }
}
