//! Guards against spending that nobody wants: a tenant that is charged much more than in its own past, and
//! destinations that are known for fraud. They tell; caps and holds are what stops.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::category::Direction;
use crate::detail::Item;
use crate::event::Fact;
use crate::money::{self, LEDGER_SCALE};
use crate::plan::rule::optional_text;
use crate::rating::DaySheet;

/// Weeks that a day is compared with.
pub const WEEKS: i32 = 4;
/// Prefixes of a plan.
pub const PREFIXES_MAX: usize = 100;
/// Digits of a prefix: no telephone number is longer (ITU-T E.164).
const PREFIX_DIGITS_MAX: usize = 15;
/// Largest factor.
const FACTOR_MAX: i64 = 1_000;

/// What the guards of a plan's tenants look for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GuardPolicy {
    /// Much more than usual; absent: not looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub velocity: Option<Velocity>,
    /// Destinations known for fraud, as E.164 digits without `+`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub high_risk_prefixes: Vec<String>,
    /// What Twilio's own triggers watch where a tenant has no hard cap.
    #[serde(skip_serializing_if = "TriggerPolicy::is_default")]
    pub triggers: TriggerPolicy,
}

/// Much more than usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Velocity {
    /// So many times the average of the same weekday in the past four weeks.
    #[serde(with = "money::text")]
    pub factor: Decimal,
    /// And at least this much.
    #[serde(with = "money::text")]
    pub minimum: Decimal,
}

/// Totals at which Twilio itself tells us, in Twilio's currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerPolicy {
    /// Of a GMT day.
    #[serde(
        default,
        with = "optional_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub day: Option<Decimal>,
    /// Of a calendar month.
    #[serde(
        default,
        with = "optional_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub month: Option<Decimal>,
}

impl TriggerPolicy {
    /// Is there none?
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl GuardPolicy {
    /// Is nothing looked for?
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses a policy that would alarm always or never.
    pub fn check(&self) -> Result<(), &'static str> {
        if let Some(velocity) = self.velocity {
            let factor = velocity.factor;
            if factor <= Decimal::ONE || factor > Decimal::from(FACTOR_MAX) || factor.scale() > 4 {
                return Err("guards.velocity.factor lies above 1, at 1,000 at most");
            }
            if velocity.minimum <= Decimal::ZERO || money::check_amount(velocity.minimum).is_err() {
                return Err("guards.velocity.minimum is a positive amount");
            }
        }
        let amounts = [self.triggers.day, self.triggers.month];
        let is_amount = |amount: &Decimal| {
            *amount > Decimal::ZERO && money::check_amount(*amount).is_ok() && amount.scale() <= 6
        };
        if !amounts.iter().flatten().all(is_amount) {
            return Err("guards.triggers are positive amounts of at most 6 decimals");
        }
        let is_prefix = |prefix: &String| {
            (1..=PREFIX_DIGITS_MAX).contains(&prefix.len())
                && prefix.bytes().all(|byte| byte.is_ascii_digit())
        };
        let prefixes = &self.high_risk_prefixes;
        if prefixes.len() > PREFIXES_MAX || !prefixes.iter().all(is_prefix) {
            return Err("guards.high_risk_prefixes: at most 100, each 1 to 15 digits without +");
        }
        Ok(())
    }
}

/// Alarms of a day that were told: each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// The day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Date>,
    /// The velocity alarm was told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_velocity_told: bool,
    /// Prefixes that were told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
}

/// What the guards look at.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// GMT day.
    pub today: Date,
    /// Charged for it so far.
    pub charged: Decimal,
    /// The sheets of this weekday in past weeks, and in how many of them the tenant was in service; absent where they
    /// were not read.
    pub past: Option<(&'a [DaySheet], u32)>,
    /// Calls and messages that are known.
    pub items: &'a [Item],
}

impl Watched {
    /// Was nothing told?
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Was today's velocity alarm told?
    pub fn knows_velocity(&self, today: Date) -> bool {
        self.day == Some(today) && self.is_velocity_told
    }

    /// Takes the alarms that are due and were not told today.
    pub fn look(&mut self, policy: &GuardPolicy, sight: &Sight<'_>) -> Vec<Fact> {
        let mut next = match self.day {
            Some(day) if day == sight.today => self.clone(),
            _ => Self {
                day: Some(sight.today),
                ..Self::default()
            },
        };
        let mut facts = Vec::new();
        if !next.is_velocity_told
            && let Some(alarm) = velocity(policy, sight)
        {
            next.is_velocity_told = true;
            facts.push(alarm);
        }
        for (prefix, (count, units)) in risky(policy, sight) {
            if !next.prefixes.contains(prefix) {
                next.prefixes.push(prefix.clone());
                facts.push(Fact::HighRiskDestination {
                    day: sight.today,
                    prefix: prefix.clone(),
                    count,
                    units,
                });
            }
        }
        if !facts.is_empty() {
            *self = next;
        }
        facts
    }
}

fn velocity(policy: &GuardPolicy, sight: &Sight<'_>) -> Option<Fact> {
    let velocity = policy.velocity?;
    let (sheets, weeks) = sight.past?;
    let past: Decimal = sheets.iter().map(DaySheet::charge).sum();
    // A tenant without a past is held against the minimum alone.
    let usual = past.checked_div(Decimal::from(weeks)).unwrap_or_default();
    let usual = money::round(usual, LEDGER_SCALE);
    let is_alarming = sight.charged >= velocity.minimum && sight.charged > velocity.factor * usual;
    is_alarming.then_some(Fact::VelocityAlarm {
        day: sight.today,
        charged: sight.charged,
        usual,
    })
}

/// Calls and messages of today by the longest risky prefix of their destination, and how long they were.
fn risky<'a>(policy: &'a GuardPolicy, sight: &Sight<'_>) -> BTreeMap<&'a String, (u64, u64)> {
    let mut found: BTreeMap<&String, (u64, u64)> = BTreeMap::new();
    let sent = sight
        .items
        .iter()
        .filter(|item| item.direction == Direction::Outbound && item.day() == sight.today);
    for item in sent {
        let Some(digits) = item.digits() else {
            continue;
        };
        let prefixes = policy.high_risk_prefixes.iter();
        let matching = prefixes.filter(|prefix| digits.starts_with(prefix.as_str()));
        if let Some(prefix) = matching.max_by_key(|prefix| prefix.len()) {
            let sum = found.entry(prefix).or_default();
            *sum = (sum.0 + 1, sum.1 + item.units);
        }
    }
    found
}

#[cfg(test)]
mod tests;
