//! What a statement says, from entries within bounds: see section 8 of MONEY.md.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use super::{Content, Correction, Line, Movement, Totals};
use crate::category::Category;
use crate::ledger::{Entry, EntryKind};
use crate::money::{self, Currency, LEDGER_SCALE};
use crate::period::{BillingCalendar, Period, noon};
use crate::plan::{Model, RuleId};
use crate::rating::{PeriodKey, quantity};
use crate::usage::Quantities;

/// Where the statement before ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// First entry that may belong to the next one.
    pub from_entry: u64,
    /// Last entry of it.
    pub through: u64,
    /// First instant after it.
    pub end: Timestamp,
    /// Its closing balance.
    pub closing: Decimal,
}

impl Bounds {
    /// Before the first statement.
    pub fn none() -> Self {
        Self {
            from_entry: 1,
            through: 0,
            end: Timestamp::MIN,
            closing: Decimal::ZERO,
        }
    }
}

/// Tax terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tax {
    /// As a share.
    pub rate: Decimal,
    /// None is charged.
    pub is_exempt: bool,
}

/// What a statement is computed from.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// Currency of all amounts.
    pub currency: Currency,
    /// The billing period.
    pub period: &'a Period,
    /// The tenant's billing periods.
    pub calendar: &'a BillingCalendar,
    /// The statement before.
    pub before: Bounds,
    /// Last entry that belongs to it.
    pub through: u64,
    /// Entries from `before.from_entry` to `through`, in order.
    pub entries: &'a [Entry],
    /// The model of a rule that is rated on a period's sums.
    pub model: &'a dyn Fn(&PeriodKey) -> Option<&'a Model>,
    /// Number of the statement of an earlier period.
    pub number: &'a dyn Fn(Date) -> Option<String>,
    /// Tax terms.
    pub tax: Tax,
}

#[derive(Default)]
struct LineSum {
    /// The last observation of each day.
    days: BTreeMap<Date, Quantities>,
    charge: Decimal,
}

#[derive(Default)]
struct Sums {
    lines: BTreeMap<(Category, RuleId), LineSum>,
    /// Charges of rules rated on the period's sums.
    rules: BTreeMap<PeriodKey, Decimal>,
    /// Which lines a rule's usage stands on, by where the rule comes from.
    corrections: BTreeMap<(Date, Option<Category>, RuleId), Decimal>,
    movements: Vec<Movement>,
    /// First entry with an item of a later period.
    later: Option<u64>,
}

/// Computes a statement: what it says, what it adds up to, and the first entry that may belong to the next.
pub fn build(input: &Input<'_>) -> (Content, Totals, u64) {
    let mut sums = Sums::default();
    for entry in input.entries {
        if entry.seq <= input.through {
            sums.add(input, entry);
        }
    }
    let next_entry = sums.later.unwrap_or(input.through + 1);
    sums.spread(input);
    let (mut lines, mut corrections) = (Vec::new(), Vec::new());
    for ((category, rule), sum) in sums.lines {
        let mut quantities = Quantities::default();
        for of_day in sum.days.into_values() {
            quantities.add(of_day);
        }
        let is_empty = quantities.count.is_zero() && quantities.usage.is_zero();
        if !(is_empty && sum.charge.is_zero()) {
            lines.push(Line {
                category,
                rule,
                count: quantities.count,
                usage: quantities.usage,
                charge: sum.charge,
                shown: Decimal::ZERO,
            });
        }
    }
    for ((period, category, rule), charge) in sums.corrections {
        if !charge.is_zero() {
            corrections.push(Correction {
                period,
                reference: (input.number)(period),
                category,
                rule,
                charge,
                shown: Decimal::ZERO,
            });
        }
    }
    let mut content = Content {
        lines,
        corrections,
        movements: sums.movements,
    };
    let totals = total(input, &mut content);
    (content, totals, next_entry)
}

impl Sums {
    fn add(&mut self, input: &Input<'_>, entry: &Entry) {
        for line in &entry.lines {
            if !self.belongs(input, entry.seq, noon(line.day)) {
                continue;
            }
            let key = line.key.clone();
            if input.period.holds_day(line.day) {
                let sum = self.lines.entry((key.category, key.rule)).or_default();
                sum.days.insert(line.day, line.observed);
                sum.charge += line.charge;
            } else {
                let period = input.calendar.period_of(line.day).start;
                let key = (period, Some(key.category), key.rule);
                *self.corrections.entry(key).or_default() += line.charge;
            }
        }
        for rule in &entry.periods {
            if !self.belongs(input, entry.seq, noon(rule.day)) {
                continue;
            }
            if rule.period == input.period.start {
                *self.rules.entry(rule.key.clone()).or_default() += rule.charge;
            } else {
                let key = (rule.period, None, rule.key.rule.clone());
                *self.corrections.entry(key).or_default() += rule.charge;
            }
        }
        let is_own = matches!(entry.kind, EntryKind::Statement | EntryKind::CreditNote);
        let is_usage = entry.kind == EntryKind::Usage;
        if !is_own && !is_usage && self.belongs(input, entry.seq, entry.at) {
            let amount: Decimal = entry.moves.iter().map(|part| part.amount).sum();
            if !amount.is_zero() {
                self.movements.push(Movement {
                    entry: entry.seq,
                    at: entry.at,
                    kind: entry.kind,
                    reason: entry.reason.clone(),
                    amount,
                });
            }
        }
    }

    /// Does an item of that time belong to this statement? One of a later time is left to a later statement.
    fn belongs(&mut self, input: &Input<'_>, seq: u64, at: Timestamp) -> bool {
        if at >= input.period.until {
            self.later.get_or_insert(seq);
            return false;
        }
        !(seq <= input.before.through && at < input.before.end)
    }

    /// Spreads what rules charged on the period's sums over their categories, by quantity.
    fn spread(&mut self, input: &Input<'_>) {
        for (key, charge) in std::mem::take(&mut self.rules) {
            let model = (input.model)(&key);
            let mut own: Vec<(&(Category, RuleId), &mut LineSum)> = self
                .lines
                .iter_mut()
                .filter(|((_, rule), _)| *rule == key.rule)
                .collect();
            let weights: Vec<Decimal> = own
                .iter()
                .map(|(_, sum)| {
                    let mut quantities = Quantities::default();
                    sum.days.values().for_each(|of_day| quantities.add(*of_day));
                    model.map_or(quantities.usage, |model| quantity(model, &quantities))
                })
                .collect();
            if own.is_empty() {
                // A charge whose usage was taken back stands alone.
                let alone = self.lines.entry((Category::OTHER, key.rule)).or_default();
                alone.charge += charge;
                continue;
            }
            let parts = money::apportion(charge, &weights, LEDGER_SCALE);
            for ((_, sum), part) in own.iter_mut().zip(parts) {
                sum.charge += part;
            }
        }
    }
}

/// Adds up, and shows lines and corrections so that they add up, too.
fn total(input: &Input<'_>, content: &mut Content) -> Totals {
    let scale = input.currency.minor_scale();
    let lines = content.lines.iter().map(|line| line.charge);
    let corrections = content.corrections.iter().map(|line| line.charge);
    let charges: Vec<Decimal> = lines.chain(corrections).collect();
    let exact: Decimal = charges.iter().copied().sum();
    let net = money::round(exact, scale);
    let mut shown = money::cut(net, &charges, scale).into_iter();
    let lines = content.lines.iter_mut().map(|line| &mut line.shown);
    let corrections = content.corrections.iter_mut().map(|line| &mut line.shown);
    for (line, amount) in lines.chain(corrections).zip(&mut shown) {
        *line = amount;
    }
    let tax = if input.tax.is_exempt || net <= Decimal::ZERO {
        Decimal::ZERO
    } else {
        money::round(net * input.tax.rate, scale)
    };
    let sum = |is_payment: bool| -> Decimal {
        let movements = content.movements.iter();
        let of_kind = movements.filter(|one| (one.kind == EntryKind::TopUp) == is_payment);
        of_kind.map(|one| one.amount).sum()
    };
    let (opening, payments, other) = (input.before.closing, sum(true), sum(false));
    let closing = opening + payments + other - net - tax;
    Totals {
        opening,
        payments,
        other,
        exact,
        net,
        tax,
        gross: net + tax,
        closing,
        due: (-closing).max(Decimal::ZERO),
    }
}
