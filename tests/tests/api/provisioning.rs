//! The provisioning rows of the fault catalogue.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::SignedDuration;
use local::aws::{CallInfo, Fault, Service};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, World};
use twilio_sim::{FaultAction, FaultRule, Quirks, SimConfig};

const CREATE: &str = "/2010-04-01/Accounts.json";

fn strike(world: &World, method: &str, path: &str, count: u64, action: FaultAction) {
    world.stack.sim.script_fault(FaultRule {
        method: Some(method.to_owned()),
        path: path.to_owned(),
        nth: 1,
        count,
        action,
    });
}

fn status(status: u16, code: u32, after_effect: bool) -> FaultAction {
    FaultAction::Status {
        status,
        code: Some(code),
        body: None,
        headers: BTreeMap::new(),
        after_effect,
    }
}

async fn quirky(quirks: Quirks) -> World {
    World::with(SimConfig {
        quirks,
        ..SimConfig::default()
    })
    .await
}

async fn sign_up(world: &World) -> Answer {
    let plan = world.plan(0).await;
    let body = json!({ "name": "Acme", "plan_id": plan });
    world.post("/v1/tenants", &body).await
}

/// The tenant is in service at the end, by itself, and everything about it is sound.
#[track_caller]
fn assert_accepted(answer: &Answer) -> String {
    assert!([201, 202].contains(&answer.status), "{answer:?}");
    answer.text("/id")
}

async fn assert_sound_in_the_end(world: &World, answer: &Answer) {
    let id = assert_accepted(answer);
    world.pass(SignedDuration::from_mins(30)).await;
    assert_eq!(world.tenant_violations(&id).await, Vec::<String>::new());
    assert_eq!(world.open_subaccounts(), 1);
    let unowned = world.get("/v1/subaccounts/unowned").await;
    assert_eq!(unowned.body["subaccounts"], json!([]));
    assert_eq!(world.failed_invocations(), Vec::<String>::new());
}

/// Fails the `nth` call (0 is the first) of provisioning that fits, and `count - 1` after it.
fn fail_calls(
    world: &World,
    fits: impl Fn(&CallInfo) -> bool + Send + Sync + 'static,
    nth: usize,
    count: usize,
    fault: Fault,
) -> Arc<AtomicUsize> {
    let struck = Arc::new(AtomicUsize::new(0));
    let (seen, counted) = (AtomicUsize::new(0), struck.clone());
    world.stack.aws.set_fault_hook(Some(Arc::new(move |call| {
        if call.caller != "tollgate-provisioning" || !fits(call) {
            return Fault::None;
        }
        let place = seen.fetch_add(1, Ordering::Relaxed);
        if place < nth || place >= nth + count {
            return Fault::None;
        }
        counted.fetch_add(1, Ordering::Relaxed);
        fault.clone()
    })));
    struck
}

#[tokio::test]
async fn v1_a_create_whose_answer_is_lost_is_adopted_by_name() {
    for action in [
        FaultAction::Drop { after_effect: true },
        status(500, 20500, true),
        status(504, 20504, true),
        FaultAction::Truncate { keep_bytes: 40 },
        FaultAction::Reset { keep_bytes: 40 },
    ] {
        let world = World::start().await;
        strike(&world, "POST", CREATE, 1, action.clone());
        let answer = sign_up(&world).await;
        assert_eq!(answer.status, 201, "{action:?} {answer:?}");
        assert_sound_in_the_end(&world, &answer).await;
    }
}

#[tokio::test]
async fn v1_a_create_that_had_no_effect_is_sent_again_after_a_look() {
    for action in [
        FaultAction::Drop {
            after_effect: false,
        },
        status(503, 20503, false),
        status(429, 20429, false),
    ] {
        let world = World::start().await;
        strike(&world, "POST", CREATE, 1, action);
        let answer = sign_up(&world).await;
        assert_sound_in_the_end(&world, &answer).await;
    }
}

#[tokio::test]
async fn v2_a_create_that_lands_late_is_closed_by_the_janitor() {
    let world = World::start().await;
    let action = FaultAction::Drop {
        after_effect: false,
    };
    strike(&world, "POST", CREATE, 1, action);
    let answer = sign_up(&world).await;
    let id = assert_accepted(&answer);
    let name = answer.text("/friendly_name");
    world.pass(SignedDuration::from_secs(40)).await;
    let late = world.make_subaccount(&name).await;
    let of = format!("/v1/tenants/{id}");
    let bound = world.get(&of).await.body["account_sid"].clone();
    world.pass(SignedDuration::from_mins(30)).await;
    assert_eq!(world.open_subaccounts(), 1);
    assert_eq!(world.tenant_violations(&id).await, Vec::<String>::new());
    let owner = world.get(&of).await.text("/account_sid");
    assert!(bound == Value::Null || bound == *owner);
    let accounts = world.stack.sim.accounts();
    let late = accounts.iter().find(|account| account.sid == late);
    assert_eq!(late.unwrap().status == "active", late.unwrap().sid == owner);
}

#[tokio::test]
async fn v2_a_surplus_subaccount_that_is_in_use_is_left_to_a_person() {
    let world = World::start().await;
    let answer = sign_up(&world).await;
    let surplus = world.make_subaccount(&answer.text("/friendly_name")).await;
    let number = json!({ "account_sid": surplus });
    world.simulate("/numbers", &number).await;
    world.pass(SignedDuration::from_mins(30)).await;
    assert_eq!(world.open_subaccounts(), 2);
    let unowned = world.get("/v1/subaccounts/unowned").await;
    assert_eq!(unowned.text("/subaccounts/0/account_sid"), surplus);
    assert_eq!(unowned.body["subaccounts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn v3_two_same_requests_at_once_make_one_subaccount() {
    let world = World::start().await;
    let plan = world.plan(0).await;
    let body = json!({ "name": "Acme", "plan_id": plan });
    let ask = || world.post_as("/v1/tenants", "signup", &body);
    let (first, second, third) = tokio::join!(ask(), ask(), ask());
    let answers = [first, second, third];
    let made = answers.iter().filter(|answer| answer.status == 201);
    assert!(made.count() >= 1, "{answers:?}");
    let shown = answers
        .iter()
        .filter(|answer| answer.body["api_key"]["secret"].is_string());
    assert!(shown.count() <= 1, "{answers:?}");
    for answer in &answers {
        match answer.status {
            201 | 202 => assert_eq!(answer.body["name"], "Acme"),
            409 => {
                assert_eq!(answer.code(), "request_in_progress");
                let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
                assert!((1..=60).contains(&seconds));
            }
            _ => panic!("{answer:?}"),
        }
    }
    let replay = world.post_as("/v1/tenants", "signup", &body).await;
    assert_eq!(replay.status, 201);
    assert_sound_in_the_end(&world, &replay).await;
}

#[tokio::test]
async fn v3_two_requests_for_one_external_id_make_one_tenant() {
    let world = World::start().await;
    let plan = world.plan(0).await;
    let body = json!({ "name": "Acme", "plan_id": plan, "external_id": "a-1" });
    let (first, second) = tokio::join!(
        world.post("/v1/tenants", &body),
        world.post("/v1/tenants", &body)
    );
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "{first:?} {second:?}");
    assert_eq!(world.open_subaccounts(), 1);
}

#[tokio::test]
async fn v4_the_same_idempotency_key_with_another_body_is_refused_whatever_became_of_the_first() {
    let world = World::start().await;
    let plan = world.plan(0).await;
    let body = json!({ "name": "Acme", "plan_id": plan });
    let action = FaultAction::Drop {
        after_effect: false,
    };
    strike(&world, "POST", CREATE, 1, action);
    let pending = world.post_as("/v1/tenants", "signup", &body).await;
    assert_eq!(pending.status, 202, "{pending:?}");
    for other in [
        json!({ "name": "Acne", "plan_id": plan }),
        json!({ "name": "Acme", "plan_id": plan, "issue_api_key": false }),
        json!({ "name": "Acme", "plan_id": plan, "external_id": "a-1" }),
    ] {
        let refused = world.post_as("/v1/tenants", "signup", &other).await;
        assert_eq!(
            (refused.status, refused.code()),
            (422, "idempotency_key_mismatch")
        );
    }
    // Spelt otherwise it is the same request.
    let spaced = format!(" {{ \"plan_id\" : \"{plan}\",\n \"name\" : \"Acme\" }}");
    let headers = [
        ("authorization", &*world.bearer()),
        ("idempotency-key", "signup"),
        ("content-type", "application/json"),
    ];
    world.pass(SignedDuration::from_mins(10)).await;
    let same = world
        .request(Method::POST, "/v1/tenants", &headers, spaced.into_bytes())
        .await;
    assert_eq!((same.status, &same.body["id"]), (201, &pending.body["id"]));
}

#[tokio::test]
async fn v5_a_list_that_ignores_the_name_is_filtered_on_our_side() {
    let world = quirky(Quirks {
        friendly_name_filter_ignored: true,
        ..Quirks::none()
    })
    .await;
    let strangers = [
        world.make_subaccount("Acme").await,
        world
            .make_subaccount("ten_00000000000000000000000000 Acme")
            .await,
    ];
    strike(&world, "POST", CREATE, 1, status(500, 20500, true));
    let answer = sign_up(&world).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    world.pass(SignedDuration::from_mins(30)).await;
    assert!(!strangers.contains(&answer.text("/account_sid")));
    let wrong = world.tenant_violations(&answer.text("/id")).await;
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(world.open_subaccounts(), 3);
}

#[tokio::test]
async fn v6_a_list_that_lags_behind_a_lost_create_ends_with_one_open_subaccount() {
    for lag_s in [1, 5, 20, 29, 31, 45, 60, 120] {
        let world = quirky(Quirks {
            account_list_lag_ms: lag_s * 1000,
            ..Quirks::none()
        })
        .await;
        let action = FaultAction::Drop { after_effect: true };
        strike(&world, "POST", CREATE, 1, action);
        let answer = sign_up(&world).await;
        let id = assert_accepted(&answer);
        world.pass(SignedDuration::from_mins(30)).await;
        assert_eq!(world.open_subaccounts(), 1, "after a lag of {lag_s} s");
        let wrong = world.tenant_violations(&id).await;
        assert_eq!(wrong, Vec::<String>::new(), "after a lag of {lag_s} s");
    }
}

#[tokio::test]
async fn v7_the_subaccount_limit_is_a_stable_code_a_failed_row_and_no_storm() {
    let world = World::with(SimConfig {
        quirks: Quirks::none(),
        subaccount_limit: 1,
        ..SimConfig::default()
    })
    .await;
    let fits = sign_up(&world).await;
    assert_eq!(fits.status, 201, "{fits:?}");
    let plan = world.plan(0).await;
    let body = json!({ "name": "Too many", "plan_id": plan });
    for _ in 0..2 {
        let answer = world.post_as("/v1/tenants", "signup", &body).await;
        assert_eq!(
            (answer.status, answer.code()),
            (507, "subaccount_limit_reached")
        );
        world.pass(SignedDuration::from_mins(30)).await;
    }
    let asked = world.stack.sim.requests();
    let creates = asked
        .iter()
        .filter(|request| request.method == "POST" && request.path == CREATE);
    assert_eq!(creates.count(), 2);
    let listed = world.get("/v1/tenants?status=provisioning").await;
    assert_eq!(
        listed.text("/tenants/0/failure"),
        "subaccount_limit_reached"
    );
    assert_eq!(listed.text("/tenants/0/lifecycle"), "provisioning_failed");
    assert_eq!(listed.body["tenants"][0]["next_action_at"], Value::Null);
    let id = listed.text("/tenants/0/id");
    assert_eq!(world.event_ids(&id, "tenant.provisioning_failed").len(), 1);
    // What failed can be neither paid into nor suspended.
    let path = format!("/v1/tenants/{id}/top-ups");
    let paid = world.post(&path, &json!({ "amount": "1" })).await;
    assert_eq!((paid.status, paid.code()), (409, "tenant_not_in_service"));
}

fn is_secret_of_subaccount(call: &CallInfo) -> bool {
    call.service == Service::Secrets && call.resources.iter().any(|name| name.contains("/twilio/"))
}

#[tokio::test]
async fn v8_a_throttled_secret_is_stored_at_once_or_by_the_timer() {
    for count in [1, 2, 1_000] {
        let world = World::start().await;
        let plan = world.plan(0).await;
        let fault = Fault::respond_before(400, "ThrottlingException");
        let struck = fail_calls(&world, is_secret_of_subaccount, 0, count, fault);
        let body = json!({ "name": "Acme", "plan_id": plan });
        let answer = world.post("/v1/tenants", &body).await;
        let expected = if count == 1_000 { 202 } else { 201 };
        assert_eq!(answer.status, expected, "{count} {answer:?}");
        assert!(struck.load(Ordering::Relaxed) >= 1);
        world.stack.aws.set_fault_hook(None);
        assert_sound_in_the_end(&world, &answer).await;
    }
}

/// Before provisioning creates a subaccount's secret, somebody has put one there.
fn put_secret_first(world: &World, auth_token: &'static str, is_deleted: bool) {
    let aws = world.stack.aws.clone();
    let done = AtomicUsize::new(0);
    world.stack.aws.set_fault_hook(Some(Arc::new(move |call| {
        let is_create = call.operation == "CreateSecret" && is_secret_of_subaccount(call);
        if is_create && done.fetch_add(1, Ordering::Relaxed) == 0 {
            let name = &call.resources[0];
            let sid = name.rsplit('/').next().unwrap_or_default();
            let text = json!({ "accountSid": sid, "authToken": auth_token }).to_string();
            let request = json!({
                "Name": name, "SecretString": text,
                "ClientRequestToken": "00000000-0000-0000-0000-000000000001",
            });
            let made = aws.inspect("secretsmanager.CreateSecret", &request);
            made.expect("it was not there");
            if is_deleted {
                let request = json!({ "SecretId": name });
                let deleted = aws.inspect("secretsmanager.DeleteSecret", &request);
                deleted.expect("it is there");
            }
        }
        Fault::None
    })));
}

#[tokio::test]
async fn v8_a_secret_that_exists_or_waits_for_its_deletion_holds_the_right_token_afterwards() {
    for is_deleted in [false, true] {
        let world = World::start().await;
        let plan = world.plan(0).await;
        put_secret_first(&world, "ffffffffffffffffffffffffffffffff", is_deleted);
        let body = json!({ "name": "Acme", "plan_id": plan });
        let answer = world.post("/v1/tenants", &body).await;
        assert_eq!(answer.status, 201, "deleted: {is_deleted}: {answer:?}");
        world.stack.aws.set_fault_hook(None);
        assert_sound_in_the_end(&world, &answer).await;
    }
}

#[tokio::test]
async fn v9_a_row_that_another_writer_holds_is_read_again_and_decided() {
    let conflict = Fault::TransactionConflict;
    let condition = Fault::respond_before(400, "ConditionalCheckFailedException");
    for (operation, fault) in [
        ("TransactWriteItems", conflict.clone()),
        ("PutItem", conflict),
        ("PutItem", condition),
    ] {
        for nth in 0..4 {
            let world = World::start().await;
            let plan = world.plan(0).await;
            let fits = move |call: &CallInfo| {
                call.operation == operation
                    && call
                        .resources
                        .iter()
                        .any(|table| table.ends_with("tenants"))
            };
            fail_calls(&world, fits, nth, 1, fault.clone());
            let body = json!({ "name": "Acme", "plan_id": plan });
            let answer = world.post("/v1/tenants", &body).await;
            assert!(
                [201, 202].contains(&answer.status),
                "{operation} {nth} {fault:?} {answer:?}"
            );
            world.stack.aws.set_fault_hook(None);
            assert_sound_in_the_end(&world, &answer).await;
        }
    }
}

#[tokio::test]
async fn v10_a_key_create_whose_answer_is_lost_leaves_no_orphan_key() {
    for (count, action) in [
        (1, FaultAction::Drop { after_effect: true }),
        (1, status(500, 20500, true)),
        (1, FaultAction::Truncate { keep_bytes: 30 }),
        (2, FaultAction::Drop { after_effect: true }),
    ] {
        let world = World::start().await;
        strike(&world, "POST", "*/Keys.json", count, action.clone());
        let answer = sign_up(&world).await;
        assert_sound_in_the_end(&world, &answer).await;
        let secrets = usize::from(answer.body["api_key"]["secret"].is_string());
        let id = answer.text("/id");
        let shown = world.get(&format!("/v1/tenants/{id}")).await;
        let sid = shown.text("/account_sid");
        assert_eq!(
            world.keys_at_twilio(&sid).len(),
            secrets,
            "{count} {action:?}: every key at Twilio was shown to somebody"
        );
    }
}

#[tokio::test]
async fn v15_malformed_names_and_ids_are_refused_and_reach_nothing() {
    let world = World::start().await;
    let plan = world.plan(0).await;
    let huge = "x".repeat(1024 * 1024);
    let long = "x".repeat(60 * 1024);
    for (name, expected, code) in [
        (huge.as_str(), 413, "body_too_large"),
        (&long, 400, "name_invalid"),
        (&"é".repeat(101), 400, "name_invalid"),
        ("", 400, "name_invalid"),
        ("   ", 400, "name_invalid"),
        ("a\0b", 400, "name_invalid"),
        ("a\r\nX-Evil: 1", 400, "name_invalid"),
        ("\u{202e}emcA", 400, "name_invalid"),
        ("zero\u{200b}width", 400, "name_invalid"),
        ("\u{85}next line", 400, "name_invalid"),
    ] {
        let body = json!({ "name": name, "plan_id": plan });
        let answer = world.post("/v1/tenants", &body).await;
        let shown = name.chars().take(20).collect::<String>();
        assert_eq!(
            (answer.status, answer.code()),
            (expected, code),
            "{shown:?}"
        );
        assert!(!name.is_empty() && !answer.body.to_string().contains(name) || name.is_empty());
    }
    assert_eq!(world.open_subaccounts(), 0);
    assert_eq!(world.items("tenants"), Vec::<Value>::new());
    for name in [
        "Zoë & Söhne 🦊",
        "../../etc/passwd",
        "%2e%2e%2f",
        "a;b|c`d$(e)",
    ] {
        let body = json!({ "name": name, "plan_id": plan });
        let answer = world.post("/v1/tenants", &body).await;
        assert_eq!(
            (answer.status, answer.text("/name")),
            (201, name.to_owned())
        );
        let wrong = world.tenant_violations(&answer.text("/id")).await;
        assert_eq!(wrong, Vec::<String>::new());
    }
    for request in world.stack.sim.requests() {
        let path = request.path.split('?').next().unwrap();
        assert!(
            !path.contains("..") && !request.path.contains("../"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn v15_a_bad_external_id_is_refused() {
    let world = World::start().await;
    let plan = world.plan(0).await;
    for external_id in ["", "a b", "ä", "a\n", &"x".repeat(65)] {
        let body = json!({ "name": "Acme", "plan_id": plan, "external_id": external_id });
        let answer = world.post("/v1/tenants", &body).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "external_id_invalid"),
            "{external_id:?}"
        );
    }
    assert_eq!(world.items("tenants"), Vec::<Value>::new());
}
