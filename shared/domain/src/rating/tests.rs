use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::money::{parse_decimal, to_text};
use crate::period::BillingCalendar;
use crate::plan::tests::plan;
use crate::plan::{Measure, Model, PricePlan, RuleId};
use crate::usage::Category;

pub(crate) fn usage(as_of: i64, lines: &[(&str, i64)]) -> DayUsage {
    on(date(2026, 3, 1), as_of, lines)
}

fn on(day: Date, as_of: i64, lines: &[(&str, i64)]) -> DayUsage {
    DayUsage {
        day,
        as_of: Some(Timestamp::from_second(as_of).unwrap()),
        lines: lines
            .iter()
            .filter(|(_, cost)| *cost != 0)
            .map(|(name, cost)| {
                let quantities = Quantities {
                    count: Decimal::ONE,
                    usage: Decimal::from(*cost),
                    cost: Decimal::new(*cost, 5),
                    seconds: Decimal::ZERO,
                };
                (key(name), quantities)
            })
            .collect(),
        overlaps: false,
        exceeds: Vec::new(),
        exchange: None,
    }
}

fn key(name: &str) -> LineKey {
    let (category, rule) = name.split_once('/').unwrap_or((name, "default"));
    LineKey {
        category: Category::parse(category).unwrap(),
        rule: RuleId::parse(rule).unwrap(),
    }
}

fn booked(deltas: &[LineDelta]) -> (Decimal, Decimal) {
    (
        deltas.iter().map(|line| line.cost).sum(),
        deltas.iter().map(|line| line.charge).sum(),
    )
}

fn rules(plan: &PricePlan) -> RuleSet<'_> {
    RuleSet::new(plan, &[], date(2026, 3, 1))
}

#[test]
fn a_revision_up_down_and_to_zero_books_the_difference_only() {
    let plan = plan("1.3", &[], None);
    let rules = rules(&plan);
    let mut sheet = DaySheet::empty(date(2026, 3, 1));
    for (as_of, price, cost_by, charged_by) in [
        (1, 790, "0.0079", "0.01027"),
        (2, 1_580, "0.0079", "0.01027"),
        (3, 1_000, "-0.0058", "-0.00754"),
        (4, 0, "-0.01", "-0.013"),
    ] {
        let change = rate_day(&sheet, &usage(as_of, &[("sms-outbound", price)]), &rules).unwrap();
        let sums = booked(&change.lines);
        assert_eq!(
            (to_text(sums.0), to_text(sums.1)),
            (cost_by.into(), charged_by.into())
        );
        sheet = change.sheet;
    }
    assert!(sheet.lines.is_empty());
}

#[test]
fn another_observation_with_the_same_freshness_mark_is_booked_and_counts_the_revision() {
    let plan = plan("1.3", &[], None);
    let rules = rules(&plan);
    let sheet = DaySheet::empty(date(2026, 3, 1));
    let first = rate_day(&sheet, &usage(1, &[("sms-outbound", 790)]), &rules).unwrap();
    assert_eq!(first.sheet.rev, 1);
    let second = rate_day(&first.sheet, &usage(1, &[("sms-outbound", 1_000)]), &rules).unwrap();
    assert_eq!(second.sheet.rev, 2);
    let held = hold_day(&second.sheet, "price_missing").unwrap();
    assert_eq!(
        (held.sheet.rev, held.sheet.held.as_deref()),
        (3, Some("price_missing"))
    );
    assert_eq!(hold_day(&held.sheet, "price_missing"), None);
}

#[test]
fn a_line_keeps_its_charge_until_its_observation_changes_whatever_the_plan_says_now() {
    let (cheap, dear) = (plan("1.3", &[], None), plan("2", &[], None));
    let sheet = DaySheet::empty(date(2026, 3, 1));
    let both = [("sms-outbound", 1_000), ("calls-outbound", 1_000)];
    let booked = rate_day(&sheet, &usage(1, &both), &rules(&cheap)).unwrap();
    let moved = [("sms-outbound", 1_000), ("calls-outbound", 2_000)];
    let change = rate_day(&booked.sheet, &usage(2, &moved), &rules(&dear)).unwrap();
    let kept = &change.sheet.lines[&key("sms-outbound")];
    assert_eq!(to_text(kept.charge), "0.013");
    assert_eq!(change.lines.len(), 1);
}

#[test]
fn what_moves_a_period_is_the_difference_in_every_quantity() {
    let quantities = |count: i64| Quantities {
        count: Decimal::from(count),
        usage: Decimal::from(2 * count),
        cost: Decimal::from(3 * count),
        seconds: Decimal::from(4 * count),
    };
    assert_eq!(difference(quantities(7), quantities(5)), quantities(2));
}

#[test]
fn the_same_or_an_older_observation_changes_nothing() {
    let plan = plan("1.3", &[], None);
    let rules = rules(&plan);
    let empty = DaySheet::empty(date(2026, 3, 1));
    let sheet = rate_day(&empty, &usage(5, &[("sms-outbound", 790)]), &rules)
        .unwrap()
        .sheet;
    assert_eq!(
        rate_day(&sheet, &usage(5, &[("sms-outbound", 790)]), &rules),
        None
    );
    assert_eq!(
        rate_day(&sheet, &usage(9, &[("sms-outbound", 790)]), &rules),
        None
    );
    assert_eq!(
        rate_day(&sheet, &usage(4, &[("sms-outbound", 900)]), &rules),
        None
    );
}

#[test]
fn a_held_day_is_marked_once_and_released_by_a_good_observation() {
    let plan = plan("1.3", &[], None);
    let sheet = hold_day(&DaySheet::empty(date(2026, 3, 1)), "unpriced")
        .unwrap()
        .sheet;
    assert_eq!(hold_day(&sheet, "unpriced"), None);
    let change = rate_day(&sheet, &usage(5, &[]), &rules(&plan)).unwrap();
    assert_eq!((change.sheet.held, change.lines.len()), (None, 0));
}

#[test]
fn a_million_messages_are_charged_to_the_last_digit() {
    let plan = plan("1.3", &[], None);
    let mut all = usage(1, &[("sms-outbound", 1)]);
    for line in all.lines.values_mut() {
        line.cost = parse_decimal("7900").unwrap();
    }
    let change = rate_day(&DaySheet::empty(date(2026, 3, 1)), &all, &rules(&plan)).unwrap();
    assert_eq!(to_text(change.sheet.charge()), "10270");
}

fn allowance() -> PricePlan {
    let mut plan = plan("1.3", &[("sms-outbound", "2")], None);
    plan.rules[0].model = Model::Allowance {
        included: Decimal::from(100),
        overage_unit_price: parse_decimal("0.01").unwrap(),
        cap: Some(Decimal::from(150)),
        hard: true,
        per: Measure::Usage,
    };
    plan
}

#[test]
fn an_allowance_is_rated_over_the_days_of_its_period_and_says_what_it_reached() {
    let plan = allowance();
    let rules = rules(&plan);
    let calendar = BillingCalendar::new("UTC", 1).unwrap();
    let rule_on = |_: Date, id: &RuleId| rules.by_id(id);
    let mut sheets: Vec<PeriodSheet> = Vec::new();
    let mut charged = Decimal::ZERO;
    let mut heard = Vec::new();
    for (day, units) in [
        (date(2026, 3, 1), 60),
        (date(2026, 3, 2), 60),
        (date(2026, 3, 31), 40),
        (date(2026, 4, 1), 90),
    ] {
        let observed = on(day, 1, &[("sms-outbound/sms-outbound", units)]);
        let change = rate_day(&DaySheet::empty(day), &observed, &rules).unwrap();
        assert_eq!(change.charge(), Decimal::ZERO);
        let moved = rate_periods(&sheets, &[change], &calendar, &rule_on);
        charged += moved.lines.iter().map(|line| line.charge).sum::<Decimal>();
        heard.extend(moved.reached.iter().map(|reached| reached.bound));
        for sheet in moved.sheets {
            sheets.retain(|known| known.start != sheet.start);
            sheets.push(sheet);
        }
    }
    // 160 units in March, 60 of them beyond the allowance; April begins anew.
    assert_eq!(to_text(charged), "0.6");
    assert_eq!(heard, [Bound::Included, Bound::HardCap]);
    assert_eq!(sheets.len(), 2);
}

proptest! {
    #[test]
    fn any_order_and_repetition_of_snapshots_books_the_latest(
        snapshots in proptest::collection::vec(proptest::collection::vec(0_i64..500_000, 4), 1..8),
        order in proptest::collection::vec(0_usize..8, 1..30),
        multiplier in 1_i64..99_999,
    ) {
        let mut plan = plan(&to_text(Decimal::new(multiplier, 4)), &[("calls-outbound", "1.7777")], None);
        plan.rules.extend(allowance().rules);
        let rules = rules(&plan);
        let calendar = BillingCalendar::new("America/New_York", 15).unwrap();
        let rule_on = |_: Date, id: &RuleId| rules.by_id(id);
        let observe = |index: usize| {
            let costs = &snapshots[index];
            let lines = [
                ("sms-inbound", costs[0]),
                ("calls-outbound/calls-outbound", costs[1]),
                ("other", costs[2]),
                ("sms-outbound/sms-outbound", costs[3]),
            ];
            usage(i64::try_from(index).unwrap() + 1, &lines)
        };
        let mut sheet = DaySheet::empty(date(2026, 3, 1));
        let mut periods: Vec<PeriodSheet> = Vec::new();
        let mut cost = Decimal::ZERO;
        let mut charge = Decimal::ZERO;
        let last = snapshots.len() - 1;
        for index in order.iter().map(|index| index % snapshots.len()).chain([last]) {
            if let Some(change) = rate_day(&sheet, &observe(index), &rules) {
                let moved = rate_periods(&periods, std::slice::from_ref(&change), &calendar, &rule_on);
                let (by_cost, by_charge) = booked(&change.lines);
                cost += by_cost;
                charge += by_charge + moved.lines.iter().map(|line| line.charge).sum::<Decimal>();
                sheet = change.sheet;
                if !moved.sheets.is_empty() { periods = moved.sheets; }
            }
        }
        let latest = observe(last);
        let expected: Decimal = latest.lines.iter().map(|(key, line)| {
            let rule = rules.by_id(&key.rule).unwrap();
            super::charge(rule.model, rule.margin_floor, line, 1)
        }).sum();
        prop_assert_eq!(cost, latest.lines.values().map(|line| line.cost).sum::<Decimal>());
        prop_assert_eq!(charge, expected);
        let in_sheets = sheet.charge() + periods.iter().map(PeriodSheet::charge).sum::<Decimal>();
        prop_assert_eq!((cost, charge), (sheet.cost(), in_sheets));
    }
}
