//! What the API shows of a tenant. Rows and domain values are not shown as they are: an answer is a contract.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use domain::closing::{Closing, ClosingStep, Remainder};
use domain::dunning::Exemption;
use domain::ids::TenantId;
use domain::money;
use domain::plan::{Override, PlanRef};
use domain::provisioning::{Step, TrialMoment};
use domain::tenant::{Lifecycle, Tenant, TwilioStatus};
use domain::wallet::Wallet;
use http::StatusCode;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::Value;

use crate::saga::ShownKey;

/// How Twilio is to connect: six tries of 2.5 s fill the 15 s that it allows a callback in all
/// (documentation of connection overrides). The fragment is neither sent nor signed.
pub const CONNECTION_OVERRIDES: &str = "#ct=2000&rt=2500&rc=5&rp=all";

/// A tenant.
#[derive(Debug, Serialize)]
pub struct TenantView {
    id: String,
    name: String,
    status: &'static str,
    lifecycle: Lifecycle,
    external_id: Option<String>,
    account_sid: Option<String>,
    friendly_name: String,
    twilio_status: Option<TwilioStatus>,
    currency: &'static str,
    plan: Option<PlanView>,
    plans: Vec<AssignmentView>,
    overrides: Vec<Value>,
    billing: Value,
    holds: Vec<HoldView>,
    standing: Option<StandingView>,
    dunning: Option<DunningView>,
    balance: Option<String>,
    charged: Option<String>,
    cost: Option<String>,
    steps: Vec<StepView>,
    next_action_at: Option<Timestamp>,
    failure: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closing: Option<ClosingView>,
    api_key_sid: Option<String>,
    application_sid: Option<String>,
    is_adopted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    trial_credit: Option<TrialView>,
    created_at: Timestamp,
    callback_urls: CallbackUrls,
    /// Only in the answer of the request that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<KeyView>,
}

/// A plan version by name.
#[derive(Debug, Serialize)]
pub struct PlanView {
    plan_id: String,
    version: u32,
}

/// A plan version from a day on.
#[derive(Debug, Serialize)]
struct AssignmentView {
    from: String,
    #[serde(flatten)]
    plan: PlanView,
}

#[derive(Debug, Serialize)]
struct HoldView {
    hold: &'static str,
    placed_at: Timestamp,
    actor: String,
    reason: String,
}

/// How a tenant stands.
#[derive(Debug, Serialize)]
pub struct StandingView {
    state: &'static str,
    since: Option<Timestamp>,
    next_action_at: Option<Timestamp>,
}

/// What a person decided on a tenant's suspension.
#[derive(Debug, Serialize)]
struct DunningView {
    exemption: Option<&'static str>,
    hold_off_until: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct StepView {
    name: &'static str,
    state: &'static str,
}

#[derive(Debug, Serialize)]
struct CallbackUrls {
    message: String,
    call: String,
    recording: String,
    usage_trigger: String,
}

/// An API key with its secret.
#[derive(Debug, Serialize)]
pub struct KeyView {
    sid: String,
    name: String,
    secret: String,
}

/// Money to try with.
#[derive(Debug, Serialize)]
struct TrialView {
    amount: String,
    when: TrialMoment,
    due_at: Option<Timestamp>,
    given_at: Option<Timestamp>,
}

/// How far a closing is.
#[derive(Debug, Serialize)]
struct ClosingView {
    asked_at: Timestamp,
    reason: String,
    settle_until: Timestamp,
    steps: Vec<StepView>,
    remainder: Remainder,
    blocked: Vec<String>,
}

impl From<&Closing> for ClosingView {
    fn from(closing: &Closing) -> Self {
        let steps = ClosingStep::ALL.into_iter().map(|step| StepView {
            name: step.name(),
            state: if step < closing.step {
                "done"
            } else {
                "pending"
            },
        });
        Self {
            asked_at: closing.asked_at,
            reason: closing.reason.clone(),
            settle_until: closing.settle_until,
            steps: steps.collect(),
            remainder: closing.remainder,
            blocked: closing.blocked.clone(),
        }
    }
}

impl From<ShownKey> for KeyView {
    fn from(key: ShownKey) -> Self {
        Self {
            sid: key.key_sid.into(),
            name: key.name,
            secret: key.secret.expose_secret().to_owned(),
        }
    }
}

impl From<&PlanRef> for PlanView {
    fn from(plan: &PlanRef) -> Self {
        Self {
            plan_id: plan.id.as_str().to_owned(),
            version: plan.version,
        }
    }
}

impl From<&Wallet> for StandingView {
    fn from(wallet: &Wallet) -> Self {
        Self {
            state: wallet.standing.name(),
            since: wallet.standing.since(),
            next_action_at: wallet.dunning.next_action_at,
        }
    }
}

impl From<&Wallet> for DunningView {
    fn from(wallet: &Wallet) -> Self {
        Self {
            exemption: wallet.dunning.exemption.map(Exemption::name),
            hold_off_until: wallet.dunning.hold_off_until,
        }
    }
}

impl TenantView {
    /// The tenant and its wallet; a tenant has no wallet before it is in service.
    pub fn new(
        tenant: &Tenant,
        wallet: Option<&Wallet>,
        public_base_url: &str,
        now: Timestamp,
    ) -> Self {
        let amount =
            |of: fn(&Wallet) -> domain::Decimal| wallet.map(|wallet| money::to_text(of(wallet)));
        Self {
            id: tenant.id.as_str().to_owned(),
            name: tenant.name.clone(),
            status: tenant.status(),
            lifecycle: tenant.lifecycle,
            external_id: tenant.external_id.clone(),
            account_sid: tenant.account_sid.clone().map(String::from),
            friendly_name: tenant.friendly_name.clone(),
            twilio_status: tenant.twilio_status,
            currency: tenant.currency.code(),
            plan: tenant.plan_on(crate::app::day_of(now)).map(PlanView::from),
            plans: assignments(tenant),
            overrides: tenant.overrides.iter().map(own_rule).collect(),
            billing: serde_json::json!(tenant.billing),
            holds: holds(tenant),
            standing: wallet.map(StandingView::from),
            dunning: wallet.map(DunningView::from),
            balance: amount(Wallet::balance),
            charged: amount(Wallet::charged),
            cost: amount(Wallet::cost),
            steps: steps(tenant),
            next_action_at: tenant.next_action_at,
            failure: tenant.failure.clone(),
            closing: tenant.closing.as_ref().map(ClosingView::from),
            api_key_sid: tenant.api_key_sid.clone().map(String::from),
            application_sid: tenant.application_sid.clone().map(String::from),
            is_adopted: tenant.is_adopted(),
            trial_credit: tenant.options.trial_credit.map(|credit| TrialView {
                amount: money::to_text(credit.amount),
                when: credit.when,
                due_at: tenant.activated_at.map(|at| credit.due_at(at)),
                given_at: tenant.trial_credited_at,
            }),
            created_at: tenant.created_at,
            callback_urls: callback_urls(tenant, public_base_url),
            api_key: None,
        }
    }

    /// Adds the key that this very request made.
    pub fn with_key(mut self, key: Option<ShownKey>) -> Self {
        self.api_key = key.map(KeyView::from);
        self
    }
}

fn assignments(tenant: &Tenant) -> Vec<AssignmentView> {
    let shown = tenant.plans.iter().map(|assignment| AssignmentView {
        from: assignment.from.to_string(),
        plan: PlanView::from(&assignment.plan),
    });
    shown.collect()
}

/// An override as an answer.
pub fn own_rule(own: &Override) -> Value {
    serde_json::json!({
        "number": own.number,
        "from": own.from.to_string(),
        "until": own.until.map(|until| until.to_string()),
        "rule": own.rule,
    })
}

fn holds(tenant: &Tenant) -> Vec<HoldView> {
    let shown = tenant.holds.iter().map(|(hold, record)| HoldView {
        hold: hold.name(),
        placed_at: record.placed_at,
        actor: record.actor.clone(),
        reason: record.reason.clone(),
    });
    shown.collect()
}

fn steps(tenant: &Tenant) -> Vec<StepView> {
    let failed = tenant.lifecycle == Lifecycle::ProvisioningFailed;
    let wanted = Step::ALL
        .into_iter()
        .filter(|step| step.is_wanted(&tenant.options));
    let shown = wanted.map(|step| StepView {
        name: step.name(),
        state: if step < tenant.step {
            "done"
        } else if failed && step == tenant.step {
            "failed"
        } else {
            "pending"
        },
    });
    shown.collect()
}

fn callback_urls(tenant: &Tenant, public_base_url: &str) -> CallbackUrls {
    let url = |kind: &str| callback_url(public_base_url, &tenant.id, kind);
    CallbackUrls {
        message: url("messages"),
        call: url("calls"),
        recording: url("recordings"),
        usage_trigger: url("usage-triggers"),
    }
}

/// Where Twilio announces what happens to a tenant's resources of a kind.
pub fn callback_url(public_base_url: &str, tenant: &TenantId, kind: &str) -> String {
    format!("{public_base_url}/twilio/{tenant}/{kind}{CONNECTION_OVERRIDES}")
}

/// A JSON answer.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    (status, Json(value)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_tries_fit_the_time_that_twilio_allows_a_callback() {
        let value = |name: &str| -> u32 {
            let pairs = CONNECTION_OVERRIDES.trim_start_matches('#').split('&');
            let pair = pairs
                .filter_map(|pair| pair.split_once('='))
                .find(|(key, _)| *key == name);
            pair.unwrap().1.parse().unwrap()
        };
        assert!((value("rc") + 1) * value("rt") <= 15_000);
        assert!((100..=10_000).contains(&value("ct")));
    }
}
