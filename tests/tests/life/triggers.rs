//! Twilio's own usage triggers, set with the caps as a second guard.

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};
use tests::explorer::{Disturbance, explore};
use tests::{Answer, Tenant, World};

use super::support::{ask, holds, path, tenant_on, told};

/// Triggers that Twilio has for a tenant, by name, with their values.
async fn triggers(world: &World, tenant: &Tenant) -> Vec<Value> {
    let (sid, token) = world.stack.main_credentials();
    let path = format!(
        "/2010-04-01/Accounts/{}/Usage/Triggers.json",
        tenant.account_sid
    );
    let listed = world.twilio((&sid, &token), Method::GET, &path, &[]).await;
    let mut rows = listed.body["usage_triggers"].as_array().unwrap().clone();
    rows.sort_by_key(|row| row["friendly_name"].to_string());
    rows
}

async fn values(world: &World, tenant: &Tenant) -> Vec<(String, String)> {
    let rows = triggers(world, tenant).await;
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| {
            let value: domain::Decimal = text(row, "trigger_value").parse().unwrap();
            (text(row, "friendly_name"), value.normalize().to_string())
        })
        .collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

async fn cap(world: &World, tenant: &Tenant, caps: &Value) -> Answer {
    let answer = ask(world, Method::PUT, &path(tenant, "/caps"), caps).await;
    world.stack.settle().await;
    answer
}

#[tokio::test]
async fn triggers_follow_the_hard_caps_and_are_told_to_our_own_address() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "500").await;
    let caps = json!({ "day": { "hard": "12" }, "month": { "hard": "100.5" } });
    assert_eq!(cap(&world, &tenant, &caps).await.status, 200);
    let first = triggers(&world, &tenant).await;
    let expected = [pair("tollgate day", "12"), pair("tollgate month", "100.5")];
    assert_eq!(values(&world, &tenant).await, expected);
    for (row, recurring) in first.iter().zip(["daily", "monthly"]) {
        assert_eq!(row["recurring"], recurring);
        assert_eq!(
            (&row["usage_category"], &row["trigger_by"]),
            (&json!("totalprice"), &json!("price"))
        );
        let url = row["callback_url"].as_str().unwrap();
        assert!(
            url.contains(&format!("/twilio/{}/usage-triggers", tenant.id)),
            "{url}"
        );
    }
    // Again: nothing is made anew.
    assert_eq!(cap(&world, &tenant, &caps).await.status, 200);
    assert_eq!(triggers(&world, &tenant).await, first);
    // Another value is another trigger; one that is asked for no more goes; a stranger's stays.
    let (sid, token) = world.stack.main_credentials();
    let own = format!(
        "/2010-04-01/Accounts/{}/Usage/Triggers.json",
        tenant.account_sid
    );
    let form = [
        ("UsageCategory", "totalprice"),
        ("TriggerValue", "7"),
        ("CallbackUrl", "https://x.example/t"),
        ("FriendlyName", "by hand"),
    ];
    world
        .twilio((&sid, &token), Method::POST, &own, &form)
        .await;
    cap(&world, &tenant, &json!({ "day": { "hard": "15" } })).await;
    let expected = [pair("by hand", "7"), pair("tollgate day", "15")];
    assert_eq!(values(&world, &tenant).await, expected);
}

#[tokio::test]
async fn without_a_hard_cap_the_plan_says_where_twilio_tells_us() {
    let world = World::start().await;
    let guards = json!({ "guards": { "triggers": { "day": "40", "month": "300" } } });
    let tenant = tenant_on(&world, guards).await;
    cap(&world, &tenant, &json!({ "day": { "hard": "9" } })).await;
    let expected = [pair("tollgate day", "9"), pair("tollgate month", "300")];
    assert_eq!(values(&world, &tenant).await, expected);
}

#[tokio::test]
async fn a_trigger_that_fires_has_the_tenant_pulled_and_its_cap_enforced_at_once() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "500").await;
    cap(&world, &tenant, &json!({ "day": { "hard": "12" } })).await;
    world.pass(SignedDuration::from_mins(61)).await;
    world.use_today(&tenant, "sms-outbound-longcode", "20");
    // Twilio looks once a minute; the callback's stream waits for another.
    world.pass(SignedDuration::from_mins(4)).await;
    assert_eq!(holds(&world, &tenant).await, ["spend_cap"]);
    let told_once = told(&world, &tenant, "spend.hard_cap_reached");
    assert_eq!(told_once.len(), 1, "{told_once:?}");
    // Twilio may deliver it again.
    let fields = [
        ("AccountSid", &*tenant.account_sid),
        ("UsageTriggerSid", "UT00000000000000000000000000000001"),
        ("UsageCategory", "totalprice"),
        ("CurrentValue", "20"),
        ("TriggerValue", "12"),
        ("IdempotencyToken", "again"),
    ];
    let token = world.auth_token(&tenant.account_sid);
    for _ in 0..3 {
        let answer = world
            .callback(&tenant.id, "usage-triggers", &fields, &token)
            .await;
        assert_eq!(answer.status, 204);
    }
    world.pass(SignedDuration::from_mins(4)).await;
    assert_eq!(told(&world, &tenant, "spend.hard_cap_reached").len(), 1);
    assert_eq!(holds(&world, &tenant).await, ["spend_cap"]);
}

#[tokio::test]
async fn explorer_caps_disturbed_at_any_request_end_with_one_trigger_each() {
    let caps = || json!({ "day": { "hard": "12" }, "month": { "hard": "100" } });
    let found = explore(
        "caps and triggers",
        "provisioning",
        Disturbance::ALL,
        async || {
            let world = World::start().await;
            let tenant = world.tenant("Acme", "500").await;
            cap(&world, &tenant, &json!({ "day": { "hard": "10" } })).await;
            (world, tenant)
        },
        async |world: &World, tenant: &Tenant| {
            cap(world, tenant, &caps()).await;
        },
        async |world: &World, tenant: &Tenant| {
            // Whoever got no answer asks again.
            cap(world, tenant, &caps()).await;
        },
        async |world: &World, tenant: &Tenant| {
            let found = values(world, tenant).await;
            let expected = [pair("tollgate day", "12"), pair("tollgate month", "100")];
            let mut wrong = Vec::new();
            if found != expected {
                wrong.push(format!("triggers: {found:?}"));
            }
            let caps = world.get(&path(tenant, "/caps")).await;
            if caps.body["day"]["hard"] != "12" || caps.body["month"]["hard"] != "100" {
                wrong.push(format!("caps: {}", caps.body));
            }
            wrong
        },
    );
    found.await.assert_sound();
}
