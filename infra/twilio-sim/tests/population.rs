//! Usage that follows from the seed: it adds up, grows, is revised, and takes what is set on top.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeMap;

use common::usage::{daily, decimal, populated, total};
use common::{MAIN, control, get, pass};
use domain::Decimal;
use domain::money::parse_decimal;
use serde_json::json;
use twilio_sim::Quirks;

const MARCH_3: &str = "2026-03-03T12:00:00Z";

#[tokio::test]
async fn usage_follows_from_the_seed_and_its_sums_agree() {
    let (sim, sids) = populated(300, MARCH_3, Quirks::default());
    let (again, others) = populated(300, MARCH_3, Quirks::default());
    assert_eq!(sids, others);
    let range = "&StartDate=2026-02-01";
    let (mut all, mut busy) = (Decimal::ZERO, 0);
    for sid in sids.iter().step_by(10) {
        let prices = daily(&sim, sid, range).await;
        assert_eq!(prices, daily(&again, sid, range).await);
        let of = |category: &str| -> Decimal {
            let rows = prices.iter().filter(|((_, name), _)| name == category);
            rows.map(|(_, price)| *price).sum()
        };
        assert_eq!(
            of("totalprice"),
            total(&sim, sid, ".json?StartDate=2026-02-01").await
        );
        assert_eq!(of("calls"), of("calls-inbound") + of("calls-outbound"));
        busy += usize::from(of("sms") > Decimal::ZERO);
    }
    assert!((15..30).contains(&busy), "some are idle: {busy} of 30");
    for sid in &sids {
        all += parse_decimal(&sim.usage_price(sid).unwrap()).unwrap();
    }
    // The first reading adds up, the second remembers, and the balance is what is left.
    for _ in 0..2 {
        assert_eq!(total(&sim, MAIN, ".json?StartDate=2026-02-01").await, all);
    }
    let alone = total(
        &sim,
        MAIN,
        ".json?StartDate=2026-02-01&IncludeSubaccounts=false",
    )
    .await;
    assert!(alone.is_zero());
    let balance = get(&sim, &format!("/Accounts/{MAIN}/Balance.json")).await;
    assert_eq!(
        decimal(&balance.body["balance"]),
        Decimal::from(10_000) - all
    );
}

#[tokio::test]
async fn the_day_grows_late_and_never_shrinks() {
    let (sim, sids) = populated(60, "2026-03-03T00:00:00Z", Quirks::none());
    let mut known = BTreeMap::new();
    let mut grown = 0;
    for _ in 0..28 {
        for sid in sids.iter().chain([&MAIN.to_owned()]) {
            let now = total(
                &sim,
                sid,
                "/Daily.json?StartDate=2026-03-03&EndDate=2026-03-03",
            )
            .await;
            let before = known.insert(sid.clone(), now).unwrap_or_default();
            assert!(before <= now, "{sid} {before} {now}");
            grown += usize::from(before < now);
        }
        pass(&sim, 3600).await;
    }
    assert!(grown > 500, "{grown}");
    pass(&sim, 86_400).await;
    for (sid, before) in known {
        let path = "/Daily.json?StartDate=2026-03-03&EndDate=2026-03-03";
        assert_eq!(
            total(&sim, &sid, path).await,
            before,
            "whole three hours after its end"
        );
    }
}

#[tokio::test]
async fn some_records_are_revised_afterwards_up_down_and_to_nothing() {
    let (sim, sids) = populated(
        60,
        "2026-03-03T04:00:00Z",
        Quirks {
            revision_per_mille: 500,
            revision_again_per_mille: 500,
            ..Quirks::none()
        },
    );
    let range = "&StartDate=2026-03-02&EndDate=2026-03-02";
    let (mut ups, mut downs, mut gone) = (0, 0, 0);
    let mut before = Vec::new();
    for sid in &sids {
        before.push(daily(&sim, sid, range).await);
    }
    let family = total(
        &sim,
        MAIN,
        "/Daily.json?StartDate=2026-03-02&EndDate=2026-03-02",
    )
    .await;
    pass(&sim, 10 * 86_400).await;
    for (sid, before) in sids.iter().zip(&before) {
        for (row, now) in daily(&sim, sid, range).await {
            let then = before[&row];
            ups += usize::from(now > then);
            downs += usize::from(now < then && !now.is_zero());
            gone += usize::from(now < then && now.is_zero());
        }
    }
    assert!(ups > 20 && downs > 20 && gone > 3, "{ups} {downs} {gone}");
    let revised = total(
        &sim,
        MAIN,
        "/Daily.json?StartDate=2026-03-02&EndDate=2026-03-02",
    )
    .await;
    assert_ne!(family, revised);
    pass(&sim, 10 * 86_400).await;
    let last = total(
        &sim,
        MAIN,
        "/Daily.json?StartDate=2026-03-02&EndDate=2026-03-02",
    )
    .await;
    assert_eq!(revised, last);
}

#[tokio::test]
async fn what_is_set_by_hand_and_what_is_booked_stands_on_top() {
    let (sim, sids) = populated(40, MARCH_3, Quirks::none());
    let busy = async || {
        for sid in &sids {
            let path = "/Daily.json?StartDate=2026-02-10&EndDate=2026-02-10";
            if total(&sim, sid, path).await > Decimal::from(2) {
                return sid.clone();
            }
        }
        panic!("everybody is idle");
    };
    let sid = busy().await;
    let row = ("2026-02-10".to_owned(), "sms-outbound-longcode".to_owned());
    let range = "&StartDate=2026-02-01";
    let before = daily(&sim, &sid, range).await;
    let family = total(&sim, MAIN, ".json?StartDate=2026-02-01").await;
    assert!(before[&row] > Decimal::ZERO);
    for wanted in ["0", "7.5", "0.01"] {
        let body = json!({"account_sid": sid, "day": row.0, "category": row.1, "price": wanted});
        assert_eq!(
            control(&sim, "POST", "/_sim/usage", &body).await.status,
            204
        );
        let wanted = parse_decimal(wanted).unwrap();
        let after = daily(&sim, &sid, range).await;
        assert_eq!(after[&row], wanted);
        let change = wanted - before[&row];
        let total_row = (row.0.clone(), "totalprice".to_owned());
        assert_eq!(after[&total_row], before[&total_row] + change);
        assert_eq!(
            total(&sim, MAIN, ".json?StartDate=2026-02-01").await,
            family + change
        );
    }
    // A number, its rent and a call, like anybody's.
    let number = control(&sim, "POST", "/_sim/numbers", &json!({"account_sid": sid})).await;
    assert_eq!(number.status, 200);
    let call = json!({"account_sid": sid, "duration_s": 60});
    assert_eq!(
        control(&sim, "POST", "/_sim/calls", &call).await.status,
        200
    );
    pass(&sim, 4 * 3600).await;
    let now = daily(&sim, &sid, range).await;
    let rent = now[&("2026-03-03".to_owned(), "phonenumbers".to_owned())];
    assert_eq!(rent, parse_decimal("1.15").unwrap());
}
