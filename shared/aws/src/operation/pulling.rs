//! The writes of what usage runs remember, with the events or the audit row that belong to them.

use domain::Timestamp;
use domain::event::Event;
use domain::ids::TenantId;
use domain::pull_state::PullState;
use domain::tenant::Tenant;

use crate::operation::billing::revision;
use crate::store::to_item;
use crate::table::audit::AuditDraft;
use crate::table::due::{ActKind, act_item};
use crate::table::pull_state::PullItem;
use crate::transaction::{Expect, Transaction};
use crate::{CommitError, Store, StoreError};

const OPERATION: &str = "write pull state";

impl Store {
    /// Writes what a run found, with its events; answers the state as it now is. A conflict means that another
    /// run or a person was first.
    pub async fn write_pull_state(
        &self,
        tenant: &TenantId,
        state: &PullState,
        events: &[Event],
    ) -> Result<PullState, CommitError> {
        let (transaction, next) = self.put_state(Transaction::new(self), tenant, state)?;
        self.put_events(transaction, events)?
            .commit(OPERATION)
            .await?;
        Ok(next)
    }

    /// Writes what a person asked for, with the audit row, and has the tenant pulled on the next tick.
    pub async fn request_pull(
        &self,
        tenant: &Tenant,
        state: &PullState,
        audit: &AuditDraft,
        at: Timestamp,
    ) -> Result<PullState, CommitError> {
        let (transaction, _) = self.write_tenant(tenant, tenant, audit)?;
        let (transaction, next) = self.put_state(transaction, &tenant.id, state)?;
        let timer = act_item(ActKind::Repull, &tenant.id, at)?;
        let transaction = transaction.put("due", &self.names().due, timer, &Expect::Anything);
        transaction.commit(OPERATION).await?;
        Ok(next)
    }

    fn put_state<'a>(
        &'a self,
        transaction: Transaction<'a>,
        tenant: &TenantId,
        state: &PullState,
    ) -> Result<(Transaction<'a>, PullState), StoreError> {
        let next = PullState {
            rev: state.rev + 1,
            ..state.clone()
        };
        let item = to_item(OPERATION, &PullItem::new(tenant, &next))?;
        let transaction = transaction.put("PULL", &self.names().usage, item, &revision(state.rev));
        Ok((transaction, next))
    }
}
