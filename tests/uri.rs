//! `ws:` and `wss:` URLs (RFC 6455, 3).
#![expect(clippy::too_many_lines, reason = "a table")]

use sansock::SendBuffer;
use sansock::handshake::{ClientHandshake, HeadLimits, Offer};
use sansock::uri::{Scheme, Uri, UriError};

fn parse(text: &str) -> Result<Uri, UriError> {
    text.parse()
}

#[test]
fn the_parts_of_a_url() {
    // URL, scheme, host, port, resource name, Host header
    for (text, scheme, host, port, resource_name, authority) in [
        ("ws://example.com", Scheme::Ws, "example.com", 80, "/", "example.com"),
        ("wss://example.com", Scheme::Wss, "example.com", 443, "/", "example.com"),
        ("ws://example.com/", Scheme::Ws, "example.com", 80, "/", "example.com"),
        ("ws://example.com:80/", Scheme::Ws, "example.com", 80, "/", "example.com"),
        ("ws://example.com:443/", Scheme::Ws, "example.com", 443, "/", "example.com:443"),
        ("wss://example.com:443/", Scheme::Wss, "example.com", 443, "/", "example.com"),
        ("wss://example.com:80/", Scheme::Wss, "example.com", 80, "/", "example.com:80"),
        ("ws://example.com:/a", Scheme::Ws, "example.com", 80, "/a", "example.com"),
        ("ws://example.com:00080/a", Scheme::Ws, "example.com", 80, "/a", "example.com"),
        ("ws://h:65535/", Scheme::Ws, "h", 65535, "/", "h:65535"),
        ("WSS://EXAMPLE.Com/A?B", Scheme::Wss, "example.com", 443, "/A?B", "example.com"),
        ("ws://h?q=1", Scheme::Ws, "h", 80, "/?q=1", "h"),
        ("ws://h/a?", Scheme::Ws, "h", 80, "/a", "h"),
        ("ws://h?", Scheme::Ws, "h", 80, "/", "h"),
        ("ws://h/a??", Scheme::Ws, "h", 80, "/a??", "h"),
        ("ws://h/a?x=/y?z@w:1", Scheme::Ws, "h", 80, "/a?x=/y?z@w:1", "h"),
        ("ws://h//a/../b/./%2e", Scheme::Ws, "h", 80, "//a/../b/./%2e", "h"),
        ("ws://h/[a]{b}|\"\\", Scheme::Ws, "h", 80, "/[a]{b}|\"\\", "h"),
        ("ws://127.0.0.1:9001/x", Scheme::Ws, "127.0.0.1", 9001, "/x", "127.0.0.1:9001"),
        ("ws://[::1]", Scheme::Ws, "[::1]", 80, "/", "[::1]"),
        ("ws://[2001:DB8:0::1]:9/x", Scheme::Ws, "[2001:db8::1]", 9, "/x", "[2001:db8::1]:9"),
        ("ws://u:p@[::1]:8080?q", Scheme::Ws, "[::1]", 8080, "/?q", "[::1]:8080"),
        (
            "ws://xn--bcher-kva.example",
            Scheme::Ws,
            "xn--bcher-kva.example",
            80,
            "/",
            "xn--bcher-kva.example",
        ),
        ("ws://a_b.c-d.", Scheme::Ws, "a_b.c-d.", 80, "/", "a_b.c-d."),
    ] {
        let uri = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(uri.scheme(), scheme, "{text}");
        assert_eq!(uri.is_secure(), scheme == Scheme::Wss, "{text}");
        assert_eq!((uri.host(), uri.port()), (host, port), "{text}");
        assert_eq!(uri.bare_host(), host.trim_matches(['[', ']']), "{text}");
        assert_eq!(uri.resource_name(), resource_name, "{text}");
        assert_eq!(uri.authority().to_string(), authority, "{text}");
    }
}

/// RFC 6874: the zone says how to get there, and is of no concern to the server.
#[test]
fn the_zone_of_an_address_is_for_dialling_and_never_sent() {
    for (text, host, zone, dialled, sent) in [
        ("ws://[fe80::1%25eth0]/", "[fe80::1]", "eth0", "fe80::1%eth0", "[fe80::1]"),
        (
            "ws://u@[FE80::0:1%25En.1-_~]:81/x",
            "[fe80::1]",
            "En.1-_~",
            "fe80::1%En.1-_~",
            "[fe80::1]:81",
        ),
        ("wss://[::1%251]:443/", "[::1]", "1", "::1%1", "[::1]"),
    ] {
        let uri: Uri = text.parse().unwrap();
        assert_eq!((uri.host(), uri.zone(), &*uri.dial_host()), (host, Some(zone), dialled));
        assert_eq!(uri.authority().to_string(), sent);
        assert_eq!(uri.bare_host(), host.trim_matches(['[', ']']));
        // What is shown is the same URL.
        assert_eq!(uri.to_string().parse::<Uri>().unwrap(), uri);
        let mut output = SendBuffer::new();
        ClientHandshake::start(&Offer::new(uri), [0; 16], HeadLimits::new(), &mut output).unwrap();
        let request = String::from_utf8(output.as_slice().to_vec()).unwrap();
        assert!(request.contains(&format!("\r\nHost: {sent}\r\n")), "{request}");
        assert!(!request.contains(zone) || zone == "1", "{request}");
    }
    let uri: Uri = "ws://example.com/".parse().unwrap();
    assert_eq!((uri.zone(), &*uri.dial_host()), (None, "example.com"));
}

#[test]
fn what_is_refused() {
    for (texts, error) in [
        (
            &[
                "",
                "ws",
                "ws:",
                "ws:/h",
                "ws:h",
                "//h/",
                "h",
                "/",
                "http://h/",
                "https://h/",
                "wsss://h",
                "w://h",
                " ws://h",
                "ws ://h",
                "ws%3a//h",
                "://h",
            ][..],
            UriError::Scheme,
        ),
        (
            &[
                "ws://",
                "ws:///",
                "ws://?q",
                "ws://:80/",
                "ws://u@",
                "ws://u@:1/",
                "ws:// h/",
                "ws://h /",
                "ws://h\\x",
                "ws://h%41/",
                "ws://b\u{fc}cher.example/",
                "ws://h\t/",
                "ws://a,b/",
                "ws://[::1",
                "ws://[::1]x",
                "ws://[::1]80",
                "ws://[]",
                "ws://[1.2.3.4]",
                "ws://[::1%eth0]/",
                "ws://[::1%25]/",
                "ws://[::1%25eth0/",
                "ws://[::1%25eth%30]/",
                "ws://[::1%25e 0]/",
                "ws://[%25eth0]/",
                "ws://h%25eth0/",
                "ws://[v1.x]/",
                "ws://::1/x]",
                "ws://256.1.1.1/",
                "ws://1.2.3/",
                "ws://127.1",
                "ws://2130706433",
                "ws://0x7f.1",
                "ws://a.0x7F",
                "ws://1.2.3.4.",
                "ws://.",
                "ws://h\0/",
                "ws://h\r\nX/",
                "ws://a;b/",
                "ws://a]/",
            ],
            UriError::Host,
        ),
        (
            &[
                "ws://h:0/",
                "ws://h:65536/",
                "ws://h:99999999999999999999/",
                "ws://h:+80/",
                "ws://h:-1/",
                "ws://h:8o/",
                "ws://h: 80/",
                "ws://h:80:80/",
                "ws://[::1]:x/",
                "ws://u:p:h:80x",
            ],
            UriError::Port,
        ),
        (
            &[
                "ws://h/a b",
                "ws://h/a\tb",
                "ws://h/a\r\nX: y",
                "ws://h/\0",
                "ws://h/?\u{e9}",
                "ws://h/\u{2028}",
                "ws://h/\x7f",
                "ws://h/a ",
                "ws://h? x",
            ],
            UriError::ResourceName,
        ),
        (&["ws://h/#", "ws://h#", "ws://h/a?b#c", "#", "ws://u#@h/"], UriError::Fragment),
        (
            &[
                "ws://a@b@h/",
                "ws://a:b@c@h/",
                "ws://a b@h/",
                "ws://%@h/",
                "ws://%4@h/",
                "ws://%4g@h/",
                "ws://a:%0d%0a@h/",
                "ws://%00@h/",
                "ws://%7f@h/",
                "ws://a%3ab:c@h/",
                "ws://\u{e9}@h/",
                "ws://[@h/",
                "ws://a:\"@h/",
                "ws://%+1@h/",
            ],
            UriError::UserInfo,
        ),
    ] {
        for text in texts {
            assert_eq!(parse(text), Err(error), "{text:?}");
        }
    }
}

#[test]
fn path_and_query() {
    for (text, path, query) in [
        ("ws://h", "/", None),
        ("ws://h?", "/", None),
        ("ws://h/a/b", "/a/b", None),
        ("ws://h/a?b?c", "/a", Some("b?c")),
    ] {
        let uri = parse(text).unwrap();
        assert_eq!((uri.path(), uri.query()), (path, query), "{text}");
    }
}

#[test]
fn display_gives_the_url_back() {
    for (text, shown) in [
        ("WS://u:p@H:80/a?b", "ws://u:p@h/a?b"),
        ("wss://[0:0::1]:1", "wss://[::1]:1/"),
        ("ws://h?q", "ws://h/?q"),
    ] {
        let uri = parse(text).unwrap();
        assert_eq!(uri.to_string(), shown);
        assert_eq!(parse(shown).unwrap(), uri);
    }
}

#[test]
fn debug_hides_the_password() {
    let shown = format!("{:?}", parse("ws://user:secret@h:1/a").unwrap());
    assert_eq!(shown, "Uri(ws://***@h:1/a)");
}

#[test]
fn try_from_is_parse() {
    assert_eq!(Uri::try_from("ws://a/b").map(|uri| uri.to_string()), Ok("ws://a/b".into()));
    assert_eq!(Uri::try_from("http://a/b"), Err(UriError::Scheme));
}

/// What each character of the first 256 is in path, query and host. Those above 127 are none that
/// RFC 3986 has; those that end a part belong to the next one.
#[test]
fn each_byte_has_its_place_or_is_refused() {
    for byte in 0..=255_u8 {
        let it = char::from(byte);
        let visible = byte.is_ascii_graphic() && it != '#';
        assert_eq!(parse(&format!("ws://h/a{it}b")).is_ok(), visible, "path: {it:?}");
        assert_eq!(parse(&format!("ws://h/?a{it}b")).is_ok(), visible, "query: {it:?}");
        let in_name = byte.is_ascii_alphanumeric() || "-._".contains(it);
        // `@` ends a user name; path and query begin with `/` and `?`.
        let host = parse(&format!("ws://a{it}b"));
        assert_eq!(host.is_ok(), in_name || "/?@".contains(it), "host: {it:?}");
        if in_name {
            assert_eq!(host.unwrap().host(), format!("a{}b", it.to_ascii_lowercase()));
        }
    }
}
