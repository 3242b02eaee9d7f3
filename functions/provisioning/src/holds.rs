//! `POST .../suspend` and `.../reactivate`: holds that a person places and lifts, and `GET .../suspensions`,
//! the proof that calls were ended. What Twilio is told follows from all holds together, and is the
//! suspender's work.

use std::sync::Arc;

use aws::HoldWrite;
use axum::Extension;
use axum::extract::State;
use domain::Decimal;
use domain::event::Fact;
use domain::ids::{CallSid, TenantId};
use domain::money;
use domain::tenant::{Hold, HoldRecord, Tenant};
use http::StatusCode;
use jiff::{SignedDuration, ToSpan as _};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{App, TRIES_MAX, audit};
use crate::closing::live_calls;
use crate::extract::{Caller, JsonBody, TenantPath, check_reason};
use crate::numbers::{account_of, held_by};
use crate::problem::{Answer, Code, Failure, unavailable};
use crate::saga::later;
use crate::tenants::{in_service, lost_race, shown};
use crate::view;

/// When Twilio's status is looked at again, whatever becomes of the event.
const ENFORCE_AFTER: SignedDuration = SignedDuration::from_mins(2);
/// Days whose rent a dry run adds up.
const RENT_DAYS: i64 = 31;
/// Runs that the proof shows.
const PROOFS: usize = 50;

/// Which hold, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    reason: String,
    hold: Option<String>,
    #[serde(default)]
    dry_run: bool,
}

impl Change {
    fn hold(&self) -> Result<Hold, Failure> {
        let name = self.hold.as_deref().unwrap_or(Hold::Operator.name());
        let mut by_hand = Hold::BY_HAND.into_iter();
        let found = by_hand.find(|hold| hold.name() == name);
        found.ok_or_else(|| Code::HOLD_INVALID.into())
    }
}

/// Places a hold.
pub async fn suspend(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    JsonBody { value, .. }: JsonBody<Change>,
) -> Answer {
    change(&app, &caller, &id, true, &value).await
}

/// Lifts a hold; others stay.
pub async fn reactivate(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    JsonBody { value, .. }: JsonBody<Change>,
) -> Answer {
    change(&app, &caller, &id, false, &value).await
}

async fn change(app: &App, caller: &Caller, id: &TenantId, place: bool, value: &Change) -> Answer {
    check_reason(&value.reason)?;
    let hold = value.hold()?;
    for _ in 0..TRIES_MAX {
        let before = in_service(app, id).await?;
        if value.dry_run {
            let after = changed(app, caller, &before, place, hold, &value.reason);
            return forecast(app, &before, &after, hold).await;
        }
        if before.holds.contains_key(&hold) == place {
            return shown(app, &before, StatusCode::OK).await;
        }
        match app
            .store
            .write_hold(&write(app, caller, before, place, hold, &value.reason))
            .await
        {
            Ok(tenant) => return shown(app, &tenant, StatusCode::ACCEPTED).await,
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the tenant's row kept changing"))
}

/// The row as it becomes.
fn changed(
    app: &App,
    caller: &Caller,
    before: &Tenant,
    place: bool,
    hold: Hold,
    reason: &str,
) -> Tenant {
    let now = app.host.now();
    let mut tenant = Tenant {
        next_action_at: Some(later(now, ENFORCE_AFTER)),
        ..before.clone()
    };
    if place {
        tenant.holds.entry(hold).or_insert(HoldRecord {
            placed_at: now,
            actor: caller.actor.clone(),
            reason: reason.to_owned(),
        });
    } else {
        tenant.holds.remove(&hold);
    }
    tenant
}

fn write(
    app: &App,
    caller: &Caller,
    before: Tenant,
    place: bool,
    hold: Hold,
    reason: &str,
) -> HoldWrite {
    let fact = Fact::HoldChanged {
        hold,
        placed: place,
        reason: reason.to_owned(),
    };
    let act = if place {
        "tenant.suspend"
    } else {
        "tenant.reactivate"
    };
    HoldWrite {
        standing_ver: None,
        enforce_at: later(app.host.now(), ENFORCE_AFTER),
        audit: audit(caller, act, reason),
        event: app.event(&before.id, before.ver + 1, &caller.request_id, fact),
        tenant: changed(app, caller, &before, place, hold, reason),
        before,
    }
}

/// What would happen. Numbers stay, and so does their rent.
async fn forecast(app: &App, before: &Tenant, after: &Tenant, hold: Hold) -> Answer {
    let suspends = before.desired_status() != after.desired_status()
        && after.desired_status() == domain::tenant::TwilioStatus::Suspended;
    let calls = if suspends {
        live_calls(app, before).await?
    } else {
        Vec::new()
    };
    let numbers = held_by(app, &account_of(before)?).await?;
    let numbers: Vec<Value> = numbers
        .iter()
        .map(|number| json!({ "sid": number.sid.as_str(), "phone_number": number.phone_number }))
        .collect();
    let names = |tenant: &Tenant| -> Vec<&str> {
        let holds = tenant.holds.keys().copied();
        holds.map(Hold::name).collect()
    };
    let (rent_days, rent) = rent(app, before).await?;
    Ok(view::json(
        StatusCode::OK,
        &json!({
            "dry_run": true,
            "hold": hold.name(),
            "changes": before.holds.keys().ne(after.holds.keys()),
            "holds_before": names(before),
            "holds_after": names(after),
            "status_before": before.status(),
            "status_after": after.status(),
            "live_calls_ended": calls,
            "numbers_kept": numbers,
            "rent_goes_on": { "charged": money::to_text(rent), "in_days": rent_days },
        }),
    ))
}

/// What numbers were charged in the last days: that goes on while a tenant is suspended.
async fn rent(app: &App, tenant: &Tenant) -> Result<(i64, Decimal), Failure> {
    let today = app.today();
    let from = today.saturating_sub((RENT_DAYS - 1).days());
    let sheets = app.store.day_sheets(&tenant.id, from, today).await?;
    let lines = sheets.iter().flat_map(|sheet| &sheet.lines);
    let rents = lines.filter(|(key, _)| key.category.as_str().starts_with("phonenumbers"));
    let charges = rents.map(|(_, line)| line.charge);
    let sum = money::sum(charges).map_err(crate::problem::internal)?;
    Ok((RENT_DAYS, sum))
}

/// Runs of the suspender over this tenant, latest first: which calls each ended, and whether it was silent then.
pub async fn suspensions(State(app): State<Arc<App>>, TenantPath(id): TenantPath) -> Answer {
    let tenant = app.tenant(&id).await?;
    let silences = app.store.silences(&tenant.id, PROOFS).await?;
    let shown: Vec<Value> = silences
        .iter()
        .map(|silence| {
            json!({
                "at": silence.at,
                "silent": silence.is_silent,
                "calls_ended": silence.calls.len(),
                "call_sids": silence.calls.iter().map(CallSid::as_str).collect::<Vec<_>>(),
            })
        })
        .collect();
    Ok(view::json(StatusCode::OK, &json!({ "suspensions": shown })))
}
