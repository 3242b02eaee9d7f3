//! Rules by destination, length and period, over the simulator's own calls and messages.

use domain::ledger::LedgerAccount;
use domain::money;
use domain::{Decimal, rating::PeriodSheet};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::{Tenant, World};

use crate::money::support::{
    books, decimal, id, sheets, store, today, twilio_total, usage_requests,
};

/// After this long all usage and prices of the simulator show.
pub const SHOWN: SignedDuration = SignedDuration::from_hours(30);

/// A tenant on a plan with these rules beside a default of 1.5.
pub async fn on_plan(world: &World, rules: Value) -> Tenant {
    let body = json!({
        "name": "Rules", "currency": "USD", "default_multiplier": "1.5", "rules": rules,
        "standing": { "low_balance": "1", "resume_at": "1", "grace_minutes": 600 },
    });
    let plan = world.post("/v1/plans", &body).await;
    assert_eq!(plan.status, 201, "{plan:?}");
    assert_eq!(
        plan.body["rules"], rules,
        "rules come back as they were given"
    );
    let body = json!({ "name": "Acme", "plan_id": plan.text("/plan_id") });
    let answer = world.post("/v1/tenants", &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let tenant = Tenant {
        id: answer.text("/id"),
        account_sid: answer.text("/account_sid"),
    };
    let top_up = json!({ "amount": "100" });
    world
        .post(&format!("/v1/tenants/{}/top-ups", tenant.id), &top_up)
        .await;
    world
        .simulate("/numbers", &json!({ "account_sid": tenant.account_sid }))
        .await;
    world.stack.settle().await;
    tenant
}

pub async fn call(world: &World, tenant: &Tenant, to: &str, seconds: u32) {
    let call = json!({ "account_sid": tenant.account_sid, "to": to, "duration_s": seconds, "outcome": "completed" });
    world.simulate("/calls", &call).await;
}

pub async fn message(world: &World, tenant: &Tenant, to: &str) {
    let message = json!({ "account_sid": tenant.account_sid, "to": to, "body": "hi", "outcome": "delivered" });
    world.simulate("/messages", &message).await;
}

/// Booked lines as `category/rule` with units, cost and charge.
async fn lines(world: &World, tenant: &Tenant) -> Vec<String> {
    let text = money::to_text;
    let sheets = sheets(world, tenant).await;
    let lines = sheets.iter().flat_map(|sheet| &sheet.lines);
    lines
        .filter(|(key, _)| key.category.as_str() != "phonenumbers")
        .map(|(key, line)| {
            let quantities = line.quantities;
            format!(
                "{}/{} {} {} -> {}",
                key.category,
                key.rule,
                text(quantities.usage),
                text(quantities.cost),
                text(line.charge)
            )
        })
        .collect()
}

#[tokio::test]
async fn calls_are_charged_by_destination_and_their_own_length_and_the_total_stays_twilios() {
    let world = World::start().await;
    let rules = json!([
        { "id": "gb", "category": "calls-outbound", "country": "GB", "model": { "type": "multiplier", "multiplier": "2", "per": "usage" } },
        { "id": "us", "category": "calls-outbound", "prefixes": ["1415"],
          "model": { "type": "unit", "unit_price": "0.03", "per": "usage", "increments": { "first_s": 6, "next_s": 6 } } },
    ]);
    let tenant = on_plan(&world, rules).await;
    call(&world, &tenant, "+442079460000", 61).await;
    call(&world, &tenant, "+14155550111", 61).await;
    call(&world, &tenant, "+493090000000", 10).await;
    world.pass(SHOWN).await;
    world.pull(&tenant).await;
    let wallet = books(&world, &tenant).await;
    assert_eq!(wallet.cost(), twilio_total(&world, &tenant));
    assert_eq!(
        lines(&world, &tenant).await,
        [
            // Germany falls to the default; 61 s are 66 s at 3 cents a minute.
            "calls-outbound/default 1 0.021 -> 0.0315",
            "calls-outbound/gb 2 0.0316 -> 0.0632",
            "calls-outbound/us 2 0.028 -> 0.033",
        ]
    );
    assert_eq!(wallet.account(LedgerAccount::Wallet), wallet.balance());
}

#[tokio::test]
async fn a_message_is_charged_with_its_carrier_fee_once() {
    let world = World::start().await;
    let rules = json!([
        { "id": "us", "category": "sms-outbound", "country": "US", "model": { "type": "unit", "unit_price": "0.02", "per": "count" } },
        { "id": "gb", "category": "sms", "country": "GB", "model": { "type": "multiplier", "multiplier": "2", "per": "usage" } },
    ]);
    let tenant = on_plan(&world, rules).await;
    message(&world, &tenant, "+14155550111").await;
    message(&world, &tenant, "+442079460000").await;
    world.pass(SHOWN).await;
    world.pull(&tenant).await;
    let wallet = books(&world, &tenant).await;
    assert_eq!(wallet.cost(), twilio_total(&world, &tenant));
    let lines = lines(&world, &tenant).await;
    assert_eq!(
        lines,
        [
            // The fee's record stays, and the message's price holds all of it.
            "sms-messages-carrierfees/default 1 0 -> 0",
            "sms-outbound/gb 1 0.0463 -> 0.0926",
            "sms-outbound/us 1 0.0113 -> 0.02",
        ]
    );
}

#[tokio::test]
async fn single_calls_are_not_asked_for_without_a_rule_that_needs_them() {
    let world = World::start().await;
    let rules = json!([{ "id": "calls", "category": "calls", "direction": "outbound",
        "model": { "type": "unit", "unit_price": "0.03", "per": "usage" } }]);
    let tenant = on_plan(&world, rules).await;
    call(&world, &tenant, "+442079460000", 61).await;
    world.pass(SHOWN).await;
    let before = world.stack.sim.requests().len();
    world.pull(&tenant).await;
    let after = world.stack.sim.requests();
    assert!(after.len() > before);
    let lists = after[before..]
        .iter()
        .filter(|request| request.path.contains("/Calls") || request.path.contains("/Messages"));
    assert_eq!(lists.count(), 0);
    assert!(usage_requests(&world, &tenant) > 0);
    assert_eq!(
        lines(&world, &tenant).await,
        ["calls-outbound/calls 2 0.0316 -> 0.06"]
    );
}

#[tokio::test]
async fn an_allowance_and_a_fee_are_rated_over_the_billing_period_and_revisions_give_back() {
    let world = World::start().await;
    let rules = json!([
        { "id": "sms-pack", "category": "sms-outbound",
          "model": { "type": "allowance", "included": "10", "overage_unit_price": "0.1", "cap": "20", "hard": false, "per": "count" } },
        { "id": "base", "category": "tenant-fee", "model": { "type": "fee", "monthly_fee": "31" } },
    ]);
    let tenant = on_plan(&world, rules).await;
    let set = |count: i64| {
        let sim = &world.stack.sim;
        let day = today(&world);
        sim.revise_usage(
            &tenant.account_sid,
            day,
            "sms-outbound-longcode",
            "0.5",
            Some("12"),
            Some(count),
        )
        .unwrap();
    };
    set(25);
    world.pull(&tenant).await;
    let wallet = books(&world, &tenant).await;
    // 15 beyond the allowance, and one of March's 31 days.
    assert_eq!(wallet.charged(), decimal("2.5"));
    let events = crate::money::support::events(&world, &tenant, "usage.allowance_reached");
    let bounds: Vec<_> = events
        .iter()
        .map(|event| event["data"]["bound"].clone())
        .collect();
    assert_eq!(bounds, [json!("included"), json!("soft_cap")]);
    world.pass(SignedDuration::from_hours(1)).await;
    set(12);
    world.pull(&tenant).await;
    let wallet = books(&world, &tenant).await;
    assert_eq!(wallet.charged(), decimal("1.2"));
    assert_eq!(wallet.balance(), decimal("98.8"));
    let start = today(&world).first_of_month();
    let periods = store(&world)
        .period_sheets(&id(&tenant), &[start])
        .await
        .unwrap();
    assert_eq!(
        periods.iter().map(PeriodSheet::charge).sum::<Decimal>(),
        decimal("1.2")
    );
    world.pass(SignedDuration::from_hours(48)).await;
    world.pull(&tenant).await;
    let wallet = books(&world, &tenant).await;
    // The fee goes on by the day, and so does the number's rent.
    let rent = wallet.cost() - decimal("0.5");
    assert_eq!(wallet.charged(), decimal("3.2") + rent * decimal("1.5"));
}

#[tokio::test]
async fn the_usage_report_holds_what_rules_of_a_period_charge() {
    let world = World::start().await;
    let rules = json!([
        { "id": "sms-pack", "category": "sms-outbound",
          "model": { "type": "package", "size": "10", "package_price": "1", "per": "count" } },
    ]);
    let tenant = on_plan(&world, rules).await;
    let first = today(&world);
    for count in [7, 8] {
        world
            .stack
            .sim
            .revise_usage(
                &tenant.account_sid,
                today(&world),
                "sms-outbound-longcode",
                "0.5",
                Some("12"),
                Some(count),
            )
            .unwrap();
        world.pull(&tenant).await;
        world.pass(SignedDuration::from_hours(24)).await;
    }
    let wallet = books(&world, &tenant).await;
    let last = today(&world);
    for by in ["day", "category"] {
        let path = format!(
            "/v1/tenants/{}/usage?from={first}&to={last}&by={by}",
            tenant.id
        );
        let report = world.get(&path).await;
        assert_eq!(decimal(&report.text("/charge")), wallet.charged(), "{by}");
        let rows = report.body["rows"].as_array().unwrap();
        let charges = rows
            .iter()
            .map(|row| decimal(row["charge"].as_str().unwrap()));
        assert_eq!(charges.sum::<Decimal>(), wallet.charged(), "{by}");
    }
    // Of the two packages, the first day's seven messages of fifteen.
    let path = format!(
        "/v1/tenants/{}/usage?from={first}&to={first}&by=category",
        tenant.id
    );
    let report = world.get(&path).await;
    let rows = report.body["rows"].as_array().unwrap();
    let sms = rows.iter().find(|row| row["category"] == "sms-outbound");
    assert_eq!(sms.unwrap()["charge"], "0.933333333");
}
