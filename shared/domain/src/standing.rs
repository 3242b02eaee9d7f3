//! A tenant's standing: good -> low -> grace -> restricted -> unpaid, a pure function of balance, policy, what a
//! person decided for this tenant, and time.
//!
//! It is evaluated after every posting and when a timer is due. Leaving `unpaid` takes more than a cent
//! above zero (`resume_at`) and a minimum time, which a payment bypasses; coming back to it without a payment in
//! between takes as long: so a balance that flips around zero with each run cannot switch a tenant's phones on
//! and off.

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::dunning::Dunning;
use crate::money;

/// Reminders that a policy may have.
pub const REMINDERS_MAX: usize = 10;
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
    /// Minutes of grace after which the tenant gets no new numbers and keys; absent: it may until it is unpaid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restrict_after_minutes: Option<u32>,
    /// Minutes of grace after which the tenant is reminded, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reminder_minutes: Vec<u32>,
}

impl Default for StandingPolicy {
    fn default() -> Self {
        Self {
            low_balance: Decimal::TEN,
            credit_limit: Decimal::ZERO,
            grace_minutes: 24 * 60,
            resume_at: Decimal::ONE,
            minimum_hold_minutes: 60,
            restrict_after_minutes: None,
            reminder_minutes: Vec::new(),
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
        let restrict = self.restrict_after_minutes;
        if restrict.is_some_and(|minutes| minutes >= self.grace_minutes) {
            return Err("standing.restrict_after_minutes must lie below grace_minutes");
        }
        let reminders = &self.reminder_minutes;
        let in_order = reminders.windows(2).all(|pair| pair[0] < pair[1]);
        let in_grace = reminders
            .iter()
            .all(|minutes| *minutes < self.grace_minutes);
        if reminders.len() > REMINDERS_MAX || !in_order || !in_grace {
            return Err(
                "standing.reminder_minutes: at most 10, ascending, each below grace_minutes",
            );
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
        /// Reminders that are sent.
        #[serde(default, skip_serializing_if = "is_zero")]
        reminded: u8,
    },
    /// As in grace, but without new numbers and keys.
    Restricted {
        /// When the balance went below the floor.
        since: Timestamp,
        /// Reminders that are sent.
        #[serde(default, skip_serializing_if = "is_zero")]
        reminded: u8,
    },
    /// The `unpaid` hold applies.
    Unpaid {
        /// When it began.
        since: Timestamp,
        /// When the balance went below the floor; rows of old do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dry_since: Option<Timestamp>,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u8) -> bool {
    *number == 0
}

impl Standing {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Low => "low",
            Self::Grace { .. } => "grace",
            Self::Restricted { .. } => "restricted",
            Self::Unpaid { .. } => "unpaid",
        }
    }

    /// Does the `unpaid` hold apply?
    pub fn is_unpaid(self) -> bool {
        matches!(self, Self::Unpaid { .. })
    }

    /// May the tenant get no new numbers and keys?
    pub fn is_restricted(self) -> bool {
        matches!(self, Self::Restricted { .. } | Self::Unpaid { .. })
    }

    /// Since when grace runs, and how many reminders are sent; none where it does not run.
    pub fn arrears(self) -> Option<(Timestamp, u8)> {
        match self {
            Self::Grace { since, reminded } | Self::Restricted { since, reminded } => {
                Some((since, reminded))
            }
            Self::Good | Self::Low | Self::Unpaid { .. } => None,
        }
    }

    /// When it began, where that is known: for grace, when the balance went below the floor.
    pub fn since(self) -> Option<Timestamp> {
        match self {
            Self::Unpaid { since, .. } => Some(since),
            _ => self.arrears().map(|(since, _)| since),
        }
    }

    /// When time alone could change it or bring a reminder.
    pub fn next_action_at(
        self,
        balance: Decimal,
        policy: &StandingPolicy,
        dunning: &Dunning,
    ) -> Option<Timestamp> {
        if let Self::Unpaid { since, .. } = self {
            return (balance >= policy.resume_at)
                .then(|| after(since, policy.minimum_hold_minutes));
        }
        let (since, sent) = self.arrears()?;
        let reminder = policy.reminder_minutes.get(usize::from(sent));
        let is_grace = matches!(self, Self::Grace { .. });
        let restrict = policy.restrict_after_minutes.filter(|_| is_grace);
        let others = reminder.copied().into_iter().chain(restrict);
        let first = others.map(|minutes| after(since, minutes)).min();
        let suspends_at = suspends_at(since, policy, dunning);
        Some(first.map_or(suspends_at, |first| first.min(suspends_at)))
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
    dunning: &Dunning,
    occasion: Occasion,
    now: Timestamp,
) -> Standing {
    let solvent = if balance < policy.low_balance {
        Standing::Low
    } else {
        Standing::Good
    };
    let is_dry = balance < policy.floor();
    match current {
        Standing::Unpaid { since, dry_since } => {
            let waited =
                occasion == Occasion::Payment || now >= after(since, policy.minimum_hold_minutes);
            if balance >= policy.resume_at && waited {
                solvent
            } else if !dunning.is_held_off(now) {
                current
            } else if is_dry {
                // Reminders of a suspension that has been are not sent again.
                in_arrears(dry_since.unwrap_or(since), u8::MAX, policy, now)
            } else {
                solvent
            }
        }
        _ if !is_dry => solvent,
        _ => {
            let (since, reminded) = current.arrears().unwrap_or((now, 0));
            if suspends_at(since, policy, dunning) <= now {
                let dry_since = Some(since);
                Standing::Unpaid {
                    since: now,
                    dry_since,
                }
            } else {
                in_arrears(since, reminded, policy, now)
            }
        }
    }
}

/// When a tenant whose balance has been below the floor since then becomes unpaid.
pub fn suspends_at(since: Timestamp, policy: &StandingPolicy, dunning: &Dunning) -> Timestamp {
    let grace_ends = after(since, policy.grace_minutes);
    let rested = dunning
        .released_at
        .map(|released| after(released, policy.minimum_hold_minutes));
    let earliest = rested.into_iter().chain(dunning.hold_off_until).max();
    earliest.map_or(grace_ends, |earliest| earliest.max(grace_ends))
}

/// Grace or its restricted part, with the reminders that are due by now.
fn in_arrears(since: Timestamp, reminded: u8, policy: &StandingPolicy, now: Timestamp) -> Standing {
    let is_over = |minutes: u32| after(since, minutes) <= now;
    let due = policy.reminder_minutes.iter();
    let due = due.take_while(|minutes| is_over(**minutes)).count();
    let reminded = reminded.max(u8::try_from(due).unwrap_or(u8::MAX));
    if policy.restrict_after_minutes.is_some_and(is_over) {
        Standing::Restricted { since, reminded }
    } else {
        Standing::Grace { since, reminded }
    }
}

fn after(since: Timestamp, minutes: u32) -> Timestamp {
    since
        .checked_add(SignedDuration::from_mins(i64::from(minutes)))
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
