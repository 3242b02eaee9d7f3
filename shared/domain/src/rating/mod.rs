//! Rating: cumulative snapshots of usage become differences to book.
//!
//! The law: per line, the sum of booked charges is `rate(latest observation)` and the sum of booked costs is
//! the latest cost, whatever the order and repetition of deliveries. So a day's sheet keeps what is booked,
//! the new snapshot is rated as a whole, and only the difference is posted; a difference is never rounded.

mod model;
mod period;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

pub use model::{charge, quantity};
pub use period::{
    Bound, PeriodChanges, PeriodDelta, PeriodKey, PeriodLine, PeriodSheet, Reached, rate_periods,
};

use crate::lots::Part;
use crate::plan::{Origin, RuleSet};
use crate::usage::{DayUsage, Exchange, LineKey, Quantities};

/// What is booked for one tenant and day: a projection of the ledger's entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaySheet {
    /// GMT day.
    pub day: Date,
    /// Grows with each write; the next write is conditional on it. 0 = not written yet.
    pub rev: u64,
    /// Freshness mark of the observation that was booked last.
    pub as_of: Option<Timestamp>,
    /// Booked lines; zero lines are omitted.
    pub lines: BTreeMap<LineKey, SheetLine>,
    /// Set while the day cannot be booked: the stable code of its cause.
    pub held: Option<String>,
    /// What paid for the day's charges, in order.
    pub paid: Vec<Part>,
}

/// What is booked under one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SheetLine {
    /// Latest quantities and cost.
    pub quantities: Quantities,
    /// Charge for them; 0 where the rule is rated on the sums of a period.
    pub charge: Decimal,
}

/// One line of a usage entry: the observation and what it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineDelta {
    /// GMT day of the usage.
    pub day: Date,
    /// What it is booked under.
    pub key: LineKey,
    /// The quantities as now observed (all zero when the usage was taken back).
    pub observed: Quantities,
    /// Freshness mark of the observation.
    pub as_of: Option<Timestamp>,
    /// Change of cost.
    pub cost: Decimal,
    /// Change of charge.
    pub charge: Decimal,
    /// Where the rule comes from.
    pub origin: Origin,
    /// The rate that the cost was converted with.
    pub exchange: Option<Exchange>,
}

/// A day whose books change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayChange {
    /// The sheet to write, `rev` already advanced.
    pub sheet: DaySheet,
    /// What changed.
    pub lines: Vec<LineDelta>,
    /// By how much the sums of period rules change.
    pub moves: Vec<(PeriodKey, Quantities)>,
}

impl DaySheet {
    /// The sheet of a day that nothing is booked for.
    pub fn empty(day: Date) -> Self {
        Self {
            day,
            rev: 0,
            as_of: None,
            lines: BTreeMap::new(),
            held: None,
            paid: Vec::new(),
        }
    }

    /// Booked cost of the day.
    pub fn cost(&self) -> Decimal {
        self.lines.values().map(|line| line.quantities.cost).sum()
    }

    /// Booked charge of the day, without what is charged by period.
    pub fn charge(&self) -> Decimal {
        self.lines.values().map(|line| line.charge).sum()
    }
}

impl DayChange {
    /// Change of the day's charge.
    pub fn charge(&self) -> Decimal {
        self.lines.iter().map(|line| line.charge).sum()
    }
}

/// Rates a day's snapshot against what is booked. `None`: nothing to write.
///
/// An observation with an older freshness mark than the booked one is ignored.
pub fn rate_day(sheet: &DaySheet, usage: &DayUsage, rules: &RuleSet<'_>) -> Option<DayChange> {
    debug_assert_eq!(sheet.day, usage.day);
    if let (Some(booked), Some(observed)) = (sheet.as_of, usage.as_of)
        && observed < booked
    {
        return None;
    }
    // Nearly every day of nearly every run.
    if sheet.held.is_none() && agrees(sheet, usage) {
        return None;
    }
    let keys: BTreeSet<&LineKey> = sheet.lines.keys().chain(usage.lines.keys()).collect();
    let (mut lines, mut moves) = (Vec::new(), Vec::new());
    let mut booked = BTreeMap::new();
    for key in keys {
        let before = sheet.lines.get(key).copied().unwrap_or_default();
        let observed = usage.lines.get(key).copied().unwrap_or_default();
        let unchanged = observed == before.quantities;
        let rule = rules.by_id(&key.rule);
        // A line keeps the charge it was rated with until its observation changes.
        let charge = match rule {
            _ if unchanged => before.charge,
            Some(rule) if rule.model.is_of_period() => {
                let origin = rules.origin(&key.rule);
                let by = difference(observed, before.quantities);
                let key = PeriodKey {
                    origin,
                    rule: key.rule.clone(),
                };
                moves.push((key, by));
                Decimal::ZERO
            }
            Some(rule) => charge(rule.model, rule.margin_floor, &observed, 1),
            // Rules never leave a version: this is a sheet of another plan's day.
            None => before.charge,
        };
        if !observed.is_zero() {
            let line = SheetLine {
                quantities: observed,
                charge,
            };
            booked.insert(key.clone(), line);
        }
        if !unchanged {
            lines.push(LineDelta {
                day: usage.day,
                key: key.clone(),
                observed,
                as_of: usage.as_of,
                cost: observed.cost - before.quantities.cost,
                charge: charge - before.charge,
                origin: rules.origin(&key.rule),
                exchange: usage.exchange.clone(),
            });
        }
    }
    if lines.is_empty() && sheet.held.is_none() {
        return None;
    }
    let sheet = DaySheet {
        day: sheet.day,
        rev: sheet.rev + 1,
        as_of: usage.as_of.or(sheet.as_of),
        lines: booked,
        held: None,
        paid: sheet.paid.clone(),
    };
    Some(DayChange {
        sheet,
        lines,
        moves,
    })
}

/// Does a sheet hold exactly what was observed?
fn agrees(sheet: &DaySheet, usage: &DayUsage) -> bool {
    let booked = sheet.lines.iter();
    let booked = booked.map(|(key, line)| (key, &line.quantities));
    booked.eq(usage.lines.iter())
}

/// Marks a day as held. `None`: it already says so, nothing to write.
pub fn hold_day(sheet: &DaySheet, code: &str) -> Option<DayChange> {
    if sheet.held.as_deref() == Some(code) {
        return None;
    }
    let sheet = DaySheet {
        rev: sheet.rev + 1,
        held: Some(code.to_owned()),
        ..sheet.clone()
    };
    Some(DayChange {
        sheet,
        lines: Vec::new(),
        moves: Vec::new(),
    })
}

fn difference(after: Quantities, before: Quantities) -> Quantities {
    Quantities {
        count: after.count - before.count,
        usage: after.usage - before.usage,
        cost: after.cost - before.cost,
        seconds: after.seconds - before.seconds,
    }
}

#[cfg(test)]
pub(crate) mod tests;
