//! `POST`, `GET .../overrides`, `POST .../overrides/{n}/end`: rules of one tenant, for days to come. Those that
//! are over stay, for booked days name them.

use std::sync::Arc;

use aws::{Idempotency, IdempotencyState};
use axum::Extension;
use axum::extract::State;
use domain::Date;
use domain::plan::{Override, PlanError, RuleId, RuleSet};
use domain::tenant::{OVERRIDES_MAX, Tenant};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{App, TRIES_MAX, audit};
use crate::assignments::check_ahead;
use crate::extract::{Caller, IdempotencyKey, Item, JsonBody, TenantPath, check_reason};
use crate::plans::parse_rule;
use crate::problem::{Answer, Code, Failure, internal, unavailable};
use crate::tenants::{in_service, lost_race, replayed};
use crate::view::{self, own_rule};

/// An override.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewOverride {
    /// A plan's rule without id.
    rule: Value,
    from: Date,
    until: Option<Date>,
    reason: String,
}

/// When an override ends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    until: Date,
    reason: Option<String>,
}

/// Adds an override.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    IdempotencyKey(key_hash): IdempotencyKey,
    JsonBody { value, fingerprint }: JsonBody<NewOverride>,
) -> Answer {
    check_reason(&value.reason)?;
    let idempotency = Idempotency {
        key_hash,
        fingerprint,
        state: IdempotencyState::Done,
        tenant: id.clone(),
    };
    for _ in 0..TRIES_MAX {
        let before = in_service(&app, &id).await?;
        let number = before.overrides.iter().map(|own| own.number).max();
        let own = parse(&value, number.unwrap_or(0) + 1)?;
        if let Some(answer) = repeated(&app, &before, &own, &idempotency).await? {
            return Ok(answer);
        }
        check_ahead(&app, own.from)?;
        let mut tenant = before.clone();
        tenant.overrides.push(own.clone());
        if tenant.overrides.len() > OVERRIDES_MAX {
            return Err(Code::TOO_MANY_OVERRIDES.into());
        }
        check(&app, &tenant, &own).await?;
        let audit = audit(&caller, "tenant.override", &value.reason);
        match app
            .store
            .change_tenant(&before, &tenant, &audit, None, Some(&idempotency))
            .await
        {
            Ok(_) => return Ok(view::json(StatusCode::CREATED, &own_rule(&own))),
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the tenant's row kept changing"))
}

/// Shows all of them, those that are over included.
pub async fn list(State(app): State<Arc<App>>, TenantPath(id): TenantPath) -> Answer {
    let tenant = app.tenant(&id).await?;
    let overrides: Vec<Value> = tenant.overrides.iter().map(own_rule).collect();
    Ok(view::json(
        StatusCode::OK,
        &json!({ "overrides": overrides }),
    ))
}

/// Ends one on a day to come; one that has not begun can end before it does.
pub async fn end(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    Item(number): Item,
    JsonBody { value, .. }: JsonBody<End>,
) -> Answer {
    let reason = value.reason.as_deref().unwrap_or("override ended");
    check_reason(reason)?;
    for _ in 0..TRIES_MAX {
        let before = app.tenant(&id).await?;
        let mut tenant = before.clone();
        let mut overrides = tenant.overrides.iter_mut();
        let own = overrides.find(|own| own.number.to_string() == number);
        let own = own.ok_or(Code::OVERRIDE_NOT_FOUND)?;
        // What never begins ends on the day that it would have begun.
        let until = value.until.max(own.from);
        if own.until == Some(until) {
            return Ok(view::json(StatusCode::OK, &own_rule(own)));
        }
        check_ahead(&app, until)?;
        if let Some(ends) = own.until {
            check_ahead(&app, ends)?;
        }
        own.until = Some(until);
        let own = own.clone();
        check(&app, &tenant, &own).await?;
        let audit = audit(&caller, "tenant.end_override", reason);
        match app
            .store
            .change_tenant(&before, &tenant, &audit, None, None)
            .await
        {
            Ok(_) => return Ok(view::json(StatusCode::OK, &own_rule(&own))),
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the tenant's row kept changing"))
}

fn parse(value: &NewOverride, number: u32) -> Result<Override, Failure> {
    let mut rule = value.rule.clone();
    let id = RuleId::of_override(number);
    match rule.as_object_mut() {
        Some(fields) if !fields.contains_key("id") => {
            fields.insert("id".to_owned(), json!(id.as_str()));
        }
        _ => return Err(Code::OVERRIDE_INVALID.because("rule is an object without id")),
    }
    if value.until.is_some_and(|until| until <= value.from) {
        return Err(Code::OVERRIDE_INVALID.because("until must lie behind from"));
    }
    let rule = parse_rule(&rule, id.as_str())
        .map_err(|failure| failure.under(Code::PLAN_INVALID, Code::OVERRIDE_INVALID))?;
    Ok(Override {
        number,
        from: value.from,
        until: value.until,
        rule,
    })
}

/// The same request again: shows what it made.
async fn repeated(
    app: &App,
    tenant: &Tenant,
    asked: &Override,
    idempotency: &Idempotency,
) -> Result<Option<axum::response::Response>, Failure> {
    let Some(earlier) = app.store.idempotency(&idempotency.key_hash).await? else {
        return Ok(None);
    };
    if earlier.fingerprint != idempotency.fingerprint {
        return Err(Code::IDEMPOTENCY_KEY_MISMATCH.into());
    }
    let same = |own: &&Override| {
        let rule = domain::plan::Rule {
            id: own.rule.id.clone(),
            ..asked.rule.clone()
        };
        own.from == asked.from && own.rule == rule
    };
    let made = tenant.overrides.iter().find(same);
    let made = made.ok_or_else(|| internal("a recorded override is missing"))?;
    Ok(Some(replayed(view::json(
        StatusCode::CREATED,
        &own_rule(made),
    ))))
}

/// Holds an override, together with the others, against every plan that it meets.
async fn check(app: &App, tenant: &Tenant, own: &Override) -> Result<(), Failure> {
    let refuse = |error: PlanError| Code::OVERRIDE_INVALID.because(error.to_string());
    let in_force = |day: &Date| own.holds(*day);
    let plans = tenant.plans.iter().map(|assignment| assignment.from);
    let others = tenant.overrides.iter().map(|other| other.from);
    for day in plans.chain(others).filter(in_force).chain([own.from]) {
        let reference = tenant.plan_on(day);
        let reference = reference.ok_or_else(|| internal("a tenant without a plan"))?;
        let plan = app.plan(reference).await?;
        let plan = plan.ok_or_else(|| internal("a tenant's plan version is missing"))?;
        if own.until.is_none_or(|until| until > own.from) {
            own.check(&plan).map_err(refuse)?;
        }
        let rules = RuleSet::new(&plan, &tenant.overrides, day);
        rules.check().map_err(refuse)?;
    }
    Ok(())
}
