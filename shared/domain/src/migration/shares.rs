//! Usage of a subaccount that several tenants share, told apart by number: a call or message is charged to the
//! member that held the number then. What has no number, such as rent and carrier fees, is nobody's.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::detail::Item;
use crate::ids::{AccountSid, TenantId};
use crate::numbers::NumberRecord;
use crate::usage::{TOTAL, UsageRecord};

/// Did a tenant hold a number in a shared subaccount when this happened? A call that ends after its number has
/// moved on is still whose the number was there.
pub fn is_of(
    item: &Item,
    numbers: &[NumberRecord],
    shared: &AccountSid,
    tenant: &TenantId,
) -> bool {
    let own = numbers
        .iter()
        .filter(|number| number.phone_number == item.own_number());
    let mut there = own.filter_map(|number| {
        let mut newest_first = number.holdings.iter().rev();
        newest_first.find(|held| held.account_sid == *shared && held.from <= item.at)
    });
    there.any(|held| held.tenant.as_ref() == Some(tenant))
}

/// A member's part of a shared subaccount's calls and messages. Those without a price wait: they are listed again,
/// and only what is new is booked.
pub fn own_items(
    items: Vec<Item>,
    numbers: &[NumberRecord],
    shared: &AccountSid,
    tenant: &TenantId,
) -> Vec<Item> {
    let is_own = |item: &Item| item.price.is_some() && is_of(item, numbers, shared, tenant);
    items.into_iter().filter(is_own).collect()
}

/// Did a tenant hold numbers in a shared subaccount on a day or after it?
pub fn has_part_since(numbers: &[NumberRecord], shared: &AccountSid, day: Date) -> bool {
    let holdings = numbers.iter().flat_map(|number| &number.holdings);
    let mut there = holdings.filter(|held| held.account_sid == *shared);
    there.any(|held| {
        held.until
            .is_none_or(|until| crate::period::day_of(until) >= day)
    })
}

/// Adds items to daily records, as if they had happened in the tenant's own subaccount.
pub fn add_shares(records: &mut Vec<UsageRecord>, items: &[Item]) {
    let mut sums: BTreeMap<(Date, &str), UsageRecord> = BTreeMap::new();
    for item in items {
        for category in [item.category().as_str(), TOTAL] {
            let sum = sums.entry((item.day(), category));
            let sum = sum.or_insert_with(|| UsageRecord {
                category: category.to_owned(),
                day: item.day(),
                count: None,
                usage: None,
                price: None,
                price_unit: None,
                as_of: None,
            });
            if category != TOTAL {
                add(&mut sum.count, Decimal::ONE);
                add(&mut sum.usage, Decimal::from(item.units));
            }
            add(&mut sum.price, item.price.unwrap_or_default());
            sum.price_unit = sum.price_unit.take().or_else(|| item.price_unit.clone());
        }
    }
    for ((day, category), sum) in sums {
        let mut is_known = false;
        // The same record may have come on two pages: both stay the same.
        let known = records.iter_mut();
        for record in known.filter(|record| record.day == day && record.category == category) {
            is_known = true;
            join(record, &sum);
        }
        if !is_known {
            records.push(sum);
        }
    }
}

fn add(sum: &mut Option<Decimal>, more: Decimal) {
    *sum = Some(sum.unwrap_or_default() + more);
}

/// Usage that Twilio has not priced yet stays without a price.
fn join(record: &mut UsageRecord, share: &UsageRecord) {
    let is_unpriced = record.price.is_none() && !record.is_zero();
    let parts = [
        (&mut record.count, share.count),
        (&mut record.usage, share.usage),
    ];
    for (sum, more) in parts {
        if let Some(more) = more {
            add(sum, more);
        }
    }
    if !is_unpriced {
        add(&mut record.price, share.price.unwrap_or_default());
    }
    if record.price_unit.as_ref().is_none_or(String::is_empty) {
        record.price_unit.clone_from(&share.price_unit);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::category::DetailFamily;
    use crate::detail::tests::item;
    use crate::ids::{PhoneNumberSid, ulid};

    fn account(digit: u8) -> AccountSid {
        AccountSid::parse(&format!("AC{}", digit.to_string().repeat(32))).unwrap()
    }

    fn member(digit: u128) -> TenantId {
        TenantId::from_ulid(ulid(1, digit))
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Held by one member, then by another, then out of the shared subaccount.
    fn number() -> NumberRecord {
        let sid = PhoneNumberSid::parse(&format!("PN{}", "a".repeat(32))).unwrap();
        let from = at("2026-02-01T00:00:00Z");
        NumberRecord::found(&sid, "+14155550100", &account(1), Some(&member(1)), from)
            .released(at("2026-03-01T09:00:00Z"))
            .moved(&account(1), Some(&member(2)), at("2026-03-01T09:00:00Z"))
            .moved(&account(2), Some(&member(2)), at("2026-03-01T12:00:00Z"))
    }

    fn call(ended_at: &str, price: Option<i64>) -> Item {
        Item {
            at: at(ended_at),
            ..item(DetailFamily::Calls, "+14155550199", 61, price)
        }
    }

    #[test]
    fn a_call_is_of_the_member_that_held_the_number_then() {
        let of = |ended_at: &str| {
            let call = call(ended_at, Some(1));
            [1, 2].map(|digit| is_of(&call, &[number()], &account(1), &member(digit)))
        };
        assert_eq!(of("2026-01-31T00:00:00Z"), [false, false]);
        assert_eq!(of("2026-03-01T08:59:59Z"), [true, false]);
        assert_eq!(of("2026-03-01T09:00:00Z"), [false, true]);
        // It began before the number moved on.
        assert_eq!(of("2026-03-01T12:01:00Z"), [false, true]);
        let elsewhere = Item {
            from: "+14155550177".into(),
            ..call("2026-03-01T09:30:00Z", Some(1))
        };
        assert!(!is_of(&elsewhere, &[number()], &account(1), &member(2)));
    }

    #[test]
    fn what_has_no_price_waits() {
        let items = vec![
            call("2026-03-01T10:00:00Z", None),
            call("2026-03-01T10:00:00Z", Some(5)),
        ];
        let own = own_items(items, &[number()], &account(1), &member(2));
        assert_eq!(own.len(), 1);
    }

    #[test]
    fn a_part_ends_with_the_day_on_which_the_last_number_left() {
        let numbers = [number()];
        let has = |text: &str| has_part_since(&numbers, &account(1), text.parse().unwrap());
        assert!(has("2026-03-01"));
        assert!(!has("2026-03-02"));
        assert!(!has_part_since(
            &numbers,
            &account(9),
            "2026-03-01".parse().unwrap()
        ));
    }

    #[test]
    fn shares_join_the_records_of_their_day_and_its_total() {
        let record = |category: &str, price: Option<Decimal>| UsageRecord {
            category: category.to_owned(),
            day: "2026-03-01".parse().unwrap(),
            count: Some(Decimal::ONE),
            usage: Some(Decimal::from(3)),
            price,
            price_unit: Some("usd".into()),
            as_of: None,
        };
        let two = Some(Decimal::from(2));
        let own = vec![
            record("calls-outbound", two),
            record("calls-outbound", two),
            record(TOTAL, two),
        ];
        let calls = [
            call("2026-03-01T10:00:00Z", Some(50_000)),
            call("2026-03-02T10:00:00Z", Some(50_000)),
        ];
        let mut records = own;
        add_shares(&mut records, &calls);
        let half = Some(Decimal::new(25, 1));
        assert_eq!(records[0].price, half);
        assert_eq!(records[0], records[1]);
        assert_eq!(
            (records[0].count, records[0].usage),
            (two, Some(Decimal::from(5)))
        );
        assert_eq!(records[2].price, half);
        let next_day: Vec<&str> = records[3..]
            .iter()
            .map(|added| added.category.as_str())
            .collect();
        assert_eq!(next_day, ["calls-outbound", TOTAL]);

        let mut unpriced = vec![record("calls-outbound", None)];
        add_shares(&mut unpriced, &calls[..1]);
        assert_eq!(unpriced[0].price, None);
    }
}
