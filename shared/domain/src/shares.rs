//! What each line of a day was charged, charges of billing periods included.
//!
//! A period rule's charge is one amount for many days: it is spread over their lines by quantity. Nothing is
//! rated here, only spread, so that shares always add up to what is booked.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::category::Category;
use crate::money::{self, LEDGER_SCALE};
use crate::period::BillingCalendar;
use crate::plan::RuleSet;
use crate::rating::{DaySheet, PeriodKey, PeriodSheet, quantity};
use crate::usage::{LineKey, Quantities};

/// One line of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// GMT day.
    pub day: Date,
    /// Category and rule.
    pub key: LineKey,
    /// What was used, and Twilio's cost.
    pub quantities: Quantities,
    /// The charge, with its share of period charges.
    pub charge: Decimal,
}

/// Spreads what is booked over the lines of days. The sheets must hold whole billing periods.
pub fn shares<'a>(
    sheets: &[DaySheet],
    periods: &[PeriodSheet],
    calendar: &BillingCalendar,
    rules: &dyn Fn(Date) -> Option<&'a RuleSet<'a>>,
) -> Vec<Share> {
    let mut shares = Vec::new();
    let mut of_rule: BTreeMap<(Date, PeriodKey), Vec<(usize, Decimal)>> = BTreeMap::new();
    for sheet in sheets {
        let start = calendar.period_of(sheet.day).start;
        let in_force = rules(sheet.day);
        for (key, line) in &sheet.lines {
            let rule = in_force.and_then(|rules| Some((rules, rules.by_id(&key.rule)?)));
            if let Some((rules, rule)) = rule.filter(|(_, rule)| rule.model.is_of_period()) {
                let period_key = PeriodKey {
                    origin: rules.origin(&key.rule),
                    rule: key.rule.clone(),
                };
                let units = quantity(rule.model, &line.quantities);
                let lines = of_rule.entry((start, period_key)).or_default();
                lines.push((shares.len(), units));
            }
            shares.push(Share {
                day: sheet.day,
                key: key.clone(),
                quantities: line.quantities,
                charge: line.charge,
            });
        }
    }
    for period in periods {
        for (key, line) in &period.rules {
            let lines = of_rule.remove(&(period.start, key.clone()));
            let lines = lines.unwrap_or_default();
            let weights: Vec<Decimal> = lines.iter().map(|(_, units)| *units).collect();
            let parts = money::apportion(line.charge, &weights, LEDGER_SCALE);
            for ((index, _), part) in lines.iter().zip(parts) {
                shares[*index].charge += part;
            }
            // A charge whose usage was taken back stands alone.
            if lines.is_empty() && !line.charge.is_zero() {
                shares.push(Share {
                    day: period.start,
                    key: LineKey {
                        category: Category::OTHER,
                        rule: key.rule.clone(),
                    },
                    quantities: Quantities::default(),
                    charge: line.charge,
                });
            }
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::tests::plan;
    use crate::plan::{Measure, Model, RuleId};
    use crate::rating::{rate_day, rate_periods};
    use crate::usage::DayUsage;

    fn key(category: &str, rule: &str) -> LineKey {
        LineKey {
            category: Category::parse(category).unwrap(),
            rule: RuleId::parse(rule).unwrap(),
        }
    }

    fn of(units: i64, cost: i64) -> Quantities {
        Quantities {
            usage: Decimal::from(units),
            cost: Decimal::new(cost, 5),
            ..Quantities::default()
        }
    }

    proptest! {
        #[test]
        fn shares_add_up_to_what_is_booked(units in proptest::collection::vec(0_i64..10_000, 1..40)) {
            let mut plan = plan("1.3", &[("sms-outbound", "2")], None);
            plan.rules[0].model = Model::Package { size: Decimal::from(333), package_price: Decimal::new(7_001, 3), per: Measure::Usage };
            let first = jiff::civil::date(2026, 3, 1);
            let rules = RuleSet::new(&plan, &[], first);
            let calendar = BillingCalendar::new("UTC", 1).unwrap();
            let rule_on = |_: Date, id: &RuleId| rules.by_id(id);
            let days = first.series(jiff::Span::new().days(1)).zip(units);
            let changes: Vec<_> = days.filter_map(|(day, units)| {
                let lines = BTreeMap::from([(key("sms-outbound", "sms-outbound"), of(units, units)), (key("other", "default"), of(0, 7))]);
                let usage = DayUsage { day, as_of: None, lines, overlaps: false, exceeds: Vec::new(), exchange: None };
                rate_day(&DaySheet::empty(day), &usage, &rules)
            }).collect();
            let periods = rate_periods(&[], &changes, &calendar, &rule_on).sheets;
            let sheets: Vec<_> = changes.into_iter().map(|change| change.sheet).collect();
            let booked: Decimal = sheets.iter().map(DaySheet::charge).chain(periods.iter().map(PeriodSheet::charge)).sum();
            let spread = shares(&sheets, &periods, &calendar, &|_| Some(&rules));
            prop_assert_eq!(spread.iter().map(|share| share.charge).sum::<Decimal>(), booked);
        }
    }
}
