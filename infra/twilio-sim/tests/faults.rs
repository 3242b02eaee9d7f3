//! The fault script, seen from outside over a real connection.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{MAIN, TOKEN, config, control, get, subaccount};
use serde_json::{Value, json};
use twilio_sim::Sim;

struct Over {
    sim: Sim,
    base: String,
    http: reqwest::Client,
}

impl Over {
    async fn start() -> Self {
        let sim = Sim::new(config());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(sim.clone().serve(listener, std::future::pending()));
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { sim, base, http }
    }

    async fn script(&self, rule: Value) {
        assert_eq!(
            control(&self.sim, "POST", "/_sim/faults", &rule)
                .await
                .status,
            200
        );
    }

    async fn get(&self, path: &str) -> reqwest::Result<reqwest::Response> {
        self.http
            .get(format!("{}/2010-04-01{path}", self.base))
            .basic_auth(MAIN, Some(TOKEN))
            .send()
            .await
    }

    async fn create(&self, name: &str) -> reqwest::Result<reqwest::Response> {
        let url = format!("{}/2010-04-01/Accounts.json", self.base);
        self.http
            .post(url)
            .basic_auth(MAIN, Some(TOKEN))
            .form(&[("FriendlyName", name)])
            .send()
            .await
    }
}

#[tokio::test]
async fn a_status_strikes_the_nth_request_with_body_and_headers() {
    let over = Over::start().await;
    let action = json!({"type": "status", "status": 429, "headers": {"Retry-After": "2"}});
    over.script(json!({"method": "GET", "path": "*/Accounts.json*", "nth": 2, "action": action}))
        .await;
    assert_eq!(over.get("/Accounts.json").await.unwrap().status(), 200);
    let struck = over.get("/Accounts.json").await.unwrap();
    assert_eq!(
        (
            struck.status().as_u16(),
            struck.headers()["Retry-After"].to_str().unwrap()
        ),
        (429, "2")
    );
    let body: Value = struck.json().await.unwrap();
    assert_eq!(body["code"], 20_429);
    assert_eq!(over.get("/Accounts.json").await.unwrap().status(), 200);
    assert_eq!(over.sim.requests()[1].fault, Some(1));
    over.script(
        json!({"path": "*", "action": {"type": "status", "status": 500, "after_effect": true}}),
    )
    .await;
    assert_eq!(over.create("after").await.unwrap().status(), 500);
    assert_eq!(over.sim.accounts().len(), 2, "the effect happened");
}

#[tokio::test]
async fn a_connection_drops_before_or_after_the_effect() {
    let over = Over::start().await;
    over.script(json!([
        {"method": "POST", "path": "*", "action": {"type": "drop", "after_effect": false}},
        {"method": "POST", "path": "*", "nth": 2, "action": {"type": "drop", "after_effect": true}}
    ]))
    .await;
    assert!(over.create("a").await.is_err());
    assert_eq!(over.sim.accounts().len(), 1);
    assert!(over.create("a").await.is_err());
    assert_eq!(over.sim.accounts().len(), 2);
    assert!(over.create("a").await.is_ok());
    let statuses: Vec<u16> = over
        .sim
        .requests()
        .iter()
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [0, 0, 201]);
}

#[tokio::test]
async fn bodies_are_cut_and_connections_reset() {
    let over = Over::start().await;
    over.script(json!({"path": "*", "action": {"type": "truncate", "keep_bytes": 50}}))
        .await;
    let cut = over.get("/Accounts.json").await.unwrap();
    assert_eq!(cut.status(), 200);
    assert_eq!(cut.bytes().await.unwrap().len(), 50);
    over.sim.clear_faults();
    over.script(json!({"path": "*", "action": {"type": "reset", "keep_bytes": 50}}))
        .await;
    let reset = over.get("/Accounts.json").await;
    assert!(match reset {
        Ok(answer) => answer.bytes().await.is_err(),
        Err(_) => true,
    });
}

#[tokio::test]
async fn a_delay_passes_in_simulated_time() {
    let over = Over::start().await;
    over.script(json!({"path": "*", "action": {"type": "delay", "ms": 60_000}}))
        .await;
    let before = over.sim.clock().now();
    assert_eq!(over.get("/Accounts.json").await.unwrap().status(), 200);
    assert_eq!(over.sim.clock().now().duration_since(before).as_secs(), 60);
}

#[tokio::test]
async fn pages_repeat_loop_or_point_elsewhere() {
    let sim = Sim::new(config());
    for name in ["a", "b", "c"] {
        subaccount(&sim, name).await;
    }
    let first = get(&sim, "/Accounts.json?PageSize=2").await;
    let next = first.str("next_page_uri").replace(common::API, "");
    let second = get(&sim, &next).await;
    control(
        &sim,
        "POST",
        "/_sim/faults",
        &json!({"path": "*Page=1*", "action": {"type": "repeat_page"}}),
    )
    .await;
    let repeated = get(&sim, &next).await;
    assert_eq!(repeated.body["accounts"], first.body["accounts"]);
    assert_eq!(repeated.body["next_page_uri"], second.body["next_page_uri"]);
    for (uri, expected) in [
        ("self", first.str("uri")),
        (
            "https://evil.example.test/x",
            "https://evil.example.test/x".to_owned(),
        ),
    ] {
        control(
            &sim,
            "POST",
            "/_sim/faults",
            &json!({"path": "*", "action": {"type": "next_page_uri", "uri": uri}}),
        )
        .await;
        assert_eq!(
            get(&sim, "/Accounts.json?PageSize=2")
                .await
                .str("next_page_uri"),
            expected
        );
        sim.clear_faults();
    }
}

#[tokio::test]
async fn prices_are_null_or_in_another_unit() {
    let sim = Sim::new(config());
    let path = format!("/Accounts/{MAIN}/Usage/Records.json?Category=sms");
    control(
        &sim,
        "POST",
        "/_sim/faults",
        &json!([
            {"path": "*Usage*", "nth": 1, "action": {"type": "price_null"}},
            {"path": "*Usage*", "nth": 2, "action": {"type": "price_unit", "unit": "eur"}}
        ]),
    )
    .await;
    assert_eq!(
        get(&sim, &path).await.body["usage_records"][0]["price"],
        Value::Null
    );
    assert_eq!(
        get(&sim, &path).await.body["usage_records"][0]["price_unit"],
        "eur"
    );
    assert_eq!(
        get(&sim, &path).await.body["usage_records"][0]["price_unit"],
        "usd"
    );
    let faults = control(&sim, "GET", "/_sim/faults", &json!(null)).await;
    assert_eq!(
        (&faults.body[0]["matched"], &faults.body[0]["struck"]),
        (&json!(3), &json!(1))
    );
}

#[tokio::test]
async fn requests_are_counted_by_route_and_account_without_secrets() {
    let sim = Sim::new(config());
    let (sid, token) = subaccount(&sim, "Acme").await;
    get(
        &sim,
        &format!("/Accounts/{sid}/Usage/Records/Daily.json?Category=sms"),
    )
    .await;
    let counters = sim.counters();
    assert_eq!(counters.requests, 2);
    assert_eq!(counters.by_route["GET /Usage/Records/Daily"], 1);
    assert_eq!(counters.by_account[&sid]["GET /Usage/Records/Daily"], 1);
    let log = control(&sim, "GET", "/_sim/requests", &json!(null))
        .await
        .body
        .to_string();
    assert!(!log.contains(&token) && !log.contains(TOKEN));
    control(&sim, "DELETE", "/_sim/requests", &json!(null)).await;
    assert_eq!(sim.counters().requests, 0);
}

#[tokio::test]
async fn the_clock_is_read_set_and_advanced_from_outside_and_quirks_change_one_by_one() {
    let sim = Sim::new(config());
    let set = control(
        &sim,
        "POST",
        "/_sim/clock",
        &json!({"set": "2026-03-02T00:00:00Z"}),
    )
    .await;
    assert_eq!(set.str("now"), "2026-03-02T00:00:00Z");
    let on = control(&sim, "POST", "/_sim/clock", &json!({"advance_ms": 1500})).await;
    assert_eq!(on.str("now"), "2026-03-02T00:00:01.5Z");
    let quirks = control(
        &sim,
        "POST",
        "/_sim/quirks",
        &json!({"friendly_name_filter_ignored": true}),
    )
    .await;
    assert_eq!(
        (
            &quirks.body["friendly_name_filter_ignored"],
            &quirks.body["any_sender"]
        ),
        (&json!(true), &json!(false))
    );
    subaccount(&sim, "Acme").await;
    assert_eq!(
        get(&sim, "/Accounts.json?FriendlyName=Acme").await.body["accounts"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        control(&sim, "POST", "/_sim/quirks", &json!({"nonsense": 1}))
            .await
            .status,
        400
    );
}
