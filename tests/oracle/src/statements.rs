//! Statements: section 8.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::books::{Books, Item, begins, next, noon, period_at};
use crate::price::{Key, Line, Rules, Source, quantity, round};
use crate::world::{Plan, Tenant};

/// A statement's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Period of a correction; none for a line of the statement's own.
    pub of: Option<Date>,
    /// Category; empty for a correction of a period rule.
    pub category: String,
    /// Rule.
    pub rule: String,
    /// How many.
    pub count: Decimal,
    /// How much.
    pub usage: Decimal,
    /// Exact.
    pub charge: Decimal,
    /// In cents.
    pub shown: Decimal,
}

/// A final statement.
#[derive(Debug, Clone)]
pub struct Statement {
    /// First date of the period.
    pub period: Date,
    /// First moment behind.
    pub end: Timestamp,
    /// Last entry.
    pub through: u64,
    /// Lines, then corrections.
    pub rows: Vec<Shown>,
    /// Exact charges.
    pub exact: Decimal,
    /// In cents.
    pub net: Decimal,
    /// Tax.
    pub tax: Decimal,
    /// Balance before.
    pub opening: Decimal,
    /// All but charges and tax.
    pub moved: Decimal,
    /// Balance after.
    pub closing: Decimal,
}

impl Books {
    /// States a period as of now; nothing is booked.
    pub fn state(
        &self,
        plans: &[Plan],
        tenant: &Tenant,
        start: Date,
        _now: Timestamp,
    ) -> Statement {
        let end = begins(tenant, next(tenant, start));
        let (through, before) = (self.entries, self.statements.last());
        let belongs = |seq: u64, at: Timestamp| {
            let is_earlier = before.is_some_and(|one| seq <= one.through && at < one.end);
            at < end && !is_earlier
        };
        let mut own: BTreeMap<Key, (BTreeMap<Date, Line>, Decimal)> = BTreeMap::new();
        let mut rules: BTreeMap<(Source, String), Decimal> = BTreeMap::new();
        let mut late: BTreeMap<(Date, String, String), Decimal> = BTreeMap::new();
        let mut moved = Decimal::ZERO;
        for (seq, item) in &self.items {
            match item {
                Item::Line {
                    day,
                    key,
                    observed,
                    charge,
                } if belongs(*seq, noon(*day)) => {
                    let period = period_at(tenant, noon(*day));
                    if period == start {
                        let line = own.entry(key.clone()).or_default();
                        line.0.insert(*day, observed.clone());
                        line.1 += *charge;
                    } else {
                        let of = (period, key.0.clone(), key.1.clone());
                        *late.entry(of).or_default() += *charge;
                    }
                }
                Item::Rule {
                    period,
                    source,
                    rule,
                    day,
                    charge,
                } if belongs(*seq, noon(*day)) => {
                    if *period == start {
                        *rules.entry((*source, rule.clone())).or_default() += *charge;
                    } else {
                        let of = (*period, String::new(), rule.clone());
                        *late.entry(of).or_default() += *charge;
                    }
                }
                Item::Other(at, amount) if belongs(*seq, *at) => moved += *amount,
                _ => {}
            }
        }
        let sum = |days: &BTreeMap<Date, Line>| {
            let mut sum = Line::default();
            for line in days.values() {
                sum.add(line);
            }
            sum
        };
        for ((source, rule), charge) in rules {
            let mut parts: Vec<(Key, Decimal)> = Vec::new();
            for (key, (days, _)) in own.iter().filter(|(key, _)| key.1 == rule) {
                let model = self.days.keys().find_map(|day| {
                    let found = Rules::on(plans, tenant, *day)?.named(&rule)?;
                    (found.source == source).then_some(found)
                });
                let line = sum(days);
                let weight =
                    model.map_or(line.usage, |one| quantity(&one.model, one.per_count, &line));
                parts.push((key.clone(), weight));
            }
            if parts.is_empty() {
                own.entry(("other".to_owned(), rule)).or_default().1 += charge;
                continue;
            }
            let weights: Vec<Decimal> = parts.iter().map(|(_, weight)| *weight).collect();
            for ((key, _), part) in parts.iter().zip(apportion(charge, &weights, 9)) {
                own.get_mut(key).expect("a line").1 += part;
            }
        }
        let mut rows = Vec::new();
        for ((category, rule), (days, charge)) in own {
            let line = sum(&days);
            if !(line.count.is_zero() && line.usage.is_zero() && charge.is_zero()) {
                rows.push(Shown {
                    of: None,
                    category,
                    rule,
                    count: line.count,
                    usage: line.usage,
                    charge,
                    shown: Decimal::ZERO,
                });
            }
        }
        for ((period, category, rule), charge) in late {
            if !charge.is_zero() {
                rows.push(Shown {
                    of: Some(period),
                    category,
                    rule,
                    count: Decimal::ZERO,
                    usage: Decimal::ZERO,
                    charge,
                    shown: Decimal::ZERO,
                });
            }
        }
        let exact: Decimal = rows.iter().map(|row| row.charge).sum();
        let net = round(exact, 2);
        let charges: Vec<Decimal> = rows.iter().map(|row| row.charge).collect();
        for (row, shown) in rows.iter_mut().zip(show(net, &charges, 2)) {
            row.shown = shown;
        }
        let is_taxed = !tenant.is_exempt && net > Decimal::ZERO;
        let tax = if is_taxed {
            round(net * tenant.tax, 2)
        } else {
            Decimal::ZERO
        };
        let opening = before.map_or(Decimal::ZERO, |one| one.closing);
        Statement {
            period: start,
            end,
            through,
            rows,
            exact,
            net,
            tax,
            opening,
            moved,
            closing: opening + moved - net - tax,
        }
    }
}

/// Shares by weight that add up: each cut towards zero, the missing units to the largest remainders.
pub fn apportion(total: Decimal, weights: &[Decimal], scale: u32) -> Vec<Decimal> {
    let sum: Decimal = weights.iter().sum();
    let is_usable = !sum.is_zero() && weights.iter().all(|weight| *weight >= Decimal::ZERO);
    if !is_usable {
        let mut parts = vec![Decimal::ZERO; weights.len()];
        parts[0] = total;
        return parts;
    }
    // Everything times the sum of weights, so that nothing is divided but to be cut.
    let whole: Vec<Decimal> = weights.iter().map(|weight| total * weight).collect();
    let unit = Decimal::new(1, scale);
    let mut parts: Vec<Decimal> = whole
        .iter()
        .map(|amount| (amount / sum).trunc_with_scale(scale))
        .collect();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    let rest = |index: usize| (whole[index] - parts[index] * sum).abs();
    order.sort_by_key(|index| std::cmp::Reverse(rest(*index)));
    let mut missing = total - parts.iter().sum::<Decimal>();
    for index in order {
        if missing.abs() >= unit {
            let step = if missing > Decimal::ZERO { unit } else { -unit };
            parts[index] += step;
            missing -= step;
        }
    }
    parts
}

/// Cuts each amount towards zero; the units that are missing to the total go, one by one, to the largest
/// remainders in the direction of what is missing.
pub fn show(total: Decimal, exact: &[Decimal], scale: u32) -> Vec<Decimal> {
    let mut shown: Vec<Decimal> = exact
        .iter()
        .map(|amount| amount.trunc_with_scale(scale))
        .collect();
    let unit = Decimal::new(1, scale);
    let mut missing = total - shown.iter().sum::<Decimal>();
    let mut taken = vec![false; exact.len()];
    while missing.abs() >= unit {
        let up = missing > Decimal::ZERO;
        let mut best: Option<(usize, Decimal)> = None;
        for (index, amount) in exact.iter().enumerate().filter(|(index, _)| !taken[*index]) {
            let rest = amount - amount.trunc_with_scale(scale);
            let rest = if up { rest } else { -rest };
            if best.is_none_or(|(_, known)| rest > known) {
                best = Some((index, rest));
            }
        }
        let Some((index, _)) = best else {
            taken.fill(false);
            continue;
        };
        taken[index] = true;
        let step = if up { unit } else { -unit };
        shown[index] += step;
        missing -= step;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> Vec<Decimal> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn shown_amounts_add_up_by_the_largest_remainders() {
        let shown = show(
            "1.00".parse().unwrap(),
            &of(&["0.333", "0.333", "0.334"]),
            2,
        );
        assert_eq!(shown, of(&["0.33", "0.33", "0.34"]));
        let shown = show("-0.01".parse().unwrap(), &of(&["-0.006", "-0.004"]), 2);
        assert_eq!(shown, of(&["-0.01", "0"]));
        let shown = apportion("10".parse().unwrap(), &of(&["1", "1", "1"]), 2);
        assert_eq!(shown, of(&["3.34", "3.33", "3.33"]));
    }
}
