//! The wallet transactions besides usage: an act on one wallet or two, and what belongs to a wallet without
//! moving money. Each is all or nothing; a replay changes nothing.

use domain::Timestamp;
use domain::event::Event;
use domain::ids::TenantId;
use domain::ledger::Entry;
use domain::tenant::Tenant;
use domain::wallet::Wallet;

use crate::store::to_item;
use crate::table::audit::AuditDraft;
use crate::table::control::{Idempotency, IdempotencyItem};
use crate::table::ledger::NaturalKeyItem;
use crate::table::outbox;
use crate::transaction::{Expect, Transaction};
use crate::{CommitError, Store};

/// What one wallet becomes.
#[derive(Debug, Clone)]
pub struct WalletWrite {
    /// Whose it is.
    pub tenant: TenantId,
    /// The entry.
    pub entry: Entry,
    /// The wallet as it becomes; `rev` and `head` are the ones that were read.
    pub wallet: Wallet,
    /// Events of this change.
    pub events: Vec<Event>,
    /// When time alone may change the standing.
    pub timer_at: Option<Timestamp>,
}

impl Store {
    /// Books an act: the entries and wallets of one tenant or two, their natural keys, the request's
    /// idempotency key and events. A replay conflicts on `IDEM` or `N`, a lost race on `WALLET` or `E` only.
    pub async fn write_wallets(
        &self,
        idempotency: &Idempotency,
        writes: &[WalletWrite],
    ) -> Result<Vec<Wallet>, CommitError> {
        const OPERATION: &str = "book a wallet act";
        let names = self.names();
        let mut transaction = Transaction::new(self).put(
            "IDEM",
            &names.control,
            to_item(OPERATION, &IdempotencyItem::new(idempotency))?,
            &Expect::Absent,
        );
        let mut wallets = Vec::new();
        for write in writes {
            if let Some(natural_key) = &write.entry.natural_key {
                let natural = NaturalKeyItem::new(&write.tenant, natural_key, write.entry.seq);
                let item = to_item(OPERATION, &natural)?;
                transaction = transaction.put("N", &names.ledger, item, &Expect::Absent);
            }
            let (extended, wallet) = self.money(
                transaction,
                &write.tenant,
                Some(&write.entry),
                &write.wallet,
                &write.events,
                write.timer_at,
            )?;
            transaction = extended;
            wallets.push(wallet);
        }
        transaction.commit(OPERATION).await?;
        Ok(wallets)
    }

    /// Writes a wallet whose money stays as it is, such as a changed rule, with the tenant's audit row, and the timer
    /// if time alone may change the standing.
    pub async fn write_wallet_rule(
        &self,
        tenant: &Tenant,
        wallet: &Wallet,
        events: &[Event],
        audit: &AuditDraft,
        timer_at: Option<Timestamp>,
    ) -> Result<Wallet, CommitError> {
        let (transaction, _) = self.write_tenant(tenant, tenant, audit)?;
        let (transaction, wallet) =
            self.money(transaction, &tenant.id, None, wallet, events, timer_at)?;
        transaction.commit("write wallet rule").await?;
        Ok(wallet)
    }

    /// Writes a tenant's new state with its audit row, and the idempotency key and event if there are any.
    /// A replay conflicts on `IDEM`, a lost race on `META`.
    pub async fn change_tenant(
        &self,
        before: &Tenant,
        tenant: &Tenant,
        audit: &AuditDraft,
        event: Option<&Event>,
        idempotency: Option<&Idempotency>,
    ) -> Result<Tenant, CommitError> {
        const OPERATION: &str = "change tenant";
        let names = self.names();
        let (mut transaction, next) = self.write_tenant(before, tenant, audit)?;
        if let Some(event) = event {
            let item = outbox::item(event)?;
            transaction = transaction.put("outbox", &names.outbox, item, &Expect::Absent);
        }
        if let Some(idempotency) = idempotency {
            let item = to_item(OPERATION, &IdempotencyItem::new(idempotency))?;
            transaction = transaction.put("IDEM", &names.control, item, &Expect::Absent);
        }
        transaction.commit(OPERATION).await?;
        Ok(next)
    }
}
