//! Table `tenants`, phone numbers: `P#<PhoneNumberSid>` / `-` says who held a number when; `T#<tenant>` /
//! `N#<PhoneNumberSid>` lists the numbers that a tenant holds or held, `O#<order id>` the orders on them.

use domain::Timestamp;
use domain::ids::{AddressSid, BundleSid, NumberOrderId, PhoneNumberSid, TenantId};
use domain::numbers::{Holding, NumberAct, NumberOrder, NumberRecord, NumberUrls, OrderState};
use serde::{Deserialize, Serialize};

use crate::store::{Range, Sort, key};
use crate::table::tenants::partition;
use crate::{Store, StoreError};

/// Schema version of the rows.
const SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
pub(crate) struct NumberItem {
    pk: String,
    sk: String,
    v: u32,
    ver: u64,
    number: String,
    held: Vec<Holding>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order: Option<NumberOrderId>,
}

impl NumberItem {
    pub(crate) fn new(record: &NumberRecord) -> Self {
        Self {
            pk: format!("P#{}", record.sid),
            sk: "-".to_owned(),
            v: SCHEMA,
            ver: record.ver,
            number: record.phone_number.clone(),
            held: record.holdings.clone(),
            order: record.order.clone(),
        }
    }

    fn into_record(self) -> Result<NumberRecord, StoreError> {
        const OPERATION: &str = "read number";
        let sid = self.pk.strip_prefix("P#").unwrap_or_default();
        let sid = PhoneNumberSid::parse(sid);
        Ok(NumberRecord {
            sid: sid.map_err(|error| StoreError::malformed(OPERATION, error))?,
            ver: self.ver,
            phone_number: self.number,
            holdings: self.held,
            order: self.order,
        })
    }
}

/// A number that a tenant holds or held: where to look for its record.
#[derive(Serialize, Deserialize)]
pub(crate) struct HeldItem {
    pk: String,
    sk: String,
    v: u32,
    number: String,
}

impl HeldItem {
    pub(crate) fn new(tenant: &TenantId, record: &NumberRecord) -> Self {
        Self {
            pk: partition(tenant),
            sk: format!("N#{}", record.sid),
            v: SCHEMA,
            number: record.phone_number.clone(),
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct OrderItem {
    pk: String,
    sk: String,
    v: u32,
    ver: u64,
    act: NumberAct,
    urls: NumberUrls,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<AddressSid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bundle: Option<BundleSid>,
    actor: String,
    at: Timestamp,
    state: OrderState,
}

impl OrderItem {
    pub(crate) fn new(order: &NumberOrder) -> Self {
        Self {
            pk: partition(&order.tenant),
            sk: format!("O#{}", order.id),
            v: SCHEMA,
            ver: order.ver,
            act: order.act.clone(),
            urls: order.urls.clone(),
            address: order.address_sid.clone(),
            bundle: order.bundle_sid.clone(),
            actor: order.actor.clone(),
            at: order.asked_at,
            state: order.state.clone(),
        }
    }
}

fn number_key(sid: &PhoneNumberSid) -> crate::transaction::Item {
    key(&format!("P#{sid}"), "-")
}

impl Store {
    /// Who held a number when, as far as we know it.
    pub async fn number(&self, sid: &PhoneNumberSid) -> Result<Option<NumberRecord>, StoreError> {
        let item: Option<NumberItem> = self
            .get("read number", &self.names().tenants, number_key(sid))
            .await?;
        item.map(NumberItem::into_record).transpose()
    }

    /// The records of all numbers that a tenant holds or held through us.
    pub async fn numbers_of(&self, tenant: &TenantId) -> Result<Vec<NumberRecord>, StoreError> {
        const OPERATION: &str = "list numbers";
        let range = Range {
            consistent: true,
            ..Range::all(partition(tenant), Sort::Prefix("N#".to_owned()))
        };
        let held: Vec<HeldItem> = self.query(OPERATION, &self.names().tenants, range).await?;
        let mut records = Vec::new();
        for chunk in held.chunks(crate::store::BATCH_GET_MAX) {
            let keys = chunk.iter().map(|held| {
                let record = held.sk.replacen("N#", "P#", 1);
                (self.names().tenants.as_str(), key(&record, "-"))
            });
            for (_, item) in self.batch_get(OPERATION, keys.collect(), true).await? {
                let item: NumberItem = crate::store::from_item(OPERATION, item)?;
                records.push(item.into_record()?);
            }
        }
        records.sort_by(|left, right| left.phone_number.cmp(&right.phone_number));
        Ok(records)
    }

    /// An accepted request about a number.
    pub async fn number_order(
        &self,
        tenant: &TenantId,
        id: &NumberOrderId,
    ) -> Result<Option<NumberOrder>, StoreError> {
        let order_key = key(&partition(tenant), &format!("O#{id}"));
        let item: Option<OrderItem> = self
            .get("read number order", &self.names().tenants, order_key)
            .await?;
        Ok(item.map(|item| NumberOrder {
            id: id.clone(),
            tenant: tenant.clone(),
            ver: item.ver,
            act: item.act,
            urls: item.urls,
            address_sid: item.address,
            bundle_sid: item.bundle,
            actor: item.actor,
            asked_at: item.at,
            state: item.state,
        }))
    }
}
