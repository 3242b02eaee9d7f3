//! Calls and messages that happened and have no price yet: never booked as nothing, but counted, estimated and,
//! after three days, alarmed.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

use crate::category::Category;
use crate::detail::Item;
use crate::money::{self, LEDGER_SCALE};
use crate::rating::DaySheet;
use crate::usage::UsageRecord;

/// An item without a price for longer than this is alarmed: prices are there within a day as a rule.
pub const OVERDUE_AFTER: SignedDuration = SignedDuration::from_hours(72);
/// SIDs that a group names.
const SIDS_MAX: usize = 10;

/// Items of one day and category without a price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpricedGroup {
    /// GMT day.
    pub day: Date,
    /// What they will be charged under.
    pub category: Category,
    /// How many.
    pub count: u64,
    /// How much, in the category's unit.
    pub units: u64,
    /// What of it no booked line covers yet, in units: Twilio's records may know a price before its lists do.
    pub uncovered: Decimal,
    /// What that will probably be charged; absent where nothing was charged to judge by.
    pub estimate: Option<Decimal>,
    /// When the oldest of them happened.
    pub oldest_at: Timestamp,
    /// The first of them.
    pub sids: Vec<String>,
}

impl UnpricedGroup {
    /// Has the oldest of them waited too long?
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        now.duration_since(self.oldest_at) > OVERDUE_AFTER
    }
}

/// What will probably be charged for all of them.
pub fn exposure(groups: &[UnpricedGroup]) -> Decimal {
    groups.iter().filter_map(|group| group.estimate).sum()
}

/// Groups the items that have no price. The estimate is the average charge per unit of the category on the
/// days given, which need not be the days of the items.
pub fn unpriced(
    items: &[Item],
    records: &[UsageRecord],
    sheets: &[DaySheet],
) -> Vec<UnpricedGroup> {
    let mut groups: BTreeMap<(Date, Category), UnpricedGroup> = BTreeMap::new();
    let mut priced: BTreeMap<(Date, Category), u64> = BTreeMap::new();
    for item in items {
        let key = (item.day(), item.category());
        if item.price.is_some() {
            *priced.entry(key).or_default() += item.units;
            continue;
        }
        let group = groups.entry(key.clone()).or_insert_with(|| UnpricedGroup {
            day: key.0,
            category: key.1,
            count: 0,
            units: 0,
            uncovered: Decimal::ZERO,
            estimate: None,
            oldest_at: item.at,
            sids: Vec::new(),
        });
        group.count += 1;
        group.units += item.units;
        group.oldest_at = group.oldest_at.min(item.at);
        group.sids.push(item.sid.clone());
    }
    for ((day, category), group) in &mut groups {
        group.sids.sort_unstable();
        group.sids.truncate(SIDS_MAX);
        let known = priced.get(&(*day, category.clone())).copied();
        let recorded = records
            .iter()
            .filter(|record| record.day == *day && record.category == category.as_str())
            .find_map(|record| record.usage)
            .unwrap_or_default();
        let residual = (recorded - Decimal::from(known.unwrap_or_default())).max(Decimal::ZERO);
        group.uncovered = (Decimal::from(group.units) - residual).max(Decimal::ZERO);
        group.estimate = average(sheets, category)
            .map(|price| money::round(price * group.uncovered, LEDGER_SCALE))
            .or_else(|| group.uncovered.is_zero().then_some(Decimal::ZERO));
    }
    groups.into_values().collect()
}

/// What a unit of a category was charged on average.
fn average(sheets: &[DaySheet], category: &Category) -> Option<Decimal> {
    let lines = sheets.iter().flat_map(|sheet| &sheet.lines);
    let lines = lines.filter(|(key, line)| key.category == *category && !line.charge.is_zero());
    let (mut charge, mut units) = (Decimal::ZERO, Decimal::ZERO);
    for (_, line) in lines {
        charge += line.charge;
        units += line.quantities.usage;
    }
    charge
        .checked_div(units)
        .filter(|price| *price >= Decimal::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::category::DetailFamily;
    use crate::detail::tests::item;
    use crate::plan::RuleSet;
    use crate::plan::tests::plan;
    use crate::rating::rate_day;
    use crate::rating::tests::usage;

    fn sheet() -> DaySheet {
        let plan = plan("2", &[], None);
        let rules = RuleSet::new(&plan, &[], Date::MIN);
        let observed = usage(1, &[("calls-outbound", 50_000)]);
        rate_day(&DaySheet::empty(observed.day), &observed, &rules)
            .unwrap()
            .sheet
    }

    #[test]
    fn what_has_no_price_is_estimated_by_the_average_charge_of_a_unit() {
        let items = [
            item(DetailFamily::Calls, "+442079460000", 61, None),
            item(DetailFamily::Calls, "+442079460001", 30, Some(700)),
            item(DetailFamily::Calls, "+442079460002", 10, None),
        ];
        let sheet = sheet();
        let line = sheet.lines.values().next().unwrap();
        let groups = unpriced(&items, &[], std::slice::from_ref(&sheet));
        let [group] = groups.as_slice() else {
            panic!("{groups:?}")
        };
        assert_eq!((group.count, group.units, group.sids.len()), (2, 3, 2));
        let expected = line.charge / line.quantities.usage * Decimal::from(3);
        assert_eq!(group.estimate, Some(money::round(expected, LEDGER_SCALE)));
        assert_eq!(exposure(&groups), group.estimate.unwrap());
        assert!(!group.is_overdue(items[0].at));
        assert!(group.is_overdue(items[0].at + OVERDUE_AFTER + SignedDuration::from_secs(1)));
    }

    #[test]
    fn what_the_daily_record_charges_already_is_no_exposure() {
        let items = [item(DetailFamily::Calls, "+442079460000", 61, None)];
        let record = UsageRecord {
            category: "calls-outbound".into(),
            day: items[0].day(),
            count: Some(Decimal::ONE),
            usage: Some(Decimal::TWO),
            price: Some(Decimal::ONE),
            price_unit: Some("USD".into()),
            as_of: None,
        };
        let groups = unpriced(&items, &[record], &[]);
        assert_eq!(
            (groups[0].uncovered, groups[0].estimate),
            (Decimal::ZERO, Some(Decimal::ZERO))
        );
        let unknown = unpriced(&items, &[], &[]);
        assert_eq!(
            (unknown[0].estimate, exposure(&unknown)),
            (None, Decimal::ZERO)
        );
    }
}
