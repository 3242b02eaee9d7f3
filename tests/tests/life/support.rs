//! What these tests share.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Tenant, World};

/// A request with the operator key and a fresh idempotency key.
pub async fn ask(world: &World, method: Method, path: &str, body: &Value) -> Answer {
    let (bearer, key) = (world.bearer(), world.fresh_key());
    let headers = [
        ("authorization", &*bearer),
        ("idempotency-key", &*key),
        ("content-type", "application/json"),
    ];
    let body = body.to_string().into_bytes();
    world.request(method, path, &headers, body).await
}

/// A path below a tenant.
pub fn path(tenant: &Tenant, rest: &str) -> String {
    format!("/v1/tenants/{}{rest}", tenant.id)
}

/// Gives an account a number without asking us; its SID and itself.
pub async fn number_from_nowhere(
    world: &World,
    account_sid: &str,
    marks: Value,
) -> (String, String) {
    let mut body = json!({ "account_sid": account_sid });
    if let (Some(body), Value::Object(marks)) = (body.as_object_mut(), marks) {
        body.extend(marks);
    }
    let made = world.simulate("/numbers", &body).await;
    (made.text("/sid"), made.text("/phone_number"))
}

/// The account that holds a number in Twilio; empty if none does.
pub async fn holder(world: &World, number_sid: &str) -> String {
    let all = world
        .request(Method::GET, "/_sim/numbers", &[], Vec::new())
        .await;
    let rows = all.body["numbers"].as_array().or(all.body.as_array());
    let holders: Vec<&str> = rows
        .into_iter()
        .flatten()
        .filter(|row| row["sid"] == number_sid)
        .filter_map(|row| row["account_sid"].as_str())
        .collect();
    assert!(holders.len() < 2, "{holders:?}");
    holders.first().copied().unwrap_or_default().to_owned()
}

/// A tenant on a plan of 1.5 times cost with these fields besides, with 10 dollars.
pub async fn tenant_on(world: &World, more: Value) -> Tenant {
    let mut plan = json!({ "name": "Strict", "currency": "USD", "default_multiplier": "1.5" });
    if let (Some(plan), Value::Object(more)) = (plan.as_object_mut(), more) {
        plan.extend(more);
    }
    let plan = world.post("/v1/plans", &plan).await;
    assert_eq!(plan.status, 201, "{plan:?}");
    let body = json!({ "name": "Acme", "plan_id": plan.text("/plan_id") });
    let made = world.post("/v1/tenants", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let tenant = Tenant {
        id: made.text("/id"),
        account_sid: made.text("/account_sid"),
    };
    pay(world, &tenant, "10").await;
    tenant
}

/// Pays, and lets everything that follows happen.
pub async fn pay(world: &World, tenant: &Tenant, amount: &str) {
    let top_up = json!({ "amount": amount });
    let paid = world.post(&path(tenant, "/top-ups"), &top_up).await;
    assert_eq!(paid.status, 201, "{paid:?}");
    world.stack.settle().await;
}

/// What the events of a name said of a tenant, oldest first.
pub fn told(world: &World, tenant: &Tenant, name: &str) -> Vec<Value> {
    let events = world.stack.aws.events_since(0).into_iter();
    events
        .filter(|event| event.detail_type == name && event.detail["tenant_id"] == tenant.id)
        .map(|event| event.detail["data"].clone())
        .collect()
}

/// Holds that stand, by name.
pub async fn holds(world: &World, tenant: &Tenant) -> Vec<String> {
    let shown = world.show(tenant).await;
    let holds = shown.body["holds"].as_array().unwrap().iter();
    holds
        .map(|hold| hold["hold"].as_str().unwrap().to_owned())
        .collect()
}
