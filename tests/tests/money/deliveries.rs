//! When, how often and about whom a run comes: rows P13 to P22 of the catalogue.

use std::sync::Arc;

use domain::tenant::Lifecycle;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use runtime::Host;
use serde_json::json;
use tests::World;

use super::support::*;

#[tokio::test]
async fn p13_runs_that_overlap_book_once() {
    let (world, tenant) = used("2").await;
    pull_at_once(&world, &tenant, 5).await;
    exact_books(&world, &tenant).await;
    assert_eq!(books(&world, &tenant).await.seq, 3);
}

#[tokio::test]
async fn p14_with_a_second_left_a_run_is_not_begun() {
    let (world, tenant) = used("2").await;
    let function = puller(&world, &world.stack.host, &world.stack.environment);
    let event = serde_json::from_value(sqs_event(&[command(&tenant), command(&tenant)])).unwrap();
    let mut context = lambda_runtime::Context::default();
    context.deadline = u64::try_from(world.stack.clock.now().as_millisecond()).unwrap() + 1_000;
    let before = world.stack.aws.counters();
    let answer = function
        .handle(lambda_runtime::LambdaEvent::new(event, context))
        .await
        .unwrap();
    let failed: Vec<String> = answer
        .batch_item_failures
        .into_iter()
        .map(|failure| failure.item_identifier)
        .collect();
    assert_eq!(failed, ["m0", "m1"]);
    assert_eq!(
        (
            spent(&world, &before, PULLER).calls,
            usage_requests(&world, &tenant)
        ),
        (0, 0)
    );
}

#[tokio::test]
async fn p15_month_leap_day_and_summer_time_leave_usage_on_exactly_one_day() {
    for start in [
        "2026-03-28T22:30:00Z",
        "2026-03-30T23:30:00Z",
        "2026-12-30T23:59:00Z",
        "2028-02-28T12:00:00Z",
    ] {
        let world = World::start().await;
        world
            .stack
            .clock
            .advance_to(start.parse::<Timestamp>().unwrap());
        let tenant = world.tenant("Acme", "100").await;
        let first = today(&world);
        for _ in 0..3 {
            world.use_today(&tenant, SMS, "1.11111");
            world.pull(&tenant).await;
            world
                .stack
                .clock
                .advance_to(world.stack.clock.now() + SignedDuration::from_hours(24));
        }
        world.pull(&tenant).await;
        exact_books(&world, &tenant).await;
        let days: Vec<_> = sheets(&world, &tenant)
            .await
            .into_iter()
            .map(|sheet| (sheet.day, sheet.cost()))
            .collect();
        let expected: Vec<_> = (0..3)
            .map(|day| (first + day.days(), decimal("1.11111")))
            .collect();
        assert_eq!(days, expected);
    }
}

#[tokio::test]
async fn p16_a_clock_that_is_wrong_loses_no_usage() {
    for skew in [
        SignedDuration::from_mins(-10),
        SignedDuration::from_mins(10),
        SignedDuration::from_hours(-24),
        SignedDuration::from_hours(24),
    ] {
        let world = World::start().await;
        let tenant = world.tenant("Acme", "1000").await;
        let first = today(&world);
        let clock = world.stack.clock.clone();
        let host = Host {
            now: Arc::new(move || clock.now() + skew),
            ..world.stack.host.clone()
        };
        use_puller(&world, puller(&world, &host, &world.stack.environment));
        for day in 0..6 {
            revise(&world, &tenant, first + day.days(), SMS, "1.00001");
            world.pull(&tenant).await;
            // Yesterday's usage comes late, and what it comes after has been read.
            if day > 0 {
                revise(&world, &tenant, first + (day - 1).days(), VOICE, "0.50005");
            }
            world
                .stack
                .clock
                .advance_to(world.stack.clock.now() + SignedDuration::from_hours(24));
        }
        world
            .stack
            .clock
            .advance_to(world.stack.clock.now() + SignedDuration::from_hours(24));
        world.pull(&tenant).await;
        let wallet = exact_books(&world, &tenant).await;
        assert!(
            wallet.completed_through < Some(today(&world)),
            "{skew}: a day counts as completed before it ended"
        );
    }
}

#[tokio::test]
async fn p17_one_poisoned_tenant_of_twenty_ends_in_the_dead_letter_queue_alone() {
    let world = World::start().await;
    let mut tenants = Vec::new();
    for number in 0..20 {
        let tenant = world.tenant(&format!("T{number}"), "100").await;
        world.use_today(&tenant, SMS, "1.5");
        tenants.push(tenant);
    }
    let poisoned = &tenants[7];
    strike_at(
        &world,
        &format!("*{}/Usage/Records*", poisoned.account_sid),
        0,
        status(400, None),
    );
    for tenant in &tenants {
        world.send_pull(tenant);
    }
    world.stack.settle().await;
    for tenant in tenants.iter().filter(|tenant| tenant.id != poisoned.id) {
        exact_books(&world, tenant).await;
    }
    let own_retries = usage_requests(&world, poisoned);
    assert_eq!(dead_pulls(&world), 0);
    world.pass(SignedDuration::from_secs(5 * 721)).await;
    assert_eq!(dead_pulls(&world), 1);
    assert!(usage_requests(&world, poisoned) >= 5 * own_retries);
    assert_eq!(books(&world, poisoned).await.cost(), decimal("0"));

    // L16: when the cause is gone, the message is sent again.
    world.stack.sim.clear_faults();
    let names = world.stack.aws.names();
    for _ in 0..2 {
        for body in world.stack.aws.queue_bodies(&names.of("pull-dlq")) {
            world
                .stack
                .aws
                .send_message(&names.of("pull"), &body)
                .unwrap();
        }
        world.stack.settle().await;
        exact_books(&world, poisoned).await;
    }
}

#[tokio::test]
async fn p18_only_the_failed_messages_of_a_batch_come_again() {
    let (world, tenant) = used("2").await;
    let other = world.tenant("Other", "100").await;
    strike_at(
        &world,
        &format!("*{}/Usage/Records*", other.account_sid),
        0,
        status(400, None),
    );
    let bodies = [
        command(&tenant),
        "not a command".to_owned(),
        command(&other),
        command(&tenant),
        json!({ "tenant_id": "ten_01JZ0000000000000000000000", "cause": "x" }).to_string(),
    ];
    let answer = world
        .stack
        .functions
        .invoke("usage-puller", sqs_event(&bodies))
        .await
        .unwrap();
    assert_eq!(
        answer["batchItemFailures"],
        json!([{ "itemIdentifier": "m1" }, { "itemIdentifier": "m2" }])
    );
    exact_books(&world, &tenant).await;
    assert_eq!(books(&world, &tenant).await.seq, 3);
}

#[tokio::test]
async fn p19_a_closed_account_that_twilio_has_deleted_keeps_its_books() {
    let (world, tenant) = used("2").await;
    world.pull(&tenant).await;
    let before = exact_books(&world, &tenant).await;
    let store = store(&world);
    let mut row = store.tenant(&id(&tenant)).await.unwrap().unwrap();
    row.lifecycle = Lifecycle::Closed;
    store.update_tenant(&row).await.unwrap();
    strike(&world, 0, status(404, None));
    let answer = world
        .stack
        .functions
        .invoke("usage-puller", sqs_event(&[command(&tenant)]))
        .await
        .unwrap();
    assert_eq!(answer["batchItemFailures"], json!([]));
    assert_eq!(books(&world, &tenant).await, before);
    // An open one that is not found is a fault, and nobody's books are touched.
    row = store.tenant(&id(&tenant)).await.unwrap().unwrap();
    row.lifecycle = Lifecycle::Active;
    store.update_tenant(&row).await.unwrap();
    let answer = world
        .stack
        .functions
        .invoke("usage-puller", sqs_event(&[command(&tenant)]))
        .await
        .unwrap();
    assert_eq!(
        answer["batchItemFailures"],
        json!([{ "itemIdentifier": "m0" }])
    );
}

#[tokio::test]
async fn p20_usage_that_comes_after_the_suspension_or_the_end_is_billed() {
    let (world, tenant) = used("90").await;
    world.pull(&tenant).await;
    assert_eq!(
        world.show(&tenant).await.text("/twilio_status"),
        "suspended"
    );
    world.use_today(&tenant, SMS, "95.5");
    world.pull(&tenant).await;
    exact_books(&world, &tenant).await;
    let store = store(&world);
    let mut row = store.tenant(&id(&tenant)).await.unwrap().unwrap();
    row.lifecycle = Lifecycle::Closed;
    store.update_tenant(&row).await.unwrap();
    world.use_today(&tenant, SMS, "97.25");
    world.pull(&tenant).await;
    assert_eq!(exact_books(&world, &tenant).await.cost(), decimal("97.25"));
}

#[tokio::test]
async fn p22_a_refused_credential_is_read_again_once_a_delivery_and_never_another_ones() {
    let (world, tenant) = used("2").await;
    let other = world.tenant("Other", "100").await;
    world.pull(&other).await;
    strike(&world, 1, status(401, None));
    let before = world.stack.aws.counters();
    world.pull(&tenant).await;
    assert_eq!(books(&world, &tenant).await.cost(), decimal("0"));
    world.pass(REDELIVERY).await;
    exact_books(&world, &tenant).await;
    let since = world.stack.aws.counters().since(&before);
    let reads = since.total(|key| key.caller == PULLER && key.operation == "GetSecretValue");
    // Once the version in force, and the one a rotation may just be bringing in.
    assert_eq!(reads.calls, 2);
    let requests = world.stack.sim.requests();
    let of_usage = requests
        .iter()
        .filter(|request| request.path.contains("/Usage/"));
    assert!(
        of_usage.clone().count() >= 3
            && of_usage.clone().all(|request| request.credential == "main")
    );
    let main_secret = world.stack.aws.names();
    let secrets: Vec<&str> = since
        .rows()
        .filter(|(key, _)| key.caller == PULLER && key.operation == "GetSecretValue")
        .map(|(key, _)| key.resource.as_str())
        .collect();
    assert_eq!(secrets, ["tollgate/local/twilio-main"], "{main_secret:?}");
}
