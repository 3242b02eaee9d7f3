//! Usage by number, call and message, for operators and for tenants, and what another plan would have charged.

use domain::Decimal;
use serde_json::{Value, json};
use tests::{Answer, Tenant, World};

use crate::money::rules::{SHOWN, call, message, on_plan};
use crate::money::support::{books, decimal, today};

/// A tenant with two calls and a message of its first day, all priced and booked.
async fn used() -> (World, Tenant, String) {
    let world = World::start().await;
    let rules = json!([
        { "id": "gb", "category": "calls-outbound", "country": "GB", "model": { "type": "unit", "unit_price": "0.03", "per": "usage" } },
    ]);
    let tenant = on_plan(&world, rules).await;
    let first = today(&world);
    call(&world, &tenant, "+442079460000", 61).await;
    call(&world, &tenant, "+493090000000", 10).await;
    message(&world, &tenant, "+493090000000").await;
    world.pass(SHOWN).await;
    world.pull(&tenant).await;
    let range = format!("from={first}&to={}", today(&world));
    (world, tenant, range)
}

async fn report(world: &World, tenant: &Tenant, query: &str) -> Answer {
    world
        .get(&format!("/v1/tenants/{}/usage?{query}", tenant.id))
        .await
}

fn rows(answer: &Answer) -> &Vec<Value> {
    answer.body["rows"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer:?}"))
}

fn sum(rows: &[Value], field: &str) -> Decimal {
    rows.iter()
        .map(|row| decimal(row[field].as_str().unwrap()))
        .sum()
}

#[tokio::test]
async fn rows_of_every_kind_add_up_to_what_is_booked() {
    let (world, tenant, range) = used().await;
    let wallet = books(&world, &tenant).await;
    for by in ["day", "category", "number", "call", "message"] {
        let answer = report(&world, &tenant, &format!("{range}&by={by}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(sum(rows(&answer), "charge"), wallet.charged(), "{by}");
        assert_eq!(sum(rows(&answer), "cost"), wallet.cost(), "{by}");
        assert_eq!(
            answer.body["charge"],
            domain::money::to_text(wallet.charged())
        );
    }
    let calls = report(&world, &tenant, &format!("{range}&by=call")).await;
    let gb = rows(&calls)
        .iter()
        .find(|row| row["to"] == "+442079460000")
        .unwrap();
    // Two minutes at 0.03, to the last digit: the only call of its rule is not the only one of its category.
    assert_eq!(gb["duration_s"], 61);
    let both = report(&world, &tenant, &format!("{range}&by=category")).await;
    let outbound = rows(&both)
        .iter()
        .find(|row| row["category"] == "calls-outbound")
        .unwrap();
    let of_calls: Vec<Value> = rows(&calls)
        .iter()
        .filter(|row| row["sid"].is_string())
        .cloned()
        .collect();
    assert_eq!(
        sum(&of_calls, "charge"),
        decimal(outbound["charge"].as_str().unwrap())
    );
    let numbers = report(&world, &tenant, &format!("{range}&by=number")).await;
    assert_eq!(
        (&rows(&numbers)[0]["calls"], &rows(&numbers)[0]["messages"]),
        (&json!(2), &json!(1))
    );
}

#[tokio::test]
async fn a_tenant_sees_charges_and_never_costs() {
    let (world, tenant, range) = used().await;
    for by in ["day", "category", "number", "call", "message"] {
        let answer = report(&world, &tenant, &format!("{range}&by={by}&view=tenant")).await;
        assert_eq!(answer.status, 200);
        assert!(
            !answer.body.to_string().contains("cost"),
            "{by}: {}",
            answer.body
        );
    }
    let odd = report(&world, &tenant, &format!("{range}&view=all")).await;
    assert_eq!(odd.code(), "query_invalid");
}

#[tokio::test]
async fn pages_of_items_hold_every_row_once() {
    let (world, tenant, range) = used().await;
    let whole = report(&world, &tenant, &format!("{range}&by=call")).await;
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    for _ in 0..10 {
        let page = report(&world, &tenant, &format!("{range}&by=call&limit=1{cursor}")).await;
        paged.extend(rows(&page).clone());
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={}", next.replace('+', "%2B")),
            None => break,
        }
    }
    assert_eq!(&paged, rows(&whole));
    for (query, code) in [
        ("from=2026-01-01&to=2026-01-31&by=call", "invalid_range"),
        ("from=2026-01-01&to=2026-03-31&by=number", "invalid_range"),
        ("from=2026-01-01&to=2026-01-02&by=colour", "query_invalid"),
    ] {
        assert_eq!(report(&world, &tenant, query).await.code(), code, "{query}");
    }
}

async fn what_if(world: &World, tenant: &Tenant, plan: Value, range: (&str, &str)) -> Answer {
    let body = json!({ "plan": plan, "tenant_id": tenant.id, "from": range.0, "to": range.1 });
    world.post("/v1/what-if", &body).await
}

#[tokio::test]
async fn a_what_if_under_the_own_plan_is_what_was_charged_and_writes_nothing() {
    let (world, tenant, _) = used().await;
    let wallet = books(&world, &tenant).await;
    let shown = world.show(&tenant).await;
    let plan_id = shown.text("/plan/plan_id");
    let (from, to) = ("2026-03-01".to_owned(), today(&world).to_string());
    let before = world.stack.aws.counters();
    let body = json!({ "plan_id": plan_id, "tenant_id": tenant.id, "from": from, "to": to });
    let answer = world.post("/v1/what-if", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let total = &answer.body["total"];
    assert_eq!(
        (
            &total["charge"],
            &total["charge_what_if"],
            &total["difference"]
        ),
        (
            &json!(domain::money::to_text(wallet.charged())),
            &json!(domain::money::to_text(wallet.charged())),
            &json!("0")
        )
    );
    let since = world.stack.aws.counters().since(&before);
    let written = since
        .total(|key| key.caller == "tollgate-provisioning")
        .write_halves;
    assert_eq!(written, 0);
    let all = world
        .post(
            "/v1/what-if",
            &json!({ "plan_id": plan_id, "from": from, "to": to }),
        )
        .await;
    assert_eq!(all.body["total"], *total, "all tenants are this one");
}

#[tokio::test]
async fn a_what_if_under_another_plan_prices_every_category_and_says_what_it_cannot_tell() {
    let (world, tenant, _) = used().await;
    let wallet = books(&world, &tenant).await;
    let to = today(&world).to_string();
    let range = ("2026-03-01", to.as_str());
    let plan = |rules: Value| json!({ "name": "Other", "currency": "USD", "default_multiplier": "3", "rules": rules });
    let tripled = what_if(&world, &tenant, plan(json!([])), range).await;
    let expected = domain::money::to_text(wallet.cost() * decimal("3"));
    assert_eq!(
        tripled.body["total"]["charge_what_if"],
        json!(expected),
        "{tripled:?}"
    );
    let destination = json!([{ "id": "de", "category": "calls-outbound", "country": "DE",
        "model": { "type": "unit", "unit_price": "1" } }]);
    let by_destination = what_if(&world, &tenant, plan(destination), range).await;
    // One minute to Germany at 1, all else at three times its cost.
    let row = &by_destination.body["tenants"][0]["by_category"]["calls-outbound"];
    assert!(
        decimal(row["charge_what_if"].as_str().unwrap()) > decimal("1"),
        "{row}"
    );
    let fee = json!([{ "id": "n", "category": "number-fee", "model": { "type": "fee", "monthly_fee": "1" } }]);
    let untold = what_if(&world, &tenant, plan(fee), range).await;
    assert_eq!(untold.body["tenants"][0]["not_told"], "numbers_held");
    let bad = plan(
        json!([{ "id": "x", "category": "pigeons", "model": { "type": "fee", "monthly_fee": "1" } }]),
    );
    assert_eq!(
        what_if(&world, &tenant, bad, range).await.code(),
        "unknown_category"
    );
    let neither = world
        .post("/v1/what-if", &json!({ "from": range.0, "to": range.1 }))
        .await;
    assert_eq!(neither.code(), "body_invalid");
    let long = what_if(
        &world,
        &tenant,
        plan(json!([])),
        ("2026-01-01", "2026-06-30"),
    )
    .await;
    assert_eq!(long.code(), "invalid_range");
}
