//! Path and query (RFC 6455, 3).

use std::borrow::Cow;

use super::error::UriError;

/// Splits what follows `://` into the authority and the resource name, which "can be constructed by
/// concatenating the following: "/" if the path component is empty; the path component; "?" if the
/// query component is non-empty; the query component" (RFC 6455, 3).
pub(crate) fn split_authority(rest: &str) -> Result<(&str, Cow<'_, str>), UriError> {
    let (authority, resource) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if !is_resource_name(resource) {
        return Err(UriError::ResourceName);
    }
    let resource = match resource.strip_suffix('?') {
        // Only an empty query: that of `/a??` is "?".
        Some(path) if !path.contains('?') => path,
        _ => resource,
    };
    if resource.starts_with('/') {
        Ok((authority, resource.into()))
    } else {
        Ok((authority, format!("/{resource}").into()))
    }
}

/// Whether the text is visible ASCII without `#`: nothing in it can end a request line.
pub(crate) fn is_resource_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

/// Splits a resource name into path and query.
pub(crate) fn split_query(resource_name: &str) -> (&str, Option<&str>) {
    match resource_name.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (resource_name, None),
    }
}
