//! Rules that are rated on the sums of a billing period: tiers, packages, allowances, monthly fees.
//!
//! A period's sheet keeps the sums and what is booked for them; each run moves the sums by what days
//! changed, rates the whole and books the difference.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::{DayChange, model};
use crate::lots::Part;
use crate::period::{BillingCalendar, Period};
use crate::plan::{Matched, Model, Origin, RuleId};
use crate::usage::Quantities;

/// A rule of one plan version, or an override of the tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeriodKey {
    /// Where the rule comes from.
    pub origin: Origin,
    /// The rule.
    pub rule: RuleId,
}

/// What is booked for one rule in one period.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeriodLine {
    /// Sums over the period's days.
    pub sums: Quantities,
    /// Charge for them.
    pub charge: Decimal,
    /// What paid for it, in order.
    pub paid: Vec<Part>,
}

/// What is booked for one tenant and billing period: a projection of the ledger's entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodSheet {
    /// The period's name.
    pub start: Date,
    /// Grows with each write; the next write is conditional on it. 0 = not written yet.
    pub rev: u64,
    /// Rules with usage.
    pub rules: BTreeMap<PeriodKey, PeriodLine>,
}

/// A period rule's line of a usage entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodDelta {
    /// The period's name.
    pub period: Date,
    /// The rule.
    pub key: PeriodKey,
    /// The last day that changed: when the difference counts as having happened.
    pub day: Date,
    /// Sums as they now stand.
    pub sums: Quantities,
    /// Change of charge.
    pub charge: Decimal,
}

/// A period rule whose quantity reached a bound that somebody must hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The period's name.
    pub period: Date,
    /// The rule.
    pub key: PeriodKey,
    /// What was reached.
    pub bound: Bound,
    /// The quantity that it lies at.
    pub at: Decimal,
}

/// A bound of an allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Everything included is used.
    Included,
    /// The cap; new usage may go on.
    SoftCap,
    /// The cap; new usage is to be stopped.
    HardCap,
}

impl PeriodSheet {
    /// The sheet of a period that nothing is booked for.
    pub fn empty(start: Date) -> Self {
        Self {
            start,
            rev: 0,
            rules: BTreeMap::new(),
        }
    }

    /// Booked charge of the period's rules.
    pub fn charge(&self) -> Decimal {
        self.rules.values().map(|line| line.charge).sum()
    }
}

/// What a run changes in the sums of periods.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeriodChanges {
    /// Sheets to write, `rev` already advanced.
    pub sheets: Vec<PeriodSheet>,
    /// Lines of the entry, in order of period and rule.
    pub lines: Vec<PeriodDelta>,
    /// Bounds reached by this run.
    pub reached: Vec<Reached>,
}

/// By how much the sums of rules change, and the last day that changed them.
type Moved<'a> = BTreeMap<&'a PeriodKey, (Quantities, Date)>;

/// Moves the sums of period rules by what days changed, and rates them as a whole. `rule_on` finds a rule
/// among those in force on a day.
pub fn rate_periods<'a>(
    sheets: &[PeriodSheet],
    changes: &[DayChange],
    calendar: &BillingCalendar,
    rule_on: &dyn Fn(Date, &RuleId) -> Option<Matched<'a>>,
) -> PeriodChanges {
    let mut moved: BTreeMap<Date, (Period, Moved<'_>)> = BTreeMap::new();
    for change in changes.iter().filter(|change| !change.moves.is_empty()) {
        let day = change.sheet.day;
        let period = calendar.period_of(day);
        let (_, rules) = moved
            .entry(period.start)
            .or_insert_with(|| (period, BTreeMap::new()));
        for (key, by) in &change.moves {
            let (sum, last) = rules.entry(key).or_insert((Quantities::default(), day));
            sum.add(*by);
            *last = (*last).max(day);
        }
    }
    let mut result = PeriodChanges::default();
    for (start, (period, rules)) in moved {
        let known = sheets.iter().find(|sheet| sheet.start == start);
        let mut sheet = known.cloned().unwrap_or_else(|| PeriodSheet::empty(start));
        sheet.rev += 1;
        for (key, (by, day)) in rules {
            let Some(rule) = rule_on(day, &key.rule) else {
                continue;
            };
            let line = sheet.rules.entry(key.clone()).or_default();
            let before = (line.sums, line.charge);
            line.sums.add(by);
            line.charge = model::charge(rule.model, rule.margin_floor, &line.sums, period.days());
            result.lines.push(PeriodDelta {
                period: start,
                key: key.clone(),
                day,
                sums: line.sums,
                charge: line.charge - before.1,
            });
            let bounds = reached(rule.model, &before.0, &line.sums);
            result.reached.extend(bounds.map(|(bound, at)| Reached {
                period: start,
                key: key.clone(),
                bound,
                at,
            }));
        }
        result.sheets.push(sheet);
    }
    result
}

/// Bounds between two quantities, from below.
fn reached(
    model: &Model,
    before: &Quantities,
    after: &Quantities,
) -> impl Iterator<Item = (Bound, Decimal)> {
    let (from, to) = (
        model::quantity(model, before),
        model::quantity(model, after),
    );
    let bounds = match model {
        Model::Allowance {
            included,
            cap,
            hard,
            ..
        } => {
            let kind = if *hard {
                Bound::HardCap
            } else {
                Bound::SoftCap
            };
            [
                Some((Bound::Included, *included)),
                cap.map(|cap| (kind, cap)),
            ]
        }
        _ => [None, None],
    };
    let crossed = move |(_, at): &(Bound, Decimal)| from < *at && *at <= to;
    bounds.into_iter().flatten().filter(crossed)
}
