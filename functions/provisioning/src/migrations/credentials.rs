//! `POST .../credentials`: the new SID and a key for the platform, shown once.
//!
//! The key is recorded with the migration and the event `credentials.replaced` in one transaction; one that was
//! made and not recorded is an orphan, whose secret nobody knows, and is deleted before another is made.

use std::sync::Arc;

use aws::{CommitError, IssuedKey};
use axum::Extension;
use axum::extract::State;
use domain::event::Fact;
use domain::migration::{HandOver, ItemState, Kind, Migration};
use domain::tenant::Tenant;
use http::StatusCode;
use serde_json::json;

use super::MigrationPath;
use super::acts::Nothing;
use super::change::{Along, load, step};
use crate::api_keys::{KeyMaker, key_name};
use crate::app::{App, TRIES_MAX};
use crate::extract::{Caller, JsonBody};
use crate::problem::{Answer, Code, Failure};
use crate::saga::ShownKey;
use crate::tenants::{in_service, lost_race};
use crate::view::{self, KeyView};

/// Characters of a migration's id that tell its key from others.
const TAIL: usize = 8;

/// Hands the credentials over.
pub async fn issue(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    MigrationPath(id): MigrationPath,
    JsonBody { .. }: JsonBody<Nothing>,
) -> Answer {
    for _ in 0..TRIES_MAX {
        let migration = load(&app, &id).await?;
        if !is_time(&migration) {
            return Err(Code::MIGRATION_NOT_READY.because("no number is there yet"));
        }
        let tenant = in_service(&app, &migration.tenant).await?;
        if let Some(known) = &migration.hand_over {
            let issued = app.store.issued_keys(&tenant.id).await?;
            let is_revoked =
                |key: &IssuedKey| key.key_sid == known.key_sid && key.revoked_at.is_some();
            if !issued.iter().any(is_revoked) {
                return Err(Code::CREDENTIALS_ISSUED.because(known.key_sid.as_str()));
            }
        }
        // The claim: whoever claimed earlier and has not recorded its key cannot record it any more.
        let claimed = match app.store.update_tenant(&tenant).await {
            Ok(claimed) => claimed,
            Err(error) if lost_race(&error) => {
                app.pause().await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let Some(key) = Box::pin(hand_over(&app, &caller, claimed, &migration)).await? else {
            app.pause().await;
            continue;
        };
        let body = json!({
            "account_sid": migration.gaining_sid,
            "former_account_sid": migration.losing_sid,
            "api_key": KeyView::from(key),
        });
        return Ok(view::json(StatusCode::CREATED, &body));
    }
    Err(Code::REQUEST_IN_PROGRESS.retry_after(1))
}

/// The platform of a split needs the key before its numbers move.
fn is_time(migration: &Migration) -> bool {
    migration.items.iter().any(|item| match migration.kind {
        Kind::External => item.state.is_there(),
        Kind::Split => item.state.is_there() || item.state == ItemState::PreflightOk,
    })
}

/// `None`: another request claimed the row meanwhile; nothing is left of this one.
async fn hand_over(
    app: &App,
    caller: &Caller,
    tenant: Tenant,
    before: &Migration,
) -> Result<Option<ShownKey>, Failure> {
    let Some(account_sid) = before.gaining_sid.clone() else {
        return Err(Code::MIGRATION_NOT_READY.because("the gaining subaccount is not there yet"));
    };
    let id = before.id.as_str();
    let purpose = format!("migration {}", &id[id.len() - TAIL..]);
    let name = key_name(&tenant.name, &purpose);
    let maker = KeyMaker {
        app,
        tenant: &before.tenant,
        account_sid: &account_sid,
    };
    maker.delete_orphans(&name).await?;
    let key = maker.create(&name).await?;
    let now = app.host.now();
    let record = IssuedKey {
        key_sid: key.sid.clone(),
        name: name.clone(),
        policy: None,
        issued_at: now,
        revoked_at: None,
    };
    let after = Migration {
        hand_over: Some(HandOver {
            key_sid: key.sid.clone(),
            at: now,
        }),
        ..before.clone()
    };
    let along = Along {
        key: Some(record),
        fact: Some(Fact::CredentialsReplaced {
            migration_id: before.id.clone(),
            former_account_sid: before.losing_sid.clone(),
            account_sid: account_sid.clone(),
            api_key_sid: key.sid.clone(),
        }),
        ..Along::default()
    };
    let why = ("migration.hand_over", purpose.as_str());
    let write = step(app, caller, tenant, (before, after), why, along);
    let shown = ShownKey {
        key_sid: key.sid.clone(),
        name,
        secret: key.secret,
    };
    match app.store.write_migration(&write).await {
        Ok(_) => Ok(Some(shown)),
        Err(CommitError::Conflict { .. }) => {
            let issued = app.store.issued_keys(&before.tenant).await?;
            if issued.iter().any(|issued| issued.key_sid == key.sid) {
                // The record got there, its answer was lost.
                return Ok(Some(shown));
            }
            maker.delete(&key.sid).await?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
