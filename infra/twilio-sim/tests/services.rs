//! Messaging services and their pools.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{API, Reply, ask, config, control, delete, subaccount};
use serde_json::json;
use twilio_sim::Sim;

struct Tenant {
    sim: Sim,
    sid: String,
    token: String,
}

impl Tenant {
    async fn new() -> Self {
        let sim = Sim::new(config());
        let (sid, token) = subaccount(&sim, "own").await;
        Self { sim, sid, token }
    }

    async fn ask(&self, method: &str, path: &str, form: &[(&str, &str)]) -> Reply {
        let path = format!("/messaging/v1/Services{path}");
        ask(
            &self.sim,
            method,
            &path,
            Some((&self.sid, &self.token)),
            form,
        )
        .await
    }

    async fn service(&self, name: &str) -> String {
        let made = self.ask("POST", "", &[("FriendlyName", name)]).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.str("sid")
    }

    async fn number(&self, account: &str) -> String {
        let asked = json!({ "account_sid": account });
        control(&self.sim, "POST", "/_sim/numbers", &asked)
            .await
            .str("sid")
    }
}

#[tokio::test]
async fn a_service_is_made_with_defaults_changed_and_deleted() {
    let tenant = Tenant::new().await;
    let sid = tenant.service("Reminders").await;
    let fetched = tenant.ask("GET", &format!("/{sid}"), &[]).await;
    let mut body = fetched.body.clone();
    body.as_object_mut().unwrap().remove("links");
    assert_eq!(
        body,
        json!({
            "account_sid": tenant.sid,
            "sid": sid,
            "date_created": "2026-03-01T00:00:00Z",
            "date_updated": "2026-03-01T00:00:00Z",
            "friendly_name": "Reminders",
            "inbound_request_url": null,
            "inbound_method": "POST",
            "fallback_url": null,
            "fallback_method": "POST",
            "status_callback": null,
            "sticky_sender": true,
            "smart_encoding": true,
            "mms_converter": true,
            "fallback_to_long_code": true,
            "scan_message_content": "inherit",
            "area_code_geomatch": true,
            "validity_period": 36000,
            "synchronous_validation": false,
            "usecase": "undeclared",
            "us_app_to_person_registered": false,
            "use_inbound_webhook_on_number": false,
            "url": format!("https://messaging.twilio.com/v1/Services/{sid}")
        })
    );
    let changed = tenant
        .ask(
            "POST",
            &format!("/{sid}"),
            &[
                ("FriendlyName", "Alarms"),
                ("StatusCallback", "https://example.test/status"),
                ("StickySender", "false"),
                ("UseInboundWebhookOnNumber", "true"),
                ("ValidityPeriod", "600"),
                ("ScanMessageContent", "disable"),
                ("Usecase", "marketing"),
                ("InboundMethod", "GET"),
            ],
        )
        .await;
    assert_eq!(changed.status, 200);
    let shown = |name: &str| changed.body[name].clone();
    assert_eq!(shown("friendly_name"), "Alarms");
    assert_eq!(shown("status_callback"), "https://example.test/status");
    assert_eq!(shown("sticky_sender"), false);
    assert_eq!(shown("validity_period"), 600);
    let emptied = tenant
        .ask("POST", &format!("/{sid}"), &[("StatusCallback", "")])
        .await;
    assert_eq!(emptied.body["status_callback"], json!(null));
    let listed = tenant.ask("GET", "", &[]).await;
    assert_eq!(listed.body["services"].as_array().unwrap().len(), 1);
    assert_eq!(listed.body["meta"]["key"], "services");
    assert_eq!(
        tenant.ask("DELETE", &format!("/{sid}"), &[]).await.status,
        204
    );
    assert_eq!(
        tenant.ask("GET", &format!("/{sid}"), &[]).await.code(),
        20_404
    );
    assert_eq!(tenant.ask("GET", "", &[]).await.body["services"], json!([]));
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_and_change_nothing() {
    let tenant = Tenant::new().await;
    assert_eq!(
        tenant.ask("POST", "", &[]).await.code(),
        20_001,
        "a name is needed"
    );
    let sid = tenant.service("Reminders").await;
    for (name, value) in [
        ("StatusCallback", "not a url"),
        ("InboundMethod", "PUT"),
        ("ScanMessageContent", "maybe"),
        ("Usecase", "spam"),
        ("StickySender", "yes"),
        ("ValidityPeriod", "0"),
        ("ValidityPeriod", "36001"),
        ("ValidityPeriod", "soon"),
    ] {
        let form = [("FriendlyName", "changed"), (name, value)];
        let refused = tenant.ask("POST", &format!("/{sid}"), &form).await;
        assert_eq!(
            (refused.status, refused.code()),
            (400, 20_001),
            "{name}={value}"
        );
    }
    let kept = tenant.ask("GET", &format!("/{sid}"), &[]).await;
    assert_eq!(kept.str("friendly_name"), "Reminders");
}

#[tokio::test]
async fn only_own_numbers_join_and_each_one_service() {
    let tenant = Tenant::new().await;
    let (first, second) = (
        tenant.service("first").await,
        tenant.service("second").await,
    );
    let own = tenant.number(&tenant.sid).await;
    let foreign = tenant.number(common::MAIN).await;
    let pool = format!("/{first}/PhoneNumbers");
    let added = tenant.ask("POST", &pool, &[("PhoneNumberSid", &own)]).await;
    assert_eq!(added.status, 201, "{}", added.body);
    assert_eq!(added.str("service_sid"), first);
    assert_eq!(added.body["capabilities"], json!(["MMS", "SMS", "Voice"]));
    for (service, number, expected) in [
        (&first, own.as_str(), (409, 21_710)),
        (&second, own.as_str(), (409, 21_712)),
        (&second, foreign.as_str(), (404, 20_404)),
        (&second, "", (400, 20_001)),
    ] {
        let path = format!("/{service}/PhoneNumbers");
        let refused = tenant
            .ask("POST", &path, &[("PhoneNumberSid", number)])
            .await;
        assert_eq!(
            (refused.status, refused.code()),
            expected,
            "{}",
            refused.body
        );
    }
    let listed = tenant.ask("GET", &pool, &[]).await;
    assert_eq!(listed.body["phone_numbers"][0], added.body);
    let one = format!("{pool}/{own}");
    assert_eq!(tenant.ask("GET", &one, &[]).await.body, added.body);
    assert_eq!(tenant.ask("DELETE", &one, &[]).await.status, 204);
    assert_eq!(tenant.ask("DELETE", &one, &[]).await.code(), 20_404);
    let path = format!("/{second}/PhoneNumbers");
    let moved = tenant.ask("POST", &path, &[("PhoneNumberSid", &own)]).await;
    assert_eq!(moved.status, 201, "free again");
}

#[tokio::test]
async fn a_released_number_leaves_its_service() {
    let tenant = Tenant::new().await;
    let service = tenant.service("first").await;
    let number = tenant.number(&tenant.sid).await;
    let pool = format!("/{service}/PhoneNumbers");
    tenant
        .ask("POST", &pool, &[("PhoneNumberSid", &number)])
        .await;
    let path = format!(
        "/Accounts/{}/IncomingPhoneNumbers/{number}.json",
        tenant.sid
    );
    assert_eq!(delete(&tenant.sim, &path).await.status, 204);
    let listed = tenant.ask("GET", &pool, &[]).await;
    assert_eq!(listed.body["phone_numbers"], json!([]));
}

#[tokio::test]
async fn a_tenant_sees_no_other_tenant_s_service() {
    let tenant = Tenant::new().await;
    let service = tenant.service("first").await;
    let (other, token) = subaccount(&tenant.sim, "other").await;
    let path = format!("/messaging/v1/Services/{service}");
    for method in ["GET", "POST", "DELETE"] {
        let refused = ask(&tenant.sim, method, &path, Some((&other, &token)), &[]).await;
        assert_eq!(refused.code(), 20_404, "{method}");
    }
    // It is no resource of the v2010 API either.
    let path = format!("{API}/Accounts/{}/Services/{service}.json", tenant.sid);
    let refused = ask(
        &tenant.sim,
        "GET",
        &path,
        Some((&tenant.sid, &tenant.token)),
        &[],
    )
    .await;
    assert_eq!(refused.code(), 20_404);
}
