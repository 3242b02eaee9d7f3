//! Subaccounts that were there before us: `GET /v1/subaccounts` reports them, `POST /v1/subaccounts/adopt`
//! makes tenants of them.
//!
//! An adopted subaccount keeps its name, numbers, keys and status. From then on its usage is booked and its
//! callbacks can be checked, like any other's.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws::{Acceptance, Idempotency, IdempotencyState};
use axum::Extension;
use axum::extract::State;
use domain::ids::{AccountSid, TenantId};
use domain::plan::PricePlan;
use domain::tenant::{NAME_MAX, Tenant, check_name};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use twilio::{Account, AccountFilter, AccountStatus};

use crate::app::App;
use crate::digest::hex_sha256;
use crate::extract::{Caller, IdempotencyKey, JsonBody};
use crate::numbers::held_by;
use crate::problem::{Answer, Code, Failure};
use crate::tenants::{NewTenant, acceptance, accepted, chosen_plan};
use crate::view;

/// Subaccounts that one request takes over or looks into.
const ADOPTED_MAX: usize = 50;
/// Subaccounts that are looked into at once.
const LOOKS: usize = 4;

/// Which subaccounts to take over.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adoption {
    plan_id: Option<String>,
    plan_version: Option<u32>,
    #[serde(default)]
    account_sids: Vec<AccountSid>,
    #[serde(default)]
    all: bool,
    #[serde(default)]
    dry_run: bool,
}

/// A subaccount and what we know of it.
struct Looked {
    account: Account,
    owner: Option<TenantId>,
    /// Several tenants wait in it for their split.
    is_shared: bool,
    shared_because: Vec<&'static str>,
}

impl Looked {
    fn shown(&self) -> Value {
        json!({
            "account_sid": self.account.sid.as_str(),
            "friendly_name": self.account.friendly_name,
            "status": self.account.status.as_str(),
            "date_created": self.account.date_created,
            "is_shared": self.is_shared,
            "tenant_id": self.owner.as_ref().map(TenantId::as_str),
            "looks_shared": !self.shared_because.is_empty(),
            "shared_because": self.shared_because,
        })
    }
}

/// Open subaccounts with their owners; those without one are looked into, as many as a request may.
pub async fn list(State(app): State<Arc<App>>) -> Answer {
    let accounts = open_accounts(&app).await?;
    let total = accounts.len();
    let looked = look(&app, accounts).await?;
    let unowned = looked
        .iter()
        .filter(|one| one.owner.is_none() && !one.is_shared)
        .count();
    let shown: Vec<Value> = looked.iter().map(Looked::shown).collect();
    Ok(view::json(
        StatusCode::OK,
        &json!({ "subaccounts": shown, "total": total, "unowned": unowned }),
    ))
}

async fn open_accounts(app: &App) -> Result<Vec<Account>, Failure> {
    let filter = AccountFilter::default();
    let listed = app.main.call(|main| {
        let (client, filter) = (&app.twilio, &filter);
        async move { client.list_accounts(&main, filter).await }
    });
    let mut open = listed.await?;
    open.retain(|account| account.status != AccountStatus::Closed);
    Ok(open)
}

async fn look(app: &Arc<App>, accounts: Vec<Account>) -> Result<Vec<Looked>, Failure> {
    let looks = accounts.into_iter().enumerate();
    let looks = looks.map(|(index, account)| look_into(Arc::clone(app), account, index));
    stream::iter(looks).buffered(LOOKS).try_collect().await
}

async fn look_into(app: Arc<App>, account: Account, index: usize) -> Result<Looked, Failure> {
    let owner = app.store.tenant_of_sid(&account.sid).await?;
    // A shared one is nobody's until it is split.
    let owner = owner.filter(|owner| *owner != TenantId::nobody());
    let is_shared = app.store.shared_subaccount(&account.sid).await?.is_some();
    let shared_because = if owner.is_none() && index < ADOPTED_MAX {
        shared_because(&app, &account).await?
    } else {
        Vec::new()
    };
    Ok(Looked {
        account,
        owner,
        is_shared,
        shared_because,
    })
}

/// Signs of several customers in one subaccount.
async fn shared_because(app: &App, account: &Account) -> Result<Vec<&'static str>, Failure> {
    let mut because = Vec::new();
    if account.status == AccountStatus::Active {
        let keys = app.main.call(|main| {
            let (client, sid) = (&app.twilio, &account.sid);
            async move { client.list_keys(&main.into(), sid).await }
        });
        // `<client> - <purpose>` is how keys are named here and by convention elsewhere.
        let keys = keys.await?;
        let named = keys
            .iter()
            .filter_map(|key| key.friendly_name.split_once(" - "));
        if named
            .map(|(client, _)| client)
            .collect::<BTreeSet<_>>()
            .len()
            > 1
        {
            because.push("api_keys_of_several_names");
        }
    }
    let numbers = held_by(app, &account.sid).await?;
    let urls = numbers
        .iter()
        .flat_map(|number| [number.voice_url.as_deref(), number.sms_url.as_deref()]);
    let hosts: BTreeSet<String> = urls.flatten().filter_map(host_of).collect();
    if hosts.len() > 1 {
        because.push("numbers_answered_by_several_hosts");
    }
    Ok(because)
}

fn host_of(url: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    uri.host().map(str::to_lowercase)
}

/// Takes subaccounts over. With `dry_run` it only says which.
pub async fn adopt(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    IdempotencyKey(key_hash): IdempotencyKey,
    JsonBody { value, fingerprint }: JsonBody<Adoption>,
) -> Answer {
    let plan_id = value.plan_id.as_deref().ok_or(Code::PLAN_ID_MISSING)?;
    if value.all != value.account_sids.is_empty() || value.account_sids.len() > ADOPTED_MAX {
        return Err(Code::ADOPTION_INVALID.into());
    }
    let plan = chosen_plan(&app, plan_id, value.plan_version).await?;
    let open = open_accounts(&app).await?;
    if let Some(unknown) = value
        .account_sids
        .iter()
        .find(|sid| open.iter().all(|account| account.sid != **sid))
    {
        return Err(Code::SUBACCOUNT_NOT_FOUND.because(unknown.to_string()));
    }
    let named = |account: &Account| value.all || value.account_sids.contains(&account.sid);
    let wanted = open.into_iter().filter(named).collect();
    let mut adopted = Vec::new();
    let mut left = Vec::new();
    for one in look(&app, wanted).await? {
        // The same request again finds its own tenant as the owner.
        let key = hex_sha256(&format!("adopt {key_hash} {}", one.account.sid));
        let earlier = app.store.idempotency(&key).await?;
        let is_ours = earlier.map(|earlier| earlier.tenant);
        let taken = one.is_shared || (one.owner.is_some() && one.owner != is_ours);
        if taken && !value.all {
            return Err(Code::SUBACCOUNT_OWNED.because(one.account.sid.to_string()));
        }
        // What looks shared is adopted by name only: it may have to be split first.
        let is_doubtful = value.all && !one.shared_because.is_empty();
        if taken || is_doubtful || adopted.len() >= ADOPTED_MAX {
            left.push(one.shown());
        } else if value.dry_run {
            adopted.push(one.shown());
        } else {
            let request = Idempotency {
                key_hash: key,
                fingerprint: fingerprint.clone(),
                state: IdempotencyState::Running,
                tenant: TenantId::from_ulid(app.host.ulid()),
            };
            let tenant = take(&app, &caller, &request, &one.account, &plan).await?;
            let mut shown = one.shown();
            shown["tenant_id"] = json!(tenant.id.as_str());
            adopted.push(shown);
        }
    }
    let status = if value.dry_run {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    let answer = json!({ "dry_run": value.dry_run, "adopted": adopted, "left": left });
    Ok(view::json(status, &answer))
}

/// Accepts one; the timer takes it from there.
async fn take(
    app: &App,
    caller: &Caller,
    request: &Idempotency,
    account: &Account,
    plan: &PricePlan,
) -> Result<Tenant, Failure> {
    let fits = check_name(&account.friendly_name).is_ok();
    let name: String = if fits {
        account.friendly_name.chars().take(NAME_MAX).collect()
    } else {
        account.sid.to_string()
    };
    let value = NewTenant::named(&name);
    let mut acceptance: Acceptance = acceptance(app, caller, request, "", &value, plan);
    acceptance.tenant.lease = None;
    acceptance
        .tenant
        .friendly_name
        .clone_from(&account.friendly_name);
    acceptance.tenant.options.adopt = Some(account.sid.clone());
    acceptance.resume_at = app.host.now();
    acceptance.tenant.next_action_at = Some(app.host.now());
    match accepted(app, &mut acceptance).await {
        Ok(tenant) => Ok(tenant),
        Err(error) if error.is_conflict_on("IDEM") => {
            let earlier = app.store.idempotency(&request.key_hash).await?;
            let earlier = earlier.ok_or_else(|| crate::problem::unavailable(&error))?;
            if earlier.fingerprint != request.fingerprint {
                return Err(Code::IDEMPOTENCY_KEY_MISMATCH.into());
            }
            app.tenant(&earlier.tenant).await
        }
        Err(error) => Err(error.into()),
    }
}
