//! Table `control`: idempotency keys, operator keys, price plan versions, the main token's rotation.

use domain::Timestamp;
use domain::event::Event;
use domain::guards::GuardPolicy;
use domain::ids::{OperatorKeyId, PlanId, TenantId};
use domain::money::{self, Currency};
use domain::plan::{Payment, PlanRef, PricePlan, Rule, TenantDefaults};
use domain::rotation::Rotation;
use domain::standing::StandingPolicy;
use serde::{Deserialize, Serialize};

use crate::store::{Range, Sort, key};
use crate::transaction::Expect;
use crate::{CommitError, Store, StoreError};

/// Where a request with an idempotency key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdempotencyState {
    /// Accepted, its work not finished.
    Running,
    /// Its work is finished: a replay shows the result.
    Done,
}

/// An idempotency key, unique for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idempotency {
    /// SHA-256 of the key, in hexadecimal: the key itself is not stored.
    pub key_hash: String,
    /// SHA-256 of method, path and body: the same key with another request is refused.
    pub fingerprint: String,
    /// Where it stands.
    pub state: IdempotencyState,
    /// The tenant it is about.
    pub tenant: TenantId,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct IdempotencyItem {
    pk: String,
    sk: String,
    v: u32,
    fp: String,
    state: IdempotencyState,
    tenant: TenantId,
}

impl IdempotencyItem {
    pub(crate) fn new(idempotency: &Idempotency) -> Self {
        Self {
            pk: format!("IDEM#{}", idempotency.key_hash),
            sk: "-".to_owned(),
            v: 1,
            fp: idempotency.fingerprint.clone(),
            state: idempotency.state,
            tenant: idempotency.tenant.clone(),
        }
    }
}

/// A bearer key of our API; only its hash is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorKey {
    /// Its id, which the bearer carries.
    pub id: OperatorKeyId,
    /// SHA-256 of the whole bearer, in hexadecimal.
    pub hash: String,
    /// For people.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stopped working.
    pub revoked_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct OperatorKeyItem {
    pk: String,
    sk: String,
    v: u32,
    id: OperatorKeyId,
    hash: String,
    name: String,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct PlanItem {
    pk: String,
    sk: String,
    v: u32,
    id: PlanId,
    n: u32,
    name: String,
    ccy: Currency,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default_multiplier: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rules: Vec<Rule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    margin_floor: Option<String>,
    payment: Payment,
    due_days: u16,
    standing: StandingPolicy,
    #[serde(default, skip_serializing_if = "GuardPolicy::is_default")]
    guards: GuardPolicy,
    defaults: TenantDefaults,
}

impl PlanItem {
    fn new(plan: &PricePlan) -> Self {
        Self {
            pk: format!("PLAN#{}", plan.reference.id),
            sk: version_key(plan.reference.version),
            v: 2,
            id: plan.reference.id.clone(),
            n: plan.reference.version,
            name: plan.name.clone(),
            ccy: plan.currency,
            default_multiplier: plan.default_multiplier.map(money::to_text),
            rules: plan.rules.clone(),
            margin_floor: plan.margin_floor.map(money::to_text),
            payment: plan.payment,
            due_days: plan.due_days,
            standing: plan.standing.clone(),
            guards: plan.guards.clone(),
            defaults: plan.defaults.clone(),
        }
    }

    fn into_plan(self) -> Result<PricePlan, StoreError> {
        let decimal = |text: &str| {
            money::parse_decimal(text).map_err(|error| StoreError::malformed("read plan", error))
        };
        Ok(PricePlan {
            reference: PlanRef {
                id: self.id,
                version: self.n,
            },
            name: self.name,
            currency: self.ccy,
            default_multiplier: self
                .default_multiplier
                .as_deref()
                .map(decimal)
                .transpose()?,
            rules: self.rules,
            margin_floor: self.margin_floor.as_deref().map(decimal).transpose()?,
            payment: self.payment,
            due_days: self.due_days,
            standing: self.standing,
            guards: self.guards,
            defaults: self.defaults,
        })
    }
}

/// All plan versions are also listed under one partition, so that a list needs no scan.
const PLAN_LIST: &str = "PLANS";

fn version_key(version: u32) -> String {
    format!("V#{version:06}")
}

/// The rotation of the main account's token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MainRotation {
    /// Grows with every write; 0 is not written yet.
    pub ver: u64,
    /// The one that is under way.
    pub rotation: Option<Rotation>,
    /// When the token was last rotated by us.
    pub rotated_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct MainRotationItem {
    pk: String,
    sk: String,
    v: u32,
    ver: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotation: Option<Rotation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotated_at: Option<Timestamp>,
}

/// Where the rotation of the main account's token stands.
const MAIN_ROTATION: &str = "MAIN_ROTATION";

impl Store {
    /// The rotation of the main account's token.
    pub async fn main_rotation(&self) -> Result<MainRotation, StoreError> {
        let item: Option<MainRotationItem> = self
            .get(
                "read main rotation",
                &self.names().control,
                key(MAIN_ROTATION, "-"),
            )
            .await?;
        Ok(
            item.map_or_else(MainRotation::default, |item| MainRotation {
                ver: item.ver,
                rotation: item.rotation,
                rotated_at: item.rotated_at,
            }),
        )
    }

    /// Writes it, with an event if there is one. `state.ver` is the version that was read.
    pub async fn write_main_rotation(
        &self,
        state: &MainRotation,
        event: Option<&Event>,
    ) -> Result<MainRotation, CommitError> {
        const OPERATION: &str = "write main rotation";
        let next = MainRotation {
            ver: state.ver + 1,
            ..state.clone()
        };
        let item = MainRotationItem {
            pk: MAIN_ROTATION.to_owned(),
            sk: "-".to_owned(),
            v: 1,
            ver: next.ver,
            rotation: next.rotation.clone(),
            rotated_at: next.rotated_at,
        };
        let expect = match state.ver {
            0 => Expect::Absent,
            ver => Expect::Number("ver", ver),
        };
        let mut transaction = crate::transaction::Transaction::new(self).put(
            "ROTATION",
            &self.names().control,
            crate::store::to_item(OPERATION, &item)?,
            &expect,
        );
        if let Some(event) = event {
            let item = crate::table::outbox::item(event)?;
            transaction = transaction.put("outbox", &self.names().outbox, item, &Expect::Absent);
        }
        transaction.commit(OPERATION).await?;
        Ok(next)
    }

    /// What an idempotency key was used for.
    pub async fn idempotency(&self, key_hash: &str) -> Result<Option<Idempotency>, StoreError> {
        let item: Option<IdempotencyItem> = self
            .get(
                "read idempotency key",
                &self.names().control,
                key(&format!("IDEM#{key_hash}"), "-"),
            )
            .await?;
        Ok(item.map(|item| Idempotency {
            key_hash: key_hash.to_owned(),
            fingerprint: item.fp,
            state: item.state,
            tenant: item.tenant,
        }))
    }

    /// A bearer key of our API.
    pub async fn operator_key(
        &self,
        id: &OperatorKeyId,
    ) -> Result<Option<OperatorKey>, StoreError> {
        let item: Option<OperatorKeyItem> = self
            .get(
                "read operator key",
                &self.names().control,
                key(&format!("KEY#{id}"), "-"),
            )
            .await?;
        Ok(item.map(|item| OperatorKey {
            id: item.id,
            hash: item.hash,
            name: item.name,
            created_at: item.created_at,
            revoked_at: item.revoked_at,
        }))
    }

    /// Stores a bearer key's hash, once.
    pub async fn put_operator_key(&self, operator_key: &OperatorKey) -> Result<(), CommitError> {
        self.write_operator_key(operator_key, &Expect::Absent).await
    }

    /// Marks a bearer key that was read before as no longer working. Doing it twice is the same.
    pub async fn revoke_operator_key(
        &self,
        operator_key: &OperatorKey,
        at: Timestamp,
    ) -> Result<(), CommitError> {
        let revoked = OperatorKey {
            revoked_at: Some(at),
            ..operator_key.clone()
        };
        let same_key = Expect::AbsentOrText("hash", operator_key.hash.clone());
        self.write_operator_key(&revoked, &same_key).await
    }

    async fn write_operator_key(
        &self,
        operator_key: &OperatorKey,
        expect: &Expect,
    ) -> Result<(), CommitError> {
        let item = OperatorKeyItem {
            pk: format!("KEY#{}", operator_key.id),
            sk: "-".to_owned(),
            v: 1,
            id: operator_key.id.clone(),
            hash: operator_key.hash.clone(),
            name: operator_key.name.clone(),
            created_at: operator_key.created_at,
            revoked_at: operator_key.revoked_at,
        };
        self.put(
            "write operator key",
            &self.names().control,
            &item,
            expect,
            "KEY",
        )
        .await
    }

    /// One immutable plan version.
    pub async fn plan(&self, reference: &PlanRef) -> Result<Option<PricePlan>, StoreError> {
        let plan_key = key(
            &format!("PLAN#{}", reference.id),
            &version_key(reference.version),
        );
        let item: Option<PlanItem> = self
            .get("read plan", &self.names().control, plan_key)
            .await?;
        item.map(PlanItem::into_plan).transpose()
    }

    /// The latest version of a plan.
    pub async fn latest_plan(&self, id: &PlanId) -> Result<Option<PricePlan>, StoreError> {
        let range = Range {
            descending: true,
            consistent: true,
            limit: Some(1),
            ..Range::all(format!("PLAN#{id}"), Sort::Prefix("V#".to_owned()))
        };
        let items: Vec<PlanItem> = self
            .query("read plan", &self.names().control, range)
            .await?;
        items
            .into_iter()
            .next()
            .map(PlanItem::into_plan)
            .transpose()
    }

    /// Writes a plan version that does not exist yet.
    pub async fn put_plan(&self, plan: &PricePlan) -> Result<(), CommitError> {
        let operation = "write plan";
        let item = PlanItem::new(plan);
        let listed = PlanItem {
            pk: PLAN_LIST.to_owned(),
            sk: format!(
                "{}#{}",
                plan.reference.id,
                version_key(plan.reference.version)
            ),
            ..PlanItem::new(plan)
        };
        crate::transaction::Transaction::new(self)
            .put(
                "PLAN",
                &self.names().control,
                crate::store::to_item(operation, &item)?,
                &Expect::Absent,
            )
            .put(
                "PLANS",
                &self.names().control,
                crate::store::to_item(operation, &listed)?,
                &Expect::Absent,
            )
            .commit(operation)
            .await
    }

    /// Plan versions in order of plan and version, from behind the cursor.
    pub async fn list_plans(
        &self,
        after: Option<&PlanRef>,
        limit: usize,
    ) -> Result<Vec<PricePlan>, StoreError> {
        let low = after.map_or_else(
            || "plan_".to_owned(),
            |after| format!("{}#{}\u{1}", after.id, version_key(after.version)),
        );
        let range = Range {
            consistent: true,
            limit: Some(limit),
            ..Range::all(
                PLAN_LIST.to_owned(),
                Sort::Between(low, "plan_~".to_owned()),
            )
        };
        let items: Vec<PlanItem> = self
            .query("list plans", &self.names().control, range)
            .await?;
        items.into_iter().map(PlanItem::into_plan).collect()
    }
}
