//! Usage as Twilio reports it, folded into disjoint lines that can be booked.
//!
//! Twilio's categories overlap (`totalprice` contains all, `sms` contains `sms-outbound`, ...). Only the
//! disjoint leaves are booked, spread over the rules that they fall to, and what `totalprice` holds beyond
//! them is a line of its own, the residual: so the sum of the lines is Twilio's total, for categories that
//! nobody has heard of too.

mod lines;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

pub use crate::category::{Category, LEAVES, RESIDUAL, TOTAL};
pub use lines::Lines;

use crate::category::{DetailFamily, NumberType};
use crate::detail::Item;
use crate::money::{self, Currency, MoneyError};
use crate::plan::{RuleId, RuleSet, Source, Subject};

/// One usage record of one day, as Twilio reported it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRecord {
    /// Twilio's category, an open string.
    pub category: String,
    /// GMT day.
    pub day: Date,
    /// How many; absent where Twilio counts nothing.
    pub count: Option<Decimal>,
    /// How much, in the category's unit.
    pub usage: Option<Decimal>,
    /// Twilio's price, positive; absent while it is not known.
    pub price: Option<Decimal>,
    /// Currency code in whatever case; absent on some zero rows.
    pub price_unit: Option<String>,
    /// Freshness mark.
    pub as_of: Option<Timestamp>,
}

impl UsageRecord {
    /// Nothing happened: such rows are returned for every category and carry no news.
    pub fn is_zero(&self) -> bool {
        let none = |value: Option<Decimal>| value.is_none_or(|value| value.is_zero());
        none(self.count) && none(self.usage) && none(self.price)
    }
}

/// What a line is booked under: a category, and the rule that its usage fell to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineKey {
    /// The category.
    pub category: Category,
    /// The rule.
    pub rule: RuleId,
}

/// Quantities and cost of one line on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quantities {
    /// How many.
    pub count: Decimal,
    /// How much, in the category's unit.
    pub usage: Decimal,
    /// What Twilio takes, in the tenant's currency, at ledger scale.
    pub cost: Decimal,
    /// Billable seconds, where a rule charges calls by increments.
    pub seconds: Decimal,
}

impl Quantities {
    /// Nothing of anything.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.usage += other.usage;
        self.cost += other.cost;
        self.seconds += other.seconds;
    }

    fn subtract(&mut self, other: Self) {
        self.count -= other.count;
        self.usage -= other.usage;
        self.cost -= other.cost;
        self.seconds -= other.seconds;
    }
}

/// A recorded exchange rate that a day's costs were converted with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The currency that Twilio wrote.
    pub price_unit: Currency,
    /// Units of the tenant's currency for one of Twilio's.
    pub rate: Decimal,
}

/// What one day's records say, in disjoint lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayUsage {
    /// GMT day.
    pub day: Date,
    /// The latest freshness mark among the records.
    pub as_of: Option<Timestamp>,
    /// Lines that are not zero; their costs sum to Twilio's total for the day.
    pub lines: Lines,
    /// Leaves summed to more than the total: categories overlap in a way this code does not know.
    pub overlaps: bool,
    /// Families whose single items cost more than their records say: one of them is late.
    pub exceeds: Vec<DetailFamily>,
    /// The rate that costs were converted with, where Twilio's currency is another.
    pub exchange: Option<Exchange>,
}

/// What is known of a day besides Twilio's records.
#[derive(Clone, Copy)]
pub struct DayContext<'a> {
    /// GMT day.
    pub day: Date,
    /// The tenant's currency.
    pub currency: Currency,
    /// The rules in force.
    pub rules: &'a RuleSet<'a>,
    /// Calls and messages of the day, for the families that rules ask for.
    pub items: &'a [Item],
    /// Was the tenant in service on the day?
    pub in_service: bool,
    /// Numbers that it held on the day.
    pub numbers: u32,
    /// Recorded rates into the tenant's currency.
    pub rate: &'a dyn Fn(Currency) -> Option<Decimal>,
}

/// Why a day cannot be booked yet. It is held and read again, never booked in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DayFault {
    /// A used category has no price yet.
    Unpriced {
        /// The category.
        category: String,
    },
    /// Prices are in a currency other than the tenant's, and no rate is recorded.
    OtherCurrency {
        /// The unit as Twilio wrote it.
        price_unit: String,
    },
    /// There are used categories but no total to hold them against.
    NoTotal,
    /// The same category came twice with different values.
    Contradiction {
        /// The category.
        category: String,
    },
    /// An amount that cannot be kept exactly.
    BadAmount {
        /// The category.
        category: String,
        /// What is wrong with it.
        error: MoneyError,
    },
}

/// Folds one day's records, and the single items that rules ask for, into disjoint lines.
pub fn fold_day(context: &DayContext<'_>, records: &[&UsageRecord]) -> Result<DayUsage, DayFault> {
    let mut seen: Vec<(&str, Quantities)> = Vec::with_capacity(records.len());
    let mut unit = UnitSeen::default();
    for record in records.iter().copied().filter(|record| !record.is_zero()) {
        seen.push((&record.category, quantities_of(record, &mut unit)?));
    }
    seen.sort_by_key(|(name, _)| *name);
    // The same record may come on two pages.
    for pair in seen.windows(2) {
        if pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1 {
            return Err(DayFault::Contradiction {
                category: pair[0].0.to_owned(),
            });
        }
    }
    seen.dedup_by_key(|(name, _)| *name);
    let leaves = seen
        .iter()
        .filter(|(name, _)| Category::leaf(name).is_some());
    let leaves: Decimal = leaves.map(|(_, quantities)| quantities.cost).sum();
    let total = match find(&seen, TOTAL) {
        Some(total) => total.cost,
        // Zero rows are dropped above, so a zero total is as good as absent.
        None if records.iter().any(|record| record.category == TOTAL) || seen.is_empty() => {
            Decimal::ZERO
        }
        None => return Err(DayFault::NoTotal),
    };
    let mut fold = Fold {
        context,
        lines: Lines::default(),
        exceeds: Vec::new(),
    };
    let sums = fold.items(&mut unit)?;
    fold.leaves(&seen, &sums);
    let residual = Quantities {
        cost: total - leaves,
        ..Quantities::default()
    };
    fold.put(&Category::OTHER, None, residual);
    fold.fees();
    let exchange = unit.exchange(context)?;
    let mut lines = fold.lines;
    lines.drop_zeros();
    if let Some(exchange) = &exchange {
        for quantities in lines.values_mut() {
            let cost = quantities.cost.checked_mul(exchange.rate);
            let cost = cost.ok_or_else(|| bad(TOTAL, MoneyError::OutOfRange))?;
            quantities.cost = money::round(cost, money::LEDGER_SCALE);
        }
    }
    Ok(DayUsage {
        day: context.day,
        as_of: records.iter().filter_map(|record| record.as_of).max(),
        lines,
        overlaps: total < leaves,
        exceeds: fold.exceeds,
        exchange,
    })
}

/// A category's quantities among those that were seen, which are in order of names.
fn find(seen: &[(&str, Quantities)], name: &str) -> Option<Quantities> {
    let found = seen.binary_search_by(|(known, _)| (*known).cmp(name));
    found.ok().map(|index| seen[index].1)
}

/// Calls that are known by their minutes only.
const SECONDS_OF_A_MINUTE: Decimal = Decimal::from_parts(60, 0, 0, false, 0);

struct Fold<'a> {
    context: &'a DayContext<'a>,
    lines: Lines,
    exceeds: Vec<DetailFamily>,
}

impl Fold<'_> {
    /// Adds usage without a known number to the line of its rule.
    fn put(
        &mut self,
        category: &Category,
        number_type: Option<NumberType>,
        mut quantities: Quantities,
    ) {
        if quantities.is_zero() {
            return;
        }
        let subject = Subject {
            category,
            digits: None,
            number_type,
        };
        // Only a fee that the plan does not have falls to no rule.
        let Some(rule) = self.context.rules.best(subject) else {
            return;
        };
        let key = LineKey {
            category: category.clone(),
            rule: rule.id.clone(),
        };
        if rule.model.increments().is_some() {
            quantities.seconds = quantities.usage * SECONDS_OF_A_MINUTE;
        }
        self.lines.add(key, quantities);
    }

    /// Puts every priced item under its rule; answers the sums by category.
    fn items(&mut self, unit: &mut UnitSeen) -> Result<BTreeMap<Category, Quantities>, DayFault> {
        let rules = self.context.rules;
        let mut sums: BTreeMap<Category, Quantities> = BTreeMap::new();
        for item in self.context.items {
            let category = item.category();
            let Some(price) = item.price else { continue };
            if item.day() != self.context.day
                || rules.source(&category) != Source::Detail(item.family)
            {
                continue;
            }
            let mut quantities = Quantities {
                count: Decimal::ONE,
                usage: Decimal::from(item.units),
                cost: cost(category.as_str(), price)?,
                seconds: Decimal::ZERO,
            };
            unit.see(item.price_unit.as_deref(), price)?;
            let subject = Subject {
                category: &category,
                digits: item.digits(),
                number_type: item.number_type(),
            };
            let Some(rule) = rules.best(subject) else {
                continue;
            };
            let key = LineKey {
                category: category.clone(),
                rule: rule.id.clone(),
            };
            sums.entry(category).or_default().add(quantities);
            if let Some(increments) = rule.model.increments() {
                quantities.seconds = Decimal::from(increments.billable_s(item.duration_s));
            }
            self.lines.add(key, quantities);
        }
        Ok(sums)
    }

    /// Puts what the records say, beyond the single items, under the rules of their categories.
    fn leaves(&mut self, seen: &[(&str, Quantities)], sums: &BTreeMap<Category, Quantities>) {
        let of = |name: &str| find(seen, name).unwrap_or_default();
        // What prices of messages hold beyond their own category: carriers' fees.
        let mut beyond: BTreeMap<DetailFamily, Decimal> = BTreeMap::new();
        for category in Category::all().filter(|category| *category != Category::OTHER) {
            let record = of(category.as_str());
            match self.context.rules.source(&category) {
                Source::Record => self.put(&category, None, record),
                Source::Types => {
                    let mut rest = record;
                    for (name, number_type) in category.types() {
                        let part = of(name);
                        rest.subtract(part);
                        self.put(&category, Some(*number_type), part);
                    }
                    self.put(&category, None, rest);
                }
                Source::Detail(family) => {
                    let mut rest = record;
                    rest.subtract(sums.get(&category).copied().unwrap_or_default());
                    if family.carrier_fees().is_some() {
                        *beyond.entry(family).or_default() += rest.cost;
                    } else {
                        self.exceed(family, rest.cost);
                        self.put(&category, None, rest);
                    }
                }
            }
        }
        for (family, cost) in beyond {
            let Some(category) = family.carrier_fees() else {
                continue;
            };
            let fees = of(category.as_str());
            self.exceed(family, fees.cost + cost);
            let rest = Quantities {
                cost,
                ..Quantities::default()
            };
            self.put(&category, None, rest);
        }
    }

    fn exceed(&mut self, family: DetailFamily, rest: Decimal) {
        if rest < Decimal::ZERO && !self.exceeds.contains(&family) {
            self.exceeds.push(family);
        }
    }

    fn fees(&mut self) {
        let of = |count: u32| Quantities {
            count: Decimal::from(count),
            usage: Decimal::from(count),
            ..Quantities::default()
        };
        if self.context.in_service {
            self.put(&Category::TENANT_FEE, None, of(1));
        }
        self.put(&Category::NUMBER_FEE, None, of(self.context.numbers));
    }
}

/// The currency that a day's prices are in; several at once are refused.
#[derive(Default)]
struct UnitSeen(Option<Currency>);

impl UnitSeen {
    fn see(&mut self, unit: Option<&str>, price: Decimal) -> Result<(), DayFault> {
        let Some(unit) = unit.filter(|_| !price.is_zero()) else {
            return Ok(());
        };
        let other = || DayFault::OtherCurrency {
            price_unit: unit.to_owned(),
        };
        let currency = Currency::parse(unit).map_err(|_| other())?;
        match self.0 {
            Some(known) if known != currency => Err(other()),
            _ => {
                self.0 = Some(currency);
                Ok(())
            }
        }
    }

    fn exchange(&self, context: &DayContext<'_>) -> Result<Option<Exchange>, DayFault> {
        let Some(price_unit) = self.0.filter(|unit| *unit != context.currency) else {
            return Ok(None);
        };
        let rate = (context.rate)(price_unit).ok_or_else(|| DayFault::OtherCurrency {
            price_unit: price_unit.code().to_owned(),
        })?;
        Ok(Some(Exchange { price_unit, rate }))
    }
}

fn quantities_of(record: &UsageRecord, unit: &mut UnitSeen) -> Result<Quantities, DayFault> {
    let Some(price) = record.price else {
        return Err(DayFault::Unpriced {
            category: record.category.clone(),
        });
    };
    unit.see(record.price_unit.as_deref(), price)?;
    let quantity = |value: Option<Decimal>| {
        let value = value.unwrap_or_default();
        money::check_quantity(value).map_err(|error| bad(&record.category, error))?;
        Ok(value)
    };
    Ok(Quantities {
        count: quantity(record.count)?,
        usage: quantity(record.usage)?,
        cost: cost(&record.category, price)?,
        seconds: Decimal::ZERO,
    })
}

fn cost(category: &str, price: Decimal) -> Result<Decimal, DayFault> {
    money::check_amount(price).map_err(|error| bad(category, error))?;
    Ok(money::round(price, money::LEDGER_SCALE))
}

fn bad(category: &str, error: MoneyError) -> DayFault {
    DayFault::BadAmount {
        category: category.to_owned(),
        error,
    }
}

/// The first day to read: yesterday's completed days may be revised for a few days, and a gap since the
/// last completed day is closed first. At most `days_max` days are read in one run.
pub fn window_start(completed_through: Option<Date>, today: Date, created_on: Date) -> Date {
    let hot = days_before(today, HOT_WINDOW_DAYS);
    let start = completed_through.map_or(created_on, |day| day.min(hot));
    start.min(hot).max(created_on)
}

/// Days before today that every run reads again: Twilio revises recent days.
pub const HOT_WINDOW_DAYS: i32 = 3;
/// Days before today that a tenant's daily turn reads again.
pub const WARM_WINDOW_DAYS: i32 = 14;
/// Days before today that the month sweep reads again, and beyond which changes wait for approval.
pub const SWEEP_WINDOW_DAYS: i32 = 95;

fn days_before(day: Date, days: i32) -> Date {
    day.saturating_sub(jiff::Span::new().days(days))
}

#[cfg(test)]
pub(crate) mod tests;
