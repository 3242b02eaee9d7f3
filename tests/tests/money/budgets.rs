//! What a run and a callback cost, by the counters of the emulator and the simulator.

use jiff::SignedDuration;
use tests::{Tenant, World};

use super::books::LEAVES;
use super::support::*;

/// A world whose puller has its secret and plan, and a tenant that was pulled once.
async fn warm() -> (World, Tenant) {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "100000").await;
    world.pull(&tenant).await;
    (world, tenant)
}

fn use_rows(world: &World, tenant: &Tenant, rows: usize) {
    for (row, category) in LEAVES.into_iter().enumerate().take(rows) {
        // Quantities and prices as long as a busy day's.
        let (price, usage) = (format!("{}23.45678", row + 1), format!("{}4567.5", row + 1));
        let sim = &world.stack.sim;
        sim.revise_usage(
            &tenant.account_sid,
            today(world),
            category,
            &price,
            Some(&usage),
            Some(12_345),
        )
        .unwrap();
    }
}

#[tokio::test]
async fn a_dirty_run_with_eight_rows_is_three_calls_seven_write_and_three_read_units() {
    let (world, tenant) = warm().await;
    use_rows(&world, &tenant, 8);
    let (before, asked) = (world.stack.aws.counters(), usage_requests(&world, &tenant));
    world.pull(&tenant).await;
    let since = world.stack.aws.counters().since(&before);
    let calls: Vec<(String, u64)> = since
        .rows()
        .filter(|(key, tally)| key.caller == PULLER && tally.calls > 0)
        .map(|(key, tally)| (key.operation.clone(), tally.calls))
        .collect();
    let expected =
        ["BatchGetItem", "PutItem", "TransactWriteItems"].map(|name| (name.to_owned(), 1));
    assert_eq!(calls, expected);
    let spent = spent(&world, &before, PULLER);
    assert_eq!(
        (spent.write_halves, spent.read_halves),
        (14, 6),
        "{since:#?}"
    );
    assert_eq!(usage_requests(&world, &tenant), asked + 1);
    exact_books(&world, &tenant).await;
}

#[tokio::test]
async fn a_run_with_twenty_five_rows_is_at_most_thirteen_write_units() {
    let (world, tenant) = warm().await;
    use_rows(&world, &tenant, 25);
    let before = world.stack.aws.counters();
    world.pull(&tenant).await;
    let spent = spent(&world, &before, PULLER);
    assert_eq!((spent.calls, spent.read_halves), (3, 6));
    assert!(spent.write_halves <= 26, "{spent:?}");
    exact_books(&world, &tenant).await;
}

#[tokio::test]
async fn an_unchanged_run_is_one_call_and_three_read_units() {
    let (world, tenant) = warm().await;
    use_rows(&world, &tenant, 8);
    world.pull(&tenant).await;
    let (before, asked) = (world.stack.aws.counters(), usage_requests(&world, &tenant));
    world.pull(&tenant).await;
    let spent = spent(&world, &before, PULLER);
    assert_eq!(
        (spent.calls, spent.write_halves, spent.read_halves),
        (1, 0, 6)
    );
    assert_eq!(usage_requests(&world, &tenant), asked + 1);
}

#[tokio::test]
async fn a_callback_is_one_call_and_one_write_unit_also_when_it_is_a_duplicate_and_none_when_it_is_forged()
 {
    let (world, tenant) = warm().await;
    let token = world.auth_token(&tenant.account_sid);
    let send = |status: &'static str, token: String| {
        let (world, tenant) = (&world, &tenant);
        async move {
            let message = format!("SM{:032x}", 7);
            let fields = [
                ("AccountSid", &*tenant.account_sid),
                ("MessageSid", &message),
                ("MessageStatus", status),
                ("From", "+15005550006"),
                ("To", "+15005550009"),
            ];
            world
                .callback(&tenant.id, "messages", &fields, &token)
                .await
                .status
        }
    };
    assert_eq!(send("sent", token.clone()).await, 204);
    for _ in 0..2 {
        let before = world.stack.aws.counters();
        assert_eq!(send("delivered", token.clone()).await, 204);
        let spent = spent(&world, &before, "tollgate-webhook");
        assert_eq!(
            (spent.calls, spent.write_halves, spent.read_halves),
            (1, 2, 0)
        );
    }
    let before = world.stack.aws.counters();
    assert_eq!(send("read", "0".repeat(32)).await, 403);
    assert_eq!(spent(&world, &before, "tollgate-webhook").write_halves, 0);
}

#[tokio::test]
async fn a_tenants_callbacks_of_an_hour_are_marked_with_one_write_unit() {
    let (world, tenant) = warm().await;
    world.pass(SignedDuration::from_mins(5)).await;
    let token = world.auth_token(&tenant.account_sid);
    let before = world.stack.aws.counters();
    for number in 0..50 {
        let message = format!("SM{number:032x}");
        let fields = [
            ("AccountSid", &*tenant.account_sid),
            ("MessageSid", &message),
            ("MessageStatus", "delivered"),
        ];
        assert_eq!(
            world
                .callback(&tenant.id, "messages", &fields, &token)
                .await
                .status,
            204
        );
    }
    world.pass(SignedDuration::from_secs(61)).await;
    let spent = world
        .stack
        .aws
        .counters()
        .since(&before)
        .total(|key| key.caller == "tollgate-relay" && key.operation == "PutItem");
    assert_eq!((spent.calls, spent.write_halves), (1, 2));
}
