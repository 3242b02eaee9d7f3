//! Provisioning when Twilio's answers are lost, late or refusals.

use jiff::SignedDuration;
use serde_json::json;
use tests::World;
use twilio_sim::{FaultAction, FaultRule, Quirks, SimConfig};

fn strike(world: &World, method: &str, path: &str, count: u64, action: FaultAction) {
    world.stack.sim.script_fault(FaultRule {
        method: Some(method.to_owned()),
        path: path.to_owned(),
        nth: 1,
        count,
        action,
    });
}

async fn sign_up(world: &World) -> tests::Answer {
    let plan = world.plan(0).await;
    world
        .post("/v1/tenants", &json!({ "name": "Acme", "plan_id": plan }))
        .await
}

#[tokio::test]
async fn v1_a_lost_answer_to_the_create_is_adopted_by_name() {
    let world = World::start().await;
    strike(
        &world,
        "POST",
        "/2010-04-01/Accounts.json",
        1,
        FaultAction::Drop { after_effect: true },
    );
    let answer = sign_up(&world).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(world.open_subaccounts(), 1);
}

#[tokio::test]
async fn v1_a_create_that_was_lost_before_its_effect_is_resumed_by_the_timer() {
    let world = World::start().await;
    strike(
        &world,
        "POST",
        "/2010-04-01/Accounts.json",
        1,
        FaultAction::Drop {
            after_effect: false,
        },
    );
    let answer = sign_up(&world).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let location = answer.header("location").unwrap().to_owned();
    world.pass(SignedDuration::from_mins(15)).await;
    let shown = world.get(&location).await;
    assert_eq!(
        (shown.status, &shown.body["status"]),
        (200, &json!("active")),
        "{shown:?}"
    );
    assert_eq!(shown.body["api_key_sid"], json!(null));
    assert_eq!(world.open_subaccounts(), 1);
}

#[tokio::test]
async fn v7_the_subaccount_limit_is_a_stable_code_and_not_asked_again() {
    let world = World::with(SimConfig {
        quirks: Quirks::none(),
        subaccount_limit: 0,
        ..SimConfig::default()
    })
    .await;
    let plan = world.plan(0).await;
    let body = json!({ "name": "Acme", "plan_id": plan });
    for _ in 0..2 {
        let answer = world.post_as("/v1/tenants", "signup", &body).await;
        assert_eq!(
            (answer.status, answer.code()),
            (507, "subaccount_limit_reached"),
            "{answer:?}"
        );
    }
    world.pass(SignedDuration::from_mins(30)).await;
    let creates = world.stack.sim.requests();
    let creates = creates
        .iter()
        .filter(|request| request.method == "POST" && request.path.ends_with("/Accounts.json"));
    assert_eq!(creates.count(), 1);
}

#[tokio::test]
async fn a_run_that_twilio_cannot_answer_gives_the_lease_back() {
    let world = World::start().await;
    let action = FaultAction::Status {
        status: 429,
        code: Some(20429),
        body: None,
        headers: std::collections::BTreeMap::new(),
        after_effect: false,
    };
    strike(&world, "POST", "/2010-04-01/Accounts.json", 5, action);
    let plan = world.plan(0).await;
    let body = json!({ "name": "Acme", "plan_id": plan });
    let first = world.post_as("/v1/tenants", "signup", &body).await;
    assert_eq!(first.status, 202, "{first:?}");
    world.pass(SignedDuration::from_secs(31)).await;
    let again = world.post_as("/v1/tenants", "signup", &body).await;
    assert_eq!(again.status, 201, "{again:?}");
    assert!(again.text("/api_key/secret").len() > 20);
    assert_eq!(world.open_subaccounts(), 1);
}

#[tokio::test]
async fn v10_a_lost_answer_to_the_key_create_leaves_no_orphan_key() {
    let world = World::start().await;
    strike(
        &world,
        "POST",
        "*/Keys.json",
        1,
        FaultAction::Drop { after_effect: true },
    );
    let answer = sign_up(&world).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.body["api_key"]["sid"], answer.body["api_key_sid"]);
    let requests = world.stack.sim.requests();
    let count = |method: &str| {
        let keys = requests
            .iter()
            .filter(|request| request.path.contains("/Keys"));
        keys.filter(|request| request.method == method).count()
    };
    assert_eq!((count("POST"), count("DELETE")), (2, 1));
}
