//! A tenant's standing: good -> low -> grace -> unpaid, a pure function of balance, policy and time.
//!
//! It is evaluated after every posting and when a timer is due. Leaving `unpaid` takes more than a cent
//! above zero (`resume_at`) and a minimum time, which a payment bypasses: so a balance that flips around
//! zero with each run cannot switch a tenant's phones on and off.

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money;

/// Longest grace or minimum hold, in minutes (one year).
pub const MINUTES_MAX: u32 = 366 * 24 * 60;

/// When a tenant is warned, suspended and reactivated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StandingPolicy {
    /// Below this balance the tenant is `low`.
    #[serde(with = "money::text")]
    pub low_balance: Decimal,
    /// How far below zero the balance may go before grace starts: 0 is prepaid.
    #[serde(with = "money::text")]
    pub credit_limit: Decimal,
    /// Minutes between running dry and the `unpaid` hold; 0 suspends at once.
    pub grace_minutes: u32,
    /// The balance that ends the `unpaid` hold.
    #[serde(with = "money::text")]
    pub resume_at: Decimal,
    /// Minutes that an `unpaid` hold lasts at least, unless a payment ends it.
    pub minimum_hold_minutes: u32,
}

impl Default for StandingPolicy {
    fn default() -> Self {
        Self {
            low_balance: Decimal::TEN,
            credit_limit: Decimal::ZERO,
            grace_minutes: 24 * 60,
            resume_at: Decimal::ONE,
            minimum_hold_minutes: 60,
        }
    }
}

impl StandingPolicy {
    /// Refuses a policy whose thresholds contradict each other.
    pub fn check(&self) -> Result<(), &'static str> {
        for amount in [self.low_balance, self.credit_limit, self.resume_at] {
            money::check_amount(amount).map_err(|_| "standing: an amount is out of range")?;
        }
        if self.credit_limit < Decimal::ZERO {
            return Err("standing.credit_limit must be at least 0");
        }
        if self.resume_at < self.floor() {
            return Err("standing.resume_at must not lie below -credit_limit");
        }
        if self.low_balance < self.floor() {
            return Err("standing.low_balance must not lie below -credit_limit");
        }
        if self.grace_minutes > MINUTES_MAX || self.minimum_hold_minutes > MINUTES_MAX {
            return Err("standing: minutes must not exceed a year");
        }
        Ok(())
    }

    fn floor(&self) -> Decimal {
        -self.credit_limit
    }
}

/// How a tenant stands with its operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Standing {
    /// Enough balance.
    Good,
    /// Balance below the warning threshold.
    Low,
    /// Balance below the floor; the hold comes when grace ends.
    Grace {
        /// When the balance went below the floor.
        since: Timestamp,
    },
    /// The `unpaid` hold applies.
    Unpaid {
        /// When it began.
        since: Timestamp,
    },
}

impl Standing {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Low => "low",
            Self::Grace { .. } => "grace",
            Self::Unpaid { .. } => "unpaid",
        }
    }

    /// Does the `unpaid` hold apply?
    pub fn is_unpaid(self) -> bool {
        matches!(self, Self::Unpaid { .. })
    }

    /// When time alone could change it.
    pub fn next_action_at(self, balance: Decimal, policy: &StandingPolicy) -> Option<Timestamp> {
        match self {
            Self::Grace { since } => Some(after(since, policy.grace_minutes)),
            Self::Unpaid { since } if balance >= policy.resume_at => {
                Some(after(since, policy.minimum_hold_minutes))
            }
            Self::Good | Self::Low | Self::Unpaid { .. } => None,
        }
    }
}

/// What made the standing be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Money came in: ends a hold at once.
    Payment,
    /// Usage was booked, or a timer was due.
    Other,
}

/// The standing that follows.
pub fn evaluate(
    current: Standing,
    balance: Decimal,
    policy: &StandingPolicy,
    occasion: Occasion,
    now: Timestamp,
) -> Standing {
    let solvent = if balance < policy.low_balance {
        Standing::Low
    } else {
        Standing::Good
    };
    let dry = balance < policy.floor();
    match current {
        Standing::Unpaid { since } => {
            let waited =
                occasion == Occasion::Payment || now >= after(since, policy.minimum_hold_minutes);
            if balance >= policy.resume_at && waited {
                solvent
            } else {
                current
            }
        }
        _ if !dry => solvent,
        Standing::Grace { since } if after(since, policy.grace_minutes) <= now => {
            Standing::Unpaid { since: now }
        }
        Standing::Grace { .. } => current,
        Standing::Good | Standing::Low if policy.grace_minutes == 0 => {
            Standing::Unpaid { since: now }
        }
        Standing::Good | Standing::Low => Standing::Grace { since: now },
    }
}

fn after(since: Timestamp, minutes: u32) -> Timestamp {
    since
        .checked_add(SignedDuration::from_mins(i64::from(minutes)))
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
    }

    fn policy() -> StandingPolicy {
        StandingPolicy {
            grace_minutes: 60,
            minimum_hold_minutes: 60,
            ..StandingPolicy::default()
        }
    }

    fn step(current: Standing, balance: i64, occasion: Occasion, minute: i64) -> Standing {
        evaluate(
            current,
            Decimal::from(balance),
            &policy(),
            occasion,
            at(minute),
        )
    }

    #[test]
    fn running_dry_gives_grace_and_then_the_hold() {
        assert_eq!(step(Standing::Good, 9, Occasion::Other, 0), Standing::Low);
        let grace = step(Standing::Low, -1, Occasion::Other, 1);
        assert_eq!(grace, Standing::Grace { since: at(1) });
        assert_eq!(step(grace, -2, Occasion::Other, 60), grace);
        assert_eq!(
            step(grace, -2, Occasion::Other, 61),
            Standing::Unpaid { since: at(61) }
        );
        assert_eq!(
            grace.next_action_at(Decimal::NEGATIVE_ONE, &policy()),
            Some(at(61))
        );
    }

    #[test]
    fn a_zero_balance_is_not_yet_dry() {
        assert_eq!(step(Standing::Good, 0, Occasion::Other, 0), Standing::Low);
    }

    #[test]
    fn a_payment_ends_the_hold_at_once_and_a_revision_only_after_the_minimum() {
        let unpaid = Standing::Unpaid { since: at(0) };
        assert_eq!(step(unpaid, 5, Occasion::Payment, 1), Standing::Low);
        assert_eq!(step(unpaid, 5, Occasion::Other, 1), unpaid);
        assert_eq!(
            unpaid.next_action_at(Decimal::from(5), &policy()),
            Some(at(60))
        );
        assert_eq!(step(unpaid, 5, Occasion::Other, 60), Standing::Low);
    }

    #[test]
    fn a_payment_below_resume_at_keeps_the_hold() {
        let unpaid = Standing::Unpaid { since: at(0) };
        assert_eq!(step(unpaid, 0, Occasion::Payment, 90), unpaid);
    }

    #[test]
    fn policies_that_contradict_themselves_are_refused() {
        assert_eq!(policy().check(), Ok(()));
        assert!(
            StandingPolicy {
                credit_limit: Decimal::NEGATIVE_ONE,
                ..policy()
            }
            .check()
            .is_err()
        );
        assert!(
            StandingPolicy {
                resume_at: Decimal::NEGATIVE_ONE,
                ..policy()
            }
            .check()
            .is_err()
        );
        assert!(
            StandingPolicy {
                grace_minutes: MINUTES_MAX + 1,
                ..policy()
            }
            .check()
            .is_err()
        );
    }

    proptest! {
        #[test]
        fn evaluating_twice_changes_nothing_more(balance in -50_i64..50, minute in 0_i64..500, start in 0_usize..4) {
            let start = [Standing::Good, Standing::Low, Standing::Grace { since: at(0) }, Standing::Unpaid { since: at(0) }][start];
            let once = step(start, balance, Occasion::Other, minute);
            // A fresh grace or hold has its own clock; the second look at the same instant must agree.
            prop_assert_eq!(step(once, balance, Occasion::Other, minute), once);
        }

        #[test]
        fn a_flapping_balance_cannot_change_the_hold_more_than_once_an_hour(balances in proptest::collection::vec(-5_i64..5, 1..200)) {
            let mut standing = Standing::Good;
            let mut changes = Vec::new();
            for (minute, balance) in (0_i64..).zip(balances) {
                let next = step(standing, balance, Occasion::Other, minute);
                if next.is_unpaid() != standing.is_unpaid() {
                    changes.push(minute);
                }
                standing = next;
            }
            prop_assert!(changes.windows(2).all(|pair| pair[1] - pair[0] >= 60));
        }
    }
}
