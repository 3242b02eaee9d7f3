//! Migrations disturbed at every request: a number is in one subaccount and our row agrees, one key is handed
//! over, and it is announced once.

use domain::ids::{AccountSid, PhoneNumberSid};
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::json;
use tests::explorer::explore_singles;
use tests::{Tenant, World};

use super::migrations::{ONE, TWO, act, filed, shown, states, until_it_goes_on, world};
use super::splits::{Shared, ready_to_split, shared};
use super::support::{ask, holder, number_from_nowhere};

/// A migration that is about to go on, and what its number must come to.
struct Case {
    id: String,
    tenant: Tenant,
    /// Numbers, and the account that must hold them in the end.
    numbers: Vec<String>,
    end: String,
    /// How many numbers end so, and how.
    states: Vec<&'static str>,
    keys: usize,
}

async fn about_to_arrive() -> (World, Case) {
    let world = world().await;
    let tenant = world.tenant("Acme", "50").await;
    world.pass(SignedDuration::from_mins(10)).await;
    let id = filed(&world, &tenant).await;
    let mut numbers = Vec::new();
    for number in [ONE, TWO] {
        let number = json!({ "phone_number": number });
        numbers.push(
            number_from_nowhere(&world, &tenant.account_sid, number)
                .await
                .0,
        );
    }
    until_it_goes_on(&world, &id).await;
    let case = Case {
        id,
        end: tenant.account_sid.clone(),
        tenant,
        numbers,
        states: vec!["live", "live"],
        keys: 1,
    };
    (world, case)
}

async fn about_to_hand_over() -> (World, Case) {
    let (world, case) = about_to_arrive().await;
    ten_minutes(&world, &case).await;
    assert_eq!(
        states(&shown(&world, &case.id).await),
        ["configured", "configured"]
    );
    (world, case)
}

async fn about_to_split() -> (World, Case) {
    let world = world().await;
    let shared = shared(&world).await;
    world.pass(SignedDuration::from_mins(10)).await;
    let id = ready_to_split(&world, &shared).await;
    let Shared { one, numbers, .. } = shared;
    let [number, _] = numbers;
    let case = Case {
        id,
        end: one.account_sid.clone(),
        tenant: one,
        numbers: vec![number],
        states: vec!["live"],
        keys: 1,
    };
    (world, case)
}

async fn about_to_roll_back() -> (World, Case) {
    let (world, case) = about_to_split().await;
    cut_over(&world, &case).await;
    let former = shown(&world, &case.id).await.text("/losing_account_sid");
    let case = Case {
        end: former,
        states: vec!["rolled_back"],
        keys: 0,
        ..case
    };
    (world, case)
}

async fn ten_minutes(world: &World, _: &Case) {
    world.pass(SignedDuration::from_mins(10)).await;
}

async fn hand_over(world: &World, case: &Case) {
    act(world, &case.id, "credentials", &json!({})).await;
}

async fn cut_over(world: &World, case: &Case) {
    act(world, &case.id, "requested", &json!({})).await;
}

async fn roll_back(world: &World, case: &Case) {
    act(
        world,
        &case.id,
        "rollback",
        &json!({ "reason": "it breaks" }),
    )
    .await;
}

/// What the real world does then: time passes, and people repeat what was not answered.
async fn finish(world: &World, case: &Case) {
    for _ in 0..4 {
        world.pass(SignedDuration::from_mins(30)).await;
    }
    for name in ["credentials", "live"] {
        let answer = act(world, &case.id, name, &json!({})).await;
        let is_done = answer.status < 300 || answer.code() == "credentials_issued";
        assert!(is_done, "{name}: {answer:?}");
    }
    world.stack.settle().await;
}

async fn finish_split(world: &World, case: &Case) {
    let moved = act(world, &case.id, "requested", &json!({})).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    finish(world, case).await;
}

async fn finish_rollback(world: &World, case: &Case) {
    let back = act(
        world,
        &case.id,
        "rollback",
        &json!({ "reason": "it breaks" }),
    )
    .await;
    assert!(
        back.status == 200 || back.code() == "migration_not_ready",
        "{back:?}"
    );
    for _ in 0..4 {
        world.pass(SignedDuration::from_mins(30)).await;
    }
}

async fn moved_once(world: &World, case: &Case) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    let migration = shown(world, &case.id).await;
    let states = states(&migration);
    must(states == case.states, format!("the numbers are {states:?}"));
    let end = AccountSid::parse(&case.end).unwrap();
    for sid in &case.numbers {
        let held = holder(world, sid).await;
        must(held == case.end, format!("a number is in {held:?}"));
        let record = world
            .store()
            .number(&PhoneNumberSid::parse(sid).unwrap())
            .await;
        let record = record.unwrap().unwrap();
        let holding = record.holding().map(|holding| &holding.account_sid);
        must(holding == Some(&end), format!("our row says {holding:?}"));
        must(record.order.is_none(), "the number is locked".to_owned());
    }
    let issued = world
        .get(&format!("/v1/tenants/{}/api-keys", case.tenant.id))
        .await;
    let issued = issued.body["api_keys"].as_array().unwrap().clone();
    let recorded: Vec<&str> = issued
        .iter()
        .filter(|key| key["revoked_at"].is_null())
        .map(|key| key["sid"].as_str().unwrap())
        .collect();
    let handed = issued
        .iter()
        .filter(|key| key["name"].as_str().unwrap().contains("migration"))
        .count();
    must(
        handed == case.keys,
        format!("{handed} keys were handed over"),
    );
    let at_twilio = world.keys_at_twilio(&case.tenant.account_sid);
    let is_known =
        recorded.len() == at_twilio.len() && recorded.iter().all(|sid| at_twilio.contains(*sid));
    must(
        is_known,
        format!("{recorded:?} are recorded, {at_twilio:?} at Twilio"),
    );
    let events = world
        .event_ids(&case.tenant.id, "credentials.replaced")
        .len();
    must(
        events == case.keys,
        format!("{events} events credentials.replaced"),
    );
    wrong
}

#[tokio::test]
async fn explorer_numbers_that_arrive_are_recorded_and_configured_once() {
    let arrival = explore_singles(
        "migration, arrival",
        "provisioning",
        about_to_arrive,
        ten_minutes,
        finish,
        moved_once,
    );
    arrival.await.assert_sound();
}

#[tokio::test]
async fn explorer_a_key_is_handed_over_once() {
    let handed = explore_singles(
        "migration, credentials",
        "provisioning",
        about_to_hand_over,
        hand_over,
        finish,
        moved_once,
    );
    handed.await.assert_sound();
}

#[tokio::test]
async fn explorer_a_split_moves_its_numbers_once() {
    let split = explore_singles(
        "migration, split",
        "provisioning",
        about_to_split,
        cut_over,
        finish_split,
        moved_once,
    );
    split.await.assert_sound();
}

#[tokio::test]
async fn explorer_a_rollback_brings_its_numbers_back_once() {
    let back = explore_singles(
        "migration, rollback",
        "provisioning",
        about_to_roll_back,
        roll_back,
        finish_rollback,
        moved_once,
    );
    back.await.assert_sound();
}

/// An acceptance that was cut off is found again by its key, with one tenant and one subaccount.
#[tokio::test]
async fn explorer_a_migration_is_accepted_once_with_the_subaccount_made_for_it() {
    let accepted = explore_singles(
        "migration, acceptance",
        "provisioning",
        async || {
            let world = world().await;
            let plan = world.plan(0).await;
            let losing = world.simulate("/foreign_accounts", &json!({})).await;
            let body = json!({
                "kind": "external", "client": { "name": "Acme", "plan_id": plan },
                "client_email": "owner@acme.example", "account_sid": losing.text("/sid"),
                "numbers": [{ "phone_number": ONE }],
            });
            (world, body)
        },
        async |world, body| {
            world.post_as("/v1/migrations", "move", body).await;
        },
        async |world, body| {
            for _ in 0..3 {
                world.pass(SignedDuration::from_mins(10)).await;
                let again = world.post_as("/v1/migrations", "move", body).await;
                assert_eq!(again.status, 201, "{again:?}");
            }
        },
        async |world, _| {
            let mut wrong = Vec::new();
            let list = world.get("/v1/migrations").await;
            let all = list.body["migrations"].as_array().unwrap().clone();
            if all.len() != 1 || all[0]["state"] != "preflight_ok" {
                wrong.push(format!("migrations: {all:?}"));
            }
            if world.open_subaccounts() != 1 {
                wrong.push(format!("{} subaccounts", world.open_subaccounts()));
            }
            wrong
        },
    );
    accepted.await.assert_sound();
}

/// Naming members that was cut off is repeated, and says the same.
#[tokio::test]
async fn explorer_members_are_named_once() {
    let named = explore_singles(
        "shared subaccount, members",
        "provisioning",
        async || {
            let world = world().await;
            let tenant = world.tenant("One", "50").await;
            world.pass(SignedDuration::from_mins(10)).await;
            let account_sid = world.make_subaccount("Everybody's").await;
            let number = json!({ "phone_number": ONE });
            let (sid, _) = number_from_nowhere(&world, &account_sid, number).await;
            (world, (tenant, account_sid, sid))
        },
        async |world, (tenant, account_sid, _)| {
            let members = json!({ "members": { tenant.id.clone(): [ONE] } });
            let place = format!("/v1/shared-subaccounts/{account_sid}");
            ask(world, Method::PUT, &place, &members).await;
        },
        async |world, (tenant, account_sid, _)| {
            let members = json!({ "members": { tenant.id.clone(): [ONE] } });
            let place = format!("/v1/shared-subaccounts/{account_sid}");
            let again = ask(world, Method::PUT, &place, &members).await;
            assert_eq!(again.status, 200, "{again:?}");
        },
        async |world, (tenant, account_sid, sid)| {
            let sid = PhoneNumberSid::parse(sid).unwrap();
            let record = world.store().number(&sid).await.unwrap().unwrap();
            let is_so = record.holdings.len() == 1
                && record.holdings[0].account_sid.as_str() == account_sid
                && record.holdings[0]
                    .tenant
                    .as_ref()
                    .map(domain::ids::TenantId::as_str)
                    == Some(tenant.id.as_str());
            let wrong = (!is_so).then(|| format!("{:?}", record.holdings));
            wrong.into_iter().collect()
        },
    );
    named.await.assert_sound();
}
