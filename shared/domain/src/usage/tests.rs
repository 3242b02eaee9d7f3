use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::detail::tests::item;
use crate::money::parse_decimal;
use crate::plan::tests::plan;
use crate::plan::{Increments, Measure, Model, PricePlan, Rule, RuleId};

pub(crate) fn record(category: &str, price: &str) -> UsageRecord {
    UsageRecord {
        category: category.to_owned(),
        day: date(2026, 3, 1),
        count: Some(Decimal::ONE),
        usage: Some(Decimal::ONE),
        price: Some(parse_decimal(price).unwrap()),
        price_unit: Some("usd".to_owned()),
        as_of: None,
    }
}

fn counted(category: &str, count: i64, usage: i64, price: &str) -> UsageRecord {
    UsageRecord {
        count: Some(Decimal::from(count)),
        usage: Some(Decimal::from(usage)),
        ..record(category, price)
    }
}

fn fold_with(
    plan: &PricePlan,
    records: &[UsageRecord],
    items: &[Item],
) -> Result<DayUsage, DayFault> {
    let rules = RuleSet::new(plan, &[], date(2026, 3, 1));
    let context = DayContext {
        day: date(2026, 3, 1),
        currency: Currency::USD,
        rules: &rules,
        items,
        in_service: true,
        numbers: 2,
        rate: &|_| None,
    };
    fold_day(&context, &records.iter().collect::<Vec<_>>())
}

fn fold(records: &[UsageRecord]) -> Result<DayUsage, DayFault> {
    fold_with(&plan("1.3", &[], None), records, &[])
}

fn total(day: &DayUsage) -> Decimal {
    day.lines.values().map(|line| line.cost).sum()
}

fn shown(day: &DayUsage) -> Vec<(String, String, String)> {
    let text = money::to_text;
    day.lines
        .iter()
        .map(|(key, line)| {
            let name = format!("{}/{}", key.category, key.rule);
            (name, text(line.usage), text(line.cost))
        })
        .collect()
}

fn rows(expected: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    let own = |text: &str| text.to_owned();
    expected
        .iter()
        .map(|(name, usage, cost)| (own(name), own(usage), own(cost)))
        .collect()
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
        shown(&day),
        rows(&[
            ("other/default", "0", "1.5"),
            ("sms-outbound/default", "1", "2")
        ])
    );
}

#[test]
fn a_negative_residual_still_sums_to_the_total_and_is_flagged() {
    let day = fold(&[record("totalprice", "1"), record("sms-outbound", "2")]).unwrap();
    assert!(day.overlaps);
    assert_eq!(total(&day), Decimal::ONE);
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
    let mut vast = record("totalprice", "1");
    vast.usage = Some(Decimal::from(money::QUANTITY_MAX));
    assert!(matches!(fold(&[vast]), Err(DayFault::BadAmount { .. })));
}

#[test]
fn a_recorded_rate_converts_the_day_to_the_tenants_currency() {
    let plan = plan("1.3", &[], None);
    let rules = RuleSet::new(&plan, &[], date(2026, 3, 1));
    let rate = |unit: Currency| (unit.code() == "EUR").then(|| parse_decimal("1.08").unwrap());
    let context = DayContext {
        day: date(2026, 3, 1),
        currency: Currency::USD,
        rules: &rules,
        items: &[],
        in_service: true,
        numbers: 0,
        rate: &rate,
    };
    let euro = |category, price| UsageRecord {
        price_unit: Some("eur".into()),
        ..record(category, price)
    };
    let records = [euro("totalprice", "2"), euro("sms-outbound", "1.5")];
    let day = fold_day(&context, &records.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(money::to_text(total(&day)), "2.16");
    assert_eq!(day.exchange.unwrap().price_unit.code(), "EUR");
}

fn by_country() -> PricePlan {
    let mut plan = plan(
        "1.3",
        &[("calls-outbound", "2"), ("sms-outbound", "2")],
        None,
    );
    for rule in &mut plan.rules {
        rule.id = RuleId::parse(&format!("gb-{}", rule.id)).unwrap();
        rule.country = Some("GB".into());
    }
    plan
}

#[test]
fn calls_fall_to_rules_by_destination_and_the_rest_stays_with_the_record() {
    let calls = [
        item(DetailFamily::Calls, "+442079460000", 61, Some(3160)),
        item(DetailFamily::Calls, "+14155550111", 30, Some(1400)),
        item(DetailFamily::Calls, "+442079460001", 10, None),
    ];
    let records = [
        counted("totalprice", 4, 5, "0.0614"),
        counted("calls-outbound", 3, 4, "0.0614"),
    ];
    let day = fold_with(&by_country(), &records, &calls).unwrap();
    // The unpriced call and what it costs by the record stay in the rest.
    assert_eq!(
        shown(&day),
        rows(&[
            ("calls-outbound/default", "2", "0.0298"),
            ("calls-outbound/gb-calls-outbound", "2", "0.0316")
        ])
    );
    assert!(day.exceeds.is_empty());
}

#[test]
fn carrier_fees_are_what_messages_do_not_hold_whether_or_not_prices_include_them() {
    let records = [
        counted("totalprice", 2, 2, "0.0236"),
        counted("sms-outbound", 2, 2, "0.0166"),
        counted("sms-messages-carrierfees", 2, 2, "0.007"),
    ];
    let with = |price| {
        let messages = [
            item(DetailFamily::Sms, "+442079460000", 0, Some(price)),
            item(DetailFamily::Sms, "+14155550111", 0, Some(price)),
        ];
        fold_with(&by_country(), &records, &messages).unwrap()
    };
    let included = with(1180);
    assert_eq!(
        shown(&included),
        rows(&[
            ("sms-messages-carrierfees/default", "2", "0"),
            ("sms-outbound/default", "1", "0.0118"),
            ("sms-outbound/gb-sms-outbound", "1", "0.0118")
        ])
    );
    let apart = with(830);
    assert_eq!(money::to_text(total(&apart)), "0.0236");
    let fees = LineKey {
        category: Category::parse("sms-messages-carrierfees").unwrap(),
        rule: RuleId::default_rule(),
    };
    assert_eq!(money::to_text(apart.lines[&fees].cost), "0.007");
    let late = with(2000);
    assert_eq!(late.exceeds, [DetailFamily::Sms]);
    assert_eq!(money::to_text(total(&late)), "0.0236");
}

#[test]
fn increments_charge_single_calls_and_minutes_of_those_not_listed() {
    let mut plan = plan("1.3", &[("calls-outbound", "2")], None);
    plan.rules[0].model = Model::Unit {
        unit_price: Decimal::ONE,
        per: Measure::Usage,
        increments: Some(Increments {
            first_s: 6,
            next_s: 6,
        }),
    };
    let calls = [item(DetailFamily::Calls, "client:bob", 61, Some(1000))];
    let records = [
        counted("totalprice", 2, 5, "0.03"),
        counted("calls-outbound", 2, 5, "0.03"),
    ];
    let day = fold_with(&plan, &records, &calls).unwrap();
    let line = day.lines.values().next().unwrap();
    // 61 s are 66; three minutes have no call yet.
    assert_eq!(line.seconds, Decimal::from(66 + 180));
}

#[test]
fn types_of_numbers_come_from_subcategories_and_the_rest_has_none() {
    let mut plan = plan("1.3", &[("phonenumbers", "2")], None);
    plan.rules[0].number_type = Some(NumberType::Tollfree);
    let records = [
        counted("totalprice", 3, 3, "4.3"),
        counted("phonenumbers", 3, 3, "4.3"),
        counted("phonenumbers-tollfree", 1, 1, "2"),
        counted("phonenumbers-local", 1, 1, "1.15"),
    ];
    let day = fold_with(&plan, &records, &[]).unwrap();
    assert_eq!(
        shown(&day),
        rows(&[
            ("phonenumbers/default", "2", "2.3"),
            ("phonenumbers/phonenumbers", "1", "2")
        ])
    );
}

#[test]
fn fees_stand_beside_usage_where_the_plan_has_them() {
    let mut plan = plan("1.3", &[], None);
    plan.rules = vec![Rule {
        category: crate::plan::CategoryMatch::One(Category::NUMBER_FEE),
        model: Model::Fee {
            monthly_fee: Decimal::ONE,
        },
        ..Rule::multiplier(Category::NUMBER_FEE, Decimal::ONE)
    }];
    let day = fold_with(&plan, &[record("totalprice", "0")], &[]).unwrap();
    assert_eq!(shown(&day), rows(&[("number-fee/number-fee", "2", "0")]));
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
    fn lines_always_sum_to_twilios_total(
        total_price in 0_i64..1_000_000,
        parts in proptest::collection::vec((0_usize..24, 1_i64..100_000), 0..24),
        calls in proptest::collection::vec((0_usize..3, 0_u64..400, proptest::option::of(1_i64..5_000)), 0..20),
    ) {
        let mut records: BTreeMap<String, UsageRecord> = parts.iter()
            .map(|(leaf, price)| (LEAVES[*leaf].to_owned(), record(LEAVES[*leaf], &money::to_text(Decimal::new(*price, 5)))))
            .collect();
        records.insert(TOTAL.to_owned(), record(TOTAL, &money::to_text(Decimal::new(total_price, 5))));
        let records: Vec<_> = records.into_values().collect();
        let families = [DetailFamily::Calls, DetailFamily::Sms, DetailFamily::Mms];
        let items: Vec<_> = calls.iter()
            .map(|(family, seconds, price)| item(families[*family], if seconds % 2 == 0 { "+442079460000" } else { "+14155550100" }, *seconds, *price))
            .collect();
        let day = fold_with(&by_country(), &records, &items).unwrap();
        prop_assert_eq!(total(&day), Decimal::new(total_price, 5));
    }
}
