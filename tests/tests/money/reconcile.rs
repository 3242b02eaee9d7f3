//! Reconciliation over the wire: agreement costs two calls a day, and what does not agree is found by account and
//! cause, told once, and resolved when it vanishes.

use base64::Engine as _;
use domain::Date;
use jiff::{SignedDuration, ToSpan as _};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Tenant, World};
use twilio_sim::SimConfig;

use super::support::*;

/// A tick, and the queue behind it.
const SOON: SignedDuration = SignedDuration::from_mins(12);

async fn compare(world: &World, day: Date) {
    let body = json!({ "from": day, "to": day, "reason": "test" });
    let asked = world.post("/v1/reconciliation", &body).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    world.pass(SOON).await;
}

async fn variances(world: &World, day: Date) -> Vec<Value> {
    let answer = world
        .get(&format!("/v1/reconciliation/variances?from={day}&to={day}"))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["variances"].as_array().unwrap().clone()
}

/// The day's stored difference.
async fn difference(world: &World, day: Date) -> String {
    let answer = world
        .get(&format!("/v1/reconciliation/days?from={day}&to={day}"))
        .await;
    answer.body["days"][0]["difference"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// A subaccount that somebody made past us.
async fn stranger(world: &World) -> String {
    let sim = SimConfig::default();
    let login = format!("{}:{}", sim.account_sid, sim.auth_token);
    let login = base64::engine::general_purpose::STANDARD.encode(login);
    let headers = [
        ("authorization", &*format!("Basic {login}")),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let form = b"FriendlyName=somebody".to_vec();
    let made = world
        .request(Method::POST, "/2010-04-01/Accounts.json", &headers, form)
        .await;
    made.text("/sid")
}

/// Tenants that have used something on a day that is over and booked.
async fn agreed(tenants: usize) -> (World, Vec<Tenant>, Date) {
    let world = World::start().await;
    let day = today(&world);
    let mut all = Vec::new();
    for number in 0..tenants {
        let tenant = world.tenant(&format!("Tenant {number}"), "100").await;
        revise(&world, &tenant, day, SMS, "1.25");
        world.pull(&tenant).await;
        all.push(tenant);
    }
    let clock = &world.stack.clock;
    clock.advance_to(clock.now() + SignedDuration::from_hours(30));
    world.stack.settle().await;
    for tenant in &all {
        revise(&world, tenant, today(&world), VOICE, "0.5");
        world.pull(tenant).await;
    }
    // The ticks of the jump are handed on, and the hourly runs that follow news find nothing new.
    world.pass(SignedDuration::from_hours(3)).await;
    (world, all, day)
}

fn root_calls(world: &World) -> usize {
    let requests = world.stack.sim.requests();
    requests
        .iter()
        .filter(|request| request.path.contains("/Usage/Records.json"))
        .count()
}

#[tokio::test]
async fn what_agrees_costs_two_calls_a_day_however_many_tenants_there_are() {
    for tenants in [2, 12] {
        let (world, _, day) = agreed(tenants).await;
        let before = root_calls(&world);
        compare(&world, day).await;
        assert_eq!(root_calls(&world) - before, 2, "{tenants} tenants");
        assert_eq!(variances(&world, day).await, [] as [Value; 0]);
        assert_eq!(difference(&world, day).await, "0");
        let kept = world.items("control");
        compare(&world, day).await;
        assert_eq!(
            world.items("control"),
            kept,
            "the same again writes nothing"
        );
    }
}

#[tokio::test]
async fn the_daily_run_compares_the_days_that_are_over_by_itself() {
    let (world, _, day) = agreed(1).await;
    world.pass(SignedDuration::from_hours(24)).await;
    assert_eq!(difference(&world, day).await, "0");
}

#[tokio::test]
async fn a_subaccount_that_nobody_owns_is_found_by_its_sid_and_its_spend() {
    let (world, _, day) = agreed(2).await;
    let sid = stranger(&world).await;
    world
        .stack
        .sim
        .revise_usage(&sid, day, VOICE, "3.21", None, None)
        .unwrap();
    compare(&world, day).await;
    let found = variances(&world, day).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (
            &found[0]["cause"],
            &found[0]["account_sid"],
            &found[0]["difference"],
            &found[0]["state"]
        ),
        (
            &json!("unknown_subaccount"),
            &json!(sid),
            &json!("3.21"),
            &json!("open")
        )
    );
    assert_eq!(found[0]["by_category"], json!({ "calls-outbound": "3.21" }));
    assert_eq!(difference(&world, day).await, "3.21");
    let opened = || {
        let all = world.stack.aws.events_since(0).into_iter();
        all.filter(|event| event.detail_type == "reconciliation.variance_opened")
            .count()
    };
    compare(&world, day).await;
    assert_eq!(opened(), 1, "told once");
    let path = format!("/v1/reconciliation/variances/{day}.{sid}/accept");
    let accepted = world
        .post(&path, &json!({ "reason": "our own test account" }))
        .await;
    assert_eq!(
        (accepted.status, &accepted.body["state"]),
        (200, &json!("accepted")),
        "{accepted:?}"
    );
    compare(&world, day).await;
    assert_eq!(variances(&world, day).await[0]["state"], "accepted");
    world
        .stack
        .sim
        .revise_usage(&sid, day, VOICE, "4", None, None)
        .unwrap();
    compare(&world, day).await;
    assert_eq!(
        variances(&world, day).await[0]["state"],
        "open",
        "it is another one now"
    );
    world
        .stack
        .sim
        .revise_usage(&sid, day, VOICE, "0", None, None)
        .unwrap();
    compare(&world, day).await;
    assert_eq!(variances(&world, day).await[0]["state"], "resolved");
    let late = world.post(&path, &json!({ "reason": "x" })).await;
    assert_eq!((late.status, late.code()), (409, "variance_resolved"));
}

#[tokio::test]
async fn a_late_revision_is_a_variance_until_the_next_pull_books_it() {
    let (world, tenants, day) = agreed(3).await;
    revise(&world, &tenants[1], day, SMS, "2");
    compare(&world, day).await;
    let found = variances(&world, day).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (
            &found[0]["cause"],
            &found[0]["tenant_id"],
            &found[0]["twilio"],
            &found[0]["booked"]
        ),
        (
            &json!("late_revision"),
            &json!(tenants[1].id),
            &json!("2"),
            &json!("1.25")
        )
    );
    world.pull(&tenants[1]).await;
    compare(&world, day).await;
    assert_eq!(variances(&world, day).await[0]["state"], "resolved");
    assert_eq!(
        events(&world, &tenants[1], "reconciliation.variance_opened").len(),
        1
    );
    assert_eq!(
        events(&world, &tenants[1], "reconciliation.variance_resolved").len(),
        1
    );
}

#[tokio::test]
async fn days_that_were_not_pulled_or_are_held_are_told_by_their_cause() {
    let (world, tenants, _) = agreed(2).await;
    let day = today(&world);
    revise(&world, &tenants[0], day, SMS, "2");
    let euros = twilio_sim::FaultAction::PriceUnit {
        unit: "eur".to_owned(),
    };
    revise(&world, &tenants[1], day, SMS, "3");
    strike_at(&world, "*/Usage/Records/Daily*", 1_000, euros);
    world.pull(&tenants[1]).await;
    compare(&world, day).await;
    let mut found = variances(&world, day).await;
    found.sort_by_key(|one| one["difference"].as_str().map(str::to_owned));
    let causes: Vec<(&Value, &Value)> = found
        .iter()
        .map(|one| (&one["cause"], &one["difference"]))
        .collect();
    assert_eq!(
        causes,
        [
            (&json!("missed_pull"), &json!("2")),
            (&json!("other_currency"), &json!("3"))
        ]
    );
}

#[tokio::test]
async fn a_closed_tenants_usage_and_the_main_accounts_own_are_no_variance() {
    let (world, _, day) = agreed(1).await;
    let main = SimConfig::default().account_sid;
    world
        .stack
        .sim
        .revise_usage(&main, day, VOICE, "7.5", None, None)
        .unwrap();
    compare(&world, day).await;
    assert_eq!(variances(&world, day).await, [] as [Value; 0]);
    let answer = world
        .get(&format!("/v1/reconciliation/days?from={day}&to={day}"))
        .await;
    assert_eq!(
        answer.body["days"][0]["by_category"]["calls-outbound"]["main_account_own"],
        "7.5"
    );
}

#[tokio::test]
async fn a_run_that_fails_leaves_what_is_known_and_comes_again() {
    let (world, tenants, day) = agreed(2).await;
    revise(&world, &tenants[0], day, SMS, "2");
    compare(&world, day).await;
    let known = variances(&world, day).await;
    strike_at(&world, "*/Usage/Records.json*", 8, status(500, None));
    compare(&world, day).await;
    assert_eq!(variances(&world, day).await, known);
    world.pull(&tenants[0]).await;
    world.pass(REDELIVERY * 2).await;
    assert_eq!(variances(&world, day).await[0]["state"], "resolved");
}

#[tokio::test]
async fn a_range_of_days_is_asked_for_within_limits() {
    let world = World::start().await;
    let now = today(&world);
    for (from, to) in [
        (now, now + 1.days()),
        (now - 31.days(), now),
        (now, now - 1.days()),
    ] {
        let body = json!({ "from": from, "to": to, "reason": "x" });
        let answer = world.post("/v1/reconciliation", &body).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "invalid_range"),
            "{from} {to}"
        );
    }
    let none = world
        .post(
            "/v1/reconciliation/variances/2026-03-01.-/accept",
            &json!({ "reason": "x" }),
        )
        .await;
    assert_eq!((none.status, none.code()), (404, "variance_not_found"));
    let state = world
        .get(&format!(
            "/v1/reconciliation/variances?from={now}&to={now}&state=odd"
        ))
        .await;
    assert_eq!(state.code(), "query_invalid");
}
