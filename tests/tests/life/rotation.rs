//! Auth tokens are rotated without a gap: callbacks are accepted and calls succeed at every step.

use std::sync::Mutex;

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::json;
use tests::explorer::{Disturbance, explore, explore_together};
use tests::{PUBLIC_BASE_URL, Tenant, World};
use twilio_sim::{Quirks, SimConfig};

use super::support::{ask, path};

async fn rotate(world: &World, tenant: &Tenant) -> tests::Answer {
    let body = json!({ "reason": "leaked" });
    ask(world, Method::POST, &path(tenant, "/rotate-token"), &body).await
}

/// Statuses that our webhook answered Twilio's callbacks of one message with, signed by Twilio itself.
async fn callbacks_of_a_message(world: &World, tenant: &Tenant) -> Vec<u64> {
    // Not asked for: the function may be about to be killed.
    let url = format!("{PUBLIC_BASE_URL}/twilio/{}/messages", tenant.id);
    let body = json!({ "account_sid": tenant.account_sid, "status_callback": url, "outcome": "delivered" });
    let sent = world.simulate("/messages", &body).await.text("/sid");
    world.pass(SignedDuration::from_secs(40)).await;
    let path = format!("/_sim/callbacks?resource_sid={sent}");
    let seen = world.request(Method::GET, &path, &[], Vec::new()).await;
    let rows = seen.body["callbacks"].as_array().or(seen.body.as_array());
    rows.into_iter()
        .flatten()
        .filter_map(|row| row["http_status"].as_u64())
        .collect()
}

/// The stored token is the one that Twilio has as primary.
async fn token_violations(world: &World, tenant: &Tenant) -> Vec<String> {
    let token = world.auth_token(&tenant.account_sid);
    let own = (tenant.account_sid.as_str(), token.as_str());
    let account = format!("/2010-04-01/Accounts/{}.json", tenant.account_sid);
    let shown = world.twilio(own, Method::GET, &account, &[]).await;
    if shown.body["auth_token"] == json!(token) {
        Vec::new()
    } else {
        vec![format!("the stored token gets {}", shown.status)]
    }
}

#[tokio::test]
async fn a_token_is_rotated_on_demand_and_callbacks_are_accepted_throughout() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "50").await;
    world
        .simulate("/numbers", &json!({ "account_sid": tenant.account_sid }))
        .await;
    let old = world.auth_token(&tenant.account_sid);
    let before = callbacks_of_a_message(&world, &tenant).await;
    assert!(
        before.len() > 1 && before.iter().all(|status| *status == 204),
        "{before:?}"
    );
    let rotated = rotate(&world, &tenant).await;
    assert_eq!(
        (rotated.status, rotated.text("/state")),
        (200, "rotated".to_owned())
    );
    let new = world.auth_token(&tenant.account_sid);
    assert_ne!(old, new);
    assert!(token_violations(&world, &tenant).await.is_empty());
    let after = callbacks_of_a_message(&world, &tenant).await;
    assert!(
        after.len() > 1 && after.iter().all(|status| *status == 204),
        "{after:?}"
    );
    world.stack.settle().await;
    assert_eq!(world.event_ids(&tenant.id, "credentials.rotated").len(), 1);
    // No version waits any more, and the token is nowhere but in Secrets Manager.
    assert!(!world.everything_kept().contains(&new));
    assert!(!world.everything_kept().contains(&old));
    let own = (tenant.account_sid.as_str(), old.as_str());
    let account = format!("/2010-04-01/Accounts/{}.json", tenant.account_sid);
    assert_eq!(
        world.twilio(own, Method::GET, &account, &[]).await.status,
        401
    );
}

#[tokio::test]
async fn a_token_that_was_changed_in_the_console_is_found_and_put_in_force() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "50").await;
    let old = world.auth_token(&tenant.account_sid);
    let own = (tenant.account_sid.as_str(), old.as_str());
    let made = world
        .twilio(own, Method::POST, "/accounts/v1/AuthTokens/Secondary", &[])
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let promoted = world
        .twilio(own, Method::POST, "/accounts/v1/AuthTokens/Promote", &[])
        .await;
    assert_eq!(promoted.status, 200, "{promoted:?}");
    let rotated = rotate(&world, &tenant).await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    assert!(token_violations(&world, &tenant).await.is_empty());
}

#[tokio::test]
async fn two_rotations_at_once_are_one() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "50").await;
    let (one, two) = tokio::join!(rotate(&world, &tenant), rotate(&world, &tenant));
    assert!(
        [200, 202].contains(&one.status) && [200, 202].contains(&two.status),
        "{one:?} {two:?}"
    );
    world.pass(SignedDuration::from_mins(20)).await;
    assert!(token_violations(&world, &tenant).await.is_empty());
    assert_eq!(world.event_ids(&tenant.id, "credentials.rotated").len(), 1);
}

async fn before_the_rotation() -> (World, (Tenant, Mutex<Vec<String>>)) {
    let world = World::with(SimConfig {
        quirks: Quirks::none(),
        ..SimConfig::default()
    })
    .await;
    let tenant = world.tenant("Acme", "50").await;
    world
        .simulate("/numbers", &json!({ "account_sid": tenant.account_sid }))
        .await;
    world.pass(SignedDuration::from_mins(90)).await;
    (world, (tenant, Mutex::default()))
}

#[tokio::test]
async fn v14_explorer_a_rotation_disturbed_at_any_request_ends_rotated_and_callbacks_are_accepted_meanwhile()
 {
    let found = explore(
        "token rotation",
        "provisioning",
        Disturbance::ALL,
        before_the_rotation,
        async |world: &World, (tenant, _): &(Tenant, Mutex<Vec<String>>)| {
            rotate(world, tenant).await;
        },
        async |world: &World, (tenant, refused): &(Tenant, Mutex<Vec<String>>)| {
            let answers = callbacks_of_a_message(world, tenant).await;
            if answers.len() < 2 || answers.iter().any(|status| *status != 204) {
                let what = format!("meanwhile callbacks got {answers:?}");
                refused.lock().unwrap().push(what);
            }
            world.pass(SignedDuration::from_mins(20)).await;
        },
        async |world: &World, (tenant, refused): &(Tenant, Mutex<Vec<String>>)| {
            let mut wrong = token_violations(world, tenant).await;
            wrong.append(&mut refused.lock().unwrap());
            let id = domain::ids::TenantId::parse(&tenant.id).unwrap();
            let row = world.store().tenant(&id).await.unwrap().unwrap();
            if row.rotation.is_some() {
                wrong.push(format!("it is still {:?}", row.rotation));
            }
            if !world.failed_invocations().is_empty() {
                wrong.push(format!("failed: {:?}", world.failed_invocations()));
            }
            wrong
        },
    );
    found.await.assert_sound();
}

async fn rotate_main(world: &World) -> tests::Answer {
    let body = json!({ "reason": "yearly" });
    ask(world, Method::POST, "/v1/main-account/rotate-token", &body).await
}

fn main_token(world: &World) -> String {
    let request = json!({ "SecretId": "tollgate/local/twilio-main" });
    let answer = world
        .stack
        .aws
        .inspect("secretsmanager.GetSecretValue", &request)
        .unwrap();
    let secret: serde_json::Value =
        serde_json::from_str(answer["SecretString"].as_str().unwrap()).unwrap();
    secret["authToken"].as_str().unwrap().to_owned()
}

async fn main_violations(world: &World) -> Vec<String> {
    let (sid, _) = world.stack.main_credentials();
    let token = main_token(world);
    let account = format!("/2010-04-01/Accounts/{sid}.json");
    let shown = world
        .twilio((&sid, &token), Method::GET, &account, &[])
        .await;
    if shown.body["auth_token"] == json!(token) {
        Vec::new()
    } else {
        vec![format!("the stored main token gets {}", shown.status)]
    }
}

#[tokio::test]
async fn the_main_token_is_rotated_and_every_function_goes_on() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "5").await;
    world.pull(&tenant).await;
    let old = main_token(&world);
    let rotated = rotate_main(&world).await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    assert_ne!(main_token(&world), old);
    assert!(main_violations(&world).await.is_empty());
    // Puller and suspender hold the old token in their caches.
    world.use_today(&tenant, "sms-outbound-longcode", "10");
    world.pull(&tenant).await;
    world.pass(SignedDuration::from_mins(30)).await;
    assert_eq!(world.show(&tenant).await.body["twilio_status"], "suspended");
    world.stack.settle().await;
    let nobody = domain::ids::TenantId::nobody().to_string();
    assert_eq!(world.event_ids(&nobody, "credentials.rotated").len(), 1);
}

#[tokio::test]
async fn explorer_a_rotation_of_the_main_token_disturbed_at_any_request_ends_rotated() {
    let found = explore(
        "main token rotation",
        "provisioning",
        Disturbance::ALL,
        async || {
            let world = World::start().await;
            let tenant = world.tenant("Acme", "50").await;
            world.pass(SignedDuration::from_mins(90)).await;
            (world, (tenant, Mutex::new(Vec::new())))
        },
        async |world: &World, _: &(Tenant, Mutex<Vec<String>>)| {
            rotate_main(world).await;
        },
        async |world: &World, (tenant, failed): &(Tenant, Mutex<Vec<String>>)| {
            // Meanwhile the API works in the main account's name; only of a killed one the gateway speaks.
            let listed = world.get(&path(tenant, "/numbers")).await;
            if listed.status != 200 && !listed.code().is_empty() {
                failed
                    .lock()
                    .unwrap()
                    .push(format!("numbers got {}", listed.status));
            }
            world.pass(SignedDuration::from_mins(20)).await;
            // Nobody was told that it was begun: whoever asked asks again.
            let state = world.store().main_rotation().await.unwrap();
            if state.rotated_at.is_none() && state.rotation.is_none() {
                rotate_main(world).await;
            }
        },
        async |world: &World, (_, failed): &(Tenant, Mutex<Vec<String>>)| {
            let mut wrong = main_violations(world).await;
            wrong.append(&mut failed.lock().unwrap());
            let state = world.store().main_rotation().await.unwrap();
            if state.rotation.is_some() || state.rotated_at.is_none() {
                wrong.push(format!("it is still {state:?}"));
            }
            wrong
        },
    );
    found.await.assert_sound();
}

#[tokio::test]
async fn explorer_two_rotations_in_any_order_are_one() {
    type Rotated = (Tenant, Mutex<Vec<String>>);
    let found = explore_together(
        "two rotations",
        before_the_rotation,
        async |world: &World, (tenant, _): &Rotated| {
            rotate(world, tenant).await;
        },
        async |world: &World, (tenant, _): &Rotated| {
            rotate(world, tenant).await;
        },
        async |world: &World, _: &Rotated| world.pass(SignedDuration::from_mins(20)).await,
        async |world: &World, (tenant, _): &Rotated| {
            let mut wrong = token_violations(world, tenant).await;
            let id = domain::ids::TenantId::parse(&tenant.id).unwrap();
            let row = world.store().tenant(&id).await.unwrap().unwrap();
            if row.rotation.is_some() {
                wrong.push(format!("it is still {:?}", row.rotation));
            }
            wrong
        },
    );
    found.await.assert_sound();
}
