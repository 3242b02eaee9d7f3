//! `POST .../erase`: people's data of a closed tenant is forgotten; money stays, under the tenant's id alone.
//!
//! The row keeps no name, address, tax number or words about people; calls and messages of the archive and
//! all exports are deleted. Ledger, usage sums, statements that were issued and the audit chain stay: they are
//! what the books and the law need.

use std::sync::Arc;

use aws::IssuedKey;
use axum::Extension;
use axum::extract::State;
use domain::event::Fact;
use domain::ids::TenantId;
use domain::period::day_of;
use domain::tenant::{Lifecycle, Tenant, friendly_name};
use http::StatusCode;
use jiff::ToSpan as _;
use serde::Deserialize;

use crate::app::{App, TRIES_MAX, audit};
use crate::extract::{Caller, JsonBody, TenantPath, check_reason};
use crate::problem::{Answer, Code, Failure, unavailable};
use crate::tenants::{lost_race, shown};

/// What is shown in place of a name.
const ERASED: &str = "erased";
/// What of an archive or an export names people.
const KINDS: [&str; 2] = ["calls", "messages"];
/// Files of an export that name people or could, besides.
const EXPORTED: [&str; 4] = ["tenant", "statements", "numbers", "api-keys"];

/// Confirmed by typing the name back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    reason: String,
    confirm: Option<String>,
}

/// Erases people's data of a closed tenant.
pub async fn erase(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    JsonBody { value, .. }: JsonBody<Erasure>,
) -> Answer {
    check_reason(&value.reason)?;
    let tenant = erasable(&app, &id).await?;
    if tenant.erased_at.is_some() {
        return shown(&app, &tenant, StatusCode::OK).await;
    }
    if value.confirm.as_deref() != Some(&tenant.name) {
        return Err(Code::CONFIRMATION_MISSING.because("confirm must be the tenant's name"));
    }
    delete_files(&app, &tenant).await?;
    rename_keys(&app, &caller, &id).await?;
    for _ in 0..TRIES_MAX {
        let tenant = erasable(&app, &id).await?;
        let next = forgotten(&app, &tenant);
        let event = app.event(
            &id,
            tenant.ver + 1,
            &caller.request_id,
            Fact::TenantErased {},
        );
        let audit = audit(&caller, "tenant.erase", &value.reason);
        match app
            .store
            .write_tenant_with_event(&tenant, &next, &audit, &event)
            .await
        {
            Ok(tenant) => return shown(&app, &tenant, StatusCode::OK).await,
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the tenant's row kept changing"))
}

async fn erasable(app: &App, id: &TenantId) -> Result<Tenant, Failure> {
    let tenant = app.tenant(id).await?;
    let is_over = tenant.lifecycle == Lifecycle::Closed
        || (tenant.lifecycle == Lifecycle::ProvisioningFailed
            && !crate::undo::must_be_undone(&tenant));
    if is_over {
        Ok(tenant)
    } else {
        Err(Code::TENANT_NOT_CLOSED.into())
    }
}

fn forgotten(app: &App, tenant: &Tenant) -> Tenant {
    let mut next = Tenant {
        name: ERASED.to_owned(),
        friendly_name: friendly_name(&tenant.id, ERASED),
        external_id: None,
        export: None,
        erased_at: Some(app.host.now()),
        ..tenant.clone()
    };
    next.billing.bill_to.clear();
    next.billing.tax_id = None;
    next.options = domain::provisioning::Options::default();
    for record in next.holds.values_mut() {
        ERASED.clone_into(&mut record.reason);
    }
    if let Some(closing) = &mut next.closing {
        ERASED.clone_into(&mut closing.reason);
    }
    next
}

async fn delete_files(app: &App, tenant: &Tenant) -> Result<(), Failure> {
    let root = format!("tenants/{}", tenant.id);
    let mut folders = vec![root.clone()];
    if let Some(export) = &tenant.export {
        let folder = format!("{root}/{}", export.folder());
        for kind in EXPORTED {
            app.archive
                .delete(&format!("{folder}/{kind}/all.jsonl"))
                .await?;
        }
        folders.push(folder);
    }
    let last = tenant.closed_at.map_or(app.today(), day_of);
    for folder in folders {
        let mut month = day_of(tenant.created_at).first_of_month();
        while month <= last {
            for kind in KINDS {
                let name = month.strftime("%Y-%m");
                app.archive
                    .delete(&format!("{folder}/{kind}/{name}.jsonl"))
                    .await?;
            }
            month = month.saturating_add(1.month());
        }
    }
    Ok(())
}

/// A key's name holds the client's.
async fn rename_keys(app: &App, caller: &Caller, id: &TenantId) -> Result<(), Failure> {
    for key in app.store.issued_keys(id).await? {
        if key.name == ERASED {
            continue;
        }
        let tenant = app.tenant(id).await?;
        let renamed = IssuedKey {
            name: ERASED.to_owned(),
            ..key
        };
        let audit = audit(caller, "api_key.erase", "erasure");
        app.store
            .record_key(&tenant, &tenant, &renamed, &audit)
            .await?;
    }
    Ok(())
}
