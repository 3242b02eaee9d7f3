//! Table `tenants`: `T#<tenant>` / `META` is the tenant; `S#<AccountSid>` and `X#<external id>` say whose
//! they are, put only if absent (an index cannot enforce uniqueness); `K#<KeySid>` is an issued API key.

use std::collections::BTreeMap;

use domain::closing::Closing;
use domain::export::Export;
use domain::ids::{AccountSid, ApplicationSid, KeySid, NumberOrderId, TenantId};
use domain::money::Currency;
use domain::plan::Override;
use domain::provisioning::{Options, Step};
use domain::rotation::Rotation;
use domain::tenant::{
    BillingProfile, Hold, HoldRecord, Lease, Lifecycle, PlanAssignment, Tenant, TwilioStatus,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::store::{Range, Sort, from_item, key};
use crate::transaction::{Expect, Item};
use crate::{CommitError, Store, StoreError};

/// Schema version of the rows.
const SCHEMA: u32 = 1;
/// The GSI that lists tenants by status and year.
const BY_STATUS: &str = "by_status";
/// No tenant is older than this year.
const FIRST_YEAR: i16 = 2024;
/// Statuses that a tenant is listed under.
const STATUSES: [&str; 4] = ["provisioning", "active", "suspended", "closed"];

/// One page of tenants, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantPage {
    /// The tenants of the page.
    pub tenants: Vec<Tenant>,
    /// Hand this in for the next page; none at the end.
    pub next_cursor: Option<TenantId>,
}

/// An API key that was issued to a tenant. Its secret is stored nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedKey {
    /// The key.
    pub key_sid: KeySid,
    /// Its FriendlyName in Twilio.
    pub name: String,
    /// What it may do; none is a standard key, which may do everything in its subaccount.
    pub policy: Option<Vec<String>>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it was deleted at Twilio; the row stays, so that the audit can name it.
    pub revoked_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct TenantItem {
    pk: String,
    sk: String,
    v: u32,
    ver: u64,
    name: String,
    fname: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ext: Option<String>,
    ccy: Currency,
    plans: Vec<PlanAssignment>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    overrides: Vec<Override>,
    billing: BillingProfile,
    lifecycle: Lifecycle,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    holds: BTreeMap<Hold, HoldRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    twilio_status: Option<TwilioStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<AccountSid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<Lease>,
    step: Step,
    #[serde(default, skip_serializing_if = "is_default")]
    opts: Options,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trial_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app_sid: Option<ApplicationSid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    export: Option<Export>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    erased_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    create_sent_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idem: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_sid: Option<KeySid>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shared: Vec<AccountSid>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    orders: Vec<NumberOrderId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closing: Option<Closing>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotation: Option<Rotation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotated_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_at: Option<Timestamp>,
    audit_seq: u64,
    audit_head: String,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activated_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed_at: Option<Timestamp>,
    ls: String,
    lk: String,
}

fn is_default(options: &Options) -> bool {
    *options == Options::default()
}

impl TenantItem {
    pub(crate) fn new(tenant: &Tenant) -> Self {
        let tenant = tenant.clone();
        Self {
            pk: partition(&tenant.id),
            sk: "META".to_owned(),
            v: SCHEMA,
            ls: list_partition(tenant.status(), year(tenant.created_at)),
            lk: tenant.id.as_str().to_owned(),
            ver: tenant.ver,
            name: tenant.name,
            fname: tenant.friendly_name,
            ext: tenant.external_id,
            ccy: tenant.currency,
            plans: tenant.plans,
            overrides: tenant.overrides,
            billing: tenant.billing,
            lifecycle: tenant.lifecycle,
            holds: tenant.holds,
            twilio_status: tenant.twilio_status,
            sid: tenant.account_sid,
            lease: tenant.lease,
            step: tenant.step,
            opts: tenant.options,
            trial_at: tenant.trial_credited_at,
            app_sid: tenant.application_sid,
            export: tenant.export,
            erased_at: tenant.erased_at,
            create_sent_at: tenant.create_sent_at,
            failure: tenant.failure,
            idem: tenant.idempotency_hash,
            key_sid: tenant.api_key_sid,
            shared: tenant.shared_sids,
            orders: tenant.open_orders,
            closing: tenant.closing,
            rotation: tenant.rotation,
            rotated_at: tenant.rotated_at,
            next_at: tenant.next_action_at,
            audit_seq: tenant.audit_seq,
            audit_head: tenant.audit_head,
            created_at: tenant.created_at,
            activated_at: tenant.activated_at,
            closed_at: tenant.closed_at,
        }
    }

    fn into_tenant(self) -> Result<Tenant, StoreError> {
        const OPERATION: &str = "read tenant";
        if self.v != SCHEMA {
            return Err(StoreError::malformed(
                OPERATION,
                format_args!("schema version {}", self.v),
            ));
        }
        let id = self.pk.strip_prefix("T#").map(TenantId::parse);
        let Some(Ok(id)) = id else {
            return Err(StoreError::malformed(OPERATION, "tenant id"));
        };
        Ok(Tenant {
            id,
            ver: self.ver,
            name: self.name,
            friendly_name: self.fname,
            external_id: self.ext,
            currency: self.ccy,
            plans: self.plans,
            overrides: self.overrides,
            billing: self.billing,
            lifecycle: self.lifecycle,
            holds: self.holds,
            twilio_status: self.twilio_status,
            account_sid: self.sid,
            lease: self.lease,
            step: self.step,
            options: self.opts,
            trial_credited_at: self.trial_at,
            application_sid: self.app_sid,
            export: self.export,
            erased_at: self.erased_at,
            create_sent_at: self.create_sent_at,
            failure: self.failure,
            idempotency_hash: self.idem,
            api_key_sid: self.key_sid,
            shared_sids: self.shared,
            open_orders: self.orders,
            closing: self.closing,
            rotation: self.rotation,
            rotated_at: self.rotated_at,
            next_action_at: self.next_at,
            audit_seq: self.audit_seq,
            audit_head: self.audit_head,
            created_at: self.created_at,
            activated_at: self.activated_at,
            closed_at: self.closed_at,
        })
    }
}

/// `S#`, `X#`: whose a unique thing is.
#[derive(Serialize, Deserialize)]
pub(crate) struct OwnerItem {
    pk: String,
    sk: String,
    v: u32,
    pub(crate) tenant: TenantId,
}

impl OwnerItem {
    pub(crate) fn of_sid(sid: &AccountSid, tenant: &TenantId) -> Self {
        Self {
            pk: format!("S#{sid}"),
            sk: "-".to_owned(),
            v: SCHEMA,
            tenant: tenant.clone(),
        }
    }

    pub(crate) fn of_external_id(external_id: &str, tenant: &TenantId) -> Self {
        Self {
            pk: format!("X#{external_id}"),
            sk: "-".to_owned(),
            v: SCHEMA,
            tenant: tenant.clone(),
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct KeyItem {
    pk: String,
    sk: String,
    v: u32,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<Vec<String>>,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
}

impl KeyItem {
    pub(crate) fn new(tenant: &TenantId, issued: &IssuedKey) -> Self {
        Self {
            pk: partition(tenant),
            sk: format!("K#{}", issued.key_sid),
            v: SCHEMA,
            name: issued.name.clone(),
            policy: issued.policy.clone(),
            at: issued.issued_at,
            revoked_at: issued.revoked_at,
        }
    }
}

pub(crate) fn partition(tenant: &TenantId) -> String {
    format!("T#{tenant}")
}

/// The tenant whose partition an item lies in.
pub(crate) fn tenant_of_item(operation: &'static str, item: &Item) -> Result<TenantId, StoreError> {
    item.get("pk")
        .and_then(|pk| pk.as_s().ok())
        .and_then(|pk| TenantId::parse(pk.strip_prefix("T#")?).ok())
        .ok_or_else(|| StoreError::malformed(operation, "tenant id"))
}

pub(crate) fn meta_key(tenant: &TenantId) -> Item {
    key(&partition(tenant), "META")
}

pub(crate) fn tenant_from_item(item: Item) -> Result<Tenant, StoreError> {
    from_item::<TenantItem>("read tenant", item)?.into_tenant()
}

fn list_partition(status: &str, year: i16) -> String {
    format!("{status}#{year}")
}

fn year(at: Timestamp) -> i16 {
    at.to_zoned(TimeZone::UTC).year()
}

impl Store {
    /// A tenant's row, read consistently.
    pub async fn tenant(&self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        let item: Option<TenantItem> = self
            .get("read tenant", &self.names().tenants, meta_key(id))
            .await?;
        item.map(TenantItem::into_tenant).transpose()
    }

    /// Whose a subaccount is.
    pub async fn tenant_of_sid(&self, sid: &AccountSid) -> Result<Option<TenantId>, StoreError> {
        let owner: Option<OwnerItem> = self
            .get(
                "read subaccount's owner",
                &self.names().tenants,
                key(&format!("S#{sid}"), "-"),
            )
            .await?;
        Ok(owner.map(|owner| owner.tenant))
    }

    /// Who has an external id.
    pub async fn tenant_of_external_id(
        &self,
        external_id: &str,
    ) -> Result<Option<TenantId>, StoreError> {
        let owner: Option<OwnerItem> = self
            .get(
                "read external id's owner",
                &self.names().tenants,
                key(&format!("X#{external_id}"), "-"),
            )
            .await?;
        Ok(owner.map(|owner| owner.tenant))
    }

    /// Writes a tenant's row as a plain conditional update: `tenant.ver` is the version that was read.
    pub async fn update_tenant(&self, tenant: &Tenant) -> Result<Tenant, CommitError> {
        let next = Tenant {
            ver: tenant.ver + 1,
            ..tenant.clone()
        };
        let expect = Expect::Number("ver", tenant.ver);
        self.put(
            "update tenant",
            &self.names().tenants,
            &TenantItem::new(&next),
            &expect,
            "META",
        )
        .await?;
        Ok(next)
    }

    /// Tenants of one status, or of all, newest first, from below the cursor.
    pub async fn list_tenants(
        &self,
        status: Option<&str>,
        cursor: Option<&TenantId>,
        limit: usize,
    ) -> Result<TenantPage, StoreError> {
        #[derive(Deserialize)]
        struct Listed {
            lk: TenantId,
        }
        let statuses: Vec<&str> = STATUSES
            .into_iter()
            .filter(|name| status.is_none_or(|wanted| wanted == *name))
            .collect();
        let mut ids: Vec<TenantId> = Vec::new();
        let mut year = year(self.now());
        while year >= FIRST_YEAR && ids.len() <= limit {
            let mut of_year: Vec<TenantId> = Vec::new();
            for status in &statuses {
                let sort =
                    cursor.map_or(Sort::All, |cursor| Sort::Below(cursor.as_str().to_owned()));
                let range = Range {
                    index: Some(BY_STATUS),
                    descending: true,
                    limit: Some(limit + 1),
                    ..Range::all(list_partition(status, year), sort)
                };
                let listed: Vec<Listed> = self
                    .query("list tenants", &self.names().tenants, range)
                    .await?;
                of_year.extend(listed.into_iter().map(|listed| listed.lk));
            }
            of_year.sort_by(|left, right| right.cmp(left));
            of_year.dedup();
            ids.extend(of_year);
            year -= 1;
        }
        let more = ids.len() > limit;
        ids.truncate(limit);
        let next_cursor = if more { ids.last().cloned() } else { None };
        Ok(TenantPage {
            tenants: self.tenants(&ids).await?,
            next_cursor,
        })
    }

    /// Rows of several tenants in the order asked for; missing ones are left out.
    pub async fn tenants(&self, ids: &[TenantId]) -> Result<Vec<Tenant>, StoreError> {
        let mut tenants = BTreeMap::new();
        for chunk in ids.chunks(crate::store::BATCH_GET_MAX) {
            let keys = chunk
                .iter()
                .map(|id| (self.names().tenants.as_str(), meta_key(id)))
                .collect();
            for (_, item) in self.batch_get("read tenants", keys, true).await? {
                let tenant = tenant_from_item(item)?;
                tenants.insert(tenant.id.clone(), tenant);
            }
        }
        Ok(ids.iter().filter_map(|id| tenants.remove(id)).collect())
    }

    /// API keys that were issued to a tenant.
    pub async fn issued_keys(&self, tenant: &TenantId) -> Result<Vec<IssuedKey>, StoreError> {
        const OPERATION: &str = "list issued keys";
        let range = Range {
            consistent: true,
            ..Range::all(partition(tenant), Sort::Prefix("K#".to_owned()))
        };
        let items: Vec<KeyItem> = self.query(OPERATION, &self.names().tenants, range).await?;
        items
            .into_iter()
            .map(|item| {
                let sid = item.sk.strip_prefix("K#").unwrap_or_default();
                let key_sid =
                    KeySid::parse(sid).map_err(|error| StoreError::malformed(OPERATION, error))?;
                Ok(IssuedKey {
                    key_sid,
                    name: item.name,
                    policy: item.policy,
                    issued_at: item.at,
                    revoked_at: item.revoked_at,
                })
            })
            .collect()
    }
}
