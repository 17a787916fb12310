//! User name and password (RFC 3986, 3.2.1, and RFC 7617).

use super::error::UriError;

/// Returns `name:password`, decoded, if they are valid for Basic authorization.
pub(crate) fn credentials(userinfo: &str) -> Result<Vec<u8>, UriError> {
    let (name, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let mut credentials = percent_decoded(name)?;
    // "a user-id containing a colon character is invalid" (RFC 7617, 2)
    if credentials.contains(&b':') {
        return Err(UriError::UserInfo);
    }
    credentials.push(b':');
    credentials.extend(percent_decoded(password)?);
    // "The user-id and password MUST NOT contain any control characters" (RFC 7617, 2)
    if credentials.iter().any(u8::is_ascii_control) {
        return Err(UriError::UserInfo);
    }
    Ok(credentials)
}

/// Decodes `*( unreserved / pct-encoded / sub-delims / ":" )` (RFC 3986, 3.2.1).
fn percent_decoded(text: &str) -> Result<Vec<u8>, UriError> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    let hex_digit = |bytes: &mut std::str::Bytes<'_>| {
        bytes.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or(UriError::UserInfo)
    };
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let value = hex_digit(&mut bytes)? << 4 | hex_digit(&mut bytes)?;
                u8::try_from(value).map_err(|_| UriError::UserInfo)?
            }
            _ if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:".contains(&byte) => byte,
            _ => return Err(UriError::UserInfo),
        });
    }
    Ok(decoded)
}
