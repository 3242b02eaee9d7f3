//! The provisioning API over the wire: what a tenant's life looks like to an operator's program.

use reqwest::Method;
use serde_json::{Value, json};
use tests::World;

#[tokio::test]
async fn a_tenant_is_provisioned_once_and_its_key_is_shown_once() {
    let world = World::start().await;
    let plan = world.plan(0).await;
    let body = json!({ "name": "Acme", "plan_id": plan, "external_id": "a-1" });
    let first = world.post_as("/v1/tenants", "signup-1", &body).await;
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(first.body["status"], "active");
    assert!(first.text("/api_key/secret").len() > 20);
    assert_eq!(first.body["balance"], "0");
    let replay = world.post_as("/v1/tenants", "signup-1", &body).await;
    assert_eq!(
        (replay.status, replay.header("idempotent-replayed")),
        (201, Some("true"))
    );
    assert_eq!(replay.body["id"], first.body["id"]);
    assert_eq!(replay.body["api_key"], Value::Null);
    let other = json!({ "name": "Other", "plan_id": plan });
    let mismatch = world.post_as("/v1/tenants", "signup-1", &other).await;
    assert_eq!(
        (mismatch.status, mismatch.code()),
        (422, "idempotency_key_mismatch")
    );
    let taken = world.post("/v1/tenants", &body).await;
    assert_eq!((taken.status, taken.code()), (409, "external_id_taken"));
    let missing = world.post("/v1/tenants", &json!({ "name": "x" })).await;
    assert_eq!((missing.status, missing.code()), (422, "plan_id_missing"));
    assert_eq!(world.open_subaccounts(), 1);
    let unowned = world.get("/v1/subaccounts/unowned").await;
    assert_eq!(unowned.body["subaccounts"], json!([]));
    let list = world.get("/v1/tenants?status=active").await;
    assert_eq!(
        list.body["tenants"].as_array().unwrap().len(),
        1,
        "{list:?}"
    );
    let unknown = world
        .get(&format!("/v1/tenants/ten_{}", "0".repeat(26)))
        .await;
    let malformed = world.get("/v1/tenants/ten_x").await;
    assert_eq!((unknown.status, &unknown.body), (404, &malformed.body));
}

#[tokio::test]
async fn a_payment_is_booked_once_whichever_key_repeats_it() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "0").await;
    let path = format!("/v1/tenants/{}/top-ups", tenant.id);
    let body = json!({ "amount": "50.00", "reference": "inv-1" });
    let paid = world.post_as(&path, "pay-1", &body).await;
    assert_eq!(
        (paid.status, paid.text("/balance")),
        (201, "50".to_owned()),
        "{paid:?}"
    );
    assert_eq!(paid.body["standing"]["state"], "good");
    let replay = world.post_as(&path, "pay-1", &body).await;
    assert_eq!((replay.status, &replay.body), (201, &paid.body));
    let same = world.post_as(&path, "pay-2", &body).await;
    assert_eq!((same.status, same.text("/balance")), (200, "50".to_owned()));
    let more = json!({ "amount": "60", "reference": "inv-1" });
    assert_eq!(
        world.post_as(&path, "pay-3", &more).await.code(),
        "reference_taken"
    );
    assert_eq!(
        world.post_as(&path, "pay-1", &more).await.code(),
        "idempotency_key_mismatch"
    );
    let fine = world.post(&path, &json!({ "amount": "0.001" })).await;
    assert_eq!((fine.status, fine.code()), (422, "amount_invalid"));
    let ledger = world
        .get(&format!("/v1/tenants/{}/ledger?limit=1", tenant.id))
        .await;
    assert_eq!(ledger.body["entries"][0]["kind"], "top_up", "{ledger:?}");
    assert_eq!(ledger.body["next_cursor"], 2);
    let rest = world
        .get(&format!("/v1/tenants/{}/ledger?cursor=2", tenant.id))
        .await;
    assert_eq!(rest.body["entries"][0]["kind"], "opening", "{rest:?}");
}

#[tokio::test]
async fn an_operators_hold_is_placed_and_lifted_idempotently() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "20").await;
    let at = |verb: &str| format!("/v1/tenants/{}/{verb}", tenant.id);
    let reason = json!({ "reason": "asked for" });
    let placed = world.post(&at("suspend"), &reason).await;
    assert_eq!(
        (placed.status, &placed.body["status"]),
        (202, &json!("suspended")),
        "{placed:?}"
    );
    assert_eq!(world.post(&at("suspend"), &reason).await.status, 200);
    let lifted = world.post(&at("reactivate"), &reason).await;
    assert_eq!(
        (lifted.status, &lifted.body["status"]),
        (202, &json!("active"))
    );
    assert_eq!(world.post(&at("reactivate"), &reason).await.status, 200);
}

#[tokio::test]
async fn api_keys_are_issued_once_per_purpose_and_revoked() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "0").await;
    let path = format!("/v1/tenants/{}/api-keys", tenant.id);
    let issued = world.post(&path, &json!({ "purpose": "crm" })).await;
    assert_eq!(issued.status, 201, "{issued:?}");
    assert_eq!(issued.text("/api_key/name"), "Acme - crm");
    let again = world.post(&path, &json!({ "purpose": "crm" })).await;
    assert_eq!((again.status, again.code()), (409, "api_key_exists"));
    let sid = issued.text("/api_key/sid");
    assert_eq!(world.delete(&format!("{path}/{sid}")).await.status, 204);
    assert_eq!(world.delete(&format!("{path}/{sid}")).await.status, 204);
    let foreign = format!("{path}/SK{}", "0".repeat(32));
    assert_eq!(world.delete(&foreign).await.code(), "api_key_not_found");
    assert_eq!(
        world.post(&path, &json!({ "purpose": "crm" })).await.status,
        201
    );
    let listed = world.get(&path).await;
    assert_eq!(
        listed.body["api_keys"].as_array().unwrap().len(),
        3,
        "{listed:?}"
    );
}

#[tokio::test]
async fn operator_keys_work_until_they_are_revoked() {
    let world = World::start().await;
    let made = world
        .post("/v1/operator-keys", &json!({ "name": "billing" }))
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let bearer = format!("Bearer {}", made.text("/bearer"));
    let headers = [("authorization", bearer.as_str())];
    let ask = || world.request(Method::GET, "/v1/plans", &headers, Vec::new());
    assert_eq!(ask().await.status, 200);
    let path = format!("/v1/operator-keys/{}", made.text("/id"));
    assert_eq!(world.delete(&path).await.status, 204);
    assert_eq!(ask().await.code(), "unauthenticated");
    let own = world.stack.operator_key["tgk_".len()..][..30].to_owned();
    let refused = world.delete(&format!("/v1/operator-keys/{own}")).await;
    assert_eq!(refused.code(), "operator_key_in_use");
}

#[tokio::test]
async fn reconciliation_shows_unbooked_usage_and_nothing_else() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "20").await;
    world.use_today(&tenant, "amazon-polly", "1.25");
    let path = "/v1/reconciliation?from=2026-03-01&to=2026-03-01";
    let before = world.get(path).await;
    assert_eq!(before.text("/difference"), "1.25", "{before:?}");
    world.pull(&tenant).await;
    let after = world.get(path).await;
    assert_eq!(after.text("/difference"), "0", "{after:?}");
    assert_eq!(after.text("/ledger_cost_total"), "1.25");
    let usage = format!(
        "/v1/tenants/{}/usage?from=2026-03-01&to=2026-03-01&by=category",
        tenant.id
    );
    let usage = world.get(&usage).await;
    assert_eq!(
        (usage.text("/cost"), usage.text("/charge")),
        ("1.25".to_owned(), "1.875".to_owned())
    );
    let backwards = world
        .get("/v1/reconciliation?from=2026-03-02&to=2026-03-01")
        .await;
    assert_eq!((backwards.status, backwards.code()), (400, "invalid_range"));
}
