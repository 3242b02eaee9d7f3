//! What Twilio does to a suspension: errors, answers that lie, people at its console, hundreds of calls.

use jiff::SignedDuration;
use serde_json::json;
use tests::{Tenant, World};
use twilio_sim::{Quirks, SimConfig};

use super::support::{
    account_path, assert_in_service, assert_settled, assert_silenced, call_path, dead_letters,
    dry_tenant_on_a_call, events, fault, holds, operator, row, status_at_twilio,
    suspender_requests, text, top_up,
};

#[tokio::test]
async fn s4_a_call_that_is_over_already_counts_as_ended() {
    let world = World::start().await;
    let (tenant, _) = dry_tenant_on_a_call(&world).await;
    let over = json!({ "type": "status", "status": 400, "code": 21_220, "after_effect": true });
    fault(
        &world,
        json!({ "method": "POST", "path": call_path(&tenant), "action": over }),
    )
    .await;
    world.pull(&tenant).await;
    assert_silenced(&world, &tenant);
    assert_settled(&world);
}

#[tokio::test]
async fn s4_a_call_that_cannot_be_ended_keeps_no_other_from_being_ended() {
    let world = World::start().await;
    let tenant = world.tenant("Harbor Dental", "10").await;
    let mut calls = Vec::new();
    for _ in 0..12 {
        calls.push(world.call(&tenant, 864_000).await);
    }
    world.use_today(&tenant, "sms-outbound-longcode", "10");
    for stuck in &calls[..6] {
        let path = call_path(&tenant).replace('*', &format!("{stuck}.json"));
        let gone = json!({ "type": "status", "status": 404 });
        fault(
            &world,
            json!({ "method": "POST", "path": path, "count": 0, "action": gone }),
        )
        .await;
    }
    world.pull(&tenant).await;
    let mut left = world.live_calls(&tenant);
    left.sort();
    calls[..6].sort();
    assert_eq!(left, calls[..6]);
    // It is not called done while they live.
    assert_ne!(text(&row(&world, &tenant), "twilio_status"), "suspended");
    assert!(events(&world, &tenant, "tenant.suspended").is_empty());
    world
        .request(reqwest::Method::DELETE, "/_sim/faults", &[], Vec::new())
        .await;
    world.pass(SignedDuration::from_mins(15)).await;
    assert_silenced(&world, &tenant);
}

#[tokio::test]
async fn s5_errors_after_the_effect_end_in_what_was_asked_for() {
    for (times, minutes) in [(1, 0), (4, 0), (6, 30)] {
        let world = World::start().await;
        let (tenant, _) = dry_tenant_on_a_call(&world).await;
        for path in [account_path(&tenant), call_path(&tenant)] {
            let failed = json!({ "type": "status", "status": 500, "after_effect": true });
            fault(
                &world,
                json!({ "method": "POST", "path": path, "count": times, "action": failed }),
            )
            .await;
        }
        world.pull(&tenant).await;
        assert_eq!(status_at_twilio(&world, &tenant), "suspended");
        world.pass(SignedDuration::from_mins(minutes)).await;
        assert_silenced(&world, &tenant);
        assert_settled(&world);
    }
}

#[tokio::test]
async fn s5_a_dropped_connection_after_the_effect_is_no_failure() {
    let world = World::start().await;
    let (tenant, _) = dry_tenant_on_a_call(&world).await;
    for path in [account_path(&tenant), call_path(&tenant)] {
        let dropped = json!({ "type": "drop", "after_effect": true });
        fault(
            &world,
            json!({ "method": "POST", "path": path, "action": dropped }),
        )
        .await;
    }
    world.pull(&tenant).await;
    assert_silenced(&world, &tenant);
    assert_settled(&world);
}

async fn set_at_console(world: &World, sid: &str, status: &str, by_twilio: bool) {
    world
        .simulate(
            &format!("/accounts/{sid}"),
            &json!({ "status": status, "by_twilio": by_twilio }),
        )
        .await;
}

fn posts(world: &World, tenant: &Tenant) -> usize {
    let requests = suspender_requests(world, tenant).into_iter();
    requests.filter(|request| request.method == "POST").count()
}

#[tokio::test]
async fn s6_a_status_changed_by_hand_is_put_right_when_the_timer_looks() {
    let world = World::start().await;
    let tenant = world.tenant("Harbor Dental", "10").await;
    operator(&world, &tenant, "suspend").await;
    world.stack.settle().await;
    assert_silenced(&world, &tenant);

    set_at_console(&world, &tenant.account_sid, "active", false).await;
    world.call(&tenant, 864_000).await;
    world.pass(SignedDuration::from_mins(10)).await;
    assert_silenced(&world, &tenant);

    operator(&world, &tenant, "reactivate").await;
    world.stack.settle().await;
    assert_in_service(&world, &tenant).await;
    set_at_console(&world, &tenant.account_sid, "suspended", false).await;
    world.pass(SignedDuration::from_mins(10)).await;
    assert_in_service(&world, &tenant).await;
    let settled = posts(&world, &tenant);
    world.pass(SignedDuration::from_hours(24)).await;
    assert_eq!(posts(&world, &tenant), settled);
    assert_settled(&world);
}

#[tokio::test]
async fn s6_a_subaccount_suspended_by_twilio_ends_in_the_dead_letters_and_not_in_a_loop() {
    let world = World::start().await;
    let tenant = world.tenant("Harbor Dental", "10").await;
    operator(&world, &tenant, "suspend").await;
    world.stack.settle().await;
    set_at_console(&world, &tenant.account_sid, "suspended", true).await;
    operator(&world, &tenant, "reactivate").await;
    world.stack.sim.reset_counters();
    world.pass(SignedDuration::from_hours(48)).await;
    // The event and the timer, five receives each.
    assert!(
        (1..=10).contains(&posts(&world, &tenant)),
        "{}",
        posts(&world, &tenant)
    );
    let dead = dead_letters(&world);
    assert!(
        !dead.is_empty() && dead.iter().all(|body| body.contains(&tenant.id)),
        "{dead:?}"
    );
    assert_eq!(status_at_twilio(&world, &tenant), "suspended");
    // What Twilio has is not known to be what it should have: the row does not say so.
    assert_ne!(text(&row(&world, &tenant), "twilio_status"), "active");
    // Twilio relents; the next hold change finds the rest.
    set_at_console(&world, &tenant.account_sid, "suspended", false).await;
    operator(&world, &tenant, "suspend").await;
    operator(&world, &tenant, "reactivate").await;
    world.stack.settle().await;
    assert_in_service(&world, &tenant).await;
}

#[tokio::test]
async fn s6_under_a_suspended_main_account_nothing_loops_and_nothing_is_dropped() {
    let world = World::start().await;
    let (tenant, _) = dry_tenant_on_a_call(&world).await;
    let main = world.stack.main_credentials().0;
    set_at_console(&world, &main, "suspended", true).await;
    world.pull(&tenant).await;
    world.stack.sim.reset_counters();
    world.pass(SignedDuration::from_hours(6)).await;
    assert!(posts(&world, &tenant) <= 15, "{}", posts(&world, &tenant));
    set_at_console(&world, &main, "active", false).await;
    let suspended = world
        .stack
        .sim
        .accounts()
        .iter()
        .any(|account| account.sid == tenant.account_sid && account.status == "suspended");
    assert!(
        suspended
            || dead_letters(&world)
                .iter()
                .any(|body| body.contains(&tenant.id))
    );
}

#[tokio::test]
async fn s7_hundreds_of_live_calls_are_ended_over_several_runs_a_few_at_a_time() {
    let sim = SimConfig {
        quirks: Quirks::none(),
        concurrency_max: Some(10),
        ..SimConfig::default()
    };
    let world = World::with(sim).await;
    let (tenant, _) = dry_tenant_on_a_call(&world).await;
    let call =
        json!({ "account_sid": tenant.account_sid, "duration_s": 864_000, "outcome": "completed" });
    for _ in 0..299 {
        world.simulate("/calls", &call).await;
    }
    world.pass(SignedDuration::from_mins(2)).await;
    assert_eq!(world.live_calls(&tenant).len(), 300);
    // One ended call a second: more than a run has time for.
    let slow = json!({ "type": "delay", "ms": 1_000 });
    fault(
        &world,
        json!({ "method": "POST", "path": call_path(&tenant), "count": 0, "action": slow }),
    )
    .await;
    world.stack.sim.reset_counters();

    world.pull(&tenant).await;

    let left = world.live_calls(&tenant).len();
    assert!((100..250).contains(&left), "{left}");
    assert!(events(&world, &tenant, "tenant.suspended").is_empty());
    world.pass(SignedDuration::from_hours(1)).await;
    assert_silenced(&world, &tenant);
    assert_settled(&world);
    let counters = world.stack.sim.counters();
    assert!(
        !counters.by_status.contains_key(&429),
        "{:?}",
        counters.by_status
    );
    let ended = counters
        .by_route
        .iter()
        .filter(|(route, _)| route.starts_with("POST") && route.contains("Calls"));
    assert_eq!(ended.map(|(_, count)| count).sum::<u64>(), 300);
}

/// Sets what Twilio says of today so that the balance of a tenant that paid 10 is this.
fn set_balance(world: &World, tenant: &Tenant, balance: i64) {
    // The plan charges 1.5 times cost.
    let cents = (10 - balance) * 100 * 2 / 3;
    world.use_today(
        tenant,
        "sms-outbound-longcode",
        &format!("{}.{:02}", cents / 100, cents % 100),
    );
}

#[tokio::test]
async fn s8_a_balance_that_flips_around_zero_changes_the_hold_at_most_once_an_hour() {
    let world = World::start().await;
    let tenant = world.tenant("Harbor Dental", "10").await;
    for run in 0..60 {
        set_balance(&world, &tenant, if run % 2 == 0 { -2 } else { 4 });
        world.pull(&tenant).await;
        world.pass(SignedDuration::from_mins(6)).await;
    }
    let changes = super::support::hold_changes(&world, &tenant);
    assert!(changes.len() >= 4, "{changes:?}");
    for pair in changes.windows(2) {
        let apart = pair[1].1.duration_since(pair[0].1);
        if pair[0].0 == "+unpaid" {
            assert!(apart >= SignedDuration::from_hours(1), "{changes:?}");
        }
    }
    let suspended: Vec<_> = changes
        .iter()
        .filter(|(change, _)| change == "+unpaid")
        .collect();
    for pair in suspended.windows(2) {
        assert!(
            pair[1].1.duration_since(pair[0].1) >= SignedDuration::from_hours(1),
            "{changes:?}"
        );
    }
    world.pass(SignedDuration::from_mins(20)).await;
    let shown = world.show(&tenant).await;
    assert_eq!(shown.text("/twilio_status"), shown.text("/status"));
    assert_eq!(status_at_twilio(&world, &tenant), shown.text("/status"));
    assert_settled(&world);
}

#[tokio::test]
async fn s8_a_payment_does_not_wait_for_the_minimum_hold() {
    let world = World::start().await;
    let tenant = world.tenant("Harbor Dental", "10").await;
    set_balance(&world, &tenant, -2);
    world.pull(&tenant).await;
    assert_eq!(holds(&world, &tenant).await, ["unpaid"]);
    // A revision alone has to wait, a payment has not.
    set_balance(&world, &tenant, 4);
    world.pull(&tenant).await;
    assert_eq!(holds(&world, &tenant).await, ["unpaid"]);
    top_up(&world, &tenant, "1").await;
    world.stack.settle().await;
    assert!(holds(&world, &tenant).await.is_empty());
    assert_in_service(&world, &tenant).await;
}
