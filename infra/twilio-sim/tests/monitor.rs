//! The audit log and the error log.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{
    API, MAIN, Reply, TOKEN, ask, config, control, pass, post, quick_config, receiver, subaccount,
};
use serde_json::{Value, json};
use twilio_sim::Sim;

async fn monitor(sim: &Sim, path: &str, who: (&str, &str)) -> Reply {
    let answer = ask(sim, "GET", &format!("/monitor/v1{path}"), Some(who), &[]).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer
}

fn types(page: &Reply) -> Vec<&str> {
    let rows = page.body["events"].as_array().unwrap();
    rows.iter()
        .map(|row| row["event_type"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn what_is_changed_is_written_down_with_who_changed_it() {
    let sim = Sim::new(config());
    let (own, token) = subaccount(&sim, "before").await;
    let account = format!("/Accounts/{own}.json");
    post(
        &sim,
        &account,
        &[("FriendlyName", "after"), ("Status", "active")],
    )
    .await;
    let page = monitor(&sim, "/Events", (MAIN, TOKEN)).await;
    assert_eq!(types(&page), ["account.updated", "account.created"]);
    let updated = &page.body["events"][0];
    assert_eq!(
        updated["event_data"],
        json!({"friendly_name": {"previous": "before", "updated": "after"}})
    );
    let actor = format!("US{}", &MAIN[2..]);
    let url = format!("https://api.twilio.com/2010-04-01/Accounts/{own}");
    assert_eq!(updated["resource_sid"], own);
    assert_eq!(updated["resource_type"], "account");
    assert_eq!(updated["actor_sid"], actor);
    assert_eq!(updated["source"], "api");
    assert_eq!(updated["event_date"], "2026-03-01T00:00:00Z");
    assert_eq!(updated["links"]["resource"], url);
    assert_eq!(page.body["events"][1]["links"]["resource"], url);
    let one = format!("/Events/{}", updated["sid"].as_str().unwrap());
    assert_eq!(monitor(&sim, &one, (MAIN, TOKEN)).await.body, *updated);
    let foreign = ask(
        &sim,
        "GET",
        &format!("/monitor/v1{one}"),
        Some((&own, &token)),
        &[],
    )
    .await;
    assert_eq!(foreign.code(), 20_404, "the main account's log is its own");
    assert!(
        !page.body.to_string().contains(&token),
        "no secret is in the log"
    );
}

#[tokio::test]
async fn each_kind_of_change_has_twilio_s_name() {
    let sim = Sim::new(config());
    let (own, token) = subaccount(&sim, "own").await;
    let sub = Some((own.as_str(), token.as_str()));
    let numbers = format!("{API}/Accounts/{own}/IncomingPhoneNumbers");
    let bought = ask(
        &sim,
        "POST",
        &format!("{numbers}.json"),
        sub,
        &[("PhoneNumber", "+14155550100")],
    )
    .await;
    let number = bought.str("sid");
    let one = format!("{numbers}/{number}.json");
    ask(
        &sim,
        "POST",
        &one,
        sub,
        &[("VoiceUrl", "https://example.test/voice")],
    )
    .await;
    let service = ask(
        &sim,
        "POST",
        "/messaging/v1/Services",
        sub,
        &[("FriendlyName", "s")],
    )
    .await;
    let pool = format!("/messaging/v1/Services/{}/PhoneNumbers", service.str("sid"));
    ask(&sim, "POST", &pool, sub, &[("PhoneNumberSid", &number)]).await;
    let key = ask(&sim, "POST", "/iam/v1/Keys", sub, &[("AccountSid", &own)]).await;
    let (sk, secret) = (key.str("sid"), key.str("secret"));
    ask(&sim, "DELETE", &one, Some((&sk, &secret)), &[]).await;
    ask(&sim, "POST", "/accounts/v1/AuthTokens/Secondary", sub, &[]).await;
    ask(&sim, "POST", "/accounts/v1/AuthTokens/Promote", sub, &[]).await;
    let refused = ask(&sim, "POST", "/accounts/v1/AuthTokens/Promote", sub, &[]).await;
    assert_eq!(refused.status, 401, "what is refused is no event");
    let key = (sk.as_str(), secret.as_str());
    let page = monitor(&sim, "/Events", key).await;
    assert_eq!(
        types(&page),
        [
            "account-auth-token.promoted",
            "account-auth-token.secondary-created",
            "phone-number.deleted",
            "account-api-keys.created",
            "copilot-number-pool.created",
            "copilot-application.created",
            "phone-number.updated",
            "phone-number.created"
        ]
    );
    let deleted = &page.body["events"][2];
    assert_eq!(deleted["resource_sid"], number);
    assert_eq!(deleted["actor_sid"], format!("US{}", &sk[2..]));
    assert_eq!(page.body["events"][0]["resource_sid"], own);
    for (query, expected) in [
        (format!("ActorSid={sk}"), 1),
        (format!("ActorSid=US{}", &sk[2..]), 1),
        (format!("ActorSid={own}"), 7),
        (format!("ResourceSid={number}"), 4),
        ("EventType=phone-number.created".to_owned(), 1),
        (
            "EventType=phone-number.created&ActorSid=nobody".to_owned(),
            0,
        ),
        ("SourceIpAddress=127.0.0.1".to_owned(), 0),
        ("StartDate=2026-03-01".to_owned(), 8),
        ("StartDate=2026-03-01T00:00:01Z".to_owned(), 0),
        ("EndDate=2026-03-01T00:00:00Z".to_owned(), 8),
        ("EndDate=2026-02-28".to_owned(), 0),
    ] {
        let found = monitor(&sim, &format!("/Events?{query}"), key).await;
        assert_eq!(types(&found).len(), expected, "{query}");
    }
    let wrong = ask(
        &sim,
        "GET",
        "/monitor/v1/Events?StartDate=soon",
        Some(key),
        &[],
    )
    .await;
    assert_eq!(wrong.code(), 20_001);
}

#[tokio::test]
async fn what_twilio_or_its_console_did_stands_there_too() {
    let sim = Sim::new(config());
    let (own, _) = subaccount(&sim, "own").await;
    let path = format!("/_sim/accounts/{own}");
    control(&sim, "POST", &path, &json!({"status": "suspended"})).await;
    control(&sim, "POST", "/_sim/keys", &json!({"account_sid": MAIN})).await;
    post(
        &sim,
        &format!("/Accounts/{own}.json"),
        &[("Status", "closed")],
    )
    .await;
    pass(&sim, 30 * 86_400 - 60).await;
    let kept = monitor(&sim, "/Events?PageSize=2", (MAIN, TOKEN)).await;
    assert!(kept.body["meta"]["next_page_url"].is_string());
    pass(&sim, 60).await;
    let page = monitor(&sim, "/Events", (MAIN, TOKEN)).await;
    let seen: Vec<_> = page.body["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["event_type"].clone(),
                row["source"].clone(),
                row["actor_type"].clone(),
            )
        })
        .collect();
    let row = |event: &str, source: &str, actor: &str| (json!(event), json!(source), json!(actor));
    assert_eq!(
        seen,
        [
            row("account.deleted", "twilio", "twilio"),
            row("account.updated", "api", "account"),
            row("account-api-keys.created", "web", "user"),
            row("account.updated", "twilio", "twilio-admin"),
            row("account.created", "api", "account"),
        ]
    );
    pass(&sim, 60).await;
    let left = monitor(&sim, "/Events", (MAIN, TOKEN)).await;
    assert_eq!(types(&left), ["account.deleted"], "kept for 30 days");
}

#[tokio::test]
async fn over_a_connection_the_log_has_the_address() {
    let sim = Sim::new(config());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://{}{API}/Accounts.json",
        listener.local_addr().unwrap()
    );
    tokio::spawn(sim.clone().serve(listener, std::future::pending()));
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let made = http
        .post(url)
        .basic_auth(MAIN, Some(TOKEN))
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), 201);
    let found = monitor(&sim, "/Events?SourceIpAddress=127.0.0.1", (MAIN, TOKEN)).await;
    assert_eq!(found.body["events"][0]["source_ip_address"], "127.0.0.1");
}

/// A call with callbacks to `url`, up to its end.
async fn call(sim: &Sim, sid: &str, url: &str) {
    control(sim, "POST", "/_sim/numbers", &json!({"account_sid": sid})).await;
    let asked = json!({"account_sid": sid, "duration_s": 1, "status_callback": url});
    assert_eq!(
        control(sim, "POST", "/_sim/calls", &asked).await.status,
        200
    );
    pass(sim, 60).await;
}

#[tokio::test]
async fn callbacks_that_fail_raise_alerts_and_others_none() {
    let sim = Sim::new(quick_config());
    let (own, token) = subaccount(&sim, "own").await;
    let sub = (own.as_str(), token.as_str());
    let (base, seen) = receiver(vec![204, 302, 404, 500]).await;
    call(&sim, &own, &format!("{base}/calls?x=1#rc=0")).await;
    assert_eq!(seen.lock().unwrap().len(), 4);
    let page = monitor(&sim, "/Alerts", sub).await;
    let alerts = page.body["alerts"].as_array().unwrap();
    assert_eq!(alerts.len(), 3);
    let newest = &alerts[0];
    assert_eq!(newest["error_code"], "11200");
    assert_eq!(newest["log_level"], "error");
    assert_eq!(newest["request_url"], format!("{base}/calls?x=1"));
    assert_eq!(
        newest["more_info"],
        "https://www.twilio.com/docs/errors/11200"
    );
    assert!(newest["resource_sid"].as_str().unwrap().starts_with("CA"));
    assert!(
        newest["alert_text"]
            .as_str()
            .unwrap()
            .contains("httpResponse=500")
    );
    assert!(
        newest.get("request_variables").is_none(),
        "only when fetched alone"
    );
    let one = format!("/Alerts/{}", newest["sid"].as_str().unwrap());
    let fetched = monitor(&sim, &one, sub).await;
    assert!(
        fetched
            .str("request_variables")
            .contains("CallStatus=completed")
    );
    for (query, expected) in [
        ("LogLevel=error", 3),
        ("LogLevel=warning", 0),
        ("StartDate=2026-03-01&EndDate=2026-03-01", 3),
        ("StartDate=2026-03-02", 0),
        ("EndDate=2026-02-28T23:59:59Z", 0),
    ] {
        let found = monitor(&sim, &format!("/Alerts?{query}"), sub).await;
        assert_eq!(
            found.body["alerts"].as_array().unwrap().len(),
            expected,
            "{query}"
        );
    }
    let wrong = ask(
        &sim,
        "GET",
        "/monitor/v1/Alerts?LogLevel=loud",
        Some(sub),
        &[],
    )
    .await;
    assert_eq!(wrong.code(), 20_001);
    let mains = monitor(&sim, "/Alerts", (MAIN, TOKEN)).await;
    assert_eq!(mains.body["alerts"], json!([]), "they are the subaccount's");
    let codes: Vec<Vec<u32>> = sim
        .deliveries()
        .iter()
        .map(|record| record.alerts.clone())
        .collect();
    let failed = vec![11_200];
    assert_eq!(codes, [vec![], failed.clone(), failed.clone(), failed]);
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_a_connection_failure() {
    let sim = Sim::new(quick_config());
    let (own, token) = subaccount(&sim, "own").await;
    // A port that was just free.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/calls#rc=0", listener.local_addr().unwrap());
    drop(listener);
    call(&sim, &own, &url).await;
    let page = monitor(&sim, "/Alerts", (&own, &token)).await;
    let codes: Vec<&Value> = page.body["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| &alert["error_code"])
        .collect();
    assert!(!codes.is_empty() && codes.iter().all(|code| **code == "11205"));
}
