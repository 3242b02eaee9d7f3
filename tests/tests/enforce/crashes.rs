//! Kills, payments and new calls at every point of a suspension.

use std::sync::Arc;

use futures::FutureExt as _;
use jiff::SignedDuration;
use serde_json::json;
use tests::World;
use twilio_sim::{Quirks, SimConfig};

use super::support::{
    Step, Then, account_path, assert_audit_is_chained, assert_in_service, assert_settled,
    assert_silenced, dry_tenant_on_a_call, events, fault, hold_changes, row, status_at_twilio,
    step_in, suspender_requests, text, top_up,
};

/// Longer than a message's visibility, a lease and two ticks.
const REDELIVERED: SignedDuration = SignedDuration::from_mins(30);

/// Outgoing requests of an undisturbed suspension.
async fn undisturbed() -> usize {
    let world = Arc::new(World::start().await);
    let (tenant, call) = dry_tenant_on_a_call(&world).await;
    let step = step_in(&world, usize::MAX, Then::Kill);
    world.pull(&tenant).await;
    assert_silenced(&world, &tenant);
    let suspended = events(&world, &tenant, "tenant.suspended");
    assert_eq!(suspended.len(), 1);
    assert_eq!(
        suspended[0].detail["data"],
        json!({ "calls_ended": 1, "call_sids": [call] })
    );
    step.made()
}

#[tokio::test]
async fn s2_killed_after_any_outgoing_request_the_rerun_leaves_it_suspended_and_silent() {
    let points = undisturbed().await;
    assert!(points > 15, "{points}");
    for point in 1..=points {
        let world = Arc::new(World::start().await);
        let (tenant, _) = dry_tenant_on_a_call(&world).await;
        let step = step_in(&world, point, Then::Kill);
        world.pull(&tenant).await;
        assert!(step.was_taken(), "{point}");
        world.pass(REDELIVERED).await;
        assert_silenced(&world, &tenant);
        assert_settled(&world);
        assert_audit_is_chained(&world, &tenant);
        let changes: Vec<_> = hold_changes(&world, &tenant)
            .into_iter()
            .map(|(change, _)| change)
            .collect();
        assert_eq!(changes, ["+unpaid"], "{point}");
        assert!(
            !events(&world, &tenant, "tenant.suspended").is_empty(),
            "{point}"
        );
    }
}

#[tokio::test]
async fn s2_killed_after_any_outgoing_request_and_found_by_the_timer_alone_it_is_silenced() {
    let points = undisturbed().await;
    for point in 1..=points {
        let world = Arc::new(World::start().await);
        let (tenant, _) = dry_tenant_on_a_call(&world).await;
        let step = step_in(&world, point, Then::Kill);
        world.pull(&tenant).await;
        assert!(step.was_taken(), "{point}");
        if hold_changes(&world, &tenant).is_empty() {
            continue; // no hold yet: the event's own redelivery is what goes on
        }
        // Before the killed message is visible again.
        world.pass(SignedDuration::from_mins(10)).await;
        assert_silenced(&world, &tenant);
    }
}

#[tokio::test]
async fn s1_a_payment_at_any_point_of_a_suspension_leaves_it_active() {
    let points = undisturbed().await;
    for point in 1..=points {
        let (world, tenant, step) = paid_at(point).await;
        assert!(step.was_taken(), "{point}");
        world.pass(SignedDuration::from_mins(1)).await;
        assert_in_service(&world, &tenant).await;
        world.pass(REDELIVERED).await;
        assert_in_service(&world, &tenant).await;
        assert_settled(&world);
        assert_audit_is_chained(&world, &tenant);
        // Either the payment was first and no hold was placed, or it lifted the one that was.
        let changes: Vec<_> = hold_changes(&world, &tenant)
            .into_iter()
            .map(|(change, _)| change)
            .collect();
        assert!(
            changes.is_empty() || changes == ["+unpaid", "-unpaid"],
            "{point}: {changes:?}"
        );
        let posts: Vec<_> = suspender_requests(&world, &tenant)
            .into_iter()
            .filter(|request| request.method == "POST" && request.path == account_path(&tenant))
            .collect();
        assert_eq!(changes.is_empty(), posts.is_empty(), "{point}");
    }
}

async fn paid_at(point: usize) -> (Arc<World>, tests::Tenant, Step) {
    let world = Arc::new(World::start().await);
    let (tenant, _) = dry_tenant_on_a_call(&world).await;
    let (their_world, payee) = (Arc::downgrade(&world), tenant.clone());
    let pay = async move {
        let world = their_world.upgrade().unwrap();
        top_up(&world, &payee, "20").await;
    };
    let step = step_in(&world, point, Then::Do(pay.boxed()));
    world.pull(&tenant).await;
    (world, tenant, step)
}

#[tokio::test]
async fn s1_killed_at_any_point_and_paid_before_the_rerun_it_ends_active() {
    let points = undisturbed().await;
    for point in 1..=points {
        let world = Arc::new(World::start().await);
        let (tenant, _) = dry_tenant_on_a_call(&world).await;
        step_in(&world, point, Then::Kill);
        world.pull(&tenant).await;
        top_up(&world, &tenant, "20").await;
        world.stack.settle().await;
        world.pass(SignedDuration::from_mins(9)).await;
        assert_eq!(status_at_twilio(&world, &tenant), "active", "{point}");
        world.pass(REDELIVERED).await;
        assert_in_service(&world, &tenant).await;
        assert_settled(&world);
    }
}

#[tokio::test]
async fn s3_a_call_that_starts_at_any_point_of_a_suspension_is_refused_or_ended() {
    let points = undisturbed().await;
    let mut refused = 0;
    for point in 1..=points {
        let world = Arc::new(World::start().await);
        let (tenant, _) = dry_tenant_on_a_call(&world).await;
        let (caller, from) = (Arc::downgrade(&world), tenant.clone());
        let answered = Arc::new(std::sync::Mutex::new(0));
        let answer = answered.clone();
        let dial = async move {
            let world = caller.upgrade().unwrap();
            let call = json!({ "account_sid": from.account_sid, "duration_s": 86_400, "outcome": "completed" });
            let body = call.to_string().into_bytes();
            let placed = world
                .request(reqwest::Method::POST, "/_sim/calls", &[], body)
                .await;
            *answer.lock().unwrap() = placed.status;
        };
        let step = step_in(&world, point, Then::Do(dial.boxed()));
        world.pull(&tenant).await;
        assert!(step.was_taken(), "{point}");
        assert_silenced(&world, &tenant);
        assert_settled(&world);
        refused += usize::from(*answered.lock().unwrap() >= 400);
    }
    assert!(refused > 0 && refused < points, "{refused} of {points}");
}

#[tokio::test]
async fn s3_a_call_that_the_first_listing_does_not_show_yet_is_ended_too() {
    let sim = SimConfig {
        quirks: Quirks {
            call_list_lag_ms: 4_000,
            ..Quirks::none()
        },
        ..SimConfig::default()
    };
    let world = World::with(sim).await;
    let (tenant, call) = dry_tenant_on_a_call(&world).await;
    let late =
        json!({ "account_sid": tenant.account_sid, "duration_s": 86_400, "outcome": "completed" });
    let late = world.simulate("/calls", &late).await.text("/sid");

    world.pull(&tenant).await;

    assert_silenced(&world, &tenant);
    let mut sids = vec![call, late];
    sids.sort();
    let suspended = events(&world, &tenant, "tenant.suspended");
    assert_eq!(
        suspended[0].detail["data"],
        json!({ "calls_ended": 2, "call_sids": sids })
    );
}

#[tokio::test]
async fn s1_a_run_and_a_payment_at_the_same_time_end_active_whoever_is_first() {
    for settles_first in [false, true] {
        let world = World::start().await;
        let (tenant, _) = dry_tenant_on_a_call(&world).await;
        if settles_first {
            tokio::join!(world.pull(&tenant), top_up(&world, &tenant, "20"));
        } else {
            tokio::join!(top_up(&world, &tenant, "20"), world.pull(&tenant));
        }
        world.stack.settle().await;
        assert_in_service(&world, &tenant).await;
        world.pass(REDELIVERED).await;
        assert_in_service(&world, &tenant).await;
        assert_settled(&world);
    }
}

#[tokio::test]
async fn a_failed_run_gives_its_lease_back_so_that_a_payment_is_not_kept_waiting() {
    let world = World::start().await;
    let (tenant, _) = dry_tenant_on_a_call(&world).await;
    // Five tries each of the two messages, standing and hold.
    let failed = json!({ "type": "status", "status": 500 });
    fault(
        &world,
        json!({ "method": "POST", "path": account_path(&tenant), "count": 10, "action": failed }),
    )
    .await;
    world.pull(&tenant).await;
    let left = row(&world, &tenant);
    assert_eq!(
        (text(&left, "twilio_status"), &left["lease"]),
        (String::new(), &serde_json::Value::Null),
        "{left}"
    );
    top_up(&world, &tenant, "20").await;
    world.stack.settle().await;
    assert_in_service(&world, &tenant).await;
}

#[tokio::test]
async fn a_lease_that_a_killed_run_left_delays_the_next_one_until_the_timer_only() {
    let world = Arc::new(World::start().await);
    let (tenant, _) = dry_tenant_on_a_call(&world).await;
    // Deep inside: calls are being ended.
    let step = step_in(&world, 14, Then::Kill);
    world.pull(&tenant).await;
    assert!(step.was_taken());
    assert!(row(&world, &tenant)["lease"].is_object());
    top_up(&world, &tenant, "20").await;
    world.stack.settle().await;
    world.pass(SignedDuration::from_mins(9)).await;
    assert_in_service(&world, &tenant).await;
}

#[tokio::test]
async fn an_event_that_arrives_after_a_newer_one_changes_nothing() {
    let world = World::start().await;
    let (tenant, _) = dry_tenant_on_a_call(&world).await;
    world.pull(&tenant).await;
    let dry = events(&world, &tenant, "tenant.standing_changed")
        .pop()
        .unwrap();
    top_up(&world, &tenant, "20").await;
    world.stack.settle().await;
    let before = row(&world, &tenant);
    let queue = world.stack.aws.names().of("suspend");
    let late =
        json!({ "id": dry.id, "detail-type": dry.detail_type, "detail": dry.detail }).to_string();
    world.stack.aws.send_message(&queue, &late).unwrap();
    world.stack.settle().await;
    assert_eq!(row(&world, &tenant), before);
    assert_in_service(&world, &tenant).await;
}
