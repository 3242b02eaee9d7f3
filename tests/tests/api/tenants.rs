//! Tenants: signed up once, listed without gaps, shown with their callback URLs, held by the operator.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use tests::World;

#[tokio::test]
async fn a_sign_up_needs_an_idempotency_key_and_a_known_plan() {
    let world = World::start().await;
    let plan = world.plan(0).await;
    let body = json!({ "name": "Acme", "plan_id": plan });
    let bearer = world.bearer();
    for (key, code) in [
        (None, "idempotency_key_missing"),
        (Some(""), "idempotency_key_malformed"),
        (Some("a b"), "idempotency_key_malformed"),
        (Some(&*"x".repeat(256)), "idempotency_key_malformed"),
    ] {
        let mut headers = vec![
            ("authorization", &*bearer),
            ("content-type", "application/json"),
        ];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        let answer = world
            .request(
                Method::POST,
                "/v1/tenants",
                &headers,
                body.to_string().into_bytes(),
            )
            .await;
        assert_eq!((answer.status, answer.code()), (400, code), "{key:?}");
    }
    let without = world.post("/v1/tenants", &json!({ "name": "Acme" })).await;
    assert_eq!((without.status, without.code()), (422, "plan_id_missing"));
    for plan in ["", "plan_x", "x", &format!("plan_{}", "0".repeat(26))] {
        let body = json!({ "name": "Acme", "plan_id": plan });
        let answer = world.post("/v1/tenants", &body).await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "unknown_plan"),
            "{plan}"
        );
    }
    assert_eq!(world.open_subaccounts(), 0);
    assert_eq!(world.items("tenants"), Vec::<Value>::new());
}

#[tokio::test]
async fn a_refused_sign_up_leaves_its_idempotency_key_free() {
    let world = World::start().await;
    let plan = world.plan(0).await;
    let wrong = json!({ "name": "Acme", "plan_id": "plan_x" });
    let right = json!({ "name": "Acme", "plan_id": plan });
    assert_eq!(world.post_as("/v1/tenants", "k", &wrong).await.status, 422);
    assert_eq!(world.post_as("/v1/tenants", "k", &right).await.status, 201);
}

#[tokio::test]
async fn a_sign_up_is_done_once_and_shows_its_secret_once() {
    let world = World::start().await;
    let plan = world.plan(0).await;
    let body = json!({ "name": "Acme", "plan_id": plan, "external_id": "a-1" });
    let first = world.post_as("/v1/tenants", "k", &body).await;
    assert_eq!(first.status, 201, "{first:?}");
    let id = first.text("/id");
    assert_eq!(
        first.header("location"),
        Some(&*format!("/v1/tenants/{id}"))
    );
    assert!(first.text("/api_key/secret").len() >= 20);
    assert_eq!(first.body["api_key"]["sid"], first.body["api_key_sid"]);
    assert!(first.text("/friendly_name").starts_with(&id));
    for step in first.body["steps"].as_array().unwrap() {
        assert_eq!(step["state"], "done", "{step}");
    }
    let replay = world.post_as("/v1/tenants", "k", &body).await;
    assert_eq!(replay.status, 201);
    assert_eq!(replay.header("idempotent-replayed"), Some("true"));
    let mut expected = first.body.clone();
    expected.as_object_mut().unwrap().remove("api_key");
    assert_eq!(replay.body, expected);
    let other = json!({ "name": "Other", "plan_id": plan });
    let mismatch = world.post_as("/v1/tenants", "k", &other).await;
    assert_eq!(
        (mismatch.status, mismatch.code()),
        (422, "idempotency_key_mismatch")
    );
    let taken = world.post("/v1/tenants", &body).await;
    assert_eq!((taken.status, taken.code()), (409, "external_id_taken"));
    let without = json!({ "name": "Keyless", "plan_id": plan, "issue_api_key": false });
    let without = world.post("/v1/tenants", &without).await;
    assert_eq!(
        (without.status, &without.body["api_key_sid"]),
        (201, &Value::Null)
    );
    assert!(
        world
            .keys_at_twilio(&without.text("/account_sid"))
            .is_empty()
    );
    assert_eq!(world.open_subaccounts(), 2);
    for id in [id, without.text("/id")] {
        world.stack.settle().await;
        assert_eq!(world.tenant_violations(&id).await, Vec::<String>::new());
        assert_eq!(world.event_ids(&id, "tenant.requested").len(), 1);
        assert_eq!(world.event_ids(&id, "tenant.provisioned").len(), 1);
    }
}

/// Ids of all tenants, page by page.
async fn walk(world: &World, query: &str) -> Vec<String> {
    let (mut ids, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = world
            .get(&format!("/v1/tenants?limit=3{query}{cursor}"))
            .await;
        assert_eq!(page.status, 200, "{page:?}");
        let tenants = page.body["tenants"].as_array().unwrap();
        assert!(tenants.len() <= 3);
        ids.extend(
            tenants
                .iter()
                .map(|tenant| tenant["id"].as_str().unwrap().to_owned()),
        );
        pages += 1;
        assert!(pages < 10, "the walk does not end");
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

#[tokio::test]
async fn the_list_walks_all_tenants_newest_first_without_gaps_or_repeats() {
    let world = World::start().await;
    let mut made = Vec::new();
    for index in 0..7 {
        let tenant = world.tenant(&format!("Tenant {index}"), "0").await;
        made.insert(0, tenant.id);
        world.pass(jiff::SignedDuration::from_secs(1)).await;
    }
    assert_eq!(walk(&world, "").await, made);
    assert_eq!(walk(&world, "&status=active").await, made);
    for index in [1, 2, 5] {
        let path = format!("/v1/tenants/{}/suspend", made[index]);
        assert_eq!(
            world.post(&path, &json!({ "reason": "x" })).await.status,
            202
        );
    }
    world.stack.settle().await;
    let of = |wanted: &[usize]| -> Vec<String> {
        wanted.iter().map(|index| made[*index].clone()).collect()
    };
    assert_eq!(walk(&world, "").await, made);
    assert_eq!(walk(&world, "&status=suspended").await, of(&[1, 2, 5]));
    assert_eq!(walk(&world, "&status=active").await, of(&[0, 3, 4, 6]));
    assert_eq!(walk(&world, "&status=closed").await, of(&[]));
    assert_eq!(walk(&world, "&status=provisioning").await, of(&[]));
    for wrong in [
        "status=paid",
        "limit=0",
        "limit=101",
        "limit=-1",
        "cursor=x",
        "cursor=",
        "colour=red",
        "limit=1&limit=2",
    ] {
        let answer = world.get(&format!("/v1/tenants?{wrong}")).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "query_invalid"),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn an_unknown_tenant_and_a_malformed_one_answer_alike_everywhere() {
    let world = World::start().await;
    let unknown = format!("ten_{}", "0".repeat(26));
    let absent = world.get(&format!("/v1/tenants/{unknown}")).await;
    assert_eq!((absent.status, absent.code()), (404, "tenant_not_found"));
    let ids = [
        &*unknown,
        "ten_x",
        "x",
        "ten_",
        "T%23ten_x",
        "%00",
        "%F0%9F%A6%8A",
        "..%2f..%2fplans",
        "ten_00000000000000000000000000%0d%0aX:1",
        "META",
    ];
    for id in ids {
        for path in [
            "",
            "/usage?from=2026-03-01&to=2026-03-01",
            "/ledger",
            "/api-keys",
        ] {
            let answer = world.get(&format!("/v1/tenants/{id}{path}")).await;
            // A decoded slash is another path, and there is none such.
            let code = if id.contains("%2f") {
                "not_found"
            } else {
                "tenant_not_found"
            };
            assert_eq!((answer.status, answer.code()), (404, code), "{id}{path}");
        }
        for (verb, body) in [
            ("suspend", json!({ "reason": "x" })),
            ("reactivate", json!({ "reason": "x" })),
            ("top-ups", json!({ "amount": "1" })),
            ("api-keys", json!({ "purpose": "x" })),
        ] {
            let answer = world.post(&format!("/v1/tenants/{id}/{verb}"), &body).await;
            assert_eq!(answer.status, 404, "{id} {verb} {answer:?}");
        }
    }
    assert_eq!(world.items("ledger"), Vec::<Value>::new());
}

#[tokio::test]
async fn callback_urls_name_the_tenant_and_keep_twilios_tries_within_its_15_seconds() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "0").await;
    let shown = world.show(&tenant).await;
    for (kind, path) in [
        ("message", "messages"),
        ("call", "calls"),
        ("recording", "recordings"),
        ("usage_trigger", "usage-triggers"),
    ] {
        let url = shown.text(&format!("/callback_urls/{kind}"));
        let (address, overrides) = url.split_once('#').unwrap();
        let expected = format!("{}/twilio/{}/{path}", tests::PUBLIC_BASE_URL, tenant.id);
        assert_eq!(address, expected);
        let pairs: BTreeMap<&str, &str> = overrides
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .collect();
        let number = |name: &str| pairs[name].parse::<u32>().unwrap();
        let (retries, connect, read) = (number("rc"), number("ct"), number("rt"));
        assert!(retries <= 5 && connect >= 100 && read >= 100, "{overrides}");
        assert!((retries + 1) * connect.max(read) <= 15_000, "{overrides}");
        assert_eq!(pairs["rp"], "all");
    }
}

#[tokio::test]
async fn the_operators_hold_is_placed_and_lifted_idempotently_and_no_other() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "10").await;
    let at = |verb: &str| format!("/v1/tenants/{}/{verb}", tenant.id);
    let reason = json!({ "reason": "asked for" });
    for wrong in [json!({ "reason": "" }), json!({ "reason": "a\u{0}" })] {
        let answer = world.post(&at("suspend"), &wrong).await;
        assert_eq!((answer.status, answer.code()), (422, "reason_invalid"));
    }
    let missing = world.post(&at("suspend"), &json!({})).await;
    assert_eq!((missing.status, missing.code()), (400, "body_invalid"));
    assert_eq!(world.post(&at("reactivate"), &reason).await.status, 200);
    let placed = world.post(&at("suspend"), &reason).await;
    assert_eq!(
        (placed.status, placed.text("/holds/0/hold")),
        (202, "operator".to_owned())
    );
    assert_eq!(placed.text("/holds/0/reason"), "asked for");
    world.stack.settle().await;
    assert_eq!(
        world.show(&tenant).await.text("/twilio_status"),
        "suspended"
    );
    let again = world
        .post(&at("suspend"), &json!({ "reason": "other" }))
        .await;
    assert_eq!(
        (again.status, again.text("/holds/0/reason")),
        (200, "asked for".to_owned())
    );
    assert_eq!(world.event_ids(&tenant.id, "tenant.hold_changed").len(), 1);
    // Runs dry while it is held: two holds, of which reactivate lifts one and a payment the other.
    world.use_today(&tenant, "sms-outbound-longcode", "10");
    world.pull(&tenant).await;
    let both = world.show(&tenant).await;
    let names = |shown: &tests::Answer| -> Vec<String> {
        let holds = shown.body["holds"].as_array().unwrap();
        holds
            .iter()
            .map(|hold| hold["hold"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&both), ["unpaid", "operator"]);
    let lifted = world.post(&at("reactivate"), &reason).await;
    assert_eq!(
        (lifted.status, names(&lifted)),
        (202, vec!["unpaid".to_owned()])
    );
    assert_eq!(lifted.text("/status"), "suspended");
    world.stack.settle().await;
    assert_eq!(
        world.show(&tenant).await.text("/twilio_status"),
        "suspended"
    );
    let paid = json!({ "amount": "100" });
    assert_eq!(world.post(&at("top-ups"), &paid).await.status, 201);
    world.stack.settle().await;
    let free = world.show(&tenant).await;
    assert_eq!(
        (free.text("/twilio_status"), names(&free)),
        ("active".to_owned(), vec![])
    );
}
