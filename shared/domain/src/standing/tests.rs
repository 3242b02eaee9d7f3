use proptest::prelude::*;

use super::*;
use crate::dunning::Exemption;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
}

fn policy() -> StandingPolicy {
    StandingPolicy {
        grace_minutes: 60,
        minimum_hold_minutes: 60,
        ..StandingPolicy::default()
    }
}

/// Reminded after 10 and 40 minutes, restricted after 30.
fn strict() -> StandingPolicy {
    StandingPolicy {
        restrict_after_minutes: Some(30),
        reminder_minutes: vec![10, 40],
        ..policy()
    }
}

fn grace(minute: i64) -> Standing {
    Standing::Grace {
        since: at(minute),
        reminded: 0,
    }
}

fn unpaid(minute: i64, dry: i64) -> Standing {
    Standing::Unpaid {
        since: at(minute),
        dry_since: Some(at(dry)),
    }
}

fn step(current: Standing, balance: i64, occasion: Occasion, minute: i64) -> Standing {
    let none = Dunning::default();
    let balance = Decimal::from(balance);
    evaluate(current, balance, &policy(), &none, occasion, at(minute))
}

#[test]
fn running_dry_gives_grace_and_then_the_hold() {
    assert_eq!(step(Standing::Good, 9, Occasion::Other, 0), Standing::Low);
    let standing = step(Standing::Low, -1, Occasion::Other, 1);
    assert_eq!(standing, grace(1));
    assert_eq!(step(standing, -2, Occasion::Other, 60), standing);
    assert_eq!(step(standing, -2, Occasion::Other, 61), unpaid(61, 1));
    assert_eq!(
        standing.next_action_at(Decimal::NEGATIVE_ONE, &policy(), &Dunning::default()),
        Some(at(61))
    );
}

#[test]
fn a_zero_balance_is_not_yet_dry() {
    assert_eq!(step(Standing::Good, 0, Occasion::Other, 0), Standing::Low);
}

#[test]
fn a_payment_ends_the_hold_at_once_and_a_revision_only_after_the_minimum() {
    let held = unpaid(0, 0);
    assert_eq!(step(held, 5, Occasion::Payment, 1), Standing::Low);
    assert_eq!(step(held, 5, Occasion::Other, 1), held);
    assert_eq!(
        held.next_action_at(Decimal::from(5), &policy(), &Dunning::default()),
        Some(at(60))
    );
    assert_eq!(step(held, 5, Occasion::Other, 60), Standing::Low);
}

#[test]
fn a_payment_below_resume_at_keeps_the_hold() {
    let held = unpaid(0, 0);
    assert_eq!(step(held, 0, Occasion::Payment, 90), held);
}

#[test]
fn reminders_and_the_restriction_come_in_their_order_and_each_moves_the_next_action() {
    let (policy, none) = (strict(), Dunning::default());
    let dry = Decimal::NEGATIVE_ONE;
    let mut standing = Standing::Low;
    let mut seen = Vec::new();
    let mut now = at(0);
    while !standing.is_unpaid() {
        standing = evaluate(standing, dry, &policy, &none, Occasion::Other, now);
        let reminded = standing.arrears().map_or(2, |(_, reminded)| reminded);
        let minute = (now.as_second() - at(0).as_second()) / 60;
        seen.push((minute, standing.name(), reminded));
        match standing.next_action_at(dry, &policy, &none) {
            Some(next) => now = next,
            None => break,
        }
    }
    let expected = [
        (0, "grace", 0),
        (10, "grace", 1),
        (30, "restricted", 1),
        (40, "restricted", 2),
        (60, "unpaid", 2),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn money_ends_the_restriction_at_once() {
    let standing = Standing::Restricted {
        since: at(0),
        reminded: 1,
    };
    assert_eq!(step(standing, 5, Occasion::Other, 31), Standing::Low);
}

#[test]
fn no_hold_comes_before_the_time_that_a_person_said_and_one_that_stands_goes() {
    let dunning = Dunning {
        hold_off_until: Some(at(500)),
        ..Dunning::default()
    };
    let dry = Decimal::NEGATIVE_ONE;
    let look = |current, minute| {
        let policy = strict();
        evaluate(current, dry, &policy, &dunning, Occasion::Other, at(minute))
    };
    let restricted = look(unpaid(60, 0), 70);
    let expected = Standing::Restricted {
        since: at(0),
        reminded: u8::MAX,
    };
    assert_eq!(restricted, expected);
    assert_eq!(look(restricted, 499), restricted);
    assert_eq!(
        restricted.next_action_at(dry, &strict(), &dunning),
        Some(at(500))
    );
    assert_eq!(look(restricted, 500), unpaid(500, 0));
    // Half a dollar does not end a hold by itself, but it is no debt either.
    let half = Decimal::new(5, 1);
    let freed = evaluate(
        unpaid(60, 0),
        half,
        &strict(),
        &dunning,
        Occasion::Other,
        at(70),
    );
    assert_eq!(freed, Standing::Low);
}

#[test]
fn an_exemption_changes_the_hold_and_not_the_standing() {
    let dunning = Dunning {
        exemption: Some(Exemption::NeverSuspend),
        ..Dunning::default()
    };
    let dry = Decimal::NEGATIVE_ONE;
    let standing = evaluate(grace(0), dry, &policy(), &dunning, Occasion::Other, at(60));
    assert_eq!(standing, unpaid(60, 0));
}

#[test]
fn policies_that_contradict_themselves_are_refused() {
    assert_eq!(policy().check(), Ok(()));
    assert_eq!(strict().check(), Ok(()));
    let refused = [
        StandingPolicy {
            credit_limit: Decimal::NEGATIVE_ONE,
            ..policy()
        },
        StandingPolicy {
            resume_at: Decimal::NEGATIVE_ONE,
            ..policy()
        },
        StandingPolicy {
            grace_minutes: MINUTES_MAX + 1,
            ..policy()
        },
        StandingPolicy {
            restrict_after_minutes: Some(60),
            ..policy()
        },
        StandingPolicy {
            reminder_minutes: vec![60],
            ..policy()
        },
        StandingPolicy {
            reminder_minutes: vec![20, 20],
            ..policy()
        },
        StandingPolicy {
            reminder_minutes: (0..11).collect(),
            ..policy()
        },
    ];
    for policy in refused {
        assert!(policy.check().is_err(), "{policy:?}");
    }
}

/// How often the hold changes with these balances, one a minute, and when.
fn hold_changes(policy: &StandingPolicy, balances: &[i64]) -> Vec<i64> {
    let mut wallet = crate::wallet::Wallet::new(crate::money::Currency::USD);
    let mut changes = Vec::new();
    for (minute, balance) in (0_i64..).zip(balances) {
        let was_unpaid = wallet.standing.is_unpaid();
        let overdraft = Decimal::from(-*balance.min(&0));
        let mut funds = crate::lots::Funds::new(Vec::new(), overdraft);
        if *balance > 0 {
            funds.pay_in(Decimal::from(*balance), crate::lots::LotTag::paid(1));
        }
        wallet.funds = funds;
        wallet = wallet.settle(policy, Occasion::Other, at(minute)).wallet;
        if wallet.standing.is_unpaid() != was_unpaid {
            changes.push(minute);
        }
    }
    changes
}

proptest! {
    #[test]
    fn evaluating_twice_changes_nothing_more(balance in -50_i64..50, minute in 0_i64..500, start in 0_usize..5) {
        let restricted = Standing::Restricted { since: at(0), reminded: 1 };
        let start = [Standing::Good, Standing::Low, grace(0), restricted, unpaid(0, 0)][start];
        let once = step(start, balance, Occasion::Other, minute);
        // A fresh grace or hold has its own clock; the second look at the same instant must agree.
        prop_assert_eq!(step(once, balance, Occasion::Other, minute), once);
    }

    #[test]
    fn s8_a_flapping_balance_cannot_change_the_hold_more_than_once_an_hour(
        balances in proptest::collection::vec(-5_i64..5, 1..300),
        grace_minutes in prop_oneof![Just(0_u32), Just(5), Just(60)],
    ) {
        let policy = StandingPolicy { grace_minutes, ..policy() };
        let changes = hold_changes(&policy, &balances);
        prop_assert!(changes.windows(2).all(|pair| pair[1] - pair[0] >= 60), "{:?}", changes);
    }

    #[test]
    fn the_next_action_lies_ahead_and_nothing_happens_before_it(minute in 0_i64..60, dry_for in 0_i64..60) {
        let (policy, none, dry) = (strict(), Dunning::default(), Decimal::NEGATIVE_ONE);
        let look = |current, minute| evaluate(current, dry, &policy, &none, Occasion::Other, at(minute));
        let standing = look(grace(0), minute);
        if let Some(next) = standing.next_action_at(dry, &policy, &none) {
            prop_assert!(next > at(minute));
            let before = (minute + dry_for).min((next.as_second() - at(0).as_second()) / 60 - 1).max(minute);
            prop_assert_eq!(look(standing, before), standing);
            let then = (next.as_second() - at(0).as_second()) / 60;
            prop_assert_ne!(look(standing, then), standing);
        }
    }
}

#[test]
fn a_balance_that_flips_each_minute_without_grace_is_held_in_turns_of_an_hour() {
    let policy = StandingPolicy {
        grace_minutes: 0,
        ..policy()
    };
    let balances: Vec<i64> = (0..300).map(|minute| [-1, 3][minute % 2]).collect();
    assert_eq!(hold_changes(&policy, &balances), [0, 61, 122, 183, 244]);
}
