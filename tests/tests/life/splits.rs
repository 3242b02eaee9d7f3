//! Numbers come out of a subaccount that several tenants share, and usage is charged to who held them then.

use domain::Decimal;
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::json;
use tests::{Tenant, World};

use super::migrations::{ONE, TWO, VOICE, act, shown, states, world};
use super::support::{ask, holder, number_from_nowhere, path};

/// A subaccount that two tenants share, each with a number there; the numbers' SIDs.
pub(super) struct Shared {
    pub(super) account_sid: String,
    pub(super) one: Tenant,
    pub(super) two: Tenant,
    pub(super) numbers: [String; 2],
}

pub(super) async fn shared(world: &World) -> Shared {
    let one = world.tenant("One", "50").await;
    let two = world.tenant("Two", "50").await;
    let account_sid = world.make_subaccount("Everybody's").await;
    let number = |number: &str| json!({ "phone_number": number });
    let (first, _) = number_from_nowhere(world, &account_sid, number(ONE)).await;
    let (second, _) = number_from_nowhere(world, &account_sid, number(TWO)).await;
    let members = json!({ "members": { one.id.clone(): [ONE], two.id.clone(): [TWO] } });
    let place = format!("/v1/shared-subaccounts/{account_sid}");
    for _ in 0..2 {
        let saved = ask(world, Method::PUT, &place, &members).await;
        assert_eq!(saved.status, 200, "{saved:?}");
    }
    Shared {
        account_sid,
        one,
        two,
        numbers: [first, second],
    }
}

/// A split of the first member, ready to be cut over; its id.
pub(super) async fn ready_to_split(world: &World, shared: &Shared) -> String {
    let body = json!({ "kind": "split", "account_sid": shared.account_sid, "tenant_id": shared.one.id,
        "urls": { "voice_url": VOICE } });
    let made = world.post("/v1/migrations", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(states(&made), ["preflight_ok"], "{made:?}");
    made.text("/id")
}

#[tokio::test]
async fn a_dry_run_says_what_a_split_would_move_and_moves_nothing() {
    let world = world().await;
    let shared = shared(&world).await;
    let (stray, number) = number_from_nowhere(&world, &shared.account_sid, json!({})).await;
    let listed = world.get("/v1/shared-subaccounts").await;
    assert_eq!(
        listed.text("/shared_subaccounts/0/account_sid"),
        shared.account_sid
    );
    let found = world
        .get(&format!("/v1/shared-subaccounts/{}", shared.account_sid))
        .await;
    assert_eq!(found.body["unattributed"], json!([number]), "{found:?}");
    let unowned = world.get("/v1/subaccounts/unowned").await;
    assert_eq!(unowned.body["subaccounts"], json!([]), "{unowned:?}");
    let body = json!({ "kind": "split", "account_sid": shared.account_sid, "dry_run": true,
        "whatsapp_senders": [TWO] });
    let dry = world.post("/v1/migrations", &body).await;
    assert_eq!(dry.status, 200, "{dry:?}");
    let members = dry.body["members"].as_array().unwrap();
    let of = |tenant: &Tenant| {
        let mut all = members.iter();
        all.find(|member| member["tenant_id"] == json!(tenant.id))
            .unwrap()
    };
    assert_eq!(of(&shared.one)["numbers"][0]["obstacles"], "");
    assert_eq!(
        of(&shared.two)["numbers"][0]["obstacles"],
        "whatsapp_sender"
    );
    assert_eq!(dry.body["numbers_left_behind"], json!([number]));
    for sid in [&shared.numbers[0], &shared.numbers[1], &stray] {
        assert_eq!(holder(&world, sid).await, shared.account_sid);
    }
    let none = world.get("/v1/migrations").await;
    assert_eq!(none.body["migrations"], json!([]));
}

#[tokio::test]
async fn a_shared_subaccount_is_nobodys_and_a_tenants_own_is_not_shared() {
    let world = world().await;
    let shared = shared(&world).await;
    let members = json!({ "members": { shared.one.id.clone(): [] } });
    let own = format!("/v1/shared-subaccounts/{}", shared.one.account_sid);
    let refused = ask(&world, Method::PUT, &own, &members).await;
    assert_eq!(refused.code(), "subaccount_owned", "{refused:?}");
    let place = format!("/v1/shared-subaccounts/{}", shared.account_sid);
    let twice =
        json!({ "members": { shared.one.id.clone(): [ONE], shared.two.id.clone(): [ONE] } });
    let twice = ask(&world, Method::PUT, &place, &twice).await;
    assert_eq!(twice.code(), "migration_invalid", "{twice:?}");
    let other = world.make_subaccount("Another").await;
    let absent = json!({ "members": { shared.one.id.clone(): ["+12125550199"] } });
    let absent = ask(
        &world,
        Method::PUT,
        &format!("/v1/shared-subaccounts/{other}"),
        &absent,
    )
    .await;
    assert_eq!(absent.code(), "number_not_found", "{absent:?}");
    let stranger = json!({ "kind": "split", "account_sid": other, "tenant_id": shared.one.id });
    let stranger = world.post("/v1/migrations", &stranger).await;
    assert_eq!(
        stranger.code(),
        "shared_subaccount_not_found",
        "{stranger:?}"
    );
}

#[tokio::test]
async fn a_member_gets_its_own_subaccount_with_its_number_key_and_history() {
    let world = world().await;
    let shared = shared(&world).await;
    let id = ready_to_split(&world, &shared).await;
    // The platform has the key before the numbers move.
    let handed = act(&world, &id, "credentials", &json!({})).await;
    assert_eq!(handed.text("/former_account_sid"), shared.account_sid);
    world.pass(SignedDuration::from_mins(30)).await;
    assert_eq!(holder(&world, &shared.numbers[0]).await, shared.account_sid);
    let moved = act(&world, &id, "requested", &json!({})).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    let cut_over_at = moved.text("/cut_over_at");
    world.pass(SignedDuration::from_mins(15)).await;
    assert_eq!(states(&shown(&world, &id).await), ["configured"]);
    assert_eq!(
        holder(&world, &shared.numbers[0]).await,
        shared.one.account_sid
    );
    assert_eq!(holder(&world, &shared.numbers[1]).await, shared.account_sid);
    let number = path(&shared.one, &format!("/numbers/{}", shared.numbers[0]));
    let number = world.get(&number).await;
    assert_eq!(number.text("/voice_url"), VOICE);
    let history = number.body["history"].as_array().unwrap();
    assert_eq!(history.len(), 2, "{number:?}");
    assert_eq!(history[0]["account_sid"], json!(shared.account_sid));
    assert_eq!(history[0]["until"], history[1]["from"]);
    assert_eq!(
        history[1]["from"].as_str().unwrap()[..16],
        cut_over_at[..16]
    );
    assert!(
        history
            .iter()
            .all(|held| held["tenant_id"] == json!(shared.one.id))
    );
    let live = act(&world, &id, "live", &json!({})).await;
    assert_eq!(states(&live), ["live"], "{live:?}");
    assert_eq!(
        world
            .event_ids(&shared.one.id, "credentials.replaced")
            .len(),
        1
    );
    assert!(
        world.failed_invocations().is_empty(),
        "{:?}",
        world.failed_invocations()
    );
}

#[tokio::test]
async fn a_number_in_a_call_is_not_cut_over_until_a_person_accepts_it() {
    let world = world().await;
    let shared = shared(&world).await;
    let id = ready_to_split(&world, &shared).await;
    let call = json!({ "account_sid": shared.account_sid, "from": ONE, "duration_s": 86_400, "outcome": "completed" });
    world.simulate("/calls", &call).await;
    world.pass(SignedDuration::from_mins(2)).await;
    let stopped = act(&world, &id, "requested", &json!({})).await;
    assert_eq!(states(&stopped), ["blocked"], "{stopped:?}");
    assert_eq!(stopped.text("/numbers/0/reason"), "number_in_call");
    assert_eq!(holder(&world, &shared.numbers[0]).await, shared.account_sid);
    let again = act(&world, &id, "requested", &json!({})).await;
    assert_eq!(again.code(), "migration_not_ready", "{again:?}");
    let accepted = act(
        &world,
        &id,
        "preflight",
        &json!({ "accept_live_calls": true }),
    )
    .await;
    assert_eq!(states(&accepted), ["preflight_ok"], "{accepted:?}");
    let moved = act(&world, &id, "requested", &json!({})).await;
    assert_eq!(states(&moved), ["configured"], "{moved:?}");
}

#[tokio::test]
async fn a_split_is_rolled_back_and_the_number_announces_where_it_did() {
    let world = world().await;
    let shared = shared(&world).await;
    let (token, place) = (
        world.stack.main_credentials(),
        format!(
            "/2010-04-01/Accounts/{}/IncomingPhoneNumbers/{}.json",
            shared.account_sid, shared.numbers[0]
        ),
    );
    let form = [
        ("SmsUrl", "https://old.example/sms"),
        ("VoiceUrl", "https://old.example/voice"),
    ];
    world
        .twilio((&token.0, &token.1), Method::POST, &place, &form)
        .await;
    let id = ready_to_split(&world, &shared).await;
    let early = json!({ "reason": "never moved" });
    let early = act(&world, &id, "rollback", &early).await;
    assert_eq!(early.code(), "migration_not_ready", "{early:?}");
    let moved = act(&world, &id, "requested", &json!({})).await;
    assert_eq!(states(&moved), ["configured"], "{moved:?}");
    let own = world.get(&path(&shared.one, "/numbers")).await;
    assert_eq!(own.text("/numbers/0/sms_url"), "https://old.example/sms");
    world.pass(SignedDuration::from_mins(30)).await;
    let back = act(
        &world,
        &id,
        "rollback",
        &json!({ "reason": "their app breaks" }),
    )
    .await;
    assert_eq!(states(&back), ["rolled_back"], "{back:?}");
    assert_eq!(holder(&world, &shared.numbers[0]).await, shared.account_sid);
    let number = world
        .twilio((&token.0, &token.1), Method::GET, &place, &[])
        .await;
    assert_eq!(number.text("/voice_url"), "https://old.example/voice");
    let again = act(&world, &id, "rollback", &json!({ "reason": "twice" })).await;
    assert_eq!(again.body, back.body);
    // The member can be split again, as a new migration.
    let id = ready_to_split(&world, &shared).await;
    let moved = act(&world, &id, "requested", &json!({})).await;
    assert_eq!(states(&moved), ["configured"], "{moved:?}");
}

/// What a tenant used of a category costs, as it is booked.
async fn cost_of(world: &World, tenant: &Tenant, category: &str) -> String {
    let report = path(tenant, "/usage?from=2026-03-01&to=2026-03-10&by=category");
    let report = world.get(&report).await;
    assert_eq!(report.status, 200, "{report:?}");
    let mut rows = report.body["rows"].as_array().unwrap().iter();
    let row = rows.find(|row| row["category"] == json!(category));
    row.map_or_else(
        || "0".to_owned(),
        |row| row["cost"].as_str().unwrap().to_owned(),
    )
}

/// What Twilio takes for the calls, or messages, of an account's number.
async fn price(world: &World, account_sid: &str, list: &str, from: &str) -> Decimal {
    let main = world.stack.main_credentials();
    let from = from.replace('+', "%2B");
    let place = format!("/2010-04-01/Accounts/{account_sid}/{list}.json?From={from}");
    let listed = world
        .twilio((&main.0, &main.1), Method::GET, &place, &[])
        .await;
    let key = list.to_lowercase();
    let rows = listed.body[key.as_str()].as_array().unwrap().clone();
    assert!(!rows.is_empty(), "{listed:?}");
    let prices = rows.iter().map(|row| row["price"].as_str().unwrap());
    prices.map(|price| -price.parse::<Decimal>().unwrap()).sum()
}

#[tokio::test]
async fn usage_before_the_cut_over_is_charged_by_number_and_after_it_by_subaccount() {
    let world = world().await;
    let shared = shared(&world).await;
    let call = |from: &str, account: &str| json!({ "account_sid": account, "from": from, "duration_s": 90, "outcome": "completed" });
    let message = json!({ "account_sid": shared.account_sid, "from": TWO, "outcome": "delivered" });
    world
        .simulate("/calls", &call(ONE, &shared.account_sid))
        .await;
    world
        .simulate("/calls", &call(ONE, &shared.account_sid))
        .await;
    world.simulate("/messages", &message).await;
    world.pass(SignedDuration::from_hours(30)).await;
    for tenant in [&shared.one, &shared.two] {
        world.pull(tenant).await;
        world.pull(tenant).await;
    }
    let calls = price(&world, &shared.account_sid, "Calls", ONE).await;
    let messages = price(&world, &shared.account_sid, "Messages", TWO).await;
    assert!(calls > Decimal::ZERO && messages > Decimal::ZERO);
    let outbound = "calls-outbound";
    assert_eq!(
        cost_of(&world, &shared.one, outbound).await,
        calls.normalize().to_string()
    );
    assert_eq!(cost_of(&world, &shared.one, "sms-outbound").await, "0");
    assert_eq!(cost_of(&world, &shared.two, outbound).await, "0");
    let sms = cost_of(&world, &shared.two, "sms-outbound").await;
    assert_eq!(sms, messages.normalize().to_string());

    let id = ready_to_split(&world, &shared).await;
    let moved = act(&world, &id, "requested", &json!({})).await;
    assert_eq!(states(&moved), ["configured"], "{moved:?}");
    world
        .simulate("/calls", &call(ONE, &shared.one.account_sid))
        .await;
    world.pass(SignedDuration::from_hours(50)).await;
    world.pull(&shared.one).await;
    let after = price(&world, &shared.one.account_sid, "Calls", ONE).await;
    let both = (calls + after).normalize().to_string();
    assert_eq!(cost_of(&world, &shared.one, outbound).await, both);
    let verified = act(&world, &id, "verify", &json!({})).await;
    assert_eq!(verified.body["verification"]["ok"], true, "{verified:?}");
    let checks = verified.body["verification"]["checks"].as_array().unwrap();
    for what in ["usage_before", "usage_after", "traffic_in_former_account"] {
        assert!(
            checks.iter().any(|check| check["what"] == what),
            "{what}: {verified:?}"
        );
    }
    let ledger = world.get(&path(&shared.one, "/ledger/verify")).await;
    assert_eq!(ledger.body["differences_count"], 0, "{ledger:?}");
    assert!(
        world.failed_invocations().is_empty(),
        "{:?}",
        world.failed_invocations()
    );
}

#[tokio::test]
async fn what_a_shared_subaccount_used_without_a_number_is_unattributed_and_told_of() {
    let world = world().await;
    let shared = shared(&world).await;
    let call = json!({ "account_sid": shared.account_sid, "from": ONE, "duration_s": 90, "outcome": "completed" });
    world.simulate("/calls", &call).await;
    let day: domain::Date = "2026-03-01".parse().unwrap();
    let sim = &world.stack.sim;
    let set = sim.revise_usage(
        &shared.account_sid,
        day,
        "nobody-knows-this",
        "3",
        None,
        None,
    );
    set.expect("usage is set");
    world.pass(SignedDuration::from_hours(54)).await;
    for tenant in [&shared.one, &shared.two] {
        world.pull(tenant).await;
    }
    let calls = price(&world, &shared.account_sid, "Calls", ONE).await;
    let main = world.stack.main_credentials();
    let total = format!(
        "/2010-04-01/Accounts/{}/Usage/Records/Daily.json?Category=totalprice&StartDate={day}&EndDate={day}",
        shared.account_sid
    );
    let total = world
        .twilio((&main.0, &main.1), Method::GET, &total, &[])
        .await;
    let total: Decimal = total.text("/usage_records/0/price").parse().unwrap();
    assert!(total >= calls + Decimal::from(3), "{total}");
    let range = json!({ "from": day, "to": day, "reason": "test" });
    let asked = ask(&world, Method::POST, "/v1/reconciliation", &range).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    world.pass(SignedDuration::from_mins(15)).await;
    let found = format!("/v1/reconciliation/variances?from={day}&to={day}&state=open");
    let found = world.get(&found).await;
    let variances = found.body["variances"].as_array().unwrap();
    assert_eq!(variances.len(), 1, "{found:?}");
    assert_eq!(found.text("/variances/0/cause"), "unattributed");
    let difference = (total - calls).normalize().to_string();
    assert_eq!(found.text("/variances/0/difference"), difference);
}
