//! Subaccounts by the thousand: usage that follows from the seed, and accounts like any other.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeMap;

use common::{API, MAIN, ask, config, control, get, pass, post};
use domain::Decimal;
use domain::money::parse_decimal;
use serde_json::{Value, json};
use twilio_sim::clock::VirtualClock;
use twilio_sim::{Population, Quirks, Sim, SimConfig, SimError, TrafficProfile};

fn at(text: &str) -> VirtualClock {
    VirtualClock::manual(text.parse().unwrap())
}

/// A world in which so many subaccounts have used things since February.
fn populated(subaccounts: usize, now: &str, quirks: Quirks) -> (Sim, Vec<String>) {
    let sim = Sim::new(SimConfig {
        quirks,
        clock: at(now),
        ..config()
    });
    let population = Population {
        subaccounts,
        since: "2026-02-01".parse().unwrap(),
        profile: TrafficProfile {
            messages_per_day: 200,
            calls_per_day: 50,
            ..TrafficProfile::default()
        },
    };
    let sids = sim.populate(&population).unwrap();
    (sim, sids)
}

fn decimal(value: &Value) -> Decimal {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    parse_decimal(&text).unwrap()
}

/// Prices by day and category; every page, and everything in it, must be right.
async fn daily(sim: &Sim, sid: &str, range: &str) -> BTreeMap<(String, String), Decimal> {
    let mut path = format!("/Accounts/{sid}/Usage/Records/Daily.json?PageSize=1000{range}");
    let mut prices = BTreeMap::new();
    loop {
        let page = get(sim, &path).await;
        assert_eq!(page.status, 200, "{}", page.body);
        for row in page.body["usage_records"].as_array().unwrap() {
            let name = |key: &str| row[key].as_str().unwrap().to_owned();
            prices.insert(
                (name("start_date"), name("category")),
                decimal(&row["price"]),
            );
        }
        match page.body["next_page_uri"].as_str() {
            Some(next) => next.strip_prefix(API).unwrap().clone_into(&mut path),
            None => return prices,
        }
    }
}

async fn total(sim: &Sim, sid: &str, path: &str) -> Decimal {
    let separator = if path.contains('?') { '&' } else { '?' };
    let path = format!("/Accounts/{sid}/Usage/Records{path}{separator}Category=totalprice");
    decimal(&get(sim, &path).await.body["usage_records"][0]["price"])
}

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
