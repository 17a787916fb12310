//! From one URL to the next.

use super::error::{RedirectError, RedirectProblem};
use super::location::{is_same_origin, location, resolve};
use super::policy::RedirectPolicy;
use crate::handshake::{Offer, Response};
use crate::uri::Uri;

/// The redirects of one handshake. For each URL the program makes a new connection, on which a
/// handshake with a new key asks for the [`offer`](Self::offer).
///
/// ```
/// use sansock::handshake::{ClientHandshake, HeadLimits, Offer};
/// use sansock::dial::redirect::{RedirectPolicy, Redirects};
/// use sansock::{ReceiveBuffer, SendBuffer};
///
/// let offer = Offer::new("ws://example.com/chat".parse()?).header("Cookie", "session=1");
/// let mut redirects = Redirects::new(offer, RedirectPolicy::new(5));
/// # let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
/// # let nonce = *b"the sample nonce";
/// let mut handshake =
///     ClientHandshake::start(redirects.offer(), nonce, HeadLimits::new(), &mut output)?;
/// // The server answers.
/// input.extend_from_slice(b"HTTP/1.1 302 Found\r\nLocation: //chat.example.com/\r\n\
///     Content-Length: 0\r\n\r\n");
/// let error = handshake.advance(&mut input).unwrap_err();
/// let response = error.response().ok_or("no response")?;
/// assert!(redirects.follow(response)?);
/// // Another host, so without the cookie.
/// let next = Offer::new("ws://chat.example.com/".parse()?);
/// assert_eq!(redirects.offer(), &next);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Redirects {
    policy: RedirectPolicy,
    offer: Offer,
    /// The URLs before that of the offer.
    followed: Vec<Uri>,
}

impl Redirects {
    /// Begins with the program's offer.
    #[must_use]
    pub const fn new(offer: Offer, policy: RedirectPolicy) -> Self {
        Self { policy, offer, followed: Vec::new() }
    }

    /// Returns what to ask for, and where.
    #[must_use]
    pub const fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Looks at a response that refuses the handshake. Returns `true` if [`offer`](Self::offer) is
    /// now what to ask for next, and `false` if the response is not a redirect.
    ///
    /// # Errors
    ///
    /// It is a redirect that is not followed.
    pub fn follow(&mut self, response: &Response) -> Result<bool, RedirectError> {
        if !matches!(response.status(), 301 | 302 | 303 | 307 | 308) {
            return Ok(false);
        }
        let next = self.next(response).map_err(|problem| {
            let mut urls = self.followed.clone();
            urls.push(self.offer.uri().clone());
            RedirectError::new(problem, urls, response.clone())
        })?;
        let (here, is_same) = (self.offer.uri().clone(), is_same_origin(self.offer.uri(), &next));
        self.offer.set_uri(next);
        if !is_same {
            self.offer.retain_headers(|name| !self.policy.is_sensitive(name));
        }
        self.followed.push(here);
        Ok(true)
    }

    fn next(&self, response: &Response) -> Result<Uri, RedirectProblem> {
        let limit = self.policy.limit();
        if self.followed.len() >= limit {
            return Err(RedirectProblem::TooMany { limit });
        }
        resolve(self.offer.uri(), location(response.headers())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::{ClientHandshake, HeadLimits};
    use crate::{ReceiveBuffer, SendBuffer};

    fn response(status: u16, fields: &[u8]) -> Response {
        let offer = Offer::new("ws://h/".parse().unwrap());
        let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
        let limits = HeadLimits::new();
        let mut handshake = ClientHandshake::start(&offer, [0; 16], limits, &mut output).unwrap();
        let head = format!("HTTP/1.1 {status} \r\nContent-Length: 0\r\n");
        input.extend_from_slice(&[head.as_bytes(), fields, b"\r\n"].concat());
        handshake.advance(&mut input).unwrap_err().response().unwrap().clone()
    }

    fn redirects(limit: usize) -> Redirects {
        let offer = Offer::new("ws://u:p@h/a".parse().unwrap())
            .header("cookie", "c")
            .header("X-Secret", "s")
            .header("X-Plain", "p")
            .origin("https://page.example");
        Redirects::new(offer, RedirectPolicy::new(limit).sensitive_header("x-secret"))
    }

    #[test]
    fn five_statuses_are_redirects() {
        for status in 200..600 {
            let is_redirect = [301, 302, 303, 307, 308].contains(&status);
            let mut redirects = redirects(1);
            let followed = redirects.follow(&response(status, b"Location: /b\r\n")).unwrap();
            assert_eq!(followed, is_redirect, "{status}");
            let path = if is_redirect { "/b" } else { "/a" };
            assert_eq!(redirects.offer().uri().path(), path);
        }
    }

    #[test]
    fn another_origin_sees_no_credentials_and_the_first_one_not_again() {
        let mut redirects = redirects(3);
        let all = redirects.offer().clone();
        redirects.follow(&response(302, b"Location: /b\r\n")).unwrap();
        let mut same = all.clone();
        same.set_uri("ws://u:p@h/b".parse().unwrap());
        assert_eq!(redirects.offer(), &same);
        for location in ["ws://h:81/", "ws://h/"] {
            let fields = format!("Location: {location}\r\n");
            redirects.follow(&response(302, fields.as_bytes())).unwrap();
            let bare = Offer::new(location.parse().unwrap())
                .header("X-Plain", "p")
                .origin("https://page.example");
            assert_eq!(redirects.offer(), &bare);
        }
    }

    #[test]
    fn a_loop_ends_at_the_limit_and_the_error_has_the_urls_and_the_knob() {
        for limit in [0, 1, 3] {
            let (mut redirects, redirect) = (redirects(limit), response(307, b"Location: /b\r\n"));
            for _ in 0..limit {
                assert!(redirects.follow(&redirect).unwrap());
            }
            let error = redirects.follow(&redirect).unwrap_err();
            assert_eq!(error.problem(), &RedirectProblem::TooMany { limit });
            assert_eq!(error.urls().len(), limit + 1);
            assert_eq!(error.response(), &redirect);
            let hops = "ws://h/a".to_owned() + &" -> ws://h/b".repeat(limit);
            let text = format!(
                "redirect (307) of {hops}: more than {limit} redirects (RedirectPolicy::new)"
            );
            assert_eq!(error.to_string(), text, "without the password");
        }
    }

    #[test]
    fn a_broken_location_is_an_error_and_nothing_changes() {
        for (fields, text) in [
            (&b""[..], "there is no Location header"),
            (
                b"Location: /b\r\nLocation: /c\r\n",
                "the Location \"/b\" is not valid: there are several",
            ),
            (b"Location: /\xff\r\n", "the Location \"/\u{fffd}\" is not valid: it is not UTF-8"),
            (b"Location: ftp://h/\r\n", "its scheme is not ws, wss, http or https"),
            (b"Location: //u@h/\r\n", "the Location has a user name or password"),
        ] {
            let mut redirects = redirects(5);
            let offer = redirects.offer().clone();
            let error = redirects.follow(&response(302, fields)).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
            assert_eq!(redirects.offer(), &offer);
        }
        // One that comes twice and says the same is no doubt.
        let twice = response(302, b"Location: /b\r\nLocation: /b\r\n");
        assert!(redirects(1).follow(&twice).unwrap());
        let mut secure =
            Redirects::new(Offer::new("wss://h/".parse().unwrap()), RedirectPolicy::new(1));
        let error = secure.follow(&response(302, b"Location: http://h/\r\n")).unwrap_err();
        assert_eq!(error.problem(), &RedirectProblem::Downgrade);
        assert!(error.to_string().ends_with("from wss: to ws:, which is never followed"));
    }
}
