//! Scheduler: rates that invoke a function, with Lambda's two asynchronous retries; double and
//! late firing by seed.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Disorder;
use super::random::Random;

/// Retries of an asynchronous invocation: after one minute, then after two.
const RETRY_AFTER_MINUTES: [i64; 2] = [1, 2];
/// Latest lateness, in seconds.
const LATE_SECONDS_MAX: u64 = 60;

/// A rate.
#[derive(Debug, Clone)]
struct Schedule {
    function: &'static str,
    payload: Value,
    period: SignedDuration,
    next_at: Timestamp,
}

/// One invocation to come.
#[derive(Debug, Clone)]
pub(crate) struct Firing {
    at: Timestamp,
    pub function: &'static str,
    pub payload: Value,
    failures: usize,
}

/// All schedules, what they have fired, and what was given up.
#[derive(Debug, Clone)]
pub(crate) struct Schedules {
    rates: Vec<Schedule>,
    firings: Vec<Firing>,
    pub given_up: Vec<Value>,
}

impl Schedules {
    /// The relay's tick, first one period after `now`.
    pub fn starting(now: Timestamp) -> Self {
        let period = SignedDuration::from_mins(5);
        let tick = Schedule {
            function: "relay",
            payload: json!({"source": "tollgate.schedule", "detail-type": "tick"}),
            period,
            next_at: now + period,
        };
        Self {
            rates: vec![tick],
            firings: Vec::new(),
            given_up: Vec::new(),
        }
    }

    /// Takes an invocation that is due. A clock that jumped over several ticks gets one.
    pub fn take_due(
        &mut self,
        now: Timestamp,
        disorder: Disorder,
        random: &mut Random,
    ) -> Option<Firing> {
        for schedule in &mut self.rates {
            if schedule.next_at > now {
                continue;
            }
            while schedule.next_at <= now {
                schedule.next_at += schedule.period;
            }
            let mut firing = Firing {
                at: now,
                function: schedule.function,
                payload: schedule.payload.clone(),
                failures: 0,
            };
            if random.chance(disorder.schedule_late_percent) {
                let late = i64::try_from(random.below(LATE_SECONDS_MAX)).unwrap_or(0);
                firing.at += SignedDuration::from_secs(late);
            }
            if random.chance(disorder.schedule_double_percent) {
                self.firings.push(firing.clone());
            }
            self.firings.push(firing);
        }
        let due = self.firings.iter().position(|firing| firing.at <= now)?;
        Some(self.firings.remove(due))
    }

    /// Plans the retry of a failed invocation, or gives it up.
    pub fn failed(&mut self, mut firing: Firing, now: Timestamp) {
        match RETRY_AFTER_MINUTES.get(firing.failures) {
            Some(minutes) => {
                firing.failures += 1;
                firing.at = now + SignedDuration::from_mins(*minutes);
                self.firings.push(firing);
            }
            None => self.given_up.push(firing.payload),
        }
    }

    /// The next tick or retry.
    pub fn next_at(&self) -> Option<Timestamp> {
        let ticks = self.rates.iter().map(|schedule| schedule.next_at);
        ticks
            .chain(self.firings.iter().map(|firing| firing.at))
            .min()
    }
}
