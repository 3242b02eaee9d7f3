//! Messages: what is refused, what can still be changed, and what they cost.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{
    config, delete, get, list, pass, post, quick_config, quirk, receiver, simulate, used,
    with_number,
};
use serde_json::{Value, json};
use twilio_sim::{Quirks, Sim, SimConfig};

const TO: &str = "+14155550100";

async fn send(sim: &Sim, sid: &str, form: &[(&str, &str)]) -> common::Reply {
    post(sim, &format!("/Accounts/{sid}/Messages.json"), form).await
}

#[tokio::test]
async fn a_message_passes_through_its_states_and_is_dated_when_it_is_sent() {
    let sim = Sim::new(config());
    simulate(
        &sim,
        "/pace",
        &json!({ "message_sent_ms": [4000, 4000], "message_done_ms": [4000, 4000] }),
    )
    .await;
    let (sid, _, from) = with_number(&sim, "Acme").await;
    let made = send(&sim, &sid, &[("To", TO), ("From", &from), ("Body", "hi")]).await;
    assert_eq!((made.status, made.str("status")), (201, "queued".into()));
    assert_eq!(
        (&made.body["price"], &made.body["price_unit"]),
        (&Value::Null, &Value::Null)
    );
    let path = format!("/Accounts/{sid}/Messages/{}.json", made.str("sid"));
    let dated = format!("/Accounts/{sid}/Messages.json?DateSent=2026-03-01");
    for (seconds, status, listed) in [
        (1, "queued", 0),
        (2, "sending", 0),
        (2, "sent", 1),
        (4, "delivered", 1),
    ] {
        pass(&sim, seconds).await;
        let now = get(&sim, &path).await;
        assert_eq!(now.str("status"), status);
        assert_eq!(now.body["date_sent"].is_null(), listed == 0);
        assert_eq!(
            list(&sim, &dated, "messages").await.len(),
            listed,
            "{status}"
        );
    }
    assert_eq!(get(&sim, &path).await.str("price_unit"), "USD");
}

#[tokio::test]
async fn date_sent_filters_include_both_ends_in_every_form() {
    let sim = Sim::new(quick_config());
    let (sid, _, from) = with_number(&sim, "Acme").await;
    for _ in 0..3 {
        send(&sim, &sid, &[("To", TO), ("From", &from), ("Body", "hi")]).await;
        pass(&sim, 86_400).await;
    }
    for (query, expected) in [
        ("DateSent=2026-03-02", 1),
        ("DateSent=2026-03-02T00%3A00%3A00Z", 1),
        ("DateSent%3C=2026-03-02", 2),
        ("DateSent%3E=2026-03-02", 2),
        (
            "DateSent%3E=2026-03-02T00%3A00%3A00Z&DateSent%3C=2026-03-02T00%3A00%3A05Z",
            1,
        ),
        ("DateSent%3E=Mon%2C+02+Mar+2026+12%3A00%3A00+%2B0000", 1),
        ("DateSent%3C=03%2F01%2F2026+17%3A00%3A30+MST", 2),
        ("DateSent%3E=2026-03-02&To=%2B14155550199", 0),
    ] {
        let path = format!("/Accounts/{sid}/Messages.json?{query}");
        assert_eq!(
            list(&sim, &path, "messages").await.len(),
            expected,
            "{query}"
        );
    }
    let odd = get(
        &sim,
        &format!("/Accounts/{sid}/Messages.json?DateSent=yesterday"),
    )
    .await;
    assert_eq!(odd.code(), 20_001);
}

#[tokio::test]
async fn twilio_s_reasons_to_refuse_a_message_have_its_codes() {
    let sim = Sim::new(config());
    let (sid, _, from) = with_number(&sim, "Acme").await;
    let long = "x".repeat(1601);
    let service = format!("MG{}", "0".repeat(32));
    let mut media = vec![("To", TO), ("From", from.as_str())];
    media.extend([("MediaUrl", "https://a.example/1.png"); 11]);
    let base = [("To", TO), ("From", from.as_str()), ("Body", "x")];
    let with = |name: &'static str, value: &'static str| {
        let mut form = base.to_vec();
        form.push((name, value));
        form
    };
    let later = [
        ("ScheduleType", "fixed"),
        ("SendAt", "2026-03-01T01:00:00Z"),
    ];
    for (form, code) in [
        (vec![("From", from.as_str()), ("Body", "x")], 21_604),
        (
            vec![("To", "+1 415"), ("From", from.as_str()), ("Body", "x")],
            21_211,
        ),
        (vec![("To", TO), ("Body", "x")], 21_603),
        (vec![("To", TO), ("From", "me"), ("Body", "x")], 21_212),
        (
            vec![("To", TO), ("From", "+14155550199"), ("Body", "x")],
            21_606,
        ),
        (
            vec![
                ("To", from.as_str()),
                ("From", from.as_str()),
                ("Body", "x"),
            ],
            21_266,
        ),
        (vec![("To", TO), ("From", from.as_str())], 21_602),
        (
            vec![("To", TO), ("From", from.as_str()), ("Body", &long)],
            21_617,
        ),
        (media, 21_623),
        (with("MediaUrl", "cat.png"), 21_620),
        (
            with("StatusCallback", "https://under_score.example/x"),
            21_609,
        ),
        (with("StatusCallback", "hooks"), 21_609),
        (with("ValidityPeriod", "36001"), 21_624),
        (with("ScheduleType", "fixed"), 35_111),
        ([base.as_slice(), &later].concat(), 35_118),
        (with("ScheduleType", "daily"), 20_001),
        (
            vec![("To", TO), ("MessagingServiceSid", &service), ("Body", "x")],
            21_703,
        ),
        (
            vec![("To", TO), ("MessagingServiceSid", "MG1"), ("Body", "x")],
            21_701,
        ),
        (base.to_vec(), 0),
    ] {
        assert_eq!(send(&sim, &sid, &form).await.code(), code, "{form:?}");
    }
    quirk(&sim, &json!({ "regions_denied": ["GB"] })).await;
    let abroad = [
        ("To", "+442079460000"),
        ("From", from.as_str()),
        ("Body", "x"),
    ];
    assert_eq!(send(&sim, &sid, &abroad).await.code(), 21_408);
    quirk(&sim, &json!({ "queued_per_sender_max": 1 })).await;
    assert_eq!(send(&sim, &sid, &base).await.code(), 21_611);
    pass(&sim, 60).await;
    assert_eq!(send(&sim, &sid, &base).await.status, 201);
}

#[tokio::test]
async fn whoever_wrote_stop_is_written_to_again_only_after_start() {
    let sim = Sim::new(config());
    let (sid, _, own) = with_number(&sim, "Acme").await;
    let form = [("To", TO), ("From", own.as_str()), ("Body", "x")];
    for (word, code) in [("Stop ", 21_610), ("what?", 21_610), ("START", 0)] {
        let body = json!({ "account_sid": sid, "direction": "inbound", "from": TO, "body": word });
        simulate(&sim, "/messages", &body).await;
        assert_eq!(send(&sim, &sid, &form).await.code(), code, "{word}");
    }
}

#[tokio::test]
async fn only_what_is_through_is_redacted_or_deleted() {
    let sim = Sim::new(config());
    let (sid, _, from) = with_number(&sim, "Acme").await;
    let made = send(
        &sim,
        &sid,
        &[("To", TO), ("From", &from), ("Body", "secret")],
    )
    .await;
    let path = format!("/Accounts/{sid}/Messages/{}.json", made.str("sid"));
    assert_eq!(post(&sim, &path, &[("Body", "")]).await.code(), 20_009);
    assert_eq!(delete(&sim, &path).await.code(), 20_009);
    pass(&sim, 60).await;
    assert_eq!(post(&sim, &path, &[("Body", "other")]).await.code(), 20_001);
    let redacted = post(&sim, &path, &[("Body", "")]).await;
    assert_eq!(
        (redacted.status, redacted.str("body")),
        (200, String::new())
    );
    assert_eq!(redacted.str("num_segments"), "1");
    assert_eq!(delete(&sim, &path).await.status, 204);
    assert_eq!(get(&sim, &path).await.status, 404);
    assert_eq!(delete(&sim, &path).await.status, 404);
    let left = list(&sim, &format!("/Accounts/{sid}/Messages.json"), "messages").await;
    assert_eq!(left, Vec::<Value>::new());
    pass(&sim, 86_400).await;
    let used = used(&sim, &sid, "sms-outbound").await;
    assert_eq!(used, ("1".into(), "0.0083".into()), "its cost stays");
}

#[tokio::test]
async fn a_scheduled_message_is_sent_in_time_unless_it_is_canceled() {
    let (base, seen) = receiver(Vec::new()).await;
    let sim = Sim::new(config());
    let (sid, _, _) = with_number(&sim, "Acme").await;
    let service = format!("MG{}", "0".repeat(32));
    let body = json!({
        "account_sid": sid, "messaging_service_sid": service, "send_at": "2026-03-01T01:00:00Z", "status_callback": base,
    });
    let (sent, canceled) = (
        simulate(&sim, "/messages", &body).await.str("sid"),
        simulate(&sim, "/messages", &body).await.str("sid"),
    );
    let path = |message: &str| format!("/Accounts/{sid}/Messages/{message}.json");
    let waiting = get(&sim, &path(&sent)).await;
    assert_eq!(
        (waiting.str("status"), &waiting.body["from"]),
        ("scheduled".into(), &Value::Null)
    );
    assert_eq!(waiting.str("messaging_service_sid"), service);
    pass(&sim, 1800).await;
    let stopped = post(&sim, &path(&canceled), &[("Status", "canceled")]).await;
    assert_eq!(stopped.str("status"), "canceled");
    pass(&sim, 7200).await;
    for (message, status) in [(&sent, "delivered"), (&canceled, "canceled")] {
        let now = get(&sim, &path(message)).await;
        assert_eq!(now.str("status"), status);
        assert_eq!(now.body["date_sent"].is_null(), status == "canceled");
        assert_eq!(
            post(&sim, &path(message), &[("Status", "canceled")])
                .await
                .code(),
            30_409
        );
    }
    let told = |message: &str| -> Vec<String> {
        let arrived = seen.lock().unwrap();
        let its = arrived
            .iter()
            .filter(|one| one.field("MessageSid") == message);
        its.map(|one| one.field("MessageStatus").to_owned())
            .collect()
    };
    assert_eq!(told(&sent), ["scheduled", "queued", "sent", "delivered"]);
    assert_eq!(told(&canceled), ["scheduled", "canceled"]);
    pass(&sim, 86_400).await;
    assert_eq!(used(&sim, &sid, "sms-outbound").await.0, "1");
}

#[tokio::test]
async fn failures_cost_a_fee_except_those_that_twilio_exempts() {
    let sim = Sim::new(quick_config());
    let (sid, _, from) = with_number(&sim, "Acme").await;
    let failing =
        |code: u32| json!({ "account_sid": sid, "outcome": "failed", "error_code": code });
    for code in [30_003, 30_007, 30_008, 30_036, 30_450] {
        let message = simulate(&sim, "/messages", &failing(code)).await.str("sid");
        pass(&sim, 5).await;
        let path = format!("/Accounts/{sid}/Messages/{message}.json");
        assert_eq!(get(&sim, &path).await.body["error_code"], code);
    }
    simulate(&sim, "/pace", &json!({ "message_sent_ms": [5000, 5000] })).await;
    let stale = [
        ("To", TO),
        ("From", from.as_str()),
        ("Body", "x"),
        ("ValidityPeriod", "4"),
    ];
    let stale = send(&sim, &sid, &stale).await.str("sid");
    let held = send(&sim, &sid, &[("To", TO), ("From", &from), ("Body", "x")])
        .await
        .str("sid");
    pass(&sim, 4).await;
    post(
        &sim,
        &format!("/Accounts/{sid}.json"),
        &[("Status", "suspended")],
    )
    .await;
    pass(&sim, 60).await;
    let code = |message: String| {
        let path = format!("/Accounts/{sid}/Messages/{message}.json");
        let sim = sim.clone();
        async move { get(&sim, &path).await.body["error_code"].clone() }
    };
    // Suspension is what Twilio looks at first.
    assert_eq!(
        (code(stale).await, code(held).await),
        (json!(30_002), json!(30_002))
    );
    assert_eq!(
        used(&sim, &sid, "failed-message-processing-fee").await,
        ("2".into(), "0.002".into())
    );
}

#[tokio::test]
async fn a_message_that_waits_longer_than_it_is_valid_fails_without_a_fee() {
    let sim = Sim::new(quick_config());
    let (sid, _, from) = with_number(&sim, "Acme").await;
    simulate(&sim, "/pace", &json!({ "message_sent_ms": [5000, 5000] })).await;
    let form = [
        ("To", TO),
        ("From", from.as_str()),
        ("Body", "x"),
        ("ValidityPeriod", "4"),
    ];
    let stale = send(&sim, &sid, &form).await.str("sid");
    pass(&sim, 60).await;
    let now = get(&sim, &format!("/Accounts/{sid}/Messages/{stale}.json")).await;
    assert_eq!(
        (now.str("status"), &now.body["error_code"]),
        ("failed".into(), &json!(30_036))
    );
    assert_eq!(
        used(&sim, &sid, "failed-message-processing-fee").await.0,
        "0"
    );
}

#[tokio::test]
async fn some_prices_stay_unknown_and_new_messages_come_into_lists_late() {
    let quirks = Quirks {
        unpriced_per_mille: 1000,
        message_list_lag_ms: 30_000,
        ..Quirks::none()
    };
    let sim = Sim::new(SimConfig {
        quirks,
        ..quick_config()
    });
    let (sid, _, from) = with_number(&sim, "Acme").await;
    let made = send(&sim, &sid, &[("To", TO), ("From", &from), ("Body", "x")]).await;
    let listed = format!("/Accounts/{sid}/Messages.json");
    assert_eq!(list(&sim, &listed, "messages").await.len(), 0);
    assert_eq!(
        get(
            &sim,
            &format!(
                "{}/{}.json",
                listed.trim_end_matches(".json"),
                made.str("sid")
            )
        )
        .await
        .status,
        200
    );
    pass(&sim, 86_400).await;
    let shown = list(&sim, &listed, "messages").await;
    assert_eq!(
        (&shown[0]["price"], &shown[0]["status"]),
        (&Value::Null, &json!("delivered"))
    );
    assert_eq!(
        used(&sim, &sid, "sms-outbound").await.1,
        "0.0083",
        "usage knows it"
    );
}
