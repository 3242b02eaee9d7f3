//! API keys of a tenant's own subaccount: `POST`, `GET` and `DELETE .../api-keys`.
//!
//! A key's secret is in the one answer of the request that made it. A key that Twilio has and we do not know
//! is an orphan: its secret is known to nobody, so it is deleted before another of its name is made. Whoever
//! makes a key first claims the tenant's row (a plain write of a new version): a request that claims later
//! makes the earlier one's record fail, so no key can be deleted as an orphan and handed out as well.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws::{ActKind, IssuedKey, StoreError};
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::ids::{AccountSid, KeySid, TenantId};
use domain::tenant::{FRIENDLY_NAME_MAX, Tenant};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use twilio::restricted_keys::Policy;
use twilio::{CreatedKey, Key, SubaccountCredentials};

use crate::app::{App, TRIES_MAX, audit};
use crate::dunning::refuse_restricted;
use crate::extract::{Caller, Item, JsonBody, TenantPath, is_printable};
use crate::main_account::MainError;
use crate::problem::{Answer, Code, Failure, internal};
use crate::saga::{ShownKey, StepError};
use crate::tenants::{in_service, lost_race};
use crate::view::{self, KeyView};

/// Characters of a purpose: together with a separator it leaves room for a name.
const PURPOSE_MAX: usize = 32;
/// Creates that are sent for one key: a second one only after the first one's orphan is gone.
const CREATES_MAX: u32 = 2;
/// A create that was not answered has landed by then, or never will.
const LANDS_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// What a key is for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    purpose: String,
    policy: Option<Permissions>,
}

/// What a restricted key may do, and nothing else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permissions {
    allow: Vec<String>,
}

#[derive(Debug, Serialize)]
struct IssuedKeyView {
    sid: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Value>,
    issued_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

/// A key's name in Twilio: the client's name, cut so that the purpose stays whole.
pub fn key_name(name: &str, purpose: &str) -> String {
    let suffix = format!(" - {purpose}");
    let room = FRIENDLY_NAME_MAX.saturating_sub(suffix.chars().count());
    let cut: String = name.chars().take(room).collect();
    format!("{}{suffix}", cut.trim_end())
}

/// A key just made, with its secret.
type Made = (KeySid, SecretString);

/// Makes and deletes keys of one tenant's subaccount.
pub(crate) struct KeyMaker<'a> {
    pub(crate) app: &'a App,
    pub(crate) tenant: &'a TenantId,
    pub(crate) account_sid: &'a AccountSid,
}

impl KeyMaker<'_> {
    /// Deletes keys of this name that no row knows as issued.
    pub(crate) async fn delete_orphans(&self, name: &str) -> Result<(), StepError> {
        let issued = self.app.store.issued_keys(self.tenant).await?;
        let listed = self.app.main.call(|main| {
            let (client, account) = (&self.app.twilio, self.account_sid);
            async move { client.list_keys(&main.into(), account).await }
        });
        for orphan in orphans(&listed.await?, &issued, name) {
            self.delete(&orphan).await?;
        }
        Ok(())
    }

    async fn look_again(&self) -> Result<(), StoreError> {
        let at = self.app.host.now().saturating_add(LANDS_WITHIN);
        let at = at.unwrap_or(Timestamp::MAX);
        let store = &self.app.store;
        store.set_act(ActKind::Provision, self.tenant, at).await
    }

    /// Deletes what creates that landed late have left: keys of recorded names that no row knows.
    ///
    /// They are listed before the row is claimed: whoever made one of them without having recorded it claimed
    /// the row earlier, and finds its record refused.
    pub(crate) async fn delete_late(&self, tenant: &Tenant) -> Result<usize, StepError> {
        let issued = self.app.store.issued_keys(self.tenant).await?;
        let listed = self.app.main.call(|main| {
            let (client, account) = (&self.app.twilio, self.account_sid);
            async move { client.list_keys(&main.into(), account).await }
        });
        let names: BTreeSet<&str> = issued.iter().map(|key| key.name.as_str()).collect();
        let listed = listed.await?;
        let late = |listed: &[Key]| -> Vec<KeySid> {
            let late = names.iter().map(|name| orphans(listed, &issued, name));
            late.flatten().collect()
        };
        let mut found: Vec<(KeySid, bool)> =
            late(&listed).into_iter().map(|sid| (sid, false)).collect();
        if issued.iter().any(|key| key.policy.is_some()) {
            let restricted = late(&self.restricted().await?);
            let known = |sid: &KeySid| listed.iter().any(|key| key.sid == *sid);
            let restricted = restricted.into_iter().filter(|sid| !known(sid));
            found.extend(restricted.map(|sid| (sid, true)));
        }
        if found.is_empty() {
            return Ok(0);
        }
        match self.app.store.update_tenant(tenant).await {
            Ok(_) => {}
            Err(error) if lost_race(&error) => {
                self.look_again().await?;
                return Ok(0);
            }
            Err(error) => return Err(error.into()),
        }
        for (key, is_restricted) in &found {
            self.unmake(key, *is_restricted).await?;
        }
        Ok(found.len())
    }

    /// Creates a key. After an unknown outcome what may have been made is deleted, for its secret is lost.
    pub(crate) async fn create(&self, name: &str) -> Result<CreatedKey, StepError> {
        let mut unknown = None;
        for _ in 0..CREATES_MAX {
            let created = self.app.main.call(|main| {
                let (client, account) = (&self.app.twilio, self.account_sid);
                async move { client.create_key(&main.into(), account, name).await }
            });
            match created.await {
                Ok(key) => return Ok(key),
                Err(MainError::Twilio(error @ twilio::Error::UnknownOutcome { .. })) => {
                    // It may land after this look: the janitor looks once more.
                    self.look_again().await?;
                    self.delete_orphans(name).await?;
                    unknown = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(unknown.expect("the loop has met an unknown outcome").into())
    }

    /// The subaccount's own credentials: restricted keys are made and deleted in its own name, for the main
    /// account's would make one of the main account.
    async fn own(&self) -> Result<SubaccountCredentials, StepError> {
        let own = self.app.own_credentials(self.account_sid).await?;
        own.ok_or_else(|| internal("a subaccount without its token").into())
    }

    async fn delete_restricted_orphans(&self, name: &str) -> Result<(), StepError> {
        let issued = self.app.store.issued_keys(self.tenant).await?;
        for orphan in orphans(&self.restricted().await?, &issued, name) {
            self.unmake(&orphan, true).await?;
        }
        Ok(())
    }

    /// Keys of both kinds, as the subaccount itself sees them.
    async fn restricted(&self) -> Result<Vec<Key>, StepError> {
        let own = self.own().await?;
        let listed = self.app.twilio.list_iam_keys(&own).await?;
        let listed = listed.into_iter().map(|key| Key {
            sid: key.sid,
            friendly_name: key.friendly_name.unwrap_or_default(),
            date_created: key.date_created,
        });
        Ok(listed.collect())
    }

    /// Creates a restricted key. After an unknown outcome what may have been made is deleted.
    async fn create_restricted(&self, name: &str, policy: &Policy) -> Result<Made, StepError> {
        let own = self.own().await?;
        let mut unknown = None;
        for _ in 0..CREATES_MAX {
            let created = self.app.twilio.create_restricted_key(&own, name, policy);
            match created.await {
                Ok(key) => return Ok((key.sid, key.secret)),
                Err(error @ twilio::Error::UnknownOutcome { .. }) => {
                    // It may land after this look: the janitor looks once more.
                    self.look_again().await?;
                    self.delete_restricted_orphans(name).await?;
                    unknown = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(unknown.expect("the loop has met an unknown outcome").into())
    }

    /// Makes a key of either kind, once orphans of its name are gone.
    async fn make(&self, name: &str, policy: Option<&Policy>) -> Result<Made, StepError> {
        if let Some(policy) = policy {
            self.delete_restricted_orphans(name).await?;
            return self.create_restricted(name, policy).await;
        }
        self.delete_orphans(name).await?;
        let created = self.create(name).await?;
        Ok((created.sid, created.secret))
    }

    /// Deletes a key of either kind; one that is gone is deleted.
    async fn unmake(&self, key: &KeySid, is_restricted: bool) -> Result<(), StepError> {
        if !is_restricted {
            return self.delete(key).await;
        }
        let own = self.own().await?;
        Ok(self.app.twilio.delete_iam_key(&own, key).await?)
    }

    /// Deletes a key at Twilio; one that is gone is deleted.
    pub(crate) async fn delete(&self, key: &KeySid) -> Result<(), StepError> {
        let deleted = self.app.main.call(|main| {
            let (client, account) = (&self.app.twilio, self.account_sid);
            async move { client.delete_key(&main.into(), account, key).await }
        });
        Ok(deleted.await?)
    }
}

fn orphans(listed: &[Key], issued: &[IssuedKey], name: &str) -> Vec<KeySid> {
    let is_known = |sid: &KeySid| {
        issued
            .iter()
            .any(|key| key.key_sid == *sid && key.revoked_at.is_none())
    };
    let orphans = listed
        .iter()
        .filter(|key| key.friendly_name == name && !is_known(&key.sid));
    orphans.map(|key| key.sid.clone()).collect()
}

/// Issues a key for a purpose.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    JsonBody { value, .. }: JsonBody<NewKey>,
) -> Answer {
    let purpose = value.purpose;
    if !is_printable(&purpose, PURPOSE_MAX) || purpose.trim() != purpose {
        return Err(Code::PURPOSE_INVALID.into());
    }
    let policy = value.policy.map(|policy| Policy::allow(policy.allow));
    let policy = policy.transpose();
    let policy = policy.map_err(|why| Code::POLICY_INVALID.because(why.to_string()))?;
    for _ in 0..TRIES_MAX {
        let tenant = in_service(&app, &id).await?;
        refuse_restricted(&app, &tenant).await?;
        // The claim: whoever claimed earlier and has not recorded its key cannot record it any more.
        match app.store.update_tenant(&tenant).await {
            Ok(claimed) => match issue(&app, &caller, &claimed, &purpose, policy.as_ref()).await? {
                Some(key) => return Ok(created(key)),
                None => app.pause().await,
            },
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(Code::REQUEST_IN_PROGRESS.retry_after(1))
}

fn created(key: ShownKey) -> Response {
    view::json(
        StatusCode::CREATED,
        &json!({ "api_key": KeyView::from(key) }),
    )
}

/// `None`: another request claimed the row meanwhile; nothing is left of this one.
async fn issue(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    purpose: &str,
    policy: Option<&Policy>,
) -> Result<Option<ShownKey>, Failure> {
    let account_sid = tenant
        .account_sid
        .as_ref()
        .ok_or_else(|| internal("a tenant in service without a subaccount"))?;
    let name = key_name(&tenant.name, purpose);
    let issued = app.store.issued_keys(&tenant.id).await?;
    if issued
        .iter()
        .any(|key| key.name == name && key.revoked_at.is_none())
    {
        return Err(Code::API_KEY_EXISTS.into());
    }
    let maker = KeyMaker {
        app,
        tenant: &tenant.id,
        account_sid,
    };
    let (key_sid, secret) = maker.make(&name, policy).await?;
    let record = IssuedKey {
        key_sid: key_sid.clone(),
        name: name.clone(),
        policy: policy.map(|policy| policy.permissions().to_vec()),
        issued_at: app.host.now(),
        revoked_at: None,
    };
    let audit = audit(caller, "api_key.issue", purpose);
    let shown = ShownKey {
        key_sid: key_sid.clone(),
        name,
        secret,
    };
    match app.store.record_key(tenant, tenant, &record, &audit).await {
        Ok(_) => Ok(Some(shown)),
        Err(error) if lost_race(&error) => {
            let issued = app.store.issued_keys(&tenant.id).await?;
            if issued.iter().any(|issued| issued.key_sid == key_sid) {
                // The record got there, its answer was lost.
                return Ok(Some(shown));
            }
            maker.unmake(&key_sid, policy.is_some()).await?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Lists the keys that were issued to a tenant.
pub async fn list(State(app): State<Arc<App>>, TenantPath(id): TenantPath) -> Answer {
    let tenant = app.tenant(&id).await?;
    let issued = app.store.issued_keys(&tenant.id).await?;
    let keys: Vec<IssuedKeyView> = issued
        .into_iter()
        .map(|key| IssuedKeyView {
            sid: key.key_sid.into(),
            name: key.name,
            policy: key.policy.map(|allow| json!({ "allow": allow })),
            issued_at: key.issued_at,
            revoked_at: key.revoked_at,
        })
        .collect();
    Ok(view::json(StatusCode::OK, &json!({ "api_keys": keys })))
}

/// Deletes a key at Twilio, then marks it. Only the tenant's own recorded keys can be named.
pub async fn revoke(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    Item(item): Item,
) -> Answer {
    let key_sid = KeySid::parse(&item).map_err(|_| Code::API_KEY_NOT_FOUND)?;
    for _ in 0..TRIES_MAX {
        let tenant = app.tenant(&id).await?;
        let key = recorded(&app, &tenant.id, &key_sid).await?;
        let key = key.ok_or(Code::API_KEY_NOT_FOUND)?;
        let Some(account_sid) = tenant
            .account_sid
            .as_ref()
            .filter(|_| key.revoked_at.is_none())
        else {
            return Ok(StatusCode::NO_CONTENT.into_response());
        };
        let maker = KeyMaker {
            app: &app,
            tenant: &tenant.id,
            account_sid,
        };
        maker.unmake(&key_sid, key.policy.is_some()).await?;
        let revoked = IssuedKey {
            revoked_at: Some(app.host.now()),
            ..key
        };
        let mut next = tenant.clone();
        next.api_key_sid = next.api_key_sid.filter(|first| *first != key_sid);
        let audit = audit(&caller, "api_key.revoke", "asked for");
        match app.store.record_key(&tenant, &next, &revoked, &audit).await {
            Ok(_) => return Ok(StatusCode::NO_CONTENT.into_response()),
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(Code::REQUEST_IN_PROGRESS.retry_after(1))
}

async fn recorded(
    app: &App,
    tenant: &TenantId,
    key_sid: &KeySid,
) -> Result<Option<IssuedKey>, StoreError> {
    let issued = app.store.issued_keys(tenant).await?;
    Ok(issued.into_iter().find(|key| key.key_sid == *key_sid))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sid(digit: char) -> KeySid {
        KeySid::parse(&format!("SK{}", digit.to_string().repeat(32))).unwrap()
    }

    #[test]
    fn a_long_name_is_cut_and_the_purpose_stays_whole() {
        assert_eq!(key_name("Acme", "provisioning"), "Acme - provisioning");
        let long = key_name(&"ä".repeat(100), "provisioning");
        assert_eq!(long.chars().count(), FRIENDLY_NAME_MAX);
        assert!(long.ends_with("ä - provisioning"));
    }

    #[test]
    fn only_unknown_keys_of_exactly_the_name_are_orphans() {
        let key = |digit, name: &str| Key {
            sid: sid(digit),
            friendly_name: name.to_owned(),
            date_created: None,
        };
        let issued = |digit, revoked_at| IssuedKey {
            key_sid: sid(digit),
            name: "A - x".to_owned(),
            policy: None,
            issued_at: Timestamp::UNIX_EPOCH,
            revoked_at,
        };
        let listed = vec![
            key('1', "A - x"),
            key('2', "A - x"),
            key('3', "a - x"),
            key('4', "A - x"),
        ];
        let known = [issued('1', None), issued('4', Some(Timestamp::UNIX_EPOCH))];
        assert_eq!(orphans(&listed, &known, "A - x"), [sid('2'), sid('4')]);
    }
}
