//! What every handler shares: the store, Twilio, the host's clock and randomness; and the routes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws::{Archive, AuditDraft, Secrets, Store, StoreError};
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, patch, post};
use domain::Date;
use domain::event::{EVENT_VERSION, Event, Fact};
use domain::ids::{AccountSid, EventId, TenantId};
use domain::plan::{PlanRef, PricePlan};
use domain::tenant::Tenant;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use runtime::Host;
use twilio::SubaccountCredentials;

use crate::auth::{self, KeyCache};
use crate::extract::Caller;
use crate::main_account::MainAccount;
use crate::problem::{Code, Failure};
use crate::{
    acts, adopt, api_keys, assignments, auto_recharge, billing, caps, closing, drift, dunning,
    erase, explain, export, exposure, holds, margin, migrations, numbers, operator_keys,
    operator_profile, overrides, plans, pulls, rates, reconciliation, records, rotation,
    statements, subaccounts, tenants, test_traffic, variances, verify, wallet_view, what_if,
};

/// Plan versions that one instance remembers; a version never changes.
const PLANS_MAX: usize = 1_000;
/// Tries of a write that lost its race.
pub const TRIES_MAX: u32 = 5;
/// The longest pause between such tries.
const PAUSE_MAX_MS: u64 = 200;

/// What every handler shares.
pub struct App {
    /// The tables.
    pub store: Store,
    /// Secrets Manager.
    pub secrets: Secrets,
    /// Where history and exports are kept.
    pub archive: Archive,
    /// Twilio's REST API.
    pub twilio: twilio::Client,
    /// The main account's credentials.
    pub main: MainAccount,
    /// Clock, sleep, randomness.
    pub host: Host,
    /// Where Twilio reaches our webhook.
    pub public_base_url: String,
    /// After how many days a tenant's auth token is rotated; none is on demand only.
    pub token_rotation_days: Option<u16>,
    /// Operator keys that were verified moments ago.
    pub keys: KeyCache,
    /// Plan versions seen.
    pub plans: Mutex<HashMap<PlanRef, PricePlan>>,
}

impl App {
    /// A plan version that a tenant refers to.
    pub async fn plan(&self, reference: &PlanRef) -> Result<Option<PricePlan>, StoreError> {
        let cached = self.plans().get(reference).cloned();
        if cached.is_some() {
            return Ok(cached);
        }
        let plan = self.store.plan(reference).await?;
        if let Some(plan) = &plan {
            let mut plans = self.plans();
            if plans.len() >= PLANS_MAX {
                plans.clear();
            }
            plans.insert(reference.clone(), plan.clone());
        }
        Ok(plan)
    }

    fn plans(&self) -> std::sync::MutexGuard<'_, HashMap<PlanRef, PricePlan>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The plan in force for a tenant now.
    pub async fn plan_in_force(&self, tenant: &Tenant) -> Result<PricePlan, Failure> {
        let reference = tenant
            .plan_on(self.today())
            .ok_or_else(|| crate::problem::internal("a tenant without a plan"))?;
        self.plan(reference)
            .await?
            .ok_or_else(|| crate::problem::internal("a tenant's plan version is missing"))
    }

    /// The tenant, or the one answer for absent ones.
    pub async fn tenant(&self, id: &TenantId) -> Result<Tenant, Failure> {
        self.store
            .tenant(id)
            .await?
            .ok_or(Code::TENANT_NOT_FOUND.into())
    }

    /// The main account's SID.
    pub async fn main_sid(&self) -> Result<AccountSid, Failure> {
        Ok(self.main.account_sid().await?)
    }

    /// A subaccount's own credentials; none where no token of it is stored.
    pub async fn own_credentials(
        &self,
        account_sid: &AccountSid,
    ) -> Result<Option<SubaccountCredentials>, Failure> {
        let stored = self.secrets.subaccount_in_force(account_sid).await?;
        Ok(stored.map(|secret| SubaccountCredentials {
            account_sid: secret.account_sid,
            auth_token: secret.auth_token,
        }))
    }

    /// Today, GMT.
    pub fn today(&self) -> Date {
        day_of(self.host.now())
    }

    /// An event of a tenant; `seq` grows with each of its kind.
    pub fn event(&self, tenant: &TenantId, seq: u64, cause: &str, fact: Fact) -> Event {
        Event {
            id: EventId::from_ulid(self.host.ulid()),
            version: EVENT_VERSION,
            occurred_at: self.host.now(),
            tenant_id: tenant.clone(),
            seq,
            cause: cause.to_owned(),
            fact,
        }
    }

    /// Waits a random moment before a write is decided again.
    pub async fn pause(&self) {
        let spread = u128::from(PAUSE_MAX_MS);
        let millis = u64::try_from((self.host.random)() % spread).unwrap_or(PAUSE_MAX_MS);
        self.host.sleep(Duration::from_millis(millis)).await;
    }
}

/// The GMT day of a moment.
pub fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// An audit row of what a caller did.
pub fn audit(caller: &Caller, act: &'static str, reason: &str) -> AuditDraft {
    AuditDraft {
        actor: caller.actor.clone(),
        act,
        reason: reason.to_owned(),
        request: caller.request_id.clone(),
    }
}

/// The routes.
pub fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/v1/operator-keys", post(operator_keys::create))
        .route("/v1/operator-keys/{item}", delete(operator_keys::revoke))
        .route("/v1/plans", post(plans::create).get(plans::list))
        .route("/v1/plans/{plan}/versions/{version}", get(plans::read))
        .route("/v1/tenants", post(tenants::create).get(tenants::list))
        .nest("/v1/tenants/{tenant}", of_tenant())
        .route("/v1/main-account/rotate-token", post(rotation::rotate_main))
        .route("/v1/main-account/numbers", get(numbers::list_main))
        .route(
            "/v1/main-account/numbers/{item}/transfer",
            post(numbers::transfer_main),
        )
        .route("/v1/ledger/verify", get(verify::all))
        .route("/v1/ledger/accounts", get(verify::accounts))
        .route("/v1/transfers", post(acts::transfer))
        .route("/v1/what-if", post(what_if::ask))
        .route("/v1/margin", get(margin::read))
        .route(
            "/v1/operator-profile",
            get(operator_profile::read).put(operator_profile::replace),
        )
        .route("/v1/exchange-rates", post(rates::record).get(rates::list))
        .route(
            "/v1/reconciliation",
            get(reconciliation::read).post(variances::request),
        )
        .route("/v1/reconciliation/days", get(variances::days))
        .route("/v1/reconciliation/variances", get(variances::list))
        .route(
            "/v1/reconciliation/variances/{id}/accept",
            post(variances::accept),
        )
        .route("/v1/drift", get(drift::read).post(drift::compare))
        .route("/v1/subaccounts", get(adopt::list))
        .route("/v1/subaccounts/adopt", post(adopt::adopt))
        .route("/v1/subaccounts/unowned", get(subaccounts::unowned))
        .merge(migrations::routes())
        .route_layer(from_fn_with_state(Arc::clone(app), auth::require_key))
        .method_not_allowed_fallback(async || Failure::from(Code::METHOD_NOT_ALLOWED))
        .fallback(async || Failure::from(Code::NOT_FOUND))
        .with_state(Arc::clone(app))
}

/// The routes below one tenant.
fn of_tenant() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(tenants::read))
        .route("/suspend", post(holds::suspend))
        .route("/reactivate", post(holds::reactivate))
        .route("/plan", post(assignments::assign))
        .route("/overrides", post(overrides::create).get(overrides::list))
        .route("/overrides/{item}/end", post(overrides::end))
        .route("/billing", patch(billing::change))
        .route("/dunning", patch(dunning::change))
        .route("/caps", get(caps::read).put(caps::replace))
        .route("/exposure", get(exposure::read))
        .route("/wallet", get(wallet_view::read))
        .route("/top-ups", post(acts::top_up))
        .route("/credits", post(acts::credit))
        .route("/refunds", post(acts::refund))
        .route("/chargebacks", post(acts::chargeback))
        .route("/adjustments", post(acts::adjust))
        .route("/write-offs", post(acts::write_off))
        .route(
            "/auto-recharge",
            get(auto_recharge::read)
                .put(auto_recharge::save)
                .delete(auto_recharge::remove),
        )
        .route(
            "/auto-recharge/{item}/decline",
            post(auto_recharge::decline),
        )
        .route("/test-call", post(test_traffic::call))
        .route("/test-message", post(test_traffic::message))
        .route("/suspensions", get(holds::suspensions))
        .route("/api-keys", post(api_keys::create).get(api_keys::list))
        .route("/api-keys/{item}", delete(api_keys::revoke))
        .route("/close", post(closing::close))
        .route("/close/cancel", post(closing::cancel))
        .route("/export", post(export::request).get(export::read))
        .route("/erase", post(erase::erase))
        .route("/rotate-token", post(rotation::rotate))
        .route("/numbers", post(numbers::buy).get(numbers::list))
        .route("/available-numbers", get(numbers::available))
        .route(
            "/numbers/{item}",
            get(numbers::read).patch(numbers::configure),
        )
        .route("/numbers/{item}/release", post(numbers::release))
        .route("/numbers/{item}/transfer", post(numbers::transfer))
        .route("/usage", get(records::usage))
        .route("/ledger", get(records::ledger))
        .route("/ledger/verify", get(verify::one))
        .route("/explain", get(explain::read))
        .route("/pulls", post(pulls::request))
        .route(
            "/statements",
            get(statements::list).post(statements::request),
        )
        .route("/statements/{item}", get(statements::read))
        .route("/statements/{item}/void", post(statements::void))
        .route("/unpriced", get(pulls::unpriced))
        .route("/corrections", get(pulls::corrections))
        .route("/corrections/{item}/approve", post(pulls::approve))
        .route("/corrections/{item}/reject", post(pulls::reject))
        .route("/callbacks/{item}", get(records::callbacks))
}
