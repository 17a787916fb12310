//! `url`: what `Uri` takes is what RFC 6455, 3 and RFC 3986 allow, its parts put together are the
//! URL again, and the request that a client makes of it is one that a server takes.

use std::net::{Ipv4Addr, Ipv6Addr};

use sansock::{ReceiveBuffer, SendBuffer};
use sansock::handshake::{Answer, ClientHandshake, HeadLimits, Offer, ServerHandshake};
use sansock::uri::{Scheme, Uri, UriError};

/// See the module.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let parsed: Result<Uri, UriError> = text.parse();
    let Some(plain) = plain(text) else {
        assert!(parsed.is_err(), "{text:?} is not a WebSocket URL: {parsed:?}");
        return;
    };
    let uri = parsed.unwrap_or_else(|error| panic!("{text:?} is a WebSocket URL: {error}"));
    let parts = Plain {
        secure: uri.is_secure(),
        userinfo: uri.userinfo().map(str::to_owned),
        host: uri.bare_host().to_owned(),
        zone: uri.zone().map(str::to_owned),
        port: uri.port(),
        resource: uri.resource_name().to_owned(),
    };
    assert_eq!(parts, plain, "{text:?}");
    assert_eq!(uri.scheme() == Scheme::Wss, uri.is_secure());
    assert_eq!(uri.to_string().parse().as_ref(), Ok(&uri), "Display gives the URL back");
    if let Some(user) = uri.userinfo() {
        let other = text.replacen(&format!("//{user}@"), "//other@", 1);
        let other: Uri = other.parse().expect("as right as the first");
        assert_eq!(format!("{uri:?}"), format!("{other:?}"), "Debug hides name and password");
    }
    let query = uri.query().map_or(String::new(), |query| format!("?{query}"));
    assert_eq!(format!("{}{query}", uri.path()), uri.resource_name());
    connect(uri);
}

/// The parts of a URL.
#[derive(Debug, PartialEq, Eq)]
struct Plain {
    secure: bool,
    userinfo: Option<String>,
    host: String,
    zone: Option<String>,
    port: u16,
    resource: String,
}

/// A plain reading, byte classes from RFC 3986; `None` if it is not a URL that sansock has to take.
fn plain(text: &str) -> Option<Plain> {
    if !text.bytes().all(|byte| (0x21..0x7f).contains(&byte)) || text.contains('#') {
        return None;
    }
    let at = text.find("://")?;
    let secure = match text[..at].to_ascii_lowercase().as_str() {
        "ws" => false,
        "wss" => true,
        _ => return None,
    };
    let rest = &text[at + 3..];
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, mut resource) = (&rest[..end], rest[end..].to_owned());
    // "?" if the query component is non-empty (3)
    if resource.find('?').is_some_and(|at| at + 1 == resource.len()) {
        resource.pop();
    }
    if !resource.starts_with('/') {
        resource.insert(0, '/');
    }
    let (userinfo, host) = match authority.rfind('@') {
        Some(at) => (&authority[..at], &authority[at + 1..]),
        None => ("", authority),
    };
    if !is_userinfo(userinfo) {
        return None;
    }
    let (host, zone) = without_zone(host)?;
    let (host, port) = host_and_port(&host)?;
    Some(Plain {
        secure,
        userinfo: (!userinfo.is_empty()).then(|| userinfo.to_owned()),
        host,
        zone,
        port: port.unwrap_or(if secure { 443 } else { 80 }),
        resource,
    })
}

/// An address with `"%25" 1*unreserved` before its bracket (RFC 6874, 2), and its zone.
fn without_zone(host: &str) -> Option<(String, Option<String>)> {
    if !host.contains('%') {
        return Some((host.to_owned(), None));
    }
    let end = host.find(']')?;
    let at = host.find("%25")?;
    let zone = host.get(at + 3..end)?;
    let is_zone = |it: char| it.is_ascii_alphanumeric() || "-._~".contains(it);
    let right = host.starts_with('[') && !zone.is_empty() && zone.chars().all(is_zone);
    right.then(|| (format!("{}{}", &host[..at], &host[end..]), Some(zone.to_owned())))
}

/// `userinfo` of RFC 3986, 3.2.1, that Basic authorization can carry: decoded, no control
/// characters, and no colon in the name (RFC 7617, 2).
fn is_userinfo(text: &str) -> bool {
    let mut bytes = text.bytes();
    let mut in_name = true;
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let mut hex = || char::from(bytes.next()?).to_digit(16);
                let (Some(high), Some(low)) = (hex(), hex()) else { return false };
                let byte = high * 16 + low;
                if byte < 0x20 || byte == 0x7f || (in_name && byte == u32::from(b':')) {
                    return false;
                }
            }
            b':' => in_name = false,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {}
            _ if "-._~!$&'()*+,;=".contains(char::from(byte)) => {}
            _ => return false,
        }
    }
    true
}

/// `host [ ":" port ]` (RFC 3986, 3.2), the host in lower case and without brackets.
pub fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = if text.starts_with('[') {
        let end = text.find(']')?;
        let address: Ipv6Addr = text[1..end].parse().ok()?;
        (address.to_string(), &text[end + 1..])
    } else {
        let end = text.find(':').unwrap_or(text.len());
        (name(&text[..end])?, &text[end..])
    };
    if port.is_empty() || port == ":" {
        return Some((host, None));
    }
    let digits = port.strip_prefix(':')?;
    if !digits.chars().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // Any number of zeros may stand before it.
    let port: u16 = digits.trim_start_matches('0').parse().ok()?;
    Some((host, Some(port)))
}

/// A name of letters, digits, `-`, `.` and `_`; one that ends in a number is an IPv4 address.
fn name(host: &str) -> Option<String> {
    let host = host.to_ascii_lowercase();
    if host.is_empty()
        || host.contains(|it: char| !it.is_ascii_alphanumeric() && !"-._".contains(it))
    {
        return None;
    }
    let labels: Vec<&str> = host.split('.').collect();
    let last = match labels.as_slice() {
        [.., last, ""] | [.., last] => *last,
        [] => "",
    };
    let hex = last.strip_prefix("0x").is_some_and(|it| it.chars().all(|c| c.is_ascii_hexdigit()));
    if hex || last.chars().all(|c| c.is_ascii_digit()) {
        host.parse::<Ipv4Addr>().ok()?;
    }
    Some(host)
}

/// From the URL to an open connection.
fn connect(uri: Uri) {
    let (mut request, mut answer) = (SendBuffer::new(), SendBuffer::new());
    let limits = HeadLimits::new();
    let offer = Offer::new(uri);
    let mut client = ClientHandshake::start(&offer, [7; 16], limits, &mut request)
        .expect("a URL alone is a right offer");
    let mut server = ServerHandshake::new(limits);
    let mut input = ReceiveBuffer::new();
    input.extend_from_slice(request.as_slice());
    assert_eq!(server.advance(&mut input), Ok(true), "{:?}", offer.uri());
    let received = server.request().expect("there is a request");
    let uri = offer.uri();
    assert_eq!(received.target(), uri.resource_name());
    assert_eq!(received.host(), uri.host());
    assert_eq!(received.port().unwrap_or(uri.scheme().default_port()), uri.port());
    assert!(input.as_slice().is_empty());
    received.accept(&Answer::new(), &mut answer).expect("may be accepted");
    input.extend_from_slice(answer.as_slice());
    assert_eq!(client.advance(&mut input), Ok(true));
}
