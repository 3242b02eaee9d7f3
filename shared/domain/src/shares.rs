//! What each line of a day was charged, charges of billing periods included; and what each single call or
//! message was, of that.
//!
//! A period rule's charge is one amount for many days: it is spread over their lines by quantity. Nothing is
//! rated here, only spread, so that shares always add up to what is booked.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::category::Category;
use crate::detail::Item;
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

/// What each item was charged of its day's category, and of carriers' fees: by cost, or by units where all
/// costs are zero. What is left belongs to no item.
pub fn charges_of(items: &[Item], shares: &[Share]) -> Vec<Decimal> {
    let mut pools: BTreeMap<(Date, &Category), Pool> = BTreeMap::new();
    for share in shares {
        let pool = pools.entry((share.day, &share.key.category)).or_default();
        pool.charge += share.charge;
        pool.cost += share.quantities.cost;
        pool.units += share.quantities.usage;
    }
    let mut groups: BTreeMap<(Date, Category), Vec<usize>> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        let day = item.day();
        groups
            .entry((day, item.category()))
            .or_default()
            .push(index);
        if let Some(fees) = item.family.carrier_fees() {
            groups.entry((day, fees)).or_default().push(index);
        }
    }
    let mut charges = vec![Decimal::ZERO; items.len()];
    for ((day, category), indices) in groups {
        let Some(pool) = pools.get(&(day, &category)) else {
            continue;
        };
        for (index, part) in indices.iter().zip(pool.spread(items, &indices)) {
            charges[*index] += part;
        }
    }
    charges
}

/// What is booked for a category on a day.
#[derive(Debug, Default)]
struct Pool {
    charge: Decimal,
    cost: Decimal,
    units: Decimal,
}

impl Pool {
    /// The items' parts; what the books know beyond them keeps its own.
    fn spread(&self, items: &[Item], indices: &[usize]) -> Vec<Decimal> {
        let of = |index: &usize| items[*index].price.unwrap_or_default();
        let mut weights: Vec<Decimal> = indices.iter().map(of).collect();
        let mut whole = self.cost;
        if weights.iter().all(Decimal::is_zero) {
            let of = |index: &usize| Decimal::from(items[*index].units);
            weights = indices.iter().map(of).collect();
            whole = self.units;
        }
        let known: Decimal = weights.iter().copied().sum();
        weights.push((whole - known).max(Decimal::ZERO));
        money::apportion(self.charge, &weights, LEDGER_SCALE)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::category::DetailFamily;
    use crate::detail::tests::item;
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
                let usage = DayUsage { day, as_of: None, lines: lines.into_iter().collect(), overlaps: false, exceeds: Vec::new(), exchange: None };
                rate_day(&DaySheet::empty(day), &usage, &rules)
            }).collect();
            let periods = rate_periods(&[], &changes, &calendar, &rule_on).sheets;
            let sheets: Vec<_> = changes.into_iter().map(|change| change.sheet).collect();
            let booked: Decimal = sheets.iter().map(DaySheet::charge).chain(periods.iter().map(PeriodSheet::charge)).sum();
            let spread = shares(&sheets, &periods, &calendar, &|_| Some(&rules));
            prop_assert_eq!(spread.iter().map(|share| share.charge).sum::<Decimal>(), booked);
        }

        #[test]
        fn items_never_take_more_than_is_booked(prices in proptest::collection::vec(proptest::option::of(0_i64..500), 1..20), cost in 0_i64..3_000, charge in 0_i64..9_000_000_000) {
            let items: Vec<Item> = prices.iter().map(|price| item(DetailFamily::Calls, "+442079460000", 61, *price)).collect();
            let share = Share {
                day: items[0].day(),
                key: key("calls-outbound", "default"),
                quantities: of(50, cost),
                charge: Decimal::new(charge, 9),
            };
            let charges = charges_of(&items, std::slice::from_ref(&share));
            let sum: Decimal = charges.iter().copied().sum();
            prop_assert!(sum <= share.charge && charges.iter().all(|charge| *charge >= Decimal::ZERO));
            let known: Decimal = items.iter().filter_map(|item| item.price).sum();
            if known >= share.quantities.cost && !known.is_zero() {
                prop_assert_eq!(sum, share.charge);
            }
        }
    }
}
