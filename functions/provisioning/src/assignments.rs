//! `POST .../plan`: another price plan from a day to come. Days that may be booked keep the plan they have.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use domain::event::Fact;
use domain::plan::{PricePlan, RuleSet};
use domain::tenant::{PlanAssignment, Tenant};
use domain::{Date, Timestamp};
use http::StatusCode;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::app::{App, TRIES_MAX, audit, day_of};
use crate::extract::{Caller, JsonBody, TenantPath, check_reason};
use crate::problem::{Answer, Code, Failure, unavailable};
use crate::tenants::{chosen_plan, in_service, lost_race, shown};

/// A day can be changed until so long before it begins: a run that books it has then read the change.
const LEAD: SignedDuration = SignedDuration::from_mins(5);
/// Assignments of one tenant.
const ASSIGNMENTS_MAX: usize = 100;

/// Which plan, and from when on: `effective_at` or `from`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAssignment {
    plan_id: String,
    plan_version: Option<u32>,
    effective_at: Option<Timestamp>,
    from: Option<Date>,
    reason: Option<String>,
}

/// Assigns a plan. One that begins on the same day is replaced.
pub async fn assign(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    JsonBody { value, .. }: JsonBody<NewAssignment>,
) -> Answer {
    let reason = value.reason.as_deref().unwrap_or("plan changed");
    check_reason(reason)?;
    let from = match (value.effective_at, value.from) {
        (Some(at), None) => first_day_from(at),
        (None, Some(from)) => from,
        _ => return Err(Code::BODY_INVALID.because("effective_at or from, one of them")),
    };
    for _ in 0..TRIES_MAX {
        let before = in_service(&app, &id).await?;
        let plan = chosen_plan(&app, &value.plan_id, value.plan_version).await?;
        let assignment = PlanAssignment {
            from,
            plan: plan.reference.clone(),
        };
        // A repetition stays good when its day has come.
        if before.plans.contains(&assignment) {
            return shown(&app, &before, StatusCode::OK).await;
        }
        check_ahead(&app, from)?;
        let tenant = with_assignment(&before, assignment, &plan)?;
        let fact = Fact::PlanChanged {
            plan_id: plan.reference.id.as_str().to_owned(),
            version: plan.reference.version,
            from,
        };
        let event = app.event(&id, before.ver + 1, &caller.request_id, fact);
        let audit = audit(&caller, "tenant.change_plan", reason);
        match app
            .store
            .change_tenant(&before, &tenant, &audit, Some(&event), None)
            .await
        {
            Ok(tenant) => return shown(&app, &tenant, StatusCode::OK).await,
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the tenant's row kept changing"))
}

/// The first GMT day that begins at or after an instant.
fn first_day_from(at: Timestamp) -> Date {
    let day = day_of(at);
    if begin_of(day) == at {
        day
    } else {
        day.tomorrow().unwrap_or(day)
    }
}

fn begin_of(day: Date) -> Timestamp {
    let midnight = day.to_zoned(TimeZone::UTC);
    midnight.map_or(Timestamp::MAX, |midnight| midnight.timestamp())
}

/// Refuses a day that may be booked already, or soon.
pub fn check_ahead(app: &App, day: Date) -> Result<(), Failure> {
    let lead = app.host.now().saturating_add(LEAD);
    if lead.is_ok_and(|lead| begin_of(day) >= lead) {
        Ok(())
    } else {
        Err(Code::DAY_NOT_AHEAD.into())
    }
}

fn with_assignment(
    before: &Tenant,
    assignment: PlanAssignment,
    plan: &PricePlan,
) -> Result<Tenant, Failure> {
    if plan.currency != before.currency {
        return Err(Code::CURRENCY_MISMATCH.into());
    }
    // Overrides that begin later are held against this plan, too.
    let days = before.overrides.iter().map(|own| own.from);
    for day in days
        .chain([assignment.from])
        .filter(|day| *day >= assignment.from)
    {
        let rules = RuleSet::new(plan, &before.overrides, day);
        let unsafe_with = |error: domain::plan::PlanError| {
            Code::OVERRIDE_INVALID.because(format!("an override does not go with it: {error}"))
        };
        rules.check().map_err(unsafe_with)?;
    }
    let mut tenant = before.clone();
    tenant.plans.retain(|known| known.from != assignment.from);
    tenant.plans.push(assignment);
    tenant.plans.sort_by_key(|assignment| assignment.from);
    if tenant.plans.len() > ASSIGNMENTS_MAX {
        return Err(Code::TOO_MANY_PLAN_CHANGES.into());
    }
    Ok(tenant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_takes_effect_on_the_first_day_that_begins_at_or_after_it() {
        let first = |at: &str| first_day_from(at.parse().unwrap()).to_string();
        assert_eq!(first("2026-03-05T00:00:00Z"), "2026-03-05");
        assert_eq!(first("2026-03-05T00:00:00.000000001Z"), "2026-03-06");
        assert_eq!(first("2026-03-05T20:00:00-05:00"), "2026-03-07");
    }
}
