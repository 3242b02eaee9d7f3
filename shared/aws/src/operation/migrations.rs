//! The transactions of migrations: accepted with the request's idempotency key, moved on with the records of the
//! numbers that came, the key that was handed over, the tenant's audit row and the events.

use domain::Timestamp;
use domain::event::Event;
use domain::ids::TenantId;
use domain::migration::Migration;
use domain::numbers::NumberRecord;
use domain::tenant::Tenant;

use crate::store::to_item;
use crate::table::audit::AuditDraft;
use crate::table::control::{Idempotency, IdempotencyItem};
use crate::table::due::{ActKind, act_item};
use crate::table::migrations::{ListedMigration, MigrationItem, SharedItem, SharedSubaccount};
use crate::table::numbers::HeldItem;
use crate::table::outbox;
use crate::table::tenants::{IssuedKey, KeyItem, OwnerItem};
use crate::transaction::{Expect, Transaction};
use crate::{CommitError, Store};

/// Numbers whose records one transaction can hold beside the rest.
pub const RECORDS_MAX: usize = 40;

/// A step of a migration.
#[derive(Debug, Clone)]
pub struct MigrationWrite {
    /// The gaining tenant's row as it was read; its audit row says what happened.
    pub tenant: Tenant,
    /// The migration as it becomes; `ver` is the version that was read, 0 for a new one.
    pub migration: Migration,
    /// The request's idempotency key, of a new one.
    pub idempotency: Option<Idempotency>,
    /// Numbers as they become; `ver` is the version that was read. At most `RECORDS_MAX`.
    pub numbers: Vec<NumberRecord>,
    /// The API key that was made.
    pub key: Option<IssuedKey>,
    /// When the work is taken up again.
    pub resume_at: Option<Timestamp>,
    /// The audit row.
    pub audit: AuditDraft,
    /// The events.
    pub events: Vec<Event>,
}

impl Store {
    /// Writes a step. A replay of a new one conflicts on `IDEM`, a lost race on `META`, `G` or `P`.
    pub async fn write_migration(
        &self,
        write: &MigrationWrite,
    ) -> Result<(Tenant, Migration), CommitError> {
        const OPERATION: &str = "write migration";
        let names = self.names();
        let migration = Migration {
            ver: write.migration.ver + 1,
            ..write.migration.clone()
        };
        let (mut transaction, tenant) =
            self.write_tenant(&write.tenant, &write.tenant, &write.audit)?;
        let expect = match write.migration.ver {
            0 => Expect::Absent,
            ver => Expect::Number("ver", ver),
        };
        let item = to_item(OPERATION, &MigrationItem::new(&migration))?;
        transaction = transaction.put("G", &names.tenants, item, &expect);
        if write.migration.ver == 0 {
            let item = to_item(OPERATION, &ListedMigration::new(&migration))?;
            transaction = transaction.put("list", &names.control, item, &Expect::Absent);
        }
        if let Some(idempotency) = &write.idempotency {
            let item = to_item(OPERATION, &IdempotencyItem::new(idempotency))?;
            transaction = transaction.put("IDEM", &names.control, item, &Expect::Absent);
        }
        for record in &write.numbers {
            transaction = self.held_number(transaction, &write.tenant.id, record)?;
        }
        if let Some(issued) = &write.key {
            let item = to_item(OPERATION, &KeyItem::new(&write.tenant.id, issued))?;
            transaction = transaction.put("K", &names.tenants, item, &Expect::Anything);
        }
        if let Some(at) = write.resume_at {
            let item = act_item(ActKind::Provision, &write.tenant.id, at)?;
            transaction = transaction.put("due", &names.due, item, &Expect::Anything);
        }
        for event in &write.events {
            let item = outbox::item(event)?;
            transaction = transaction.put("outbox", &names.outbox, item, &Expect::Absent);
        }
        transaction.commit(OPERATION).await?;
        Ok((tenant, migration))
    }

    /// Writes a migration as a plain conditional update: `migration.ver` is the version that was read.
    pub async fn update_migration(&self, migration: &Migration) -> Result<Migration, CommitError> {
        let next = Migration {
            ver: migration.ver + 1,
            ..migration.clone()
        };
        self.put(
            "update migration",
            &self.names().tenants,
            &MigrationItem::new(&next),
            &Expect::Number("ver", migration.ver),
            "G",
        )
        .await?;
        Ok(next)
    }

    /// Says that a subaccount is shared: its owner row is nobody's, for ever. A conflict on `S` means that a
    /// tenant owns it.
    pub async fn put_shared_subaccount(
        &self,
        shared: &SharedSubaccount,
    ) -> Result<SharedSubaccount, CommitError> {
        const OPERATION: &str = "write shared subaccount";
        let names = self.names();
        let next = SharedSubaccount {
            ver: shared.ver + 1,
            ..shared.clone()
        };
        let nobody = TenantId::nobody();
        let owner = to_item(OPERATION, &OwnerItem::of_sid(&shared.account_sid, &nobody))?;
        let same_owner = Expect::AbsentOrText("tenant", nobody.as_str().to_owned());
        let expect = match shared.ver {
            0 => Expect::Absent,
            ver => Expect::Number("ver", ver),
        };
        let item = to_item(OPERATION, &SharedItem::new(&next))?;
        Transaction::new(self)
            .put("S", &names.tenants, owner, &same_owner)
            .put("SHARED", &names.control, item, &expect)
            .commit(OPERATION)
            .await?;
        Ok(next)
    }

    /// Writes which numbers of a shared subaccount a member holds, at most `RECORDS_MAX` at once, with its row.
    pub async fn write_member(
        &self,
        before: &Tenant,
        tenant: &Tenant,
        numbers: &[NumberRecord],
        audit: &AuditDraft,
    ) -> Result<Tenant, CommitError> {
        let (mut transaction, next) = self.write_tenant(before, tenant, audit)?;
        for record in numbers {
            transaction = self.held_number(transaction, &tenant.id, record)?;
        }
        transaction.commit("write member").await?;
        Ok(next)
    }

    /// A number's record, and its place in the tenant's list.
    fn held_number<'a>(
        &self,
        transaction: Transaction<'a>,
        tenant: &TenantId,
        record: &NumberRecord,
    ) -> Result<Transaction<'a>, CommitError> {
        let item = to_item("write number", &HeldItem::new(tenant, record))?;
        let transaction = self.number_write(transaction, record)?;
        Ok(transaction.put("N", &self.names().tenants, item, &Expect::Anything))
    }
}
