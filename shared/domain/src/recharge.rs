//! Auto-recharge: when a tenant's payment provider is asked for money, and how much.
//!
//! The state lives in the wallet and moves only with it, so that a request and the change that made it
//! necessary are one write. Money that was asked for and has not come counts as if it had, so the same
//! shortfall is asked for once; what was asked for in a day and a month never exceeds the maxima.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money::{self, Currency};
use crate::period::day_of;

/// Hours without a new request after the first, second and third decline in a row; then it is paused.
pub const BACKOFF_H: [i64; 3] = [1, 4, 24];
/// A request that nobody answered for so many hours no longer counts as money to come.
pub const PENDING_H: i64 = 72;
/// Requests without an answer at once: they are kept in the wallet's item.
pub const PENDING_MAX: usize = 10;

/// How much a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refill {
    /// Always this much.
    Amount(#[serde(with = "money::text")] Decimal),
    /// What is missing to this balance.
    Target(#[serde(with = "money::text")] Decimal),
}

/// When and how much a tenant's balance is recharged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RechargeRule {
    /// Below this balance, money to come included, money is asked for.
    #[serde(with = "money::text")]
    pub threshold: Decimal,
    /// How much.
    pub refill: Refill,
    /// Asked for in a GMT day at most.
    #[serde(with = "money::text")]
    pub daily_max: Decimal,
    /// Asked for in a calendar month (GMT) at most.
    #[serde(with = "money::text")]
    pub monthly_max: Decimal,
}

/// A request that has no answer yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RechargeRequest {
    /// Its name within the tenant.
    pub id: String,
    /// How much.
    #[serde(with = "money::text")]
    pub amount: Decimal,
    /// When it was made.
    pub at: Timestamp,
}

/// What was asked for in a day and its month, without what was declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The day of the latest request.
    pub day: Date,
    /// In that day.
    #[serde(with = "money::text")]
    pub daily: Decimal,
    /// In its month.
    #[serde(with = "money::text")]
    pub monthly: Decimal,
}

/// A tenant's auto-recharge.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Recharge {
    /// The rule; without one nothing is asked for. The rest is kept, so that names stay unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RechargeRule>,
    /// Requests without an answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<RechargeRequest>,
    /// Requests ever made.
    #[serde(default)]
    pub issued: u64,
    /// What was asked for lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// Declines in a row.
    #[serde(default)]
    pub declines: u32,
    /// No request before then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_until: Option<Timestamp>,
    /// Declined too often: no request until the rule is saved again.
    #[serde(default)]
    pub paused: bool,
}

impl RechargeRule {
    /// Refuses a rule that could never be carried out, or without bound.
    pub fn check(&self, currency: Currency) -> Result<(), &'static str> {
        let Self {
            threshold,
            refill,
            daily_max,
            monthly_max,
        } = *self;
        let (Refill::Amount(refilled) | Refill::Target(refilled)) = refill;
        let fits = |amount: Decimal| {
            money::check_amount(amount).is_ok()
                && amount.normalize().scale() <= currency.minor_scale()
        };
        if ![threshold, refilled, daily_max, monthly_max]
            .into_iter()
            .all(fits)
        {
            return Err("amounts must be in range and no finer than the currency's minor unit");
        }
        if daily_max <= Decimal::ZERO || monthly_max < daily_max {
            return Err("daily_max must be above 0 and monthly_max not below it");
        }
        match refill {
            Refill::Amount(amount) if amount <= Decimal::ZERO || amount > daily_max => {
                Err("amount must be above 0 and not above daily_max")
            }
            Refill::Target(target) if target <= threshold => Err("target must lie above threshold"),
            _ => Ok(()),
        }
    }
}

impl Recharge {
    /// Nothing was ever set up.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Money that was asked for and may still come.
    pub fn to_come(&self) -> Decimal {
        self.pending.iter().map(|request| request.amount).sum()
    }

    /// Saves a rule: declines before it no longer count.
    pub fn save(&mut self, rule: RechargeRule) {
        self.rule = Some(rule);
        self.clear_declines();
    }

    /// Asks for money, if the balance is too low and nothing stands against it.
    pub fn evaluate(
        &mut self,
        balance: Decimal,
        currency: Currency,
        now: Timestamp,
    ) -> Option<RechargeRequest> {
        let rule = self.rule?;
        let kept = SignedDuration::from_hours(PENDING_H);
        self.pending
            .retain(|request| now.duration_since(request.at) < kept);
        let is_blocked = self.paused || self.blocked_until.is_some_and(|until| now < until);
        let expected = balance + self.to_come();
        if is_blocked || expected >= rule.threshold || self.pending.len() >= PENDING_MAX {
            return None;
        }
        let asked = self.asked_on(day_of(now));
        let left = (rule.daily_max - asked.daily).min(rule.monthly_max - asked.monthly);
        let amount = match rule.refill {
            // A payer agreed to this amount: it is taken whole or not at all.
            Refill::Amount(amount) if amount <= left => amount,
            Refill::Amount(_) => return None,
            Refill::Target(target) => up(target - expected, currency).min(left),
        };
        if amount <= Decimal::ZERO {
            return None;
        }
        self.asked = Some(Asked {
            daily: asked.daily + amount,
            monthly: asked.monthly + amount,
            ..asked
        });
        self.issued += 1;
        let request = RechargeRequest {
            id: format!("rch_{}", self.issued),
            amount,
            at: now,
        };
        self.pending.push(request.clone());
        Some(request)
    }

    /// The money of a request came. Tells whether it was waited for.
    pub fn settle(&mut self, id: &str) -> bool {
        let Some(index) = self.position(id) else {
            return false;
        };
        self.pending.remove(index);
        self.clear_declines();
        true
    }

    /// A request was declined: the next one waits. `None`: it is not waited for (any more).
    pub fn decline(&mut self, id: &str, now: Timestamp) -> Option<RechargeRequest> {
        let request = self.pending.remove(self.position(id)?);
        let day = day_of(request.at);
        if let Some(asked) = &mut self.asked {
            if asked.day == day {
                asked.daily -= request.amount;
            }
            if asked.day.first_of_month() == day.first_of_month() {
                asked.monthly -= request.amount;
            }
        }
        let wait = usize::try_from(self.declines)
            .ok()
            .and_then(|declines| BACKOFF_H.get(declines));
        self.declines += 1;
        match wait {
            Some(hours) => {
                let until = now.saturating_add(SignedDuration::from_hours(*hours));
                self.blocked_until = Some(until.unwrap_or(Timestamp::MAX));
            }
            None => self.paused = true,
        }
        Some(request)
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.pending.iter().position(|request| request.id == id)
    }

    fn clear_declines(&mut self) {
        self.declines = 0;
        self.blocked_until = None;
        self.paused = false;
    }

    /// What was asked for on a day and in its month so far.
    fn asked_on(&self, day: Date) -> Asked {
        let none = Asked {
            day,
            daily: Decimal::ZERO,
            monthly: Decimal::ZERO,
        };
        match self.asked {
            Some(asked) if asked.day == day => asked,
            Some(asked) if asked.day.first_of_month() == day.first_of_month() => Asked {
                monthly: asked.monthly,
                ..none
            },
            _ => none,
        }
    }
}

/// The next whole minor unit: a target must be reached, not nearly reached.
fn up(amount: Decimal, currency: Currency) -> Decimal {
    let scale = currency.minor_scale();
    let cut = amount.trunc_with_scale(scale);
    if cut < amount {
        cut + Decimal::new(1, scale)
    } else {
        cut
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_772_323_200 + minute * 60).unwrap()
    }

    fn rule(refill: Refill) -> RechargeRule {
        RechargeRule {
            threshold: Decimal::TEN,
            refill,
            daily_max: Decimal::from(50),
            monthly_max: Decimal::from(70),
        }
    }

    fn with(refill: Refill) -> Recharge {
        let mut recharge = Recharge::default();
        recharge.save(rule(refill));
        recharge
    }

    fn ask(recharge: &mut Recharge, balance: Decimal, minute: i64) -> Option<Decimal> {
        let request = recharge.evaluate(balance, Currency::USD, at(minute));
        request.map(|request| request.amount)
    }

    #[test]
    fn money_to_come_counts_as_if_it_had_come() {
        let mut recharge = with(Refill::Target(Decimal::from(30)));
        let balance = Decimal::new(9_995, 3);
        assert_eq!(ask(&mut recharge, balance, 0), Some(Decimal::new(2_001, 2)));
        assert_eq!(ask(&mut recharge, balance, 1), None);
        assert!(recharge.settle("rch_1") && !recharge.settle("rch_1"));
        assert_eq!(ask(&mut recharge, Decimal::from(30), 2), None);
    }

    #[test]
    fn a_fixed_amount_is_taken_whole_or_not_at_all() {
        let mut recharge = with(Refill::Amount(Decimal::from(40)));
        assert_eq!(
            ask(&mut recharge, Decimal::ZERO, 0),
            Some(Decimal::from(40))
        );
        recharge.settle("rch_1");
        assert_eq!(ask(&mut recharge, Decimal::ZERO, 1), None);
        // The next day has its own maximum, the month does not.
        assert_eq!(ask(&mut recharge, Decimal::ZERO, 24 * 60), None);
        assert!(ask(&mut recharge, Decimal::ZERO, 31 * 24 * 60).is_some());
    }

    #[test]
    fn declines_wait_longer_each_time_and_then_pause_until_the_rule_is_saved() {
        let mut recharge = with(Refill::Amount(Decimal::TEN));
        let mut minute = 0;
        for hours in BACKOFF_H {
            let request = recharge
                .evaluate(Decimal::ZERO, Currency::USD, at(minute))
                .unwrap();
            assert!(recharge.decline(&request.id, at(minute)).is_some());
            assert_eq!(
                ask(&mut recharge, Decimal::ZERO, minute + hours * 60 - 1),
                None
            );
            minute += hours * 60;
        }
        let last = recharge
            .evaluate(Decimal::ZERO, Currency::USD, at(minute))
            .unwrap();
        recharge.decline(&last.id, at(minute));
        assert!(recharge.paused);
        assert_eq!(ask(&mut recharge, Decimal::ZERO, minute + 9_999), None);
        recharge.save(rule(Refill::Amount(Decimal::TEN)));
        assert!(ask(&mut recharge, Decimal::ZERO, minute + 9_999).is_some());
        assert!(recharge.decline("rch_1", at(minute)).is_none());
    }

    #[test]
    fn rules_without_sense_or_bound_are_refused() {
        let good = rule(Refill::Amount(Decimal::TEN));
        assert_eq!(good.check(Currency::USD), Ok(()));
        for wrong in [
            rule(Refill::Amount(Decimal::ZERO)),
            rule(Refill::Amount(Decimal::from(51))),
            rule(Refill::Amount(Decimal::new(10_001, 3))),
            rule(Refill::Target(Decimal::TEN)),
            RechargeRule {
                monthly_max: Decimal::TEN,
                ..good
            },
            RechargeRule {
                daily_max: Decimal::ZERO,
                ..good
            },
        ] {
            assert!(wrong.check(Currency::USD).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn maxima_are_kept_and_a_shortfall_is_never_asked_for_twice(
            by_target in any::<bool>(),
            steps in proptest::collection::vec((0_u8..4, -2_000_i64..3_000, 0_i64..400), 1..120),
        ) {
            let refill = if by_target { Refill::Target(Decimal::from(35)) } else { Refill::Amount(Decimal::from(15)) };
            let mut recharge = with(refill);
            let rule = rule(refill);
            let mut minute = 0;
            let mut asked: BTreeMap<String, (Date, Decimal)> = BTreeMap::new();
            for (kind, balance, passed) in steps {
                minute += passed;
                let balance = Decimal::new(balance, 2);
                let first = recharge.pending.first().map(|request| request.id.clone());
                match (kind, first) {
                    (0, Some(id)) => { recharge.settle(&id); }
                    (1, Some(id)) => if recharge.decline(&id, at(minute)).is_some() { asked.remove(&id); },
                    _ => {
                        let still = |request: &&RechargeRequest| at(minute).duration_since(request.at) < SignedDuration::from_hours(PENDING_H);
                        let expected = balance + recharge.pending.iter().filter(still).map(|request| request.amount).sum::<Decimal>();
                        if let Some(request) = recharge.evaluate(balance, Currency::USD, at(minute)) {
                            prop_assert!(expected < rule.threshold);
                            asked.insert(request.id, (day_of(at(minute)), request.amount));
                        }
                        // Asking again at once finds the shortfall covered, unless one amount does not cover it.
                        if balance + recharge.to_come() >= rule.threshold {
                            prop_assert!(recharge.clone().evaluate(balance, Currency::USD, at(minute)).is_none());
                        }
                    }
                }
                let today = day_of(at(minute));
                let of_day: Decimal = asked.values().filter(|(day, _)| *day == today).map(|(_, amount)| *amount).sum();
                let of_month: Decimal = asked.values().filter(|(day, _)| day.first_of_month() == today.first_of_month()).map(|(_, amount)| *amount).sum();
                prop_assert!(of_day <= rule.daily_max && of_month <= rule.monthly_max);
            }
        }
    }
}
