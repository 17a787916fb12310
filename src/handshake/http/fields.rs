//! Header fields from and to a `HeaderMap`, and the version that belongs to them.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Version};

use crate::handshake::carrier::Carrier;
use crate::handshake::error::UsageError;
use crate::handshake::fields::Field;
use crate::handshake::headers::FieldWriter;

/// The fields that arrived. The lines of one name stay in their order.
pub(super) fn fields(map: &HeaderMap) -> Vec<Field> {
    map.iter().map(|(name, value)| Field::new(name.as_str(), value.as_bytes())).collect()
}

/// The version of a head that we make.
pub(super) const fn version(carrier: Carrier) -> Version {
    match carrier {
        Carrier::Upgrade => Version::HTTP_11,
        Carrier::ExtendedConnect => Version::HTTP_2,
    }
}

/// The fields of our own head.
pub(super) struct HeaderFields {
    carrier: Carrier,
    map: HeaderMap,
    /// The first field that cannot be in the map.
    error: Option<UsageError>,
}

impl HeaderFields {
    pub(super) fn new(carrier: Carrier) -> Self {
        Self { carrier, map: HeaderMap::new(), error: None }
    }

    pub(super) fn finish(self) -> Result<HeaderMap, UsageError> {
        self.error.map_or(Ok(self.map), Err)
    }
}

impl FieldWriter for HeaderFields {
    fn field(&mut self, name: &str, value: &str) {
        // "An endpoint MUST NOT generate an HTTP/2 message containing connection-specific header
        // fields." (RFC 9113, 8.2.2)
        let is_left_out = self.carrier == Carrier::ExtendedConnect
            && ["Connection", "Upgrade"].iter().any(|it| name.eq_ignore_ascii_case(it));
        if !is_left_out && let Err(error) = append(&mut self.map, name, value) {
            self.error.get_or_insert(error);
        }
    }
}

fn append(map: &mut HeaderMap, name: &str, value: &str) -> Result<(), UsageError> {
    let key = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| UsageError::InvalidHeaderName(name.into()))?;
    let mut value = HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| UsageError::InvalidHeaderValue(name.into()))?;
    // Not shown in debug output, and not in the compression context of HTTP/2 (RFC 7541, 7.1.3).
    value.set_sensitive(key == AUTHORIZATION);
    map.try_append(key, value).map_err(|_| UsageError::Unrepresentable("headers")).map(drop)
}
