//! Connection overrides: how long a callback's receiver may take and what is tried again, as its URL's
//! fragment asks (`#ct=2000&rt=2500&rc=5&rp=all`). Limits and defaults are those of Twilio's documentation
//! of webhook connection overrides.
//!
//! The fragment is neither sent nor signed. `sni` and `e` (edge) change nothing here.

use std::time::Duration;

use super::AttemptOutcome;

/// The documented bounds, in milliseconds.
const CONNECT_MS: [u64; 2] = [100, 10_000];
const READ_MS: [u64; 2] = [100, 15_000];
const TOTAL_MS: [u64; 2] = [100, 15_000];
/// The documented defaults where they are not the largest value.
const CONNECT_DEFAULT_MS: u64 = 5_000;
const RETRIES_DEFAULT: u32 = 1;
const RETRIES_MAX: u32 = 5;

/// What makes a request go out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    Connect,
    Read,
    Status4xx,
    Status5xx,
}

/// The overrides of one URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overrides {
    pub(super) connect: Duration,
    pub(super) read: Duration,
    /// For everything, retries included.
    pub(super) total: Duration,
    pub(super) retries: u32,
    policies: Vec<Policy>,
    /// Whether the retry policy named something unknown: then the default holds, and Twilio alerts.
    pub(super) invalid_policy: bool,
}

impl Overrides {
    pub(super) fn parse(fragment: &str) -> Self {
        let mut found = Self {
            connect: Duration::from_millis(CONNECT_DEFAULT_MS),
            read: Duration::from_millis(READ_MS[1]),
            total: Duration::from_millis(TOTAL_MS[1]),
            retries: RETRIES_DEFAULT,
            policies: vec![Policy::Connect],
            invalid_policy: false,
        };
        for (name, value) in fragment.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "ct" => found.connect = span(value, CONNECT_MS).unwrap_or(found.connect),
                "rt" => found.read = span(value, READ_MS).unwrap_or(found.read),
                "tt" => found.total = span(value, TOTAL_MS).unwrap_or(found.total),
                "rc" => found.retries = value.parse().unwrap_or(RETRIES_DEFAULT).min(RETRIES_MAX),
                "rp" => match policies(value) {
                    Some(policies) => found.policies = policies,
                    None => found.invalid_policy = true,
                },
                _ => {}
            }
        }
        found
    }

    /// Whether such an outcome is tried again. What broke off in the middle of an answer never is.
    pub(super) fn tries_again_after(&self, outcome: &AttemptOutcome) -> bool {
        let wanted = match outcome {
            AttemptOutcome::NotConnected => Policy::Connect,
            AttemptOutcome::NotAnswered => Policy::Read,
            AttemptOutcome::Answered { status: 400..=499 } => Policy::Status4xx,
            AttemptOutcome::Answered { status: 500.. } => Policy::Status5xx,
            AttemptOutcome::Answered { .. }
            | AttemptOutcome::BrokenOff { .. }
            | AttemptOutcome::OutOfTime => {
                return false;
            }
        };
        self.policies.contains(&wanted)
    }
}

fn span(value: &str, [least, most]: [u64; 2]) -> Option<Duration> {
    let asked: u64 = value.parse().ok()?;
    Some(Duration::from_millis(asked.clamp(least, most)))
}

fn policies(list: &str) -> Option<Vec<Policy>> {
    let mut found = Vec::new();
    for name in list.split(',') {
        match name {
            "ct" => found.push(Policy::Connect),
            "rt" => found.push(Policy::Read),
            "4xx" => found.push(Policy::Status4xx),
            "5xx" => found.push(Policy::Status5xx),
            "all" => found.extend([
                Policy::Connect,
                Policy::Read,
                Policy::Status4xx,
                Policy::Status5xx,
            ]),
            _ => return None,
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTCOMES: [AttemptOutcome; 4] = [
        AttemptOutcome::NotConnected,
        AttemptOutcome::NotAnswered,
        AttemptOutcome::Answered { status: 404 },
        AttemptOutcome::Answered { status: 503 },
    ];

    fn tried_again(overrides: &Overrides) -> [bool; 4] {
        OUTCOMES.map(|outcome| overrides.tries_again_after(&outcome))
    }

    #[test]
    fn without_overrides_only_a_failed_connection_is_tried_once_again() {
        let default = Overrides::parse("");
        assert_eq!((default.retries, default.connect.as_millis()), (1, 5_000));
        assert_eq!(
            (default.read.as_millis(), default.total.as_millis()),
            (15_000, 15_000)
        );
        assert_eq!(tried_again(&default), [true, false, false, false]);
    }

    #[test]
    fn overrides_are_kept_within_their_bounds() {
        let asked = Overrides::parse("ct=20000&rt=50&tt=99999&rc=9&sni=n&e=ashburn,dublin&x");
        let spans = [asked.connect, asked.read, asked.total].map(|span| span.as_millis());
        assert_eq!((spans, asked.retries), ([10_000, 100, 15_000], 5));
        let odd = Overrides::parse("ct=soon&rt=&tt=-1&rc=many");
        assert_eq!(odd, Overrides::parse(""));
    }

    #[test]
    fn a_retry_policy_replaces_the_default_and_an_invalid_one_does_not() {
        assert_eq!(
            tried_again(&Overrides::parse("rp=rt,5xx")),
            [false, true, false, true]
        );
        assert_eq!(tried_again(&Overrides::parse("rp=all")), [true; 4]);
        for invalid in ["rp=", "rp=5xx,6xx", "rp=ALL"] {
            let overrides = Overrides::parse(invalid);
            assert!(overrides.invalid_policy, "{invalid}");
            assert_eq!(tried_again(&overrides), [true, false, false, false]);
        }
        let all = Overrides::parse("rp=all");
        assert!(!all.tries_again_after(&AttemptOutcome::BrokenOff { status: 200 }));
    }
}
