//! Table `tenants`, `T#<tenant>` / `SIL#<moment>#<run>`: the proof that a suspended tenant fell silent, with
//! the calls that were ended. One row a run; the last one of a suspension says that no call is live.

use domain::Timestamp;
use domain::ids::{CallSid, TenantId};
use serde::{Deserialize, Serialize};

use crate::store::{Range, Sort};
use crate::table::tenants::partition;
use crate::transaction::Expect;
use crate::{CommitError, Store, StoreError};

/// Calls that one row names: an item holds 400 KB, and a SID 36 bytes.
const CALLS_MAX: usize = 8_000;

/// What one run of ending calls came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// When the run ended.
    pub at: Timestamp,
    /// Which run: the message that brought it about.
    pub run: String,
    /// No call was live in two listings far enough apart.
    pub is_silent: bool,
    /// The calls that it ended.
    pub calls: Vec<CallSid>,
}

#[derive(Serialize, Deserialize)]
struct SilenceItem {
    pk: String,
    sk: String,
    v: u32,
    at: Timestamp,
    run: String,
    silent: bool,
    calls: Vec<CallSid>,
}

impl Store {
    /// Keeps a run's proof. Keeping it twice is the same.
    pub async fn record_silence(
        &self,
        tenant: &TenantId,
        silence: &Silence,
    ) -> Result<(), StoreError> {
        let item = SilenceItem {
            pk: partition(tenant),
            sk: format!("SIL#{}#{}", silence.at, silence.run),
            v: 1,
            at: silence.at,
            run: silence.run.clone(),
            silent: silence.is_silent,
            calls: silence.calls.iter().take(CALLS_MAX).cloned().collect(),
        };
        let names = self.names();
        let put = self.put(
            "record silence",
            &names.tenants,
            &item,
            &Expect::Anything,
            "SIL",
        );
        match put.await {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
            Err(CommitError::Conflict { .. }) => {
                unreachable!("a put without a condition has none to fail")
            }
        }
    }

    /// A tenant's proofs, latest first.
    pub async fn silences(
        &self,
        tenant: &TenantId,
        limit: usize,
    ) -> Result<Vec<Silence>, StoreError> {
        let range = Range {
            descending: true,
            limit: Some(limit),
            ..Range::all(partition(tenant), Sort::Prefix("SIL#".to_owned()))
        };
        let items: Vec<SilenceItem> = self
            .query("read silences", &self.names().tenants, range)
            .await?;
        let silences = items.into_iter().take(limit).map(|item| Silence {
            at: item.at,
            run: item.run,
            is_silent: item.silent,
            calls: item.calls,
        });
        Ok(silences.collect())
    }
}
