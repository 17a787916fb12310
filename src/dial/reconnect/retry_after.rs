//! The header Retry-After (RFC 9110, 10.2.3).

use std::time::{Duration, SystemTime};

use httpdate::parse_http_date;

use crate::handshake::Headers;

/// Returns how long a response asks the client to stay away, if it has a valid Retry-After header:
/// "Retry-After = HTTP-date / delay-seconds" (RFC 9110, 10.2.3).
///
/// A date is compared with the server's own Date header, so that a wrong clock of the client does
/// not matter, and with `now` if the response has none. A date that has passed is zero.
#[must_use]
pub fn retry_after(headers: Headers<'_>, now: SystemTime) -> Option<Duration> {
    let value = headers.get_str("Retry-After")?;
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number holds: longer than any limit.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let at = parse_http_date(value).ok()?;
    let date = headers.get_str("Date").and_then(|date| parse_http_date(date).ok());
    Some(at.duration_since(date.unwrap_or(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::{ClientHandshake, HeadLimits, Offer};
    use crate::{ReceiveBuffer, SendBuffer};

    fn seconds(fields: &str) -> Option<u64> {
        let offer = Offer::new("ws://h/".parse().unwrap());
        let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
        let limits = HeadLimits::new();
        let mut handshake = ClientHandshake::start(&offer, [0; 16], limits, &mut output).unwrap();
        let head = format!("HTTP/1.1 503 \r\nContent-Length: 0\r\n{fields}\r\n");
        input.extend_from_slice(head.as_bytes());
        let error = handshake.advance(&mut input).unwrap_err();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_700);
        let time = retry_after(error.response().unwrap().headers(), now)?;
        assert_eq!(time.subsec_nanos(), 0);
        Some(time.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_read() {
        let date = "Date: Sun, 06 Nov 1994 08:49:07 GMT\r\n";
        for (value, expected) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("1 s", None),
            ("soon", None),
            // "A recipient that parses a timestamp value in an HTTP field MUST accept all three
            // HTTP-date formats." (RFC 9110, 5.6.7)
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(30)),
            ("Sun Nov  6 08:49:37 1994", Some(30)),
            ("Sun, 06 Nov 1994 08:49:06 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
        ] {
            assert_eq!(seconds(&format!("{date}Retry-After: {value}\r\n")), expected, "{value}");
        }
        assert_eq!(seconds(""), None);
        // Without a valid Date of the server the clock of the client counts: 08:48:20.
        for date in ["", "Date: today\r\n"] {
            let value = "Sun, 06 Nov 1994 08:49:37 GMT";
            assert_eq!(seconds(&format!("{date}Retry-After: {value}\r\n")), Some(77));
        }
    }
}
