//! Who gets which secret.

use std::time::Duration;

use sansock::dial::ProxyScheme;

use crate::driver::{Dial, Driver};
use crate::fake::{Fake, PASSWORD, USER};
use crate::origin::Origin;
use crate::routes::ALL;

/// The proxy gets what is the proxy's, and the server what is the server's.
fn each_hop_gets_its_own_secrets_alone<D: Driver>() {
    let origin = Origin::start(true);
    for scheme in ALL {
        let fake = Fake::start(scheme, scheme != ProxyScheme::Socks4a);
        let proxy = match scheme {
            ProxyScheme::Socks4a => fake.proxy().credentials(USER, "").unwrap(),
            _ => fake.proxy_with(USER, PASSWORD),
        };
        let mut dial = Dial::new(&origin, &fake, proxy.header("X-Proxy-Token", "for-the-proxy"));
        dial.resolves_origin = scheme == ProxyScheme::Socks5;
        dial.url = dial.url.replace("://", "://servers-user:servers-password@");
        dial.headers = vec![("Cookie", "for-the-server"), ("X-Server-Token", "for-the-server")];
        D::talk(&dial).unwrap_or_else(|error| panic!("{scheme}: {error}"));

        let (head, said) = (origin.head(), fake.said());
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(head.contains("for-the-server") && head.contains("Authorization: Basic"));
        for secret in ["Proxy", "for-the-proxy", USER, PASSWORD, "QWxhZGRpbjpvcGVuOnNlc2FtZQ"] {
            assert!(!head.contains(secret), "{scheme}: {head}");
        }
        let is_http = matches!(scheme, ProxyScheme::Http | ProxyScheme::Https);
        assert_eq!(said.contains("for-the-proxy"), is_http, "{said}");
        assert_eq!(said.contains(USER), !is_http, "{said}");
        for secret in ["for-the-server", "servers-", "Sec-WebSocket", "/chat", "Cookie"] {
            assert!(!said.contains(secret), "{scheme}: {said}");
        }
    }
}

/// A proxy that takes its time gets nothing more than the CONNECT request until it has answered.
fn nothing_is_sent_before_the_proxys_answer<D: Driver>() {
    for is_secure in [false, true] {
        let origin = Origin::start(is_secure);
        let server = origin.address;
        let fake = Fake::that_answers(move |mut tcp| {
            tcp.set_read_timeout(Some(Duration::from_millis(300)))?;
            let early = std::io::Read::read(&mut tcp, &mut [0]);
            assert!(early.is_err(), "it waits: {early:?}");
            tcp.set_read_timeout(None)?;
            std::io::Write::write_all(&mut tcp, b"HTTP/1.1 200 OK\r\n\r\n")?;
            crate::fake::pass_on(tcp, server)
        });
        D::talk(&Dial::new(&origin, &fake, fake.proxy())).unwrap();
        let said = String::from_utf8(fake.said()).unwrap();
        assert!(said.starts_with("CONNECT ") && said.ends_with("\r\n\r\n"), "{said}");
    }
}

on_all_drivers!(each_hop_gets_its_own_secrets_alone, nothing_is_sent_before_the_proxys_answer);
