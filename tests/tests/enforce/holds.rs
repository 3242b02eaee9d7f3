//! Holds: who lifts which, who is never touched, and what is told of it.

use jiff::SignedDuration;
use serde_json::json;
use tests::World;

use super::support::{
    assert_audit_is_chained, assert_in_service, assert_settled, assert_silenced, dead_letters,
    dry_tenant_on_a_call, events, hold_changes, holds, operator, row, status_at_twilio,
    suspender_requests, top_up,
};

#[tokio::test]
async fn paying_lifts_only_the_unpaid_hold_and_the_operator_the_operators() {
    let world = World::start().await;
    let (tenant, _) = dry_tenant_on_a_call(&world).await;
    assert_eq!(operator(&world, &tenant, "suspend").await.status, 202);
    world.stack.settle().await;
    assert_silenced(&world, &tenant);
    world.pull(&tenant).await;
    assert_eq!(holds(&world, &tenant).await, ["unpaid", "operator"]);

    top_up(&world, &tenant, "20").await;
    world.stack.settle().await;
    assert_eq!(holds(&world, &tenant).await, ["operator"]);
    assert_eq!(status_at_twilio(&world, &tenant), "suspended");
    world.pass(SignedDuration::from_hours(2)).await;
    assert_silenced(&world, &tenant);

    assert_eq!(operator(&world, &tenant, "reactivate").await.status, 202);
    world.stack.settle().await;
    assert_in_service(&world, &tenant).await;
    // Once each, although hold after hold came and went.
    assert_eq!(events(&world, &tenant, "tenant.suspended").len(), 1);
    assert_eq!(events(&world, &tenant, "tenant.reactivated").len(), 1);
    assert_settled(&world);
}

#[tokio::test]
async fn an_operators_reactivation_does_not_free_who_has_not_paid() {
    let world = World::start().await;
    let (tenant, _) = dry_tenant_on_a_call(&world).await;
    world.pull(&tenant).await;
    operator(&world, &tenant, "suspend").await;
    world.stack.settle().await;
    let lifted = operator(&world, &tenant, "reactivate").await;
    assert_eq!(lifted.text("/status"), "suspended");
    world.pass(SignedDuration::from_hours(1)).await;
    assert_eq!(holds(&world, &tenant).await, ["unpaid"]);
    assert_silenced(&world, &tenant);
    assert!(events(&world, &tenant, "tenant.reactivated").is_empty());
}

#[tokio::test]
async fn events_and_audit_rows_tell_each_change_once_and_in_order() {
    let world = World::start().await;
    let (tenant, call) = dry_tenant_on_a_call(&world).await;
    world.pull(&tenant).await;
    top_up(&world, &tenant, "20").await;
    world.stack.settle().await;

    let told: Vec<_> = world
        .stack
        .aws
        .events_since(0)
        .into_iter()
        .filter(|event| event.detail["tenant_id"] == tenant.id)
        .collect();
    let names: Vec<_> = told
        .iter()
        .map(|event| event.detail_type.as_str())
        .collect();
    assert_eq!(
        names[names.len() - 7..],
        [
            "tenant.standing_changed",
            "tenant.hold_changed",
            "tenant.suspended",
            "wallet.topped_up",
            "tenant.standing_changed",
            "tenant.hold_changed",
            "tenant.reactivated",
        ],
        "{names:?}"
    );
    let mut ids = Vec::new();
    for event in &told {
        assert_eq!(event.source, "tollgate.local");
        assert_eq!(event.detail["type"], event.detail_type);
        assert_eq!(event.detail["version"], 1);
        assert!(event.detail["seq"].as_u64().is_some());
        assert!(
            event.detail["cause"].is_string() && event.detail["data"].is_object(),
            "{event:?}"
        );
        ids.push(event.detail["id"].to_string());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), told.len());
    let data = |name: &str| {
        let found = events(&world, &tenant, name);
        found
            .into_iter()
            .map(|event| event.detail["data"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        data("tenant.suspended"),
        [json!({ "calls_ended": 1, "call_sids": [call] })]
    );
    assert_eq!(data("tenant.reactivated"), [json!({})]);
    let changed = data("tenant.hold_changed");
    assert_eq!(
        changed[0],
        json!({ "hold": "unpaid", "placed": true, "reason": "the wallet ran dry" })
    );
    assert_eq!(
        changed[1],
        json!({ "hold": "unpaid", "placed": false, "reason": "the wallet is funded again" })
    );
    let seqs: Vec<u64> = [
        "tenant.hold_changed",
        "tenant.suspended",
        "tenant.reactivated",
    ]
    .iter()
    .flat_map(|name| events(&world, &tenant, name))
    .map(|event| event.detail["seq"].as_u64().unwrap())
    .collect();
    assert!(
        seqs[0] < seqs[2] && seqs[2] < seqs[1] && seqs[1] < seqs[3],
        "{seqs:?}"
    );
    let acts = assert_audit_is_chained(&world, &tenant);
    assert_eq!(
        acts[acts.len() - 4..],
        [
            "hold.place",
            "tenant.suspend",
            "hold.lift",
            "tenant.reactivate"
        ]
    );
    assert_settled(&world);
}

#[tokio::test]
async fn an_event_that_comes_again_changes_nothing_and_asks_twilio_nothing() {
    let world = World::start().await;
    let (tenant, _) = dry_tenant_on_a_call(&world).await;
    world.pull(&tenant).await;
    let before = row(&world, &tenant);
    world.stack.sim.reset_counters();
    let queue = world.stack.aws.names().of("suspend");
    for name in ["tenant.standing_changed", "tenant.hold_changed"] {
        for event in events(&world, &tenant, name) {
            let body =
                json!({ "id": event.id, "detail-type": name, "detail": event.detail }).to_string();
            world.stack.aws.send_message(&queue, &body).unwrap();
        }
    }
    world.stack.settle().await;
    assert_eq!(row(&world, &tenant), before);
    assert!(suspender_requests(&world, &tenant).is_empty());
}

#[tokio::test]
async fn two_messages_at_once_suspend_once() {
    let world = World::start().await;
    let (tenant, _) = dry_tenant_on_a_call(&world).await;
    let queue = world.stack.aws.names().of("suspend");
    let command = json!({ "tenant_id": tenant.id, "cause": "timer" }).to_string();
    operator(&world, &tenant, "suspend").await;
    for _ in 0..3 {
        world.stack.aws.send_message(&queue, &command).unwrap();
    }
    world.stack.settle().await;
    world.pass(SignedDuration::from_mins(10)).await;
    assert_silenced(&world, &tenant);
    assert_eq!(events(&world, &tenant, "tenant.suspended").len(), 1);
    assert_settled(&world);
}

#[tokio::test]
async fn a_tenant_that_is_still_provisioning_is_not_touched() {
    let world = World::start().await;
    // Twilio cannot be reached while the tenant is accepted.
    let down = json!({ "type": "status", "status": 503 });
    world
        .simulate(
            "/faults",
            &json!({ "path": "*", "count": 0, "action": down }),
        )
        .await;
    let plan = world.plan(0).await;
    let accepted = world
        .post("/v1/tenants", &json!({ "name": "Later", "plan_id": plan }))
        .await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let tenant = tests::Tenant {
        id: accepted.text("/id"),
        account_sid: String::new(),
    };
    let before = row(&world, &tenant);
    let queue = world.stack.aws.names().of("suspend");
    let command = json!({ "tenant_id": tenant.id, "cause": "timer" }).to_string();
    world.stack.aws.send_message(&queue, &command).unwrap();
    let event = json!({ "id": "e-1", "detail": { "tenant_id": tenant.id } }).to_string();
    world.stack.aws.send_message(&queue, &event).unwrap();
    world.stack.sim.reset_counters();
    world.stack.settle().await;
    assert_eq!(row(&world, &tenant), before);
    assert_eq!(operator(&world, &tenant, "suspend").await.status, 409);
    assert!(hold_changes(&world, &tenant).is_empty());
    assert_eq!(world.stack.sim.requests(), []);
    assert!(dead_letters(&world).is_empty());
}

#[tokio::test]
async fn the_main_account_is_never_suspended_whatever_a_row_says() {
    let world = World::start().await;
    let tenant = world.tenant("Harbor Dental", "10").await;
    let main = world.stack.main_credentials().0;
    let mut forged = row(&world, &tenant);
    forged["sid"]["S"] = json!(main);
    forged["twilio_status"] = json!({ "S": "active" });
    let table = world.stack.aws.names().of("tenants");
    world
        .stack
        .aws
        .inspect(
            "DynamoDB_20120810.PutItem",
            &json!({ "TableName": table, "Item": forged }),
        )
        .unwrap();
    operator(&world, &tenant, "suspend").await;
    world.stack.sim.reset_counters();
    world.pass(SignedDuration::from_hours(6)).await;
    let posted = world
        .stack
        .sim
        .requests()
        .iter()
        .any(|request| request.method == "POST");
    assert!(!posted);
    assert_eq!(world.stack.sim.accounts()[0].status, "active");
    assert!(!dead_letters(&world).is_empty());
}

#[tokio::test]
async fn a_malformed_message_ends_in_the_dead_letters() {
    let world = World::start().await;
    let queue = world.stack.aws.names().of("suspend");
    for body in [
        "",
        "{}",
        "[]",
        r#"{"id":"x","detail":{"tenant_id":"../x"}}"#,
    ] {
        world.stack.aws.send_message(&queue, body).unwrap();
    }
    world.pass(SignedDuration::from_hours(2)).await;
    assert_eq!(dead_letters(&world).len(), 4);
}
