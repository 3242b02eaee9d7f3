use jiff::civil::date;

use super::*;
use crate::category::DetailFamily;
use crate::detail::tests::item;
use crate::rating::SheetLine;
use crate::usage::{Category, LineKey, Quantities};

/// The day of the items that `detail` makes for tests.
fn today() -> Date {
    item(DetailFamily::Calls, "+15005550006", 1, None).day()
}

fn sheet(charge: i64) -> DaySheet {
    let key = LineKey {
        category: Category::parse("sms-outbound").unwrap(),
        rule: crate::plan::RuleId::default_rule(),
    };
    let line = SheetLine {
        quantities: Quantities::default(),
        charge: Decimal::from(charge),
    };
    let mut sheet = DaySheet::empty(date(2026, 1, 1));
    sheet.lines.insert(key, line);
    sheet
}

fn policy() -> GuardPolicy {
    GuardPolicy {
        velocity: Some(Velocity {
            factor: Decimal::from(3),
            minimum: Decimal::from(20),
        }),
        high_risk_prefixes: vec!["44".to_owned(), "4479".to_owned()],
        ..GuardPolicy::default()
    }
}

fn sight<'a>(charged: i64, past: &'a [DaySheet], weeks: u32, items: &'a [Item]) -> Sight<'a> {
    Sight {
        today: today(),
        charged: Decimal::from(charged),
        past: Some((past, weeks)),
        items,
    }
}

#[test]
fn a_day_far_above_the_tenants_own_past_is_told_once() {
    let mut watched = Watched::default();
    let past = [sheet(10), sheet(30)];
    assert_eq!(
        watched.look(&policy(), &sight(30, &past, 4, &[])),
        [],
        "three times the average of four weeks is not above it"
    );
    let alarm = watched.look(&policy(), &sight(31, &past, 4, &[]));
    let expected = Fact::VelocityAlarm {
        day: today(),
        charged: Decimal::from(31),
        usual: Decimal::TEN,
    };
    assert_eq!(alarm, [expected]);
    assert!(watched.knows_velocity(today()));
    assert_eq!(watched.look(&policy(), &sight(99, &past, 4, &[])), []);
    let tomorrow = Sight {
        today: today().tomorrow().unwrap(),
        ..sight(99, &past, 4, &[])
    };
    assert_eq!(watched.look(&policy(), &tomorrow).len(), 1);
}

#[test]
fn little_money_is_no_alarm_and_a_tenant_without_a_past_has_the_minimum() {
    let mut watched = Watched::default();
    assert_eq!(watched.look(&policy(), &sight(19, &[], 0, &[])), []);
    assert_eq!(watched.look(&policy(), &sight(20, &[], 0, &[])).len(), 1);
}

#[test]
fn each_risky_prefix_is_told_once_a_day_the_longest_that_fits() {
    let mut watched = Watched::default();
    let calls = [
        item(DetailFamily::Calls, "+447946000001", 61, None),
        item(DetailFamily::Calls, "+447946000002", 30, None),
        item(DetailFamily::Calls, "+15005550006", 30, None),
    ];
    let told = watched.look(&policy(), &sight(0, &[], 1, &calls));
    let expected = Fact::HighRiskDestination {
        day: today(),
        prefix: "4479".to_owned(),
        count: 2,
        units: 3,
    };
    assert_eq!(told, [expected]);
    let more = [
        item(DetailFamily::Calls, "+447946000003", 61, None),
        item(DetailFamily::Calls, "+442079460000", 61, None),
    ];
    let told = watched.look(&policy(), &sight(0, &[], 1, &more));
    assert!(
        matches!(&told[..], [Fact::HighRiskDestination { prefix, .. }] if prefix == "44"),
        "{told:?}"
    );
}

#[test]
fn policies_that_would_always_or_never_alarm_are_refused() {
    assert_eq!(policy().check(), Ok(()));
    assert_eq!(GuardPolicy::default().check(), Ok(()));
    let wrong = |change: &dyn Fn(&mut GuardPolicy)| {
        let mut policy = policy();
        change(&mut policy);
        assert!(policy.check().is_err(), "{policy:?}");
    };
    wrong(&|policy| policy.velocity.as_mut().unwrap().factor = Decimal::ONE);
    wrong(&|policy| policy.velocity.as_mut().unwrap().minimum = Decimal::ZERO);
    wrong(&|policy| policy.high_risk_prefixes = vec!["+44".to_owned()]);
    wrong(&|policy| policy.high_risk_prefixes = vec![String::new()]);
    wrong(&|policy| policy.triggers.day = Some(Decimal::NEGATIVE_ONE));
}
