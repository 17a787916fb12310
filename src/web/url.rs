//! Parses the program's URL as browsers do.
//!
//! The standard begins with "the URL parser", which repairs a lot: it percent-encodes, resolves
//! `..`, writes non-ASCII names as `xn--`, and reads `0x7f.1` as an address. [`Uri`] refuses all of
//! that on purpose. The crate `url` is that parser, with the tables that browsers use; only the
//! feature `web` depends on it.

use url::Url;

use super::error::SyntaxError;
use crate::uri::{Uri, UriError};

/// The steps of the constructor that concern the URL.
pub(super) fn parse(text: &str, base: Option<&str>) -> Result<Url, SyntaxError> {
    // "If urlRecord is failure, then throw a "SyntaxError" DOMException."
    let failure = |error: ::url::ParseError| SyntaxError::Url(error.to_string().into());
    // "Let baseURL be this's relevant settings object's API base URL. Let urlRecord be the result
    // of applying the URL parser to url with baseURL."
    let base = base.map(Url::parse).transpose().map_err(failure)?;
    let mut url = Url::options().base_url(base.as_ref()).parse(text).map_err(failure)?;
    let scheme = match url.scheme() {
        // "If urlRecord's scheme is "http", then set urlRecord's scheme to "ws"."
        "http" | "ws" => "ws",
        // "Otherwise, if urlRecord's scheme is "https", set urlRecord's scheme to "wss"."
        "https" | "wss" => "wss",
        // "If urlRecord's scheme is not "ws" or "wss", then throw a "SyntaxError" DOMException."
        other => return Err(SyntaxError::Scheme(other.into())),
    };
    url.set_scheme(scheme).map_err(|()| SyntaxError::Scheme(scheme.into()))?;
    // "If urlRecord's fragment is non-null, then throw a "SyntaxError" DOMException."
    if url.fragment().is_some() {
        return Err(SyntaxError::Fragment);
    }
    Ok(url)
}

/// Converts it into the URL to connect to.
pub(super) fn to_uri(url: &Url) -> Result<Uri, SyntaxError> {
    url.as_str().parse().map_err(|error: UriError| SyntaxError::Url(error.to_string().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_normalised_as_in_browsers() {
        for (text, normalised) in [
            ("ws://example.com", "ws://example.com/"),
            ("WS://Example.COM:80/", "ws://example.com/"),
            ("wss://example.com:443/a?b=c", "wss://example.com/a?b=c"),
            ("wss://example.com:80", "wss://example.com:80/"),
            ("http://example.com/a", "ws://example.com/a"),
            ("http://example.com:443/", "ws://example.com:443/"),
            ("https://example.com:443/", "wss://example.com/"),
            ("https://example.com:8443/", "wss://example.com:8443/"),
            (" ws://example.com/a\tb\n ", "ws://example.com/ab"),
            ("ws://example.com/a/../b/./c", "ws://example.com/b/c"),
            ("ws:example.com/x", "ws://example.com/x"),
            ("ws:\\\\example.com\\x", "ws://example.com/x"),
            ("ws://example.com/a b?c d", "ws://example.com/a%20b?c%20d"),
            ("ws://example.com/\u{fc}?\u{fc}", "ws://example.com/%C3%BC?%C3%BC"),
            ("ws://b\u{fc}cher.example/", "ws://xn--bcher-kva.example/"),
            ("ws://0x7f.1/", "ws://127.0.0.1/"),
            ("ws://[0:0:0:0:0:0:0:1]:9001/", "ws://[::1]:9001/"),
            ("ws://user:p%40ss@example.com/", "ws://user:p%40ss@example.com/"),
            ("ws://example.com/?", "ws://example.com/?"),
        ] {
            let url = parse(text, None).unwrap();
            assert_eq!(url.as_str(), normalised, "{text}");
            to_uri(&url).unwrap();
        }
    }

    #[test]
    fn a_relative_url_has_a_base() {
        for (base, text, normalised) in [
            ("https://example.com/a/b?c#d", "/chat", "wss://example.com/chat"),
            ("https://example.com/a/b?c#d", "chat", "wss://example.com/a/chat"),
            ("http://example.com:81/a/", "../x?y", "ws://example.com:81/x?y"),
            ("wss://example.com/", "//other.example/z", "wss://other.example/z"),
            ("https://example.com/", "ws://absolute.example/", "ws://absolute.example/"),
            ("https://example.com/a?b#c", "", "wss://example.com/a?b"),
        ] {
            assert_eq!(parse(text, Some(base)).unwrap().as_str(), normalised, "{base} {text}");
        }
        for (base, text) in [("", "/chat"), ("/a", "/chat"), ("mailto:a@b.example", "chat")] {
            assert!(matches!(parse(text, Some(base)), Err(SyntaxError::Url(_))), "{base} {text}");
        }
        let file = parse("chat", Some("file:///a/b"));
        assert_eq!(file, Err(SyntaxError::Scheme("file".into())));
    }

    #[test]
    fn what_is_no_url_is_a_syntax_error() {
        for text in [
            "",
            "/chat",
            "//example.com/",
            "example.com",
            "ws://",
            "ws:///",
            "ws://exa mple.com/",
            "ws://example.com:65536/",
            "ws://[::1/",
            "ws://1.2.3.256/",
        ] {
            assert!(matches!(parse(text, None), Err(SyntaxError::Url(_))), "{text}");
        }
        for (text, scheme) in [
            ("ftp://example.com/", "ftp"),
            ("wsss://example.com/", "wsss"),
            ("mailto:a@example.com", "mailto"),
            ("localhost:9001", "localhost"),
        ] {
            assert_eq!(parse(text, None), Err(SyntaxError::Scheme(scheme.into())), "{text}");
        }
        for text in ["ws://example.com/#", "ws://example.com/#a", "https://example.com/?b#a"] {
            assert_eq!(parse(text, None), Err(SyntaxError::Fragment), "{text}");
        }
        for text in ["ws://a&b/", "ws://user:%zz@example.com/", "ws://a%3Ab:c@example.com/"] {
            assert!(
                matches!(to_uri(&parse(text, None).unwrap()), Err(SyntaxError::Url(_))),
                "{text}"
            );
        }
    }
}
