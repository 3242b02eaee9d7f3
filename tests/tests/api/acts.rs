//! Acts on wallets: each books once for ever, and only money that was paid in is paid out.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Tenant, World};

fn of(tenant: &Tenant, end: &str) -> String {
    format!("/v1/tenants/{}/{end}", tenant.id)
}

async fn act(world: &World, tenant: &Tenant, end: &str, body: Value) -> Answer {
    world.post(&of(tenant, end), &body).await
}

async fn put(world: &World, path: &str, body: &Value) -> Answer {
    let bearer = world.bearer();
    let headers = [
        ("authorization", &*bearer),
        ("content-type", "application/json"),
    ];
    world
        .request(Method::PUT, path, &headers, body.to_string().into_bytes())
        .await
}

async fn wallet(world: &World, tenant: &Tenant) -> Value {
    let answer = world.get(&of(tenant, "wallet")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

async fn events(world: &World, tenant: &Tenant, name: &str) -> Vec<Value> {
    world.stack.settle().await;
    let events = world.stack.aws.events_since(0).into_iter();
    events
        .filter(|event| event.detail_type == name && event.detail["tenant_id"] == tenant.id)
        .map(|event| event.detail["data"].clone())
        .collect()
}

#[tokio::test]
async fn each_act_posts_to_its_account_and_sends_its_event() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "0").await;
    let paid = json!({ "amount": "50", "reference": "inv-1", "priority": 7, "expires_at": "2026-09-01T00:00:00Z" });
    assert_eq!(act(&world, &tenant, "top-ups", paid).await.status, 201);
    let credit = json!({ "amount": "10", "priority": 1, "effective_at": "2026-03-01T00:00:00Z",
        "expires_at": "2026-04-01T00:00:00Z", "reason": "welcome" });
    assert_eq!(act(&world, &tenant, "credits", credit).await.status, 201);
    let refund = json!({ "amount": "5", "top_up": 2, "reason": "asked for" });
    assert_eq!(act(&world, &tenant, "refunds", refund).await.status, 201);
    let adjust = json!({ "amount": "-0.000000001", "reason": "a crumb" });
    assert_eq!(
        act(&world, &tenant, "adjustments", adjust).await.status,
        201
    );
    let back = json!({ "top_up_reference": "inv-1", "reason": "disputed" });
    let charged_back = act(&world, &tenant, "chargebacks", back).await;
    assert_eq!(charged_back.status, 201, "{charged_back:?}");
    assert_eq!(charged_back.text("/balance"), "4.999999999");
    let debt = act(&world, &tenant, "write-offs", json!({ "reason": "lost" })).await;
    assert_eq!(
        (debt.status, debt.text("/balance")),
        (201, "9.999999999".into())
    );
    let shown = wallet(&world, &tenant).await;
    assert_eq!(
        shown["accounts"],
        json!({ "promotional": "9.999999999", "revenue": "0.000000001", "cash": "5",
            "promotional_expense": "-10", "bad_debt": "-5" })
    );
    assert_eq!(
        shown["lots"],
        json!([{ "lot": 3, "class": "promotional", "priority": 1, "effective_at": "2026-03-01T00:00:00Z",
            "expires_at": "2026-04-01T00:00:00Z", "remaining": "9.999999999" }])
    );
    for (name, amount) in [
        ("wallet.topped_up", "50"),
        ("wallet.credited", "10"),
        ("wallet.refunded", "5"),
        ("wallet.adjusted", "-0.000000001"),
        ("wallet.charged_back", "50"),
        ("wallet.written_off", "5"),
    ] {
        let seen = events(&world, &tenant, name).await;
        assert_eq!(seen.len(), 1, "{name}");
        assert_eq!(seen[0]["amount"], amount, "{name}");
    }
}

#[tokio::test]
async fn acts_without_sense_or_money_are_refused_by_code() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "10").await;
    let card = json!({ "amount": "3", "reference": "card" });
    assert_eq!(act(&world, &tenant, "top-ups", card).await.status, 201);
    act(
        &world,
        &tenant,
        "credits",
        json!({ "amount": "90", "reason": "gift" }),
    )
    .await;
    let why = "why";
    for (end, body, status, code) in [
        (
            "refunds",
            json!({ "amount": "13.01", "reason": why }),
            409,
            "refund_exceeds_balance",
        ),
        (
            "refunds",
            json!({ "amount": "-1", "reason": why }),
            422,
            "amount_invalid",
        ),
        ("refunds", json!({ "amount": "1" }), 400, "body_invalid"),
        (
            "credits",
            json!({ "amount": "0.001", "reason": why }),
            422,
            "amount_invalid",
        ),
        (
            "credits",
            json!({ "amount": "1", "priority": 10, "reason": why }),
            422,
            "lot_invalid",
        ),
        (
            "credits",
            json!({ "amount": "1", "expires_at": "2026-02-01T00:00:00Z", "reason": why }),
            422,
            "lot_invalid",
        ),
        (
            "credits",
            json!({ "amount": "1", "expires_at": "2026-09-01T00:00:00.5Z", "reason": why }),
            422,
            "lot_invalid",
        ),
        (
            "credits",
            json!({ "amount": "1", "effective_at": "2026-09-02T00:00:00Z", "expires_at": "2026-09-01T00:00:00Z", "reason": why }),
            422,
            "lot_invalid",
        ),
        (
            "chargebacks",
            json!({ "top_up_reference": "none", "reason": why }),
            404,
            "top_up_not_found",
        ),
        (
            "chargebacks",
            json!({ "top_up_reference": "card", "amount": "4", "reason": why }),
            422,
            "chargeback_exceeds_top_up",
        ),
        (
            "adjustments",
            json!({ "amount": "0", "reason": why }),
            422,
            "amount_invalid",
        ),
        (
            "adjustments",
            json!({ "amount": "1", "reason": "" }),
            422,
            "reason_invalid",
        ),
        (
            "write-offs",
            json!({ "reason": why }),
            409,
            "write_off_exceeds_debt",
        ),
        (
            "write-offs",
            json!({ "amount": "-1", "reason": why }),
            422,
            "amount_invalid",
        ),
    ] {
        let answer = act(&world, &tenant, end, body.clone()).await;
        assert_eq!(
            (answer.status, answer.code()),
            (status, code),
            "{end} {body}"
        );
    }
    assert_eq!(wallet(&world, &tenant).await["balance"], "103");
}

#[tokio::test]
async fn an_act_that_left_nothing_behind_is_still_shown_when_it_is_asked_for_again() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "10").await;
    let path = of(&tenant, "refunds");
    let body = json!({ "amount": "10", "reference": "r-1", "reason": "left us" });
    let first = world.post_as(&path, "refund-1", &body).await;
    assert_eq!((first.status, first.text("/balance")), (201, "0".into()));
    let replay = world.post_as(&path, "refund-1", &body).await;
    assert_eq!((replay.status, &replay.body), (201, &first.body));
    assert_eq!(replay.header("idempotent-replayed"), Some("true"));
    let again = world.post_as(&path, "refund-2", &body).await;
    assert_eq!(
        (again.status, &again.body["entry"]),
        (200, &first.body["entry"])
    );
    let more = json!({ "amount": "11", "reference": "r-1", "reason": "left us" });
    let taken = world.post_as(&path, "refund-3", &more).await;
    assert_eq!((taken.status, taken.code()), (409, "reference_taken"));
    let other = world
        .post_as(&path, "refund-1", &json!({ "amount": "1", "reason": "x" }))
        .await;
    assert_eq!(
        (other.status, other.code()),
        (422, "idempotency_key_mismatch")
    );
}

#[tokio::test]
async fn a_transfer_books_both_sides_or_none() {
    let world = World::start().await;
    let (left, right) = (
        world.tenant("Left", "10").await,
        world.tenant("Right", "0").await,
    );
    let body = |amount: &str| json!({ "from": left.id, "to": right.id, "amount": amount, "reference": "t-1", "reason": "merged" });
    let moved = world.post_as("/v1/transfers", "t", &body("7")).await;
    assert_eq!(moved.status, 201, "{moved:?}");
    assert_eq!(
        (moved.text("/from/balance"), moved.text("/to/balance")),
        ("3".into(), "7".into())
    );
    assert_eq!(moved.text("/to/entry/reference"), "t-1");
    let replay = world.post_as("/v1/transfers", "t", &body("7")).await;
    assert_eq!((replay.status, &replay.body), (201, &moved.body));
    let other = world.post("/v1/transfers", &body("6")).await;
    assert_eq!((other.status, other.code()), (409, "reference_taken"));
    let mut much = body("4");
    much["reference"] = json!("t-2");
    let refused = world.post("/v1/transfers", &much).await;
    assert_eq!(
        (refused.status, refused.code()),
        (409, "transfer_exceeds_balance")
    );
    let suspense = |shown: &Value| shown["accounts"]["suspense"].clone();
    assert_eq!(suspense(&wallet(&world, &left).await), "7");
    assert_eq!(suspense(&wallet(&world, &right).await), "-7");
    let same = json!({ "from": left.id, "to": left.id, "amount": "1", "reason": "x" });
    let refused = world.post("/v1/transfers", &same).await;
    assert_eq!((refused.status, refused.code()), (422, "transfer_invalid"));
    let yen = json!({ "name": "Yen", "currency": "JPY", "default_multiplier": "2" });
    let plan = world.post("/v1/plans", &yen).await.text("/plan_id");
    let body = json!({ "name": "Far", "plan_id": plan });
    let far = world.post("/v1/tenants", &body).await.text("/id");
    let across = json!({ "from": left.id, "to": far, "amount": "1", "reason": "x" });
    let refused = world.post("/v1/transfers", &across).await;
    assert_eq!((refused.status, refused.code()), (422, "transfer_invalid"));
}

#[tokio::test]
async fn opposite_transfers_at_once_lose_no_money() {
    let world = World::start().await;
    let (left, right) = (
        world.tenant("Left", "50").await,
        world.tenant("Right", "50").await,
    );
    let body = |from: &Tenant, to: &Tenant| json!({ "from": from.id, "to": to.id, "amount": "5", "reason": "swap" });
    let moves = (0..6).map(|index| {
        let (from, to) = if index % 2 == 0 {
            (&left, &right)
        } else {
            (&right, &left)
        };
        let body = body(from, to);
        let world = &world;
        async move { world.post("/v1/transfers", &body).await }
    });
    let answers = futures::future::join_all(moves).await;
    // Each is booked or asks to be repeated; none is half done.
    assert!(
        answers
            .iter()
            .all(|answer| [201, 503].contains(&answer.status)),
        "{answers:?}"
    );
    let amount = |shown: Value| shown["balance"].as_str().unwrap().parse::<i64>().unwrap();
    let total = amount(wallet(&world, &left).await) + amount(wallet(&world, &right).await);
    assert_eq!(total, 100);
}

#[tokio::test]
async fn a_paid_top_up_finds_a_place_where_a_credit_does_not() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "0").await;
    for index in 0..domain::lots::LOTS_MAX {
        let body = json!({ "amount": "1", "reference": format!("p-{index}") });
        assert_eq!(act(&world, &tenant, "top-ups", body).await.status, 201);
    }
    let refused = act(
        &world,
        &tenant,
        "credits",
        json!({ "amount": "1", "reason": "x" }),
    )
    .await;
    assert_eq!((refused.status, refused.code()), (409, "too_many_lots"));
    let paid = act(&world, &tenant, "top-ups", json!({ "amount": "2" })).await;
    assert_eq!(paid.status, 201, "{paid:?}");
    let shown = wallet(&world, &tenant).await;
    let lots = shown["lots"].as_array().unwrap();
    assert_eq!((lots.len(), &lots[39]["remaining"]), (40, &json!("3")));
}

#[tokio::test]
async fn usage_that_empties_a_wallet_asks_for_money_once_and_a_top_up_answers_it() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "20").await;
    let path = of(&tenant, "auto-recharge");
    let rule = json!({ "threshold": "10", "amount": "30", "daily_max": "60", "monthly_max": "90" });
    let saved = put(&world, &path, &rule).await;
    assert_eq!((saved.status, &saved.body["pending"]), (200, &json!([])));
    world.use_today(&tenant, "calls-outbound", "8");
    world.pull(&tenant).await;
    world.use_today(&tenant, "calls-outbound", "9");
    world.pull(&tenant).await;
    let asked = events(&world, &tenant, "wallet.recharge_requested").await;
    assert_eq!(
        asked,
        [json!({ "request_id": "rch_1", "amount": "30", "balance": "8" })]
    );
    let paid = json!({ "amount": "30", "reference": "card-1", "recharge_request_id": "rch_1" });
    assert_eq!(act(&world, &tenant, "top-ups", paid).await.status, 201);
    let state = world.get(&path).await;
    assert_eq!(state.body["pending"], json!([]));
    assert_eq!(state.text("/requested/in_day"), "30");
}

#[tokio::test]
async fn declines_wait_and_a_repeated_decline_changes_nothing() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "5").await;
    let path = of(&tenant, "auto-recharge");
    let rule =
        json!({ "threshold": "10", "target": "25.50", "daily_max": "60", "monthly_max": "90" });
    let saved = put(&world, &path, &rule).await;
    assert_eq!(saved.text("/pending/0/amount"), "20.5");
    let declined = act(
        &world,
        &tenant,
        "auto-recharge/rch_1/decline",
        json!({ "reason": "card expired" }),
    )
    .await;
    assert_eq!(
        (declined.status, &declined.body["declines"]),
        (200, &json!(1))
    );
    assert!(declined.body["blocked_until"].is_string(), "{declined:?}");
    let again = act(&world, &tenant, "auto-recharge/rch_1/decline", json!({})).await;
    assert_eq!((again.status, &again.body), (200, &declined.body));
    for unknown in ["rch_2", "rch_0", "x"] {
        let end = format!("auto-recharge/{unknown}/decline");
        let answer = act(&world, &tenant, &end, json!({})).await;
        assert_eq!(
            (answer.status, answer.code()),
            (404, "recharge_request_not_found")
        );
    }
    // Within the wait nothing is asked for; after it, the next change of the balance asks again.
    act(
        &world,
        &tenant,
        "adjustments",
        json!({ "amount": "-1", "reason": "x" }),
    )
    .await;
    assert_eq!(world.get(&path).await.body["pending"], json!([]));
    world.pass(jiff::SignedDuration::from_mins(61)).await;
    act(
        &world,
        &tenant,
        "adjustments",
        json!({ "amount": "-1", "reason": "x" }),
    )
    .await;
    assert_eq!(world.get(&path).await.text("/pending/0/amount"), "22.5");
    let removed = world.delete(&path).await;
    assert_eq!((removed.status, &removed.body["rule"]), (200, &Value::Null));
    for (field, value) in [
        ("amount", json!("5")),
        ("target", json!("1")),
        ("daily_max", json!("0")),
        ("monthly_max", json!("1")),
        ("threshold", json!("x")),
    ] {
        let mut wrong = rule.clone();
        wrong[field] = value;
        let answer = put(&world, &path, &wrong).await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "recharge_invalid"),
            "{field}"
        );
    }
}
