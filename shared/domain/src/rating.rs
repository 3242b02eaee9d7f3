//! Rating: cumulative snapshots of usage become differences to book.
//!
//! The law: per line, the sum of booked charges is `rate(latest observation)` and the sum of booked costs is
//! the latest cost, whatever the order and repetition of deliveries. So a day's sheet keeps what is booked,
//! the new snapshot is rated as a whole, and only the difference is posted; a difference is never rounded.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::plan::{PlanRef, PricePlan};
use crate::usage::{Category, DayUsage, Quantities};

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
    pub lines: BTreeMap<Category, SheetLine>,
    /// Set while the day cannot be booked: the stable code of its cause.
    pub held: Option<String>,
}

/// What is booked under one category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SheetLine {
    /// Latest quantities and cost.
    pub quantities: Quantities,
    /// Charge for them.
    pub charge: Decimal,
}

/// One line of a usage entry: the observation and what it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineDelta {
    /// GMT day of the usage.
    pub day: Date,
    /// Category.
    pub category: Category,
    /// The quantities as now observed (all zero when the usage was taken back).
    pub observed: Quantities,
    /// Freshness mark of the observation.
    pub as_of: Option<Timestamp>,
    /// Change of cost.
    pub cost: Decimal,
    /// Change of charge.
    pub charge: Decimal,
    /// The plan version that rated it.
    pub plan: PlanRef,
}

/// A day whose books change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayChange {
    /// The sheet to write, `rev` already advanced.
    pub sheet: DaySheet,
    /// What changed.
    pub lines: Vec<LineDelta>,
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
        }
    }

    /// Booked cost of the day.
    pub fn cost(&self) -> Decimal {
        self.lines.values().map(|line| line.quantities.cost).sum()
    }

    /// Booked charge of the day.
    pub fn charge(&self) -> Decimal {
        self.lines.values().map(|line| line.charge).sum()
    }
}

/// Rates a day's snapshot against what is booked. `None`: nothing to write.
///
/// An observation with an older freshness mark than the booked one is ignored.
pub fn rate_day(sheet: &DaySheet, usage: &DayUsage, plan: &PricePlan) -> Option<DayChange> {
    debug_assert_eq!(sheet.day, usage.day);
    if let (Some(booked), Some(observed)) = (sheet.as_of, usage.as_of)
        && observed < booked
    {
        return None;
    }
    let categories: BTreeSet<&Category> = sheet.lines.keys().chain(usage.lines.keys()).collect();
    let mut lines = Vec::new();
    let mut booked = BTreeMap::new();
    for category in categories {
        let before = sheet.lines.get(category).copied().unwrap_or_default();
        let observed = usage.lines.get(category).copied().unwrap_or_default();
        let unchanged = observed == before.quantities;
        // A line keeps the charge it was rated with until its observation changes.
        let charge = if unchanged {
            before.charge
        } else {
            plan.charge(category, observed.cost)
        };
        if observed != Quantities::default() {
            booked.insert(
                category.clone(),
                SheetLine {
                    quantities: observed,
                    charge,
                },
            );
        }
        if !unchanged {
            lines.push(LineDelta {
                day: usage.day,
                category: category.clone(),
                observed,
                as_of: usage.as_of,
                cost: observed.cost - before.quantities.cost,
                charge: charge - before.charge,
                plan: plan.reference.clone(),
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
    };
    Some(DayChange { sheet, lines })
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
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::money::{parse_decimal, to_text};
    use crate::plan::tests::plan;

    pub(crate) fn usage(as_of: i64, lines: &[(&str, i64)]) -> DayUsage {
        DayUsage {
            day: date(2026, 11, 1),
            as_of: Some(Timestamp::from_second(as_of).unwrap()),
            lines: lines
                .iter()
                .filter(|(_, cost)| *cost != 0)
                .map(|(name, cost)| {
                    (
                        Category::parse(name).unwrap(),
                        Quantities {
                            count: Decimal::ONE,
                            usage: Decimal::ONE,
                            cost: Decimal::new(*cost, 5),
                        },
                    )
                })
                .collect(),
            overlaps: false,
        }
    }

    fn booked(deltas: &[LineDelta]) -> (Decimal, Decimal) {
        (
            deltas.iter().map(|line| line.cost).sum(),
            deltas.iter().map(|line| line.charge).sum(),
        )
    }

    #[test]
    fn a_revision_up_down_and_to_zero_books_the_difference_only() {
        let plan = plan("1.3", &[], None);
        let mut sheet = DaySheet::empty(date(2026, 11, 1));
        for (as_of, price, cost_by, charged_by) in [
            (1, 790, "0.0079", "0.01027"),
            (2, 1_580, "0.0079", "0.01027"),
            (3, 1_000, "-0.0058", "-0.00754"),
            (4, 0, "-0.01", "-0.013"),
        ] {
            let change =
                rate_day(&sheet, &usage(as_of, &[("sms-outbound", price)]), &plan).unwrap();
            let (cost, margined) = booked(&change.lines);
            assert_eq!(
                (to_text(cost).as_str(), to_text(margined).as_str()),
                (cost_by, charged_by)
            );
            sheet = change.sheet;
        }
        assert!(sheet.lines.is_empty());
        assert_eq!(sheet.rev, 4);
    }

    #[test]
    fn the_same_observation_again_or_an_older_one_writes_nothing() {
        let plan = plan("1.3", &[], None);
        let sheet = rate_day(
            &DaySheet::empty(date(2026, 11, 1)),
            &usage(5, &[("sms-outbound", 790)]),
            &plan,
        )
        .unwrap()
        .sheet;
        assert_eq!(
            rate_day(&sheet, &usage(5, &[("sms-outbound", 790)]), &plan),
            None
        );
        assert_eq!(
            rate_day(&sheet, &usage(9, &[("sms-outbound", 790)]), &plan),
            None
        );
        assert_eq!(
            rate_day(&sheet, &usage(4, &[("sms-outbound", 900)]), &plan),
            None
        );
    }

    #[test]
    fn a_held_day_is_written_once_and_released_by_the_next_good_reading() {
        let plan = plan("1.3", &[], None);
        let held = hold_day(&DaySheet::empty(date(2026, 11, 1)), "unpriced")
            .unwrap()
            .sheet;
        assert_eq!(hold_day(&held, "unpriced"), None);
        let change = rate_day(&held, &usage(1, &[]), &plan).unwrap();
        assert_eq!((change.sheet.held, change.sheet.rev), (None, 2));
    }

    #[test]
    fn a_million_messages_are_charged_exactly() {
        let plan = plan("1.3", &[], None);
        let mut all = usage(1, &[("sms-outbound", 1)]);
        all.lines
            .values_mut()
            .for_each(|line| line.cost = parse_decimal("7900").unwrap());
        let change = rate_day(&DaySheet::empty(date(2026, 11, 1)), &all, &plan).unwrap();
        assert_eq!(to_text(change.sheet.charge()), "10270");
    }

    proptest! {
        #[test]
        fn any_order_and_repetition_of_snapshots_books_the_latest(
            snapshots in proptest::collection::vec(proptest::collection::vec(0_i64..500_000, 3), 1..8),
            order in proptest::collection::vec(0_usize..8, 1..30),
            multiplier in 1_i64..99_999,
        ) {
            let plan = plan(&to_text(Decimal::new(multiplier, 4)), &[("calls-outbound", "1.7777")], None);
            let names = ["sms-outbound", "calls-outbound", "other"];
            let observe = |index: usize| {
                let costs = &snapshots[index];
                usage(i64::try_from(index).unwrap() + 1, &[(names[0], costs[0]), (names[1], costs[1]), (names[2], costs[2])])
            };
            let mut sheet = DaySheet::empty(date(2026, 11, 1));
            let mut cost = Decimal::ZERO;
            let mut charge = Decimal::ZERO;
            let last = snapshots.len() - 1;
            for index in order.iter().map(|index| index % snapshots.len()).chain([last]) {
                if let Some(change) = rate_day(&sheet, &observe(index), &plan) {
                    cost += change.lines.iter().map(|line| line.cost).sum::<Decimal>();
                    charge += change.lines.iter().map(|line| line.charge).sum::<Decimal>();
                    sheet = change.sheet;
                }
            }
            let latest = observe(last);
            prop_assert_eq!(cost, latest.lines.values().map(|line| line.cost).sum::<Decimal>());
            prop_assert_eq!(charge, latest.lines.iter().map(|(category, line)| plan.charge(category, line.cost)).sum::<Decimal>());
            prop_assert_eq!((cost, charge), (sheet.cost(), sheet.charge()));
        }
    }
}
