//! What people say and decide: tickets are filed, numbers refused, the platform changed over, numbers wanted back.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use domain::ids::{AccountSid, AddressSid, BundleSid};
use domain::migration::{
    Item, ItemState, Kind, Migration, Rollback, Verification, WATCH, compare_numbers, differences,
};
use http::StatusCode;
use serde::Deserialize;
use twilio::AccountStatus;

use super::change::{change, load};
use super::{MigrationPath, go_on, look, shown, usage};
use crate::app::App;
use crate::extract::{Caller, JsonBody, check_reason, is_printable};
use crate::numbers::{AddressBody, made_address};
use crate::problem::{Answer, Code, Failure};
use crate::saga::later;

/// Characters of a ticket's number.
const TICKET_MAX: usize = 64;

/// What numbers need in the gaining subaccount, and what is accepted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preflight {
    address: Option<AddressBody>,
    address_sid: Option<String>,
    bundle_sid: Option<String>,
    accept_campaign_loss: Option<bool>,
    accept_live_calls: Option<bool>,
}

/// Tickets that are filed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requested {
    operator_ticket: Option<String>,
    client_ticket: Option<String>,
}

/// Who refused.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Twilio.
    Twilio,
    /// The owner of the losing account.
    LosingSide,
}

/// A refusal.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    by: Side,
    reason: String,
    /// The numbers; without it all that are waited for.
    numbers: Option<Vec<String>>,
}

/// Nothing to say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    reason: String,
}

fn not_ready(why: &'static str) -> Failure {
    Code::MIGRATION_NOT_READY.because(why)
}

fn gaining_of(migration: &Migration) -> Result<AccountSid, Failure> {
    let sid = migration.gaining_sid.clone();
    sid.ok_or_else(|| not_ready("the gaining subaccount is not there yet"))
}

/// Looks again at numbers that have not been asked for, with what was brought meanwhile.
pub async fn preflight(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    MigrationPath(id): MigrationPath,
    JsonBody { value, .. }: JsonBody<Preflight>,
) -> Answer {
    let migration = load(&app, &id).await?;
    let gaining = gaining_of(&migration)?;
    let address_sid = match (&value.address_sid, &value.address) {
        (None, None) => None,
        (Some(sid), None) => Some(
            AddressSid::parse(sid)
                .map_err(|_| Code::MIGRATION_INVALID.because("address_sid is no Address's SID"))?,
        ),
        (None, Some(described)) => {
            // A name that only this migration has: an answer that got lost is looked for.
            let new = described.checked(&format!("tollgate {id}"))?;
            Some(made_address(&app, &gaining, &new).await?)
        }
        (Some(_), Some(_)) => {
            return Err(Code::MIGRATION_INVALID.because("give either address_sid or address"));
        }
    };
    let bundle_sid = value.bundle_sid.as_deref().map(BundleSid::parse);
    let bundle_sid = bundle_sid
        .transpose()
        .map_err(|_| Code::MIGRATION_INVALID.because("bundle_sid is no Bundle's SID"))?;
    let mut brought = migration.clone();
    brought.address_sid = address_sid.or(brought.address_sid);
    brought.bundle_sid = bundle_sid.or(brought.bundle_sid);
    let accepts = &mut brought.accepts;
    accepts.campaign_loss = value.accept_campaign_loss.unwrap_or(accepts.campaign_loss);
    accepts.live_calls = value.accept_live_calls.unwrap_or(accepts.live_calls);
    let found = before_move(&app, &brought, &gaining).await?;
    let why = ("migration.preflight", "asked for");
    let changed = change(&app, &caller, &id, why, |before| {
        let next = Migration {
            address_sid: brought.address_sid.clone(),
            bundle_sid: brought.bundle_sid.clone(),
            accepts: brought.accepts,
            ..before.clone()
        };
        Ok(look::noted(&next, &found, app.host.now()))
    });
    Ok(shown::answer(StatusCode::OK, &changed.await?))
}

/// The pre-flight of all numbers that have not been asked for.
async fn before_move(
    app: &App,
    migration: &Migration,
    gaining: &AccountSid,
) -> Result<Vec<look::Found>, Failure> {
    let is_here = |item: &Item| {
        matches!(
            item.state,
            ItemState::Planned | ItemState::PreflightOk | ItemState::Blocked { .. }
        )
    };
    match migration.kind {
        Kind::External => look::external(app, migration, gaining, is_here).await,
        Kind::Split => Box::pin(look::split(app, migration, gaining, is_here)).await,
    }
}

/// Tickets are filed; or, of a split, the numbers move now: this is the cut-over.
pub async fn requested(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    MigrationPath(id): MigrationPath,
    JsonBody { value, .. }: JsonBody<Requested>,
) -> Answer {
    let given = [&value.operator_ticket, &value.client_ticket];
    if !given
        .into_iter()
        .flatten()
        .all(|ticket| is_printable(ticket, TICKET_MAX))
    {
        return Err(Code::MIGRATION_INVALID.because("a ticket has 1 to 64 printable characters"));
    }
    let migration = load(&app, &id).await?;
    let gaining = gaining_of(&migration)?;
    if migration.kind == Kind::Split && given.into_iter().any(Option::is_some) {
        return Err(Code::MIGRATION_INVALID.because("a split needs no tickets"));
    }
    // Of a split all is looked at once more: a number may be in a call by now.
    let found = if migration.kind == Kind::Split && migration.in_state("preflight_ok").count() > 0 {
        let is_ready = |item: &Item| item.state == ItemState::PreflightOk;
        Box::pin(look::split(&app, &migration, &gaining, is_ready)).await?
    } else {
        Vec::new()
    };
    let why = ("migration.request", "asked for");
    let changed = change(&app, &caller, &id, why, |before| {
        let now = app.host.now();
        let looked = look::noted(before, &found, now);
        let next = Migration {
            operator_ticket: value
                .operator_ticket
                .clone()
                .or(looked.operator_ticket.clone()),
            client_ticket: value.client_ticket.clone().or(looked.client_ticket.clone()),
            ..looked
        };
        if !next.is_filed() {
            return Ok(next);
        }
        let has_ready = next.in_state("preflight_ok").next().is_some();
        let is_asked = before.in_state("requested").next().is_some();
        let is_there = before.items.iter().any(|item| item.state.is_there());
        if is_there && before.is_rolling_back() {
            return Err(not_ready("numbers are on their way back"));
        }
        if !has_ready && !is_asked && !is_there && next == *before {
            return Err(not_ready("no number has passed its pre-flight"));
        }
        let moved = next.advanced(now, |_| Some(ItemState::Requested));
        if !has_ready {
            return Ok(moved);
        }
        Ok(match moved.kind {
            Kind::External => Migration {
                watch_until: Some(later(now, WATCH)),
                ..moved
            },
            Kind::Split => Migration {
                // After a rollback it is another cut-over.
                cut_over_at: moved
                    .cut_over_at
                    .filter(|_| moved.rollback.is_none())
                    .or(Some(now)),
                rollback: None,
                ..moved
            },
        })
    });
    let migration = Box::pin(go_on::now(&app, &caller, changed.await?)).await;
    Ok(shown::answer(StatusCode::OK, &migration))
}

/// Numbers that will not come.
pub async fn refuse(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    MigrationPath(id): MigrationPath,
    JsonBody { value, .. }: JsonBody<Refusal>,
) -> Answer {
    check_reason(&value.reason)?;
    let code = match value.by {
        Side::Twilio => "refused_by_twilio",
        Side::LosingSide => "refused_by_losing_side",
    };
    let refused = ItemState::Blocked {
        reason: code.to_owned(),
        note: Some(value.reason.clone()),
    };
    let why = ("migration.refuse", value.reason.as_str());
    let changed = change(&app, &caller, &id, why, |before| {
        if before.kind == Kind::Split {
            return Err(not_ready("of a split nothing is asked of others"));
        }
        let is_meant = |item: &Item| {
            let numbers = value.numbers.as_ref();
            numbers.is_none_or(|numbers| numbers.contains(&item.phone_number))
        };
        if let Some(numbers) = &value.numbers {
            let is_known =
                |number: &String| before.items.iter().any(|item| item.phone_number == *number);
            if !numbers.iter().all(is_known) {
                return Err(Code::NUMBER_NOT_FOUND.into());
            }
        }
        let next = before.advanced(app.host.now(), |item| {
            let is_waited_for = matches!(item.state, ItemState::Requested | ItemState::PreflightOk);
            (is_waited_for && is_meant(item)).then(|| refused.clone())
        });
        let is_done = before
            .items
            .iter()
            .any(|item| is_meant(item) && item.state == refused);
        if next == *before && !is_done {
            return Err(not_ready("none of these numbers is waited for"));
        }
        Ok(next)
    });
    Ok(shown::answer(StatusCode::OK, &changed.await?))
}

/// What Twilio has of the numbers that came.
async fn numbers_at_twilio(
    app: &App,
    migration: &Migration,
) -> Result<Vec<domain::migration::Check>, Failure> {
    let gaining = gaining_of(migration)?;
    let account = app.main.call(|main| {
        let (client, gaining) = (&app.twilio, &gaining);
        async move { client.fetch_account(&main.into(), gaining).await }
    });
    let is_active = account.await?.status == AccountStatus::Active;
    let found = look::found_in(app, &gaining).await?;
    Ok(compare_numbers(migration, is_active, &found))
}

/// The platform uses the new credentials: what came is verified, and live.
pub async fn live(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    MigrationPath(id): MigrationPath,
    JsonBody { .. }: JsonBody<Nothing>,
) -> Answer {
    let migration = load(&app, &id).await?;
    if migration.in_state("configured").next().is_none() && migration.state() != "live" {
        return Err(not_ready("no number is configured"));
    }
    if migration.hand_over.is_none() {
        return Err(not_ready("the credentials were not handed over"));
    }
    let checks = numbers_at_twilio(&app, &migration).await?;
    let wrong = differences(&checks);
    if !wrong.is_empty() {
        return Err(Code::MIGRATION_NOT_VERIFIED.because(wrong.join(", ")));
    }
    let why = ("migration.confirm", "the platform uses the new credentials");
    let changed = change(&app, &caller, &id, why, |before| {
        if before.in_state("configured").next().is_none() {
            return Ok(before.clone());
        }
        let now = app.host.now();
        // What came after the look is for the next confirmation.
        let was_seen = |item: &Item| {
            let mut seen = migration.in_state("configured");
            seen.any(|seen| seen.phone_number == item.phone_number)
        };
        let next = before.advanced(now, |item| was_seen(item).then_some(ItemState::Live));
        Ok(Migration {
            confirmed_at: Some(now),
            verification: Some(Verification {
                at: now,
                checks: checks.clone(),
            }),
            ..next
        })
    });
    Ok(shown::answer(StatusCode::OK, &changed.await?))
}

/// Compares Twilio with what was asked for and keeps what was found. Usage comes late: ask again.
pub async fn verify(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    MigrationPath(id): MigrationPath,
    JsonBody { .. }: JsonBody<Nothing>,
) -> Answer {
    let migration = load(&app, &id).await?;
    let mut checks = numbers_at_twilio(&app, &migration).await?;
    checks.extend(Box::pin(usage::compare(&app, &migration)).await?);
    let at = app.host.now();
    let why = ("migration.verify", "asked for");
    let changed = change(&app, &caller, &id, why, |before| {
        Ok(Migration {
            verification: Some(Verification {
                at,
                checks: checks.clone(),
            }),
            ..before.clone()
        })
    });
    Ok(shown::answer(StatusCode::OK, &changed.await?))
}

/// Numbers of a split go back to where they came from.
pub async fn roll_back(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    MigrationPath(id): MigrationPath,
    JsonBody { value, .. }: JsonBody<Reason>,
) -> Answer {
    check_reason(&value.reason)?;
    let why = ("migration.roll_back", value.reason.as_str());
    let changed = change(&app, &caller, &id, why, |before| {
        if before.kind == Kind::External {
            return Err(not_ready(
                "Twilio moved these numbers: only Twilio can move them back",
            ));
        }
        if before.is_rolling_back() {
            return Ok(before.clone());
        }
        if !before.has_work() && !before.items.iter().any(|item| item.state.is_there()) {
            return Err(not_ready("no number has moved"));
        }
        let now = app.host.now();
        // What never left stays; what is on its way arrives first.
        let next = before.advanced(now, |item| {
            let is_here = matches!(item.state, ItemState::Planned | ItemState::PreflightOk);
            is_here.then(|| ItemState::blocked("rolled_back"))
        });
        Ok(Migration {
            rollback: Some(Rollback {
                at: now,
                actor: caller.actor.clone(),
                reason: value.reason.clone(),
                refused: Vec::new(),
            }),
            ..next
        })
    });
    let migration = Box::pin(go_on::now(&app, &caller, changed.await?)).await;
    Ok(shown::answer(StatusCode::OK, &migration))
}
