//! What happens: tenants sign up, pay in, use Twilio; some run dry, and one of them pays later.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::Api;
use super::progress::Progress;
use super::{DemoError, Options};
use crate::stack::Stack;

/// Days after the traffic in which late usage and revisions (up to 47 h) arrive and every tenant has its
/// daily turns: only then can Twilio's books and ours be compared.
const QUIET_DAYS: u32 = 3;
/// Hours that the tenant who pays again lets pass first.
const PAYS_AFTER_H: u32 = 12;
/// Hours between looks at who is suspended.
const LOOKS_EVERY_H: u32 = 3;
/// How much it pays then.
const PAYS_AGAIN: &str = "400";
/// A call that is still going when its owner's money runs out.
const LONG_CALL_S: u32 = 20 * 3600;

/// What the driver did, for the report.
pub(crate) struct Outcome {
    /// Tenants by id, in order of sign-up.
    pub(crate) tenants: Vec<String>,
    /// The tenant that paid again.
    pub(crate) paid_again: Option<String>,
}

/// Plays the whole scenario.
pub(crate) async fn play(
    options: &Options,
    stack: &Stack,
    api: &Api,
) -> Result<Outcome, DemoError> {
    let tenants = sign_up(options, stack, api).await?;
    let mut outcome = Outcome {
        tenants,
        paid_again: None,
    };
    let mut suspended_for: BTreeMap<String, u32> = BTreeMap::new();
    let progress = Progress::new("traffic", u64::from(options.days));
    for day in 0..options.days {
        for hour in 0..24_u32 {
            if hour == 8 {
                place_long_calls(&outcome, api).await?;
            }
            stack.run_for(SignedDuration::from_hours(1)).await;
            if hour % LOOKS_EVERY_H == 0 {
                pay_again(&mut outcome, &mut suspended_for, api).await?;
            }
        }
        let callbacks = stack.sim.counters().callbacks.accepted;
        progress.step(&format!(
            "day {}, {callbacks} callbacks, {} suspended",
            day + 1,
            suspended_for.len()
        ));
    }
    progress.finish(&format!(
        "{} days, {} callbacks",
        options.days,
        stack.sim.counters().callbacks.accepted
    ));
    quiet_days(stack, api, &outcome).await?;
    Ok(outcome)
}

async fn sign_up(options: &Options, stack: &Stack, api: &Api) -> Result<Vec<String>, DemoError> {
    let profile = json!({
        "name": "Switchboard Resale Inc.", "address": ["400 Market Street", "San Francisco, CA 94105"], "tax_id": "US 94-1234567",
        "email": "billing@switchboard.example", "number_prefix": "SB-", "footer": "Please pay by bank transfer with the statement number as reference.",
    });
    api.send(Method::PUT, "/v1/operator-profile", &profile)
        .await?;
    let mut plans = Vec::new();
    for plan in plans_of_three_kinds() {
        let key = format!("demo-plan-{}", text(&plan, "/name")?);
        let made = api.post("/v1/plans", &key, &plan).await?;
        plans.push(text(&made, "/plan_id")?);
    }
    let mut tenants = Vec::new();
    let progress = Progress::new("sign-up", u64::from(options.tenants));
    for index in 0..options.tenants {
        let name = format!("{} {}", NAMES[index as usize % NAMES.len()], index + 1);
        let body = json!({ "name": name, "plan_id": plans[index as usize % plans.len()], "external_id": format!("crm-{}", index + 1),
            "tax_rate": if index % 4 == 3 { "0" } else { "0.0875" }, "bill_to": [format!("{} Mission Street", 100 + index), "San Francisco, CA 94105"] });
        let tenant = api
            .post("/v1/tenants", &format!("demo-tenant-{index}"), &body)
            .await?;
        let id = text(&tenant, "/id")?;
        let habits = Habits::of(index);
        let top_up = json!({ "amount": habits.pays_in, "reason": "first payment" });
        api.post(
            &format!("/v1/tenants/{id}/top-ups"),
            &format!("demo-top-up-{index}"),
            &top_up,
        )
        .await?;
        api.simulate("/traffic", &habits.traffic(&tenant)?).await?;
        stack.settle().await;
        progress.step(&name);
        tenants.push(id);
    }
    progress.finish(&format!(
        "{} tenants provisioned, paid in and in traffic",
        tenants.len()
    ));
    Ok(tenants)
}

/// A markup on cost; prices by destination and volume; a bundle with fees and allowances.
fn plans_of_three_kinds() -> [Value; 3] {
    let standing = json!({ "low_balance": "5", "resume_at": "1", "grace_minutes": 120, "minimum_hold_minutes": 60 });
    [
        json!({ "name": "Standard", "currency": "USD", "default_multiplier": "1.3", "margin_floor": "0.05", "standing": standing,
            "multipliers": { "calls-outbound": "1.5", "calls-inbound": "1.5" } }),
        json!({ "name": "Volume", "currency": "USD", "default_multiplier": "1.2", "standing": standing, "rules": [
            { "id": "us-by-the-second", "category": "calls-outbound", "country": "US", "margin_floor": "0.1",
              "model": { "type": "unit", "unit_price": "0.025", "increments": { "first_s": 30, "next_s": 6 } } },
            { "id": "texts", "category": "sms-outbound", "margin_floor": "0.05", "model": { "type": "graduated", "tiers": [
                { "up_to": "50", "unit_price": "0.015" }, { "unit_price": "0.011" }] } },
        ] }),
        json!({ "name": "Bundle", "currency": "USD", "default_multiplier": "1.25", "standing": standing, "rules": [
            { "id": "base", "category": "tenant-fee", "model": { "type": "fee", "monthly_fee": "9" } },
            { "id": "lines", "category": "number-fee", "model": { "type": "fee", "monthly_fee": "2" } },
            { "id": "minutes", "category": "calls", "margin_floor": "0", "model": { "type": "allowance", "included": "60", "overage_unit_price": "0.03" } },
            { "id": "texts", "category": "sms", "margin_floor": "0", "model": { "type": "allowance", "included": "40", "overage_unit_price": "0.014", "per": "count" } },
        ] }),
    ]
}

/// The tenant with little money is on the phone most of the day.
async fn place_long_calls(outcome: &Outcome, api: &Api) -> Result<(), DemoError> {
    for (index, id) in (0_u32..).zip(&outcome.tenants) {
        if !Habits::of(index).is_short_of_money {
            continue;
        }
        let tenant = api.get(&format!("/v1/tenants/{id}")).await?;
        if text(&tenant, "/status")? == "active" {
            let call = json!({
                "account_sid": text(&tenant, "/account_sid")?,
                "duration_s": LONG_CALL_S,
                "status_callback": text(&tenant, "/callback_urls/call")?,
            });
            api.simulate("/calls", &call).await?;
        }
    }
    Ok(())
}

/// The first tenant that was suspended pays after half a day; the others do not.
async fn pay_again(
    outcome: &mut Outcome,
    suspended_for: &mut BTreeMap<String, u32>,
    api: &Api,
) -> Result<(), DemoError> {
    let suspended = api.get("/v1/tenants?status=suspended&limit=100").await?;
    let rows = suspended["tenants"].as_array().cloned().unwrap_or_default();
    for row in rows {
        let id = text(&row, "/id")?;
        let hours = suspended_for.entry(id.clone()).or_default();
        *hours += LOOKS_EVERY_H;
        if *hours >= PAYS_AFTER_H && outcome.paid_again.is_none() {
            let body = json!({ "amount": PAYS_AGAIN, "reason": "paid the reminder" });
            api.post(
                &format!("/v1/tenants/{id}/top-ups"),
                &format!("demo-pays-again-{id}"),
                &body,
            )
            .await?;
            outcome.paid_again = Some(id);
        }
    }
    Ok(())
}

/// Traffic stops; late usage and revisions arrive; every tenant has its daily turns.
async fn quiet_days(stack: &Stack, api: &Api, outcome: &Outcome) -> Result<(), DemoError> {
    for id in &outcome.tenants {
        let tenant = api.get(&format!("/v1/tenants/{id}")).await?;
        stack.sim.stop_traffic(&text(&tenant, "/account_sid")?)?;
    }
    api.simulate(
        "/quirks",
        &json!({ "revision_per_mille": 0, "unknown_category_per_mille": 0 }),
    )
    .await?;
    let progress = Progress::new("settling", u64::from(QUIET_DAYS));
    for _ in 0..QUIET_DAYS {
        stack.run_for(SignedDuration::from_hours(24)).await;
        progress.step("late usage and revisions");
    }
    progress.finish("late usage and revisions are in");
    Ok(())
}

/// What a tenant pays in and does all day.
struct Habits {
    pays_in: &'static str,
    is_short_of_money: bool,
    messages_per_day: u32,
    calls_per_day: u32,
}

impl Habits {
    /// By position, so that every size of the demo has both kinds.
    fn of(index: u32) -> Self {
        match index % 12 {
            0 => Self {
                pays_in: "2",
                is_short_of_money: true,
                messages_per_day: 8,
                calls_per_day: 3,
            },
            rest => Self {
                pays_in: "60",
                is_short_of_money: false,
                messages_per_day: 1 + rest % 3,
                calls_per_day: rest % 2,
            },
        }
    }

    fn traffic(&self, tenant: &Value) -> Result<Value, DemoError> {
        Ok(json!({
            "account_sid": text(tenant, "/account_sid")?,
            "profile": {
                "messages_per_day": self.messages_per_day,
                "calls_per_day": self.calls_per_day,
                "call_seconds": [20, 900],
                "message_status_callback": text(tenant, "/callback_urls/message")?,
                "call_status_callback": text(tenant, "/callback_urls/call")?,
            },
        }))
    }
}

/// A text in an answer.
pub(crate) fn text(value: &Value, pointer: &str) -> Result<String, DemoError> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found
        .map(str::to_owned)
        .ok_or_else(|| format!("no {pointer} in the answer").into())
}

/// Names of made-up companies.
const NAMES: [&str; 12] = [
    "Harbor Dental",
    "Nordwind Logistics",
    "Blue Kettle",
    "Quickfix Plumbing",
    "Alpine Tours",
    "Lumen Clinic",
    "Paper Crane",
    "Stadtrad",
    "Green Acre",
    "Fern & Fig",
    "Atlas Couriers",
    "Juniper Hotel",
];
