//! Table `usage`: `T#<tenant>` / `D#<day>` is a day sheet, `M#<period>` a period sheet: projections of the
//! ledger's usage entries.
//!
//! A line is one short text, so that 25 categories fit 2 KB: an item's size is what its writes cost.

use std::collections::BTreeMap;

use domain::ids::TenantId;
use domain::rating::{DaySheet, PeriodLine, PeriodSheet, SheetLine};
use domain::{Date, Timestamp};
use serde::{Deserialize, Serialize};

use crate::store::{BATCH_GET_MAX, Range, Sort, from_item, key};
use crate::table::tenants::partition;
use crate::table::text;
use crate::transaction::Item;
use crate::{Store, StoreError};

#[derive(Serialize, Deserialize)]
pub(crate) struct SheetItem {
    pk: String,
    sk: String,
    v: u32,
    rev: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    a: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held: Option<String>,
    l: BTreeMap<String, String>,
    /// What paid for the day.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    p: String,
}

impl SheetItem {
    pub(crate) fn new(tenant: &TenantId, sheet: &DaySheet) -> Self {
        Self {
            pk: partition(tenant),
            sk: sort_key(sheet.day),
            v: 2,
            rev: sheet.rev,
            a: sheet.as_of,
            held: sheet.held.clone(),
            l: sheet
                .lines
                .iter()
                .map(|(key, line)| {
                    let encoded = text::encode(&line.quantities, [line.charge]);
                    (text::line_key(key), encoded)
                })
                .collect(),
            p: text::parts(&sheet.paid),
        }
    }

    fn into_sheet(self) -> Result<DaySheet, StoreError> {
        let malformed = |what: &str| StoreError::malformed("read day sheet", what);
        let day = self
            .sk
            .strip_prefix("D#")
            .and_then(|day| day.parse().ok())
            .ok_or_else(|| malformed("day"))?;
        let mut lines = BTreeMap::new();
        for (key, line) in self.l {
            let key = text::parse_line_key(&key).ok_or_else(|| malformed("line"))?;
            let (quantities, [charge]) = text::decode(&line).ok_or_else(|| malformed("line"))?;
            lines.insert(key, SheetLine { quantities, charge });
        }
        Ok(DaySheet {
            day,
            rev: self.rev,
            as_of: self.a,
            lines,
            held: self.held,
            paid: text::parse_parts(&self.p).ok_or_else(|| malformed("lots"))?,
        })
    }
}

/// `M#<period>`: the text of each rule, then what paid for it.
#[derive(Serialize, Deserialize)]
pub(crate) struct PeriodItem {
    pk: String,
    sk: String,
    v: u32,
    rev: u64,
    l: BTreeMap<String, (String, String)>,
}

impl PeriodItem {
    pub(crate) fn new(tenant: &TenantId, sheet: &PeriodSheet) -> Self {
        let lines = sheet.rules.iter().map(|(key, line)| {
            let encoded = text::encode(&line.sums, [line.charge]);
            (text::period_key(key), (encoded, text::parts(&line.paid)))
        });
        Self {
            pk: partition(tenant),
            sk: period_sort_key(sheet.start),
            v: 1,
            rev: sheet.rev,
            l: lines.collect(),
        }
    }

    fn into_sheet(self) -> Result<PeriodSheet, StoreError> {
        let malformed = |what: &str| StoreError::malformed("read period sheet", what);
        let start = self
            .sk
            .strip_prefix("M#")
            .and_then(|start| start.parse().ok())
            .ok_or_else(|| malformed("period"))?;
        let mut rules = BTreeMap::new();
        for (key, (line, paid)) in self.l {
            let key = text::parse_period_key(&key).ok_or_else(|| malformed("rule"))?;
            let (sums, [charge]) = text::decode(&line).ok_or_else(|| malformed("line"))?;
            let paid = text::parse_parts(&paid).ok_or_else(|| malformed("lots"))?;
            rules.insert(key, PeriodLine { sums, charge, paid });
        }
        Ok(PeriodSheet {
            start,
            rev: self.rev,
            rules,
        })
    }
}

pub(crate) fn sort_key(day: Date) -> String {
    format!("D#{day}")
}

pub(crate) fn sheet_key(tenant: &TenantId, day: Date) -> Item {
    key(&partition(tenant), &sort_key(day))
}

pub(crate) fn sheet_from_item(item: Item) -> Result<DaySheet, StoreError> {
    from_item::<SheetItem>("read day sheet", item)?.into_sheet()
}

fn period_sort_key(start: Date) -> String {
    format!("M#{start}")
}

impl Store {
    /// A tenant's sheets of these periods, in order; periods without one are left out. Read consistently.
    pub async fn period_sheets(
        &self,
        tenant: &TenantId,
        starts: &[Date],
    ) -> Result<Vec<PeriodSheet>, StoreError> {
        const OPERATION: &str = "read period sheets";
        let mut sheets = Vec::new();
        for chunk in starts.chunks(BATCH_GET_MAX) {
            let keys = chunk.iter().map(|start| {
                let key = key(&partition(tenant), &period_sort_key(*start));
                (self.names().usage.as_str(), key)
            });
            for (_, item) in self.batch_get(OPERATION, keys.collect(), true).await? {
                sheets.push(from_item::<PeriodItem>(OPERATION, item)?.into_sheet()?);
            }
        }
        sheets.sort_by_key(|sheet| sheet.start);
        Ok(sheets)
    }

    /// All of a tenant's period sheets, in order, read consistently.
    pub async fn all_period_sheets(
        &self,
        tenant: &TenantId,
    ) -> Result<Vec<PeriodSheet>, StoreError> {
        const OPERATION: &str = "read period sheets";
        let range = Range {
            consistent: true,
            ..Range::all(partition(tenant), Sort::Prefix("M#".to_owned()))
        };
        let items: Vec<PeriodItem> = self.query(OPERATION, &self.names().usage, range).await?;
        items.into_iter().map(PeriodItem::into_sheet).collect()
    }

    /// A tenant's sheets of a range of days, in order, read consistently.
    pub async fn day_sheets(
        &self,
        tenant: &TenantId,
        from: Date,
        to: Date,
    ) -> Result<Vec<DaySheet>, StoreError> {
        let sort = Sort::Between(sort_key(from), sort_key(to));
        let range = Range {
            consistent: true,
            ..Range::all(partition(tenant), sort)
        };
        let items: Vec<SheetItem> = self
            .query("read day sheets", &self.names().usage, range)
            .await?;
        items.into_iter().map(SheetItem::into_sheet).collect()
    }
}
