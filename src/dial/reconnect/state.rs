//! The attempts of one client, and the delay before the next.

use std::fmt;
use std::time::{Duration, Instant};

use super::cause::Cause;
use super::policy::ReconnectPolicy;

/// The attempts of one client, and the delay before the next.
///
/// Call [`connected`](Self::connected) when a connection is made, and
/// [`next_delay`](Self::next_delay) when it has ended or an attempt has failed.
#[derive(Clone, Debug)]
pub struct Reconnect {
    policy: ReconnectPolicy,
    /// How many attempts have failed in a row.
    failures: u32,
    /// Since when there is a connection.
    since: Option<Instant>,
}

/// Why a client does not connect again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GiveUp {
    /// The policy says that a new attempt does not help
    /// ([`is_worth_a_retry`](ReconnectPolicy::is_worth_a_retry)).
    Permanent,
    /// As many attempts as the policy allows have failed in a row
    /// ([`attempts`](ReconnectPolicy::attempts)).
    Attempts(u32),
}

impl Reconnect {
    /// Creates the state before the first attempt.
    #[must_use]
    pub const fn new(policy: ReconnectPolicy) -> Self {
        Self { policy, failures: 0, since: None }
    }

    /// Records that a connection is made. Its time begins: if it lasts
    /// ([`healthy_after`](ReconnectPolicy::healthy_after)), the failures before are forgotten.
    pub fn connected(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// Returns how many attempts have failed in a row.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Returns how long to wait before the next attempt. `random` is a number that is evenly
    /// distributed over all of `u64`.
    ///
    /// # Errors
    ///
    /// [`GiveUp`]: do not connect again.
    pub fn next_delay(
        &mut self,
        cause: &Cause,
        now: Instant,
        random: u64,
    ) -> Result<Duration, GiveUp> {
        let lasted = self.since.take().map(|since| now.saturating_duration_since(since));
        if lasted.is_some_and(|lasted| lasted >= self.policy.healthy) {
            self.failures = 0;
        }
        if !self.policy.is_worth_a_retry(cause) {
            return Err(GiveUp::Permanent);
        }
        self.failures = self.failures.saturating_add(1);
        if let Some(limit) = self.policy.attempts.filter(|limit| self.failures > *limit) {
            return Err(GiveUp::Attempts(limit));
        }
        Ok(match cause {
            // A restart takes its time. If the server is not back by then, the usual delays follow.
            Cause::Closed(1012) => {
                let (least, most) = (*self.policy.restart.start(), *self.policy.restart.end());
                least.saturating_add(scaled(most.saturating_sub(least), random))
            }
            Cause::Refused { retry_after: Some(time), .. } => {
                let time = (*time).min(self.policy.longest_retry_after);
                time.saturating_add(self.back_off(random))
            }
            _ => self.back_off(random),
        })
    }

    /// Exponential back-off with full jitter.
    fn back_off(&self, random: u64) -> Duration {
        let doublings = self.failures.saturating_sub(1);
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        scaled(self.policy.first.saturating_mul(factor).min(self.policy.longest), random)
    }
}

/// The part `random` / 2^64 of a time.
#[expect(clippy::arithmetic_side_effects, reason = "the product of two u64 fits u128")]
fn scaled(time: Duration, random: u64) -> Duration {
    // 584 years.
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let part = (u128::from(nanos) * u128::from(random)) >> 64;
    Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX))
}

impl fmt::Display for GiveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permanent => f.write_str("a new attempt would not help (ReconnectPolicy)"),
            Self::Attempts(limit) => {
                write!(f, "{limit} attempts in a row have failed (ReconnectPolicy::attempts)")
            }
        }
    }
}

impl std::error::Error for GiveUp {}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSED: Cause = Cause::Closed(1006);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn refused(status: u16, retry_after: Option<u64>) -> Cause {
        Cause::Refused { status, retry_after: retry_after.map(seconds) }
    }

    /// The delay after the first failure.
    fn first(policy: ReconnectPolicy, cause: Cause, random: u64) -> Result<Duration, GiveUp> {
        Reconnect::new(policy).next_delay(&cause, Instant::now(), random)
    }

    /// The largest number gives all but a nanosecond.
    fn rounded(delay: Duration) -> u64 {
        (delay + Duration::from_nanos(2)).as_secs()
    }

    #[test]
    fn the_limit_doubles_up_to_the_longest_delay_and_the_delay_is_random_below_it() {
        for (random, expected) in
            [(u64::MAX, [5, 10, 20, 40, 60, 60]), (1 << 63, [2, 5, 10, 20, 30, 30]), (0, [0; 6])]
        {
            let mut reconnect = Reconnect::new(ReconnectPolicy::new());
            let delays = expected
                .map(|_| rounded(reconnect.next_delay(&CLOSED, Instant::now(), random).unwrap()));
            assert_eq!(delays, expected);
        }
    }

    #[test]
    fn no_setting_overflows() {
        let mut policy = ReconnectPolicy::default().first_delay(Duration::MAX);
        policy = policy.longest_delay(Duration::MAX).longest_retry_after(Duration::MAX);
        let mut reconnect = Reconnect::new(policy.restart_delay(Duration::MAX..=Duration::ZERO));
        let causes = [CLOSED, Cause::Closed(1012), refused(503, Some(u64::MAX))];
        for cause in causes.iter().cycle().take(100) {
            let delay = reconnect.next_delay(cause, Instant::now(), u64::MAX).unwrap();
            assert!(delay > seconds(1 << 33), "{delay:?}");
        }
        assert_eq!(reconnect.failures(), 100);
    }

    #[test]
    fn a_connection_that_lasted_makes_earlier_failures_forgotten() {
        let start = Instant::now();
        for (lasted, failures) in [(0, 4), (29, 4), (30, 1), (100_000, 1)] {
            let mut reconnect = Reconnect::new(ReconnectPolicy::new());
            for _ in 0..3 {
                reconnect.next_delay(&CLOSED, start, 0).unwrap();
            }
            reconnect.connected(start);
            reconnect.next_delay(&CLOSED, start + seconds(lasted), 0).unwrap();
            assert_eq!(reconnect.failures(), failures, "{lasted}");
            // The time of a connection counts once, for its own end.
            reconnect.next_delay(&CLOSED, start + seconds(200_000), 0).unwrap();
            assert_eq!(reconnect.failures(), failures + 1);
        }
    }

    #[test]
    fn attempts_are_counted() {
        let start = Instant::now();
        let mut reconnect = Reconnect::new(ReconnectPolicy::new().attempts(2));
        for _ in 0..2 {
            for _ in 0..2 {
                assert!(reconnect.next_delay(&CLOSED, start, 0).is_ok());
            }
            assert_eq!(reconnect.next_delay(&CLOSED, start, 0), Err(GiveUp::Attempts(2)));
            // After a healthy connection there are as many again.
            reconnect.connected(start);
            let end = start + seconds(60);
            assert!(reconnect.next_delay(&CLOSED, end, 0).is_ok());
            assert!(reconnect.next_delay(&CLOSED, end, 0).is_ok());
            assert_eq!(reconnect.next_delay(&CLOSED, end, 0), Err(GiveUp::Attempts(2)));
            reconnect = Reconnect::new(ReconnectPolicy::new().attempts(2));
        }
        let text = "2 attempts in a row have failed (ReconnectPolicy::attempts)";
        assert_eq!(GiveUp::Attempts(2).to_string(), text);
        let text = "a new attempt would not help (ReconnectPolicy)";
        assert_eq!(GiveUp::Permanent.to_string(), text);
        let never = first(ReconnectPolicy::new().attempts(0), CLOSED, 0);
        assert_eq!(never, Err(GiveUp::Attempts(0)));
    }

    #[test]
    fn close_codes_and_statuses_decide_by_default() {
        for (code, retries) in [
            (1000, false),
            (1001, true),
            (1002, false),
            (1003, false),
            (1005, false),
            (1006, true),
            (1007, false),
            (1008, false),
            (1009, false),
            (1010, false),
            (1011, true),
            (1012, true),
            (1013, true),
            (1014, true),
            (3000, false),
            (4000, false),
        ] {
            let outcome = first(ReconnectPolicy::new(), Cause::Closed(code), 0);
            assert_eq!(outcome.is_ok(), retries, "{code}");
        }
        for (status, retries) in [
            (200, false),
            (302, false),
            (400, false),
            (401, false),
            (403, false),
            (404, false),
            (407, false),
            (408, true),
            (421, false),
            (425, true),
            (426, false),
            (429, true),
            (500, true),
            (501, false),
            (502, true),
            (503, true),
            (504, true),
            (505, false),
        ] {
            let outcome = first(ReconnectPolicy::new(), refused(status, None), 0);
            assert_eq!(outcome.is_ok(), retries, "{status}");
        }
        assert!(first(ReconnectPolicy::new(), Cause::Network, 0).is_ok());
        assert_eq!(first(ReconnectPolicy::new(), Cause::Permanent, 0), Err(GiveUp::Permanent));
    }

    #[test]
    fn the_program_decides_otherwise() {
        let policy = ReconnectPolicy::new().also_after_code(4000).also_after_status(404);
        for cause in
            [Cause::Closed(4000), Cause::Closed(1001), refused(404, None), refused(503, None)]
        {
            assert!(first(policy.clone(), cause, 0).is_ok(), "{cause:?}");
        }
        let policy = policy.after_codes([1000]).after_statuses([]);
        for (cause, retries) in [
            (Cause::Closed(1000), true),
            (Cause::Closed(4000), false),
            (CLOSED, false),
            (refused(503, None), false),
            (Cause::Network, true),
        ] {
            assert_eq!(first(policy.clone(), cause, 0).is_ok(), retries, "{cause:?}");
        }
    }

    #[test]
    fn the_server_may_ask_for_a_time_but_not_forever() {
        for (asked, random, expected) in [
            (0, 0, 0),
            (20, 0, 20),
            // The random delay is added: clients that got the same answer do not come together.
            (20, u64::MAX, 25),
            (300, 0, 300),
            (301, 0, 300),
            (u64::MAX, u64::MAX, 305),
        ] {
            let delay = first(ReconnectPolicy::new(), refused(503, Some(asked)), random).unwrap();
            assert_eq!(rounded(delay), expected, "{asked}");
        }
        // It cannot make a refusal worth a retry.
        let outcome = first(ReconnectPolicy::new(), refused(403, Some(1)), 0);
        assert_eq!(outcome, Err(GiveUp::Permanent));
    }

    #[test]
    fn a_restart_has_a_delay_of_its_own() {
        let restart = Cause::Closed(1012);
        for (random, expected) in [(0, 5), (1 << 63, 17), (u64::MAX, 30)] {
            let delay = first(ReconnectPolicy::new(), restart, random).unwrap();
            assert_eq!(rounded(delay), expected);
        }
        let policy = ReconnectPolicy::new().restart_delay(seconds(1)..=seconds(1));
        assert_eq!(first(policy, restart, u64::MAX), Ok(seconds(1)));
    }
}
