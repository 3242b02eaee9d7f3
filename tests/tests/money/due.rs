//! From a callback, a timer or the daily list to a run: the wheel over virtual time.

use jiff::SignedDuration;
use serde_json::json;
use tests::{Tenant, World};

use super::support::*;

async fn message_callback(world: &World, tenant: &Tenant, number: u32) {
    let message = format!("SM{number:032x}");
    let fields = [
        ("AccountSid", &*tenant.account_sid),
        ("MessageSid", &message),
        ("MessageStatus", "delivered"),
    ];
    let token = world.auth_token(&tenant.account_sid);
    let answer = world
        .callback(&tenant.id, "messages", &fields, &token)
        .await;
    assert_eq!(answer.status, 204);
}

async fn tenant_on_grace(world: &World, grace_minutes: u32, balance: &str) -> Tenant {
    let plan = world.plan(grace_minutes).await;
    let answer = world
        .post("/v1/tenants", &json!({ "name": "Acme", "plan_id": plan }))
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let tenant = Tenant {
        id: answer.text("/id"),
        account_sid: answer.text("/account_sid"),
    };
    let paid = world
        .post(
            &format!("/v1/tenants/{}/top-ups", tenant.id),
            &json!({ "amount": balance }),
        )
        .await;
    assert_eq!(paid.status, 201, "{paid:?}");
    world.stack.settle().await;
    tenant
}

/// Lets time pass until the tenant is pulled, minute by minute; answers the minutes.
async fn minutes_to_the_next_pull(world: &World, tenant: &Tenant, at_most: i64) -> i64 {
    let before = usage_requests(world, tenant);
    for minute in 1..=at_most {
        world.pass(SignedDuration::from_mins(1)).await;
        if usage_requests(world, tenant) > before {
            return minute;
        }
    }
    panic!("no pull within {at_most} minutes");
}

#[tokio::test]
async fn a_callback_makes_its_tenant_due_within_the_hour_and_other_tenants_stay_idle() {
    let world = World::start().await;
    let (busy, idle) = (
        world.tenant("Busy", "10").await,
        world.tenant("Idle", "10").await,
    );
    // Beyond the daily turns, so that only the mark can be the reason.
    world.pass(SignedDuration::from_hours(24)).await;
    world.use_today(&busy, SMS, "1.5");
    for round in 0..3 {
        message_callback(&world, &busy, round).await;
    }
    let idle_before = usage_requests(&world, &idle);
    let minutes = minutes_to_the_next_pull(&world, &busy, 71).await;
    assert!(minutes <= 70, "{minutes}");
    exact_books(&world, &busy).await;
    assert!(usage_requests(&world, &idle) <= idle_before + 1);
}

#[tokio::test]
async fn a_run_that_booked_comes_again_within_the_hour_and_then_rests() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "10").await;
    world.pass(SignedDuration::from_hours(24)).await;
    world.use_today(&tenant, SMS, "1.5");
    world.pull(&tenant).await;
    world.use_today(&tenant, SMS, "1.75");
    minutes_to_the_next_pull(&world, &tenant, 70).await;
    exact_books(&world, &tenant).await;
}

#[tokio::test]
async fn idle_tenants_ask_twilio_once_a_day_in_their_daily_turn_and_never_else() {
    let world = World::start().await;
    let mut tenants = Vec::new();
    for name in ["A", "B", "C", "D", "E", "F"] {
        tenants.push(world.tenant(name, "10").await);
    }
    // From a minute after midnight: a turn lasts from its tick to a minute after it.
    world.pass(SignedDuration::from_mins(7)).await;
    for _ in 0..2 {
        let before: Vec<usize> = tenants
            .iter()
            .map(|tenant| usage_requests(&world, tenant))
            .collect();
        world.pass(SignedDuration::from_hours(24)).await;
        for (tenant, before) in tenants.iter().zip(before) {
            assert_eq!(usage_requests(&world, tenant), before + 1);
        }
    }
}

#[tokio::test]
async fn a_usage_trigger_pulls_at_once() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "100").await;
    world.use_today(&tenant, SMS, "50");
    let trigger = format!("UT{:032x}", 1);
    let fields = [
        ("AccountSid", &*tenant.account_sid),
        ("UsageTriggerSid", &trigger),
        ("UsageCategory", "totalprice"),
        ("CurrentValue", "50"),
        ("TriggerValue", "10"),
        ("IdempotencyToken", "x"),
    ];
    let token = world.auth_token(&tenant.account_sid);
    assert_eq!(
        world
            .callback(&tenant.id, "usage-triggers", &fields, &token)
            .await
            .status,
        204
    );
    // The stream's batch window, and nothing more.
    world.pass(SignedDuration::from_secs(61)).await;
    assert_eq!(exact_books(&world, &tenant).await.cost(), decimal("50"));
}

#[tokio::test]
async fn a_tenant_in_grace_becomes_unpaid_by_its_timer_without_any_traffic() {
    let world = World::start().await;
    let tenant = tenant_on_grace(&world, 120, "10").await;
    world.pass(SignedDuration::from_hours(24)).await;
    world.use_today(&tenant, SMS, "10");
    world.pull(&tenant).await;
    assert_eq!(world.show(&tenant).await.text("/standing/state"), "grace");
    assert_eq!(world.show(&tenant).await.text("/twilio_status"), "active");
    world.pass(SignedDuration::from_mins(119)).await;
    assert_eq!(world.show(&tenant).await.text("/twilio_status"), "active");
    world.pass(SignedDuration::from_mins(12)).await;
    let shown = world.show(&tenant).await;
    assert_eq!(shown.text("/standing/state"), "unpaid");
    assert_eq!(shown.text("/twilio_status"), "suspended");
    let changes = events(&world, &tenant, "tenant.standing_changed");
    let to: Vec<&str> = changes
        .iter()
        .filter_map(|event| event["data"]["to"].as_str())
        .collect();
    assert_eq!(to.iter().filter(|to| **to == "unpaid").count(), 1, "{to:?}");
}

#[tokio::test]
async fn a_grace_that_ends_while_twilio_is_down_ends_all_the_same() {
    let world = World::start().await;
    let tenant = tenant_on_grace(&world, 120, "10").await;
    world.pass(SignedDuration::from_hours(24)).await;
    world.use_today(&tenant, SMS, "10");
    world.pull(&tenant).await;
    strike(&world, 0, status(503, None));
    world.pass(SignedDuration::from_mins(100)).await;
    world.pass(SignedDuration::from_hours(3)).await;
    assert_eq!(world.show(&tenant).await.text("/standing/state"), "unpaid");
}

#[tokio::test]
async fn usage_that_is_taken_back_resumes_only_after_the_minimum_hold_and_then_by_its_timer() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "10").await;
    world.pass(SignedDuration::from_hours(24)).await;
    world.use_today(&tenant, SMS, "10");
    world.pull(&tenant).await;
    assert_eq!(
        world.show(&tenant).await.text("/twilio_status"),
        "suspended"
    );
    world.use_today(&tenant, SMS, "1");
    world.pull(&tenant).await;
    assert_eq!(world.show(&tenant).await.text("/standing/state"), "unpaid");
    world.pass(SignedDuration::from_mins(50)).await;
    assert_eq!(
        world.show(&tenant).await.text("/twilio_status"),
        "suspended"
    );
    world.pass(SignedDuration::from_mins(25)).await;
    assert_eq!(world.show(&tenant).await.text("/twilio_status"), "active");
}

#[tokio::test]
async fn p13_a_tick_that_fires_twice_or_late_changes_nothing() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "10").await;
    world.pass(SignedDuration::from_mins(10)).await;
    world.use_today(&tenant, SMS, "1.5");
    message_callback(&world, &tenant, 1).await;
    world.pass(SignedDuration::from_secs(61)).await;
    let tick = json!({ "source": "tollgate.schedule", "detail-type": "tick" });
    // Nothing fires for two hours, then two at once.
    world
        .stack
        .clock
        .advance_to(world.stack.clock.now() + SignedDuration::from_hours(2));
    let functions = &world.stack.functions;
    let (left, right) = tokio::join!(
        functions.invoke("relay", tick.clone()),
        functions.invoke("relay", tick)
    );
    assert!(left.is_ok() && right.is_ok());
    world.stack.settle().await;
    exact_books(&world, &tenant).await;
    let chain = store(&world).entry_chain(&id(&tenant)).await.unwrap();
    assert_eq!(
        chain.iter().filter(|entry| !entry.lines.is_empty()).count(),
        1
    );
}

#[tokio::test]
async fn l12_the_wheel_catches_up_after_three_days_without_a_tick() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "10").await;
    world.pass(SignedDuration::from_mins(10)).await;
    world.use_today(&tenant, SMS, "1.5");
    message_callback(&world, &tenant, 1).await;
    world.pass(SignedDuration::from_secs(61)).await;
    world
        .stack
        .clock
        .advance_to(world.stack.clock.now() + SignedDuration::from_hours(72));
    world.pass(SignedDuration::from_hours(2)).await;
    exact_books(&world, &tenant).await;
    let cursor = store(&world).due_cursor().await.unwrap().unwrap();
    let behind = aws::Tick::of(world.stack.clock.now()).0 - cursor.0;
    assert!(behind <= 8, "{behind} ticks behind");
}

#[tokio::test]
async fn a_row_that_nobody_understands_does_not_stop_the_wheel() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "10").await;
    world.pass(SignedDuration::from_mins(10)).await;
    let tick = aws::Tick::of(world.stack.clock.now()).0 + 1;
    let row = json!({ "TableName": world.stack.aws.names().of("due"), "Item": { "pk": { "S": format!("due#{tick}") }, "sk": { "S": "act#unheard-of#x" } } });
    world
        .stack
        .aws
        .inspect("DynamoDB_20120810.PutItem", &row)
        .unwrap();
    world.use_today(&tenant, SMS, "1.5");
    message_callback(&world, &tenant, 1).await;
    world.pass(SignedDuration::from_mins(71)).await;
    exact_books(&world, &tenant).await;
}

#[tokio::test]
async fn a_bus_that_is_down_stops_neither_pulls_nor_timers() {
    let world = World::start().await;
    let tenant = tenant_on_grace(&world, 30, "10").await;
    world.use_today(&tenant, SMS, "10");
    fail_calls(
        &world,
        "PutEvents",
        u64::MAX,
        local::aws::Fault::respond_before(503, "ServiceUnavailable"),
    );
    world.pull(&tenant).await;
    world.pass(SignedDuration::from_hours(3)).await;
    let cursor = store(&world).due_cursor().await.unwrap().unwrap();
    assert!(aws::Tick::of(world.stack.clock.now()).0 - cursor.0 <= 8);
    assert_eq!(world.show(&tenant).await.text("/standing/state"), "unpaid");
    // Once the bus is back, what happened meanwhile is told, if not at once.
    world.stack.aws.set_fault_hook(None);
    world.pass(SignedDuration::from_hours(3)).await;
    assert_eq!(
        world.show(&tenant).await.text("/twilio_status"),
        "suspended"
    );
    assert_eq!(world.items("outbox").len(), 0);
}
