//! `POST .../pulls`, `GET .../unpriced`, `GET .../corrections`, `POST .../corrections/{day}/approve|reject`: what
//! people have to do with pulling usage. The puller does the work; here it is asked for, durably.

use std::sync::Arc;

use aws::CommitError;
use axum::Extension;
use axum::extract::State;
use domain::Date;
use domain::money::to_text;
use domain::pull_state::{Approval, Correction, PullState, REQUESTS_MAX};
use domain::tenant::Tenant;
use domain::unpriced::{UnpricedGroup, exposure};
use domain::usage::{SWEEP_WINDOW_DAYS, WARM_WINDOW_DAYS};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{App, TRIES_MAX, audit, day_of};
use crate::days::Days;
use crate::extract::{Caller, Item, JsonBody, TenantPath, check_reason};
use crate::money_act::with_wallet;
use crate::problem::{Answer, Code, Failure, unavailable};
use crate::view;

/// Which days to pull again; the last two weeks if absent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPull {
    from: Option<String>,
    to: Option<String>,
    reason: String,
}

/// Why a correction is approved or not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    reason: String,
}

/// Has days read again within minutes. Asking twice is the same.
pub async fn request(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    JsonBody { value, .. }: JsonBody<NewPull>,
) -> Answer {
    check_reason(&value.reason)?;
    let today = day_of(app.host.now());
    let days = match (&value.from, &value.to) {
        (None, None) => Days {
            from: today.saturating_sub(jiff::Span::new().days(WARM_WINDOW_DAYS)),
            to: today,
        },
        (from, to) => Days::parse(from.as_deref(), to.as_deref())?,
    };
    if days.to > today || days.iter().count() > days_max() {
        return Err(Code::RANGE_INVALID.because(format!("1 to {} days, not ahead", days_max())));
    }
    let tenant = with_wallet(&app, &id).await?;
    let range = (days.from.max(day_of(tenant.created_at)), days.to);
    if range.0 > range.1 {
        return Err(Code::RANGE_INVALID.because("it was no tenant then"));
    }
    change(
        &app,
        &caller,
        &tenant,
        "tenant.pull",
        &value.reason,
        |state| {
            if !state.requested.contains(&range) {
                state.requested.push(range);
            }
            if state.requested.len() > REQUESTS_MAX {
                return Err(Code::TOO_MANY_PULLS.into());
            }
            Ok(())
        },
    )
    .await?;
    let body = json!({ "tenant_id": id, "from": range.0, "to": range.1 });
    Ok(view::json(StatusCode::ACCEPTED, &body))
}

fn days_max() -> usize {
    usize::try_from(SWEEP_WINDOW_DAYS).unwrap_or_default()
}

/// Shows calls and messages without a price.
pub async fn unpriced(State(app): State<Arc<App>>, TenantPath(id): TenantPath) -> Answer {
    let tenant = with_wallet(&app, &id).await?;
    let state = app.store.pull_state(&id).await?;
    let now = app.host.now();
    let group = |group: &UnpricedGroup| {
        json!({
            "day": group.day,
            "category": group.category.as_str(),
            "count": group.count,
            "units": group.units,
            "estimate": group.estimate.map(to_text),
            "oldest_at": group.oldest_at,
            "overdue": group.is_overdue(now),
            "sids": group.sids,
        })
    };
    let body = json!({
        "currency": tenant.currency,
        "exposure": to_text(exposure(&state.unpriced)),
        "count": state.unpriced.iter().map(|group| group.count).sum::<u64>(),
        "seen_at": state.unpriced_at,
        "groups": state.unpriced.iter().map(group).collect::<Vec<_>>(),
    });
    Ok(view::json(StatusCode::OK, &body))
}

/// Shows revisions of old days.
pub async fn corrections(State(app): State<Arc<App>>, TenantPath(id): TenantPath) -> Answer {
    let tenant = with_wallet(&app, &id).await?;
    let state = app.store.pull_state(&id).await?;
    let corrections = state.corrections.iter();
    let shown: Vec<Value> = corrections.map(|(day, one)| shown(*day, one)).collect();
    let body = json!({ "currency": tenant.currency, "corrections": shown });
    Ok(view::json(StatusCode::OK, &body))
}

/// Has a correction booked, if Twilio still says the same.
pub async fn approve(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    Item(day): Item,
    JsonBody { value, .. }: JsonBody<Verdict>,
) -> Answer {
    let said = (Approval::Approved, "tenant.approve_correction");
    decide(
        &app,
        &caller,
        &with_wallet(&app, &id).await?,
        &day,
        said,
        &value.reason,
    )
    .await
}

/// Leaves the books as they are.
pub async fn reject(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    Item(day): Item,
    JsonBody { value, .. }: JsonBody<Verdict>,
) -> Answer {
    let said = (Approval::Rejected, "tenant.reject_correction");
    decide(
        &app,
        &caller,
        &with_wallet(&app, &id).await?,
        &day,
        said,
        &value.reason,
    )
    .await
}

async fn decide(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    day: &str,
    (approval, action): (Approval, &'static str),
    reason: &str,
) -> Answer {
    check_reason(reason)?;
    let day: Date = day.parse().map_err(|_| Code::CORRECTION_NOT_FOUND)?;
    let state = change(app, caller, tenant, action, reason, |state| {
        let known = state.corrections.get_mut(&day);
        known.ok_or(Code::CORRECTION_NOT_FOUND)?.approval = approval;
        let range = (day, day);
        if approval == Approval::Approved && !state.requested.contains(&range) {
            state.requested.push(range);
        }
        Ok(())
    })
    .await?;
    let body = shown(day, &state.corrections[&day]);
    Ok(view::json(StatusCode::ACCEPTED, &body))
}

/// Changes the state under its revision, with an audit row, and has the tenant pulled soon.
async fn change(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    action: &'static str,
    reason: &str,
    change: impl Fn(&mut PullState) -> Result<(), Failure>,
) -> Result<PullState, Failure> {
    let mut tenant = tenant.clone();
    for _ in 0..TRIES_MAX {
        let mut state = app.store.pull_state(&tenant.id).await?;
        change(&mut state)?;
        let audit = audit(caller, action, reason);
        let at = app.host.now();
        match app.store.request_pull(&tenant, &state, &audit, at).await {
            Ok(state) => return Ok(state),
            Err(CommitError::Conflict { .. }) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
        tenant = app.tenant(&tenant.id).await?;
    }
    Err(unavailable("the pull state kept changing"))
}

fn shown(day: Date, correction: &Correction) -> Value {
    json!({
        "day": day,
        "cost": to_text(correction.cost),
        "charge": to_text(correction.charge),
        "seen_at": correction.seen_at,
        "state": correction.approval.name(),
    })
}
