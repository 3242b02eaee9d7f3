//! Migrations as answers: one, a list, both tickets.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::ids::{AccountSid, MigrationId};
use domain::migration::{Check, ItemState, Migration, Parties, Tickets, check_list, tickets};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::MigrationPath;
use super::change::load;
use crate::app::App;
use crate::extract::{Params, page_limit};
use crate::problem::{Answer, Code, Failure};
use crate::view;

/// Migrations of a page.
const PAGE: usize = 20;
/// At most: one is up to some ten kilobytes.
const PAGE_MAX: usize = 50;

/// Which page to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    cursor: Option<String>,
    limit: Option<usize>,
}

/// Why a number is blocked; empty if it is not.
pub(super) fn reason(state: &ItemState) -> &str {
    match state {
        ItemState::Blocked { reason, .. } => reason,
        _ => "",
    }
}

fn item(item: &domain::migration::Item) -> Value {
    let note = |state: &ItemState| match state {
        ItemState::Blocked { note, .. } => note.clone(),
        _ => None,
    };
    let reason = |state| Some(reason(state).to_owned()).filter(|reason| !reason.is_empty());
    let history = item.history.iter().map(|reached| {
        json!({
            "at": reached.at, "state": reached.state.name(),
            "reason": reason(&reached.state), "note": note(&reached.state),
        })
    });
    let history: Vec<Value> = history.collect();
    json!({
        "phone_number": item.phone_number,
        "sid": item.sid.as_ref().map(domain::ids::PhoneNumberSid::as_str),
        "state": item.state.name(),
        "reason": reason(&item.state),
        "note": note(&item.state),
        "marks": item.marks,
        "urls": item.urls,
        "history": history,
    })
}

fn check(check: &Check) -> Value {
    json!({
        "what": check.what, "subject": check.subject,
        "expected": check.expected, "found": check.found, "ok": check.is_ok(),
    })
}

/// A migration as JSON.
pub(super) fn body(migration: &Migration) -> Value {
    let verification = migration.verification.as_ref().map(|verification| {
        let checks: Vec<Value> = verification.checks.iter().map(check).collect();
        let is_ok = verification.checks.iter().all(Check::is_ok);
        json!({ "at": verification.at, "ok": is_ok, "checks": checks })
    });
    let items: Vec<Value> = migration.items.iter().map(item).collect();
    json!({
        "id": migration.id.as_str(),
        "kind": migration.kind,
        "state": migration.state(),
        "tenant_id": migration.tenant.as_str(),
        "client_name": migration.client_name,
        "client_email": migration.client_email,
        "losing_account_sid": migration.losing_sid.as_str(),
        "gaining_account_sid": migration.gaining_sid.as_ref().map(AccountSid::as_str),
        "numbers": items,
        "operator_ticket": migration.operator_ticket,
        "client_ticket": migration.client_ticket,
        "watch_until": migration.watch_until,
        "cut_over_at": migration.cut_over_at,
        "hand_over": migration.hand_over.as_ref().map(|hand_over| json!({
            "api_key_sid": hand_over.key_sid.as_str(), "at": hand_over.at,
        })),
        "confirmed_at": migration.confirmed_at,
        "rollback": migration.rollback,
        "verification": verification,
        "check_list": check_list(migration),
        "asked_at": migration.asked_at,
        "next_action_at": migration.next_at,
    })
}

/// A migration as an answer.
pub(super) fn answer(status: StatusCode, migration: &Migration) -> Response {
    view::json(status, &body(migration))
}

/// Shows one.
pub async fn read(State(app): State<Arc<App>>, MigrationPath(id): MigrationPath) -> Answer {
    let migration = load(&app, &id).await?;
    Ok(answer(StatusCode::OK, &migration))
}

/// Lists them, newest first.
pub async fn list(State(app): State<Arc<App>>, Params(query): Params<ListQuery>) -> Answer {
    let limit = page_limit(query.limit, PAGE, PAGE_MAX)?;
    let cursor = query.cursor.as_deref().map(MigrationId::parse);
    let cursor = cursor.transpose().map_err(|_| Code::QUERY_INVALID)?;
    let page = app.store.list_migrations(cursor.as_ref(), limit).await?;
    let migrations: Vec<Value> = page.migrations.iter().map(body).collect();
    let next_cursor = page.next_cursor.map(String::from);
    Ok(view::json(
        StatusCode::OK,
        &json!({ "migrations": migrations, "next_cursor": next_cursor }),
    ))
}

/// Both tickets, with who asks.
pub(super) async fn texts(app: &App, migration: &Migration) -> Result<Option<Tickets>, Failure> {
    let (profile, _) = app.store.operator_profile().await?;
    let parties = Parties {
        operator_name: profile.name,
        operator_email: profile.email,
        main_sid: app.main_sid().await?,
    };
    Ok(tickets(migration, &parties))
}

/// Shows both tickets' texts and the check list.
pub async fn read_tickets(State(app): State<Arc<App>>, MigrationPath(id): MigrationPath) -> Answer {
    let migration = load(&app, &id).await?;
    let (profile, _) = app.store.operator_profile().await?;
    if profile.name.is_empty() {
        return Err(Code::PROFILE_INVALID
            .because("tickets say who asks: PUT /v1/operator-profile gives the name"));
    }
    let texts = texts(&app, &migration).await?;
    let texts = texts.ok_or_else(|| {
        Code::MIGRATION_NOT_READY.because("tickets are of external migrations with a subaccount")
    })?;
    Ok(view::json(
        StatusCode::OK,
        &json!({
            "gaining": texts.gaining, "losing": texts.losing, "check_list": check_list(&migration),
        }),
    ))
}
