//! Connecting to where a server redirects the client.

use std::time::{Duration, Instant};

use super::Error;
use crate::dial::redirect::{RedirectPolicy, Redirects};
use crate::handshake::{Incomplete, Offer};

/// Calls `connect` with one offer after the other, each when the connection of the last is closed,
/// and with the moment at which the time for `whole` is over.
pub(super) fn follow<T>(
    offer: &Offer,
    policy: &RedirectPolicy,
    whole: Option<Duration>,
    connect: impl Fn(&Offer, Option<Instant>) -> Result<T, Error>,
) -> Result<T, Error> {
    let until = whole.and_then(|whole| Instant::now().checked_add(whole));
    let mut redirects = Redirects::new(offer.clone(), policy.clone());
    loop {
        match connect(redirects.offer(), until) {
            Err(Error::Handshake(error)) => match error.response() {
                Some(response) if redirects.follow(response)? => {}
                _ => return Err(error.into()),
            },
            result => return result,
        }
        if until.is_some_and(|until| until <= Instant::now()) {
            return Err(Incomplete::TimedOut.into());
        }
    }
}
