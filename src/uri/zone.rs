//! The zone of an IPv6 address (RFC 6874): which of this machine's links to use.

use super::error::UriError;

/// Splits the zone off an authority: `[fe80::1%25eth0]:80` is `[fe80::1]:80` in the zone `eth0`.
/// Other authorities are returned as they are.
pub(crate) fn split_zone(authority: &str) -> Result<(String, Option<&str>), UriError> {
    let Some((address, rest)) = authority.split_once('%') else {
        return Ok((authority.to_owned(), None));
    };
    // "ZoneID = 1*( unreserved / pct-encoded )" (RFC 6874, 2), after a "%" that is percent-encoded.
    // No system has zones whose names need more than the first.
    let (zone, behind) = rest
        .strip_prefix("25")
        .filter(|_| address.starts_with('['))
        .and_then(|rest| rest.split_once(']'))
        .ok_or(UriError::Host)?;
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if zone.is_empty() || !zone.bytes().all(is_unreserved) {
        return Err(UriError::Host);
    }
    Ok((format!("{address}]{behind}"), Some(zone)))
}
