//! Numbers are bought, moved and released once, whatever gets lost; what stands in the way is said before.

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};
use tests::explorer::{Disturbance, explore, explore_together};
use tests::{Tenant, World};
use twilio_sim::{FaultAction, FaultRule, Quirks, SimConfig};

use super::support::{ask, holder, number_from_nowhere, path};

async fn two_tenants() -> (World, Tenant, Tenant) {
    let world = World::start().await;
    let one = world.tenant("One", "50").await;
    let two = world.tenant("Two", "50").await;
    (world, one, two)
}

/// A number that the tenant bought through us.
async fn bought(world: &World, tenant: &Tenant) -> (String, String) {
    let search = json!({ "search": { "country": "US", "area_code": 415 } });
    let answer = ask(world, Method::POST, &path(tenant, "/numbers"), &search).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    (answer.text("/sid"), answer.text("/phone_number"))
}

#[tokio::test]
async fn a_number_is_found_bought_configured_and_listed() {
    let (world, one, two) = two_tenants().await;
    let found = world
        .get(&path(
            &one,
            "/available-numbers?country=US&area_code=415&limit=3",
        ))
        .await;
    assert_eq!(found.status, 200, "{found:?}");
    let number = found.text("/available_numbers/0/phone_number");
    assert!(number.starts_with("+1415"), "{number}");

    let body =
        json!({ "phone_number": number, "urls": { "voice_url": "https://app.example/voice" } });
    let buy = world.post_as(&path(&one, "/numbers"), "buy-1", &body).await;
    assert_eq!(buy.status, 201, "{buy:?}");
    let again = world.post_as(&path(&one, "/numbers"), "buy-1", &body).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.body, buy.body);
    let other = json!({ "phone_number": "+14155550199" });
    let other = world
        .post_as(&path(&one, "/numbers"), "buy-1", &other)
        .await;
    assert_eq!(other.code(), "idempotency_key_mismatch");

    let sid = buy.text("/sid");
    let listed = world.get(&path(&one, "/numbers")).await;
    assert_eq!(listed.body["numbers"].as_array().unwrap().len(), 1);
    assert_eq!(
        listed.text("/numbers/0/voice_url"),
        "https://app.example/voice"
    );
    // Unless the caller says otherwise, the end of calls is announced to us.
    let ours = format!("/twilio/{}/calls", one.id);
    assert!(listed.text("/numbers/0/status_callback").contains(&ours));

    let change = json!({ "sms_url": "https://app.example/sms", "friendly_name": "Front desk" });
    let changed = ask(
        &world,
        Method::PATCH,
        &path(&one, &format!("/numbers/{sid}")),
        &change,
    )
    .await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(changed.text("/sms_url"), "https://app.example/sms");
    assert_eq!(changed.text("/voice_url"), "https://app.example/voice");
    assert_eq!(changed.text("/history/0/tenant_id"), one.id);

    // Another tenant's number answers like one that does not exist.
    let absent = world.get(&path(&two, &format!("/numbers/{sid}"))).await;
    let foreign = world
        .get(&path(&two, &format!("/numbers/PN{}", "0".repeat(32))))
        .await;
    assert_eq!((absent.status, absent.body), (foreign.status, foreign.body));
}

#[tokio::test]
async fn a_number_moves_in_all_three_directions_and_its_history_says_so() {
    let (world, one, two) = two_tenants().await;
    let main = world.stack.main_credentials().0;
    let (sid, _) = bought(&world, &one).await;
    world.pass(SignedDuration::from_hours(1)).await;

    let to_two = json!({ "to": two.id });
    let moved = ask(
        &world,
        Method::POST,
        &path(&one, &format!("/numbers/{sid}/transfer")),
        &to_two,
    )
    .await;
    assert_eq!(moved.status, 200, "{moved:?}");
    assert_eq!(holder(&world, &sid).await, two.account_sid);
    world.pass(SignedDuration::from_hours(1)).await;

    let to_main = json!({ "to": "main" });
    let rescued = ask(
        &world,
        Method::POST,
        &path(&two, &format!("/numbers/{sid}/transfer")),
        &to_main,
    )
    .await;
    assert_eq!(rescued.status, 200, "{rescued:?}");
    assert_eq!(holder(&world, &sid).await, main);
    let listed = world.get("/v1/main-account/numbers").await;
    assert_eq!(listed.text("/numbers/0/sid"), sid);
    world.pass(SignedDuration::from_hours(1)).await;

    let back = format!("/v1/main-account/numbers/{sid}/transfer");
    let back = ask(&world, Method::POST, &back, &json!({ "to": one.id })).await;
    assert_eq!(back.status, 200, "{back:?}");
    let shown = world.get(&path(&one, &format!("/numbers/{sid}"))).await;
    let history = shown.body["history"].as_array().unwrap();
    let held: Vec<&Value> = history
        .iter()
        .map(|holding| &holding["tenant_id"])
        .collect();
    assert_eq!(
        held,
        [&json!(one.id), &json!(two.id), &Value::Null, &json!(one.id)]
    );
    assert!(
        history[..3]
            .iter()
            .zip(&history[1..])
            .all(|(one, next)| one["until"] == next["from"])
    );
    let former = world.get(&path(&two, "/numbers")).await;
    assert_eq!(former.text("/former/0/sid"), sid);
    world.stack.settle().await;
    assert_eq!(world.event_ids(&one.id, "number.transferred").len(), 2);
    // The gaining tenant's audit says so too.
    let audit = world.items("audit");
    let of_two = audit
        .iter()
        .filter(|row| row["pk"]["S"] == format!("T#{}", two.id));
    assert_eq!(
        of_two
            .filter(|row| row["act"]["S"] == "number.transfer")
            .count(),
        2
    );
}

#[tokio::test]
async fn voice_and_message_urls_are_pointed_elsewhere_by_the_move_itself() {
    let (world, one, two) = two_tenants().await;
    let (sid, _) = bought(&world, &one).await;
    let set =
        json!({ "voice_url": "https://one.example/voice", "sms_url": "https://one.example/sms" });
    ask(
        &world,
        Method::PATCH,
        &path(&one, &format!("/numbers/{sid}")),
        &set,
    )
    .await;
    let to_two = json!({ "to": two.id, "urls": { "voice_url": "https://two.example/voice" } });
    let moved = ask(
        &world,
        Method::POST,
        &path(&one, &format!("/numbers/{sid}/transfer")),
        &to_two,
    )
    .await;
    assert_eq!(moved.status, 200, "{moved:?}");
    let shown = world.get(&path(&two, &format!("/numbers/{sid}"))).await;
    assert_eq!(shown.text("/voice_url"), "https://two.example/voice");
    // Nothing of the former owner stays.
    assert!(
        shown.body["sms_url"]
            .as_str()
            .unwrap_or_default()
            .is_empty()
    );
    assert!(shown.text("/status_callback").contains(&two.id));
}

#[tokio::test]
async fn a_dry_run_names_every_obstacle_and_moves_nothing() {
    let (world, one, two) = two_tenants().await;
    let marks = json!({ "iso_country": "DE", "hosted": true });
    let (sid, _) = number_from_nowhere(&world, &one.account_sid, marks).await;
    let body = json!({ "to": two.id, "dry_run": true, "whatsapp_sender": true });
    let dry = ask(
        &world,
        Method::POST,
        &path(&one, &format!("/numbers/{sid}/transfer")),
        &body,
    )
    .await;
    assert_eq!(dry.status, 200, "{dry:?}");
    assert_eq!(dry.body["would_transfer"], false);
    let obstacles = dry.body["obstacles"].to_string();
    for code in ["address_required", "number_hosted", "whatsapp_sender"] {
        assert!(obstacles.contains(code), "{obstacles}");
    }
    let refused = json!({ "to": two.id, "whatsapp_sender": true });
    let refused = ask(
        &world,
        Method::POST,
        &path(&one, &format!("/numbers/{sid}/transfer")),
        &refused,
    )
    .await;
    assert_eq!((refused.status, refused.code()), (409, "number_bound"));
    assert_eq!(holder(&world, &sid).await, one.account_sid);
}

#[tokio::test]
async fn v12_a_number_that_needs_an_address_moves_once_one_is_given() {
    let (world, one, two) = two_tenants().await;
    let (sid, _) =
        number_from_nowhere(&world, &one.account_sid, json!({ "iso_country": "AU" })).await;
    let transfer = path(&one, &format!("/numbers/{sid}/transfer"));
    let bare = ask(&world, Method::POST, &transfer, &json!({ "to": two.id })).await;
    assert_eq!(
        (bare.status, bare.code()),
        (409, "number_bound"),
        "{bare:?}"
    );
    assert!(bare.text("/detail").contains("address_required"));
    assert_eq!(holder(&world, &sid).await, one.account_sid);
    let address = json!({
        "customer_name": "Two Pty", "street": "1 High Street", "city": "Sydney", "region": "NSW",
        "postal_code": "2000", "iso_country": "AU",
    });
    let given = ask(
        &world,
        Method::POST,
        &transfer,
        &json!({ "to": two.id, "address": address }),
    )
    .await;
    assert_eq!(given.status, 200, "{given:?}");
    assert_eq!(holder(&world, &sid).await, two.account_sid);
}

#[tokio::test]
async fn v12_a_whatsapp_sender_that_twilio_refuses_to_move_stays_and_can_be_asked_for_again() {
    let sim = SimConfig {
        quirks: Quirks {
            transfer_refused_with_sender: true,
            ..Quirks::none()
        },
        ..SimConfig::default()
    };
    let world = World::with(sim).await;
    let one = world.tenant("One", "50").await;
    let two = world.tenant("Two", "50").await;
    let (sid, _) =
        number_from_nowhere(&world, &one.account_sid, json!({ "whatsapp_sender": true })).await;
    let transfer = path(&one, &format!("/numbers/{sid}/transfer"));
    for _ in 0..2 {
        let refused = ask(&world, Method::POST, &transfer, &json!({ "to": two.id })).await;
        assert_eq!(
            (refused.status, refused.code()),
            (422, "twilio_rejected"),
            "{refused:?}"
        );
        assert_eq!(holder(&world, &sid).await, one.account_sid);
    }
    let shown = world.get(&path(&one, &format!("/numbers/{sid}"))).await;
    assert_eq!(shown.body["order_id"], Value::Null);
}

#[tokio::test]
async fn a_number_in_a_call_moves_only_if_that_is_accepted() {
    let (world, one, two) = two_tenants().await;
    let (sid, number) = number_from_nowhere(&world, &one.account_sid, json!({})).await;
    let call = json!({ "account_sid": one.account_sid, "from": number, "duration_s": 3_600, "outcome": "completed" });
    world.simulate("/calls", &call).await;
    world.pass(SignedDuration::from_mins(1)).await;
    let transfer = path(&one, &format!("/numbers/{sid}/transfer"));
    let refused = ask(&world, Method::POST, &transfer, &json!({ "to": two.id })).await;
    assert!(
        refused.text("/detail").contains("number_in_call"),
        "{refused:?}"
    );
    let accepted = json!({ "to": two.id, "accept_live_calls": true });
    assert_eq!(
        ask(&world, Method::POST, &transfer, &accepted).await.status,
        200
    );
}

#[tokio::test]
async fn a_release_needs_the_number_typed_back() {
    let (world, one, _) = two_tenants().await;
    let (sid, number) = bought(&world, &one).await;
    let release = path(&one, &format!("/numbers/{sid}/release"));
    for confirm in [json!({}), json!({ "confirm": sid })] {
        let refused = ask(&world, Method::POST, &release, &confirm).await;
        assert_eq!(
            (refused.status, refused.code()),
            (409, "confirmation_missing")
        );
    }
    let dry = ask(&world, Method::POST, &release, &json!({ "dry_run": true })).await;
    assert_eq!(dry.body["would_release"], true);
    assert_eq!(holder(&world, &sid).await, one.account_sid);
    let released = ask(
        &world,
        Method::POST,
        &release,
        &json!({ "confirm": number }),
    )
    .await;
    assert_eq!(released.status, 200, "{released:?}");
    assert_eq!(holder(&world, &sid).await, "");
}

#[tokio::test]
async fn v11_a_transfer_whose_answer_is_lost_ends_with_the_number_in_one_subaccount_and_our_row_agreeing()
 {
    let (world, one, two) = two_tenants().await;
    let (sid, _) = bought(&world, &one).await;
    // Twilio moves it and every answer to that request is lost.
    world.stack.sim.script_fault(FaultRule {
        method: Some("POST".to_owned()),
        path: format!("*/IncomingPhoneNumbers/{sid}.json"),
        nth: 1,
        count: 0,
        action: FaultAction::Drop { after_effect: true },
    });
    let transfer = path(&one, &format!("/numbers/{sid}/transfer"));
    let lost = world
        .post_as(&transfer, "move-1", &json!({ "to": two.id }))
        .await;
    assert_eq!(lost.status, 503, "{lost:?}");
    assert_eq!(holder(&world, &sid).await, two.account_sid);
    // Meanwhile nobody else can move it.
    let other = ask(
        &world,
        Method::POST,
        &path(&two, &format!("/numbers/{sid}/transfer")),
        &json!({ "to": "main" }),
    )
    .await;
    assert_eq!(
        (other.status, other.code()),
        (409, "number_busy"),
        "{other:?}"
    );
    world.stack.sim.clear_faults();
    world.pass(SignedDuration::from_mins(15)).await;
    let shown = world.get(&path(&two, &format!("/numbers/{sid}"))).await;
    assert_eq!(shown.text("/history/1/tenant_id"), two.id);
    assert_eq!(shown.body["order_id"], Value::Null);
    let again = world
        .post_as(&transfer, "move-1", &json!({ "to": two.id }))
        .await;
    assert_eq!(
        (again.status, again.header("idempotent-replayed")),
        (200, Some("true"))
    );
}

#[tokio::test]
async fn of_two_tenants_that_buy_the_same_number_one_gets_it() {
    let (world, one, two) = two_tenants().await;
    let body = json!({ "phone_number": "+14155550123" });
    let (first, second) = (path(&one, "/numbers"), path(&two, "/numbers"));
    let (first, second) = tokio::join!(
        ask(&world, Method::POST, &first, &body),
        ask(&world, Method::POST, &second, &body)
    );
    let mut outcomes = [first.status, second.status];
    outcomes.sort_unstable();
    assert_eq!(outcomes, [201, 409], "{first:?} {second:?}");
}

/// Numbers agree: Twilio has each in one account, and our record names that one.
async fn numbers_agree(world: &World, tenants: &[&Tenant], sid: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let store = world.store();
    let at_twilio = holder(world, sid).await;
    let number = domain::ids::PhoneNumberSid::parse(sid).unwrap();
    let record = store.number(&number).await.unwrap();
    let ours = record.as_ref().and_then(|record| record.holding());
    let ours = ours.map_or(String::new(), |holding| holding.account_sid.to_string());
    if ours != at_twilio {
        wrong.push(format!(
            "Twilio has it in {at_twilio:?}, our record in {ours:?}"
        ));
    }
    if record.is_some_and(|record| record.order.is_some()) {
        wrong.push("the number is still locked".to_owned());
    }
    for tenant in tenants {
        let id = domain::ids::TenantId::parse(&tenant.id).unwrap();
        let row = store.tenant(&id).await.unwrap().unwrap();
        if !row.open_orders.is_empty() {
            wrong.push(format!("open orders {:?}", row.open_orders));
        }
    }
    if !world.failed_invocations().is_empty() {
        wrong.push(format!("failed: {:?}", world.failed_invocations()));
    }
    wrong
}

type Moving = (Tenant, Tenant, String);

async fn before_the_move() -> (World, Moving) {
    let (world, one, two) = two_tenants().await;
    let (sid, _) = bought(&world, &one).await;
    world.pass(SignedDuration::from_mins(90)).await;
    (world, (one, two, sid))
}

async fn move_it(world: &World, (one, two, sid): &Moving) {
    let transfer = path(one, &format!("/numbers/{sid}/transfer"));
    world
        .post_as(&transfer, "move-1", &json!({ "to": two.id }))
        .await;
}

#[tokio::test]
async fn explorer_a_transfer_disturbed_at_any_request_ends_in_one_subaccount() {
    let found = explore(
        "number transfer",
        "provisioning",
        Disturbance::ALL,
        before_the_move,
        move_it,
        async |world: &World, moving: &Moving| {
            world.pass(SignedDuration::from_mins(20)).await;
            move_it(world, moving).await;
        },
        async |world: &World, (one, two, sid): &Moving| {
            let mut wrong = numbers_agree(world, &[one, two], sid).await;
            if holder(world, sid).await != two.account_sid {
                wrong.push("the number did not arrive".to_owned());
            }
            wrong
        },
    );
    found.await.assert_sound();
}

#[tokio::test]
async fn explorer_a_purchase_and_a_release_disturbed_at_any_request_happen_once() {
    async fn buy(world: &World, one: &Tenant) {
        let body = json!({ "phone_number": "+14155550142" });
        world.post_as(&path(one, "/numbers"), "buy-1", &body).await;
    }
    async fn release(world: &World, (one, sid): &(Tenant, String)) {
        let body = json!({ "confirm": "+14155550142" });
        let release = path(one, &format!("/numbers/{sid}/release"));
        world.post_as(&release, "release-1", &body).await;
    }
    let found = explore(
        "number purchase",
        "provisioning",
        Disturbance::ALL,
        async || {
            let world = World::start().await;
            let one = world.tenant("One", "50").await;
            world.pass(SignedDuration::from_mins(90)).await;
            (world, one)
        },
        buy,
        async |world: &World, one: &Tenant| {
            world.pass(SignedDuration::from_mins(20)).await;
            buy(world, one).await;
        },
        async |world: &World, one: &Tenant| {
            let listed = world.get(&path(one, "/numbers")).await;
            let held = listed.body["numbers"].as_array().unwrap();
            if held.len() != 1 {
                return vec![format!("{} numbers are held", held.len())];
            }
            numbers_agree(world, &[one], &listed.text("/numbers/0/sid")).await
        },
    );
    found.await.assert_sound();
    let found = explore(
        "number release",
        "provisioning",
        Disturbance::ALL,
        async || {
            let world = World::start().await;
            let one = world.tenant("One", "50").await;
            buy(&world, &one).await;
            world.pass(SignedDuration::from_mins(90)).await;
            let sid = world
                .get(&path(&one, "/numbers"))
                .await
                .text("/numbers/0/sid");
            (world, (one, sid))
        },
        release,
        async |world: &World, released: &(Tenant, String)| {
            world.pass(SignedDuration::from_mins(20)).await;
            release(world, released).await;
        },
        async |world: &World, (one, sid): &(Tenant, String)| {
            let mut wrong = numbers_agree(world, &[one], sid).await;
            if !holder(world, sid).await.is_empty() {
                wrong.push("the number is still held".to_owned());
            }
            wrong
        },
    );
    found.await.assert_sound();
}

#[tokio::test]
async fn explorer_two_transfers_of_one_number_in_any_order_agree_on_its_holder() {
    let found = explore_together(
        "two transfers",
        async || {
            let (world, (one, two, sid)) = before_the_move().await;
            let three = world.tenant("Three", "50").await;
            world.pass(SignedDuration::from_mins(15)).await;
            (world, (one, two, three, sid))
        },
        async |world: &World, (one, two, _, sid): &(Tenant, Tenant, Tenant, String)| {
            let transfer = path(one, &format!("/numbers/{sid}/transfer"));
            let body = json!({ "to": two.id });
            world.post_as(&transfer, "move-2", &body).await;
        },
        async |world: &World, (one, _, three, sid): &(Tenant, Tenant, Tenant, String)| {
            let transfer = path(one, &format!("/numbers/{sid}/transfer"));
            let body = json!({ "to": three.id });
            world.post_as(&transfer, "move-3", &body).await;
        },
        async |world: &World, _: &(Tenant, Tenant, Tenant, String)| {
            world.pass(SignedDuration::from_mins(20)).await;
        },
        async |world: &World, (one, two, three, sid): &(Tenant, Tenant, Tenant, String)| {
            let mut wrong = numbers_agree(world, &[one, two, three], sid).await;
            let held = holder(world, sid).await;
            if held != two.account_sid && held != three.account_sid {
                wrong.push(format!("the number is in {held}"));
            }
            wrong
        },
    );
    found.await.assert_sound();
}
