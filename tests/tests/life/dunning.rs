//! Dunning as data: reminders, restriction, exemptions and what a person decides, each with its next action.

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use tests::explorer::{Disturbance, explore, explore_singles};
use tests::{Answer, Tenant, World};

use super::support::{ask, holds, number_from_nowhere, path, pay, tenant_on, told};

const SMS: &str = "sms-outbound-longcode";

/// Reminded after 30 and 90 minutes, restricted after 60, unpaid after 120.
fn strict() -> Value {
    json!({ "standing": {
        "low_balance": "1", "resume_at": "1", "grace_minutes": 120, "minimum_hold_minutes": 60,
        "restrict_after_minutes": 60, "reminder_minutes": [30, 90],
    }})
}

/// A tenant of a strict plan that owes five dollars, just seen.
async fn in_grace(world: &World) -> Tenant {
    let tenant = tenant_on(world, strict()).await;
    world.use_today(&tenant, SMS, "10");
    world.pull(&tenant).await;
    assert_eq!(state(world, &tenant).await, "grace");
    tenant
}

async fn state(world: &World, tenant: &Tenant) -> String {
    world.show(tenant).await.text("/standing/state")
}

async fn minutes(world: &World, minutes: i64) {
    world.pass(SignedDuration::from_mins(minutes)).await;
}

async fn decide(world: &World, tenant: &Tenant, body: Value) -> Answer {
    let answer = ask(world, Method::PATCH, &path(tenant, "/dunning"), &body).await;
    world.stack.settle().await;
    answer
}

fn at(answer: &Answer, pointer: &str) -> Timestamp {
    answer.text(pointer).parse().unwrap()
}

#[tokio::test]
async fn arrears_are_reminded_then_restricted_then_suspended_each_once() {
    let world = World::start().await;
    let tenant = in_grace(&world).await;
    let shown = world.show(&tenant).await;
    let began = at(&shown, "/standing/since");
    let mins = |minutes| began + SignedDuration::from_mins(minutes);
    assert_eq!(at(&shown, "/standing/next_action_at"), mins(30));

    minutes(&world, 42).await;
    let reminded = told(&world, &tenant, "tenant.reminded");
    assert_eq!(reminded.len(), 1, "{reminded:?}");
    assert_eq!(
        (&reminded[0]["reminder"], &reminded[0]["days"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(reminded[0]["suspends_at"], json!(mins(120)));
    assert_eq!(state(&world, &tenant).await, "grace");
    let shown = world.show(&tenant).await;
    assert_eq!(at(&shown, "/standing/next_action_at"), mins(60));

    minutes(&world, 30).await;
    assert_eq!(state(&world, &tenant).await, "restricted");
    assert_eq!(told(&world, &tenant, "tenant.reminded").len(), 1);
    assert!(holds(&world, &tenant).await.is_empty());

    minutes(&world, 30).await;
    let reminded = told(&world, &tenant, "tenant.reminded");
    assert_eq!(reminded.len(), 2);
    assert_eq!(reminded[1]["reminder"], 2);
    assert!(holds(&world, &tenant).await.is_empty());

    minutes(&world, 30).await;
    assert_eq!(state(&world, &tenant).await, "unpaid");
    assert_eq!(holds(&world, &tenant).await, ["unpaid"]);
    assert_eq!(
        world.show(&tenant).await.text("/twilio_status"),
        "suspended"
    );
    pay(&world, &tenant, "20").await;
    let shown = world.show(&tenant).await;
    assert_eq!(shown.text("/standing/state"), "good");
    assert_eq!(shown.text("/twilio_status"), "active");
    assert_eq!(shown.body["standing"]["next_action_at"], Value::Null);
    minutes(&world, 180).await;
    assert_eq!(told(&world, &tenant, "tenant.reminded").len(), 2);
    let to = |name: &str| {
        let changes = told(&world, &tenant, "tenant.standing_changed");
        changes.iter().filter(|change| change["to"] == name).count()
    };
    assert_eq!((to("grace"), to("restricted"), to("unpaid")), (1, 1, 1));
}

#[tokio::test]
async fn a_restricted_tenant_gets_no_new_numbers_and_keys_until_it_pays() {
    let world = World::start().await;
    let other = world.tenant("Other", "50").await;
    let (moving, _) = number_from_nowhere(&world, &other.account_sid, json!({})).await;
    let tenant = in_grace(&world).await;
    let buy = json!({ "search": { "country": "US", "area_code": 415 } });
    let bought = ask(&world, Method::POST, &path(&tenant, "/numbers"), &buy).await;
    assert_eq!(bought.status, 201, "in grace all goes on: {bought:?}");
    let own = bought.text("/sid");
    minutes(&world, 72).await;
    assert_eq!(state(&world, &tenant).await, "restricted");

    let transfer = path(&other, &format!("/numbers/{moving}/transfer"));
    let to_it = json!({ "to": tenant.id });
    let asks = [
        (path(&tenant, "/numbers"), buy.clone()),
        (path(&tenant, "/api-keys"), json!({ "purpose": "crm" })),
        (transfer.clone(), to_it.clone()),
    ];
    for restricted in [true, false] {
        if !restricted {
            pay(&world, &tenant, "20").await;
        }
        for (path, body) in &asks {
            let answer = ask(&world, Method::POST, path, body).await;
            if restricted {
                assert_eq!(
                    (answer.status, answer.code()),
                    (409, "tenant_restricted"),
                    "{path}"
                );
            } else {
                assert!(answer.status < 300, "{path} {answer:?}");
            }
        }
        if restricted {
            // What it has stays in its hands.
            let named = json!({ "friendly_name": "Front desk" });
            let own = path(&tenant, &format!("/numbers/{own}"));
            assert_eq!(ask(&world, Method::PATCH, &own, &named).await.status, 200);
        }
    }
}

#[tokio::test]
async fn who_is_never_suspended_is_shown_unpaid_and_goes_on_speaking() {
    let world = World::start().await;
    let tenant = in_grace(&world).await;
    let body = json!({ "exemption": "never_suspend", "reason": "hospital" });
    let decided = decide(&world, &tenant, body.clone()).await;
    assert_eq!(decided.status, 200, "{decided:?}");
    assert_eq!(decided.text("/dunning/exemption"), "never_suspend");
    assert_eq!(decide(&world, &tenant, body).await.status, 200);
    minutes(&world, 240).await;
    assert_eq!(state(&world, &tenant).await, "unpaid");
    assert!(holds(&world, &tenant).await.is_empty());
    assert_eq!(world.show(&tenant).await.text("/twilio_status"), "active");
    let changes = told(&world, &tenant, "tenant.standing_changed");
    assert!(changes.iter().any(|change| change["to"] == "unpaid"));
    assert!(told(&world, &tenant, "tenant.suspension_due").is_empty());
    let reminded = told(&world, &tenant, "tenant.reminded");
    assert!(reminded.iter().all(|event| event["suspends_at"].is_null()));
    assert_eq!(told(&world, &tenant, "tenant.dunning_changed").len(), 1);

    // Taken back, the hold follows at once.
    decide(
        &world,
        &tenant,
        json!({ "exemption": null, "reason": "moved out" }),
    )
    .await;
    assert_eq!(holds(&world, &tenant).await, ["unpaid"]);
    // And given again, it goes.
    decide(
        &world,
        &tenant,
        json!({ "exemption": "never_suspend", "reason": "back" }),
    )
    .await;
    assert!(holds(&world, &tenant).await.is_empty());
    assert_eq!(world.show(&tenant).await.text("/twilio_status"), "active");
}

#[tokio::test]
async fn where_a_person_decides_a_person_is_asked_and_nothing_happens_by_itself() {
    let world = World::start().await;
    let tenant = in_grace(&world).await;
    decide(
        &world,
        &tenant,
        json!({ "exemption": "manual_only", "reason": "key account" }),
    )
    .await;
    minutes(&world, 240).await;
    assert!(holds(&world, &tenant).await.is_empty());
    let due = told(&world, &tenant, "tenant.suspension_due");
    assert_eq!(due.len(), 1, "{due:?}");
    assert_eq!(due[0]["hold"], "unpaid");
    let suspend = json!({ "reason": "talked to them" });
    let answer = world.post(&path(&tenant, "/suspend"), &suspend).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    world.stack.settle().await;
    assert_eq!(holds(&world, &tenant).await, ["operator"]);
}

#[tokio::test]
async fn a_hold_that_is_put_off_comes_when_it_was_put_off_to() {
    let world = World::start().await;
    let tenant = in_grace(&world).await;
    minutes(&world, 132).await;
    assert_eq!(holds(&world, &tenant).await, ["unpaid"]);
    let until = world.stack.clock.now() + SignedDuration::from_mins(300);
    let body = json!({ "hold_off_until": until, "reason": "promised to pay" });
    let decided = decide(&world, &tenant, body).await;
    assert_eq!(decided.status, 200, "{decided:?}");
    let shown = world.show(&tenant).await;
    assert_eq!(shown.text("/standing/state"), "restricted");
    assert_eq!(at(&shown, "/standing/next_action_at"), until);
    assert_eq!(shown.text("/twilio_status"), "active");
    assert!(holds(&world, &tenant).await.is_empty());
    minutes(&world, 290).await;
    assert!(holds(&world, &tenant).await.is_empty());
    minutes(&world, 22).await;
    assert_eq!(holds(&world, &tenant).await, ["unpaid"]);
    assert_eq!(told(&world, &tenant, "tenant.reminded").len(), 2);

    let now = world.stack.clock.now();
    for (body, code) in [
        (
            json!({ "hold_off_until": now, "reason": "r" }),
            "dunning_invalid",
        ),
        (
            json!({ "hold_off_until": now + SignedDuration::from_hours(91 * 24), "reason": "r" }),
            "dunning_invalid",
        ),
        (
            json!({ "exemption": "always", "reason": "r" }),
            "body_invalid",
        ),
        (json!({ "exemption": null }), "body_invalid"),
        (json!({ "exemption": null, "reason": "" }), "reason_invalid"),
    ] {
        let refused = decide(&world, &tenant, body.clone()).await;
        assert_eq!(refused.code(), code, "{body}");
    }
    let nobody = format!("/v1/tenants/ten_{}/dunning", "0".repeat(26));
    let absent = ask(&world, Method::PATCH, &nobody, &json!({ "reason": "r" })).await;
    assert_eq!(absent.code(), "tenant_not_found");
}

#[tokio::test]
async fn s8_a_balance_that_flips_with_each_run_changes_the_hold_once_an_hour_at_most() {
    let world = World::start().await;
    let standing = json!({ "standing": {
        "low_balance": "1", "resume_at": "1", "grace_minutes": 0, "minimum_hold_minutes": 60,
    }});
    let tenant = tenant_on(&world, standing).await;
    for run in 0..36 {
        world.use_today(&tenant, SMS, ["10", "2"][run % 2]);
        world.pull(&tenant).await;
        minutes(&world, 10).await;
    }
    let changes: Vec<Timestamp> = world
        .stack
        .aws
        .events_since(0)
        .into_iter()
        .filter(|event| event.detail_type == "tenant.hold_changed")
        .map(|event| {
            event.detail["occurred_at"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    assert!(changes.len() >= 4, "{changes:?}");
    let gaps = changes
        .windows(2)
        .map(|pair| pair[1].duration_since(pair[0]));
    assert!(
        gaps.min().unwrap() >= SignedDuration::from_hours(1),
        "{changes:?}"
    );

    // A payment does not wait.
    world.use_today(&tenant, SMS, "10");
    while holds(&world, &tenant).await.is_empty() {
        world.pull(&tenant).await;
        minutes(&world, 10).await;
    }
    pay(&world, &tenant, "20").await;
    assert!(holds(&world, &tenant).await.is_empty());
}

#[tokio::test]
async fn explorer_a_reminder_disturbed_at_any_request_is_sent_once() {
    let found = explore_singles(
        "reminder",
        "usage-puller",
        async || {
            let world = World::start().await;
            let tenant = in_grace(&world).await;
            let clock = &world.stack.clock;
            clock.advance_to(clock.now() + SignedDuration::from_mins(31));
            (world, tenant)
        },
        async |world: &World, tenant: &Tenant| world.pull(tenant).await,
        async |world: &World, tenant: &Tenant| {
            world.pull(tenant).await;
            minutes(world, 20).await;
        },
        async |world: &World, tenant: &Tenant| {
            let sent = world.event_ids(&tenant.id, "tenant.reminded");
            let next = at(&world.show(tenant).await, "/standing/next_action_at");
            let began = at(&world.show(tenant).await, "/standing/since");
            let mut wrong = Vec::new();
            if sent.len() != 1 {
                wrong.push(format!("reminders: {}", sent.len()));
            }
            if next != began + SignedDuration::from_mins(60) {
                wrong.push(format!("next action at {next}"));
            }
            wrong
        },
    );
    found.await.assert_sound();
}

#[tokio::test]
async fn explorer_a_decision_disturbed_at_any_request_is_made_once_and_followed() {
    let decision = || json!({ "exemption": "never_suspend", "reason": "hospital" });
    let found = explore(
        "dunning decision",
        "provisioning",
        Disturbance::ALL,
        async || {
            let world = World::start().await;
            let tenant = in_grace(&world).await;
            minutes(&world, 132).await;
            (world, tenant)
        },
        async |world: &World, tenant: &Tenant| {
            decide(world, tenant, decision()).await;
        },
        async |world: &World, tenant: &Tenant| {
            decide(world, tenant, decision()).await;
            minutes(world, 20).await;
        },
        async |world: &World, tenant: &Tenant| {
            let mut wrong = Vec::new();
            let told = world.event_ids(&tenant.id, "tenant.dunning_changed");
            if told.len() != 1 {
                wrong.push(format!("told {} times", told.len()));
            }
            let held = holds(world, tenant).await;
            if !held.is_empty() {
                wrong.push(format!("held: {held:?}"));
            }
            wrong
        },
    );
    found.await.assert_sound();
}
