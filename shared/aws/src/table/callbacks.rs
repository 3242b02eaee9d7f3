//! Table `callbacks`: `T#<tenant>#<resource SID>` / hash of the signed fields: one conditional put each.
//!
//! The key is made of signed fields only, so a replay, also with another unsigned header, is the same item.

use std::collections::BTreeMap;

use domain::Timestamp;
use domain::ids::{AccountSid, TenantId};
use serde::{Deserialize, Serialize};

use crate::store::{Range, Sort};
use crate::transaction::Expect;
use crate::{CommitError, Store, StoreError};

/// Callbacks are kept this long, in seconds (45 days), then the table's TTL removes them.
const KEPT_S: i64 = 45 * 24 * 3600;
/// Callbacks of one resource that are read back at most.
const READ_MAX: usize = 500;

/// A callback as it is stored: known fields, never a message's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackRecord {
    /// What it is about: `message`, `call`, `recording`, `usage_trigger`.
    pub kind: String,
    /// The message, call, recording or trigger.
    pub resource_sid: String,
    /// Hash over the signed fields.
    pub signed_hash: String,
    /// The subaccount.
    pub account_sid: AccountSid,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Fields by name.
    pub fields: BTreeMap<String, String>,
}

/// What recording a callback did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It was new.
    New,
    /// It was there already: nothing changed.
    Duplicate,
}

#[derive(Serialize, Deserialize)]
struct CallbackItem {
    pk: String,
    sk: String,
    v: u32,
    kind: String,
    sid: AccountSid,
    at: Timestamp,
    ttl: i64,
    f: BTreeMap<String, String>,
}

impl Store {
    /// Records a callback: exactly one conditional put, whether it is new or not.
    pub async fn record_callback(
        &self,
        tenant: &TenantId,
        callback: &CallbackRecord,
    ) -> Result<Recorded, StoreError> {
        let item = CallbackItem {
            pk: partition(tenant, &callback.resource_sid),
            sk: callback.signed_hash.clone(),
            v: 1,
            kind: callback.kind.clone(),
            sid: callback.account_sid.clone(),
            at: callback.received_at,
            ttl: callback.received_at.as_second() + KEPT_S,
            f: callback.fields.clone(),
        };
        match self
            .put(
                "record callback",
                &self.names().callbacks,
                &item,
                &Expect::Absent,
                "CALLBACK",
            )
            .await
        {
            Ok(()) => Ok(Recorded::New),
            Err(CommitError::Conflict { .. }) => Ok(Recorded::Duplicate),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// The callbacks of one resource, in no particular order; expired ones are left out.
    pub async fn callbacks(
        &self,
        tenant: &TenantId,
        resource_sid: &str,
    ) -> Result<Vec<CallbackRecord>, StoreError> {
        let range = Range {
            limit: Some(READ_MAX),
            ..Range::all(partition(tenant, resource_sid), Sort::All)
        };
        let items: Vec<CallbackItem> = self
            .query("read callbacks", &self.names().callbacks, range)
            .await?;
        let now = self.now().as_second();
        let live = items.into_iter().filter(|item| item.ttl > now);
        Ok(live
            .map(|item| CallbackRecord {
                kind: item.kind,
                resource_sid: resource_sid.to_owned(),
                signed_hash: item.sk,
                account_sid: item.sid,
                received_at: item.at,
                fields: item.f,
            })
            .collect())
    }
}

fn partition(tenant: &TenantId, resource_sid: &str) -> String {
    format!("T#{tenant}#{resource_sid}")
}
