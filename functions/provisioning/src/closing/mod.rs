//! `POST .../close`, `.../close/cancel`: a person says goodbye to a tenant, and may think better of it.
//!
//! Nothing here cannot be undone: it is checked, shown as a dry run, confirmed by the name typed back, and
//! written as a hold. `go_on.rs` does the rest, step by step, by the timer.

mod archive;
mod go_on;

use std::sync::Arc;

use aws::{ActKind, HoldWrite};
use axum::Extension;
use axum::extract::State;
use domain::closing::{
    Closing, ClosingStep, NumberPlan, Remainder, SETTLE_HOURS, SETTLE_HOURS_MAX, farewell, plan_of,
};
use domain::event::Fact;
use domain::ids::PhoneNumberSid;
use domain::money;
use domain::numbers::{Obstacle, obstacles};
use domain::tenant::{Hold, HoldRecord, Lifecycle, Tenant};
use http::StatusCode;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};
use twilio::{CallFilter, CallStatus, IncomingNumber};

use crate::app::{App, TRIES_MAX, audit};
use crate::extract::{Caller, JsonBody, Reason, TenantPath, check_reason};
use crate::money_act::wallet_of;
use crate::numbers::{Accepted, account_of, facts, held_by};
use crate::problem::{Answer, Code, Failure, unavailable};
use crate::saga::later;
use crate::tenants::{lost_race, shown};
use crate::view;

pub(crate) use archive::{archive_month, put_lines};
pub use go_on::go_on;

/// The subaccount's status is looked at again after this long, whatever becomes of the event.
const ENFORCE_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// What is to become of a tenant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goodbye {
    reason: String,
    /// The tenant's name, typed back.
    confirm: Option<String>,
    #[serde(default)]
    dry_run: bool,
    /// Numbers that are not listed go to the main account.
    #[serde(default)]
    rescue_numbers: bool,
    /// Numbers to give back to Twilio.
    #[serde(default)]
    release_numbers: Vec<PhoneNumberSid>,
    remainder: Option<Remainder>,
    settle_hours: Option<u16>,
}

/// Begins to close a tenant, or tells a closing that is blocked what to do instead.
pub async fn close(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    JsonBody { value, .. }: JsonBody<Goodbye>,
) -> Answer {
    check_reason(&value.reason)?;
    let hours = value.settle_hours.unwrap_or(SETTLE_HOURS);
    if hours > SETTLE_HOURS_MAX {
        return Err(Code::CLOSING_INVALID.because("settle_hours must be from 0 to 336"));
    }
    for _ in 0..TRIES_MAX {
        let before = app.tenant(&id).await?;
        match before.lifecycle {
            Lifecycle::Active | Lifecycle::CloseBlocked => {}
            Lifecycle::Closing | Lifecycle::Closed => {
                return shown(&app, &before, StatusCode::OK).await;
            }
            _ => return Err(Code::TENANT_NOT_IN_SERVICE.into()),
        }
        if value.dry_run {
            let body = forecast(&app, &before, &value, hours).await?;
            return Ok(view::json(StatusCode::OK, &body));
        }
        if value.confirm.as_deref() != Some(&before.name) {
            return Err(Code::CONFIRMATION_MISSING.because("confirm must be the tenant's name"));
        }
        let held = held_by(&app, &account_of(&before)?).await?;
        let undecided: Vec<&str> = held
            .iter()
            .filter(|number| plan(&value, number) == NumberPlan::Undecided)
            .map(|number| number.phone_number.as_str())
            .collect();
        if !undecided.is_empty() {
            return Err(Code::NUMBERS_REMAIN.because(undecided.join(", ")));
        }
        let write = confirmed(&app, &caller, before, &value, hours);
        let wake_at = later(app.host.now(), ENFORCE_AFTER);
        app.store.set_act(ActKind::Provision, &id, wake_at).await?;
        match app.store.write_hold(&write).await {
            Ok(tenant) => return shown(&app, &tenant, StatusCode::ACCEPTED).await,
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the tenant's row kept changing"))
}

fn plan(value: &Goodbye, number: &IncomingNumber) -> NumberPlan {
    plan_of(value.rescue_numbers, &value.release_numbers, &number.sid)
}

/// The closing as it is written: the hold, and the first step, or the one that was blocked.
fn confirmed(
    app: &App,
    caller: &Caller,
    before: Tenant,
    value: &Goodbye,
    settle_hours: u16,
) -> HoldWrite {
    let now = app.host.now();
    let settle_until = later(now, SignedDuration::from_hours(i64::from(settle_hours)));
    let closing = match before.closing.clone() {
        Some(blocked) => Closing {
            rescue: value.rescue_numbers,
            release: value.release_numbers.clone(),
            remainder: value.remainder.unwrap_or(blocked.remainder),
            blocked: Vec::new(),
            ..blocked
        },
        None => Closing {
            asked_at: now,
            actor: caller.actor.clone(),
            reason: value.reason.clone(),
            settle_until,
            step: ClosingStep::Silence,
            rescue: value.rescue_numbers,
            release: value.release_numbers.clone(),
            remainder: value.remainder.unwrap_or(Remainder::Refund),
            ended_at: None,
            archived_through: None,
            blocked: Vec::new(),
        },
    };
    let mut tenant = Tenant {
        lifecycle: Lifecycle::Closing,
        closing: Some(closing),
        next_action_at: Some(later(now, ENFORCE_AFTER)),
        ..before.clone()
    };
    tenant.holds.entry(Hold::Closing).or_insert(HoldRecord {
        placed_at: now,
        actor: caller.actor.clone(),
        reason: value.reason.clone(),
    });
    let fact = Fact::HoldChanged {
        hold: Hold::Closing,
        placed: true,
        reason: value.reason.clone(),
    };
    HoldWrite {
        standing_ver: None,
        enforce_at: later(now, ENFORCE_AFTER),
        audit: audit(caller, "tenant.close", &value.reason),
        event: app.event(&before.id, before.ver + 1, &caller.request_id, fact),
        before,
        tenant,
    }
}

/// What would happen.
async fn forecast(
    app: &App,
    tenant: &Tenant,
    value: &Goodbye,
    settle_hours: u16,
) -> Result<Value, Failure> {
    let account_sid = account_of(tenant)?;
    let main = app.main_sid().await?;
    let mut numbers = Vec::new();
    for number in held_by(app, &account_sid).await? {
        let (plan, obstacles) = match plan(value, &number) {
            NumberPlan::Release => ("release", Vec::new()),
            NumberPlan::Undecided => ("undecided", Vec::new()),
            NumberPlan::Rescue => {
                let facts = facts(app, &number, &main, accepted()).await?;
                let standing = obstacles(&facts).into_iter();
                ("rescue", standing.map(Obstacle::code).collect())
            }
        };
        numbers.push(json!({
            "sid": number.sid.as_str(), "phone_number": number.phone_number,
            "plan": plan, "obstacles": obstacles,
        }));
    }
    let live_calls = live_calls(app, tenant).await?;
    let wallet = wallet_of(app, &tenant.id).await?;
    let out = farewell(&wallet, value.remainder.unwrap_or(Remainder::Refund));
    let keys = app.store.issued_keys(&tenant.id).await?;
    let keys = keys.iter().filter(|key| key.revoked_at.is_none()).count();
    let settle_until = later(
        app.host.now(),
        SignedDuration::from_hours(i64::from(settle_hours)),
    );
    Ok(json!({
        "dry_run": true,
        "live_calls_ended": live_calls.len(),
        "numbers": numbers,
        "api_keys_revoked": keys,
        "settle_until": settle_until,
        "balance": money::to_text(wallet.balance()),
        "refund": money::to_text(out.refund),
        "forfeit": money::to_text(out.forfeit),
        "write_off": money::to_text(out.write_off),
    }))
}

/// What a rescue accepts: the subaccount is suspended and silent, and its campaigns end with it.
fn accepted() -> Accepted {
    Accepted {
        campaign_loss: true,
        live_calls: true,
        ..Accepted::default()
    }
}

/// SIDs of a tenant's calls that would be ended now.
pub(crate) async fn live_calls(app: &App, tenant: &Tenant) -> Result<Vec<String>, Failure> {
    let account_sid = account_of(tenant)?;
    let mut live = Vec::new();
    for status in CallStatus::LIVE {
        let filter = CallFilter {
            status: Some(status),
            ..CallFilter::default()
        };
        let listed = app.main.call(|main| {
            let (client, filter, account) = (&app.twilio, &filter, &account_sid);
            async move { client.list_calls(&main.into(), account, filter).await }
        });
        live.extend(listed.await?.into_iter().map(|call| call.sid.to_string()));
    }
    Ok(live)
}

/// Takes a closing back, as long as no number has left.
pub async fn cancel(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    JsonBody { value, .. }: JsonBody<Reason>,
) -> Answer {
    check_reason(&value.reason)?;
    for _ in 0..TRIES_MAX {
        let before = app.tenant(&id).await?;
        let Some(closing) = &before.closing else {
            return Err(Code::NOT_CLOSING.into());
        };
        if before.lifecycle != Lifecycle::Closing || !closing.step.can_be_cancelled() {
            return Err(Code::CLOSING_TOO_FAR.into());
        }
        let mut tenant = Tenant {
            lifecycle: Lifecycle::Active,
            closing: None,
            ..before.clone()
        };
        tenant.holds.remove(&Hold::Closing);
        let write = HoldWrite {
            standing_ver: None,
            enforce_at: later(app.host.now(), ENFORCE_AFTER),
            audit: audit(&caller, "tenant.cancel_close", &value.reason),
            event: app.event(
                &id,
                before.ver + 1,
                &caller.request_id,
                Fact::TenantCloseCancelled {},
            ),
            before,
            tenant,
        };
        match app.store.write_hold(&write).await {
            Ok(tenant) => return shown(&app, &tenant, StatusCode::ACCEPTED).await,
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the tenant's row kept changing"))
}
