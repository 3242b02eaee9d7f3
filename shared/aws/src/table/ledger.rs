//! Table `ledger`: `T#<tenant>` / `WALLET` is the wallet, `E#<seq>` an entry, `N#<natural key>` a payment's
//! uniqueness. Entries are put if absent, chained by hash, never changed.

use std::collections::BTreeMap;

use domain::ids::TenantId;
use domain::ledger::{Entry, EntryKind, LedgerAccount, Posting};
use domain::money::{self, Currency};
use domain::plan::PlanRef;
use domain::rating::LineDelta;
use domain::standing::Standing;
use domain::usage::{Category, Quantities};
use domain::wallet::Wallet;
use domain::{Date, Decimal, Timestamp};
use serde::{Deserialize, Serialize};

use crate::store::{BATCH_GET_MAX, Range, Sort, from_item, key};
use crate::table::audit::hash;
use crate::table::tenants::{partition, tenant_of_item};
use crate::table::usage::{join, split};
use crate::transaction::Item;
use crate::{Store, StoreError};

#[derive(Serialize, Deserialize)]
pub(crate) struct WalletItem {
    pk: String,
    sk: String,
    v: u32,
    seq: u64,
    head: String,
    ccy: Currency,
    #[serde(with = "money::text")]
    balance: Decimal,
    #[serde(with = "money::text")]
    charged: Decimal,
    #[serde(with = "money::text")]
    cost: Decimal,
    #[serde(with = "money::text")]
    paid_in: Decimal,
    standing: Standing,
    standing_ver: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    through: Option<Date>,
    /// Grows with every write, also with those that book nothing.
    rev: u64,
}

impl WalletItem {
    pub(crate) fn new(tenant: &TenantId, wallet: &Wallet) -> Self {
        let wallet = wallet.clone();
        Self {
            pk: partition(tenant),
            sk: "WALLET".to_owned(),
            v: 1,
            seq: wallet.seq,
            head: wallet.head,
            ccy: wallet.currency,
            balance: wallet.balance,
            charged: wallet.charged,
            cost: wallet.cost,
            paid_in: wallet.paid_in,
            standing: wallet.standing,
            standing_ver: wallet.standing_ver,
            through: wallet.completed_through,
            rev: wallet.rev,
        }
    }

    pub(crate) fn into_wallet(self) -> Wallet {
        Wallet {
            currency: self.ccy,
            seq: self.seq,
            head: self.head,
            balance: self.balance,
            charged: self.charged,
            cost: self.cost,
            paid_in: self.paid_in,
            standing: self.standing,
            standing_ver: self.standing_ver,
            completed_through: self.through,
            rev: self.rev,
        }
    }
}

/// Entry rows keep names and lines short: an entry's size is what booking it costs.
#[derive(Serialize, Deserialize)]
pub(crate) struct EntryItem {
    pk: String,
    sk: String,
    v: u32,
    k: EntryKind,
    by: String,
    why: String,
    at: Timestamp,
    ccy: Currency,
    po: Vec<(LedgerAccount, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    l: Vec<DayLines>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    prev: String,
    #[serde(default)]
    hash: String,
}

/// An entry's lines of one day, rated by one plan version.
#[derive(Serialize, Deserialize)]
struct DayLines {
    d: Date,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    a: Option<Timestamp>,
    p: PlanRef,
    r: BTreeMap<Category, String>,
}

/// `N#`: a payment that was booked.
#[derive(Serialize, Deserialize)]
pub(crate) struct NaturalKeyItem {
    pk: String,
    sk: String,
    v: u32,
    pub(crate) seq: u64,
}

impl NaturalKeyItem {
    pub(crate) fn new(tenant: &TenantId, natural_key: &str, seq: u64) -> Self {
        Self {
            pk: partition(tenant),
            sk: format!("N#{natural_key}"),
            v: 1,
            seq,
        }
    }
}

impl EntryItem {
    /// The entry's row behind `prev`, and its hash.
    pub(crate) fn chained(
        tenant: &TenantId,
        entry: &Entry,
        prev: &str,
    ) -> Result<(Self, String), StoreError> {
        let mut item = Self {
            pk: partition(tenant),
            sk: entry_sort_key(entry.seq),
            v: 1,
            k: entry.kind,
            by: entry.actor.clone(),
            why: entry.reason.clone(),
            at: entry.at,
            ccy: entry.currency,
            po: entry
                .postings
                .iter()
                .map(|posting| (posting.account, money::to_text(posting.amount)))
                .collect(),
            l: group(&entry.lines),
            n: entry.natural_key.clone(),
            prev: prev.to_owned(),
            hash: String::new(),
        };
        item.hash = hash(&item)?;
        let head = item.hash.clone();
        Ok((item, head))
    }

    /// Does the row still have the hash that it was written with?
    fn is_intact(&mut self) -> Result<bool, StoreError> {
        let written = std::mem::take(&mut self.hash);
        let intact = hash(self)? == written;
        self.hash = written;
        Ok(intact)
    }

    fn into_entry(mut self) -> Result<Entry, StoreError> {
        let malformed = |what: &str| StoreError::malformed("read entry", what);
        if !self.is_intact()? {
            return Err(malformed("hash"));
        }
        let seq = self
            .sk
            .strip_prefix("E#")
            .and_then(|seq| seq.parse().ok())
            .ok_or_else(|| malformed("seq"))?;
        let amount = |text: &str| money::parse_decimal(text).map_err(|_| malformed("amount"));
        let mut postings = Vec::new();
        for (account, text) in &self.po {
            postings.push(Posting {
                account: *account,
                amount: amount(text)?,
            });
        }
        let mut lines = Vec::new();
        for group in self.l {
            for (category, text) in group.r {
                let [count, usage, observed, cost, charge] =
                    split(&text).ok_or_else(|| malformed("line"))?;
                lines.push(LineDelta {
                    day: group.d,
                    category,
                    observed: Quantities {
                        count,
                        usage,
                        cost: observed,
                    },
                    as_of: group.a,
                    cost,
                    charge,
                    plan: group.p.clone(),
                });
            }
        }
        Ok(Entry {
            seq,
            kind: self.k,
            actor: self.by,
            reason: self.why,
            at: self.at,
            currency: self.ccy,
            postings,
            lines,
            natural_key: self.n,
        })
    }
}

fn group(lines: &[LineDelta]) -> Vec<DayLines> {
    let mut groups: Vec<DayLines> = Vec::new();
    for line in lines {
        let text = join(&[
            line.observed.count,
            line.observed.usage,
            line.observed.cost,
            line.cost,
            line.charge,
        ]);
        match groups
            .iter_mut()
            .find(|group| group.d == line.day && group.p == line.plan)
        {
            Some(group) => {
                group.r.insert(line.category.clone(), text);
            }
            None => groups.push(DayLines {
                d: line.day,
                a: line.as_of,
                p: line.plan.clone(),
                r: BTreeMap::from([(line.category.clone(), text)]),
            }),
        }
    }
    groups
}

fn entry_sort_key(seq: u64) -> String {
    format!("E#{seq:010}")
}

pub(crate) fn wallet_key(tenant: &TenantId) -> Item {
    key(&partition(tenant), "WALLET")
}

pub(crate) fn wallet_from_item(item: Item) -> Result<Wallet, StoreError> {
    Ok(from_item::<WalletItem>("read wallet", item)?.into_wallet())
}

impl Store {
    /// A tenant's wallet, read consistently.
    pub async fn wallet(&self, tenant: &TenantId) -> Result<Option<Wallet>, StoreError> {
        let item: Option<WalletItem> = self
            .get("read wallet", &self.names().ledger, wallet_key(tenant))
            .await?;
        Ok(item.map(WalletItem::into_wallet))
    }

    /// Wallets of several tenants, read consistently; tenants without one are left out.
    pub async fn wallets(
        &self,
        tenants: &[TenantId],
    ) -> Result<BTreeMap<TenantId, Wallet>, StoreError> {
        const OPERATION: &str = "read wallets";
        let mut wallets = BTreeMap::new();
        for chunk in tenants.chunks(BATCH_GET_MAX) {
            let keys = chunk
                .iter()
                .map(|tenant| (self.names().ledger.as_str(), wallet_key(tenant)))
                .collect();
            for (_, item) in self.batch_get(OPERATION, keys, true).await? {
                wallets.insert(tenant_of_item(OPERATION, &item)?, wallet_from_item(item)?);
            }
        }
        Ok(wallets)
    }

    /// A tenant's entries, newest first, from below `before` (exclusive).
    pub async fn entries(
        &self,
        tenant: &TenantId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let high = entry_sort_key(before.map_or(9_999_999_999, |before| before.saturating_sub(1)));
        let range = Range {
            descending: true,
            consistent: true,
            limit: Some(limit),
            ..Range::all(partition(tenant), Sort::Between(entry_sort_key(0), high))
        };
        let items: Vec<EntryItem> = self
            .query("read entries", &self.names().ledger, range)
            .await?;
        items.into_iter().map(EntryItem::into_entry).collect()
    }

    /// All of a tenant's entries in order, their chain checked: what `ledger verify` folds.
    pub async fn entry_chain(&self, tenant: &TenantId) -> Result<Vec<Entry>, StoreError> {
        let range = Range {
            consistent: true,
            ..Range::all(partition(tenant), Sort::Prefix("E#".to_owned()))
        };
        let items: Vec<EntryItem> = self
            .query("read entries", &self.names().ledger, range)
            .await?;
        let mut head = String::new();
        let mut entries = Vec::new();
        for item in items {
            if item.prev != head {
                return Err(StoreError::malformed("read entries", "chain"));
            }
            head.clone_from(&item.hash);
            entries.push(item.into_entry()?);
        }
        Ok(entries)
    }

    /// The entry that a natural key was booked as.
    pub async fn booked_payment(
        &self,
        tenant: &TenantId,
        natural_key: &str,
    ) -> Result<Option<Entry>, StoreError> {
        const OPERATION: &str = "read payment";
        let table = &self.names().ledger;
        let found: Option<NaturalKeyItem> = self
            .get(
                OPERATION,
                table,
                key(&partition(tenant), &format!("N#{natural_key}")),
            )
            .await?;
        let Some(found) = found else { return Ok(None) };
        let item: Option<EntryItem> = self
            .get(
                OPERATION,
                table,
                key(&partition(tenant), &entry_sort_key(found.seq)),
            )
            .await?;
        item.map(EntryItem::into_entry).transpose()
    }
}
