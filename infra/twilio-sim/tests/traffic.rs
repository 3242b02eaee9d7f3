//! Calls, messages and their callbacks.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{
    MAIN, TOKEN, ask, config, control, get, pass, post, quick_config, receiver, subaccount,
};
use serde_json::{Value, json};
use twilio_sim::{Quirks, Sim, SimConfig, TrafficProfile};

async fn with_number(sim: &Sim, name: &str) -> (String, String) {
    let (sid, token) = subaccount(sim, name).await;
    control(sim, "POST", "/_sim/numbers", &json!({"account_sid": sid})).await;
    (sid, token)
}

async fn calls(sim: &Sim, sid: &str, query: &str) -> Vec<Value> {
    let path = format!("/Accounts/{sid}/Calls.json?{query}");
    get(sim, &path).await.body["calls"]
        .as_array()
        .unwrap()
        .clone()
}

#[tokio::test]
async fn suspension_stops_new_traffic_and_leaves_live_calls_which_then_end_once() {
    let sim = Sim::new(quick_config());
    let (sid, _) = with_number(&sim, "Acme").await;
    let call = control(
        &sim,
        "POST",
        "/_sim/calls",
        &json!({"account_sid": sid, "duration_s": 3000}),
    )
    .await
    .str("sid");
    pass(&sim, 30).await;
    post(
        &sim,
        &format!("/Accounts/{sid}.json"),
        &[("Status", "suspended")],
    )
    .await;
    pass(&sim, 300).await;
    let live = calls(&sim, &sid, "Status=in-progress").await;
    assert_eq!(live.len(), 1);
    assert_eq!(live[0]["price"], Value::Null);
    let new = post(
        &sim,
        &format!("/Accounts/{sid}/Calls.json"),
        &[("To", "+14155550100"), ("From", "+14155550101")],
    )
    .await;
    assert_eq!(new.code(), 20_005);
    let new = post(
        &sim,
        &format!("/Accounts/{sid}/Messages.json"),
        &[
            ("To", "+14155550100"),
            ("From", "+14155550101"),
            ("Body", "x"),
        ],
    )
    .await;
    assert_eq!(new.code(), 20_005);
    let path = format!("/Accounts/{sid}/Calls/{call}.json");
    let ended = post(&sim, &path, &[("Status", "completed")]).await;
    assert_eq!(
        (ended.status, ended.str("status")),
        (200, "completed".to_owned())
    );
    assert_eq!(
        post(&sim, &path, &[("Status", "completed")]).await.code(),
        21_220
    );
    pass(&sim, 60).await;
    let seconds: i64 = get(&sim, &path).await.str("duration").parse().unwrap();
    assert!((300..340).contains(&seconds), "{seconds}");
    assert!(get(&sim, &path).await.str("price").starts_with("-0."));
}

#[tokio::test]
async fn call_filters_take_dates_and_moments() {
    let sim = Sim::new(quick_config());
    let (sid, _) = with_number(&sim, "Acme").await;
    for _ in 0..2 {
        control(
            &sim,
            "POST",
            "/_sim/calls",
            &json!({"account_sid": sid, "duration_s": 10}),
        )
        .await;
        pass(&sim, 86_400).await;
    }
    assert_eq!(calls(&sim, &sid, "").await.len(), 2);
    assert_eq!(calls(&sim, &sid, "StartTime=2026-03-01").await.len(), 1);
    assert_eq!(calls(&sim, &sid, "StartTime%3E=2026-03-02").await.len(), 1);
    assert_eq!(calls(&sim, &sid, "StartTime%3C=2026-03-02").await.len(), 1);
    assert_eq!(
        calls(
            &sim,
            &sid,
            "StartTime%3E=2026-03-01T12:00:00Z&StartTime%3C=2026-03-03T00%3A00%3A00Z"
        )
        .await
        .len(),
        1
    );
    assert_eq!(calls(&sim, &sid, "Status=in-progress").await.len(), 0);
}

#[tokio::test]
async fn a_message_is_sent_delivered_priced_late_and_told_of_by_signed_callbacks() {
    let (base, seen) = receiver(Vec::new()).await;
    let public = "https://hooks.example.test";
    let sim = Sim::new(SimConfig {
        callback_rewrite: Some((public.to_owned(), base)),
        ..config()
    });
    let (sid, token) = with_number(&sim, "Acme").await;
    let from = sim.accounts()[1].numbers[0].clone();
    let url = format!("{public}/twilio/ten_1/sms?a=b#rc=3&rp=all");
    let form = [
        ("To", "+442079460000"),
        ("From", from.as_str()),
        ("Body", "hi"),
        ("StatusCallback", url.as_str()),
    ];
    let made = post(&sim, &format!("/Accounts/{sid}/Messages.json"), &form).await;
    assert_eq!(
        (made.status, made.str("status")),
        (201, "queued".to_owned())
    );
    pass(&sim, 60).await;
    let arrived = seen.lock().unwrap().clone();
    let statuses: Vec<&str> = arrived
        .iter()
        .map(|one| one.field("MessageStatus"))
        .collect();
    assert_eq!(statuses, ["queued", "sent", "delivered"]);
    for one in &arrived {
        assert_eq!(one.path, "/twilio/ten_1/sms?a=b");
        let signed = format!("{public}{}", one.path);
        assert!(twilio::signature::verify(
            &token,
            &signed,
            &one.fields,
            &one.signature
        ));
        assert!(!twilio::signature::verify(
            TOKEN,
            &signed,
            &one.fields,
            &one.signature
        ));
        assert_eq!(
            (one.field("AccountSid"), one.field("SmsSid")),
            (sid.as_str(), made.str("sid").as_str())
        );
        assert!(
            one.fields.iter().all(|(name, _)| !name.contains("rice")),
            "callbacks carry no price"
        );
    }
    let path = format!("/Accounts/{sid}/Messages/{}.json", made.str("sid"));
    assert_eq!(get(&sim, &path).await.body["price"], Value::Null);
    pass(&sim, 86_400).await;
    assert_eq!(get(&sim, &path).await.str("price"), "-0.04630");
    assert_eq!(sim.counters().callbacks.accepted, 3);
}

#[tokio::test]
async fn a_call_tells_each_step_with_its_sequence_and_length() {
    let (base, seen) = receiver(Vec::new()).await;
    let sim = Sim::new(config());
    let (sid, token) = with_number(&sim, "Acme").await;
    let url = format!("{base}/voice");
    let body = json!({"account_sid": sid, "duration_s": 61, "status_callback": url});
    control(&sim, "POST", "/_sim/calls", &body).await;
    control(
        &sim,
        "POST",
        "/_sim/calls",
        &json!({"account_sid": sid, "outcome": "busy", "status_callback": url}),
    )
    .await;
    pass(&sim, 120).await;
    let arrived = seen.lock().unwrap().clone();
    let of = |wanted: &str| {
        arrived
            .iter()
            .filter(|one| one.field("CallStatus") == wanted)
            .count()
    };
    assert_eq!(
        (
            of("initiated"),
            of("ringing"),
            of("in-progress"),
            of("completed"),
            of("busy")
        ),
        (2, 2, 1, 1, 1)
    );
    let end = arrived
        .iter()
        .find(|one| one.field("CallStatus") == "completed")
        .unwrap();
    assert_eq!(
        (
            end.field("CallDuration"),
            end.field("Duration"),
            end.field("SequenceNumber")
        ),
        ("61", "2", "3")
    );
    assert!(arrived.iter().all(|one| twilio::signature::verify(
        &token,
        &url,
        &one.fields,
        &one.signature
    )));
}

#[tokio::test]
async fn callbacks_are_repeated_as_their_url_asks() {
    let (base, seen) = receiver(vec![500, 500, 204]).await;
    let sim = Sim::new(config());
    let (sid, _) = with_number(&sim, "Acme").await;
    let url = format!("{base}/v#rc=3&rp=5xx");
    control(&sim, "POST", "/_sim/messages", &json!({"account_sid": sid, "direction": "outbound-api", "outcome": "failed", "status_callback": url})).await;
    pass(&sim, 60).await;
    let deliveries = sim.deliveries();
    assert_eq!(
        (deliveries[0].attempts, deliveries[0].http_status),
        (3, Some(204))
    );
    let tokens: Vec<String> = seen
        .lock()
        .unwrap()
        .iter()
        .take(3)
        .map(|one| one.token.clone())
        .collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    let unheard = json!({"account_sid": sid, "status_callback": "http://127.0.0.1:1/nobody"});
    control(&sim, "POST", "/_sim/messages", &unheard).await;
    pass(&sim, 60).await;
    let last = sim.deliveries().pop().unwrap();
    assert_eq!(
        (last.attempts, last.http_status),
        (2, None),
        "one retry when nobody listens"
    );
}

#[tokio::test]
async fn some_callbacks_come_twice_or_late_and_the_seed_decides_which() {
    let run = |seed: u64| async move {
        let (base, seen) = receiver(Vec::new()).await;
        let quirks = Quirks {
            callback_duplicate_per_mille: 300,
            callback_disorder_per_mille: 300,
            ..Quirks::default()
        };
        let rewrite = Some(("http://hooks.example.test".to_owned(), base));
        let sim = Sim::new(SimConfig {
            seed,
            quirks,
            callback_rewrite: rewrite,
            ..config()
        });
        let (sid, _) = subaccount(&sim, "Acme").await;
        let hook = Some("http://hooks.example.test/x".to_owned());
        let profile = TrafficProfile {
            message_status_callback: hook.clone(),
            call_status_callback: hook,
            ..TrafficProfile::default()
        };
        sim.start_traffic(&sid, profile).unwrap();
        pass(&sim, 3 * 86_400).await;
        let records = sim.deliveries();
        assert!(records.iter().any(|record| record.duplicate));
        let mut arrived: Vec<_> = seen
            .lock()
            .unwrap()
            .iter()
            .map(|one| (one.signature.clone(), one.token.clone()))
            .collect();
        arrived.sort();
        (records, arrived, sim.accounts(), sim.next_event_at())
    };
    let (first, again, other) = (run(1).await, run(1).await, run(2).await);
    assert!(first.0.len() > 100, "{}", first.0.len());
    assert_eq!(first, again, "equal seeds, equal worlds");
    assert_ne!(first.1, other.1);
}

#[tokio::test]
async fn traffic_stops_with_the_account_and_goes_on_when_it_is_active_again() {
    let sim = Sim::new(config());
    let (sid, _) = subaccount(&sim, "Acme").await;
    sim.start_traffic(&sid, TrafficProfile::default()).unwrap();
    pass(&sim, 86_400).await;
    let before = sim.accounts()[1].messages;
    assert!(before > 5, "{before}");
    post(
        &sim,
        &format!("/Accounts/{sid}.json"),
        &[("Status", "suspended")],
    )
    .await;
    pass(&sim, 2 * 86_400).await;
    assert_eq!(sim.accounts()[1].messages, before);
    post(
        &sim,
        &format!("/Accounts/{sid}.json"),
        &[("Status", "active")],
    )
    .await;
    pass(&sim, 86_400).await;
    let after = sim.accounts()[1].messages;
    assert!(after > before);
    sim.stop_traffic(&sid).unwrap();
    pass(&sim, 86_400).await;
    assert_eq!(sim.accounts()[1].messages, after);
}

#[tokio::test]
async fn a_sender_must_be_a_number_of_the_account() {
    let sim = Sim::new(config());
    let (sid, token) = with_number(&sim, "Acme").await;
    let path = format!("{}/Accounts/{sid}/Messages.json", common::API);
    let auth = Some((sid.as_str(), token.as_str()));
    let own = sim.accounts()[1].numbers[0].clone();
    for (form, expected) in [
        (vec![("From", own.as_str()), ("Body", "x")], 21_604),
        (
            vec![("To", "abc"), ("From", own.as_str()), ("Body", "x")],
            21_211,
        ),
        (
            vec![
                ("To", "+14155550100"),
                ("From", "+14155550101"),
                ("Body", "x"),
            ],
            21_606,
        ),
        (vec![("To", "+14155550100"), ("From", own.as_str())], 21_602),
        (
            vec![
                ("To", "+14155550100"),
                ("From", own.as_str()),
                ("Body", "x"),
            ],
            0,
        ),
    ] {
        assert_eq!(
            ask(&sim, "POST", &path, auth, &form).await.code(),
            expected,
            "{form:?}"
        );
    }
    let sent = get(&sim, &format!("/Accounts/{sid}/Messages.json")).await;
    assert_eq!(sent.body["messages"].as_array().unwrap().len(), 1);
    assert_eq!(
        get(&sim, &format!("/Accounts/{MAIN}/Messages.json"))
            .await
            .body["messages"],
        json!([])
    );
}
