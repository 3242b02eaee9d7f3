//! What a sign-up may ask for: trial credit, an application, numbers; and what is taken back if it fails.

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};
use tests::explorer::{Disturbance, explore};
use tests::{Answer, Tenant, World};

use super::support::{ask, path};

async fn sign_up(world: &World, more: Value) -> Answer {
    let plan = world.plan(0).await;
    let mut body = json!({ "name": "Acme", "plan_id": plan });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    world.post("/v1/tenants", &body).await
}

fn tenant_of(answer: &Answer) -> Tenant {
    Tenant {
        id: answer.text("/id"),
        account_sid: answer.text("/account_sid"),
    }
}

async fn numbers(world: &World, tenant: &Tenant) -> Vec<Value> {
    let listed = world.get(&path(tenant, "/numbers")).await;
    listed.body["numbers"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

fn everything() -> Value {
    json!({
        "external_id": "crm-1",
        "trial_credit": { "amount": "5", "expires_days": 30 },
        "application": { "voice_url": "https://acme.example/voice", "sms_url": "https://acme.example/sms" },
        "numbers": [{ "country": "US", "sms": true }, { "country": "US", "type": "toll_free" }],
    })
}

#[tokio::test]
async fn a_sign_up_with_everything_is_in_service_with_credit_application_and_numbers() {
    let world = World::start().await;
    let answer = sign_up(&world, everything()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let tenant = tenant_of(&answer);
    let shown = world.show(&tenant).await;
    assert_eq!(
        (
            shown.text("/lifecycle"),
            shown.text("/balance"),
            shown.text("/external_id")
        ),
        ("active".to_owned(), "5".to_owned(), "crm-1".to_owned())
    );
    let steps = shown.body["steps"].as_array().unwrap();
    assert!(
        steps.iter().all(|step| step["state"] == "done"),
        "{steps:?}"
    );
    assert!(shown.text("/application_sid").starts_with("AP"));
    let held = numbers(&world, &tenant).await;
    assert_eq!(held.len(), 2);
    for number in &held {
        assert_eq!(number["voice_url"], "https://acme.example/voice");
        assert_eq!(
            number["status_callback"],
            shown.body["callback_urls"]["call"]
        );
    }
    world.stack.settle().await;
    assert_eq!(world.event_ids(&tenant.id, "number.bought").len(), 2);
    assert_eq!(world.event_ids(&tenant.id, "wallet.credited").len(), 1);
    let wallet = world.get(&path(&tenant, "/wallet")).await;
    assert!(wallet.body.to_string().contains("2026-03-31"), "{wallet:?}");
    assert_eq!(
        world.tenant_violations(&tenant.id).await,
        Vec::<String>::new()
    );
    let verified = world.get(&path(&tenant, "/ledger/verify")).await;
    assert_eq!(
        (
            &verified.body["differences_count"],
            &verified.body["entries"]
        ),
        (&json!(0), &json!(2)),
        "{verified:?}"
    );
}

#[tokio::test]
async fn a_credit_after_the_trial_comes_once_when_its_days_are_over() {
    let world = World::start().await;
    let trial = json!({ "amount": "7.50", "when": "after_trial", "trial_days": 2 });
    let answer = sign_up(&world, json!({ "trial_credit": trial })).await;
    let tenant = tenant_of(&answer);
    assert_eq!(world.show(&tenant).await.text("/balance"), "0");
    assert_eq!(
        world.show(&tenant).await.text("/trial_credit/due_at"),
        "2026-03-03T00:00:00Z"
    );
    world.pass(SignedDuration::from_hours(47)).await;
    assert_eq!(world.show(&tenant).await.text("/balance"), "0");
    world.pass(SignedDuration::from_hours(26)).await;
    let shown = world.show(&tenant).await;
    assert_eq!(shown.text("/balance"), "7.5");
    assert!(shown.body["trial_credit"]["given_at"].is_string());
    assert_eq!(world.event_ids(&tenant.id, "wallet.credited").len(), 1);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_is_made() {
    let world = World::start().await;
    for (more, code) in [
        (
            json!({ "trial_credit": { "amount": "0.001" } }),
            "amount_invalid",
        ),
        (
            json!({ "trial_credit": { "amount": "5", "when": "after_trial" } }),
            "trial_invalid",
        ),
        (
            json!({ "trial_credit": { "amount": "5", "expires_days": 0 } }),
            "trial_invalid",
        ),
        (json!({ "currency": "EUR" }), "currency_mismatch"),
        (
            json!({ "numbers": [{ "country": "Utopia" }] }),
            "number_invalid",
        ),
        (
            json!({ "numbers": [{ "country": "US", "type": "golden" }] }),
            "number_invalid",
        ),
        (
            json!({ "application": { "voice_url": "ftp://x" } }),
            "url_invalid",
        ),
        (json!({ "application": { "color": "red" } }), "body_invalid"),
    ] {
        let answer = sign_up(&world, more.clone()).await;
        assert_eq!(answer.code(), code, "{more}: {answer:?}");
    }
    assert_eq!(world.open_subaccounts(), 0);
}

/// Nobody sells such a number: provisioning is given up after the subaccount and its key were made.
async fn doomed(world: &World) -> Answer {
    let more = json!({
        "external_id": "crm-1",
        "numbers": [{ "country": "US" }, { "country": "US", "contains": "0000000000" }],
    });
    sign_up(world, more).await
}

#[tokio::test]
async fn a_sign_up_that_cannot_be_fulfilled_is_taken_back_and_its_external_id_is_free_again() {
    let world = World::start().await;
    let answer = doomed(&world).await;
    assert_eq!(
        (answer.status, answer.code()),
        (409, "number_unavailable"),
        "{answer:?}"
    );
    world.pass(SignedDuration::from_mins(20)).await;
    assert_eq!(world.open_subaccounts(), 0);
    let listed = world.get("/v1/tenants?status=provisioning").await;
    let failed = &listed.body["tenants"][0];
    assert_eq!(failed["lifecycle"], "provisioning_failed", "{listed:?}");
    assert_eq!(failed["twilio_status"], "closed");
    assert_eq!(failed["next_action_at"], Value::Null);
    assert_eq!(world.failed_invocations(), Vec::<String>::new());
    let again = sign_up(&world, json!({ "external_id": "crm-1" })).await;
    assert_eq!(again.status, 201, "{again:?}");
    let third = sign_up(&world, json!({ "external_id": "crm-1" })).await;
    assert_eq!(third.code(), "external_id_taken");
}

async fn signing_up() -> (World, String) {
    let world = World::start().await;
    let plan = world.plan(0).await;
    (world, plan)
}

async fn ask_for_everything(world: &World, plan: &String) -> Answer {
    let mut body = json!({ "name": "Acme", "plan_id": plan });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), everything()) {
        body.extend(more);
    }
    world.post_as("/v1/tenants", "sign-up", &body).await
}

#[tokio::test]
async fn explorer_a_sign_up_with_everything_disturbed_at_any_request_makes_each_part_once() {
    let found = explore(
        "sign-up with everything",
        "provisioning",
        Disturbance::ALL,
        signing_up,
        async |world: &World, plan: &String| {
            ask_for_everything(world, plan).await;
        },
        async |world: &World, plan: &String| {
            world.pass(SignedDuration::from_mins(2)).await;
            ask_for_everything(world, plan).await;
            world.pass(SignedDuration::from_mins(15)).await;
        },
        async |world: &World, _: &String| {
            let mut wrong = Vec::new();
            let listed = world.get("/v1/tenants").await;
            let tenants = listed.body["tenants"].as_array().cloned();
            let tenants = tenants.unwrap_or_default();
            if tenants.len() != 1 || tenants[0]["lifecycle"] != "active" {
                return vec![format!("tenants: {tenants:?}")];
            }
            if tenants[0]["balance"] != "5" {
                wrong.push(format!("the balance is {}", tenants[0]["balance"]));
            }
            let tenant = Tenant {
                id: tenants[0]["id"].as_str().unwrap_or_default().to_owned(),
                account_sid: String::new(),
            };
            let held = numbers(world, &tenant).await.len();
            if held != 2 {
                wrong.push(format!("{held} numbers"));
            }
            if world.open_subaccounts() != 1 {
                wrong.push(format!("{} subaccounts", world.open_subaccounts()));
            }
            wrong.extend(world.tenant_violations(&tenant.id).await);
            wrong
        },
    );
    found.await.assert_sound();
}

#[tokio::test]
async fn explorer_taking_a_failed_sign_up_back_disturbed_at_any_request_leaves_nothing_open() {
    let found = explore(
        "undo",
        "provisioning",
        Disturbance::ALL,
        async || {
            let world = World::start().await;
            doomed(&world).await;
            (world, ())
        },
        async |world: &World, (): &()| world.pass(SignedDuration::from_mins(10)).await,
        async |world: &World, (): &()| world.pass(SignedDuration::from_mins(40)).await,
        async |world: &World, (): &()| {
            let listed = world.get("/v1/tenants?status=provisioning").await;
            let closed = listed.body["tenants"][0]["twilio_status"] == "closed";
            match (closed, world.open_subaccounts()) {
                (true, 0) => Vec::new(),
                (_, open) => vec![format!("{open} open, {:?}", listed.body)],
            }
        },
    );
    found.await.assert_sound();
}

#[tokio::test]
async fn a_test_call_and_a_test_message_report_what_twilio_answered() {
    let world = World::start().await;
    let answer = sign_up(
        &world,
        json!({ "numbers": [{ "country": "US", "sms": true }] }),
    )
    .await;
    let tenant = tenant_of(&answer);
    let to = json!({ "to": "+14155550100" });
    let called = ask(&world, Method::POST, &path(&tenant, "/test-call"), &to).await;
    assert_eq!(
        (called.status, &called.body["accepted"]),
        (200, &json!(true)),
        "{called:?}"
    );
    assert!(called.text("/twilio/sid").starts_with("CA"));
    let sent = ask(&world, Method::POST, &path(&tenant, "/test-message"), &to).await;
    assert!(sent.text("/twilio/sid").starts_with("SM"), "{sent:?}");
    let foreign = json!({ "to": "+14155550100", "from": "+14155559999" });
    let refused = ask(
        &world,
        Method::POST,
        &path(&tenant, "/test-message"),
        &foreign,
    )
    .await;
    assert_eq!(
        (refused.status, &refused.body["accepted"]),
        (200, &json!(false)),
        "{refused:?}"
    );
    assert!(refused.body["twilio"]["code"].is_string(), "{refused:?}");
    let nowhere = json!({ "to": "everyone" });
    let invalid = ask(&world, Method::POST, &path(&tenant, "/test-call"), &nowhere).await;
    assert_eq!(invalid.code(), "destination_invalid");
    let bare = tenant_of(&sign_up(&world, json!({})).await);
    let without = ask(&world, Method::POST, &path(&bare, "/test-call"), &to).await;
    assert_eq!(without.code(), "no_number");
}

#[tokio::test]
async fn a_restricted_key_can_do_what_its_policy_says_and_nothing_else() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "10").await;
    let keys = path(&tenant, "/api-keys");
    let policy =
        json!({ "purpose": "reports", "policy": { "allow": ["/twilio/messaging/messages/list"] } });
    let made = ask(&world, Method::POST, &keys, &policy).await;
    assert_eq!(made.status, 201, "{made:?}");
    let (sid, secret) = (made.text("/api_key/sid"), made.text("/api_key/secret"));
    let account = &tenant.account_sid;
    let get = async |what: &str| {
        let path = format!("/2010-04-01/Accounts/{account}/{what}.json");
        world
            .twilio((&sid, &secret), Method::GET, &path, &[])
            .await
            .status
    };
    assert_eq!(get("Messages").await, 200);
    assert!([401, 403].contains(&get("Calls").await));
    assert!(!world.everything_kept().contains(&secret));
    let listed = world.get(&keys).await;
    let of_it = listed.body["api_keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["sid"] == sid);
    assert_eq!(
        of_it.unwrap()["policy"]["allow"][0],
        "/twilio/messaging/messages/list"
    );
    for allow in [
        json!([]),
        json!(["messages"]),
        json!(vec!["/twilio/voice/calls/read"; 101]),
    ] {
        let body = json!({ "purpose": "x", "policy": { "allow": allow } });
        assert_eq!(
            ask(&world, Method::POST, &keys, &body).await.code(),
            "policy_invalid"
        );
    }
    let revoked = world.delete(&format!("{keys}/{sid}")).await;
    assert_eq!(revoked.status, 204, "{revoked:?}");
    assert_eq!(get("Messages").await, 401);
}

#[tokio::test]
async fn explorer_a_restricted_key_disturbed_at_any_request_leaves_no_orphan() {
    let found = explore(
        "restricted key",
        "provisioning",
        Disturbance::ALL,
        async || {
            let world = World::start().await;
            let tenant = world.tenant("Acme", "10").await;
            (world, tenant)
        },
        restricted,
        restricted_again,
        async |world: &World, tenant: &Tenant| {
            let listed = world.get(&path(tenant, "/api-keys")).await;
            let known = listed.body["api_keys"].as_array().map_or(0, Vec::len);
            let token = world.auth_token(&tenant.account_sid);
            let own = (tenant.account_sid.as_str(), token.as_str());
            let query = format!("/iam/v1/Keys?AccountSid={}", tenant.account_sid);
            let at_twilio = world.twilio(own, Method::GET, &query, &[]).await;
            let there = at_twilio.body["keys"].as_array().map_or(0, Vec::len);
            // The provisioning's key and this one.
            if (known, there) == (2, 2) {
                Vec::new()
            } else {
                vec![format!("{known} keys are recorded, {there} exist")]
            }
        },
    );
    found.await.assert_sound();
}

async fn restricted(world: &World, tenant: &Tenant) {
    let body = json!({ "purpose": "reports", "policy": { "allow": ["/twilio/voice/calls/list"] } });
    ask(world, Method::POST, &path(tenant, "/api-keys"), &body).await;
}

async fn restricted_again(world: &World, tenant: &Tenant) {
    restricted(world, tenant).await;
    world.pass(SignedDuration::from_mins(15)).await;
}

#[tokio::test]
async fn a_tenant_that_was_closed_in_its_trial_gets_no_credit_any_more() {
    let world = World::start().await;
    let trial = json!({ "amount": "7.50", "when": "after_trial", "trial_days": 4 });
    let answer = sign_up(&world, json!({ "trial_credit": trial })).await;
    let tenant = tenant_of(&answer);
    let goodbye = json!({ "reason": "over", "confirm": "Acme", "settle_hours": 0 });
    let closed = ask(&world, Method::POST, &path(&tenant, "/close"), &goodbye).await;
    assert_eq!(closed.status, 202, "{closed:?}");
    world.pass(SignedDuration::from_hours(5 * 24)).await;
    let shown = world.show(&tenant).await;
    assert_eq!(
        (shown.text("/lifecycle"), shown.text("/balance")),
        ("closed".to_owned(), "0".to_owned()),
        "{shown:?}"
    );
}
