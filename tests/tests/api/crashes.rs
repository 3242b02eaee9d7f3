//! Disturbed at every outgoing request, asked again: the invariants hold.

use std::time::Duration;

use aws::{Secrets, TwilioSecret};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::AccountSid;
use jiff::SignedDuration;
use local::passage::invocation;
use secrecy::SecretString;
use serde_json::{Value, json};
use tests::World;
use tests::explorer::{Disturbance, explore, explore_together};
use twilio_sim::{FaultAction, FaultRule};

const KEY: &str = "signup-1";

fn settled() -> SignedDuration {
    SignedDuration::from_mins(20)
}

/// A world with a plan, and the request that asks for a tenant.
async fn before_sign_up() -> (World, Value) {
    let world = World::start().await;
    let plan = world.plan(0).await;
    let body = json!({ "name": "Acme", "plan_id": plan, "external_id": "a-1" });
    (world, body)
}

async fn sign_up(world: &World, body: &Value) {
    world.post_as("/v1/tenants", KEY, body).await;
}

async fn time_passes_and_the_client_asks_again(world: &World, body: &Value) {
    world.pass(settled()).await;
    sign_up(world, body).await;
    world.pass(settled()).await;
}

async fn the_client_asks_again_and_time_passes(world: &World, body: &Value) {
    sign_up(world, body).await;
    world.pass(settled()).await;
    sign_up(world, body).await;
    world.pass(settled()).await;
}

async fn one_tenant_in_service(world: &World, body: &Value) -> Vec<String> {
    let replay = world.post_as("/v1/tenants", KEY, body).await;
    if replay.status != 201 || replay.header("idempotent-replayed") != Some("true") {
        return vec![format!("the same request again gets {replay:?}")];
    }
    let mut wrong = world.tenant_violations(&replay.text("/id")).await;
    let listed = world.get("/v1/tenants").await;
    let tenants = listed.body["tenants"].as_array().map_or(0, Vec::len);
    if tenants != 1 {
        wrong.push(format!("{tenants} tenants are listed"));
    }
    if world.open_subaccounts() != 1 {
        wrong.push(format!("{} open subaccounts", world.open_subaccounts()));
    }
    let control = world.items("control");
    let kept = control.iter().filter(|item| {
        item["pk"]["S"]
            .as_str()
            .is_some_and(|pk| pk.starts_with("IDEM#"))
    });
    let states: Vec<&Value> = kept.map(|item| &item["state"]["S"]).collect();
    if states != ["done"] {
        wrong.push(format!("the idempotency key is {states:?}"));
    }
    if !world.failed_invocations().is_empty() {
        wrong.push(format!("failed: {:?}", world.failed_invocations()));
    }
    wrong
}

#[tokio::test]
async fn explorer_provisioning_disturbed_at_any_request_is_completed_once() {
    let found = explore(
        "provisioning, then time, then the client",
        "provisioning",
        Disturbance::ALL,
        before_sign_up,
        sign_up,
        time_passes_and_the_client_asks_again,
        one_tenant_in_service,
    );
    found.await.assert_sound();
}

#[tokio::test]
async fn explorer_provisioning_disturbed_at_any_request_is_completed_once_when_the_client_asks_first()
 {
    let found = explore(
        "provisioning, then the client, then time",
        "provisioning",
        Disturbance::ALL,
        before_sign_up,
        sign_up,
        the_client_asks_again_and_time_passes,
        one_tenant_in_service,
    );
    found.await.assert_sound();
}

/// A tenant whose first run died when its subaccount was just made.
async fn half_provisioned() -> (World, Value) {
    let (world, body) = before_sign_up().await;
    // The create has its effect, its answer and everything after it are lost.
    for (path, nth, count, after_effect) in [("*/Accounts.json", 1, 1, true), ("*", 3, 0, false)] {
        world.stack.sim.script_fault(FaultRule {
            method: None,
            path: path.to_owned(),
            nth,
            count,
            action: FaultAction::Drop { after_effect },
        });
    }
    sign_up(&world, &body).await;
    world.stack.sim.clear_faults();
    assert_eq!(world.open_subaccounts(), 1);
    (world, body)
}

#[tokio::test]
async fn explorer_a_resumed_provisioning_disturbed_at_any_request_is_completed_once() {
    let found = explore(
        "provisioning, resumed by the timer",
        "provisioning",
        Disturbance::ALL,
        half_provisioned,
        // A timer rings at most ten minutes after its time: its tick, and the one that looks.
        async |world: &World, _: &Value| world.pass(SignedDuration::from_mins(12)).await,
        time_passes_and_the_client_asks_again,
        one_tenant_in_service,
    );
    found.await.assert_sound();
}

/// A tenant in service, by its id.
async fn in_service() -> (World, String) {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "0").await;
    world.pass(settled()).await;
    (world, tenant.id)
}

#[tokio::test]
async fn explorer_a_top_up_disturbed_at_any_request_is_booked_once() {
    let pay = async |world: &World, tenant: &String| {
        let path = format!("/v1/tenants/{tenant}/top-ups");
        let body = json!({ "amount": "50", "reference": "inv-1" });
        world.post_as(&path, "pay-1", &body).await;
    };
    let found = explore(
        "top-up",
        "provisioning",
        Disturbance::ALL,
        in_service,
        pay,
        pay,
        async |world: &World, tenant: &String| {
            let mut wrong = world.tenant_violations(tenant).await;
            let shown = world.get(&format!("/v1/tenants/{tenant}")).await;
            if shown.body["balance"] != "50" {
                wrong.push(format!("the balance is {}", shown.body["balance"]));
            }
            wrong
        },
    );
    found.await.assert_sound();
}

#[tokio::test]
async fn explorer_an_api_key_whose_request_was_disturbed_anywhere_leaves_no_orphan() {
    let issue = async |world: &World, tenant: &String| {
        let path = format!("/v1/tenants/{tenant}/api-keys");
        world.post(&path, &json!({ "purpose": "crm" })).await;
    };
    let found = explore(
        "api key",
        "provisioning",
        Disturbance::ALL,
        in_service,
        issue,
        async |world: &World, tenant: &String| {
            issue(world, tenant).await;
            // Longer than a create may take to land, and the tick that looks.
            world.pass(settled()).await;
        },
        async |world: &World, tenant: &String| {
            let mut wrong = world.tenant_violations(tenant).await;
            let listed = world.get(&format!("/v1/tenants/{tenant}/api-keys")).await;
            let keys = listed.body["api_keys"].as_array().map_or(0, Vec::len);
            if keys != 2 {
                wrong.push(format!("{keys} keys are listed"));
            }
            wrong
        },
    );
    found.await.assert_sound();
}

/// Provisioning as one would write it first: it never looks before it creates.
async fn provision_naively(world: &World) -> Option<()> {
    let settings = world.settings("naive");
    let (clients, names) = (settings.clients().ok()?, settings.names());
    let row = |value: &str| AttributeValue::S(value.to_owned());
    let done = clients.dynamodb.get_item().table_name(&names.control);
    let done = done.key("pk", row("NAIVE")).key("sk", row("-")).send();
    if done.await.ok()?.item.is_some() {
        return Some(());
    }
    let environment = &world.stack.environment;
    let host = world.stack.functions.host("naive");
    let twilio = twilio::Settings::from_lookup(
        |name| environment.get(name),
        host.now.clone(),
        host.sleep.clone(),
        host.random.clone(),
    );
    let twilio = twilio.map(|settings| settings.with_transport(host.wire.clone()));
    let (sid, token) = world.stack.main_credentials();
    let main = twilio::MainCredentials {
        account_sid: AccountSid::parse(&sid).ok()?,
        auth_token: SecretString::from(token),
    };
    let client = twilio::Client::new(twilio.ok()?).ok()?;
    let account = client.create_account(&main, "naive").await.ok()?;
    let secret = TwilioSecret {
        account_sid: account.sid,
        auth_token: account.auth_token?,
    };
    let secrets = Secrets::new(&clients, &names);
    secrets.store_subaccount(&secret).await.ok()?;
    let put = clients.dynamodb.put_item().table_name(&names.control);
    let put = put.item("pk", row("NAIVE")).item("sk", row("-")).send();
    put.await.ok().map(|_| ())
}

#[tokio::test]
async fn the_explorer_catches_a_provisioning_that_creates_without_searching() {
    let run = async |world: &World, (): &()| {
        invocation(provision_naively(world)).await;
    };
    let found = explore(
        "naive provisioning",
        "naive",
        Disturbance::ALL,
        async || (World::start().await, ()),
        run,
        run,
        async |world: &World, (): &()| match world.open_subaccounts() {
            1 => Vec::new(),
            other => vec![format!("{other} open subaccounts")],
        },
    )
    .await;
    assert_eq!(found.explored, found.expected);
    assert_eq!(found.requests.len(), 4, "{:?}", found.requests);
    // Wherever it dies between the create's effect and its own note that all is done, and more.
    let single = |violation: &&String| !violation.contains('+') && !violation.contains('/');
    let killed = found.violations.iter().filter(single);
    let killed = killed.filter(|violation| violation.contains("@Killed"));
    assert_eq!(killed.count(), 4, "{:#?}", found.violations);
    assert!(found.violations.len() > 20, "{:#?}", found.violations);
}

/// The lines of one schedule, which a violation names.
fn replay_of(violation: &str) -> (&str, &str) {
    let line = violation.split("TOLLGATE_REPLAY='").nth(1).unwrap();
    let (replay, command) = line.split_once('\'').unwrap();
    (replay, command.trim())
}

#[tokio::test]
async fn explorer_a_violation_prints_the_line_that_plays_it_again() {
    let found = explore(
        "a broken promise",
        "naive",
        Disturbance::KILLED,
        async || (World::start().await, ()),
        async |world: &World, (): &()| {
            invocation(provision_naively(world)).await;
        },
        async |_: &World, (): &()| {},
        async |world: &World, (): &()| match world.open_subaccounts() {
            1 => Vec::new(),
            other => vec![format!("{other} open subaccounts")],
        },
    )
    .await;
    let lines: Vec<_> = found.violations.iter().map(|one| replay_of(one)).collect();
    let test = "cargo test -p tests api::crashes::explorer_a_violation_prints_the_line_that_plays_it_again";
    let expected = ["KilledBefore:1", "KilledAfter:1", "KilledBefore:2"]
        .map(|schedule| format!("a broken promise@{schedule}"));
    let shown: Vec<_> = lines
        .iter()
        .map(|(replay, _)| (*replay).to_owned())
        .collect();
    assert_eq!(shown, expected);
    assert!(
        lines.iter().all(|(_, command)| *command == test),
        "{lines:?}"
    );
}

#[tokio::test]
async fn explorer_two_requests_with_one_key_in_any_order_make_one_tenant() {
    let found = explore_together(
        "one sign-up twice",
        before_sign_up,
        sign_up,
        sign_up,
        time_passes_and_the_client_asks_again,
        one_tenant_in_service,
    );
    found.await.assert_sound();
}

#[tokio::test]
async fn explorer_two_timers_of_one_tenant_in_any_order_provision_it_once() {
    let ring = async |world: &World, _: &Value| {
        let tenants = world.items("tenants");
        let key = tenants
            .iter()
            .filter_map(|row| row["pk"]["S"].as_str())
            .find_map(|key| key.strip_prefix("T#"))
            .unwrap();
        let command = json!({ "tenant_id": key, "cause": "timer" });
        drop(world.deliver("provisioning", &command).await);
    };
    let found = explore_together(
        "two timers",
        async || {
            let (world, body) = half_provisioned().await;
            // The first run's lease is over.
            world.stack.clock.advance(Duration::from_mins(2));
            (world, body)
        },
        ring,
        ring,
        time_passes_and_the_client_asks_again,
        one_tenant_in_service,
    );
    found.await.assert_sound();
}

#[tokio::test]
async fn explorer_one_payment_told_twice_in_any_order_is_booked_once() {
    let pay = async |world: &World, tenant: &String, key: &str| {
        let path = format!("/v1/tenants/{tenant}/top-ups");
        let body = json!({ "amount": "50", "reference": "inv-1" });
        world.post_as(&path, key, &body).await;
    };
    let found = explore_together(
        "one payment twice",
        in_service,
        async |world: &World, tenant: &String| pay(world, tenant, "pay-1").await,
        async |world: &World, tenant: &String| pay(world, tenant, "pay-1").await,
        async |world: &World, tenant: &String| pay(world, tenant, "pay-1").await,
        async |world: &World, tenant: &String| {
            let mut wrong = world.tenant_violations(tenant).await;
            let shown = world.get(&format!("/v1/tenants/{tenant}")).await;
            if shown.body["balance"] != "50" {
                wrong.push(format!("the balance is {}", shown.body["balance"]));
            }
            wrong
        },
    );
    found.await.assert_sound();
}
