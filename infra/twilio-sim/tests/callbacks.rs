//! Callbacks on the wire: how they are signed, how long they wait, what is tried again and what is logged.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use common::{config, control, pass, receiver, simulate, with_number};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use twilio::signature::{Algorithm, SharedKey, SigningKeys, Validator, verify};
use twilio_sim::{AttemptOutcome, DeliveryRecord, Sim};

/// Takes connections, reads a little and answers these bytes; without any it keeps silent.
async fn raw_receiver(answer: Option<&'static str>) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    let taken = Arc::new(AtomicU32::new(0));
    let count = taken.clone();
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let read = stream.read(&mut [0; 4096]).await.unwrap();
            assert!(read > 0);
            match answer {
                Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
                None => held.push(stream),
            }
        }
    });
    (base, taken)
}

/// What became of the one callback of a call that goes to this URL.
async fn delivered(url: &str) -> DeliveryRecord {
    let sim = Sim::new(config());
    let (sid, _, _) = with_number(&sim, "Acme").await;
    let body = json!({ "account_sid": sid, "outcome": "busy", "status_callback": url, "status_callback_events": ["completed"] });
    simulate(&sim, "/calls", &body).await;
    pass(&sim, 60).await;
    let mut deliveries = sim.deliveries();
    assert_eq!(deliveries.len(), 1);
    deliveries.remove(0)
}

#[tokio::test]
async fn a_callback_by_get_has_its_fields_in_the_query_and_its_whole_address_signed() {
    let (base, seen) = receiver(Vec::new()).await;
    let sim = Sim::new(config());
    let (sid, token, _) = with_number(&sim, "Acme").await;
    for url in [format!("{base}/a?b=c%20d"), format!("{base}/a")] {
        let body = json!({ "account_sid": sid, "status_callback": url, "status_callback_method": "GET", "duration_s": 5 });
        simulate(&sim, "/calls", &body).await;
    }
    pass(&sim, 60).await;
    let arrived = seen.lock().unwrap().clone();
    assert_eq!(arrived.len(), 8);
    for one in &arrived {
        assert_eq!((one.method.as_str(), one.fields.len()), ("GET", 0));
        let (path, query) = one.path.split_once('?').unwrap();
        let fields: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        assert!(fields.contains(&("AccountSid".to_owned(), sid.clone())));
        assert_eq!(
            (path, query.starts_with("b=c%20d&")),
            ("/a", fields[0].0 == "b")
        );
        let address = format!("{base}{}", one.path);
        assert!(verify::<&str, &str>(&token, &address, &[], &one.signature));
    }
    let logged = sim.deliveries();
    assert!(
        logged
            .iter()
            .all(|record| record.method == "GET" && record.fields.contains_key("CallStatus"))
    );
}

#[tokio::test]
async fn a_shared_key_signs_instead_of_the_token_and_is_named_in_the_header() {
    let (base, seen) = receiver(Vec::new()).await;
    let sim = Sim::new(config());
    let (sid, token, _) = with_number(&sim, "Acme").await;
    let account = format!("/accounts/{sid}");
    let body = json!({ "account_sid": sid, "status_callback": base, "outcome": "failed", "status_callback_events": ["completed"] });
    for signing in [json!({ "id": "KEY1", "secret": "s3cret" }), Value::Null] {
        simulate(&sim, &account, &json!({ "shared_key": signing })).await;
        simulate(&sim, &account, &json!({})).await;
        simulate(&sim, "/calls", &body).await;
        pass(&sim, 60).await;
    }
    let arrived = seen.lock().unwrap().clone();
    let (by_key, by_token) = (&arrived[0], &arrived[1]);
    let key = SharedKey::new(
        "KEY1",
        Algorithm::HmacSha256,
        SecretString::from("s3cret".to_owned()),
    );
    let url = format!("{base}/");
    let accepts = |one: &common::Arrived, url: &str| {
        let settings = Some(one.settings.as_str()).filter(|settings| !settings.is_empty());
        let keys = [key.clone()];
        Validator::for_form(url, &one.fields).accepts_any(
            &SigningKeys::SharedKeys(&keys),
            settings,
            &one.signature,
        )
    };
    assert_eq!(by_key.settings, "key=KEY1,algorithm=HMAC_SHA256");
    assert!(accepts(by_key, &base) || accepts(by_key, &url));
    assert!(!verify(&token, &base, &by_key.fields, &by_key.signature));
    assert_eq!(by_token.settings, "");
    assert!(verify(&token, &base, &by_token.fields, &by_token.signature));
    let settings: Vec<Option<String>> = sim
        .deliveries()
        .into_iter()
        .map(|record| record.signature_settings)
        .collect();
    assert_eq!(settings, [Some(by_key.settings.clone()), None]);
    for odd in [
        json!({ "id": "a,b", "secret": "x" }),
        json!({ "id": "a", "secret": "x", "algorithm": "MD5" }),
        json!("none"),
    ] {
        let refused = control(
            &sim,
            "POST",
            &format!("/_sim{account}"),
            &json!({ "shared_key": odd }),
        )
        .await;
        assert_eq!(refused.status, 400, "{odd}");
    }
}

#[tokio::test]
async fn a_receiver_that_keeps_silent_is_asked_again_only_where_the_url_says_so() {
    let (host, taken) = raw_receiver(None).await;
    let once = delivered(&format!("http://{host}/#rt=100")).await;
    assert_eq!(
        (once.outcomes, once.http_status),
        (vec![AttemptOutcome::NotAnswered], None)
    );
    let again = delivered(&format!("http://{host}/#rt=100&rc=2&rp=rt")).await;
    assert_eq!((again.attempts, again.alerts), (3, vec![11_200]));
    assert_eq!(taken.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn all_attempts_together_end_when_their_time_is_up() {
    let (host, taken) = raw_receiver(None).await;
    let record = delivered(&format!("http://{host}/#tt=100&rc=5&rp=all")).await;
    assert_eq!(record.outcomes, [AttemptOutcome::OutOfTime]);
    assert_eq!(taken.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_never_tried_again() {
    let (host, taken) = raw_receiver(Some(
        "HTTP/1.1 503 Oh\r\nContent-Length: 100\r\n\r\nonly this",
    ))
    .await;
    let record = delivered(&format!("http://{host}/#rc=5&rp=all")).await;
    assert_eq!(
        (record.outcomes, record.http_status),
        (vec![AttemptOutcome::BrokenOff { status: 503 }], None)
    );
    assert_eq!(taken.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time_is_tried_once_again_by_default() {
    // It never says the server's part of TLS.
    let (host, taken) = raw_receiver(None).await;
    let record = delivered(&format!("https://{host}/#ct=100")).await;
    assert_eq!(
        (record.outcomes, record.alerts),
        (vec![AttemptOutcome::NotConnected; 2], vec![11_205])
    );
    assert_eq!(taken.load(Ordering::SeqCst), 2);
    let nobody = delivered("http://127.0.0.1:1/#rc=0").await;
    assert_eq!(nobody.outcomes, [AttemptOutcome::NotConnected]);
}

#[tokio::test]
async fn an_invalid_retry_policy_is_alerted_and_the_default_holds() {
    let (base, seen) = receiver(vec![500, 500]).await;
    let record = delivered(&format!("{base}#rp=5xx,sometimes&rc=3")).await;
    assert_eq!(
        (record.outcomes, record.alerts),
        (
            vec![AttemptOutcome::Answered { status: 500 }],
            vec![11_243, 11_200]
        )
    );
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_delivery_log_is_read_by_account_and_by_resource() {
    let (base, _) = receiver(vec![204, 500, 204]).await;
    let sim = Sim::new(config());
    let mut calls = Vec::new();
    for name in ["One", "Two"] {
        let (sid, _, _) = with_number(&sim, name).await;
        let body = json!({ "account_sid": sid, "status_callback": format!("{base}/x?y=1#rc=1&rp=5xx"), "outcome": "failed" });
        let call = simulate(&sim, "/calls", &body).await.str("sid");
        calls.push((sid, call));
    }
    pass(&sim, 60).await;
    let read = |query: String| {
        let sim = sim.clone();
        async move {
            control(
                &sim,
                "GET",
                &format!("/_sim/callbacks?{query}"),
                &Value::Null,
            )
            .await
            .body
        }
    };
    let (account, call) = &calls[1];
    for query in [
        format!("account_sid={account}"),
        format!("resource_sid={call}"),
    ] {
        let records = read(query).await;
        assert_eq!(records.as_array().unwrap().len(), 3);
        assert!(
            records
                .as_array()
                .unwrap()
                .iter()
                .all(|one| one["resource_sid"] == json!(call))
        );
    }
    let all = read(String::new()).await;
    let retried = all
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["attempts"] == 2)
        .unwrap();
    let outcomes =
        json!([{ "outcome": "answered", "status": 500 }, { "outcome": "answered", "status": 204 }]);
    assert_eq!(
        (&retried["outcomes"], &retried["method"]),
        (&outcomes, &json!("POST"))
    );
    assert_eq!(
        (
            &retried["url"],
            retried["idempotency_token"].as_str().unwrap().len()
        ),
        (&json!(format!("{base}/x?y=1")), 32)
    );
    assert_eq!(retried["fields"]["AccountSid"], retried["account_sid"]);
    assert_eq!(
        read("sid=x".to_owned()).await["error"],
        "invalid filter: account_sid or resource_sid"
    );
}
