//! `POST .../suspend` and `.../reactivate`: the operator's own hold. What Twilio is told follows from all
//! holds together, and is the suspender's work.

use std::sync::Arc;

use aws::HoldWrite;
use axum::Extension;
use axum::extract::State;
use domain::event::Fact;
use domain::ids::TenantId;
use domain::tenant::{Hold, HoldRecord, Tenant};
use http::StatusCode;
use jiff::SignedDuration;
use serde::Deserialize;

use crate::app::{App, TRIES_MAX, audit};
use crate::extract::{Caller, JsonBody, TenantPath, check_reason};
use crate::problem::{Answer, unavailable};
use crate::saga::later;
use crate::tenants::{in_service, lost_race, shown};

/// When Twilio's status is looked at again, whatever becomes of the event.
const ENFORCE_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// Why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    reason: String,
}

/// Places the operator's hold.
pub async fn suspend(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    JsonBody { value, .. }: JsonBody<Reason>,
) -> Answer {
    change(&app, &caller, &id, true, &value.reason).await
}

/// Lifts the operator's hold; others stay.
pub async fn reactivate(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    JsonBody { value, .. }: JsonBody<Reason>,
) -> Answer {
    change(&app, &caller, &id, false, &value.reason).await
}

async fn change(app: &App, caller: &Caller, id: &TenantId, place: bool, reason: &str) -> Answer {
    check_reason(reason)?;
    for _ in 0..TRIES_MAX {
        let before = in_service(app, id).await?;
        if before.holds.contains_key(&Hold::Operator) == place {
            return shown(app, &before, StatusCode::OK).await;
        }
        match app
            .store
            .write_hold(&write(app, caller, before, place, reason))
            .await
        {
            Ok(tenant) => return shown(app, &tenant, StatusCode::ACCEPTED).await,
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the tenant's row kept changing"))
}

fn write(app: &App, caller: &Caller, before: Tenant, place: bool, reason: &str) -> HoldWrite {
    let now = app.host.now();
    let enforce_at = later(now, ENFORCE_AFTER);
    let mut tenant = Tenant {
        next_action_at: Some(enforce_at),
        ..before.clone()
    };
    if place {
        let record = HoldRecord {
            placed_at: now,
            actor: caller.actor.clone(),
            reason: reason.to_owned(),
        };
        tenant.holds.insert(Hold::Operator, record);
    } else {
        tenant.holds.remove(&Hold::Operator);
    }
    let fact = Fact::HoldChanged {
        hold: Hold::Operator,
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
        enforce_at,
        audit: audit(caller, act, reason),
        event: app.event(&before.id, before.ver + 1, &caller.request_id, fact),
        before,
        tenant,
    }
}
