use jiff::civil::date;
use proptest::prelude::*;

use super::*;

fn caps(day: (Option<i64>, Option<i64>), month: (Option<i64>, Option<i64>)) -> Caps {
    let cap = |(soft, hard): (Option<i64>, Option<i64>)| Cap {
        soft: soft.map(Decimal::from),
        hard: hard.map(Decimal::from),
    };
    Caps {
        day: cap(day),
        month: cap(month),
    }
}

fn on(day: i8) -> Timestamp {
    crate::period::noon(date(2026, 3, day))
}

/// What was charged for a day of March.
fn charges(day: i8, amount: i64) -> Charges {
    let today = date(2026, 3, day);
    let mut charges = Charges {
        today,
        period: (date(2026, 3, 1), date(2026, 3, 31)),
        in_day: Decimal::ZERO,
        in_period: Decimal::ZERO,
    };
    charges.add(today, Decimal::from(amount));
    charges
}

fn spend(caps: Caps) -> Spend {
    let mut spend = Spend::default();
    spend.set(caps, &charges(1, 0));
    spend
}

fn names(facts: &[Fact]) -> Vec<(&'static str, &'static str)> {
    let named = facts.iter().map(|fact| {
        let span = match fact {
            Fact::SoftCapReached { span, .. }
            | Fact::HardCapReached { span, .. }
            | Fact::HardCapLifted { span, .. } => *span,
            other => panic!("{other:?}"),
        };
        (fact.name(), span)
    });
    named.collect()
}

const SOFT: &str = "spend.soft_cap_reached";
const HARD: &str = "spend.hard_cap_reached";
const LIFTED: &str = "spend.hard_cap_lifted";

#[test]
fn each_cap_is_told_once_in_its_span() {
    let mut spend = spend(caps((Some(5), Some(10)), (None, None)));
    let mut book = |day, amount| names(&spend.settle(Some(&charges(day, amount)), on(day)));
    assert_eq!(book(1, 4), []);
    assert_eq!(book(1, 1), [(SOFT, "day")]);
    assert_eq!(book(1, 1), []);
    assert_eq!(book(1, 4), [(HARD, "day")]);
    assert_eq!(book(1, 4), []);
    assert_eq!(book(2, 12), [(LIFTED, "day"), (SOFT, "day"), (HARD, "day")]);
}

#[test]
fn a_cap_of_the_month_holds_over_days_and_ends_with_the_period() {
    let mut spend = spend(caps((None, None), (None, Some(10))));
    for day in 1..=9 {
        assert_eq!(spend.settle(Some(&charges(day, 1)), on(day)), []);
    }
    let facts = spend.settle(Some(&charges(10, 1)), on(10));
    assert_eq!(names(&facts), [(HARD, "month")]);
    let until = "2026-04-01T00:00:00Z".parse().unwrap();
    assert_eq!(spend.next_action_at(), Some(until));
    assert_eq!(spend.settle(None, on(31)), []);
    assert!(spend.is_capped());
    assert_eq!(names(&spend.settle(None, until)), [(LIFTED, "month")]);
    assert!(!spend.is_capped());
    assert_eq!(spend.next_action_at(), None);
}

#[test]
fn a_downward_revision_keeps_the_hold_and_a_raised_cap_ends_it() {
    let mut spend = spend(caps((None, Some(10)), (None, None)));
    spend.settle(Some(&charges(1, 10)), on(1));
    assert_eq!(spend.settle(Some(&charges(1, -5)), on(1)), []);
    assert!(spend.is_capped());
    spend.set(caps((None, Some(12)), (None, None)), &charges(1, 13));
    assert_eq!(spend.settle(None, on(1)), []);
    assert!(spend.is_capped(), "13 is above 12 too");
    spend.set(caps((None, Some(20)), (None, None)), &charges(1, 13));
    assert_eq!(names(&spend.settle(None, on(1))), [(LIFTED, "day")]);
    spend.set(caps((None, Some(13)), (None, None)), &charges(1, 13));
    assert_eq!(names(&spend.settle(None, on(1))), [(HARD, "day")]);
    spend.set(Caps::default(), &charges(1, 13));
    assert_eq!(names(&spend.settle(None, on(1))), [(LIFTED, "day")]);
}

#[test]
fn usage_of_yesterday_counts_for_the_month_only() {
    let mut counted = charges(2, 3);
    counted.add(date(2026, 3, 1), Decimal::from(40));
    counted.add(date(2026, 2, 28), Decimal::from(500));
    assert_eq!(counted.in_day, Decimal::from(3));
    assert_eq!(counted.in_period, Decimal::from(43));
}

#[test]
fn caps_that_make_no_sense_are_refused() {
    assert_eq!(caps((Some(1), Some(1)), (None, None)).check(), Ok(()));
    for wrong in [
        caps((Some(2), Some(1)), (None, None)),
        caps((None, None), (None, Some(0))),
        caps((None, None), (Some(-1), None)),
    ] {
        assert!(wrong.check().is_err(), "{wrong:?}");
    }
}

#[test]
fn without_caps_nothing_is_counted() {
    let mut spend = Spend::default();
    assert_eq!(spend.settle(Some(&charges(1, 1_000)), on(1)), []);
    assert!(spend.is_default());
}

proptest! {
    /// Held exactly from the first moment at which the day's sum reached the cap.
    #[test]
    fn the_hold_follows_the_highest_sum_of_the_day(amounts in proptest::collection::vec((1_i8..4, -5_i64..10), 1..60)) {
        let mut amounts = amounts;
        amounts.sort_by_key(|(day, _)| *day);
        let mut spend = spend(caps((Some(6), Some(12)), (None, None)));
        let (mut today, mut sum, mut highest) = (1, 0, 0);
        let mut told = 0;
        for (day, amount) in amounts {
            if day != today {
                (today, sum, highest, told) = (day, 0, 0, 0);
            }
            sum += amount;
            highest = highest.max(sum);
            let facts = spend.settle(Some(&charges(day, amount)), on(day));
            told += facts.iter().filter(|fact| fact.name() == HARD).count();
            prop_assert_eq!(spend.is_capped(), highest >= 12);
            prop_assert_eq!(told, usize::from(highest >= 12));
        }
    }
}
