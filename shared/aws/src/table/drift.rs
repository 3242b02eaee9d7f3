//! Table `control`, `DRIFT` / `-`: what the last comparison of all subaccounts with all rows found.

use domain::Timestamp;
use domain::drift::Finding;
use domain::event::Event;
use domain::ids::AccountSid;
use serde::{Deserialize, Serialize};

use crate::store::{key, to_item};
use crate::table::outbox;
use crate::transaction::{Expect, Transaction};
use crate::{CommitError, Store, StoreError};

/// Unowned subaccounts that are kept by SID (a main account has 1,000 subaccounts unless Twilio raises it).
const UNOWNED_MAX: usize = 1_000;
/// Events of one comparison: a transaction has 100 parts. What is over tells itself by the next comparison.
const EVENTS_MAX: usize = 90;

const DRIFT: &str = "DRIFT";

/// What stands since the last comparison.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DriftReport {
    /// Grows with every write; 0 = never compared.
    pub ver: u64,
    /// When.
    pub checked_at: Option<Timestamp>,
    /// What differs.
    pub findings: Vec<Finding>,
    /// Open subaccounts that nobody owns.
    pub unowned: Vec<AccountSid>,
}

#[derive(Serialize, Deserialize)]
struct DriftItem {
    pk: String,
    sk: String,
    v: u32,
    ver: u64,
    at: Option<Timestamp>,
    #[serde(default)]
    found: Vec<Finding>,
    #[serde(default)]
    unowned: Vec<AccountSid>,
}

impl Store {
    /// The last comparison's report.
    pub async fn drift(&self) -> Result<DriftReport, StoreError> {
        let item: Option<DriftItem> = self
            .get("read drift", &self.names().control, key(DRIFT, "-"))
            .await?;
        Ok(item.map_or_else(DriftReport::default, |item| DriftReport {
            ver: item.ver,
            checked_at: item.at,
            findings: item.found,
            unowned: item.unowned,
        }))
    }

    /// Writes a report with its events; `report.ver` is the version that was read. What has no room among the
    /// events is left out of the report too, so that the next comparison finds it anew.
    pub async fn write_drift(
        &self,
        report: &DriftReport,
        events: &[Event],
    ) -> Result<DriftReport, CommitError> {
        const OPERATION: &str = "write drift";
        let mut next = DriftReport {
            ver: report.ver + 1,
            ..report.clone()
        };
        next.unowned.truncate(UNOWNED_MAX);
        let over = events.len().saturating_sub(EVENTS_MAX);
        next.findings
            .truncate(next.findings.len().saturating_sub(over));
        let item = DriftItem {
            pk: DRIFT.to_owned(),
            sk: "-".to_owned(),
            v: 1,
            ver: next.ver,
            at: next.checked_at,
            found: next.findings.clone(),
            unowned: next.unowned.clone(),
        };
        let expect = match report.ver {
            0 => Expect::Absent,
            ver => Expect::Number("ver", ver),
        };
        let mut transaction = Transaction::new(self).put(
            "DRIFT",
            &self.names().control,
            to_item(OPERATION, &item)?,
            &expect,
        );
        for event in events.iter().take(EVENTS_MAX) {
            let item = outbox::item(event)?;
            transaction = transaction.put("outbox", &self.names().outbox, item, &Expect::Absent);
        }
        transaction.commit(OPERATION).await?;
        Ok(next)
    }
}
