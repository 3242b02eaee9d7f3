//! Guards against spending that nobody wants: caps with their hold, alarms of velocity and destination.

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};
use tests::explorer::{Disturbance, explore};
use tests::{Answer, Tenant, World};

use super::support::{ask, holds, path, pay, tenant_on, told};

const SMS: &str = "sms-outbound-longcode";

async fn cap(world: &World, tenant: &Tenant, caps: &Value) -> Answer {
    let answer = ask(world, Method::PUT, &path(tenant, "/caps"), caps).await;
    world.stack.settle().await;
    answer
}

/// A tenant with 500 dollars whose day is capped at 6 and 12.
async fn capped(world: &World) -> Tenant {
    let tenant = world.tenant("Acme", "500").await;
    let set = cap(
        world,
        &tenant,
        &json!({ "day": { "soft": "6", "hard": "12" } }),
    )
    .await;
    assert_eq!(set.status, 200, "{set:?}");
    tenant
}

/// What Twilio took today becomes this much, and is pulled.
async fn used(world: &World, tenant: &Tenant, price: &str) {
    world.use_today(tenant, SMS, price);
    world.pull(tenant).await;
}

#[tokio::test]
async fn a_soft_cap_is_told_and_a_hard_one_suspends_until_the_day_is_over() {
    let world = World::start().await;
    let tenant = capped(&world).await;
    used(&world, &tenant, "3").await;
    assert!(told(&world, &tenant, "spend.soft_cap_reached").is_empty());
    used(&world, &tenant, "5").await;
    used(&world, &tenant, "6").await;
    let soft = told(&world, &tenant, "spend.soft_cap_reached");
    assert_eq!(soft.len(), 1, "{soft:?}");
    assert_eq!(
        (&soft[0]["span"], &soft[0]["cap"]),
        (&json!("day"), &json!("6"))
    );
    assert!(holds(&world, &tenant).await.is_empty());

    used(&world, &tenant, "8").await;
    let hard = told(&world, &tenant, "spend.hard_cap_reached");
    assert_eq!(hard.len(), 1, "{hard:?}");
    assert_eq!(hard[0]["until"], "2026-03-02T00:00:00Z");
    assert_eq!(holds(&world, &tenant).await, ["spend_cap"]);
    let shown = world.show(&tenant).await;
    assert_eq!(shown.text("/twilio_status"), "suspended");
    assert_eq!(
        shown.text("/standing/next_action_at"),
        "2026-03-02T00:00:00Z"
    );
    let caps = world.get(&path(&tenant, "/caps")).await;
    assert_eq!(caps.body["day"]["charged"], "12");
    assert_eq!(caps.body["day"]["hard_reached"], true);

    // Neither money nor a downward revision lifts it.
    pay(&world, &tenant, "100").await;
    used(&world, &tenant, "1").await;
    world.pass(SignedDuration::from_hours(20)).await;
    assert_eq!(holds(&world, &tenant).await, ["spend_cap"]);
    world.pass(SignedDuration::from_mins(4 * 60 + 10)).await;
    assert!(holds(&world, &tenant).await.is_empty());
    assert_eq!(world.show(&tenant).await.text("/twilio_status"), "active");
    assert_eq!(told(&world, &tenant, "spend.hard_cap_lifted").len(), 1);
    assert_eq!(told(&world, &tenant, "spend.hard_cap_reached").len(), 1);
}

#[tokio::test]
async fn a_raised_cap_lifts_the_hold_and_a_lower_one_places_it_at_once() {
    let world = World::start().await;
    let tenant = capped(&world).await;
    used(&world, &tenant, "10").await;
    assert_eq!(holds(&world, &tenant).await, ["spend_cap"]);
    let raised = json!({ "day": { "soft": "6", "hard": "14" } });
    cap(&world, &tenant, &raised).await;
    assert_eq!(
        holds(&world, &tenant).await,
        ["spend_cap"],
        "15 is above 14 too"
    );
    cap(
        &world,
        &tenant,
        &json!({ "day": { "soft": "6", "hard": "30" } }),
    )
    .await;
    assert!(holds(&world, &tenant).await.is_empty());
    // What was charged before there was a cap of the month counts for it.
    let month = json!({ "month": { "hard": "15" } });
    let set = cap(&world, &tenant, &month).await;
    assert_eq!(set.body["month"]["charged"], "15", "{set:?}");
    assert_eq!(holds(&world, &tenant).await, ["spend_cap"]);
    cap(&world, &tenant, &json!({})).await;
    assert!(holds(&world, &tenant).await.is_empty());
    assert_eq!(told(&world, &tenant, "spend.soft_cap_reached").len(), 1);
}

#[tokio::test]
async fn a_cap_of_the_month_holds_until_the_billing_period_is_over() {
    let world = World::at("2026-03-29T12:00:00Z").await;
    let tenant = world.tenant("Acme", "500").await;
    cap(
        &world,
        &tenant,
        &json!({ "month": { "soft": "20", "hard": "30" } }),
    )
    .await;
    used(&world, &tenant, "10").await;
    world.pass(SignedDuration::from_hours(24)).await;
    used(&world, &tenant, "10").await;
    assert_eq!(holds(&world, &tenant).await, ["spend_cap"]);
    world.pass(SignedDuration::from_hours(35)).await;
    assert_eq!(holds(&world, &tenant).await, ["spend_cap"]);
    world.pass(SignedDuration::from_hours(2)).await;
    assert!(holds(&world, &tenant).await.is_empty());
    used(&world, &tenant, "2").await;
    let caps = world.get(&path(&tenant, "/caps")).await;
    assert_eq!(caps.body["month"]["charged"], "3", "{caps:?}");
    assert_eq!(caps.body["month"]["from"], "2026-04-01");
}

#[tokio::test]
async fn whom_nothing_suspends_by_itself_no_cap_does() {
    let world = World::start().await;
    let tenant = capped(&world).await;
    let body = json!({ "exemption": "manual_only", "reason": "key account" });
    ask(&world, Method::PATCH, &path(&tenant, "/dunning"), &body).await;
    used(&world, &tenant, "10").await;
    assert!(holds(&world, &tenant).await.is_empty());
    let due = told(&world, &tenant, "tenant.suspension_due");
    assert_eq!(due.len(), 1, "{due:?}");
    assert_eq!(due[0]["hold"], "spend_cap");
}

#[tokio::test]
async fn caps_that_make_no_sense_are_refused() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "5").await;
    for (caps, status, code) in [
        (
            json!({ "day": { "soft": "2", "hard": "1" } }),
            422,
            "caps_invalid",
        ),
        (json!({ "day": { "hard": "0" } }), 422, "caps_invalid"),
        (json!({ "day": { "hard": "ten" } }), 422, "caps_invalid"),
        (json!({ "week": { "hard": "1" } }), 400, "body_invalid"),
        (json!({ "day": { "hard": 1 } }), 400, "body_invalid"),
    ] {
        let refused = cap(&world, &tenant, &caps).await;
        assert_eq!((refused.status, refused.code()), (status, code), "{caps}");
    }
    let nobody = format!("/v1/tenants/ten_{}/caps", "0".repeat(26));
    assert_eq!(world.get(&nobody).await.code(), "tenant_not_found");
}

#[tokio::test]
async fn explorer_a_cap_reached_disturbed_at_any_request_suspends_and_tells_once() {
    let found = explore(
        "hard cap",
        "usage-puller",
        Disturbance::ALL,
        async || {
            let world = World::start().await;
            let tenant = capped(&world).await;
            world.use_today(&tenant, SMS, "10");
            // Only the puller is watched: what its events bring about comes later.
            (world, tenant)
        },
        async |world: &World, tenant: &Tenant| world.pull(tenant).await,
        async |world: &World, tenant: &Tenant| {
            world.pull(tenant).await;
            world.pass(SignedDuration::from_mins(20)).await;
        },
        async |world: &World, tenant: &Tenant| {
            let mut wrong = Vec::new();
            let held = holds(world, tenant).await;
            if held != ["spend_cap"] {
                wrong.push(format!("held: {held:?}"));
            }
            for name in ["spend.soft_cap_reached", "spend.hard_cap_reached"] {
                let told = world.event_ids(&tenant.id, name).len();
                if told != 1 {
                    wrong.push(format!("{name} told {told} times"));
                }
            }
            wrong
        },
    );
    found.await.assert_sound();
}

#[tokio::test]
async fn a_day_far_above_the_same_day_of_past_weeks_is_told_once() {
    let world = World::start().await;
    let guards = json!({ "guards": { "velocity": { "factor": "3", "minimum": "20" } } });
    let tenant = tenant_on(&world, guards).await;
    pay(&world, &tenant, "1000").await;
    for _ in 0..4 {
        used(&world, &tenant, "6").await;
        let clock = &world.stack.clock;
        clock.advance_to(clock.now() + SignedDuration::from_hours(7 * 24));
        world.stack.settle().await;
    }
    // Nine dollars is usual: 27 is three times as much, and not more.
    used(&world, &tenant, "18").await;
    assert!(told(&world, &tenant, "spend.velocity_alarm").is_empty());
    used(&world, &tenant, "18.2").await;
    used(&world, &tenant, "50").await;
    let alarms = told(&world, &tenant, "spend.velocity_alarm");
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!(alarms[0]["charged"], "27.3");
    let usual: domain::Decimal = alarms[0]["usual"].as_str().unwrap().parse().unwrap();
    assert_eq!(usual, domain::Decimal::from(9));
    let today = world
        .stack
        .clock
        .now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    assert_eq!(alarms[0]["day"], today.to_string());
}

#[tokio::test]
async fn calls_to_a_risky_destination_are_told_once_a_day() {
    let world = World::start().await;
    let guards = json!({ "guards": { "high_risk_prefixes": ["4420", "882"] } });
    let tenant = tenant_on(&world, guards).await;
    let number = json!({ "account_sid": tenant.account_sid });
    world.simulate("/numbers", &number).await;
    for to in ["+442079460000", "+442079460001", "+14155550123"] {
        let call = json!({ "account_sid": tenant.account_sid, "to": to, "duration_s": 90, "outcome": "completed" });
        world.simulate("/calls", &call).await;
    }
    world.pass(SignedDuration::from_mins(5)).await;
    world.pull(&tenant).await;
    world.pull(&tenant).await;
    let told = told(&world, &tenant, "spend.high_risk_destination");
    assert_eq!(told.len(), 1, "{told:?}");
    let expected = json!({ "day": "2026-03-01", "prefix": "4420", "count": 2, "units": 4 });
    assert_eq!(told[0], expected);
}
