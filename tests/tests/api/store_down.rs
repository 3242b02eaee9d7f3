//! The store is down: 503 with a time to come back, and nothing half-written.

use std::collections::BTreeMap;
use std::sync::Arc;

use local::aws::{CallInfo, Fault, Service};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, World};

fn break_store(world: &World, breaks: fn(&CallInfo) -> bool, fault: Fault) {
    world.stack.aws.set_fault_hook(Some(Arc::new(move |call| {
        let hit = call.caller == "tollgate-provisioning"
            && call.service == Service::DynamoDb
            && breaks(call);
        if hit { fault.clone() } else { Fault::None }
    })));
}

#[track_caller]
fn assert_unavailable(answer: &Answer, what: &str) {
    assert_eq!(
        (answer.status, answer.code()),
        (503, "temporarily_unavailable"),
        "{what} {answer:?}"
    );
    let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert_eq!(answer.body["retry_after_s"], seconds, "{what}");
    assert!((1..=60).contains(&seconds), "{what}");
    for inside in [
        "dynamo",
        "Dynamo",
        "table",
        "Throttl",
        "InternalServer",
        "tollgate-local",
    ] {
        assert!(
            !answer.body.to_string().contains(inside),
            "{what} {answer:?}"
        );
    }
}

/// All requests that touch the store.
async fn ask_everything(
    world: &World,
    tenant: &str,
    key: &str,
    plan: &str,
) -> BTreeMap<String, Answer> {
    let at = |path: &str| format!("/v1/tenants/{tenant}{path}");
    let mut answers = BTreeMap::new();
    for path in [
        "/v1/plans".to_owned(),
        "/v1/tenants".to_owned(),
        at(""),
        at("/ledger"),
        at("/usage?from=2026-03-01&to=2026-03-01"),
        at("/api-keys"),
        at(&format!("/callbacks/SM{}", "0".repeat(32))),
        "/v1/reconciliation?from=2026-03-01&to=2026-03-01".to_owned(),
        "/v1/subaccounts/unowned".to_owned(),
    ] {
        let answer = world.get(&path).await;
        answers.insert(format!("GET {path}"), answer);
    }
    for (path, body) in [
        (
            "/v1/plans".to_owned(),
            json!({ "name": "x", "currency": "USD", "default_multiplier": "1" }),
        ),
        (
            "/v1/tenants".to_owned(),
            json!({ "name": "New", "plan_id": plan }),
        ),
        ("/v1/operator-keys".to_owned(), json!({ "name": "x" })),
        (at("/suspend"), json!({ "reason": "x" })),
        (at("/top-ups"), json!({ "amount": "5" })),
        (at("/api-keys"), json!({ "purpose": "crm" })),
    ] {
        let answer = world.post(&path, &body).await;
        answers.insert(format!("POST {path}"), answer);
    }
    let path = at(&format!("/api-keys/{key}"));
    let answer = world.delete(&path).await;
    answers.insert(format!("DELETE {path}"), answer);
    answers
}

struct Ready {
    world: World,
    tenant: tests::Tenant,
    plan: String,
    key: String,
}

async fn ready() -> Ready {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "20").await;
    let plan = world.plan(0).await;
    let key = world.show(&tenant).await.text("/api_key_sid");
    Ready {
        world,
        tenant,
        plan,
        key,
    }
}

#[tokio::test]
async fn every_endpoint_says_503_while_the_store_is_down_and_nothing_is_written() {
    for fault in [
        Fault::respond_before(500, "InternalServerError"),
        Fault::respond_before(400, "ThrottlingException"),
        Fault::respond_before(400, "ProvisionedThroughputExceededException"),
        Fault::DropBefore,
    ] {
        let Ready {
            world,
            tenant,
            plan,
            key,
        } = ready().await;
        let (before, subaccounts) = (world.tables(), world.open_subaccounts());
        let keys = world.keys_at_twilio(&tenant.account_sid);
        break_store(&world, |_| true, fault.clone());
        // Each request also asks for its operator key again, once that is no longer fresh.
        for (what, answer) in ask_everything(&world, &tenant.id, &key, &plan).await {
            assert_unavailable(&answer, &format!("{fault:?} {what}"));
        }
        assert_eq!(world.tables(), before, "{fault:?}");
        assert_eq!(world.open_subaccounts(), subaccounts);
        assert_eq!(world.keys_at_twilio(&tenant.account_sid), keys);
        world.stack.aws.set_fault_hook(None);
        assert_eq!(world.show(&tenant).await.text("/balance"), "20");
    }
}

#[tokio::test]
async fn a_store_that_reads_but_does_not_write_leaves_everything_as_it_was() {
    let Ready {
        world,
        tenant,
        plan,
        ..
    } = ready().await;
    let before = world.tables();
    let subaccounts = world.open_subaccounts();
    let keys = world.keys_at_twilio(&tenant.account_sid);
    let at = |path: &str| format!("/v1/tenants/{}{path}", tenant.id);
    break_store(
        &world,
        |call| call.operation.starts_with("Transact") || call.operation.starts_with("Put"),
        Fault::respond_before(400, "ThrottlingException"),
    );
    for (path, body) in [
        (
            "/v1/tenants".to_owned(),
            json!({ "name": "New", "plan_id": plan }),
        ),
        (at("/suspend"), json!({ "reason": "x" })),
        (at("/top-ups"), json!({ "amount": "5" })),
        (at("/api-keys"), json!({ "purpose": "crm" })),
    ] {
        assert_unavailable(&world.post_as(&path, "once", &body).await, &path);
    }
    assert_eq!(world.tables(), before);
    assert_eq!(world.open_subaccounts(), subaccounts);
    assert_eq!(world.keys_at_twilio(&tenant.account_sid), keys);
    world.stack.aws.set_fault_hook(None);
    let paid = world
        .post_as(&at("/top-ups"), "once", &json!({ "amount": "5" }))
        .await;
    assert_eq!((paid.status, paid.text("/balance")), (201, "25".to_owned()));
}

#[tokio::test]
async fn a_secret_store_that_is_down_is_503_for_an_unknown_bearer_and_not_401() {
    let world = World::start().await;
    world.stack.aws.set_fault_hook(Some(Arc::new(|call| {
        if call.service == Service::Secrets {
            Fault::respond_before(500, "InternalServiceError")
        } else {
            Fault::None
        }
    })));
    assert_unavailable(&world.get("/v1/plans").await, "first key");
    let malformed = [("authorization", "Bearer x")];
    let answer = world
        .request(Method::GET, "/v1/plans", &malformed, Vec::new())
        .await;
    assert_eq!(answer.status, 401);
    world.stack.aws.set_fault_hook(None);
    assert_eq!(world.get("/v1/plans").await.status, 200);
}

#[tokio::test]
async fn twilio_down_is_503_or_202_and_the_api_keeps_answering_from_the_store() {
    let Ready {
        world,
        tenant,
        plan,
        ..
    } = ready().await;
    world.stack.sim.script_fault(twilio_sim::FaultRule {
        method: None,
        path: "*".to_owned(),
        nth: 1,
        count: 0,
        action: twilio_sim::FaultAction::Drop {
            after_effect: false,
        },
    });
    for path in [
        "/v1/subaccounts/unowned",
        "/v1/reconciliation?from=2026-03-01&to=2026-03-01",
    ] {
        assert_unavailable(&world.get(path).await, path);
    }
    let keys = format!("/v1/tenants/{}/api-keys", tenant.id);
    assert_unavailable(
        &world.post(&keys, &json!({ "purpose": "crm" })).await,
        "key",
    );
    assert_eq!(world.show(&tenant).await.text("/balance"), "20");
    let body = json!({ "name": "New", "plan_id": plan });
    let pending = world.post_as("/v1/tenants", "k", &body).await;
    assert_eq!(
        (pending.status, &pending.body["account_sid"]),
        (202, &Value::Null)
    );
    world.stack.sim.clear_faults();
    world.pass(jiff::SignedDuration::from_mins(20)).await;
    let id = pending.text("/id");
    assert_eq!(world.tenant_violations(&id).await, Vec::<String>::new());
}
