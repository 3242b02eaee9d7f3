//! `POST /v1/plans`, `GET /v1/plans`: price plans, whose versions never change.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use domain::Decimal;
use domain::guards::GuardPolicy;
use domain::ids::PlanId;
use domain::money::{self, Currency, parse_decimal};
use domain::plan::{
    CategoryMatch, Payment, PlanError, PlanRef, PricePlan, Rule, RuleId, TenantDefaults,
};
use domain::standing::StandingPolicy;
use domain::usage::Category;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::{App, TRIES_MAX};
use crate::extract::{JsonBody, Params, page_limit, shown};
use crate::problem::{Answer, Code, Failure, unavailable};
use crate::tenants::lost_race;
use crate::view;

/// Plan versions of a page.
const PAGE: usize = 50;
/// Plan versions of a page at most.
const PAGE_MAX: usize = 100;

/// A plan, or a next version of one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPlan {
    plan_id: Option<String>,
    name: String,
    currency: String,
    default_multiplier: Option<String>,
    /// Multipliers by category: short for rules named after them.
    #[serde(default)]
    multipliers: BTreeMap<String, String>,
    #[serde(default)]
    rules: Vec<Value>,
    margin_floor: Option<String>,
    #[serde(default)]
    payment: Payment,
    #[serde(default = "due_days_default")]
    due_days: u16,
    #[serde(default)]
    standing: StandingPolicy,
    #[serde(default)]
    guards: GuardPolicy,
    #[serde(default)]
    defaults: TenantDefaults,
}

/// Days to pay where a plan says nothing.
fn due_days_default() -> u16 {
    14
}

/// Which plan versions to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    cursor: Option<String>,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
struct PlanView {
    plan_id: String,
    version: u32,
    name: String,
    currency: &'static str,
    default_multiplier: Option<String>,
    rules: Vec<Rule>,
    margin_floor: Option<String>,
    payment: Payment,
    due_days: u16,
    standing: StandingPolicy,
    guards: GuardPolicy,
    defaults: TenantDefaults,
}

impl From<&PricePlan> for PlanView {
    fn from(plan: &PricePlan) -> Self {
        Self {
            plan_id: plan.reference.id.as_str().to_owned(),
            version: plan.reference.version,
            name: plan.name.clone(),
            currency: plan.currency.code(),
            default_multiplier: plan.default_multiplier.map(money::to_text),
            rules: plan.rules.clone(),
            margin_floor: plan.margin_floor.map(money::to_text),
            payment: plan.payment,
            due_days: plan.due_days,
            standing: plan.standing.clone(),
            guards: plan.guards.clone(),
            defaults: plan.defaults.clone(),
        }
    }
}

/// Writes a new plan or a next version.
pub async fn create(
    State(app): State<Arc<App>>,
    JsonBody { value, .. }: JsonBody<NewPlan>,
) -> Answer {
    let earlier = match &value.plan_id {
        Some(id) => Some(PlanId::parse(id).map_err(|_| Code::UNKNOWN_PLAN)?),
        None => None,
    };
    let fresh = PlanId::from_ulid(app.host.ulid());
    let mut plan = parse(&value, fresh)?;
    for _ in 0..TRIES_MAX {
        if let Some(id) = &earlier {
            let latest = app.store.latest_plan(id).await?;
            let latest = latest.ok_or(Code::UNKNOWN_PLAN)?;
            if latest.currency != plan.currency {
                return Err(Code::PLAN_CURRENCY_FIXED.into());
            }
            plan.reference = PlanRef {
                id: id.clone(),
                version: latest.reference.version + 1,
            };
        }
        match app.store.put_plan(&plan).await {
            Ok(()) => return Ok(view::json(StatusCode::CREATED, &PlanView::from(&plan))),
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the plan's versions kept changing"))
}

/// Reads a plan and refuses one that would not be safe to rate with.
pub fn parse(value: &NewPlan, id: PlanId) -> Result<PricePlan, Failure> {
    let currency = Currency::parse(&value.currency).map_err(|_| Code::UNKNOWN_CURRENCY)?;
    let decimal = |text: &str, what: &str| -> Result<Decimal, Failure> {
        parse_decimal(text).map_err(|error| Code::PLAN_INVALID.because(format!("{what}: {error}")))
    };
    let numbered = value.rules.iter().enumerate();
    let mut rules = numbered
        .map(|(index, rule)| parse_rule(rule, &format!("number {}", index + 1)))
        .collect::<Result<Vec<Rule>, Failure>>()?;
    for (name, text) in &value.multipliers {
        let category = Category::parse(name).filter(|category| !category.is_fee());
        let category = category.ok_or(Code::UNKNOWN_CATEGORY)?;
        rules.push(Rule::multiplier(category, decimal(text, "multiplier")?));
    }
    let default = value.default_multiplier.as_deref();
    let floor = value.margin_floor.as_deref();
    let plan = PricePlan {
        reference: PlanRef { id, version: 1 },
        name: value.name.clone(),
        currency,
        default_multiplier: default
            .map(|text| decimal(text, "default_multiplier"))
            .transpose()?,
        rules,
        margin_floor: floor
            .map(|text| decimal(text, "margin_floor"))
            .transpose()?,
        payment: value.payment,
        due_days: value.due_days,
        standing: value.standing.clone(),
        guards: value.guards.clone(),
        defaults: value.defaults.clone(),
    };
    plan.check().map_err(|error| match error {
        PlanError::Name => Code::NAME_INVALID.because(error.to_string()),
        error => Code::PLAN_INVALID.because(error.to_string()),
    })?;
    domain::tenant::check_name(&plan.name).map_err(|why| Code::NAME_INVALID.because(why))?;
    Ok(plan)
}

/// Reads a rule; what is wrong with it is said with its id, or else the name that the caller knows it by.
pub fn parse_rule(value: &Value, name: &str) -> Result<Rule, Failure> {
    let text = |field: &str| value.get(field).and_then(Value::as_str);
    let id = text("id").and_then(RuleId::parse);
    let name = id.as_ref().map_or(name, RuleId::as_str);
    if text("category").is_some_and(|category| CategoryMatch::parse(category).is_none()) {
        let why = format!("rule {name}: category is no leaf, group or fee, nor `any`");
        return Err(Code::UNKNOWN_CATEGORY.because(why));
    }
    let rule: Rule = serde_json::from_value(value.clone())
        .map_err(|error| Code::PLAN_INVALID.because(format!("rule {name}: {}", shown(&error))))?;
    Ok(rule)
}

/// Shows one version.
pub async fn read(
    State(app): State<Arc<App>>,
    Path((id, version)): Path<(String, String)>,
) -> Answer {
    let reference = PlanId::parse(&id).ok().zip(version.parse().ok());
    let (id, version) = reference.ok_or(Code::PLAN_NOT_FOUND)?;
    let plan = app.plan(&PlanRef { id, version }).await?;
    let plan = plan.ok_or(Code::PLAN_NOT_FOUND)?;
    Ok(view::json(StatusCode::OK, &PlanView::from(&plan)))
}

/// Lists plan versions in order of plan and version.
pub async fn list(State(app): State<Arc<App>>, Params(query): Params<ListQuery>) -> Answer {
    let limit = page_limit(query.limit, PAGE, PAGE_MAX)?;
    let after = match &query.cursor {
        Some(cursor) => Some(parse_cursor(cursor).ok_or(Code::QUERY_INVALID)?),
        None => None,
    };
    let mut plans = app.store.list_plans(after.as_ref(), limit + 1).await?;
    let more = plans.len() > limit;
    plans.truncate(limit);
    let last = plans.last().filter(|_| more);
    let next_cursor = last.map(|plan| format!("{}:{}", plan.reference.id, plan.reference.version));
    let plans: Vec<PlanView> = plans.iter().map(PlanView::from).collect();
    Ok(view::json(
        StatusCode::OK,
        &json!({ "plans": plans, "next_cursor": next_cursor }),
    ))
}

fn parse_cursor(cursor: &str) -> Option<PlanRef> {
    let (id, version) = cursor.split_once(':')?;
    Some(PlanRef {
        id: PlanId::parse(id).ok()?,
        version: version.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: serde_json::Value) -> &'static str {
        let value: NewPlan = serde_json::from_value(body).unwrap();
        let id = PlanId::from_ulid(domain::ids::ulid(1, 1));
        parse(&value, id).map_or_else(|failure| failure.code(), |_| "")
    }

    fn body(field: &str, value: serde_json::Value) -> serde_json::Value {
        let mut body =
            json!({ "name": "Standard", "currency": "usd", "default_multiplier": "1.3" });
        body[field] = value;
        body
    }

    #[test]
    fn plans_that_could_charge_wrongly_are_refused_by_code() {
        assert_eq!(
            code(body(
                "multipliers",
                json!({ "sms-outbound": "1.5", "other": "2" })
            )),
            ""
        );
        for (field, value, expected) in [
            ("multipliers", json!({ "sms": "1.5" }), "unknown_category"),
            (
                "multipliers",
                json!({ "sms-outbound": "0" }),
                "plan_invalid",
            ),
            (
                "multipliers",
                json!({ "sms-outbound": "x" }),
                "plan_invalid",
            ),
            ("default_multiplier", json!("1.00001"), "plan_invalid"),
            ("margin_floor", json!("-0.1"), "plan_invalid"),
            ("currency", json!("ZZZ"), "unknown_currency"),
            (
                "rules",
                json!([{ "id": "n", "category": "number-fee", "model": { "type": "unit", "unit_price": "1" } }]),
                "plan_invalid",
            ),
            ("name", json!(" "), "name_invalid"),
            ("name", json!("a\u{202e}b"), "name_invalid"),
            ("standing", json!({ "credit_limit": "-1" }), "plan_invalid"),
        ] {
            assert_eq!(
                code(body(field, value.clone())),
                expected,
                "{field} {value}"
            );
        }
    }

    #[test]
    fn a_cursor_names_a_plan_version() {
        let id = format!("plan_{}", "0".repeat(26));
        assert_eq!(parse_cursor(&format!("{id}:3")).unwrap().version, 3);
        assert!(parse_cursor(&id).is_none());
        assert!(parse_cursor("plan:1").is_none());
    }
}
