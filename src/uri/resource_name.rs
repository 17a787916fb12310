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
        // An empty query only: `/a??` asks "?".
        Some(path) if !path.contains('?') => path,
        _ => resource,
    };
    if resource.starts_with('/') {
        Ok((authority, resource.into()))
    } else {
        Ok((authority, format!("/{resource}").into()))
    }
}

/// Visible ASCII without `#`: nothing that a request line could be cut by.
pub(crate) fn is_resource_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

/// Path and query of a resource name.
pub(crate) fn split_query(resource_name: &str) -> (&str, Option<&str>) {
    match resource_name.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (resource_name, None),
    }
}
