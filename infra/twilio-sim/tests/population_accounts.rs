//! Subaccounts by the thousand are accounts like any other: lists, keys, status, triggers.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::usage::{daily, decimal, populated};
use common::{API, MAIN, ask, config, control, get, pass, post};
use domain::Decimal;
use serde_json::json;
use twilio_sim::{Population, Quirks, Sim, SimError, TrafficProfile};

const MARCH_3: &str = "2026-03-03T12:00:00Z";

#[tokio::test]
async fn its_accounts_are_like_any_other() {
    let (sim, sids) = populated(2500, MARCH_3, Quirks::none());
    let mut path = "/Accounts.json?PageSize=700".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = get(&sim, &path).await;
        for row in page.body["accounts"].as_array().unwrap() {
            seen.push(row["sid"].as_str().unwrap().to_owned());
        }
        if let Some(previous) = page.body["previous_page_uri"].as_str() {
            let before = get(&sim, previous.strip_prefix(API).unwrap()).await;
            let rows = before.body["accounts"].as_array().unwrap();
            let end = seen.len() - page.body["accounts"].as_array().unwrap().len();
            assert_eq!(rows.len(), 700);
            assert_eq!(
                rows[699]["sid"],
                seen[end - 1],
                "the page before ends where this one begins"
            );
        }
        match page.body["next_page_uri"].as_str() {
            Some(next) => path = next.strip_prefix(API).unwrap().to_owned(),
            None => break,
        }
    }
    let newest_first: Vec<String> = sids
        .iter()
        .rev()
        .cloned()
        .chain([MAIN.to_owned()])
        .collect();
    assert_eq!(seen, newest_first);
    let sid = &sids[1234];
    let fetched = get(&sim, &format!("/Accounts/{sid}.json")).await;
    assert_eq!(
        fetched.str("date_created"),
        "Sun, 01 Feb 2026 00:00:00 +0000"
    );
    let (token, name) = (fetched.str("auth_token"), fetched.str("friendly_name"));
    let named = get(
        &sim,
        &format!("/Accounts.json?FriendlyName={}", name.replace(' ', "%20")),
    )
    .await;
    assert_eq!(named.body["accounts"].as_array().unwrap().len(), 1);
    let path = format!("{API}/Accounts/{sid}/Keys.json");
    let key = ask(
        &sim,
        "POST",
        &path,
        Some((sid, &token)),
        &[("FriendlyName", "k")],
    )
    .await;
    assert_eq!(key.status, 201, "{}", key.body);
    assert_eq!(
        post(&sim, "/Accounts.json", &[("FriendlyName", "One more")])
            .await
            .status,
        201
    );
    let state = sim.accounts();
    assert_eq!(state.len(), 2502);
    assert_eq!(state[1235].usage_price, sim.usage_price(sid).unwrap());
}

#[tokio::test]
async fn usage_stops_where_an_account_is_not_active_and_rent_only_where_it_is_closed() {
    let (sim, sids) = populated(
        40,
        "2026-03-02T00:00:00Z",
        Quirks {
            rent: twilio_sim::Rent::Daily,
            ..Quirks::none()
        },
    );
    let status = async |sid: &str, status: &str| {
        let answer = post(
            &sim,
            &format!("/Accounts/{sid}.json"),
            &[("Status", status)],
        )
        .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    let day = async |sid: &str, day: u32| {
        let range = format!("&StartDate=2026-03-{day:02}&EndDate=2026-03-{day:02}");
        let prices = daily(&sim, sid, &range).await;
        let of = |name: &str| prices[&(format!("2026-03-{day:02}"), name.to_owned())];
        (
            of("totalprice") - of("phonenumbers"),
            of("phonenumbers") > Decimal::ZERO,
        )
    };
    for sid in &sids {
        status(sid, "suspended").await;
    }
    pass(&sim, 86_400).await;
    for sid in &sids {
        status(sid, "active").await;
    }
    pass(&sim, 86_400).await;
    for sid in &sids {
        status(sid, "closed").await;
    }
    pass(&sim, 2 * 86_400).await;
    let mut used = 0;
    for sid in &sids {
        assert_eq!(
            day(sid, 2).await,
            (Decimal::ZERO, true),
            "suspended: nothing but rent"
        );
        let (cost, rent) = day(sid, 3).await;
        assert!(rent);
        used += usize::from(cost > Decimal::ZERO);
        assert_eq!(day(sid, 5).await, (Decimal::ZERO, false), "closed");
    }
    assert!(used > 20, "active again: {used}");
    let main = daily(&sim, MAIN, "&StartDate=2026-03-05&EndDate=2026-03-05").await;
    assert!(main[&("2026-03-05".to_owned(), "totalprice".to_owned())].is_zero());
}

#[tokio::test]
async fn a_month_of_a_population_needs_no_events_and_triggers_on_it_fire_in_their_minute() {
    let (sim, sids) = populated(200, MARCH_3, Quirks::none());
    assert_eq!(sim.next_event_at(), None);
    let trigger = async |sid: &str, value: &str, recurring: &str| {
        let form = [
            ("CallbackUrl", "http://127.0.0.1:9/nobody"),
            ("TriggerValue", value),
            ("UsageCategory", "totalprice"),
            ("TriggerBy", "price"),
            ("Recurring", recurring),
        ];
        let made = post(&sim, &format!("/Accounts/{sid}/Usage/Triggers.json"), &form).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.str("uri").strip_prefix(API).unwrap().to_owned()
    };
    let mut paths = Vec::new();
    for sid in sids.iter().take(20).chain([&MAIN.to_owned()]) {
        paths.push((sid.clone(), trigger(sid, "+0.5", "").await));
    }
    let daily = trigger(MAIN, "5", "daily").await;
    pass(&sim, 30 * 86_400).await;
    let told = sim.deliveries();
    for (sid, path) in &paths {
        let shown = get(&sim, path).await;
        let Some(fired) = shown.body["date_fired"].as_str() else {
            let (current, value) = (&shown.body["current_value"], &shown.body["trigger_value"]);
            assert!(decimal(current) < decimal(value), "{sid} {current} {value}");
            continue;
        };
        assert!(
            told.iter()
                .any(|one| one.account_sid == *sid && one.status == "fired"),
            "{fired}"
        );
    }
    let fired = get(&sim, &daily).await.str("date_fired");
    assert!(fired.starts_with("Thu, 02 Apr 2026"), "{fired}");
    let days = told
        .iter()
        .filter(|one| daily.contains(&one.resource_sid))
        .count();
    assert_eq!(days, 31, "once a day");
}

#[tokio::test]
async fn a_population_that_makes_no_sense_is_refused() {
    let sim = Sim::new(config());
    let refused = |since: &str, profile: TrafficProfile, subaccounts| {
        let since = since.parse().unwrap();
        let asked = Population {
            subaccounts,
            since,
            profile,
        };
        sim.populate(&asked).unwrap_err()
    };
    let plain = TrafficProfile::default;
    assert_eq!(
        refused("2026-03-02", plain(), 5),
        SimError::Invalid("since")
    );
    assert_eq!(
        refused("2020-03-02", plain(), 5),
        SimError::Invalid("since")
    );
    let countries = vec!["XX".to_owned()];
    let elsewhere = TrafficProfile {
        countries,
        ..plain()
    };
    assert_eq!(
        refused("2026-03-01", elsewhere, 5),
        SimError::Invalid("country")
    );
    let messages_per_day = 1_000_000;
    let busy = TrafficProfile {
        messages_per_day,
        ..plain()
    };
    assert!(matches!(
        refused("2026-03-01", busy, 5),
        SimError::Invalid(_)
    ));
    assert!(matches!(
        refused("2026-03-01", plain(), usize::MAX),
        SimError::Invalid(_)
    ));
    let body = json!({"subaccounts": 3, "since": "2026-02-27", "profile": {"calls_per_day": 3}});
    let made = control(&sim, "POST", "/_sim/population", &body).await;
    assert_eq!((made.status, &made.body["subaccounts"]), (200, &json!(3)));
    assert!(made.str("first_sid").starts_with("AC") && made.str("last_sid").starts_with("AC"));
    let unknown = json!({"subaccounts": 3, "since": "2026-03-01", "colour": 1});
    assert_eq!(
        control(&sim, "POST", "/_sim/population", &unknown)
            .await
            .status,
        400
    );
}
