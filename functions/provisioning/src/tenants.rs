//! `POST /v1/tenants`, `GET /v1/tenants`, `GET /v1/tenants/{id}`.

use std::sync::Arc;

use aws::{Acceptance, AuditDraft, CommitError, Idempotency, IdempotencyState};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use domain::event::Fact;
use domain::ids::{PlanId, TenantId};
use domain::plan::{PlanRef, PricePlan};
use domain::provisioning::{Answering, NumberWish, Options, Step};
use domain::tenant::{
    BillingProfile, Lease, Lifecycle, PlanAssignment, Tenant, check_external_id, check_name,
    friendly_name,
};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::app::{App, TRIES_MAX, audit, day_of};
use crate::billing::{BillingChange, TaxIdChange};
use crate::extract::{Caller, IdempotencyKey, JsonBody, Params, TenantPath, page_limit};
use crate::lease::LEASE;
use crate::options::{CreditWish, options, watches};
use crate::problem::{Answer, Code, Failure};
use crate::saga::{Audience, Outcome, Saga, later};
use crate::view::{self, TenantView};

/// Tenants of a page.
const PAGE: usize = 50;
/// Tenants of a page at most.
const PAGE_MAX: usize = 100;

/// What a tenant is made from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    name: String,
    plan_id: Option<String>,
    plan_version: Option<u32>,
    external_id: Option<String>,
    currency: Option<String>,
    issue_api_key: Option<bool>,
    trial_credit: Option<CreditWish>,
    application: Option<Answering>,
    #[serde(default)]
    numbers: Vec<NumberWish>,
    time_zone: Option<String>,
    billing_day: Option<i8>,
    tax_rate: Option<String>,
    tax_exempt: Option<bool>,
    tax_id: Option<String>,
    bill_to: Option<Vec<String>>,
}

impl NewTenant {
    /// A tenant of this name and nothing else.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            plan_id: None,
            plan_version: None,
            external_id: None,
            currency: None,
            issue_api_key: None,
            trial_credit: None,
            application: None,
            numbers: Vec::new(),
            time_zone: None,
            billing_day: None,
            tax_rate: None,
            tax_exempt: None,
            tax_id: None,
            bill_to: None,
        }
    }

    /// The same without an API key: where nobody would see its secret.
    pub fn without_api_key(self) -> Self {
        Self {
            issue_api_key: Some(false),
            ..self
        }
    }

    /// How it is billed: what the sign-up says, else the plan's defaults.
    fn billing(&self, plan: &PricePlan) -> Result<BillingProfile, Failure> {
        let change = BillingChange {
            time_zone: self.time_zone.clone(),
            billing_day: self.billing_day,
            tax_rate: self.tax_rate.clone(),
            tax_exempt: self.tax_exempt,
            tax_id: self
                .tax_id
                .clone()
                .map_or(TaxIdChange::Keep, TaxIdChange::Set),
            bill_to: self.bill_to.clone(),
        };
        change.applied_to(&BillingProfile::from(&plan.defaults))
    }
}

/// Which tenants to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    status: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// Accepts a tenant and provisions it as far as the time allows.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    IdempotencyKey(key_hash): IdempotencyKey,
    JsonBody { value, fingerprint }: JsonBody<NewTenant>,
) -> Answer {
    check_name(&value.name).map_err(|why| Code::NAME_INVALID.because(why))?;
    if let Some(id) = &value.external_id {
        check_external_id(id).map_err(|why| Code::EXTERNAL_ID_INVALID.because(why))?;
    }
    let plan_id = value.plan_id.as_deref().ok_or(Code::PLAN_ID_MISSING)?;
    let request = Idempotency {
        key_hash,
        fingerprint,
        state: IdempotencyState::Running,
        tenant: TenantId::from_ulid(app.host.ulid()),
    };
    let wants_key = value.issue_api_key.unwrap_or(true);
    if let Some(earlier) = app.store.idempotency(&request.key_hash).await? {
        return Box::pin(repeat(&app, &caller, &request, earlier, wants_key)).await;
    }
    let plan = chosen_plan(&app, plan_id, value.plan_version).await?;
    let billing = value.billing(&plan)?;
    if value
        .currency
        .as_deref()
        .is_some_and(|currency| currency != plan.currency.code())
    {
        return Err(Code::CURRENCY_MISMATCH.because("the plan has another currency"));
    }
    let options = options(
        value.trial_credit.as_ref(),
        value.application.as_ref(),
        &value.numbers,
        &plan,
    )?;
    let audience = Audience::Client {
        idempotency: request.clone(),
        wants_key,
    };
    let mut saga = Saga::new(&app, &caller, audience);
    let mut acceptance = acceptance(&app, &caller, &request, saga.owner(), &value, &plan);
    acceptance.tenant.billing = billing;
    acceptance.tenant.options = options;
    let tenant = match accepted(&app, &mut acceptance).await {
        Ok(tenant) => tenant,
        Err(error) if error.is_conflict_on("IDEM") => {
            let earlier = app.store.idempotency(&request.key_hash).await?;
            let earlier = earlier.ok_or_else(|| crate::problem::unavailable(&error))?;
            if earlier.tenant != request.tenant {
                return Box::pin(repeat(&app, &caller, &request, earlier, wants_key)).await;
            }
            // Our own write got there and its answer was lost.
            app.tenant(&request.tenant).await?
        }
        Err(error) if error.is_conflict_on("X") => return Err(Code::EXTERNAL_ID_TAKEN.into()),
        Err(error) => return Err(error.into()),
    };
    let outcome = Box::pin(saga.run(tenant)).await?;
    answer(&app, &mut saga, outcome).await
}

/// Accepts a tenant. An external id of one whose provisioning failed, or that was erased, is free again.
pub(crate) async fn accepted(
    app: &App,
    acceptance: &mut Acceptance,
) -> Result<Tenant, CommitError> {
    match app.store.accept_tenant(acceptance).await {
        Err(error) if error.is_conflict_on("X") => {
            let external_id = acceptance.tenant.external_id.as_deref().unwrap_or_default();
            let owner = app.store.tenant_of_external_id(external_id).await?;
            let owner = match owner {
                Some(owner) => app.store.tenant(&owner).await?,
                None => None,
            };
            let gave_it_up = |owner: &Tenant| {
                owner.lifecycle == Lifecycle::ProvisioningFailed || owner.erased_at.is_some()
            };
            let failed = owner.filter(gave_it_up);
            let Some(failed) = failed else {
                return Err(error);
            };
            acceptance.external_id_of = Some(failed.id);
            app.store.accept_tenant(acceptance).await
        }
        outcome => outcome,
    }
}

/// The same idempotency key again: shows what became of it, or goes on where an earlier run stopped.
async fn repeat(
    app: &Arc<App>,
    caller: &Caller,
    request: &Idempotency,
    earlier: Idempotency,
    wants_key: bool,
) -> Answer {
    if earlier.fingerprint != request.fingerprint {
        return Err(Code::IDEMPOTENCY_KEY_MISMATCH.into());
    }
    let tenant = app.tenant(&earlier.tenant).await?;
    match tenant.lifecycle {
        Lifecycle::Provisioning => {}
        Lifecycle::ProvisioningFailed => return Err(failure(&tenant)),
        _ => return Ok(replayed(shown(app, &tenant, StatusCode::CREATED).await?)),
    }
    let audience = Audience::Client {
        idempotency: earlier,
        wants_key,
    };
    let mut saga = Saga::new(app, caller, audience);
    let Some(tenant) = saga.take_over(&tenant).await? else {
        return Err(in_progress(app, tenant.lease.as_ref()));
    };
    let outcome = Box::pin(saga.run(tenant)).await?;
    answer(app, &mut saga, outcome).await
}

fn in_progress(app: &App, lease: Option<&Lease>) -> Failure {
    let now = app.host.now();
    let left = lease.map_or(0, |lease| lease.until.duration_since(now).as_secs());
    let seconds = left.clamp(1, LEASE.as_secs());
    Code::REQUEST_IN_PROGRESS.retry_after(u32::try_from(seconds).unwrap_or(1))
}

fn failure(tenant: &Tenant) -> Failure {
    let code = tenant.failure.as_deref().unwrap_or_default();
    let row = Code::find(code).unwrap_or(Code::TWILIO_REJECTED);
    row.because(format!("tenant {} was not provisioned: {code}", tenant.id))
}

async fn answer(app: &Arc<App>, saga: &mut Saga<'_>, outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Finished(tenant) if tenant.lifecycle == Lifecycle::ProvisioningFailed => {
            Err(failure(&tenant))
        }
        Outcome::Finished(tenant) => {
            let view = view_of(app, &tenant).await?.with_key(saga.take_key());
            Ok(located(&tenant, view::json(StatusCode::CREATED, &view)))
        }
        Outcome::Pending(tenant) | Outcome::Elsewhere(tenant, _) => {
            let view = view_of(app, &tenant).await?.with_key(saga.take_key());
            Ok(located(&tenant, view::json(StatusCode::ACCEPTED, &view)))
        }
    }
}

fn located(tenant: &Tenant, mut response: Response) -> Response {
    let location = HeaderValue::from_str(&format!("/v1/tenants/{}", tenant.id))
        .expect("a tenant id is visible ASCII");
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// Says that the answer is an earlier request's.
pub fn replayed(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert("idempotent-replayed", HeaderValue::from_static("true"));
    response
}

/// The plan version that a request names, else the latest.
pub async fn chosen_plan(
    app: &App,
    plan_id: &str,
    version: Option<u32>,
) -> Result<PricePlan, Failure> {
    let id = PlanId::parse(plan_id).map_err(|_| Code::UNKNOWN_PLAN)?;
    let plan = match version {
        Some(version) => app.plan(&PlanRef { id, version }).await?,
        None => app.store.latest_plan(&id).await?,
    };
    plan.ok_or(Code::UNKNOWN_PLAN.into())
}

pub(crate) fn acceptance(
    app: &App,
    caller: &Caller,
    request: &Idempotency,
    owner: &str,
    value: &NewTenant,
    plan: &PricePlan,
) -> Acceptance {
    let now = app.host.now();
    let until = later(now, LEASE);
    let id = request.tenant.clone();
    let tenant = Tenant {
        ver: 0,
        name: value.name.clone(),
        friendly_name: friendly_name(&id, &value.name),
        external_id: value.external_id.clone(),
        currency: plan.currency,
        plans: vec![PlanAssignment {
            from: day_of(now),
            plan: plan.reference.clone(),
        }],
        overrides: Vec::new(),
        billing: BillingProfile::from(&plan.defaults),
        lifecycle: Lifecycle::Provisioning,
        holds: std::collections::BTreeMap::new(),
        twilio_status: None,
        account_sid: None,
        lease: Some(Lease {
            owner: owner.to_owned(),
            until,
            fence: 1,
        }),
        step: Step::Subaccount,
        options: Options {
            usage_triggers: watches(plan),
            ..Options::default()
        },
        trial_credited_at: None,
        application_sid: None,
        export: None,
        erased_at: None,
        create_sent_at: None,
        failure: None,
        idempotency_hash: Some(request.key_hash.clone()),
        api_key_sid: None,
        shared_sids: Vec::new(),
        open_orders: Vec::new(),
        closing: None,
        rotation: None,
        rotated_at: None,
        next_action_at: Some(until),
        audit_seq: 0,
        audit_head: String::new(),
        created_at: now,
        activated_at: None,
        closed_at: None,
        id: id.clone(),
    };
    let fact = Fact::TenantRequested {
        name: value.name.clone(),
    };
    Acceptance {
        tenant,
        idempotency: request.clone(),
        resume_at: until,
        external_id_of: None,
        audit: audit(caller, "tenant.accept", "requested"),
        event: app.event(&id, 1, &caller.request_id, fact),
    }
}

/// Shows one tenant.
pub async fn read(State(app): State<Arc<App>>, TenantPath(id): TenantPath) -> Answer {
    let tenant = app.tenant(&id).await?;
    shown(&app, &tenant, StatusCode::OK).await
}

/// Lists tenants, newest first.
pub async fn list(State(app): State<Arc<App>>, Params(query): Params<ListQuery>) -> Answer {
    let limit = page_limit(query.limit, PAGE, PAGE_MAX)?;
    let status = query.status.as_deref();
    if status
        .is_some_and(|status| !["provisioning", "active", "suspended", "closed"].contains(&status))
    {
        return Err(
            Code::QUERY_INVALID.because("status must be provisioning, active, suspended or closed")
        );
    }
    let cursor = match &query.cursor {
        Some(cursor) => Some(TenantId::parse(cursor).map_err(|_| Code::QUERY_INVALID)?),
        None => None,
    };
    let page = app
        .store
        .list_tenants(status, cursor.as_ref(), limit)
        .await?;
    let ids: Vec<TenantId> = page
        .tenants
        .iter()
        .map(|tenant| tenant.id.clone())
        .collect();
    let wallets = app.store.wallets(&ids).await?;
    let now = app.host.now();
    let tenants: Vec<TenantView> = page
        .tenants
        .iter()
        .map(|tenant| TenantView::new(tenant, wallets.get(&tenant.id), &app.public_base_url, now))
        .collect();
    let next_cursor = page.next_cursor.map(String::from);
    Ok(view::json(
        StatusCode::OK,
        &json!({ "tenants": tenants, "next_cursor": next_cursor }),
    ))
}

/// A tenant as an answer.
pub async fn shown(app: &App, tenant: &Tenant, status: StatusCode) -> Answer {
    Ok(view::json(status, &view_of(app, tenant).await?))
}

pub(crate) async fn view_of(app: &App, tenant: &Tenant) -> Result<TenantView, Failure> {
    let has_wallet = !matches!(
        tenant.lifecycle,
        Lifecycle::Provisioning | Lifecycle::ProvisioningFailed
    );
    let wallet = if has_wallet {
        app.store.wallet(&tenant.id).await?
    } else {
        None
    };
    let now: Timestamp = app.host.now();
    Ok(TenantView::new(
        tenant,
        wallet.as_ref(),
        &app.public_base_url,
        now,
    ))
}

/// The tenant, if it is in service.
pub async fn in_service(app: &App, id: &TenantId) -> Result<Tenant, Failure> {
    let tenant = app.tenant(id).await?;
    if tenant.lifecycle == Lifecycle::Active {
        Ok(tenant)
    } else {
        Err(Code::TENANT_NOT_IN_SERVICE.into())
    }
}

/// Did a write lose its race, so that it is decided again?
pub fn lost_race(error: &CommitError) -> bool {
    matches!(error, CommitError::Conflict { .. })
}

/// Writes an audit row of an act that leaves the tenant's row as it is.
pub async fn audited(app: &App, id: &TenantId, audit: &AuditDraft) -> Result<Tenant, Failure> {
    for _ in 0..TRIES_MAX {
        let tenant = app.tenant(id).await?;
        match app
            .store
            .change_tenant(&tenant, &tenant, audit, None, None)
            .await
        {
            Ok(tenant) => return Ok(tenant),
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(crate::problem::unavailable(
        "the tenant's row kept changing",
    ))
}
