//! Usage as Twilio reports it, folded into disjoint lines that can be booked.
//!
//! Twilio's categories overlap (`totalprice` contains all, `sms` contains `sms-outbound`, ...). Only the
//! disjoint leaves below are booked, and what `totalprice` holds beyond them is a line of its own, the
//! residual: so the sum of the lines is Twilio's total, for categories that nobody has heard of too.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money::{self, Currency, MoneyError};

/// The category that holds the sum of all others.
pub const TOTAL: &str = "totalprice";

/// The line that keeps what `totalprice` holds beyond the leaves.
pub const RESIDUAL: &str = "other";

/// Categories that never contain one another (usage-record documentation; not derived from names).
pub const LEAVES: [&str; 24] = [
    "a2p-registration-fees",
    "amazon-polly",
    "answering-machine-detection",
    "calls-client",
    "calls-inbound",
    "calls-outbound",
    "calls-sip",
    "failed-message-processing-fee",
    "lookups",
    "mediastorage",
    "mms-inbound",
    "mms-messages-carrierfees",
    "mms-outbound",
    "phonenumbers",
    "recordings",
    "recordingstorage",
    "shortcodes",
    "sms-inbound",
    "sms-messages-carrierfees",
    "sms-outbound",
    "transcriptions",
    "trunking-origination",
    "trunking-termination",
    "tts-google",
];

/// A category that lines are booked under: a leaf or the residual.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub struct Category(&'static str);

impl Category {
    /// The residual.
    pub const OTHER: Self = Self(RESIDUAL);

    /// The category of a line, if `name` is one; rollups and unknown names are not.
    pub fn parse(name: &str) -> Option<Self> {
        if name == RESIDUAL {
            return Some(Self::OTHER);
        }
        LEAVES
            .binary_search(&name)
            .ok()
            .map(|index| Self(LEAVES[index]))
    }

    /// Its name.
    pub fn as_str(&self) -> &'static str {
        self.0
    }

    /// Every category that a line can have, in name order.
    pub fn all() -> impl Iterator<Item = Self> {
        LEAVES.into_iter().map(Self).chain([Self::OTHER])
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Category {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let unknown = || {
            serde::de::Error::custom(format_args!(
                "{name} is not a category that lines are booked under"
            ))
        };
        Self::parse(&name).ok_or_else(unknown)
    }
}

impl From<Category> for String {
    fn from(category: Category) -> String {
        category.0.to_owned()
    }
}

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

/// Quantities and cost of one category on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quantities {
    /// How many.
    pub count: Decimal,
    /// How much, in the category's unit.
    pub usage: Decimal,
    /// What Twilio takes, in the tenant's currency, at ledger scale.
    pub cost: Decimal,
}

/// What one day's records say, in disjoint lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayUsage {
    /// GMT day.
    pub day: Date,
    /// The latest freshness mark among the records.
    pub as_of: Option<Timestamp>,
    /// Lines that are not zero; their costs sum to Twilio's total for the day.
    pub lines: BTreeMap<Category, Quantities>,
    /// Leaves summed to more than the total: categories overlap in a way this code does not know.
    pub overlaps: bool,
}

/// Why a day cannot be booked yet. It is held and read again, never booked in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DayFault {
    /// A used category has no price yet.
    Unpriced {
        /// The category.
        category: String,
    },
    /// Prices are in a currency other than the tenant's.
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

/// Folds one day's records into disjoint lines.
pub fn fold_day(
    day: Date,
    records: &[&UsageRecord],
    currency: Currency,
) -> Result<DayUsage, DayFault> {
    let mut seen: BTreeMap<&str, &UsageRecord> = BTreeMap::new();
    for record in records.iter().copied().filter(|record| !record.is_zero()) {
        check_record(record, currency)?;
        if let Some(earlier) = seen.insert(&record.category, record)
            && (earlier.price, earlier.count, earlier.usage)
                != (record.price, record.count, record.usage)
        {
            return Err(DayFault::Contradiction {
                category: record.category.clone(),
            });
        }
    }
    let as_of = records.iter().filter_map(|record| record.as_of).max();
    let mut lines = BTreeMap::new();
    let mut leaves = Decimal::ZERO;
    for (name, record) in &seen {
        let Some(category) = Category::parse(name).filter(|category| *category != Category::OTHER)
        else {
            continue;
        };
        let cost = cost_of(record)?;
        leaves += cost;
        let quantities = Quantities {
            count: record.count.unwrap_or_default(),
            usage: record.usage.unwrap_or_default(),
            cost,
        };
        lines.insert(category, quantities);
    }
    let total = match seen.get(TOTAL) {
        Some(record) => cost_of(record)?,
        // Zero rows are dropped above, so a zero total is as good as absent.
        None if records.iter().any(|record| record.category == TOTAL) || seen.is_empty() => {
            Decimal::ZERO
        }
        None => return Err(DayFault::NoTotal),
    };
    let residual = total - leaves;
    if !residual.is_zero() {
        lines.insert(
            Category::OTHER,
            Quantities {
                cost: residual,
                ..Quantities::default()
            },
        );
    }
    Ok(DayUsage {
        day,
        as_of,
        lines,
        overlaps: residual < Decimal::ZERO,
    })
}

fn check_record(record: &UsageRecord, currency: Currency) -> Result<(), DayFault> {
    let Some(price) = record.price else {
        return Err(DayFault::Unpriced {
            category: record.category.clone(),
        });
    };
    if let Some(unit) = &record.price_unit
        && !price.is_zero()
        && Currency::parse(unit) != Ok(currency)
    {
        return Err(DayFault::OtherCurrency {
            price_unit: unit.clone(),
        });
    }
    Ok(())
}

fn cost_of(record: &UsageRecord) -> Result<Decimal, DayFault> {
    let price = record.price.unwrap_or_default();
    money::check_amount(price).map_err(|error| DayFault::BadAmount {
        category: record.category.clone(),
        error,
    })?;
    Ok(money::round(price, money::LEDGER_SCALE))
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

fn days_before(day: Date, days: i32) -> Date {
    day.saturating_sub(jiff::Span::new().days(days))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::money::parse_decimal;

    fn record(category: &str, price: &str) -> UsageRecord {
        UsageRecord {
            category: category.to_owned(),
            day: date(2026, 11, 1),
            count: Some(Decimal::ONE),
            usage: Some(Decimal::ONE),
            price: Some(parse_decimal(price).unwrap()),
            price_unit: Some("usd".to_owned()),
            as_of: None,
        }
    }

    fn fold(records: &[UsageRecord]) -> Result<DayUsage, DayFault> {
        fold_day(
            date(2026, 11, 1),
            &records.iter().collect::<Vec<_>>(),
            Currency::USD,
        )
    }

    #[test]
    fn leaves_are_sorted_so_that_lookups_find_them() {
        assert!(LEAVES.is_sorted());
        assert!(LEAVES.iter().all(|name| Category::parse(name).is_some()));
        assert_eq!(Category::parse("calls"), None);
    }

    #[test]
    fn rollups_are_not_booked_beside_their_parts() {
        let day = fold(&[
            record("totalprice", "3"),
            record("sms", "3"),
            record("sms-outbound", "2"),
            record("sms-inbound", "1"),
        ])
        .unwrap();
        assert_eq!(day.lines.len(), 2);
        assert!(!day.overlaps);
    }

    #[test]
    fn an_unknown_category_becomes_the_residual() {
        let day = fold(&[
            record("totalprice", "3.5"),
            record("sms-outbound", "2"),
            record("brand-new", "1.5"),
        ])
        .unwrap();
        assert_eq!(
            day.lines[&Category::OTHER].cost,
            parse_decimal("1.5").unwrap()
        );
    }

    #[test]
    fn a_negative_residual_still_sums_to_the_total_and_is_flagged() {
        let day = fold(&[record("totalprice", "1"), record("sms-outbound", "2")]).unwrap();
        assert!(day.overlaps);
        assert_eq!(
            day.lines.values().map(|line| line.cost).sum::<Decimal>(),
            Decimal::ONE
        );
    }

    #[test]
    fn a_day_without_price_total_or_with_another_currency_is_held() {
        let mut unpriced = record("sms-outbound", "1");
        unpriced.price = None;
        assert!(matches!(
            fold(&[record("totalprice", "1"), unpriced]),
            Err(DayFault::Unpriced { .. })
        ));
        assert_eq!(fold(&[record("sms-outbound", "1")]), Err(DayFault::NoTotal));
        let mut euro = record("totalprice", "1");
        euro.price_unit = Some("eur".to_owned());
        assert!(matches!(fold(&[euro]), Err(DayFault::OtherCurrency { .. })));
        assert!(matches!(
            fold(&[
                record("totalprice", "1"),
                record("sms-outbound", "1"),
                record("sms-outbound", "2")
            ]),
            Err(DayFault::Contradiction { .. })
        ));
    }

    #[test]
    fn the_window_reaches_back_to_the_last_completed_day_but_not_before_creation() {
        let today = date(2026, 11, 20);
        assert_eq!(
            window_start(Some(date(2026, 11, 19)), today, date(2026, 1, 1)),
            date(2026, 11, 17)
        );
        assert_eq!(
            window_start(Some(date(2026, 11, 10)), today, date(2026, 1, 1)),
            date(2026, 11, 10)
        );
        assert_eq!(
            window_start(None, today, date(2026, 11, 19)),
            date(2026, 11, 19)
        );
        assert_eq!(
            window_start(None, today, date(2026, 11, 2)),
            date(2026, 11, 2)
        );
    }

    proptest! {
        #[test]
        fn lines_always_sum_to_twilios_total(total in 0_i64..1_000_000, parts in proptest::collection::vec((0_usize..24, 1_i64..100_000), 0..24)) {
            let mut records: BTreeMap<String, UsageRecord> = parts.iter()
                .map(|(leaf, price)| (LEAVES[*leaf].to_owned(), record(LEAVES[*leaf], &money::to_text(Decimal::new(*price, 5)))))
                .collect();
            records.insert(TOTAL.to_owned(), record(TOTAL, &money::to_text(Decimal::new(total, 5))));
            let records: Vec<_> = records.into_values().collect();
            let day = fold(&records).unwrap();
            prop_assert_eq!(day.lines.values().map(|line| line.cost).sum::<Decimal>(), Decimal::new(total, 5));
        }
    }
}
