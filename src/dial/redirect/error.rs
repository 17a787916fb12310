//! Why a redirect is not followed.

use std::fmt;

use crate::handshake::Response;
use crate::uri::Uri;

/// A redirect is not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectError(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    problem: RedirectProblem,
    urls: Vec<Uri>,
    response: Response,
}

/// What is wrong with a redirect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectProblem {
    /// It would be one more than the limit of
    /// [`RedirectPolicy::new`](super::RedirectPolicy::new).
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The response has no Location header.
    MissingLocation,
    /// The Location is not a URL to which a client can connect.
    InvalidLocation {
        /// The header's value; bytes that are not UTF-8 are replaced by U+FFFD.
        location: Box<str>,
        /// What is wrong with it.
        reason: Box<str>,
    },
    /// It leads from `wss:` to `ws:`: everyone on the way could read what TLS protects.
    Downgrade,
    /// The Location has a user name or a password: "a recipient SHOULD parse for userinfo and treat
    /// its presence as an error" (RFC 9110, 4.2.4).
    UserInfo,
}

impl RedirectError {
    pub(super) fn new(problem: RedirectProblem, urls: Vec<Uri>, response: Response) -> Self {
        Self(Box::new(Inner { problem, urls, response }))
    }

    /// Returns what is wrong.
    #[must_use]
    pub fn problem(&self) -> &RedirectProblem {
        &self.0.problem
    }

    /// Returns the URLs that were asked, in order. The last one sent the response.
    #[must_use]
    pub fn urls(&self) -> &[Uri] {
        &self.0.urls
    }

    /// Returns the response that redirects.
    #[must_use]
    pub fn response(&self) -> &Response {
        &self.0.response
    }
}

impl fmt::Display for RedirectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { problem, urls, response } = &*self.0;
        write!(f, "redirect ({}) of ", response.status())?;
        for (index, uri) in urls.iter().enumerate() {
            // Without user name and password.
            let arrow = if index == 0 { "" } else { " -> " };
            write!(f, "{arrow}{}://{}{}", uri.scheme(), uri.authority(), uri.resource_name())?;
        }
        match problem {
            RedirectProblem::TooMany { limit } => {
                write!(f, ": more than {limit} redirects (RedirectPolicy::new)")
            }
            RedirectProblem::MissingLocation => f.write_str(": there is no Location header"),
            RedirectProblem::InvalidLocation { location, reason } => {
                write!(f, ": the Location {location:?} is not valid: {reason}")
            }
            RedirectProblem::Downgrade => {
                f.write_str(": the Location leads from wss: to ws:, which is never followed")
            }
            RedirectProblem::UserInfo => {
                f.write_str(": the Location has a user name or password, which is never followed")
            }
        }
    }
}

impl std::error::Error for RedirectError {}
