//! Plans with rules, plans from a day on, overrides and billing: no booked day ever changes its price.

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Tenant, World};

fn of(tenant: &Tenant, end: &str) -> String {
    format!("/v1/tenants/{}/{end}", tenant.id)
}

async fn patch(world: &World, path: &str, body: &Value) -> Answer {
    let bearer = world.bearer();
    let headers = [
        ("authorization", &*bearer),
        ("content-type", "application/json"),
    ];
    world
        .request(Method::PATCH, path, &headers, body.to_string().into_bytes())
        .await
}

/// One rule of every model.
fn rules() -> Value {
    json!([
        { "id": "uk", "category": "calls-outbound", "country": "GB", "prefixes": ["4479"],
          "model": { "type": "unit", "unit_price": "0.02", "per": "usage", "increments": { "first_s": 30, "next_s": 6 } } },
        { "id": "in", "category": "messages", "direction": "inbound", "margin_floor": "0.2",
          "model": { "type": "multiplier", "multiplier": "1.5", "minimum_per_unit": "0.001", "per": "count" } },
        { "id": "toll-free", "category": "phonenumbers", "number_type": "tollfree",
          "model": { "type": "unit", "unit_price": "3.5", "per": "usage" } },
        { "id": "steps", "category": "sms-outbound", "model": { "type": "graduated", "per": "usage",
          "tiers": [{ "up_to": "100", "unit_price": "0.01", "flat_fee": "1" }, { "unit_price": "0.008" }] } },
        { "id": "bulk", "category": "mms-outbound", "model": { "type": "volume", "per": "count", "tiers": [{ "unit_price": "0.02" }] } },
        { "id": "packs", "category": "lookups", "model": { "type": "package", "size": "100", "package_price": "5", "per": "count" } },
        { "id": "included", "category": "trunking", "model": { "type": "allowance", "included": "1000",
          "overage_unit_price": "0.01", "cap": "2000", "hard": true, "per": "usage" } },
        { "id": "seat", "category": "tenant-fee", "model": { "type": "fee", "monthly_fee": "29" } },
    ])
}

#[tokio::test]
async fn a_plan_of_every_model_is_kept_and_shown_as_it_was_written() {
    let world = World::start().await;
    let body = json!({ "name": "All", "currency": "USD", "default_multiplier": "1.3", "rules": rules(),
        "payment": "postpaid", "due_days": 30, "defaults": { "time_zone": "Europe/Berlin", "billing_day": 31, "tax_rate": "0.19" } });
    let made = world.post("/v1/plans", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.body["rules"], rules());
    let id = made.text("/plan_id");
    let shown = world.get(&format!("/v1/plans/{id}/versions/1")).await;
    assert_eq!((shown.status, &shown.body), (200, &made.body));
    let listed = world.get("/v1/plans").await;
    assert_eq!(listed.body["plans"], json!([made.body]));
    for wrong in [
        format!("{id}/versions/2"),
        format!("{id}/versions/x"),
        "plan_x/versions/1".into(),
    ] {
        let answer = world.get(&format!("/v1/plans/{wrong}")).await;
        assert_eq!(
            (answer.status, answer.code()),
            (404, "plan_not_found"),
            "{wrong}"
        );
    }
    // Its defaults become a tenant's, where the sign-up says nothing else.
    let tenant = world
        .post(
            "/v1/tenants",
            &json!({ "name": "Acme", "plan_id": id, "billing_day": 15, "bill_to": ["1 Road"] }),
        )
        .await;
    assert_eq!(
        tenant.body["billing"],
        json!({ "time_zone": "Europe/Berlin", "billing_day": 15, "tax_rate": "0.19", "bill_to": ["1 Road"] })
    );
}

#[tokio::test]
async fn a_wrong_rule_is_refused_by_a_code_and_by_its_id() {
    let world = World::start().await;
    let unit = json!({ "type": "unit", "unit_price": "1" });
    for (rule, code, named) in [
        (
            json!({ "id": "a", "category": "sms-inbund", "model": unit }),
            "unknown_category",
            "rule a:",
        ),
        (
            json!({ "id": "a", "category": "sms-inbound", "model": { "type": "free" } }),
            "plan_invalid",
            "rule a:",
        ),
        (
            json!({ "id": "a", "category": "sms-inbound" }),
            "plan_invalid",
            "rule a:",
        ),
        (
            json!({ "category": "sms-inbound", "model": unit }),
            "plan_invalid",
            "rule number 1:",
        ),
        (
            json!({ "id": "B", "category": "sms-inbound", "model": unit }),
            "plan_invalid",
            "rule number 1:",
        ),
        (
            json!({ "id": "default", "category": "sms-inbound", "model": unit }),
            "plan_invalid",
            "rule default:",
        ),
        (
            json!({ "id": "a", "category": "other", "model": unit }),
            "plan_invalid",
            "rule a:",
        ),
        (
            json!({ "id": "a", "category": "lookups", "country": "GB", "model": unit }),
            "plan_invalid",
            "rule a:",
        ),
        (
            json!({ "id": "a", "category": "lookups", "model": { "type": "unit", "unit_price": "-1" } }),
            "plan_invalid",
            "rule a:",
        ),
        (
            json!({ "id": "a", "category": "lookups", "model": { "type": "graduated", "tiers": [] } }),
            "plan_invalid",
            "rule a:",
        ),
        (json!("x"), "plan_invalid", "rule number 1:"),
    ] {
        let body =
            json!({ "name": "P", "currency": "USD", "default_multiplier": "1", "rules": [rule] });
        let answer = world.post("/v1/plans", &body).await;
        assert_eq!((answer.status, answer.code()), (422, code), "{rule}");
        assert!(answer.text("/detail").starts_with(named), "{answer:?}");
    }
    let bare = json!({ "name": "P", "currency": "USD", "rules": [] });
    let answer = world.post("/v1/plans", &bare).await;
    assert_eq!((answer.status, answer.code()), (422, "plan_invalid"));
}

#[tokio::test]
async fn a_plan_change_takes_effect_on_a_day_to_come_and_no_booked_day_changes() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "100").await;
    let body = json!({ "name": "Double", "currency": "USD", "default_multiplier": "2" });
    let double = world.post("/v1/plans", &body).await.text("/plan_id");
    let path = of(&tenant, "plan");
    let change = json!({ "plan_id": double, "effective_at": "2026-03-01T12:00:00Z" });
    let changed = world.post(&path, &change).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(
        changed.body["plans"][1],
        json!({ "from": "2026-03-02", "plan_id": double, "version": 1 })
    );
    let again = world.post(&path, &change).await;
    assert_eq!(
        (again.status, &again.body["plans"]),
        (200, &changed.body["plans"])
    );
    world.use_today(&tenant, "calls-outbound", "10");
    world.pull(&tenant).await;
    assert_eq!(world.show(&tenant).await.text("/charged"), "15");
    world.pass(SignedDuration::from_hours(24)).await;
    world.use_today(&tenant, "calls-outbound", "10");
    world.pull(&tenant).await;
    assert_eq!(world.show(&tenant).await.text("/charged"), "35");
    // A repetition is still good; a new change of a day that began is not.
    assert_eq!(world.post(&path, &change).await.status, 200);
    let yen = json!({ "name": "Yen", "currency": "JPY", "default_multiplier": "2" });
    let yen = world.post("/v1/plans", &yen).await.text("/plan_id");
    for (body, status, code) in [
        (
            json!({ "plan_id": double, "from": "2026-03-01" }),
            422,
            "day_not_ahead",
        ),
        (
            json!({ "plan_id": double, "effective_at": "2026-02-01T00:00:00Z" }),
            422,
            "day_not_ahead",
        ),
        (
            json!({ "plan_id": yen, "from": "2026-05-01" }),
            422,
            "currency_mismatch",
        ),
        (
            json!({ "plan_id": double, "plan_version": 7, "from": "2026-05-01" }),
            422,
            "unknown_plan",
        ),
        (json!({ "plan_id": double }), 400, "body_invalid"),
    ] {
        let answer = world.post(&path, &body).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{body}");
    }
    // One to come is replaced by another for its day.
    let first = world.show(&tenant).await.body["plans"][0]["plan_id"].clone();
    for plan in [json!(double), first] {
        let body = json!({ "plan_id": plan, "from": "2026-06-01" });
        let shown = world.post(&path, &body).await;
        assert_eq!(shown.body["plans"].as_array().unwrap().len(), 3);
        assert_eq!(shown.body["plans"][2]["plan_id"], plan);
    }
    world.stack.settle().await;
    assert_eq!(world.event_ids(&tenant.id, "tenant.plan_changed").len(), 3);
}

#[tokio::test]
async fn an_override_goes_before_the_plan_on_its_days_and_not_on_booked_ones() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "100").await;
    let path = of(&tenant, "overrides");
    let rule = json!({ "category": "calls-outbound", "model": { "type": "multiplier", "multiplier": "3" } });
    let body =
        json!({ "rule": rule, "from": "2026-03-02", "until": "2026-03-03", "reason": "deal" });
    let made = world.post_as(&path, "o-1", &body).await;
    assert_eq!(
        (made.status, &made.body["number"]),
        (201, &json!(1)),
        "{made:?}"
    );
    let replay = world.post_as(&path, "o-1", &body).await;
    assert_eq!((replay.status, &replay.body), (201, &made.body));
    assert_eq!(replay.header("idempotent-replayed"), Some("true"));
    for _ in 0..3 {
        world.use_today(&tenant, "calls-outbound", "1");
        world.pull(&tenant).await;
        world.pass(SignedDuration::from_hours(24)).await;
    }
    // 1.5 + 3 + 1.5
    assert_eq!(world.show(&tenant).await.text("/charged"), "6");
    let end = |number: u32, until: &str| {
        (
            of(&tenant, &format!("overrides/{number}/end")),
            json!({ "until": until }),
        )
    };
    let (over, until) = end(1, "2026-04-01");
    let answer = world.post(&over, &until).await;
    assert_eq!((answer.status, answer.code()), (422, "day_not_ahead"));
    let later = json!({ "rule": rule, "from": "2026-05-01", "reason": "deal" });
    assert_eq!(world.post(&path, &later).await.status, 201);
    let (two, until) = end(2, "2026-04-01");
    let ended = world.post(&two, &until).await;
    assert_eq!(
        (ended.status, ended.text("/until")),
        (200, "2026-05-01".into())
    );
    let (none, until) = end(9, "2026-05-01");
    let answer = world.post(&none, &until).await;
    assert_eq!((answer.status, answer.code()), (404, "override_not_found"));
    let listed = world.get(&path).await;
    assert_eq!(listed.body["overrides"].as_array().unwrap().len(), 2);
    let with = |field: &str, value: Value| {
        let mut body = later.clone();
        body[field] = value;
        body
    };
    for (body, code) in [
        (with("from", json!("2026-03-01")), "day_not_ahead"),
        (with("until", json!("2026-05-01")), "override_invalid"),
        (
            with(
                "rule",
                json!({ "category": "other", "model": { "type": "unit", "unit_price": "1" } }),
            ),
            "override_invalid",
        ),
        (
            with("rule", json!({ "id": "mine", "category": "other" })),
            "override_invalid",
        ),
        (
            with(
                "rule",
                json!({ "category": "pigeons", "model": { "type": "unit", "unit_price": "1" } }),
            ),
            "unknown_category",
        ),
        (
            with("rule", json!({ "category": "other" })),
            "override_invalid",
        ),
        (
            with(
                "rule",
                json!({ "category": "number-fee", "model": { "type": "unit", "unit_price": "1" } }),
            ),
            "override_invalid",
        ),
        (with("reason", json!("")), "reason_invalid"),
    ] {
        let answer = world.post(&path, &body).await;
        assert_eq!((answer.status, answer.code()), (422, code), "{body}");
    }
    // Each alone is safe, both together are not: a list of calls does not say what is a mobile number.
    let mobile = json!({ "category": "calls-inbound", "number_type": "mobile", "model": { "type": "unit", "unit_price": "1" } });
    assert_eq!(world.post(&path, &with("rule", mobile)).await.status, 201);
    let country = json!({ "category": "calls-inbound", "country": "GB", "model": { "type": "unit", "unit_price": "1" } });
    let both = world.post(&path, &with("rule", country)).await;
    assert_eq!((both.status, both.code()), (422, "override_invalid"));
    for _ in 0..17 {
        assert_eq!(world.post(&path, &later).await.status, 201);
    }
    let full = world.post(&path, &later).await;
    assert_eq!((full.status, full.code()), (409, "too_many_overrides"));
}

#[tokio::test]
async fn a_billing_period_is_fixed_once_usage_is_recorded_and_the_rest_is_not() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "100").await;
    let path = of(&tenant, "billing");
    let moved = patch(
        &world,
        &path,
        &json!({ "time_zone": "Asia/Tokyo", "billing_day": 28, "tax_id": "JP1" }),
    )
    .await;
    assert_eq!(moved.status, 200, "{moved:?}");
    assert_eq!(
        moved.body["billing"],
        json!({ "time_zone": "Asia/Tokyo", "billing_day": 28, "tax_rate": "0", "tax_id": "JP1" })
    );
    world.use_today(&tenant, "calls-outbound", "1");
    world.pull(&tenant).await;
    for field in [json!({ "time_zone": "UTC" }), json!({ "billing_day": 1 })] {
        let answer = patch(&world, &path, &field).await;
        assert_eq!(
            (answer.status, answer.code()),
            (409, "billing_period_fixed"),
            "{field}"
        );
    }
    let rest = json!({ "billing_day": 28, "tax_rate": "0.081", "tax_exempt": true, "tax_id": null, "bill_to": ["1 Road", "Town"] });
    let changed = patch(&world, &path, &rest).await;
    assert_eq!(changed.body["billing"]["tax_id"], Value::Null);
    assert_eq!(changed.body["billing"]["tax_exempt"], true);
    for wrong in [
        json!({ "time_zone": "Mars/Base" }),
        json!({ "billing_day": 32 }),
        json!({ "tax_rate": "2" }),
        json!({ "tax_rate": "x" }),
        json!({ "bill_to": ["a\nb"] }),
        json!({ "tax_id": "" }),
    ] {
        let answer = patch(&world, &path, &wrong).await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "billing_invalid"),
            "{wrong}"
        );
    }
}
