//! No secret in any table, queue, event, log or answer but the two that show one once.

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::json;
use tests::{Answer, World};

/// What was logged, at every level that our code uses.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A secret in every dress that it could leave in.
fn dresses(secret: &str) -> Vec<String> {
    let mut hex = String::new();
    for byte in secret.bytes() {
        write!(hex, "{byte:02x}").expect("a String takes every write");
    }
    let url: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    // Inside a longer base64 text a secret stands at any of three offsets, its ends blurred.
    let inner = (0..3).map(|offset| {
        let shifted = [&b"xx"[..offset.min(2)], secret.as_bytes()].concat();
        let text = STANDARD_NO_PAD.encode(shifted);
        text[4..text.len() - 4].to_owned()
    });
    let mut dresses = vec![
        secret.to_owned(),
        hex.to_uppercase(),
        hex,
        url,
        STANDARD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        secret.chars().rev().collect(),
    ];
    dresses.extend(inner);
    dresses
}

#[track_caller]
fn assert_hidden(secrets: &[String], place: &str, text: &str) {
    for (index, secret) in secrets.iter().enumerate() {
        for dress in dresses(secret) {
            assert!(!text.contains(&dress), "secret {index} lies in {place}");
        }
    }
}

fn shown(answer: &Answer) -> String {
    format!("{:?} {}", answer.headers, answer.body)
}

#[tokio::test]
async fn secrets_lie_nowhere_but_in_secrets_manager_and_the_answers_that_show_them_once() {
    // With one subscriber alone, a callsite that another test's thread meets first would be off for all.
    let _second = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(io::sink).finish());
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let world = World::start().await;
    let plan = world.plan(0).await;
    let body = json!({ "name": "Acme", "plan_id": plan, "external_id": "a-1" });
    let signed_up = world
        .post_as("/v1/tenants", "signup-canary-key", &body)
        .await;
    let (id, sid) = (signed_up.text("/id"), signed_up.text("/account_sid"));
    let at = |path: &str| format!("/v1/tenants/{id}{path}");
    let issued = world
        .post(&at("/api-keys"), &json!({ "purpose": "crm" }))
        .await;
    let operator = world
        .post("/v1/operator-keys", &json!({ "name": "billing" }))
        .await;
    let token = world.auth_token(&sid);
    let bearers = [world.stack.operator_key.clone(), operator.text("/bearer")];
    let mut secrets = vec![
        world.stack.main_credentials().1,
        token.clone(),
        signed_up.text("/api_key/secret"),
        issued.text("/api_key/secret"),
    ];
    for bearer in &bearers {
        secrets.push(bearer[bearer.len() - 43..].to_owned());
    }
    let mut answers = vec![
        world
            .post_as("/v1/tenants", "signup-canary-key", &body)
            .await,
        world
            .post(
                &at("/top-ups"),
                &json!({ "amount": "5", "reference": "r-1" }),
            )
            .await,
        world.post(&at("/suspend"), &json!({ "reason": "x" })).await,
        world
            .post(&at("/reactivate"), &json!({ "reason": "x" }))
            .await,
        world
            .post(&at("/api-keys"), &json!({ "purpose": "crm" }))
            .await,
    ];
    let message = format!("SM{}", "a".repeat(32));
    let fields = [
        ("AccountSid", &*sid),
        ("Body", "one-time code 481516"),
        ("From", "+14155550100"),
        ("MessageSid", &message),
        ("MessageStatus", "delivered"),
        ("To", "+14155550199"),
    ];
    let received = world.callback(&id, "messages", &fields, &token).await;
    assert_eq!(received.status, 204, "{received:?}");
    answers.push(received);
    answers.push(world.callback(&id, "messages", &fields, "wrong").await);
    let forged = format!("Bearer {}x", bearers[0]);
    let headers = [("authorization", &*forged)];
    answers.push(
        world
            .request(Method::GET, "/v1/plans", &headers, Vec::new())
            .await,
    );
    // A fault at each kind of call, so that errors are logged too.
    for path in ["*/Keys.json", "*/Accounts.json*", "*"] {
        world.stack.sim.script_fault(twilio_sim::FaultRule {
            method: None,
            path: path.to_owned(),
            nth: 1,
            count: 1,
            action: twilio_sim::FaultAction::Truncate { keep_bytes: 300 },
        });
        let purpose = json!({ "purpose": path.replace(['*', '/'], "") });
        let key = world.post(&at("/api-keys"), &purpose).await;
        secrets.extend(key.body["api_key"]["secret"].as_str().map(str::to_owned));
        let other = json!({ "name": "Other", "plan_id": plan });
        let other = world.post("/v1/tenants", &other).await;
        secrets.extend(other.body["api_key"]["secret"].as_str().map(str::to_owned));
        world.stack.sim.clear_faults();
    }
    world.pass(SignedDuration::from_mins(15)).await;
    for account in world.stack.sim.accounts().iter().skip(1) {
        secrets.push(world.auth_token(&account.sid));
    }
    for path in [
        "/v1/plans".to_owned(),
        "/v1/tenants".to_owned(),
        "/v1/subaccounts/unowned".to_owned(),
        "/v1/reconciliation?from=2026-03-01&to=2026-03-01".to_owned(),
        at(""),
        at("/ledger"),
        at("/api-keys"),
        at("/usage?from=2026-03-01&to=2026-03-01"),
        at(&format!("/callbacks/{message}")),
    ] {
        let answer = world.get(&path).await;
        assert_eq!(answer.status, 200, "{path} {answer:?}");
        answers.push(answer);
    }
    assert!(secrets.len() >= 8 && secrets.iter().all(|secret| secret.len() >= 20));
    let kept = world.everything_kept();
    assert!(kept.contains("tenant.provisioned") && kept.contains(&message));
    assert_hidden(&secrets, "a table, queue or event", &kept);
    for answer in &answers {
        assert_hidden(&secrets, "an answer", &shown(answer));
    }
    // Where a secret is shown, it is that one alone.
    for (answer, own) in [(&signed_up, 2), (&issued, 3), (&operator, 5)] {
        for (index, secret) in secrets
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != own)
        {
            assert!(
                !shown(answer).contains(secret) || *secret == secrets[own],
                "secret {index}"
            );
        }
    }
    let log = log.0.lock().unwrap_or_else(PoisonError::into_inner);
    let log = String::from_utf8_lossy(&log).into_owned();
    assert!(
        log.contains("provisioning") && log.len() > 1_000,
        "{}",
        log.len()
    );
    assert_hidden(&secrets, "the log", &log);
    for content in ["481516", "4155550100", "4155550199", "signup-canary-key"] {
        assert!(!kept.contains("481516"), "a message's body is kept");
        assert!(!log.contains(content), "{content} is logged");
    }
}
