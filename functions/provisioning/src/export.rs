//! `POST .../export`: everything that is kept about a tenant, as files in the archive bucket. It goes on by
//! the timer, a month of usage, calls and messages or a page of the ledger at a time.

use std::sync::Arc;

use aws::{ActKind, CommitError};
use axum::Extension;
use axum::extract::State;
use domain::event::Fact;
use domain::export::Export;
use domain::ids::CallSid;
use domain::numbers::NumberRecord;
use domain::tenant::{Lifecycle, Tenant};
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::app::{App, TRIES_MAX, audit};
use crate::closing::{archive_month, put_lines};
use crate::extract::{Caller, JsonBody, Reason, TenantPath, check_reason};
use crate::lease;
use crate::numbers::{account_of, held_by};
use crate::problem::{Answer, Code, Failure, unavailable};
use crate::records::EntryView;
use crate::saga::{BACKGROUND_BUDGET, later};
use crate::tenants::{lost_race, view_of};
use crate::view;

/// What is not done is gone on with after this long.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// Entries of one file.
const ENTRIES: usize = 500;
/// Statements that are listed: more than a tenant can have in forty years.
const STATEMENTS: usize = 500;
/// Runs of the suspender that are listed.
const PROOFS: usize = 500;

/// Asks for an export. One that is under way goes on instead.
pub async fn request(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    JsonBody { value, .. }: JsonBody<Reason>,
) -> Answer {
    check_reason(&value.reason)?;
    for _ in 0..TRIES_MAX {
        let tenant = app.tenant(&id).await?;
        if tenant.account_sid.is_none() {
            return Err(Code::TENANT_NOT_IN_SERVICE.into());
        }
        if let Some(export) = tenant.export.as_ref().filter(|one| one.done_at.is_none()) {
            return Ok(view::json(
                StatusCode::ACCEPTED,
                &shown(&app, &tenant, export),
            ));
        }
        let now = app.host.now();
        app.store.set_act(ActKind::Provision, &id, now).await?;
        let export = Export {
            asked_at: now,
            through: None,
            entries: 0,
            done_at: None,
        };
        let next = Tenant {
            export: Some(export.clone()),
            ..tenant.clone()
        };
        let audit = audit(&caller, "tenant.export", &value.reason);
        let written = app.store.change_tenant(&tenant, &next, &audit, None, None);
        match written.await {
            Ok(tenant) => {
                return Ok(view::json(
                    StatusCode::ACCEPTED,
                    &shown(&app, &tenant, &export),
                ));
            }
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the tenant's row kept changing"))
}

/// Shows how far the latest export is.
pub async fn read(State(app): State<Arc<App>>, TenantPath(id): TenantPath) -> Answer {
    let tenant = app.tenant(&id).await?;
    let export = tenant.export.as_ref().ok_or(Code::EXPORT_NOT_FOUND)?;
    Ok(view::json(StatusCode::OK, &shown(&app, &tenant, export)))
}

fn folder_of(tenant: &Tenant, export: &Export) -> String {
    format!("tenants/{}/{}", tenant.id, export.folder())
}

fn shown(app: &App, tenant: &Tenant, export: &Export) -> Value {
    json!({
        "state": if export.done_at.is_some() { "done" } else { "pending" },
        "asked_at": export.asked_at,
        "done_at": export.done_at,
        "folder": app.archive.address_of(&folder_of(tenant, export)),
    })
}

/// Is there an export to go on with?
pub fn is_open(tenant: &Tenant) -> bool {
    let export = tenant.export.as_ref();
    export.is_some_and(|export| export.done_at.is_none())
}

/// Goes on with an export. Every file may be written again.
pub async fn go_on(app: &App, caller: &Caller, tenant: &Tenant) -> Result<&'static str, Failure> {
    let owner = format!("{}/{}", caller.request_id, app.host.ulid());
    let Some(mut tenant) = lease::take(app, &owner, tenant).await? else {
        let at = later(app.host.now(), lease::LEASE);
        app.store
            .set_act(ActKind::Provision, &tenant.id, at)
            .await?;
        return Ok("owned elsewhere");
    };
    let deadline = later(app.host.now(), BACKGROUND_BUDGET);
    while lease::is_owned(app, &owner, &tenant) && app.host.now() < deadline {
        let Some(export) = tenant.export.clone().filter(|one| one.done_at.is_none()) else {
            break;
        };
        let next = step(app, &tenant, export).await?;
        let is_done = next.done_at.is_some();
        tenant = if is_done {
            finish(app, caller, &tenant, next).await?
        } else {
            save(app, &tenant, next).await?
        };
        if is_done {
            return Ok("exported");
        }
    }
    let at = later(app.host.now(), AGAIN);
    app.store
        .set_act(ActKind::Provision, &tenant.id, at)
        .await?;
    Ok("export goes on")
}

async fn save(app: &App, tenant: &Tenant, export: Export) -> Result<Tenant, Failure> {
    let next = Tenant {
        export: Some(export),
        ..tenant.clone()
    };
    match app.store.update_tenant(&next).await {
        Ok(tenant) => Ok(tenant),
        // Decided again from the fresh row; what was written is written again.
        Err(CommitError::Conflict { .. }) => app.tenant(&tenant.id).await,
        Err(error) => Err(error.into()),
    }
}

async fn finish(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    export: Export,
) -> Result<Tenant, Failure> {
    let fact = Fact::TenantExported {
        folder: app.archive.address_of(&folder_of(tenant, &export)),
    };
    let mut next = Tenant {
        export: Some(export),
        ..tenant.clone()
    };
    if let Some(lease) = &mut next.lease {
        lease.until = app.host.now();
    }
    let event = app.event(&tenant.id, tenant.ver + 1, &caller.request_id, fact);
    let audit = audit(caller, "tenant.exported", "asked for");
    let written = app
        .store
        .write_tenant_with_event(tenant, &next, &audit, &event);
    match written.await {
        Ok(tenant) => Ok(tenant),
        Err(CommitError::Conflict { .. }) => {
            let at = later(app.host.now(), AGAIN);
            app.store
                .set_act(ActKind::Provision, &tenant.id, at)
                .await?;
            app.tenant(&tenant.id).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes the part that comes next; the export as it is then.
async fn step(app: &App, tenant: &Tenant, export: Export) -> Result<Export, Failure> {
    let folder = folder_of(tenant, &export);
    if export.through.is_none_or(|through| through < app.today()) {
        // Twilio has deleted a closed subaccount's calls and messages: they lie in the archive already.
        let archived = archive_month(app, tenant, &folder, export.through).await?;
        return Ok(Export {
            through: Some(archived.through),
            ..export
        });
    }
    let wallet = app.store.wallet(&tenant.id).await?;
    let last = wallet.map_or(0, |wallet| wallet.seq);
    if export.entries < last {
        let first = export.entries + 1;
        let to = last.min(export.entries + ENTRIES as u64);
        let entries = app.store.entry_range(&tenant.id, first, to).await?;
        let lines: Result<Vec<Value>, Failure> = entries
            .iter()
            .map(|entry| as_json(&EntryView::from(entry)))
            .collect();
        put_lines(app, &folder, "ledger", &format!("{first:010}"), &lines?).await?;
        return Ok(Export {
            entries: to,
            ..export
        });
    }
    rest(app, tenant, &folder).await?;
    Ok(Export {
        done_at: Some(app.host.now()),
        ..export
    })
}

fn as_json(value: &impl serde::Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(crate::problem::internal)
}

/// What fits one file each: the tenant, statements, numbers, keys, ended calls.
async fn rest(app: &App, tenant: &Tenant, folder: &str) -> Result<(), Failure> {
    let mut tenant_line = as_json(&view_of(app, tenant).await?)?;
    tenant_line["audit_rows"] = json!(tenant.audit_seq);
    put_lines(app, folder, "tenant", "all", &[tenant_line]).await?;
    let statements = app.store.statements(&tenant.id, None, STATEMENTS).await?;
    let mut stated = Vec::new();
    for statement in &statements {
        // One that is closing has no lines yet.
        let content = if statement.header.state == domain::statement::State::Closing {
            None
        } else {
            Some(app.store.statement_content(&tenant.id, statement).await?)
        };
        stated.push(json!({
            "header": as_json(&statement.header)?,
            "content": content.map(|content| as_json(&content)).transpose()?,
        }));
    }
    put_lines(app, folder, "statements", "all", &stated).await?;
    let numbers = app.store.numbers_of(&tenant.id).await?;
    let mut lines: Vec<Value> = numbers.iter().map(number).collect();
    if tenant.lifecycle != Lifecycle::Closed {
        // Numbers that were there before us, or came by the console, have no record of ours.
        let held = held_by(app, &account_of(tenant)?).await?;
        let unknown = held
            .iter()
            .filter(|held| numbers.iter().all(|record| record.sid != held.sid));
        lines.extend(unknown.map(|held| {
            json!({ "sid": held.sid.as_str(), "phone_number": held.phone_number, "history": [] })
        }));
    }
    put_lines(app, folder, "numbers", "all", &lines).await?;
    let keys = app.store.issued_keys(&tenant.id).await?;
    let keys: Vec<Value> = keys
        .iter()
        .map(|key| {
            json!({
                "sid": key.key_sid.as_str(), "name": key.name, "policy": key.policy,
                "issued_at": key.issued_at, "revoked_at": key.revoked_at,
            })
        })
        .collect();
    put_lines(app, folder, "api-keys", "all", &keys).await?;
    let silences = app.store.silences(&tenant.id, PROOFS).await?;
    let silences: Vec<Value> = silences
        .iter()
        .map(|silence| {
            json!({
                "at": silence.at, "silent": silence.is_silent,
                "call_sids": silence.calls.iter().map(CallSid::as_str).collect::<Vec<_>>(),
            })
        })
        .collect();
    put_lines(app, folder, "suspensions", "all", &silences).await
}

fn number(record: &NumberRecord) -> Value {
    let held = record.holdings.iter().map(|holding| {
        json!({
            "account_sid": holding.account_sid.as_str(),
            "tenant_id": holding.tenant.as_ref().map(domain::ids::TenantId::as_str),
            "from": holding.from, "until": holding.until,
        })
    });
    json!({
        "sid": record.sid.as_str(), "phone_number": record.phone_number,
        "history": held.collect::<Vec<_>>(),
    })
}
