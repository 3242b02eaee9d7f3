//! Table `outbox`: events written with the change that made them true, removed once the bus accepted them.

use domain::Timestamp;
use domain::event::Event;
use domain::ids::{EventId, TenantId};
use serde::{Deserialize, Serialize};

use crate::store::{Range, Sort, key, to_item};
use crate::transaction::Item;
use crate::{Names, Store, StoreError};

/// Partitions that the outbox is spread over.
pub const OUTBOX_PARTITIONS: u8 = 8;

/// A row of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its partition.
    pub partition: String,
    /// The event's id, the row's sort key.
    pub id: EventId,
    /// The event's name.
    pub name: String,
    /// The event as JSON.
    pub detail: String,
    /// When it was written.
    pub at: Timestamp,
    /// Why it is kept aside, if the bus refused it for good.
    pub parked: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct OutboxItem {
    pk: String,
    sk: EventId,
    v: u32,
    t: String,
    seq: u64,
    detail: String,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parked: Option<String>,
}

/// The partition of a tenant's events.
pub fn outbox_partition(tenant: &TenantId) -> String {
    format!("O#{}", spread(tenant, u32::from(OUTBOX_PARTITIONS)))
}

/// A stable number below `slots` for a tenant: FNV-1a over its id.
pub(crate) fn spread(tenant: &TenantId, slots: u32) -> u32 {
    let hash = tenant
        .as_str()
        .bytes()
        .fold(2_166_136_261_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(16_777_619)
        });
    hash % slots
}

/// The row of an event.
pub(crate) fn item(event: &Event) -> Result<Item, StoreError> {
    let detail = serde_json::to_string(event)
        .map_err(|error| StoreError::malformed("write event", error))?;
    let row = OutboxItem {
        pk: outbox_partition(&event.tenant_id),
        sk: event.id.clone(),
        v: 1,
        t: event.fact.name().to_owned(),
        seq: event.seq,
        detail,
        at: event.occurred_at,
        parked: None,
    };
    to_item("write event", &row)
}

pub(crate) fn table(names: &Names) -> &str {
    &names.outbox
}

impl Store {
    /// Rows of one partition (0 to 7) that are still there, oldest first.
    pub async fn outbox_rows(
        &self,
        partition: u8,
        limit: usize,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let partition = format!("O#{}", partition % OUTBOX_PARTITIONS);
        let range = Range {
            limit: Some(limit),
            ..Range::all(partition, Sort::All)
        };
        let items: Vec<OutboxItem> = self
            .query("read outbox", table(self.names()), range)
            .await?;
        Ok(items
            .into_iter()
            .map(|item| OutboxRow {
                partition: item.pk,
                id: item.sk,
                name: item.t,
                detail: item.detail,
                at: item.at,
                parked: item.parked,
            })
            .collect())
    }

    /// Removes a row that the bus accepted. Removing it twice is the same.
    pub async fn remove_outbox_row(&self, partition: &str, id: &EventId) -> Result<(), StoreError> {
        let request = self
            .dynamodb()
            .delete_item()
            .table_name(table(self.names()))
            .set_key(Some(key(partition, id.as_str())));
        request
            .send()
            .await
            .map_err(|error| StoreError::from_sdk("remove outbox row", &error))?;
        Ok(())
    }

    /// Keeps a row aside that the bus refuses for good: it is never dropped.
    pub async fn park_outbox_row(
        &self,
        partition: &str,
        id: &EventId,
        cause: &str,
    ) -> Result<(), StoreError> {
        use aws_sdk_dynamodb::types::AttributeValue;
        let request = self
            .dynamodb()
            .update_item()
            .table_name(table(self.names()))
            .set_key(Some(key(partition, id.as_str())))
            .update_expression("SET parked = :c")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":c", AttributeValue::S(cause.to_owned()));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(aws_sdk_dynamodb::operation::update_item::UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(StoreError::from_sdk("park outbox row", &error)),
        }
    }
}
