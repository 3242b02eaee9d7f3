//! Table `usage`: `T#<tenant>` / `D#<day>` is a day sheet, the projection of a day's booked lines.
//!
//! A line is one short text, so that 25 categories fit 2 KB: an item's size is what its writes cost.

use std::collections::BTreeMap;

use domain::ids::TenantId;
use domain::money::{self, parse_decimal};
use domain::rating::{DaySheet, SheetLine};
use domain::usage::{Category, Quantities};
use domain::{Date, Timestamp};
use serde::{Deserialize, Serialize};

use crate::store::{Range, Sort, from_item, key};
use crate::table::tenants::partition;
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
    l: BTreeMap<Category, String>,
}

impl SheetItem {
    pub(crate) fn new(tenant: &TenantId, sheet: &DaySheet) -> Self {
        Self {
            pk: partition(tenant),
            sk: sort_key(sheet.day),
            v: 1,
            rev: sheet.rev,
            a: sheet.as_of,
            held: sheet.held.clone(),
            l: sheet
                .lines
                .iter()
                .map(|(category, line)| (category.clone(), encode(line)))
                .collect(),
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
        for (category, text) in self.l {
            lines.insert(category, decode(&text).ok_or_else(|| malformed("line"))?);
        }
        Ok(DaySheet {
            day,
            rev: self.rev,
            as_of: self.a,
            lines,
            held: self.held,
        })
    }
}

fn encode(line: &SheetLine) -> String {
    join(&[
        line.quantities.count,
        line.quantities.usage,
        line.quantities.cost,
        line.charge,
    ])
}

fn decode(text: &str) -> Option<SheetLine> {
    let [count, usage, cost, charge] = split(text)?;
    Some(SheetLine {
        quantities: Quantities { count, usage, cost },
        charge,
    })
}

/// Amounts as one short text.
pub(crate) fn join(values: &[domain::Decimal]) -> String {
    values
        .iter()
        .map(|value| money::to_text(*value))
        .collect::<Vec<_>>()
        .join("|")
}

/// The amounts of such a text.
pub(crate) fn split<const N: usize>(text: &str) -> Option<[domain::Decimal; N]> {
    let values: Option<Vec<_>> = text
        .split('|')
        .map(|part| parse_decimal(part).ok())
        .collect();
    values?.try_into().ok()
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

impl Store {
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
