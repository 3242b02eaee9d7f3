//! Price plans: decimal strings, known categories, versions that never change.

use serde_json::{Value, json};
use tests::World;

fn plan(field: &str, value: &Value) -> Value {
    let mut plan = json!({ "name": "Standard", "currency": "USD", "default_multiplier": "1.3" });
    plan[field] = value.clone();
    plan
}

#[tokio::test]
async fn a_plan_that_could_charge_wrongly_is_refused_by_a_code() {
    let world = World::start().await;
    for (field, value, status, code) in [
        ("default_multiplier", json!("0"), 422, "plan_invalid"),
        ("default_multiplier", json!("-1"), 422, "plan_invalid"),
        ("default_multiplier", json!("1.00001"), 422, "plan_invalid"),
        ("default_multiplier", json!("NaN"), 422, "plan_invalid"),
        ("default_multiplier", json!(""), 422, "plan_invalid"),
        ("default_multiplier", json!("1,5"), 422, "plan_invalid"),
        (
            "default_multiplier",
            json!("9".repeat(40)),
            422,
            "plan_invalid",
        ),
        ("default_multiplier", json!(1.3), 400, "body_invalid"),
        ("default_multiplier", json!(2), 400, "body_invalid"),
        ("default_multiplier", json!(null), 422, "plan_invalid"),
        ("margin_floor", json!("-0.1"), 422, "plan_invalid"),
        ("margin_floor", json!(0.1), 400, "body_invalid"),
        ("currency", json!("ZZZ"), 422, "unknown_currency"),
        ("currency", json!("US"), 422, "unknown_currency"),
        ("currency", json!(""), 422, "unknown_currency"),
        (
            "multipliers",
            json!({ "sms": "1.5" }),
            422,
            "unknown_category",
        ),
        (
            "multipliers",
            json!({ "totalprice": "1.5" }),
            422,
            "unknown_category",
        ),
        (
            "multipliers",
            json!({ "carrier-pigeons": "1.5" }),
            422,
            "unknown_category",
        ),
        (
            "multipliers",
            json!({ "sms-outbound": "0" }),
            422,
            "plan_invalid",
        ),
        (
            "multipliers",
            json!({ "sms-outbound": 1.5 }),
            400,
            "body_invalid",
        ),
        ("name", json!(""), 400, "name_invalid"),
        ("name", json!("a\u{0}b"), 400, "name_invalid"),
        ("name", json!("\u{202e}x"), 400, "name_invalid"),
        (
            "standing",
            json!({ "credit_limit": "-1" }),
            422,
            "plan_invalid",
        ),
        (
            "standing",
            json!({ "low_balance": 10 }),
            400,
            "body_invalid",
        ),
        ("standing", json!({ "surprise": "1" }), 400, "body_invalid"),
        ("plan_id", json!("plan_x"), 422, "unknown_plan"),
        (
            "plan_id",
            json!(format!("plan_{}", "0".repeat(26))),
            422,
            "unknown_plan",
        ),
        ("surprise", json!(1), 400, "body_invalid"),
    ] {
        let answer = world.post("/v1/plans", &plan(field, &value)).await;
        assert_eq!(
            (answer.status, answer.code()),
            (status, code),
            "{field} {value}"
        );
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
    }
    let listed = world.get("/v1/plans").await;
    assert_eq!(listed.body, json!({ "plans": [], "next_cursor": null }));
}

#[tokio::test]
async fn versions_count_up_never_change_and_keep_their_currency() {
    let world = World::start().await;
    let body = json!({
        "name": "Standard", "currency": "usd", "default_multiplier": "1.30",
        "multipliers": { "calls-outbound": "1.5", "other": "2" }, "margin_floor": "0.1",
    });
    let first = world.post("/v1/plans", &body).await;
    assert_eq!(first.status, 201, "{first:?}");
    let id = first.text("/plan_id");
    assert_eq!(first.body["version"], 1);
    assert_eq!(first.text("/currency"), "USD");
    assert_eq!(first.text("/default_multiplier"), "1.3");
    let mut next = plan("plan_id", &json!(id));
    next["default_multiplier"] = json!("2");
    let (left, right) = tokio::join!(
        world.post("/v1/plans", &next),
        world.post("/v1/plans", &next)
    );
    let mut versions = [&left, &right].map(|answer| answer.body["version"].clone());
    versions.sort_by_key(Value::as_u64);
    assert_eq!(versions, [json!(2), json!(3)], "{left:?} {right:?}");
    next["currency"] = json!("EUR");
    let other = world.post("/v1/plans", &next).await;
    assert_eq!((other.status, other.code()), (422, "plan_currency_fixed"));
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world.get(&format!("/v1/plans?limit=1{cursor}")).await;
        let plans = page.body["plans"].as_array().unwrap();
        assert!(plans.len() <= 1, "{page:?}");
        seen.extend(plans.iter().cloned());
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[0], first.body);
    for wrong in ["limit=0", "limit=101", "limit=x", "cursor=x", "page=1"] {
        let answer = world.get(&format!("/v1/plans?{wrong}")).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "query_invalid"),
            "{wrong}"
        );
    }
    // A tenant takes the latest version unless it names one.
    for (version, expected) in [(json!(null), 3), (json!(1), 1)] {
        let body = json!({ "name": "Acme", "plan_id": id, "plan_version": version });
        let tenant = world.post("/v1/tenants", &body).await;
        assert_eq!(
            tenant.body["plan"],
            json!({ "plan_id": id, "version": expected })
        );
    }
    let body = json!({ "name": "Acme", "plan_id": id, "plan_version": 9 });
    let unknown = world.post("/v1/tenants", &body).await;
    assert_eq!((unknown.status, unknown.code()), (422, "unknown_plan"));
}
