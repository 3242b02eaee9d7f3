//! The puller is disturbed at each request that it makes; the message comes again.

use jiff::{SignedDuration, ToSpan as _};
use serde_json::json;
use tests::explorer::{Disturbance, explore, explore_together};
use tests::{Tenant, World};

use super::support::*;

/// Two new lines, on a puller that is cold.
async fn a_day() -> (World, Tenant) {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "100").await;
    world.pull(&tenant).await;
    world.use_today(&tenant, SMS, "1.00001");
    world.use_today(&tenant, VOICE, "2.00003");
    (world, tenant)
}

/// More days than one transaction books, in the middle of which the wallet runs dry.
async fn a_gap() -> (World, Tenant) {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "60").await;
    world.pull(&tenant).await;
    let first = today(&world);
    world
        .stack
        .clock
        .advance_to(world.stack.clock.now() + SignedDuration::from_hours(24 * 40));
    // The ticks of the jump are not what is looked at.
    world.stack.settle().await;
    for day in 0..=40 {
        revise(&world, &tenant, first + day.days(), VOICE, "2.00001");
    }
    (world, tenant)
}

/// One run; what it does not finish comes again.
async fn pull(world: &World, tenant: &Tenant) {
    world.pull(tenant).await;
}

async fn redeliver(world: &World, _: &Tenant) {
    world.pass(REDELIVERY).await;
}

async fn check(world: &World, tenant: &Tenant) -> Vec<String> {
    exact_books(world, tenant).await;
    let mut wrong = Vec::new();
    let now = aws::Tick::of(world.stack.clock.now()).0;
    if !due_rows(world, tenant, "pull")
        .into_iter()
        .any(|tick| tick > now - 4)
    {
        wrong.push("no run follows".to_owned());
    }
    if dead_pulls(world) > 0 {
        wrong.push("a message is dead".to_owned());
    }
    let is_dry = books(world, tenant).await.balance() < decimal("0");
    let shown = world.show(tenant).await.text("/twilio_status");
    if is_dry != (shown == "suspended") {
        wrong.push(format!("dry: {is_dry}, but {shown}"));
    }
    wrong
}

#[tokio::test]
async fn p14_explorer_disturbed_at_each_request_a_day_is_booked_exactly_once() {
    let found = explore(
        "a day",
        "usage-puller",
        Disturbance::ALL,
        a_day,
        pull,
        redeliver,
        check,
    )
    .await;
    // Sheets, main secret, usage, plan, the mark for the next run, the books.
    assert_eq!(found.requests.len(), 6, "{:?}", found.requests);
    found.assert_sound();
}

#[tokio::test]
async fn p14_explorer_disturbed_between_the_pieces_of_a_long_gap_every_day_is_booked_exactly_once()
{
    let found = explore(
        "a gap",
        "usage-puller",
        Disturbance::ALL,
        a_gap,
        pull,
        redeliver,
        check,
    )
    .await;
    let transactions = found
        .requests
        .iter()
        .filter(|request| request.starts_with("TransactWriteItems"));
    assert_eq!(transactions.count(), 2, "{:?}", found.requests);
    found.assert_sound();
}

#[tokio::test]
async fn p13_explorer_two_pulls_in_any_order_book_a_day_exactly_once() {
    let pull = async |world: &World, tenant: &Tenant| {
        let command = json!({ "tenant_id": tenant.id, "cause": "test" });
        drop(world.deliver("usage-puller", &command).await);
    };
    let found = explore_together("two pulls", a_day, pull, pull, redeliver, check);
    found.await.assert_sound();
}
