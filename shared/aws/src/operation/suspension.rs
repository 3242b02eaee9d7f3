//! The suspender's transactions: a hold under the standing's version, and what Twilio was seen to have.

use domain::Timestamp;
use domain::event::Event;
use domain::ids::TenantId;
use domain::tenant::Tenant;

use crate::table::audit::AuditDraft;
use crate::table::due::{ActKind, act_item};
use crate::table::ledger::wallet_key;
use crate::table::outbox;
use crate::transaction::Expect;
use crate::{CommitError, Store};

/// A change of holds.
#[derive(Debug, Clone)]
pub struct HoldWrite {
    /// The row as it was read.
    pub before: Tenant,
    /// The row with the changed holds.
    pub tenant: Tenant,
    /// For `unpaid`: the standing's version that was decided upon. A payment in between moves it, so that
    /// payment and suspension never both win.
    pub standing_ver: Option<u64>,
    /// When Twilio's status is looked at again, whatever happens to this run.
    pub enforce_at: Timestamp,
    /// The audit row.
    pub audit: AuditDraft,
    /// `tenant.hold_changed`.
    pub event: Event,
}

impl Store {
    /// Writes a change of holds. A conflict on `WALLET` means that the standing moved meanwhile.
    pub async fn write_hold(&self, write: &HoldWrite) -> Result<Tenant, CommitError> {
        let names = self.names();
        let (mut transaction, next) =
            self.write_tenant(&write.before, &write.tenant, &write.audit)?;
        transaction = transaction
            .put(
                "due",
                &names.due,
                act_item(ActKind::Enforce, &next.id, write.enforce_at)?,
                &Expect::Anything,
            )
            .put(
                "outbox",
                &names.outbox,
                outbox::item(&write.event)?,
                &Expect::Absent,
            );
        if let Some(standing_ver) = write.standing_ver {
            transaction = transaction.check(
                "WALLET",
                &names.ledger,
                wallet_key(&next.id),
                &Expect::Number("standing_ver", standing_ver),
            );
        }
        transaction.commit("write hold").await?;
        Ok(next)
    }

    /// Sets the timer that looks at a tenant's Twilio status again.
    pub async fn enforce_again_at(
        &self,
        tenant: &TenantId,
        at: Timestamp,
    ) -> Result<(), crate::StoreError> {
        self.set_act(ActKind::Enforce, tenant, at).await
    }
}
