//! The money transaction of a usage run, all or nothing, and what every money transaction holds.

use domain::booking::Booking;
use domain::event::Event;
use domain::ids::TenantId;
use domain::ledger::Entry;
use domain::rating::DaySheet;
use domain::tenant::Tenant;
use domain::wallet::Wallet;
use domain::{Date, Timestamp};

use crate::store::to_item;
use crate::table::due::{ActKind, act_item};
use crate::table::ledger::{EntryItem, WalletItem, wallet_from_item, wallet_key};
use crate::table::tenants::{meta_key, tenant_from_item, tenant_of_item};
use crate::table::usage::{PeriodItem, SheetItem, sheet_from_item, sheet_key};
use crate::transaction::{Expect, Transaction};
use crate::{CommitError, Store, StoreError};

/// What a usage run begins with, read in one call.
#[derive(Debug, Clone)]
pub struct UsageRead {
    /// The tenant's row.
    pub tenant: Option<Tenant>,
    /// Its wallet.
    pub wallet: Option<Wallet>,
    /// Its sheets of the days asked for; days without one are left out.
    pub sheets: Vec<DaySheet>,
}

/// What must hold for a sheet that was read at this revision; 0 = it was not there.
pub(crate) fn revision(before: u64) -> Expect {
    if before == 0 {
        Expect::Absent
    } else {
        Expect::Number("rev", before)
    }
}

impl Store {
    /// Reads a tenant, its wallet and the sheets of `days` in one call. The first reading of a run may be
    /// stale, which the write's conditions find out; a second one asks for `consistent`.
    pub async fn read_usage(
        &self,
        tenant: &TenantId,
        days: &[Date],
        consistent: bool,
    ) -> Result<UsageRead, StoreError> {
        let names = self.names();
        let mut found = UsageRead {
            tenant: None,
            wallet: None,
            sheets: Vec::new(),
        };
        let fixed = [
            (names.tenants.as_str(), meta_key(tenant)),
            (names.ledger.as_str(), wallet_key(tenant)),
        ];
        let keys: Vec<_> = fixed
            .into_iter()
            .chain(
                days.iter()
                    .map(|day| (names.usage.as_str(), sheet_key(tenant, *day))),
            )
            .collect();
        for chunk in keys.chunks(crate::store::BATCH_GET_MAX) {
            for (table, item) in self
                .batch_get("read usage", chunk.to_vec(), consistent)
                .await?
            {
                if table == names.tenants {
                    found.tenant = Some(tenant_from_item(item)?);
                } else if table == names.ledger {
                    found.wallet = Some(wallet_from_item(item)?);
                } else {
                    found.sheets.push(sheet_from_item(item)?);
                }
            }
        }
        found.sheets.sort_by_key(|sheet| sheet.day);
        Ok(found)
    }

    /// Sheets of one day for many tenants, each with whose it is; tenants without one are left out.
    pub async fn day_sheets_of(
        &self,
        tenants: &[TenantId],
        day: Date,
    ) -> Result<Vec<(TenantId, DaySheet)>, StoreError> {
        const OPERATION: &str = "read day sheets";
        let mut sheets = Vec::new();
        for chunk in tenants.chunks(crate::store::BATCH_GET_MAX) {
            let keys = chunk
                .iter()
                .map(|tenant| (self.names().usage.as_str(), sheet_key(tenant, day)))
                .collect();
            for (_, item) in self.batch_get(OPERATION, keys, true).await? {
                sheets.push((tenant_of_item(OPERATION, &item)?, sheet_from_item(item)?));
            }
        }
        Ok(sheets)
    }

    /// Books a usage run: sheets, entry, wallet and events at once. A conflict means that another run was
    /// first: read again, decide again; what it booked will then not differ any more.
    pub async fn book_usage(
        &self,
        tenant: &TenantId,
        booking: &Booking,
    ) -> Result<Wallet, CommitError> {
        const OPERATION: &str = "book usage";
        let names = self.names();
        let mut transaction = Transaction::new(self);
        for change in &booking.changes {
            transaction = transaction.put(
                "D",
                &names.usage,
                to_item(OPERATION, &SheetItem::new(tenant, &change.sheet))?,
                &revision(change.sheet.rev - 1),
            );
        }
        for sheet in &booking.periods {
            transaction = transaction.put(
                "M",
                &names.usage,
                to_item(OPERATION, &PeriodItem::new(tenant, sheet))?,
                &revision(sheet.rev - 1),
            );
        }
        let (transaction, wallet) = self.money(
            transaction,
            tenant,
            booking.entry.as_ref(),
            &booking.wallet,
            &booking.events,
            booking.timer_at,
        )?;
        transaction.commit(OPERATION).await?;
        Ok(wallet)
    }

    /// What every money transaction holds: the entry, the wallet under its revision, events, the timer.
    pub(crate) fn money<'a>(
        &'a self,
        mut transaction: Transaction<'a>,
        tenant: &TenantId,
        entry: Option<&Entry>,
        wallet: &Wallet,
        events: &[Event],
        timer_at: Option<Timestamp>,
    ) -> Result<(Transaction<'a>, Wallet), StoreError> {
        const OPERATION: &str = "write wallet";
        let names = self.names();
        let mut next = Wallet {
            rev: wallet.rev + 1,
            ..wallet.clone()
        };
        if let Some(entry) = entry {
            let (item, head) = EntryItem::chained(tenant, entry, &wallet.head)?;
            transaction = transaction.put(
                "E",
                &names.ledger,
                to_item(OPERATION, &item)?,
                &Expect::Absent,
            );
            next.head = head;
        }
        let item = to_item(OPERATION, &WalletItem::new(tenant, &next))?;
        transaction = transaction.put(
            "WALLET",
            &names.ledger,
            item,
            &Expect::Number("rev", wallet.rev),
        );
        transaction = self.put_events(transaction, events)?;
        if let Some(at) = timer_at {
            transaction = transaction.put(
                "due",
                &names.due,
                act_item(ActKind::Standing, tenant, at)?,
                &Expect::Anything,
            );
        }
        Ok((transaction, next))
    }
}
