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
