//! How far back runs look, what waits for a person, and what runs remember: over the wire, on virtual time.

use base64::Engine as _;
use domain::{Date, Decimal};
use jiff::{SignedDuration, ToSpan as _};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Tenant, World};
use twilio_sim::{FaultAction, Pace, Quirks, SimConfig};

use super::rules::{SHOWN, call, on_plan};
use super::support::*;

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

fn ago(world: &World, days: i32) -> Date {
    today(world).saturating_sub(days.days())
}

fn of(tenant: &Tenant, path: &str) -> String {
    format!("/v1/tenants/{}/{path}", tenant.id)
}

/// Gives a number back, as a tenant does with its own credentials.
async fn release(world: &World, tenant: &Tenant, sid: &str) {
    let account = &tenant.account_sid;
    let login = format!("{account}:{}", world.auth_token(account));
    let login = format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(login)
    );
    let path = format!("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{sid}.json");
    let headers = [("authorization", login.as_str())];
    let answer = world
        .request(Method::DELETE, &path, &headers, Vec::new())
        .await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

/// A world whose tenant used something on its first day, this many days ago.
async fn long_ago(age: i64) -> (World, Tenant, Date) {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "100").await;
    let first = today(&world);
    revise(&world, &tenant, first, SMS, "2");
    world.pull(&tenant).await;
    jump(&world, &tenant, age).await;
    (world, tenant, first)
}

async fn ask(world: &World, tenant: &Tenant, day: Date) {
    let body = json!({ "from": day, "to": day, "reason": "as Twilio's support says" });
    let answer = world.post(&of(tenant, "pulls"), &body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    world.pass(SignedDuration::from_mins(12)).await;
}

async fn corrections(world: &World, tenant: &Tenant) -> Vec<Value> {
    let answer = world.get(&of(tenant, "corrections")).await;
    answer.body["corrections"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_revision_within_two_weeks_is_booked_by_the_daily_turn_and_not_by_others() {
    let (world, tenant, first) = long_ago(10).await;
    revise(&world, &tenant, first, SMS, "3.5");
    world.pull(&tenant).await;
    assert_eq!(books(&world, &tenant).await.cost(), decimal("2"));
    world.pass(days(1)).await;
    exact_books(&world, &tenant).await;
}

#[tokio::test]
async fn an_older_revision_waits_for_the_months_sweep_or_for_somebody_who_asks() {
    let (world, tenant, first) = long_ago(24).await;
    // Its daily turn of this month has swept.
    world.pass(days(1)).await;
    revise(&world, &tenant, first, SMS, "3.5");
    world.pass(days(2)).await;
    assert_eq!(books(&world, &tenant).await.cost(), decimal("2"));
    ask(&world, &tenant, first).await;
    exact_books(&world, &tenant).await;
    revise(&world, &tenant, first, SMS, "1.25");
    // The turn of the next month.
    world.pass(days(6)).await;
    exact_books(&world, &tenant).await;
}

#[tokio::test]
async fn a_pull_is_asked_for_within_limits_and_leaves_nothing_behind() {
    let (world, tenant, first) = long_ago(5).await;
    let path = of(&tenant, "pulls");
    let body = |from: Date, to: Date| json!({ "from": from, "to": to, "reason": "why" });
    for (from, to) in [
        (ago(&world, -1), ago(&world, -1)),
        (first, ago(&world, -1)),
        (ago(&world, 95), today(&world)),
        (today(&world), first),
    ] {
        let answer = world.post(&path, &body(from, to)).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "invalid_range"),
            "{from} {to}"
        );
    }
    let silent = world.post(&path, &json!({ "reason": "" })).await;
    assert_eq!(silent.code(), "reason_invalid");
    let unknown = of(
        &Tenant {
            id: "ten_x".into(),
            account_sid: String::new(),
        },
        "pulls",
    );
    assert_eq!(
        world
            .post(&unknown, &json!({ "reason": "why" }))
            .await
            .code(),
        "tenant_not_found"
    );
    let before = json!({ "from": ago(&world, 9), "to": ago(&world, 8), "reason": "why" });
    assert_eq!(
        world.post(&path, &before).await.code(),
        "invalid_range",
        "before it was a tenant"
    );
    let ranges = (0..5).flat_map(|to| (to..5).map(move |from| (from, to)));
    for (from, to) in ranges.take(10) {
        let answer = world
            .post(&path, &body(ago(&world, from), ago(&world, to)))
            .await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    let full = world
        .post(&path, &body(ago(&world, 4), ago(&world, 4)))
        .await;
    assert_eq!((full.status, full.code()), (409, "too_many_pulls"));
    world.pass(SignedDuration::from_mins(12)).await;
    let state = store(&world).pull_state(&id(&tenant)).await.unwrap();
    assert_eq!(state.requested, []);
}

#[tokio::test]
async fn a_revision_of_a_day_older_than_the_sweep_waits_until_it_is_approved_and_then_is_booked() {
    let (world, tenant, first) = long_ago(100).await;
    revise(&world, &tenant, first, SMS, "3.5");
    ask(&world, &tenant, first).await;
    assert_eq!(books(&world, &tenant).await.cost(), decimal("2"));
    let waiting = corrections(&world, &tenant).await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(
        (
            &waiting[0]["cost"],
            &waiting[0]["charge"],
            &waiting[0]["state"]
        ),
        (&json!("1.5"), &json!("2.25"), &json!("waiting"))
    );
    assert_eq!(events(&world, &tenant, "usage.correction_waiting").len(), 1);
    ask(&world, &tenant, first).await;
    assert_eq!(
        events(&world, &tenant, "usage.correction_waiting").len(),
        1,
        "told once"
    );
    // Another figure than the one that is approved waits again.
    let verdict = json!({ "reason": "checked with Twilio" });
    let path = of(&tenant, &format!("corrections/{first}/approve"));
    assert_eq!(world.post(&path, &verdict).await.status, 202);
    revise(&world, &tenant, first, SMS, "4");
    world.pass(SignedDuration::from_mins(12)).await;
    assert_eq!(books(&world, &tenant).await.cost(), decimal("2"));
    assert_eq!(corrections(&world, &tenant).await[0]["state"], "waiting");
    assert_eq!(world.post(&path, &verdict).await.status, 202);
    world.pass(SignedDuration::from_mins(12)).await;
    exact_books(&world, &tenant).await;
    assert_eq!(corrections(&world, &tenant).await, [] as [Value; 0]);
    let again = world.post(&path, &verdict).await;
    assert_eq!((again.status, again.code()), (404, "correction_not_found"));
}

#[tokio::test]
async fn a_rejected_revision_is_never_booked_until_it_changes_and_is_not_told_again() {
    let (world, tenant, first) = long_ago(100).await;
    revise(&world, &tenant, first, SMS, "3.5");
    ask(&world, &tenant, first).await;
    let path = of(&tenant, &format!("corrections/{first}/reject"));
    let verdict = json!({ "reason": "too late" });
    assert_eq!(world.post(&path, &verdict).await.body["state"], "rejected");
    ask(&world, &tenant, first).await;
    assert_eq!(books(&world, &tenant).await.cost(), decimal("2"));
    assert_eq!(corrections(&world, &tenant).await[0]["state"], "rejected");
    assert_eq!(events(&world, &tenant, "usage.correction_waiting").len(), 1);
    revise(&world, &tenant, first, SMS, "2");
    ask(&world, &tenant, first).await;
    assert_eq!(corrections(&world, &tenant).await, [] as [Value; 0]);
    exact_books(&world, &tenant).await;
}

#[tokio::test]
async fn a_day_in_another_currency_is_released_by_a_recorded_rate_and_by_that_only() {
    let (world, tenant) = used("2").await;
    let euros = FaultAction::PriceUnit {
        unit: "eur".to_owned(),
    };
    strike(&world, 1_000, euros);
    world.pull(&tenant).await;
    assert_eq!(
        sheets(&world, &tenant).await[0].held.as_deref(),
        Some("other_currency")
    );
    let day = today(&world);
    let rate = |value: &str, until: Date| json!({ "from_currency": "EUR", "to_currency": "USD", "rate": value, "from": day, "until": until, "reason": "ECB" });
    let path = "/v1/exchange-rates";
    for (body, status, code) in [
        (rate("0", day), 422, "rate_invalid"),
        (rate("x", day), 422, "rate_invalid"),
        (rate("1.1", ago(&world, 1)), 422, "rate_invalid"),
        (
            json!({ "from_currency": "EUR", "to_currency": "EUR", "rate": "1", "from": day, "until": day, "reason": "x" }),
            422,
            "rate_invalid",
        ),
        (
            json!({ "from_currency": "EUR", "to_currency": "??", "rate": "1", "from": day, "until": day, "reason": "x" }),
            422,
            "unknown_currency",
        ),
    ] {
        let answer = world.post(path, &body).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{body}");
    }
    assert_eq!(world.post(path, &rate("1.125", day)).await.status, 201);
    assert_eq!(
        world.post(path, &rate("1.125", day)).await.status,
        201,
        "the same again"
    );
    let other = world.post(path, &rate("1.2", day)).await;
    assert_eq!((other.status, other.code()), (409, "rate_recorded"));
    world.pull(&tenant).await;
    let wallet = books(&world, &tenant).await;
    assert_eq!(
        (wallet.cost(), wallet.charged()),
        (decimal("2.25"), decimal("3.375"))
    );
    let entries = store(&world).entry_chain(&id(&tenant)).await.unwrap();
    let line = entries
        .iter()
        .flat_map(|entry| &entry.lines)
        .next()
        .unwrap();
    let exchange = line.exchange.as_ref().unwrap();
    assert_eq!(
        (exchange.price_unit.code(), exchange.rate),
        ("EUR", decimal("1.125"))
    );
    let listed = world
        .get("/v1/exchange-rates?from_currency=EUR&to_currency=USD")
        .await;
    assert_eq!(listed.body["rates"][0]["rate"], "1.125");
}

#[tokio::test]
async fn a_fee_per_number_is_for_the_days_that_each_number_was_held() {
    let world = World::start().await;
    let rules = json!([
        { "id": "numbers", "category": "number-fee", "model": { "type": "fee", "monthly_fee": "31" } },
    ]);
    // On 1 March, with one number.
    let tenant = on_plan(&world, rules).await;
    world.pass(days(2)).await;
    let second = json!({ "account_sid": tenant.account_sid });
    let bought = world.simulate("/numbers", &second).await;
    world.pass(days(3)).await;
    let sid = bought.text("/sid");
    release(&world, &tenant, &sid).await;
    world.pass(days(4)).await;
    books(&world, &tenant).await;
    let fees = |sheets: &[domain::rating::DaySheet]| -> Vec<Decimal> {
        let of = |sheet: &domain::rating::DaySheet| {
            let mut lines = sheet.lines.iter();
            let fee = lines.find(|(key, _)| key.category.as_str() == "number-fee");
            fee.map_or(Decimal::ZERO, |(_, line)| line.quantities.count)
        };
        sheets.iter().map(of).collect()
    };
    let counts: Vec<String> = fees(&sheets(&world, &tenant).await)
        .iter()
        .map(Decimal::to_string)
        .collect();
    assert_eq!(counts, ["1", "1", "2", "2", "2", "1", "1", "1", "1"]);
}

#[tokio::test]
async fn what_has_no_price_is_exposure_then_an_alarm_and_never_booked_as_nothing() {
    let pace = Pace {
        // Longer than it should ever take.
        price_ms: [5 * 86_400_000, 5 * 86_400_000],
        usage_ms: [6 * 86_400_000, 6 * 86_400_000],
        late_usage_ms: [6 * 86_400_000, 6 * 86_400_000],
        ..Pace::lifelike()
    };
    let world = World::with(SimConfig {
        quirks: Quirks::none(),
        pace,
        ..SimConfig::default()
    })
    .await;
    let rules = json!([
        { "id": "gb", "category": "calls-outbound", "country": "GB",
          "model": { "type": "unit", "unit_price": "0.03", "per": "usage" } },
    ]);
    let tenant = on_plan(&world, rules).await;
    call(&world, &tenant, "+442079460000", 61).await;
    world.pass(days(1)).await;
    let answer = world.get(&of(&tenant, "unpriced")).await;
    assert_eq!(
        (&answer.body["count"], &answer.body["groups"][0]["units"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(answer.body["groups"][0]["overdue"], false);
    assert_eq!(
        answer.body["groups"][0]["estimate"],
        Value::Null,
        "nothing to judge by"
    );
    // Days with a like call that was charged: what is waiting is estimated by it.
    revise(&world, &tenant, today(&world), VOICE, "1");
    world.pull(&tenant).await;
    let wallet = world.get(&of(&tenant, "wallet")).await;
    // 12.5 minutes of unknown numbers were charged 1.5 by the default.
    assert_eq!(wallet.body["exposure"], "0.24");
    world.pass(days(3)).await;
    assert_eq!(events(&world, &tenant, "usage.unpriced_overdue").len(), 1);
    world.pass(SHOWN + days(3)).await;
    let answer = world.get(&of(&tenant, "unpriced")).await;
    assert_eq!(
        (&answer.body["count"], &answer.body["exposure"]),
        (&json!(0), &json!("0"))
    );
    let wallet = books(&world, &tenant).await;
    assert_eq!(wallet.cost(), twilio_total(&world, &tenant));
}
