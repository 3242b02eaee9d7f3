//! Suspension and reactivation, disturbed at any request; and a payment in the middle of a suspension.

use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::explorer::{Disturbance, explore, explore_together};
use tests::{Tenant, World};

use super::support::{
    assert_audit_is_chained, assert_in_service, assert_settled, assert_silenced,
    dry_tenant_on_a_call, hold_changes, row, status_at_twilio, text, top_up,
};

/// Longer than a message's visibility, a lease and two ticks.
async fn redelivered(world: &World, _: &Tenant) {
    for _ in 0..6 {
        world.leap(SignedDuration::from_mins(5)).await;
    }
}

fn changes(world: &World, tenant: &Tenant) -> Vec<String> {
    let changes = hold_changes(world, tenant).into_iter();
    changes.map(|(change, _)| change).collect()
}

/// Used more than it has, and was not pulled yet.
async fn dry() -> (World, Tenant) {
    let world = World::start().await;
    let (tenant, _) = dry_tenant_on_a_call(&world).await;
    (world, tenant)
}

/// Suspended, with nobody on the phone.
async fn suspended() -> (World, Tenant) {
    let (world, tenant) = dry().await;
    world.pull(&tenant).await;
    assert_silenced(&world, &tenant);
    world.pass(SignedDuration::from_mins(70)).await;
    (world, tenant)
}

#[tokio::test]
async fn s2_explorer_a_suspension_disturbed_at_any_request_leaves_it_suspended_and_silent() {
    let found = explore(
        "suspension",
        "suspender",
        Disturbance::ALL,
        dry,
        async |world: &World, tenant: &Tenant| world.pull(tenant).await,
        redelivered,
        async |world: &World, tenant: &Tenant| {
            assert_settled(world);
            assert_audit_is_chained(world, tenant);
            let mut wrong = Vec::new();
            // A late end of a call comes after the listings, so their order is not looked at here.
            let (at_twilio, live) = (status_at_twilio(world, tenant), world.live_calls(tenant));
            let recorded = text(&row(world, tenant), "twilio_status");
            if (at_twilio, recorded.as_str(), live.len()) != ("suspended", "suspended", 0) {
                wrong.push(format!(
                    "{at_twilio} at Twilio, {recorded} here, {live:?} talk"
                ));
            }
            let changes = changes(world, tenant);
            if changes != ["+unpaid"] {
                wrong.push(format!("the holds changed {changes:?}"));
            }
            wrong
        },
    );
    found.await.assert_sound();
}

#[tokio::test]
async fn explorer_a_reactivation_disturbed_at_any_request_ends_in_service() {
    let found = explore(
        "reactivation",
        "suspender",
        Disturbance::ALL,
        suspended,
        async |world: &World, tenant: &Tenant| {
            top_up(world, tenant, "20").await;
            world.stack.settle().await;
        },
        redelivered,
        async |world: &World, tenant: &Tenant| {
            assert_in_service(world, tenant).await;
            assert_settled(world);
            assert_audit_is_chained(world, tenant);
            let changes = changes(world, tenant);
            if changes == ["+unpaid", "-unpaid"] {
                Vec::new()
            } else {
                vec![format!("the holds changed {changes:?}")]
            }
        },
    );
    found.await.assert_sound();
}

fn command(tenant: &Tenant) -> Value {
    json!({ "tenant_id": tenant.id, "cause": "test" })
}

/// Pulled by hand: its events have not gone anywhere yet.
async fn about_to_be_suspended() -> (World, Tenant) {
    let (world, tenant) = dry().await;
    let pulled = world.deliver("usage-puller", &command(&tenant)).await;
    pulled.expect("it was pulled");
    (world, tenant)
}

#[tokio::test]
async fn s1_explorer_a_payment_and_a_suspension_in_any_order_end_in_service() {
    let found = explore_together(
        "payment and suspension",
        about_to_be_suspended,
        async |world: &World, tenant: &Tenant| {
            drop(world.deliver("suspender", &command(tenant)).await);
        },
        async |world: &World, tenant: &Tenant| {
            top_up(world, tenant, "20").await;
        },
        redelivered,
        async |world: &World, tenant: &Tenant| {
            assert_in_service(world, tenant).await;
            assert_settled(world);
            assert_audit_is_chained(world, tenant);
            Vec::new()
        },
    );
    found.await.assert_sound();
}

#[tokio::test]
async fn explorer_two_runs_of_one_suspension_in_any_order_are_one() {
    let suspend = async |world: &World, tenant: &Tenant| {
        drop(world.deliver("suspender", &command(tenant)).await);
    };
    let found = explore_together(
        "two suspensions",
        about_to_be_suspended,
        suspend,
        suspend,
        redelivered,
        async |world: &World, tenant: &Tenant| {
            assert_silenced(world, tenant);
            assert_settled(world);
            assert_audit_is_chained(world, tenant);
            let changes = changes(world, tenant);
            if changes == ["+unpaid"] {
                Vec::new()
            } else {
                vec![format!("the holds changed {changes:?}")]
            }
        },
    );
    found.await.assert_sound();
}
