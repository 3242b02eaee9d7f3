//! What past days would have cost under other rules. Nothing is booked: the days are folded and rated anew,
//! with empty sheets, by the very functions that book.
//!
//! Rules of billing periods are rated on the days given only: over part of a period they are as if the
//! period had been that part.

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::category::Category;
use crate::detail::Item;
use crate::money::Currency;
use crate::period::BillingCalendar;
use crate::plan::{RuleId, RuleSet};
use crate::rating::{DaySheet, rate_day, rate_periods};
use crate::shares::{Share, shares};
use crate::usage::{DayContext, DayFault, TOTAL, UsageRecord, fold_day};

/// What is known of a past day.
#[derive(Debug, Clone)]
pub struct PastDay {
    /// GMT day.
    pub day: Date,
    /// Twilio's records, or what the books say they were.
    pub records: Vec<UsageRecord>,
    /// Was the tenant in service?
    pub in_service: bool,
    /// Numbers held, as booked.
    pub numbers: u32,
}

/// Records that a booked day would have come from, where no rule needs more than its categories' sums.
pub fn records_of(sheet: &DaySheet, currency: Currency) -> Vec<UsageRecord> {
    let record = |category: &str, price: Decimal| UsageRecord {
        category: category.to_owned(),
        day: sheet.day,
        count: None,
        usage: None,
        price: Some(price),
        price_unit: Some(currency.code().to_owned()),
        as_of: sheet.as_of,
    };
    let mut records = vec![record(TOTAL, sheet.cost())];
    for category in Category::all().filter(|category| *category != Category::OTHER) {
        let mut found = record(category.as_str(), Decimal::ZERO);
        let of_category = |key: &crate::usage::LineKey| key.category == category;
        for (_, line) in sheet.lines.iter().filter(|(key, _)| of_category(key)) {
            let add = |sum: &mut Option<Decimal>, by: Decimal| {
                *sum = Some(sum.unwrap_or_default() + by);
            };
            add(&mut found.count, line.quantities.count);
            add(&mut found.usage, line.quantities.usage);
            add(&mut found.price, line.quantities.cost);
        }
        if !found.is_zero() {
            records.push(found);
        }
    }
    records
}

/// Numbers that a booked day's fee was for.
pub fn numbers_of(sheet: &DaySheet) -> u32 {
    let lines = sheet.lines.iter();
    let held: Decimal = lines
        .filter(|(key, _)| key.category == Category::NUMBER_FEE)
        .map(|(_, line)| line.quantities.count)
        .sum();
    u32::try_from(held).unwrap_or_default()
}

/// Rates days anew; answers each line with its charge, or the first day that cannot be rated.
pub fn reprice<'a>(
    days: &[PastDay],
    items: &[Item],
    currency: Currency,
    calendar: &BillingCalendar,
    rules: &dyn Fn(Date) -> Option<&'a RuleSet<'a>>,
) -> Result<Vec<Share>, (Date, DayFault)> {
    let mut changes = Vec::new();
    for past in days {
        let Some(in_force) = rules(past.day) else {
            continue;
        };
        let context = DayContext {
            day: past.day,
            currency,
            rules: in_force,
            items,
            in_service: past.in_service,
            numbers: past.numbers,
            rate: &|_| None,
        };
        let records: Vec<&UsageRecord> = past.records.iter().collect();
        let usage = fold_day(&context, &records).map_err(|fault| (past.day, fault))?;
        changes.extend(rate_day(&DaySheet::empty(past.day), &usage, in_force));
    }
    let rule_on = |day: Date, id: &RuleId| rules(day)?.by_id(id);
    let periods = rate_periods(&[], &changes, calendar, &rule_on).sheets;
    let sheets: Vec<DaySheet> = changes.into_iter().map(|change| change.sheet).collect();
    Ok(shares(&sheets, &periods, calendar, rules))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::plan;
    use crate::rating::tests::usage;

    #[test]
    fn books_priced_again_under_their_own_rules_give_their_own_charges() {
        let own = plan("1.3", &[("calls-outbound", "2")], Some("0.1"));
        let other = plan("3", &[], None);
        let rules = RuleSet::new(&own, &[], Date::MIN);
        let lines = [
            ("sms-outbound", 790),
            ("calls-outbound/calls-outbound", 1_300),
            ("other", -3),
        ];
        let observed = usage(1, &lines);
        let change = rate_day(&DaySheet::empty(observed.day), &observed, &rules).unwrap();
        let sheet = change.sheet;
        let days = [PastDay {
            day: sheet.day,
            records: records_of(&sheet, Currency::USD),
            in_service: true,
            numbers: numbers_of(&sheet),
        }];
        let calendar = BillingCalendar::new("UTC", 1).unwrap();
        let total = |rules: &RuleSet<'_>| -> Decimal {
            let priced = reprice(&days, &[], Currency::USD, &calendar, &|_| Some(rules));
            priced.unwrap().iter().map(|share| share.charge).sum()
        };
        assert_eq!(total(&rules), sheet.charge());
        let others = RuleSet::new(&other, &[], Date::MIN);
        assert_eq!(total(&others), sheet.cost() * Decimal::from(3));
    }
}
