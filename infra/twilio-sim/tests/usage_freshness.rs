//! Usage that moves: `as_of`, replicas that are behind, late and revised records, rows between pages.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeMap;

use common::usage::{decimal, rows, set, sim_with};
use common::{API, MAIN, get, pass, subaccount};
use domain::Decimal;
use domain::money::parse_decimal;
use jiff::Timestamp;
use twilio_sim::{Quirks, Sim, TrafficProfile};

#[tokio::test]
async fn as_of_lags_in_each_category_s_turn_and_never_goes_back() {
    let sim = sim_with(Quirks {
        as_of_lag_ms: [600_000, 900_000],
        ..Quirks::none()
    });
    let (sid, _) = subaccount(&sim, "Acme").await;
    let mut known: BTreeMap<String, Timestamp> = BTreeMap::new();
    let mut moved = 0;
    for _ in 0..40 {
        pass(&sim, 120).await;
        let now = sim.clock().now();
        for row in rows(&sim, &sid, ".json?PageSize=1000").await {
            let as_of: Timestamp = row["as_of"].as_str().unwrap().parse().unwrap();
            assert!(
                as_of <= now && now.duration_since(as_of).as_secs() <= 900,
                "{as_of} {now}"
            );
            let before = known.insert(row["category"].as_str().unwrap().to_owned(), as_of);
            assert!(before.is_none_or(|before| before <= as_of));
            moved += usize::from(before.is_some_and(|before| before < as_of));
        }
    }
    assert!(moved > 100 && moved < known.len() * 39, "{moved}");
    let distinct: std::collections::BTreeSet<_> = known.values().collect();
    assert!(distinct.len() > 10, "categories have turns of their own");
}

#[tokio::test]
async fn a_replica_that_is_behind_says_so_and_shows_older_numbers() {
    let sim = sim_with(Quirks {
        as_of_disorder_per_mille: 300,
        ..Quirks::none()
    });
    let (sid, _) = subaccount(&sim, "Acme").await;
    let mut written: BTreeMap<Timestamp, u32> = BTreeMap::new();
    let (mut latest, mut back) = (Timestamp::MIN, 0);
    for step in 1..=60_u32 {
        set(
            &sim,
            &sid,
            "2026-03-01",
            "carrier-lookups",
            &step.to_string(),
        )
        .await;
        written.insert(sim.clock().now(), step);
        pass(&sim, 120).await;
        for (whose, path) in [
            (sid.as_str(), ".json?Category=lookups"),
            (MAIN, ".json?Category=totalprice"),
        ] {
            let row = &rows(&sim, whose, path).await[0];
            let as_of: Timestamp = row["as_of"].as_str().unwrap().parse().unwrap();
            let end = as_of + std::time::Duration::from_secs(1);
            let known = written
                .range(..end)
                .next_back()
                .map_or(0, |(_, step)| *step);
            assert_eq!(decimal(&row["price"]), Decimal::from(known));
            back += usize::from(as_of < latest);
            latest = latest.max(as_of);
        }
    }
    assert!(back > 20, "{back} of 120 readings were behind");
}

#[tokio::test]
async fn some_usage_shows_days_late_and_nothing_else_changes() {
    let total = async |late_per_mille| {
        let sim = sim_with(Quirks {
            late_usage_per_mille: late_per_mille,
            ..Quirks::none()
        });
        let (sid, _) = subaccount(&sim, "Acme").await;
        let profile = TrafficProfile {
            messages_per_day: 80,
            ..TrafficProfile::default()
        };
        sim.start_traffic(&sid, profile).unwrap();
        pass(&sim, 86_400).await;
        sim.stop_traffic(&sid).unwrap();
        pass(&sim, 86_400).await;
        let early = sim.usage_price(&sid).unwrap();
        pass(&sim, 5 * 86_400).await;
        (
            parse_decimal(&early).unwrap(),
            parse_decimal(&sim.usage_price(&sid).unwrap()).unwrap(),
        )
    };
    let (early, last) = total(0).await;
    assert_eq!(early, last);
    let (early, late_last) = total(200).await;
    assert!(early < late_last);
    assert_eq!(late_last, last);
}

#[tokio::test]
async fn records_are_revised_up_down_to_nothing_and_several_times() {
    let sim = sim_with(Quirks {
        revision_per_mille: 1000,
        revision_again_per_mille: 700,
        ..Quirks::none()
    });
    let (sid, _) = subaccount(&sim, "Acme").await;
    let profile = TrafficProfile {
        messages_per_day: 200,
        calls_per_day: 100,
        ..TrafficProfile::default()
    };
    sim.start_traffic(&sid, profile).unwrap();
    pass(&sim, 3 * 86_400).await;
    sim.stop_traffic(&sid).unwrap();
    pass(&sim, 4 * 3600).await;
    let (mut ups, mut downs, mut gone) = (0, 0, 0);
    let mut changes: BTreeMap<(String, String), (Decimal, usize)> = BTreeMap::new();
    for _ in 0..200 {
        pass(&sim, 7200).await;
        for row in rows(&sim, &sid, "/Daily.json?PageSize=1000&EndDate=2026-03-03").await {
            let price = decimal(&row["price"]);
            let name = |key: &str| row[key].as_str().unwrap().to_owned();
            let (known, times) = changes
                .entry((name("start_date"), name("category")))
                .or_insert((price, 0));
            *times += usize::from(*known != price);
            ups += usize::from(*known < price);
            downs += usize::from(*known > price && !price.is_zero());
            gone += usize::from(*known > price && price.is_zero());
            *known = price;
        }
    }
    assert!(ups > 5 && downs > 5 && gone > 0, "{ups} {downs} {gone}");
    assert!(changes.values().any(|(_, times)| *times >= 3));
}

/// Reads a list page by page; something happens after the first page.
async fn walk(sim: &Sim, sid: &str, meanwhile: impl AsyncFnOnce()) -> Vec<(String, String)> {
    let mut path = format!("/Accounts/{sid}/Usage/Records/Daily.json?PageSize=50");
    let mut meanwhile = Some(meanwhile);
    let mut seen = Vec::new();
    loop {
        let page = get(sim, &path).await;
        assert_eq!(page.status, 200, "{}", page.body);
        for row in page.body["usage_records"].as_array().unwrap() {
            let name = |key: &str| row[key].as_str().unwrap().to_owned();
            seen.push((name("start_date"), name("category")));
        }
        let Some(next) = page.body["next_page_uri"].as_str() else {
            return seen;
        };
        path = next.strip_prefix(API).unwrap().to_owned();
        if let Some(meanwhile) = meanwhile.take() {
            meanwhile().await;
        }
    }
}

#[tokio::test]
async fn rows_that_come_between_two_pages_shift_the_others_only_if_asked() {
    for shifts in [false, true] {
        let sim = sim_with(Quirks {
            usage_rows_shift: shifts,
            ..Quirks::none()
        });
        let (sid, _) = subaccount(&sim, "Acme").await;
        pass(&sim, 2 * 86_400 + 80_000).await;
        let before = walk(&sim, &sid, async || ()).await;
        // A new day begins, and a category that was never seen appears.
        let after = walk(&sim, &sid, async || {
            set(&sim, &sid, "2026-03-02", "brand-new-thing", "1").await;
            pass(&sim, 10_000).await;
        })
        .await;
        let distinct: std::collections::BTreeSet<_> = after.iter().collect();
        let missed = before.iter().filter(|row| !distinct.contains(row)).count();
        let twice = after.len() - distinct.len();
        assert_eq!(twice > 0, shifts, "{twice}");
        assert_eq!(missed, 0);
    }
    let sim = sim_with(Quirks::none());
    let (sid, _) = subaccount(&sim, "Acme").await;
    for token in ["APeA==", "AP%21", "PAnonsense", "APMjAyNi0wMy0wMTp4"] {
        let path = format!("/Accounts/{sid}/Usage/Records.json?Page=1&PageToken={token}");
        assert_eq!(get(&sim, &path).await.code(), 21_481, "{token}");
    }
}
