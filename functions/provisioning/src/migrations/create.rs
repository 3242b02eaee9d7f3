//! `POST /v1/migrations`: what is to move, checked; the gaining tenant, picked or accepted; the row.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws::{Idempotency, IdempotencyState};
use axum::Extension;
use axum::extract::State;
use domain::ids::{AccountSid, BundleSid, MigrationId, TenantId};
use domain::migration::{
    Accepts, Item, Kind, Marks, Migration, NUMBERS_MAX, check_email, check_number,
};
use domain::numbers::{NumberUrls, Obstacle};
use domain::tenant::{Lifecycle, Tenant};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::change::{Along, step};
use super::{go_on, look, shown};
use crate::app::App;
use crate::digest::hex_sha256;
use crate::extract::{Caller, IdempotencyKey, JsonBody};
use crate::numbers::{account_of, check_urls, held_by, with_our_callback};
use crate::problem::{Answer, Code, Failure, unavailable};
use crate::tenants::{self, NewTenant, replayed};
use crate::view;

/// What is to move, and where to.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum NewMigration {
    /// Out of the client's own Twilio account.
    External(External),
    /// Out of a subaccount that several tenants share.
    Split(Split),
}

/// Out of the client's own Twilio account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct External {
    /// A tenant that is there already,
    tenant_id: Option<String>,
    /// or one to provision, named for the client.
    client: Option<Box<NewTenant>>,
    client_email: String,
    account_sid: String,
    numbers: Vec<NumberBody>,
    #[serde(default)]
    urls: NumberUrls,
    bundle_sid: Option<String>,
}

/// Out of a subaccount that several tenants share.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    account_sid: String,
    /// The member; without it only a dry run of all of them is possible.
    tenant_id: Option<String>,
    #[serde(default)]
    urls: NumberUrls,
    #[serde(default)]
    whatsapp_senders: Vec<String>,
    #[serde(default)]
    accept_campaign_loss: bool,
    #[serde(default)]
    accept_live_calls: bool,
    #[serde(default)]
    dry_run: bool,
}

/// A number of a client's own account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberBody {
    phone_number: String,
    #[serde(default)]
    marks: Marks,
    /// Where its traffic goes, if not where all others' does.
    urls: Option<NumberUrls>,
}

/// Accepts a migration and goes on with it as far as can be.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    IdempotencyKey(key_hash): IdempotencyKey,
    JsonBody { value, fingerprint }: JsonBody<NewMigration>,
) -> Answer {
    let key = Key {
        hash: key_hash,
        fingerprint,
    };
    if let Some(migration) = key.repeated(&app).await? {
        return Ok(replayed(shown::answer(StatusCode::CREATED, &migration)));
    }
    match value {
        NewMigration::External(value) => {
            let draft = external(&app, &caller, &key, value).await?;
            accept(&app, &caller, &key, draft).await
        }
        NewMigration::Split(value) => {
            let losing = account(&value.account_sid)?;
            let members = members(&app, &losing, value.tenant_id.as_deref()).await?;
            if value.dry_run {
                return Box::pin(forecast(&app, &caller, &key, &value, &losing, &members)).await;
            }
            let [(tenant, numbers)] = members.as_slice() else {
                return Err(invalid("a split moves one member: tenant_id is needed"));
            };
            let draft = split(&app, &caller, &key, &value, (&losing, tenant, numbers))?;
            accept(&app, &caller, &key, draft).await
        }
    }
}

fn invalid(why: &'static str) -> Failure {
    Code::MIGRATION_INVALID.because(why)
}

fn account(sid: &str) -> Result<AccountSid, Failure> {
    AccountSid::parse(sid).map_err(|_| invalid("account_sid must be an Account's SID"))
}

/// The request's idempotency key.
struct Key {
    hash: String,
    fingerprint: String,
}

impl Key {
    /// The same request again: its migration as it stands. `None`: it is new.
    async fn repeated(&self, app: &App) -> Result<Option<Migration>, Failure> {
        let Some(earlier) = app.store.idempotency(&self.hash).await? else {
            return Ok(None);
        };
        if earlier.fingerprint != self.fingerprint {
            return Err(Code::IDEMPOTENCY_KEY_MISMATCH.into());
        }
        let all = app.store.migrations_of(&earlier.tenant).await?;
        let own = all
            .into_iter()
            .find(|migration| migration.idempotency_hash == self.hash);
        // The key was used for something else under the same path and body: that cannot be.
        own.map(Some)
            .ok_or_else(|| crate::problem::internal("an idempotency key without its migration"))
    }

    /// The key under which the gaining tenant is accepted: the same request again finds the same tenant.
    fn of_tenant(&self) -> String {
        hex_sha256(&format!("gaining tenant {}", self.hash))
    }
}

/// A migration of which nothing is written yet.
fn draft(
    app: &App,
    caller: &Caller,
    key: &Key,
    (kind, tenant, losing_sid): (Kind, &Tenant, &AccountSid),
) -> Migration {
    Migration {
        id: MigrationId::from_ulid(app.host.ulid()),
        ver: 0,
        tenant: tenant.id.clone(),
        kind,
        client_name: tenant.name.clone(),
        client_email: None,
        losing_sid: losing_sid.clone(),
        gaining_sid: None,
        address_sid: None,
        bundle_sid: None,
        items: Vec::new(),
        operator_ticket: None,
        client_ticket: None,
        watch_until: None,
        cut_over_at: None,
        hand_over: None,
        confirmed_at: None,
        rollback: None,
        verification: None,
        accepts: Accepts::default(),
        idempotency_hash: key.hash.clone(),
        actor: caller.actor.clone(),
        asked_at: app.host.now(),
        next_at: None,
    }
}

async fn external(
    app: &Arc<App>,
    caller: &Caller,
    key: &Key,
    value: External,
) -> Result<Migration, Failure> {
    let losing = account(&value.account_sid)?;
    check_email(&value.client_email).map_err(invalid)?;
    check_numbers(&value.numbers)?;
    check_urls(&value.urls)?;
    for number in &value.numbers {
        check_urls(number.urls.as_ref().unwrap_or(&value.urls))?;
    }
    let bundle_sid = value.bundle_sid.as_deref().map(BundleSid::parse);
    let bundle_sid = bundle_sid
        .transpose()
        .map_err(|_| invalid("bundle_sid must be a Bundle's SID"))?;
    let is_ours =
        losing == app.main_sid().await? || app.store.tenant_of_sid(&losing).await?.is_some();
    if is_ours {
        return Err(invalid(
            "account_sid is one of ours: its numbers are transferred, or split",
        ));
    }
    let tenant = match (value.tenant_id, value.client) {
        (Some(id), None) => gaining(app, &id).await?,
        (None, Some(client)) => Box::pin(named_for(app, caller, key, *client)).await?,
        _ => return Err(invalid("give either tenant_id or client")),
    };
    let now = app.host.now();
    let items = value.numbers.into_iter().map(|number| {
        let urls = number.urls.unwrap_or_else(|| value.urls.clone());
        let urls = with_our_callback(urls, app, Some(&tenant.id));
        Item::planned(&number.phone_number, number.marks, urls, now)
    });
    Ok(Migration {
        client_email: Some(value.client_email),
        bundle_sid,
        items: items.collect(),
        ..draft(app, caller, key, (Kind::External, &tenant, &losing))
    })
}

fn check_numbers(numbers: &[NumberBody]) -> Result<(), Failure> {
    if numbers.is_empty() || numbers.len() > NUMBERS_MAX {
        return Err(invalid("numbers must be 1 to 100"));
    }
    let mut seen = BTreeSet::new();
    for number in numbers {
        check_number(&number.phone_number).map_err(invalid)?;
        if !seen.insert(&number.phone_number) {
            return Err(invalid("numbers must differ"));
        }
    }
    Ok(())
}

/// A tenant that can gain numbers, now or once it is provisioned.
async fn gaining(app: &App, id: &str) -> Result<Tenant, Failure> {
    let id = TenantId::parse(id).map_err(|_| Code::TENANT_NOT_FOUND)?;
    let tenant = app.tenant(&id).await?;
    match tenant.lifecycle {
        Lifecycle::Active | Lifecycle::Provisioning => Ok(tenant),
        _ => Err(Code::TENANT_NOT_IN_SERVICE.into()),
    }
}

/// The tenant that is named for the client: accepted as any other is, without a key that nobody would see.
async fn named_for(
    app: &Arc<App>,
    caller: &Caller,
    key: &Key,
    client: NewTenant,
) -> Result<Tenant, Failure> {
    let key_hash = key.of_tenant();
    let answered = tenants::create(
        State(Arc::clone(app)),
        Extension(caller.clone()),
        IdempotencyKey(key_hash.clone()),
        JsonBody {
            value: client.without_api_key(),
            fingerprint: key.fingerprint.clone(),
        },
    );
    Box::pin(answered).await?;
    let accepted = app.store.idempotency(&key_hash).await?;
    let accepted = accepted.ok_or_else(|| unavailable("the gaining tenant is not there yet"))?;
    app.tenant(&accepted.tenant).await
}

type Member = (Tenant, Vec<String>);

/// The members of a shared subaccount with their numbers, or the one that is named.
async fn members(
    app: &App,
    losing: &AccountSid,
    tenant_id: Option<&str>,
) -> Result<Vec<Member>, Failure> {
    let shared = app.store.shared_subaccount(losing).await?;
    let shared = shared.ok_or(Code::SHARED_SUBACCOUNT_NOT_FOUND)?;
    let mut members = Vec::new();
    for (id, numbers) in shared.members {
        if tenant_id.is_none_or(|wanted| wanted == id.as_str()) {
            members.push((gaining(app, id.as_str()).await?, numbers));
        }
    }
    if members.is_empty() {
        return Err(Code::TENANT_NOT_FOUND.because("the tenant is no member of this subaccount"));
    }
    Ok(members)
}

fn split(
    app: &App,
    caller: &Caller,
    key: &Key,
    value: &Split,
    (losing, tenant, numbers): (&AccountSid, &Tenant, &[String]),
) -> Result<Migration, Failure> {
    check_urls(&value.urls)?;
    if numbers.is_empty() {
        return Err(invalid("the member has no numbers"));
    }
    let now = app.host.now();
    let urls = with_our_callback(value.urls.clone(), app, Some(&tenant.id));
    let items = numbers.iter().map(|number| {
        let marks = Marks {
            whatsapp_sender: value.whatsapp_senders.contains(number),
            ..Marks::default()
        };
        Item::planned(number, marks, urls.clone(), now)
    });
    Ok(Migration {
        items: items.collect(),
        accepts: Accepts {
            campaign_loss: value.accept_campaign_loss,
            live_calls: value.accept_live_calls,
        },
        ..draft(app, caller, key, (Kind::Split, tenant, losing))
    })
}

/// What a split would find. Nothing is written, and nothing asked of Twilio but to be looked at.
async fn forecast(
    app: &App,
    caller: &Caller,
    key: &Key,
    value: &Split,
    losing: &AccountSid,
    members: &[Member],
) -> Answer {
    let held = held_by(app, losing).await?;
    let mut plans: Vec<Value> = Vec::new();
    for (tenant, numbers) in members {
        let migration = split(app, caller, key, value, (losing, tenant, numbers))?;
        let mut rows = Vec::new();
        if tenant.lifecycle == Lifecycle::Active {
            let gaining = account_of(tenant)?;
            for found in look::split(app, &migration, &gaining, |_| true).await? {
                let sid = found.number.map(|number| number.sid.to_string());
                rows.push(json!({
                    "phone_number": found.phone_number, "sid": sid,
                    "obstacles": shown::reason(&found.state),
                }));
            }
        } else {
            let waits = Obstacle::GainingNotActive.code();
            let waiting = numbers.iter();
            rows.extend(
                waiting.map(|number| json!({ "phone_number": number, "obstacles": waits })),
            );
        }
        plans.push(json!({
            "tenant_id": tenant.id.as_str(), "client_name": tenant.name,
            "gaining_account_sid": tenant.account_sid.as_ref().map(AccountSid::as_str),
            "numbers": rows,
        }));
    }
    let of_members: Vec<&String> = members.iter().flat_map(|(_, numbers)| numbers).collect();
    let rest = held
        .iter()
        .filter(|number| !of_members.contains(&&number.phone_number));
    let rest: Vec<&str> = rest.map(|number| number.phone_number.as_str()).collect();
    Ok(view::json(
        StatusCode::OK,
        &json!({
            "dry_run": true, "losing_account_sid": losing.as_str(), "members": plans,
            "numbers_left_behind": rest,
        }),
    ))
}

async fn accept(app: &App, caller: &Caller, key: &Key, migration: Migration) -> Answer {
    for _ in 0..crate::app::TRIES_MAX {
        let tenant = app.tenant(&migration.tenant).await?;
        let taken = taken(app, &migration).await?;
        if !taken.is_empty() {
            return Err(Code::NUMBER_IN_MIGRATION.because(taken.join(", ")));
        }
        let nothing = Migration {
            items: Vec::new(),
            ..migration.clone()
        };
        let why = ("migration.accept", "asked for");
        let both = (&nothing, migration.clone());
        let mut write = step(app, caller, tenant, both, why, Along::default());
        write.idempotency = Some(Idempotency {
            key_hash: key.hash.clone(),
            fingerprint: key.fingerprint.clone(),
            state: IdempotencyState::Done,
            tenant: migration.tenant.clone(),
        });
        match app.store.write_migration(&write).await {
            Ok((_, migration)) => {
                let migration = Box::pin(go_on::now(app, caller, migration)).await;
                return Ok(shown::answer(StatusCode::CREATED, &migration));
            }
            Err(error) if error.is_conflict_on("IDEM") => {
                // The same request at the same time, or our own answer that got lost.
                let known = key.repeated(app).await?;
                let known = known.ok_or_else(|| unavailable(&error))?;
                return Ok(shown::answer(StatusCode::CREATED, &known));
            }
            Err(error) if tenants::lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the tenant's row kept changing"))
}

/// Numbers that another migration of the tenant is moving.
async fn taken(app: &App, migration: &Migration) -> Result<Vec<String>, Failure> {
    let others = app.store.migrations_of(&migration.tenant).await?;
    let moving: BTreeSet<String> = others
        .iter()
        .filter(|other| other.id != migration.id)
        .flat_map(|other| &other.items)
        .filter(|item| !matches!(item.state.name(), "blocked" | "live" | "rolled_back"))
        .map(|item| item.phone_number.clone())
        .collect();
    let numbers = migration.items.iter().map(|item| &item.phone_number);
    Ok(numbers
        .filter(|number| moving.contains(*number))
        .cloned()
        .collect())
}
