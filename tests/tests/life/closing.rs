//! A tenant is closed in an order that loses nothing: calls, usage, numbers, statement, money, history, and
//! only then the subaccount.

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use tests::explorer::{Disturbance, Saga, explore_saga};
use tests::{Answer, Tenant, World};

use super::support::{ask, holder, number_from_nowhere, path};

/// A tenant with a number, some usage and money left.
async fn tenant_with_a_number() -> (World, Tenant, String) {
    let world = World::start().await;
    let (tenant, sid) = with_a_number(&world).await;
    (world, tenant, sid)
}

async fn with_a_number(world: &World) -> (Tenant, String) {
    let tenant = world.tenant("Acme", "50").await;
    let (sid, _) = number_from_nowhere(world, &tenant.account_sid, json!({})).await;
    world.use_today(&tenant, "sms-outbound-longcode", "4");
    world.pull(&tenant).await;
    (tenant, sid)
}

async fn close(world: &World, tenant: &Tenant, more: Value) -> Answer {
    let mut body = json!({ "reason": "contract ended", "confirm": "Acme" });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    ask(world, Method::POST, &path(tenant, "/close"), &body).await
}

fn at_twilio(world: &World, tenant: &Tenant) -> String {
    let accounts = world.stack.sim.accounts().into_iter();
    let own = accounts.filter(|account| account.sid == tenant.account_sid);
    own.map(|account| account.status.to_string())
        .next()
        .unwrap_or_default()
}

/// Day after day, so that daily turns come.
async fn days(world: &World, days: i64) {
    for _ in 0..days * 24 {
        world.pass(SignedDuration::from_hours(1)).await;
    }
}

#[tokio::test]
async fn v13_a_close_with_numbers_is_refused_until_each_is_rescued_or_released() {
    let (world, tenant, sid) = tenant_with_a_number().await;
    let refused = close(&world, &tenant, json!({})).await;
    assert_eq!(
        (refused.status, refused.code()),
        (409, "numbers_remain"),
        "{refused:?}"
    );
    assert_eq!(holder(&world, &sid).await, tenant.account_sid);
    assert_eq!(world.show(&tenant).await.body["lifecycle"], "active");
}

#[tokio::test]
async fn the_name_is_typed_back_and_a_dry_run_shows_what_would_happen() {
    let (world, tenant, sid) = tenant_with_a_number().await;
    world.call(&tenant, 86_400).await;
    for confirm in [Value::Null, json!("acme")] {
        let refused = close(
            &world,
            &tenant,
            json!({ "confirm": confirm, "rescue_numbers": true }),
        )
        .await;
        assert_eq!(
            (refused.status, refused.code()),
            (409, "confirmation_missing")
        );
    }
    let dry = close(
        &world,
        &tenant,
        json!({ "dry_run": true, "rescue_numbers": true }),
    )
    .await;
    assert_eq!(dry.status, 200, "{dry:?}");
    assert_eq!(dry.body["live_calls_ended"], 1);
    let own = dry.body["numbers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|number| number["sid"] == json!(sid))
        .unwrap();
    assert_eq!(own["plan"], "rescue");
    assert_eq!(
        (dry.text("/balance"), dry.text("/refund")),
        ("44".to_owned(), "44".to_owned())
    );
    assert_eq!(world.show(&tenant).await.body["lifecycle"], "active");
    assert_eq!(world.live_calls(&tenant).len(), 1);
}

#[tokio::test]
async fn a_tenant_is_closed_with_its_numbers_rescued_its_money_paid_back_and_its_history_archived()
{
    let (world, tenant, sid) = tenant_with_a_number().await;
    world.call(&tenant, 86_400).await;
    let accepted = close(&world, &tenant, json!({ "rescue_numbers": true })).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    world.pass(SignedDuration::from_mins(10)).await;
    // Silent at once, but nothing has left yet: usage settles for three days.
    assert!(world.live_calls(&tenant).is_empty());
    assert_eq!(at_twilio(&world, &tenant), "suspended");
    assert_eq!(holder(&world, &sid).await, tenant.account_sid);
    world.pass(SignedDuration::from_hours(60)).await;
    assert_eq!(holder(&world, &sid).await, tenant.account_sid);
    days(&world, 2).await;

    let shown = world.show(&tenant).await;
    assert_eq!(
        (shown.text("/lifecycle"), shown.text("/status")),
        ("closed".to_owned(), "closed".to_owned()),
        "{shown:?}"
    );
    assert_eq!(at_twilio(&world, &tenant), "closed");
    assert_eq!(holder(&world, &sid).await, world.stack.main_credentials().0);
    assert_eq!(shown.text("/balance"), "0");
    let statements = world.get(&path(&tenant, "/statements")).await;
    let stated = statements.body["statements"].as_array().unwrap();
    assert_eq!(stated.len(), 1, "{statements:?}");
    assert!(stated[0]["number"].is_string(), "{statements:?}");
    let objects = world.stack.aws.objects();
    let kinds: Vec<&str> = objects
        .keys()
        .filter_map(|key| key.rsplit('/').nth(1))
        .collect();
    assert_eq!(kinds, ["calls", "usage"], "{:?}", objects.keys());
    let usage = objects
        .iter()
        .find(|(key, _)| key.contains("/usage/"))
        .unwrap()
        .1;
    let line: Value =
        serde_json::from_slice(usage.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    assert!(line["charge"].is_string(), "{line}");
    // The token can be restored for thirty days, and nobody can use it.
    let secret = json!({ "SecretId": format!("tollgate/local/twilio/{}", tenant.account_sid) });
    assert!(
        world
            .stack
            .aws
            .inspect("secretsmanager.GetSecretValue", &secret)
            .is_err()
    );
    assert_eq!(world.event_ids(&tenant.id, "tenant.closed").len(), 1);
    let verify = world.get(&path(&tenant, "/ledger/verify")).await;
    assert_eq!(verify.status, 200, "{verify:?}");
    assert!(
        !verify.body.to_string().contains("\"ok\":false"),
        "{verify:?}"
    );
    assert!(
        world.failed_invocations().is_empty(),
        "{:?}",
        world.failed_invocations()
    );
}

#[tokio::test]
async fn a_number_that_cannot_be_rescued_blocks_the_closing_until_a_person_decides() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "50").await;
    let (sid, _) =
        number_from_nowhere(&world, &tenant.account_sid, json!({ "hosted": true })).await;
    let accepted = close(
        &world,
        &tenant,
        json!({ "rescue_numbers": true, "settle_hours": 1 }),
    )
    .await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    world.pass(SignedDuration::from_hours(2)).await;
    let shown = world.show(&tenant).await;
    assert_eq!(shown.text("/lifecycle"), "close_blocked", "{shown:?}");
    assert!(
        shown.text("/closing/blocked/0").contains("number_hosted"),
        "{shown:?}"
    );
    assert_eq!(at_twilio(&world, &tenant), "suspended");
    assert_eq!(world.event_ids(&tenant.id, "tenant.close_blocked").len(), 1);
    let again = close(&world, &tenant, json!({ "release_numbers": [sid] })).await;
    assert_eq!(again.status, 202, "{again:?}");
    days(&world, 2).await;
    assert_eq!(world.show(&tenant).await.text("/lifecycle"), "closed");
    assert_eq!(holder(&world, &sid).await, "");
}

#[tokio::test]
async fn a_closing_can_be_taken_back_while_usage_settles_and_not_later() {
    let (world, tenant, _) = tenant_with_a_number().await;
    let cancel = path(&tenant, "/close/cancel");
    let why = json!({ "reason": "they stay" });
    let early = ask(&world, Method::POST, &cancel, &why).await;
    assert_eq!((early.status, early.code()), (409, "not_closing"));
    close(&world, &tenant, json!({ "rescue_numbers": true })).await;
    world.pass(SignedDuration::from_hours(5)).await;
    assert_eq!(at_twilio(&world, &tenant), "suspended");
    let cancelled = ask(&world, Method::POST, &cancel, &why).await;
    assert_eq!(cancelled.status, 202, "{cancelled:?}");
    world.pass(SignedDuration::from_mins(15)).await;
    assert_eq!(at_twilio(&world, &tenant), "active");
    close(
        &world,
        &tenant,
        json!({ "rescue_numbers": true, "settle_hours": 0 }),
    )
    .await;
    days(&world, 2).await;
    let late = ask(&world, Method::POST, &cancel, &why).await;
    assert_eq!(
        (late.status, late.code()),
        (409, "closing_too_far"),
        "{late:?}"
    );
}

#[tokio::test]
async fn a_debt_is_written_off_when_its_tenant_goes() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "0").await;
    world.use_today(&tenant, "sms-outbound-longcode", "4");
    world.pull(&tenant).await;
    close(&world, &tenant, json!({ "settle_hours": 1 })).await;
    days(&world, 2).await;
    let shown = world.show(&tenant).await;
    assert_eq!(
        (shown.text("/lifecycle"), shown.text("/balance")),
        ("closed".to_owned(), "0".to_owned()),
        "{shown:?}"
    );
    let ledger = world.get(&path(&tenant, "/ledger")).await;
    assert!(ledger.body.to_string().contains("write_off"), "{ledger:?}");
}

/// Late in the evening, so that the last day is soon over: a minute before the settle window ends.
async fn about_to_lose_its_numbers() -> (World, (Tenant, String)) {
    let world = World::at("2026-03-01T22:10:00Z").await;
    let (tenant, sid) = with_a_number(&world).await;
    let how = json!({ "rescue_numbers": true, "settle_hours": 1 });
    close(&world, &tenant, how).await;
    world.pass(SignedDuration::from_mins(59)).await;
    (world, (tenant, sid))
}

/// The numbers are gone, the last day is read: a minute before the last statement is asked for.
async fn about_to_close() -> (World, (Tenant, String)) {
    let (world, (tenant, sid)) = about_to_lose_its_numbers().await;
    world.pass(SignedDuration::from_mins(30)).await;
    let next = world.show(&tenant).await.text("/next_action_at");
    let next: Timestamp = next.parse().expect("a moment");
    let now = world.stack.clock.now();
    world
        .pass(next.duration_since(now) - SignedDuration::from_mins(1))
        .await;
    (world, (tenant, sid))
}

async fn twenty_minutes(world: &World, _: &(Tenant, String)) {
    world.pass(SignedDuration::from_mins(20)).await;
}

async fn closed_once(world: &World, (tenant, sid): &(Tenant, String)) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    let shown = world.show(tenant).await;
    must(
        shown.body["lifecycle"] == "closed",
        format!(
            "it is {} at {}",
            shown.body["lifecycle"], shown.body["closing"]
        ),
    );
    must(
        at_twilio(world, tenant) == "closed",
        "Twilio's subaccount is open".to_owned(),
    );
    let main = world.stack.main_credentials().0;
    let held = holder(world, sid).await;
    must(held == main, format!("the number is in {held:?}"));
    must(
        shown.body["balance"] == "0",
        format!("the balance is {}", shown.body["balance"]),
    );
    let ledger = world.get(&path(tenant, "/ledger")).await;
    let entries = ledger.body["entries"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let refunds = entries
        .iter()
        .filter(|entry| entry["kind"] == "refund")
        .count();
    must(refunds == 1, format!("{refunds} refunds"));
    let closed = world.event_ids(&tenant.id, "tenant.closed").len();
    must(closed <= 1, format!("{closed} events tenant.closed"));
    let usage = world
        .stack
        .aws
        .objects()
        .keys()
        .filter(|key| key.contains("/usage/"))
        .count();
    must(usage == 1, format!("{usage} months of usage are archived"));
    wrong
}

#[tokio::test]
async fn explorer_a_closing_disturbed_at_any_request_closes_once_and_loses_nothing() {
    let numbers = explore_saga(
        Saga {
            name: "closing, numbers",
            function: "provisioning",
            disturbances: &Disturbance::ALL,
            pairs: 400,
        },
        about_to_lose_its_numbers,
        twenty_minutes,
        four_hours,
        closed_once,
    );
    numbers.await.assert_sound();
    let end = explore_saga(
        Saga {
            name: "closing, end",
            function: "provisioning",
            disturbances: &Disturbance::ALL,
            pairs: 400,
        },
        about_to_close,
        twenty_minutes,
        four_hours,
        closed_once,
    );
    end.await.assert_sound();
}

async fn four_hours(world: &World, _: &(Tenant, String)) {
    for _ in 0..16 {
        world.leap(SignedDuration::from_mins(15)).await;
    }
}

fn objects(world: &World, part: &str) -> Vec<String> {
    let objects = world.stack.aws.objects();
    let keys = objects.keys().filter(|key| key.contains(part));
    keys.cloned().collect()
}

#[tokio::test]
async fn everything_about_a_tenant_is_exported_and_after_its_end_people_are_forgotten_and_money_is_not()
 {
    let (world, tenant, _) = tenant_with_a_number().await;
    world.call(&tenant, 60).await;
    world.pass(SignedDuration::from_mins(5)).await;
    let why = json!({ "reason": "asked by the client" });
    let export = path(&tenant, "/export");
    assert_eq!(world.get(&export).await.code(), "export_not_found");
    let asked = ask(&world, Method::POST, &export, &why).await;
    assert_eq!(
        (asked.status, asked.text("/state")),
        (202, "pending".to_owned()),
        "{asked:?}"
    );
    world.pass(SignedDuration::from_mins(10)).await;
    let done = world.get(&export).await;
    assert_eq!(done.text("/state"), "done", "{done:?}");
    let exported = objects(&world, "/exports/");
    for kind in ["tenant", "ledger", "numbers", "api-keys", "usage", "calls"] {
        let found = exported
            .iter()
            .filter(|key| key.contains(&format!("/{kind}/")));
        assert_eq!(found.count(), 1, "{kind}: {exported:?}");
    }
    let ledger = exported
        .iter()
        .find(|key| key.contains("/ledger/"))
        .unwrap();
    let ledger = world.stack.aws.objects()[ledger].clone();
    let lines = String::from_utf8_lossy(&ledger).lines().count();
    assert_eq!(lines, 3, "opening, top-up, usage");
    assert_eq!(world.event_ids(&tenant.id, "tenant.exported").len(), 1);

    let erase = path(&tenant, "/erase");
    let goodbye = json!({ "reason": "asked by the client", "confirm": "Acme" });
    let early = ask(&world, Method::POST, &erase, &goodbye).await;
    assert_eq!(early.code(), "tenant_not_closed");
    close(
        &world,
        &tenant,
        json!({ "rescue_numbers": true, "settle_hours": 0 }),
    )
    .await;
    days(&world, 2).await;
    assert_eq!(world.show(&tenant).await.text("/lifecycle"), "closed");
    assert!(!objects(&world, "/calls/").is_empty());
    let unconfirmed = ask(&world, Method::POST, &erase, &why).await;
    assert_eq!(unconfirmed.code(), "confirmation_missing");
    let entries = world.get(&path(&tenant, "/ledger")).await.body;
    let erased = ask(&world, Method::POST, &erase, &goodbye).await;
    assert_eq!(
        (erased.status, erased.text("/name")),
        (200, "erased".to_owned()),
        "{erased:?}"
    );
    assert_eq!(objects(&world, "/calls/"), Vec::<String>::new());
    let row = world.show(&tenant).await.body.to_string();
    assert!(!row.contains("Acme"), "{row}");
    let keys = world
        .get(&path(&tenant, "/api-keys"))
        .await
        .body
        .to_string();
    assert!(!keys.contains("Acme"), "{keys}");
    assert_eq!(world.get(&path(&tenant, "/ledger")).await.body, entries);
    world.stack.settle().await;
    assert_eq!(world.event_ids(&tenant.id, "tenant.erased").len(), 1);
    let again = ask(&world, Method::POST, &erase, &goodbye).await;
    assert_eq!(again.status, 200, "{again:?}");
}
