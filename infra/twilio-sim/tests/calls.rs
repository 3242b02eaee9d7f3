//! Calls: what is refused, how they are answered and ended, and how lists lag behind.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{
    config, delete, get, list, pass, post, quick_config, quirk, receiver, simulate, used,
    with_number,
};
use serde_json::{Value, json};
use twilio_sim::{Sim, SimConfig};

const TO: &str = "+14155550100";
const URL: (&str, &str) = ("Url", "https://app.example/voice");

async fn call(sim: &Sim, sid: &str, form: &[(&str, &str)]) -> common::Reply {
    post(sim, &format!("/Accounts/{sid}/Calls.json"), form).await
}

fn path(sid: &str, call: &str) -> String {
    format!("/Accounts/{sid}/Calls/{call}.json")
}

#[tokio::test]
async fn twilio_s_reasons_to_refuse_a_call_have_its_codes() {
    let sim = Sim::new(config());
    let (sid, _, from) = with_number(&sim, "Acme").await;
    let base = [("To", TO), ("From", from.as_str()), URL];
    let with = |name: &'static str, value: &'static str| {
        let mut form = base.to_vec();
        form.push((name, value));
        form
    };
    let twiml = "x".repeat(4001);
    for (form, code) in [
        (vec![("From", from.as_str()), URL], 21_201),
        (
            vec![("To", "4155550100"), ("From", from.as_str()), URL],
            21_211,
        ),
        (vec![("To", TO), URL], 21_213),
        (vec![("To", TO), ("From", "client:alice"), URL], 21_212),
        (vec![("To", TO), ("From", "+14155550199"), URL], 21_210),
        (vec![("To", TO), ("From", from.as_str())], 21_205),
        (
            vec![("To", TO), ("From", from.as_str()), ("Url", "/voice")],
            21_205,
        ),
        (
            vec![("To", TO), ("From", from.as_str()), ("Twiml", &twiml)],
            20_001,
        ),
        (
            vec![
                ("To", TO),
                ("From", from.as_str()),
                ("ApplicationSid", "AP1"),
            ],
            21_218,
        ),
        (with("Method", "PUT"), 21_209),
        (with("StatusCallbackMethod", "HEAD"), 21_209),
        (with("StatusCallback", "nowhere"), 21_502),
        (with("StatusCallbackEvent", "answered hungup"), 21_626),
        (with("RecordingStatusCallbackEvent", "done"), 13_621),
        (with("SendDigits", "12x"), 21_206),
        (with("Timeout", "0"), 21_208),
        (with("Timeout", "601"), 21_208),
        (with("MachineDetection", "Maybe"), 21_234),
        (
            with(
                "StatusCallbackEvent",
                "initiated ringing answered completed",
            ),
            0,
        ),
    ] {
        assert_eq!(call(&sim, &sid, &form).await.code(), code, "{form:?}");
    }
    quirk(&sim, &json!({ "regions_denied": ["gb"] })).await;
    let abroad = [("To", "+442079460000"), ("From", from.as_str()), URL];
    assert_eq!(call(&sim, &sid, &abroad).await.code(), 21_215);
}

#[tokio::test]
async fn a_call_is_answered_ends_and_is_deleted_once_it_has_ended() {
    let sim = Sim::new(quick_config());
    let (sid, _, from) = with_number(&sim, "Acme").await;
    let made = call(&sim, &sid, &[("To", TO), ("From", &from), URL]).await;
    assert_eq!((made.status, made.str("status")), (201, "queued".into()));
    assert_eq!(made.str("to_formatted"), "(415) 555-0100");
    let path = path(&sid, &made.str("sid"));
    assert_eq!(delete(&sim, &path).await.code(), 20_009);
    pass(&sim, 30).await;
    let ended = get(&sim, &path).await;
    assert_eq!(
        (ended.str("status"), ended.str("price")),
        ("completed".into(), "-0.01400".into())
    );
    assert_eq!(
        post(&sim, &path, &[("Status", "completed")]).await.code(),
        21_220
    );
    assert_eq!(
        post(&sim, &path, &[("Twiml", "<Response/>")]).await.code(),
        21_220
    );
    assert_eq!(post(&sim, &path, &[]).await.code(), 20_001);
    assert_eq!(delete(&sim, &path).await.status, 204);
    assert_eq!(get(&sim, &path).await.status, 404);
    assert_eq!(
        list(&sim, &format!("/Accounts/{sid}/Calls.json"), "calls").await,
        Vec::<Value>::new()
    );
}

#[tokio::test]
async fn a_call_that_nobody_answers_in_time_has_neither_end_nor_duration() {
    let sim = Sim::new(config());
    simulate(&sim, "/pace", &json!({ "call_answer_ms": [9000, 9000] })).await;
    let (sid, _, from) = with_number(&sim, "Acme").await;
    let form = [("To", TO), ("From", from.as_str()), URL, ("Timeout", "8")];
    let made = call(&sim, &sid, &form).await.str("sid");
    pass(&sim, 30).await;
    let over = get(&sim, &path(&sid, &made)).await;
    assert_eq!(over.str("status"), "no-answer");
    assert_eq!(
        (&over.body["duration"], &over.body["end_time"]),
        (&Value::Null, &Value::Null)
    );
    let ended = format!("/Accounts/{sid}/Calls.json?EndTime%3E=2026-03-01");
    assert_eq!(list(&sim, &ended, "calls").await.len(), 0);
    quirk(&sim, &json!({ "unanswered_without_end": false })).await;
    assert_eq!(get(&sim, &path(&sid, &made)).await.str("duration"), "0");
    assert_eq!(list(&sim, &ended, "calls").await.len(), 1);
}

#[tokio::test]
async fn a_call_lasts_no_longer_than_its_limit_also_when_that_comes_later() {
    let sim = Sim::new(quick_config());
    let (sid, _, from) = with_number(&sim, "Acme").await;
    simulate(&sim, "/pace", &json!({ "call_seconds": [500, 500] })).await;
    let form = [
        ("To", TO),
        ("From", from.as_str()),
        URL,
        ("TimeLimit", "60"),
    ];
    let limited = call(&sim, &sid, &form).await.str("sid");
    let later = call(&sim, &sid, &[("To", TO), ("From", &from), URL])
        .await
        .str("sid");
    pass(&sim, 30).await;
    assert_eq!(
        post(&sim, &path(&sid, &later), &[("TimeLimit", "90")])
            .await
            .status,
        200
    );
    pass(&sim, 300).await;
    assert_eq!(get(&sim, &path(&sid, &limited)).await.str("duration"), "60");
    assert_eq!(get(&sim, &path(&sid, &later)).await.str("duration"), "90");
}

#[tokio::test]
async fn lists_show_calls_late_and_ended_ones_still_in_progress() {
    let sim = Sim::new(quick_config());
    let (sid, _, _) = with_number(&sim, "Acme").await;
    quirk(
        &sim,
        &json!({ "call_list_lag_ms": 20_000, "call_status_lag_ms": 3_000 }),
    )
    .await;
    let made = simulate(
        &sim,
        "/calls",
        &json!({ "account_sid": sid, "duration_s": 600 }),
    )
    .await
    .str("sid");
    let of = |status: &str| {
        let (sim, path) = (
            sim.clone(),
            format!("/Accounts/{sid}/Calls.json?Status={status}"),
        );
        async move { list(&sim, &path, "calls").await }
    };
    pass(&sim, 15).await;
    assert_eq!(
        get(&sim, &path(&sid, &made)).await.str("status"),
        "in-progress"
    );
    assert_eq!(of("in-progress").await.len(), 0, "not in lists yet");
    pass(&sim, 10).await;
    assert_eq!(of("in-progress").await.len(), 1);
    let ended = post(&sim, &path(&sid, &made), &[("Status", "completed")]).await;
    assert_eq!(ended.str("status"), "completed");
    let stale = of("in-progress").await;
    assert_eq!((stale.len(), of("completed").await.len()), (1, 0));
    assert_eq!(
        (&stale[0]["status"], &stale[0]["duration"]),
        (&json!("in-progress"), &Value::Null)
    );
    assert_eq!(
        post(&sim, &path(&sid, &made), &[("Status", "completed")])
            .await
            .code(),
        21_220
    );
    pass(&sim, 3).await;
    assert_eq!(
        (of("in-progress").await.len(), of("completed").await.len()),
        (0, 1)
    );
    assert_eq!(
        get(&sim, &format!("/Accounts/{sid}/Calls.json?Status=live"))
            .await
            .code(),
        20_001
    );
}

#[tokio::test]
async fn a_machine_that_answers_is_told_of_and_costs() {
    let (base, seen) = receiver(Vec::new()).await;
    let sim = Sim::new(quick_config());
    let (sid, _, from) = with_number(&sim, "Acme").await;
    let body =
        json!({ "account_sid": sid, "answered_by": "machine_start", "status_callback": base });
    let made = simulate(&sim, "/calls", &body).await.str("sid");
    assert_eq!(
        get(&sim, &path(&sid, &made)).await.body["answered_by"],
        Value::Null
    );
    let detecting = [
        ("To", TO),
        ("From", from.as_str()),
        URL,
        ("MachineDetection", "Enable"),
    ];
    let detected = call(&sim, &sid, &detecting).await.str("sid");
    pass(&sim, 700).await;
    assert_eq!(
        get(&sim, &path(&sid, &made)).await.str("answered_by"),
        "machine_start"
    );
    let found = get(&sim, &path(&sid, &detected)).await.str("answered_by");
    assert!(
        ["human", "machine_start"].contains(&found.as_str()),
        "{found}"
    );
    let arrived = seen.lock().unwrap().clone();
    for one in arrived {
        let is_answered = ["in-progress", "completed"].contains(&one.field("CallStatus"));
        assert_eq!(
            one.field("AnsweredBy") == "machine_start",
            is_answered,
            "{one:?}"
        );
    }
    assert_eq!(
        used(&sim, &sid, "answering-machine-detection").await,
        ("2".into(), "0.015".into())
    );
}

#[tokio::test]
async fn calls_to_clients_and_sip_addresses_are_categories_of_their_own() {
    let sim = Sim::new(quick_config());
    let (sid, _, from) = with_number(&sim, "Acme").await;
    for to in ["client:alice", "sip:bob@pbx.example"] {
        assert_eq!(
            call(&sim, &sid, &[("To", to), ("From", &from), URL])
                .await
                .status,
            201
        );
    }
    pass(&sim, 60).await;
    for (category, count) in [
        ("calls-client", "1"),
        ("calls-sip-outbound", "1"),
        ("calls", "0"),
    ] {
        assert_eq!(used(&sim, &sid, category).await.0, count, "{category}");
    }
}

#[tokio::test]
async fn an_inbound_call_is_told_to_its_number_s_callback_at_its_end() {
    let (base, seen) = receiver(Vec::new()).await;
    let public = "https://hooks.example.test";
    let sim = Sim::new(SimConfig {
        callback_rewrite: Some((public.to_owned(), base)),
        ..quick_config()
    });
    let (sid, _, own) = with_number(&sim, "Acme").await;
    let number = list(
        &sim,
        &format!("/Accounts/{sid}/IncomingPhoneNumbers.json"),
        "incoming_phone_numbers",
    )
    .await;
    let number = format!(
        "/Accounts/{sid}/IncomingPhoneNumbers/{}.json",
        number[0]["sid"].as_str().unwrap()
    );
    post(
        &sim,
        &number,
        &[("StatusCallback", &format!("{public}/in"))],
    )
    .await;
    let body = json!({
        "account_sid": sid, "direction": "inbound", "from": TO, "duration_s": 65, "forwarded_from": "+14155550111",
    });
    let made = simulate(&sim, "/calls", &body).await.str("sid");
    pass(&sim, 120).await;
    let shown = get(&sim, &path(&sid, &made)).await;
    assert_eq!(
        (shown.str("direction"), shown.str("forwarded_from")),
        ("inbound".into(), "+14155550111".into())
    );
    let arrived = seen.lock().unwrap().clone();
    assert_eq!(arrived.len(), 1);
    let told = [
        "CallStatus",
        "To",
        "Duration",
        "CallDuration",
        "SequenceNumber",
        "ForwardedFrom",
    ]
    .map(|name| arrived[0].field(name));
    assert_eq!(told, ["completed", &own, "2", "65", "0", "+14155550111"]);
}

#[tokio::test]
async fn callbacks_tell_the_events_that_were_asked_for_and_no_others() {
    let (base, seen) = receiver(Vec::new()).await;
    let sim = Sim::new(quick_config());
    let (sid, _, from) = with_number(&sim, "Acme").await;
    for (path, events) in [
        ("default", vec![]),
        ("listed", vec!["ringing", "completed"]),
        ("spaced", vec!["initiated answered"]),
    ] {
        let url = format!("{base}/{path}");
        let mut form = vec![
            ("To", TO),
            ("From", from.as_str()),
            URL,
            ("StatusCallback", &url),
        ];
        form.extend(
            events
                .into_iter()
                .map(|event| ("StatusCallbackEvent", event)),
        );
        assert_eq!(call(&sim, &sid, &form).await.status, 201);
    }
    pass(&sim, 60).await;
    let told = |path: &str| -> Vec<(String, String)> {
        let arrived = seen.lock().unwrap();
        let its = arrived.iter().filter(|one| one.path == path);
        its.map(|one| {
            (
                one.field("CallStatus").to_owned(),
                one.field("SequenceNumber").to_owned(),
            )
        })
        .collect()
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(status, at)| ((*status).to_owned(), (*at).to_owned()))
            .collect()
    };
    assert_eq!(told("/default"), pairs(&[("completed", "0")]));
    assert_eq!(
        told("/listed"),
        pairs(&[("ringing", "0"), ("completed", "1")])
    );
    assert_eq!(
        told("/spaced"),
        pairs(&[("initiated", "0"), ("in-progress", "1")])
    );
}

#[tokio::test]
async fn each_end_has_its_status_and_its_network_s_answer() {
    let (base, seen) = receiver(Vec::new()).await;
    let sim = Sim::new(quick_config());
    let (sid, _, _) = with_number(&sim, "Acme").await;
    let callback = json!({ "account_sid": sid, "status_callback": base, "status_callback_events": ["completed"] });
    for (outcome, code) in [
        ("busy", None),
        ("no-answer", None),
        ("failed", None),
        ("failed", Some(404)),
    ] {
        let mut body = callback.clone();
        body["outcome"] = json!(outcome);
        body["sip_response_code"] = json!(code);
        simulate(&sim, "/calls", &body).await;
        pass(&sim, 30).await;
    }
    let arrived = seen.lock().unwrap().clone();
    let ends: Vec<[&str; 4]> = arrived
        .iter()
        .map(|one| {
            ["CallStatus", "SipResponseCode", "Duration", "CallDuration"]
                .map(|name| one.field(name))
        })
        .collect();
    assert_eq!(
        ends,
        [
            ["busy", "486", "0", "0"],
            ["no-answer", "487", "0", "0"],
            ["failed", "503", "0", "0"],
            ["failed", "404", "0", "0"]
        ]
    );
    assert_eq!(used(&sim, &sid, "calls").await.0, "0");
}
