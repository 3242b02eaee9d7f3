//! The transactions of phone numbers: an order is accepted before Twilio is asked, and done together with
//! the number's record, the tenants that it leaves and joins, their audit rows and the event.

use domain::Timestamp;
use domain::event::Event;
use domain::ids::TenantId;
use domain::numbers::{NumberOrder, NumberRecord};
use domain::tenant::Tenant;

use crate::store::to_item;
use crate::table::audit::AuditDraft;
use crate::table::control::{Idempotency, IdempotencyItem};
use crate::table::due::{ActKind, act_item};
use crate::table::numbers::{HeldItem, NumberItem, OrderItem};
use crate::table::outbox;
use crate::transaction::{Expect, Transaction};
use crate::{CommitError, Store};

/// An order to accept.
#[derive(Debug, Clone)]
pub struct OrderAcceptance {
    /// The tenant's row as it was read.
    pub before: Tenant,
    /// The row with the order open.
    pub tenant: Tenant,
    /// The order; `ver` is set here.
    pub order: NumberOrder,
    /// The number that it locks, as it becomes; `ver` is the version that was read.
    pub number: Option<NumberRecord>,
    /// The request's idempotency key; an order of our own has none.
    pub idempotency: Option<Idempotency>,
    /// When the work is taken up again if nobody finishes it.
    pub resume_at: Timestamp,
    /// The audit row.
    pub audit: AuditDraft,
}

/// An order that is done or refused.
#[derive(Debug, Clone)]
pub struct OrderEnd {
    /// The tenant's row as it was read, and as it becomes.
    pub tenant: (Tenant, Tenant),
    /// The row of the tenant that gains the number by a transfer, if it is another one: its audit row says so.
    pub gaining: Option<Tenant>,
    /// The order with its new state; `ver` is the version that was read.
    pub order: NumberOrder,
    /// The number as it becomes; `ver` is the version that was read.
    pub number: Option<NumberRecord>,
    /// The audit row.
    pub audit: AuditDraft,
    /// The event; a refusal has none.
    pub event: Option<Event>,
}

impl Store {
    /// Accepts an order. A replay conflicts on `IDEM`, another order on the same number on `P`.
    pub async fn accept_order(&self, acceptance: &OrderAcceptance) -> Result<Tenant, CommitError> {
        const OPERATION: &str = "accept number order";
        let names = self.names();
        let order = NumberOrder {
            ver: 1,
            ..acceptance.order.clone()
        };
        let (transaction, next) =
            self.write_tenant(&acceptance.before, &acceptance.tenant, &acceptance.audit)?;
        let mut transaction = transaction
            .put(
                "O",
                &names.tenants,
                to_item(OPERATION, &OrderItem::new(&order))?,
                &Expect::Absent,
            )
            .put(
                "due",
                &names.due,
                act_item(ActKind::Provision, &next.id, acceptance.resume_at)?,
                &Expect::Anything,
            );
        if let Some(record) = &acceptance.number {
            transaction = self.number_write(transaction, record)?;
        }
        if let Some(idempotency) = &acceptance.idempotency {
            let item = to_item(OPERATION, &IdempotencyItem::new(idempotency))?;
            transaction = transaction.put("IDEM", &names.control, item, &Expect::Absent);
        }
        transaction.commit(OPERATION).await?;
        Ok(next)
    }

    /// Ends an order. A lost race conflicts on `META`, `O` or `P`.
    pub async fn end_order(&self, end: &OrderEnd) -> Result<Tenant, CommitError> {
        const OPERATION: &str = "end number order";
        let names = self.names();
        let (before, after) = &end.tenant;
        let order = NumberOrder {
            ver: end.order.ver + 1,
            ..end.order.clone()
        };
        let (mut transaction, next) = self.write_tenant(before, after, &end.audit)?;
        transaction = transaction.put(
            "O",
            &names.tenants,
            to_item(OPERATION, &OrderItem::new(&order))?,
            &Expect::Number("ver", end.order.ver),
        );
        if let Some(gaining) = &end.gaining {
            transaction = self.and_write_tenant(transaction, gaining, gaining, &end.audit)?;
        }
        if let Some(record) = &end.number {
            transaction = self.number_write(transaction, record)?;
            for tenant in holders(record) {
                let item = to_item(OPERATION, &HeldItem::new(tenant, record))?;
                transaction = transaction.put("N", &names.tenants, item, &Expect::Anything);
            }
        }
        if let Some(event) = &end.event {
            let item = outbox::item(event)?;
            transaction = transaction.put("outbox", &names.outbox, item, &Expect::Absent);
        }
        transaction.commit(OPERATION).await?;
        Ok(next)
    }

    pub(crate) fn number_write<'a>(
        &self,
        transaction: Transaction<'a>,
        record: &NumberRecord,
    ) -> Result<Transaction<'a>, CommitError> {
        let expect = match record.ver {
            0 => Expect::Absent,
            ver => Expect::Number("ver", ver),
        };
        let next = NumberRecord {
            ver: record.ver + 1,
            ..record.clone()
        };
        let item = to_item("write number", &NumberItem::new(&next))?;
        Ok(transaction.put("P", &self.names().tenants, item, &expect))
    }
}

/// The tenants whose list names a number: the present holder and the one before.
fn holders(record: &NumberRecord) -> impl Iterator<Item = &TenantId> {
    let last_two = record.holdings.iter().rev().take(2);
    let tenants = last_two.filter_map(|holding| holding.tenant.as_ref());
    let mut seen: Vec<&TenantId> = Vec::new();
    for tenant in tenants {
        if !seen.contains(&tenant) {
            seen.push(tenant);
        }
    }
    seen.into_iter()
}
