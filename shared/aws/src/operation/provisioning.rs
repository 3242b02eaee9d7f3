//! Provisioning's transactions: accept, bind the SID, activate, fail; and its lease.

use domain::event::Event;
use domain::ids::TenantId;
use domain::ledger::Entry;
use domain::tenant::Tenant;
use domain::wallet::Wallet;
use jiff::Timestamp;

use crate::store::to_item;
use crate::table::audit::{AuditDraft, chain};
use crate::table::control::{Idempotency, IdempotencyItem, IdempotencyState};
use crate::table::due::{ActKind, act_item, daily_item};
use crate::table::ledger::{EntryItem, WalletItem};
use crate::table::tenants::{IssuedKey, KeyItem, OwnerItem, TenantItem};
use crate::table::{outbox, tenants};
use crate::transaction::{Expect, Item, Transaction};
use crate::{CommitError, Store};

/// A tenant to accept, with everything that is written with it.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// The row, with its lease; `ver` is ignored.
    pub tenant: Tenant,
    /// The request's idempotency key.
    pub idempotency: Idempotency,
    /// When the work is taken up again if nobody finishes it.
    pub resume_at: Timestamp,
    /// The tenant whose provisioning failed, from which the external id is taken over.
    pub external_id_of: Option<TenantId>,
    /// The audit row.
    pub audit: AuditDraft,
    /// `tenant.requested`.
    pub event: Event,
}

/// A tenant to put in service.
#[derive(Debug, Clone)]
pub struct Activation {
    /// The row as it was read.
    pub before: Tenant,
    /// The row as it becomes; `ver` and audit head are set here.
    pub tenant: Tenant,
    /// The request's idempotency key, if its hash is known here; it becomes done.
    pub idempotency: Option<Idempotency>,
    /// The opening entry, and what was booked behind it.
    pub entries: Vec<Entry>,
    /// The wallet behind it; its head is set here.
    pub wallet: Wallet,
    /// The audit row.
    pub audit: AuditDraft,
    /// `tenant.provisioned`, and what else happened.
    pub events: Vec<Event>,
}

impl Store {
    /// Accepts a tenant: idempotency key, row with lease, external id, timer, audit, event, all absent
    /// before. A replay is a conflict on `IDEM`; a taken external id one on `X`.
    pub async fn accept_tenant(&self, acceptance: &Acceptance) -> Result<Tenant, CommitError> {
        const OPERATION: &str = "accept tenant";
        let names = self.names();
        let tenant = Tenant {
            ver: 1,
            ..acceptance.tenant.clone()
        };
        let (audit, tenant) = chain(&acceptance.audit, None, &tenant, tenant.created_at)?;
        let mut transaction = Transaction::new(self)
            .put(
                "IDEM",
                &names.control,
                to_item(OPERATION, &IdempotencyItem::new(&acceptance.idempotency))?,
                &Expect::Absent,
            )
            .put(
                "META",
                &names.tenants,
                to_item(OPERATION, &TenantItem::new(&tenant))?,
                &Expect::Absent,
            )
            .put(
                "due",
                &names.due,
                act_item(ActKind::Provision, &tenant.id, acceptance.resume_at)?,
                &Expect::Anything,
            )
            .put("audit", &names.audit, audit, &Expect::Absent)
            .put(
                "outbox",
                &names.outbox,
                outbox::item(&acceptance.event)?,
                &Expect::Absent,
            );
        if let Some(external_id) = &tenant.external_id {
            let owner = OwnerItem::of_external_id(external_id, &tenant.id);
            let expect = match &acceptance.external_id_of {
                Some(former) => Expect::AbsentOrText("tenant", former.as_str().to_owned()),
                None => Expect::Absent,
            };
            let item = to_item(OPERATION, &owner)?;
            transaction = transaction.put("X", &names.tenants, item, &expect);
        }
        transaction.commit(OPERATION).await?;
        Ok(tenant)
    }

    /// Binds the subaccount in `tenant.account_sid` to the tenant, for ever. A conflict on `S` means that
    /// another tenant owns it.
    pub async fn bind_subaccount(
        &self,
        before: &Tenant,
        tenant: &Tenant,
        audit: &AuditDraft,
    ) -> Result<Tenant, CommitError> {
        const OPERATION: &str = "bind subaccount";
        let names = self.names();
        let sid = tenant
            .account_sid
            .as_ref()
            .expect("the caller has just found or made the subaccount");
        let owner = to_item(OPERATION, &OwnerItem::of_sid(sid, &tenant.id))?;
        let same_owner = Expect::AbsentOrText("tenant", tenant.id.as_str().to_owned());
        let (transaction, next) = self.write_tenant(before, tenant, audit)?;
        transaction
            .put("S", &names.tenants, owner, &same_owner)
            .commit(OPERATION)
            .await?;
        Ok(next)
    }

    /// Records an issued API key with its audit row. The secret is not stored.
    pub async fn record_key(
        &self,
        before: &Tenant,
        tenant: &Tenant,
        issued: &IssuedKey,
        audit: &AuditDraft,
    ) -> Result<Tenant, CommitError> {
        const OPERATION: &str = "record key";
        let item = to_item(OPERATION, &KeyItem::new(&tenant.id, issued))?;
        let (transaction, next) = self.write_tenant(before, tenant, audit)?;
        transaction
            .put("K", &self.names().tenants, item, &Expect::Anything)
            .commit(OPERATION)
            .await?;
        Ok(next)
    }

    /// Puts a tenant in service: row, wallet, opening entry, daily turn, idempotency key done, audit, event.
    pub async fn activate_tenant(&self, activation: &Activation) -> Result<Tenant, CommitError> {
        const OPERATION: &str = "activate tenant";
        let names = self.names();
        let mut head = String::new();
        let mut entries = Vec::new();
        for entry in &activation.entries {
            let (item, next) = EntryItem::chained(&activation.tenant.id, entry, &head)?;
            entries.push(item);
            head = next;
        }
        let wallet = Wallet {
            head,
            rev: 1,
            ..activation.wallet.clone()
        };
        let (mut transaction, next) =
            self.write_tenant(&activation.before, &activation.tenant, &activation.audit)?;
        transaction = transaction
            .put(
                "WALLET",
                &names.ledger,
                to_item(OPERATION, &WalletItem::new(&next.id, &wallet))?,
                &Expect::Absent,
            )
            .put(
                "daily",
                &names.due,
                daily_item(&next.id)?,
                &Expect::Anything,
            );
        for entry in &entries {
            let item = to_item(OPERATION, entry)?;
            transaction = transaction.put("E", &names.ledger, item, &Expect::Absent);
        }
        for event in &activation.events {
            let item = outbox::item(event)?;
            transaction = transaction.put("outbox", &names.outbox, item, &Expect::Absent);
        }
        if let Some(idempotency) = &activation.idempotency {
            let done = Idempotency {
                state: IdempotencyState::Done,
                ..idempotency.clone()
            };
            transaction = transaction.put(
                "IDEM",
                &names.control,
                to_item(OPERATION, &IdempotencyItem::new(&done))?,
                &Expect::Anything,
            );
        }
        transaction.commit(OPERATION).await?;
        Ok(next)
    }

    /// Writes a tenant's new state with its audit row and event.
    pub async fn write_tenant_with_event(
        &self,
        before: &Tenant,
        tenant: &Tenant,
        audit: &AuditDraft,
        event: &Event,
    ) -> Result<Tenant, CommitError> {
        let (transaction, next) = self.write_tenant(before, tenant, audit)?;
        transaction
            .put(
                "outbox",
                &self.names().outbox,
                outbox::item(event)?,
                &Expect::Absent,
            )
            .commit("write tenant")
            .await?;
        Ok(next)
    }

    /// The row, conditional on the version that was read, and its audit row.
    pub(crate) fn write_tenant(
        &self,
        before: &Tenant,
        tenant: &Tenant,
        audit: &AuditDraft,
    ) -> Result<(Transaction<'_>, Tenant), CommitError> {
        let next = next_version(before, tenant);
        let (row, next) = chain(audit, Some(before), &next, self.now())?;
        let transaction = self.put_tenant(Transaction::new(self), before, &next, row)?;
        Ok((transaction, next))
    }

    /// The same as a further part of a transaction.
    pub(crate) fn and_write_tenant<'a>(
        &self,
        transaction: Transaction<'a>,
        before: &Tenant,
        tenant: &Tenant,
        audit: &AuditDraft,
    ) -> Result<Transaction<'a>, CommitError> {
        let next = next_version(before, tenant);
        let (row, next) = chain(audit, Some(before), &next, self.now())?;
        self.put_tenant(transaction, before, &next, row)
    }

    fn put_tenant<'a>(
        &self,
        transaction: Transaction<'a>,
        before: &Tenant,
        next: &Tenant,
        audit_row: Item,
    ) -> Result<Transaction<'a>, CommitError> {
        let item = to_item("write tenant", &tenants::TenantItem::new(next))?;
        Ok(transaction
            .put(
                "META",
                &self.names().tenants,
                item,
                &Expect::Number("ver", before.ver),
            )
            .put("audit", &self.names().audit, audit_row, &Expect::Absent))
    }
}

fn next_version(before: &Tenant, tenant: &Tenant) -> Tenant {
    Tenant {
        ver: before.ver + 1,
        audit_seq: before.audit_seq,
        audit_head: before.audit_head.clone(),
        ..tenant.clone()
    }
}
