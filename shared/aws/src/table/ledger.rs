//! Table `ledger`: `T#<tenant>` / `WALLET` is the wallet, `E#<seq>` an entry, `N#<natural key>` a payment's
//! uniqueness. Entries are put if absent, chained by hash, never changed.

use std::collections::BTreeMap;

use domain::caps::Spend;
use domain::dunning::Dunning;
use domain::guards::Watched;
use domain::ids::TenantId;
use domain::ledger::{Entry, EntryKind, LedgerAccount, Posting};
use domain::lots::Funds;
use domain::money::{self, Currency};
use domain::plan::{Origin, PlanRef};
use domain::rating::{LineDelta, PeriodDelta};
use domain::recharge::Recharge;
use domain::standing::Standing;
use domain::usage::Exchange;
use domain::wallet::Wallet;
use domain::{Date, Decimal, Timestamp};
use serde::{Deserialize, Serialize};

use crate::store::{BATCH_GET_MAX, Range, Sort, from_item, key};
use crate::table::audit::hash;
use crate::table::tenants::{partition, tenant_of_item};
use crate::table::text;
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
    /// Sums of accounts.
    acc: BTreeMap<LedgerAccount, String>,
    /// Open lots.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    lots: String,
    #[serde(with = "money::text")]
    overdraft: Decimal,
    standing: Standing,
    standing_ver: u64,
    #[serde(default, skip_serializing_if = "Dunning::is_default")]
    dunning: Dunning,
    #[serde(default, skip_serializing_if = "Spend::is_default")]
    spend: Spend,
    #[serde(default, skip_serializing_if = "Watched::is_default")]
    watched: Watched,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    through: Option<Date>,
    #[serde(default, skip_serializing_if = "Recharge::is_default")]
    recharge: Recharge,
    /// Grows with every write, also with those that book nothing.
    rev: u64,
}

impl WalletItem {
    pub(crate) fn new(tenant: &TenantId, wallet: &Wallet) -> Self {
        let wallet = wallet.clone();
        Self {
            pk: partition(tenant),
            sk: "WALLET".to_owned(),
            v: 2,
            seq: wallet.seq,
            head: wallet.head,
            ccy: wallet.currency,
            acc: wallet
                .accounts
                .iter()
                .map(|(account, sum)| (*account, money::to_text(*sum)))
                .collect(),
            lots: text::lots(wallet.funds.lots()),
            overdraft: wallet.funds.overdraft(),
            standing: wallet.standing,
            standing_ver: wallet.standing_ver,
            dunning: wallet.dunning,
            spend: wallet.spend,
            watched: wallet.watched,
            through: wallet.completed_through,
            recharge: wallet.recharge,
            rev: wallet.rev,
        }
    }

    pub(crate) fn into_wallet(self) -> Result<Wallet, StoreError> {
        let malformed = |what: &str| StoreError::malformed("read wallet", what);
        let mut accounts = BTreeMap::new();
        for (account, sum) in self.acc {
            let sum = money::parse_decimal(&sum).map_err(|_| malformed("account"))?;
            accounts.insert(account, sum);
        }
        let lots = text::parse_lots(&self.lots).ok_or_else(|| malformed("lots"))?;
        Ok(Wallet {
            currency: self.ccy,
            seq: self.seq,
            head: self.head,
            funds: Funds::new(lots, self.overdraft),
            accounts,
            standing: self.standing,
            standing_ver: self.standing_ver,
            dunning: self.dunning,
            spend: self.spend,
            watched: self.watched,
            completed_through: self.through,
            recharge: self.recharge,
            rev: self.rev,
        })
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
    /// Changes of lots and overdraft.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    mv: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    l: Vec<DayLines>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    m: Vec<PeriodLines>,
    /// The billing period that it is the statement of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    st: Option<Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    prev: String,
    #[serde(default)]
    hash: String,
}

/// An entry's lines of one day, by rules of one plan version (none: of the tenant's overrides).
#[derive(Serialize, Deserialize)]
struct DayLines {
    d: Date,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    a: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<PlanRef>,
    /// Currency and rate that costs were converted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x: Option<(Currency, String)>,
    r: BTreeMap<String, String>,
}

/// An entry's lines of one period's rules, as of one day.
#[derive(Serialize, Deserialize)]
struct PeriodLines {
    s: Date,
    d: Date,
    r: BTreeMap<String, String>,
}

/// A page of a tenant's chain.
#[derive(Debug, Clone)]
pub struct ChainPage {
    /// The entries, in order.
    pub entries: Vec<Entry>,
    /// What is wrong with rows: what, what it should be, what it is.
    pub faults: Vec<(String, String, String)>,
    /// The last row's hash.
    pub head: String,
    /// The last row's number.
    pub last: u64,
    /// There are no more.
    pub is_last: bool,
}

impl ChainPage {
    fn add(&mut self, mut item: EntryItem) -> Result<(), StoreError> {
        let name = format!("row {}", item.sk);
        if item.prev != self.head {
            let what = format!("{name} previous hash");
            self.faults
                .push((what, self.head.clone(), item.prev.clone()));
        }
        self.head.clone_from(&item.hash);
        let number = item.sk.strip_prefix("E#").and_then(|seq| seq.parse().ok());
        self.last = number.unwrap_or(self.last + 1);
        if !item.is_intact()? {
            let written = std::mem::take(&mut item.hash);
            // What the row says is computed with all the same; it is the hash that tells.
            item.hash = hash(&item)?;
            self.faults
                .push((format!("{name} hash"), item.hash.clone(), written));
        }
        match item.into_entry() {
            Ok(entry) => self.entries.push(entry),
            Err(error) => self.faults.push((name, error.to_string(), String::new())),
        }
        Ok(())
    }
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
            v: 2,
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
            mv: text::parts(&entry.moves),
            l: group(&entry.lines),
            m: group_periods(&entry.periods),
            st: entry.statement,
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
        Ok(Entry {
            seq,
            kind: self.k,
            actor: self.by,
            reason: self.why,
            at: self.at,
            currency: self.ccy,
            postings,
            moves: text::parse_parts(&self.mv).ok_or_else(|| malformed("lots"))?,
            lines: ungroup(self.l).ok_or_else(|| malformed("line"))?,
            periods: ungroup_periods(self.m).ok_or_else(|| malformed("period line"))?,
            statement: self.st,
            natural_key: self.n,
        })
    }
}

fn group(lines: &[LineDelta]) -> Vec<DayLines> {
    let mut groups: Vec<DayLines> = Vec::new();
    for line in lines {
        let encoded = text::encode(&line.observed, [line.cost, line.charge]);
        let plan = match &line.origin {
            Origin::Plan(plan) => Some(plan.clone()),
            Origin::Override => None,
        };
        let key = text::line_key(&line.key);
        match groups
            .iter_mut()
            .find(|group| group.d == line.day && group.p == plan)
        {
            Some(group) => {
                group.r.insert(key, encoded);
            }
            None => groups.push(DayLines {
                d: line.day,
                a: line.as_of,
                p: plan,
                x: line
                    .exchange
                    .as_ref()
                    .map(|exchange| (exchange.price_unit, money::to_text(exchange.rate))),
                r: BTreeMap::from([(key, encoded)]),
            }),
        }
    }
    groups
}

fn ungroup(groups: Vec<DayLines>) -> Option<Vec<LineDelta>> {
    let mut lines = Vec::new();
    for group in groups {
        let exchange = match &group.x {
            Some((price_unit, rate)) => Some(Exchange {
                price_unit: *price_unit,
                rate: money::parse_decimal(rate).ok()?,
            }),
            None => None,
        };
        for (key, encoded) in &group.r {
            let (observed, [cost, charge]) = text::decode(encoded)?;
            lines.push(LineDelta {
                day: group.d,
                key: text::parse_line_key(key)?,
                observed,
                as_of: group.a,
                cost,
                charge,
                origin: group.p.clone().map_or(Origin::Override, Origin::Plan),
                exchange: exchange.clone(),
            });
        }
    }
    Some(lines)
}

fn group_periods(lines: &[PeriodDelta]) -> Vec<PeriodLines> {
    let mut groups: Vec<PeriodLines> = Vec::new();
    for line in lines {
        let key = text::period_key(&line.key);
        let encoded = text::encode(&line.sums, [line.charge]);
        match groups
            .iter_mut()
            .find(|group| group.s == line.period && group.d == line.day)
        {
            Some(group) => {
                group.r.insert(key, encoded);
            }
            None => groups.push(PeriodLines {
                s: line.period,
                d: line.day,
                r: BTreeMap::from([(key, encoded)]),
            }),
        }
    }
    groups
}

fn ungroup_periods(groups: Vec<PeriodLines>) -> Option<Vec<PeriodDelta>> {
    let mut lines = Vec::new();
    for group in groups {
        for (key, encoded) in &group.r {
            let (sums, [charge]) = text::decode(encoded)?;
            lines.push(PeriodDelta {
                period: group.s,
                key: text::parse_period_key(key)?,
                day: group.d,
                sums,
                charge,
            });
        }
    }
    Some(lines)
}

fn entry_sort_key(seq: u64) -> String {
    format!("E#{seq:010}")
}

pub(crate) fn wallet_key(tenant: &TenantId) -> Item {
    key(&partition(tenant), "WALLET")
}

pub(crate) fn wallet_from_item(item: Item) -> Result<Wallet, StoreError> {
    from_item::<WalletItem>("read wallet", item)?.into_wallet()
}

impl Store {
    /// A tenant's wallet, read consistently.
    pub async fn wallet(&self, tenant: &TenantId) -> Result<Option<Wallet>, StoreError> {
        let item: Option<WalletItem> = self
            .get("read wallet", &self.names().ledger, wallet_key(tenant))
            .await?;
        item.map(WalletItem::into_wallet).transpose()
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

    /// A tenant's entries from one to another, both included, in order.
    pub async fn entry_range(
        &self,
        tenant: &TenantId,
        from: u64,
        through: u64,
    ) -> Result<Vec<Entry>, StoreError> {
        if through < from {
            return Ok(Vec::new());
        }
        let range = Range {
            consistent: true,
            ..Range::all(
                partition(tenant),
                Sort::Between(entry_sort_key(from), entry_sort_key(through)),
            )
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

    /// A tenant's entries in order from behind `after`, with what is wrong with their rows: what a proof of the
    /// books reads, page by page. A row that cannot be read is a fault, not an error.
    pub async fn chain_page(
        &self,
        tenant: &TenantId,
        after: u64,
        head: &str,
        limit: usize,
    ) -> Result<ChainPage, StoreError> {
        let (low, high) = (entry_sort_key(after + 1), entry_sort_key(9_999_999_999));
        let range = Range {
            consistent: true,
            limit: Some(limit),
            ..Range::all(partition(tenant), Sort::Between(low, high))
        };
        let items: Vec<EntryItem> = self
            .query("read entries", &self.names().ledger, range)
            .await?;
        let mut page = ChainPage {
            is_last: items.len() < limit,
            last: after,
            head: head.to_owned(),
            entries: Vec::new(),
            faults: Vec::new(),
        };
        for item in items {
            page.add(item)?;
        }
        Ok(page)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        "2027-01-15T08:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_standing_that_was_stored_before_there_were_reminders_is_read() {
        for (stored, standing) in [
            (
                r#"{"state":"grace","since":"2027-01-15T08:00:00Z"}"#,
                Standing::Grace {
                    since: at(),
                    reminded: 0,
                },
            ),
            (
                r#"{"state":"unpaid","since":"2027-01-15T08:00:00Z"}"#,
                Standing::Unpaid {
                    since: at(),
                    dry_since: None,
                },
            ),
            (r#"{"state":"low"}"#, Standing::Low),
        ] {
            let read: Standing = serde_json::from_str(stored).unwrap();
            assert_eq!(read, standing, "{stored}");
            assert_eq!(serde_json::to_string(&standing).unwrap(), stored);
        }
    }

    #[test]
    fn what_stands_in_a_wallet_besides_money_is_read_back_and_costs_nothing_while_there_is_none() {
        let tenant = TenantId::from_ulid(domain::ids::ulid(1, 1));
        let plain = Wallet::new(Currency::USD);
        let item = crate::store::to_item("test", &WalletItem::new(&tenant, &plain)).unwrap();
        for name in ["dunning", "spend", "watched"] {
            assert!(!item.contains_key(name), "{name}");
        }
        let mut full = plain.clone();
        full.standing = Standing::Restricted {
            since: at(),
            reminded: 2,
        };
        full.dunning = Dunning {
            exemption: Some(domain::dunning::Exemption::ManualOnly),
            hold_off_until: Some(at()),
            released_at: Some(at()),
            next_action_at: Some(at()),
        };
        full.spend.caps.day.hard = Some(Decimal::new(15, 1));
        full.spend.day = Some(domain::caps::Meter {
            from: Date::constant(2027, 1, 15),
            to: Date::constant(2027, 1, 15),
            charged: Decimal::TWO,
            is_soft_told: true,
            capped_at: Some(Decimal::ONE),
        });
        full.watched = Watched {
            day: Some(Date::constant(2027, 1, 15)),
            is_velocity_told: true,
            prefixes: vec!["882".to_owned()],
        };
        for wallet in [plain, full] {
            let item = crate::store::to_item("test", &WalletItem::new(&tenant, &wallet)).unwrap();
            assert_eq!(wallet_from_item(item).unwrap(), wallet);
        }
    }
}
