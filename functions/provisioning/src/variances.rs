//! `POST /v1/reconciliation`, `GET /v1/reconciliation/days`, `GET /v1/reconciliation/variances`, `POST
//! .../variances/{id}/accept`: what the reconciler found, and what people say of it.

use std::sync::Arc;

use aws::{CommitError, ComparedDay, StoredVariance};
use axum::Extension;
use axum::extract::{Path, State};
use domain::Decimal;
use domain::money::{parse_decimal, to_text};
use domain::reconcile::{Variance, VarianceState};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::app::{App, TRIES_MAX, day_of};
use crate::days::Days;
use crate::extract::{Caller, JsonBody, Params, Reason, check_reason};
use crate::problem::{Answer, Code, unavailable};
use crate::view;

/// Days that are compared on one request.
const DAYS_MAX: usize = 31;

/// Which days.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewComparison {
    from: Option<String>,
    to: Option<String>,
    reason: String,
}

/// Which variances.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListParams {
    from: Option<String>,
    to: Option<String>,
    state: Option<VarianceState>,
}

/// Has days compared within minutes.
pub async fn request(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    JsonBody { value, .. }: JsonBody<NewComparison>,
) -> Answer {
    check_reason(&value.reason)?;
    let days = Days::parse(value.from.as_deref(), value.to.as_deref())?;
    if days.iter().count() > DAYS_MAX || days.to > day_of(app.host.now()) {
        return Err(Code::RANGE_INVALID.because(format!("1 to {DAYS_MAX} days, not ahead")));
    }
    let now = app.host.now();
    match app
        .store
        .request_reconciliation(days.from, days.to, now)
        .await
    {
        Ok(()) => {}
        Err(CommitError::Conflict { .. }) => return Err(unavailable("the request was not kept")),
        Err(CommitError::Store(error)) => return Err(error.into()),
    }
    tracing::info!(actor = %caller.actor, reason = %value.reason, usage.from = %days.from, usage.to = %days.to, "reconciliation asked for");
    let body = json!({ "from": days.from, "to": days.to });
    Ok(view::json(StatusCode::ACCEPTED, &body))
}

/// Shows compared days by category.
pub async fn days(State(app): State<Arc<App>>, Params(params): Params<ListParams>) -> Answer {
    let days = Days::parse(params.from.as_deref(), params.to.as_deref())?;
    let found = app.store.compared_days(days.from, days.to).await?;
    let shown: Vec<Value> = found.iter().map(compared).collect();
    Ok(view::json(StatusCode::OK, &json!({ "days": shown })))
}

fn compared(day: &ComparedDay) -> Value {
    let mut categories = Map::new();
    let mut total = Decimal::ZERO;
    for (category, texts) in &day.by_category {
        let [whole, own, tenants, closed] = texts;
        let amount = |text: &str| parse_decimal(text).unwrap_or_default();
        let difference = amount(whole) - amount(own) - amount(tenants) - amount(closed);
        total += difference;
        let row = json!({
            "twilio": whole,
            "main_account_own": own,
            "tenants": tenants,
            "closed_tenants": closed,
            "difference": to_text(difference),
        });
        categories.insert(category.clone(), row);
    }
    json!({
        "day": day.day,
        "currency": day.currency,
        "changed_at": day.at,
        "difference": to_text(total),
        "by_category": categories,
    })
}

/// Lists variances of days.
pub async fn list(State(app): State<Arc<App>>, Params(params): Params<ListParams>) -> Answer {
    let days = Days::parse(params.from.as_deref(), params.to.as_deref())?;
    let now = app.host.now();
    let found = app.store.variances(days.from, days.to).await?;
    let shown: Vec<Value> = found
        .iter()
        .filter(|one| params.state.is_none_or(|state| one.variance.state == state))
        .map(|one| shown(&one.variance, now))
        .collect();
    Ok(view::json(StatusCode::OK, &json!({ "variances": shown })))
}

fn shown(variance: &Variance, now: jiff::Timestamp) -> Value {
    let age_days = now.duration_since(variance.first_seen_at).as_hours() / 24;
    json!({
        "id": variance.id(),
        "day": variance.day,
        "account_sid": variance.account_sid,
        "tenant_id": variance.tenant_id,
        "currency": variance.currency,
        "cause": variance.cause,
        "twilio": to_text(variance.twilio),
        "booked": to_text(variance.booked),
        "difference": to_text(variance.difference()),
        "by_category": variance.by_category,
        "state": variance.state,
        "first_seen_at": variance.first_seen_at,
        "changed_at": variance.changed_at,
        "age_days": age_days,
        "note": variance.note,
    })
}

/// Says that an open variance is known and does not matter; if its figures change, it is open again.
pub async fn accept(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    JsonBody { value, .. }: JsonBody<Reason>,
) -> Answer {
    check_reason(&value.reason)?;
    for _ in 0..TRIES_MAX {
        let stored = app.store.variance(&id).await?;
        let stored = stored.ok_or(Code::VARIANCE_NOT_FOUND)?;
        let now = app.host.now();
        match stored.variance.state {
            VarianceState::Open => {}
            VarianceState::Accepted => {
                return Ok(view::json(StatusCode::OK, &shown(&stored.variance, now)));
            }
            VarianceState::Resolved => return Err(Code::VARIANCE_RESOLVED.into()),
        }
        let variance = Variance {
            state: VarianceState::Accepted,
            changed_at: now,
            note: Some(format!("{}: {}", caller.actor, value.reason)),
            ..stored.variance
        };
        let answer = shown(&variance, now);
        let next = StoredVariance {
            rev: stored.rev,
            variance,
        };
        match app.store.write_variance(&next, &[]).await {
            Ok(()) => return Ok(view::json(StatusCode::OK, &answer)),
            Err(CommitError::Conflict { .. }) => app.pause().await,
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
    }
    Err(unavailable("the variance kept changing"))
}
