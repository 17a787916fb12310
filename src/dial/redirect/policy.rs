//! Which redirects are followed.

/// How many redirects a client follows, and what the next server must not see.
///
/// 301, 302, 303, 307 and 308 are followed. When the origin changes (scheme, host or port), the
/// headers Authorization, Cookie and Proxy-Authorization, the user name and password of the URL, and
/// the headers that the program marks are dropped. They stay dropped, even if a later redirect leads
/// back. From `ws:` to `wss:` the origin changes too. Each server gets the other headers, the
/// subprotocols, and the Origin header, which names the page and not the server. A client certificate
/// of the TLS settings is shown to each server that asks for one.
///
/// The server chooses where the client connects to, which may be an address that only the client can
/// reach. Follow redirects only of servers that you trust.
///
/// A redirect from `wss:` to `ws:` is an error, and so is a location with a user name or password.
///
/// ```
/// use sansock::dial::redirect::RedirectPolicy;
/// let policy = RedirectPolicy::new(5).sensitive_header("X-Api-Key");
/// # let _ = policy;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct RedirectPolicy {
    limit: usize,
    sensitive: Vec<String>,
}

/// The headers that are always dropped.
const SENSITIVE: [&str; 3] = ["Authorization", "Cookie", "Proxy-Authorization"];

impl RedirectPolicy {
    /// Follows so many redirects at most.
    pub const fn new(limit: usize) -> Self {
        Self { limit, sensitive: Vec::new() }
    }

    /// Marks a header of the offer that only the first origin may see.
    pub fn sensitive_header(mut self, name: impl Into<String>) -> Self {
        self.sensitive.push(name.into());
        self
    }

    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn is_sensitive(&self, header: &str) -> bool {
        let mut names = SENSITIVE.iter().copied().chain(self.sensitive.iter().map(String::as_str));
        names.any(|name| name.eq_ignore_ascii_case(header))
    }
}
