//! Spend caps: how much a tenant may be charged in a GMT day and in a billing period.
//!
//! What counts is what is booked for the span's days. The sums stand in the wallet and move with each booking, so
//! that a cap needs no day sheet to be read again. A hard cap, once reached, holds until its span is over or
//! the cap is raised; a payment or a downward revision does not lift it.

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::event::Fact;
use crate::money::{self, LEDGER_SCALE};
use crate::period::{Period, day_of, end_of};
use crate::plan::rule::optional_text;

/// The bounds of one span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// Reaching it is told.
    #[serde(
        default,
        with = "optional_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub soft: Option<Decimal>,
    /// Reaching it places the hold `spend_cap`.
    #[serde(
        default,
        with = "optional_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub hard: Option<Decimal>,
}

/// A tenant's caps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caps {
    /// Of a GMT day.
    #[serde(default)]
    pub day: Cap,
    /// Of a billing period.
    #[serde(default)]
    pub month: Cap,
}

impl Cap {
    fn check(self) -> Result<(), &'static str> {
        for amount in [self.soft, self.hard].into_iter().flatten() {
            let fits = money::check_amount(amount).is_ok()
                && amount.normalize().scale() <= LEDGER_SCALE
                && amount > Decimal::ZERO;
            if !fits {
                return Err("a cap is a positive amount of at most 9 decimals");
            }
        }
        match (self.soft, self.hard) {
            (Some(soft), Some(hard)) if soft > hard => Err("soft must not exceed hard"),
            _ => Ok(()),
        }
    }
}

impl Caps {
    /// Refuses caps that could never be reached in their order.
    pub fn check(&self) -> Result<(), &'static str> {
        self.day.check()?;
        self.month.check()
    }

    /// Is nothing capped?
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What was charged for the days of a span, and what was told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    /// First day of the span.
    pub from: Date,
    /// Last day of the span.
    pub to: Date,
    /// Booked for its days.
    #[serde(with = "money::text")]
    pub charged: Decimal,
    /// The soft cap was reached, and that was told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_soft_told: bool,
    /// The hard cap that was reached: the hold stands until the span is over or the cap is raised.
    #[serde(
        default,
        with = "optional_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub capped_at: Option<Decimal>,
}

/// A tenant's caps and how far they are used up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    /// The caps.
    #[serde(default, skip_serializing_if = "Caps::is_default")]
    pub caps: Caps,
    /// Of the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Meter>,
    /// Of the billing period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<Meter>,
}

/// Charges of the spans that a moment lies in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charges {
    /// The GMT day.
    pub today: Date,
    /// First and last day of the billing period.
    pub period: (Date, Date),
    /// For the day.
    pub in_day: Decimal,
    /// For the period's days.
    pub in_period: Decimal,
}

impl Charges {
    /// No charges yet of a day and its billing period.
    pub fn none(today: Date, period: &Period) -> Self {
        Self {
            today,
            period: (period.first_day, period.last_day),
            in_day: Decimal::ZERO,
            in_period: Decimal::ZERO,
        }
    }

    /// Adds what was charged for a day.
    pub fn add(&mut self, day: Date, charge: Decimal) {
        if day == self.today {
            self.in_day += charge;
        }
        if self.period.0 <= day && day <= self.period.1 {
            self.in_period += charge;
        }
    }
}

impl Meter {
    fn of(span: (Date, Date), charged: Decimal) -> Self {
        Self {
            from: span.0,
            to: span.1,
            charged,
            is_soft_told: false,
            capped_at: None,
        }
    }

    fn is_over(&self, today: Date) -> bool {
        self.to < today
    }

    /// Tells that its hold is over, if one stood.
    fn lifted(&self, span: &'static str) -> Option<Fact> {
        self.capped_at.map(|_| Fact::HardCapLifted {
            span,
            from: self.from,
        })
    }

    /// Takes the facts that a cap makes of it.
    fn judge(&mut self, cap: Cap, span: &'static str, facts: &mut Vec<Fact>) {
        let is_raised = |at: Decimal| cap.hard.is_none_or(|hard| at < hard && self.charged < hard);
        if self.capped_at.is_some_and(is_raised) {
            facts.extend(self.lifted(span));
            self.capped_at = None;
        }
        let reached = |cap: Option<Decimal>| cap.filter(|cap| *cap <= self.charged);
        let (soft, hard) = (reached(cap.soft), reached(cap.hard));
        if let Some(soft) = soft.filter(|_| !self.is_soft_told) {
            self.is_soft_told = true;
            facts.push(Fact::SoftCapReached {
                span,
                from: self.from,
                charged: self.charged,
                cap: soft,
            });
        }
        if let Some(hard) = hard.filter(|_| self.capped_at.is_none()) {
            self.capped_at = Some(hard);
            facts.push(Fact::HardCapReached {
                span,
                from: self.from,
                charged: self.charged,
                cap: hard,
                until: end_of(self.to),
            });
        }
    }
}

impl Spend {
    /// Is nothing capped and nothing counted?
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Is a hard cap reached?
    pub fn is_capped(&self) -> bool {
        self.meters().any(|(_, meter)| meter.capped_at.is_some())
    }

    /// When the first hold of a cap ends by itself.
    pub fn next_action_at(&self) -> Option<Timestamp> {
        let capped = self.meters().filter(|(_, meter)| meter.capped_at.is_some());
        capped.map(|(_, meter)| end_of(meter.to)).min()
    }

    fn meters(&self) -> impl Iterator<Item = (&'static str, &Meter)> {
        let day = self.day.iter().map(|meter| ("day", meter));
        day.chain(self.month.iter().map(|meter| ("month", meter)))
    }

    /// Takes the facts of now: spans that are over, what a booking charged besides, caps that are reached, holds
    /// whose cap was raised. Without caps nothing is counted.
    pub fn settle(&mut self, charges: Option<&Charges>, now: Timestamp) -> Vec<Fact> {
        let mut facts = Vec::new();
        let today = day_of(now);
        for (span, meter) in [("day", &mut self.day), ("month", &mut self.month)] {
            if let Some(over) = meter.take_if(|meter| meter.is_over(today)) {
                facts.extend(over.lifted(span));
            }
        }
        if let Some(charges) = charges.filter(|_| !self.caps.is_default()) {
            self.count(charges);
        }
        let caps = self.caps;
        for (span, meter, cap) in [
            ("day", &mut self.day, caps.day),
            ("month", &mut self.month, caps.month),
        ] {
            if let Some(meter) = meter {
                meter.judge(cap, span, &mut facts);
            }
        }
        facts
    }

    fn count(&mut self, charges: &Charges) {
        let day = (charges.today, charges.today);
        for (meter, span, charged) in [
            (&mut self.day, day, charges.in_day),
            (&mut self.month, charges.period, charges.in_period),
        ] {
            match meter {
                Some(known) if known.from == span.0 => known.charged += charged,
                Some(known) if known.capped_at.is_some() => {}
                _ if charged.is_zero() => {}
                _ => *meter = Some(Meter::of(span, charged)),
            }
        }
    }

    /// Sets other caps. What the spans of now were charged so far was counted from the books.
    pub fn set(&mut self, caps: Caps, charges: &Charges) {
        let before = self.caps;
        self.caps = caps;
        let day = (charges.today, charges.today);
        for (meter, span, charged, changed) in [
            (
                &mut self.day,
                day,
                charges.in_day,
                before.day.soft != caps.day.soft,
            ),
            (
                &mut self.month,
                charges.period,
                charges.in_period,
                before.month.soft != caps.month.soft,
            ),
        ] {
            let mut next = Meter::of(span, charged);
            if let Some(known) = meter.as_ref().filter(|known| known.from == span.0) {
                next.is_soft_told = known.is_soft_told && !changed;
                next.capped_at = known.capped_at;
            }
            *meter = Some(next);
        }
    }
}

#[cfg(test)]
mod tests;
