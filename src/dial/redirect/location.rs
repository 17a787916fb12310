//! Where a Location header leads to.

use url::Url;

use super::error::RedirectProblem;
use crate::handshake::Headers;
use crate::uri::{Uri, UriError};

/// Returns the value of the Location header.
pub(super) fn location(headers: Headers<'_>) -> Result<&str, RedirectProblem> {
    let mut values = headers.get_all("Location");
    let value = values.next().ok_or(RedirectProblem::MissingLocation)?;
    if values.any(|other| other != value) {
        return Err(invalid(&String::from_utf8_lossy(value), "there are several"));
    }
    str::from_utf8(value).map_err(|_| invalid(&String::from_utf8_lossy(value), "it is not UTF-8"))
}

/// Resolves a Location, "a URI reference" (RFC 9110, 10.2.2), against the URL that was asked, as
/// browsers do. `http:` stands for `ws:`, and `https:` for `wss:`.
pub(super) fn resolve(base: &Uri, location: &str) -> Result<Uri, RedirectProblem> {
    let failed = |error: url::ParseError| invalid(location, &error.to_string());
    let text = format!("{}://{}{}", base.scheme(), base.authority(), base.resource_name());
    let mut url = Url::parse(&text).and_then(|base| base.join(location)).map_err(failed)?;
    let scheme = match url.scheme() {
        "ws" | "http" => Some("ws"),
        "wss" | "https" => Some("wss"),
        _ => None,
    };
    if scheme.is_none_or(|scheme| url.set_scheme(scheme).is_err()) {
        return Err(invalid(location, "its scheme is not ws, wss, http or https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(RedirectProblem::UserInfo);
    }
    // "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be used on
    // these URIs." (RFC 6455, 3) In a Location it is for a user agent that shows a document.
    url.set_fragment(None);
    let parsed =
        |text: &str| text.parse().map_err(|error: UriError| invalid(location, &error.to_string()));
    let uri: Uri = parsed(url.as_str())?;
    if base.is_secure() && !uri.is_secure() {
        return Err(RedirectProblem::Downgrade);
    }
    if !is_same_origin(base, &uri) {
        return Ok(uri);
    }
    // A relative reference has the authority of its base (RFC 3986, 5.2.2), with all that belongs to
    // it.
    let userinfo = base.userinfo().map(|it| format!("{it}@")).unwrap_or_default();
    let host = match base.zone() {
        Some(zone) => format!("[{}%25{zone}]:{}", base.bare_host(), base.port()),
        None => uri.authority().to_string(),
    };
    parsed(&format!("{}://{userinfo}{host}{}", uri.scheme(), uri.resource_name()))
}

/// Scheme, host and port are the same (RFC 6454, 5).
pub(super) fn is_same_origin(one: &Uri, other: &Uri) -> bool {
    one.scheme() == other.scheme() && one.host() == other.host() && one.port() == other.port()
}

fn invalid(location: &str, reason: &str) -> RedirectProblem {
    RedirectProblem::InvalidLocation { location: location.into(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(base: &str, location: &str) -> Result<String, RedirectProblem> {
        resolve(&base.parse().unwrap(), location).map(|uri| uri.to_string())
    }

    #[test]
    fn locations_are_resolved_as_rfc_3986_says() {
        for (base, location, target) in [
            ("ws://h/a/b?c", "/x", "ws://h/x"),
            ("ws://h/a/b?c", "x", "ws://h/a/x"),
            ("ws://h/a/b?c", "./x/", "ws://h/a/x/"),
            ("ws://h/a/b?c", "../x", "ws://h/x"),
            ("ws://h/a/b?c", "../../../x", "ws://h/x"),
            ("ws://h/a/b?c", "?x", "ws://h/a/b?x"),
            ("ws://h/a/b?c", "#x", "ws://h/a/b?c"),
            ("ws://h/a/b?c", "", "ws://h/a/b?c"),
            ("ws://h/a/b?c", "//other", "ws://other/"),
            ("wss://h/a/b?c", "//other:444/x", "wss://other:444/x"),
            ("ws://h/", "http://h/x#y", "ws://h/x"),
            ("ws://h/", "HTTP://H:80/x", "ws://h/x"),
            ("ws://h/", "https://h/x", "wss://h/x"),
            ("ws://h/", "https://h:443/x", "wss://h/x"),
            ("wss://h/", "https://h/x", "wss://h/x"),
            ("ws://h/", "wss://h/x", "wss://h/x"),
            ("ws://h/", "ws://[::1]:9001/", "ws://[::1]:9001/"),
            ("ws://h/", "/a b\u{fc}", "ws://h/a%20b%C3%BC"),
            // As browsers take it. It is another origin, whatever the program thinks of it.
            ("ws://h/", "\\\\other\\x", "ws://other/x"),
            ("ws://h/", "//b\u{fc}cher.example/", "ws://xn--bcher-kva.example/"),
            // What belongs to the authority stays with its origin, and goes to no other.
            ("ws://u:p@h/", "/x", "ws://u:p@h/x"),
            ("ws://u:p@h:81/", "ws://h:81/x", "ws://u:p@h:81/x"),
            ("ws://u:p@h/", "//other/x", "ws://other/x"),
            ("ws://u:p@h/", "https://h/x", "wss://h/x"),
            ("ws://u:p@h/", "//h:81/x", "ws://h:81/x"),
            ("ws://[fe80::1%25eth0]:81/", "/x", "ws://[fe80::1%25eth0]:81/x"),
            ("ws://[fe80::1%25eth0]/", "/x", "ws://[fe80::1%25eth0]/x"),
            ("ws://[fe80::1%25eth0]/", "//[fe80::2]/x", "ws://[fe80::2]/x"),
        ] {
            assert_eq!(resolved(base, location).as_deref(), Ok(target), "{base} {location}");
        }
    }

    #[test]
    fn what_is_no_place_for_a_client_is_refused() {
        for location in [
            "ftp://h/",
            "mailto:a@b.example",
            "ws+unix:/a:/b",
            "//",
            "ws://",
            "http://exa mple/",
            "//h:65536/",
            "//h:0/",
            "//1.2.3.256/",
            "//a&b/",
            "file:///etc/passwd",
        ] {
            let problem = resolved("ws://h/", location).unwrap_err();
            let RedirectProblem::InvalidLocation { location: named, reason } = problem else {
                panic!("{location}: {problem:?}")
            };
            assert_eq!(&*named, location);
            assert!(!reason.is_empty());
        }
        for location in ["ws://u@h/", "//u:p@other/", "http://:p@h/"] {
            assert_eq!(resolved("ws://h/", location), Err(RedirectProblem::UserInfo), "{location}");
        }
        for location in ["ws://h/", "http://h/", "http://h:443/", "ws://other/"] {
            let problem = resolved("wss://h/", location);
            assert_eq!(problem, Err(RedirectProblem::Downgrade), "{location}");
        }
    }
}
