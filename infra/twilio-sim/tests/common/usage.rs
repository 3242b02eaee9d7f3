//! Usage as tests read and set it, and worlds of many subaccounts.

use std::collections::BTreeMap;

use domain::Decimal;
use domain::money::parse_decimal;
use serde_json::{Value, json};
use twilio_sim::clock::VirtualClock;
use twilio_sim::{Population, Quirks, Sim, SimConfig, TrafficProfile};

use super::{API, config, control, get};

pub fn sim_with(quirks: Quirks) -> Sim {
    Sim::new(SimConfig { quirks, ..config() })
}

/// A world in which so many subaccounts have used things since February.
pub fn populated(subaccounts: usize, now: &str, quirks: Quirks) -> (Sim, Vec<String>) {
    let sim = Sim::new(SimConfig {
        quirks,
        clock: VirtualClock::manual(now.parse().unwrap()),
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

pub fn decimal(value: &Value) -> Decimal {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    parse_decimal(&text).unwrap()
}

/// The rows of one page below an account's usage.
pub async fn rows(sim: &Sim, sid: &str, path: &str) -> Vec<Value> {
    let page = get(sim, &format!("/Accounts/{sid}/Usage/Records{path}")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    page.body["usage_records"].as_array().unwrap().clone()
}

/// The price of a list's first row.
pub async fn price(sim: &Sim, sid: &str, path: &str) -> Decimal {
    decimal(&rows(sim, sid, path).await[0]["price"])
}

/// The total over what a path asks for.
pub async fn total(sim: &Sim, sid: &str, path: &str) -> Decimal {
    let separator = if path.contains('?') { '&' } else { '?' };
    price(sim, sid, &format!("{path}{separator}Category=totalprice")).await
}

/// Prices by day and category, page by page.
pub async fn daily(sim: &Sim, sid: &str, range: &str) -> BTreeMap<(String, String), Decimal> {
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

/// Sets a record: 7 of them, 30 of their unit.
pub async fn set(sim: &Sim, sid: &str, day: &str, category: &str, price: &str) {
    let body = json!({"account_sid": sid, "day": day, "category": category, "price": price, "usage": "30", "count": 7});
    assert_eq!(control(sim, "POST", "/_sim/usage", &body).await.status, 204);
}
