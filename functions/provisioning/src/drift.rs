//! Drift: once an hour all of Twilio's subaccounts are compared with all rows. `GET /v1/drift` shows what
//! stands, `POST /v1/drift` compares now.
//!
//! What is found is told once, by an event and an alarm. A changed status is put right once, by the
//! suspender; if Twilio keeps it, it stays a finding and nothing is asked again. A surplus subaccount is
//! closed if nothing is in it.

use std::sync::Arc;

use aws::{ActKind, DriftReport};
use axum::Extension;
use axum::extract::State;
use domain::drift::{Change, DriftKind, Finding, SeenAccount, change, survey};
use domain::event::{Event, Fact};
use domain::ids::{AccountSid, TenantId};
use domain::tenant::Tenant;
use http::StatusCode;
use serde_json::{Value, json};
use twilio::{AccountFilter, AccountStatus};

use crate::app::App;
use crate::extract::Caller;
use crate::problem::{Answer, Failure};
use crate::resume::close_surplus;
use crate::steps::twilio_status;
use crate::view;

/// Rows of one page.
const PAGE: usize = 100;

/// Compares, acts on what is new, and keeps what stands.
pub async fn check(app: &App, caller: &Caller) -> Result<DriftReport, Failure> {
    let now = app.host.now();
    let before = app.store.drift().await?;
    let main = app.main_sid().await?;
    let seen = app.main.call(|main_credentials| {
        let (client, main) = (&app.twilio, &main);
        async move { client.fetch_account(&main_credentials.into(), main).await }
    });
    let status = seen.await?.status;
    let mut unowned = before.unowned.clone();
    let mut tenants = Vec::new();
    let found = if status == AccountStatus::Active {
        let accounts = accounts(app).await?;
        tenants = all_tenants(app).await?;
        let found = survey(&accounts, &tenants, now);
        unowned = found.unowned;
        // A shared one has an owner row of its own kind.
        for shared in app.store.shared_subaccounts().await? {
            unowned.retain(|sid| *sid != shared.account_sid);
        }
        found.findings
    } else {
        // Nothing can be said about subaccounts, and nothing done.
        let mut standing: Vec<Finding> = before.findings.clone();
        standing.retain(|one| one.kind != DriftKind::MainAccountInactive);
        standing.insert(
            0,
            Finding {
                kind: DriftKind::MainAccountInactive,
                account_sid: main,
                tenant: None,
                seen: status.to_string(),
                expected: "active".to_owned(),
                since: now,
            },
        );
        standing
    };
    let change = change(&before.findings, found);
    for one in &change.opened {
        act_on(app, &tenants, one).await?;
    }
    let report = DriftReport {
        ver: before.ver,
        checked_at: Some(now),
        findings: change.standing.clone(),
        unowned,
    };
    let events = events(app, caller, before.ver + 1, &change);
    match app.store.write_drift(&report, &events).await {
        Ok(report) => Ok(report),
        // Another comparison was first: its report stands.
        Err(aws::CommitError::Conflict { .. }) => Ok(app.store.drift().await?),
        Err(error) => Err(error.into()),
    }
}

async fn accounts(app: &App) -> Result<Vec<SeenAccount>, Failure> {
    let filter = AccountFilter::default();
    let listed = app.main.call(|main| {
        let (client, filter) = (&app.twilio, &filter);
        async move { client.list_accounts(&main, filter).await }
    });
    let seen = listed.await?.into_iter().map(|account| SeenAccount {
        status: twilio_status(&account.status),
        account_sid: account.sid,
        friendly_name: account.friendly_name,
    });
    Ok(seen.collect())
}

async fn all_tenants(app: &App) -> Result<Vec<Tenant>, Failure> {
    let mut tenants = Vec::new();
    let mut cursor: Option<TenantId> = None;
    loop {
        let page = app.store.list_tenants(None, cursor.as_ref(), PAGE).await?;
        tenants.extend(page.tenants);
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(tenants),
        }
    }
}

async fn act_on(app: &App, tenants: &[Tenant], finding: &Finding) -> Result<(), Failure> {
    tracing::error!(tenant.id = finding.tenant.as_ref().map(TenantId::as_str), account.sid = %finding.account_sid, error_type = "drift", drift.kind = finding.kind.name(), drift.seen = finding.seen, drift.expected = finding.expected, "Twilio has something else than our rows say");
    let owner = finding.tenant.as_ref();
    let owner = tenants.iter().find(|tenant| Some(&tenant.id) == owner);
    match (finding.kind, owner) {
        (DriftKind::StatusChanged, Some(tenant)) => {
            let now = app.host.now();
            app.store.set_act(ActKind::Enforce, &tenant.id, now).await?;
        }
        (DriftKind::Surplus, Some(tenant)) => {
            close_surplus(app, tenant, &finding.account_sid).await?;
        }
        _ => {}
    }
    Ok(())
}

fn events(app: &App, caller: &Caller, seq: u64, change: &Change) -> Vec<Event> {
    let event = |one: &Finding, fact| {
        let nobody = TenantId::nobody();
        let tenant = one.tenant.as_ref().unwrap_or(&nobody);
        app.event(tenant, seq, &caller.request_id, fact)
    };
    let opened = change.opened.iter().map(|one| {
        let fact = Fact::DriftFound {
            kind: one.kind.name(),
            account_sid: one.account_sid.clone(),
            seen: one.seen.clone(),
            expected: one.expected.clone(),
        };
        event(one, fact)
    });
    let resolved = change.resolved.iter().map(|one| {
        let fact = Fact::DriftResolved {
            kind: one.kind.name(),
            account_sid: one.account_sid.clone(),
        };
        event(one, fact)
    });
    opened.chain(resolved).collect()
}

fn shown(report: &DriftReport) -> Value {
    let findings = report.findings.iter().map(|one| {
        json!({
            "kind": one.kind.name(),
            "account_sid": one.account_sid.as_str(),
            "tenant_id": one.tenant.as_ref().map(TenantId::as_str),
            "seen": one.seen,
            "expected": one.expected,
            "since": one.since,
        })
    });
    json!({
        "checked_at": report.checked_at,
        "findings": findings.collect::<Vec<_>>(),
        "unowned_subaccounts": report.unowned.iter().map(AccountSid::as_str).collect::<Vec<_>>(),
    })
}

/// What stands since the last comparison.
pub async fn read(State(app): State<Arc<App>>) -> Answer {
    Ok(view::json(
        StatusCode::OK,
        &shown(&app.store.drift().await?),
    ))
}

/// Compares now.
pub async fn compare(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Answer {
    Ok(view::json(
        StatusCode::OK,
        &shown(&check(&app, &caller).await?),
    ))
}
