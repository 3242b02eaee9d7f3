//! How long to wait before asking again: exponential, capped, fully jittered, and as long as Twilio asks.

use std::time::Duration;

use domain::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// Requests made for one call of ours, at most.
pub const ATTEMPTS_MAX: u32 = 5;
/// The first wait is at most this long; each further one at most double.
pub const BACKOFF_BASE: Duration = Duration::from_millis(500);
/// No wait of our own is longer.
pub const BACKOFF_CAP: Duration = Duration::from_secs(8);
/// A longer wait that Twilio asks for is cut to this: the queue that redelivers can wait better.
pub const RETRY_AFTER_CAP: Duration = Duration::from_secs(20);

/// The wait after attempt number `attempt` (from 1) failed.
pub(crate) fn wait(attempt: u32, retry_after: Option<Duration>, random: u128) -> Duration {
    let doubled = BACKOFF_BASE.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
    let ceiling = match retry_after {
        None => doubled.min(BACKOFF_CAP),
        // The jitter comes on top: those who were told the same wait should not return together.
        Some(_) => BACKOFF_BASE,
    };
    let jitter = random % (ceiling.as_millis() + 1);
    let jitter = Duration::from_millis(u64::try_from(jitter).unwrap_or(u64::MAX));
    retry_after.unwrap_or_default().min(RETRY_AFTER_CAP) + jitter
}

/// Reads `Retry-After`: seconds, or a date.
pub(crate) fn read_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let at = DateTimeParser::new().parse_timestamp(value.trim()).ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(read_retry_after("7", now), seconds(7));
        assert_eq!(
            read_retry_after("Sun, 01 Mar 2026 12:00:30 GMT", now),
            seconds(30)
        );
        assert_eq!(
            read_retry_after("Sun, 01 Mar 2026 11:00:00 GMT", now),
            seconds(0)
        );
        assert_eq!(read_retry_after("soon", now), None);
        assert_eq!(read_retry_after("-1", now), None);
    }

    #[test]
    fn a_wait_that_twilio_asks_for_is_kept_and_capped() {
        assert_eq!(
            wait(1, Some(Duration::from_secs(3)), 0),
            Duration::from_secs(3)
        );
        assert_eq!(wait(1, Some(Duration::from_hours(1)), 0), RETRY_AFTER_CAP);
    }

    proptest! {
        #[test]
        fn every_wait_is_capped(attempt: u32, asked in proptest::option::of(any::<u32>()), random: u128) {
            let asked = asked.map(|seconds| Duration::from_secs(seconds.into()));
            let longest = asked.map_or(BACKOFF_CAP, |_| RETRY_AFTER_CAP + BACKOFF_BASE);
            prop_assert!(wait(attempt, asked, random) <= longest);
        }

        #[test]
        fn a_wait_doubles_at_most(attempt in 1_u32..5, random: u128) {
            prop_assert!(wait(attempt, None, random) <= BACKOFF_BASE * 2_u32.pow(attempt - 1));
        }
    }
}
