//! Table `usage`: `T#<tenant>` / `PULL` is what usage runs remember besides the books. Only runs that need it
//! read it: most have no fee per number, no item without a price and nothing that waits.

use std::collections::BTreeMap;

use domain::holdings::{Holdings, Span};
use domain::ids::TenantId;
use domain::money::{parse_decimal, to_text};
use domain::pull_state::{Approval, Correction, PullState};
use domain::unpriced::UnpricedGroup;
use domain::usage::Category;
use domain::{Date, Timestamp};
use serde::{Deserialize, Serialize};

use crate::store::key;
use crate::table::tenants::partition;
use crate::transaction::Item;
use crate::{Store, StoreError};

const OPERATION: &str = "read pull state";
const SORT_KEY: &str = "PULL";

#[derive(Serialize, Deserialize)]
pub(crate) struct PullItem {
    pk: String,
    sk: String,
    v: u32,
    rev: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<Date>,
    /// First day to numbers, with spaces between: a number costs a dozen bytes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    held: BTreeMap<Date, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gone: Vec<(String, Date, Date)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unpriced: Vec<GroupItem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unpriced_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    corrections: BTreeMap<Date, CorrectionItem>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    requested: Vec<(Date, Date)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    swept: Option<Date>,
}

#[derive(Serialize, Deserialize)]
struct GroupItem {
    day: Date,
    category: String,
    count: u64,
    units: u64,
    uncovered: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    estimate: Option<String>,
    oldest: Timestamp,
    sids: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct CorrectionItem {
    day_cost: String,
    cost: String,
    charge: String,
    seen_at: Timestamp,
    approval: String,
}

impl PullItem {
    pub(crate) fn new(tenant: &TenantId, state: &PullState) -> Self {
        let mut held: BTreeMap<Date, String> = BTreeMap::new();
        for (number, from) in &state.holdings.held {
            let numbers = held.entry(*from).or_default();
            if !numbers.is_empty() {
                numbers.push(' ');
            }
            numbers.push_str(number);
        }
        let gone = state.holdings.gone.iter();
        let corrections = state.corrections.iter();
        Self {
            pk: partition(tenant),
            sk: SORT_KEY.to_owned(),
            v: 1,
            rev: state.rev,
            seen: state.holdings.seen,
            held,
            gone: gone
                .map(|(number, span)| (number.clone(), span.from, span.until))
                .collect(),
            unpriced: state.unpriced.iter().map(GroupItem::new).collect(),
            unpriced_at: state.unpriced_at,
            corrections: corrections
                .map(|(day, correction)| (*day, CorrectionItem::new(correction)))
                .collect(),
            requested: state.requested.clone(),
            swept: state.swept_on,
        }
    }

    fn into_state(self) -> Option<PullState> {
        let mut held = BTreeMap::new();
        for (from, numbers) in self.held {
            held.extend(numbers.split(' ').map(|number| (number.to_owned(), from)));
        }
        let gone = self.gone.into_iter();
        let gone = gone.map(|(number, from, until)| (number, Span { from, until }));
        let unpriced = self.unpriced.into_iter().map(GroupItem::into_group);
        let corrections = self.corrections.into_iter();
        Some(PullState {
            rev: self.rev,
            holdings: Holdings {
                seen: self.seen,
                held,
                gone: gone.collect(),
            },
            unpriced: unpriced.collect::<Option<_>>()?,
            unpriced_at: self.unpriced_at,
            corrections: corrections
                .map(|(day, item)| Some((day, item.into_correction()?)))
                .collect::<Option<_>>()?,
            requested: self.requested,
            swept_on: self.swept,
        })
    }
}

impl GroupItem {
    fn new(group: &UnpricedGroup) -> Self {
        Self {
            day: group.day,
            category: group.category.as_str().to_owned(),
            count: group.count,
            units: group.units,
            uncovered: to_text(group.uncovered),
            estimate: group.estimate.map(to_text),
            oldest: group.oldest_at,
            sids: group.sids.clone(),
        }
    }

    fn into_group(self) -> Option<UnpricedGroup> {
        let estimate = self.estimate.as_deref().map(parse_decimal).transpose();
        Some(UnpricedGroup {
            day: self.day,
            category: Category::parse(&self.category)?,
            count: self.count,
            units: self.units,
            uncovered: parse_decimal(&self.uncovered).ok()?,
            estimate: estimate.ok()?,
            oldest_at: self.oldest,
            sids: self.sids,
        })
    }
}

impl CorrectionItem {
    fn new(correction: &Correction) -> Self {
        Self {
            day_cost: to_text(correction.day_cost),
            cost: to_text(correction.cost),
            charge: to_text(correction.charge),
            seen_at: correction.seen_at,
            approval: correction.approval.name().to_owned(),
        }
    }

    fn into_correction(self) -> Option<Correction> {
        Some(Correction {
            day_cost: parse_decimal(&self.day_cost).ok()?,
            cost: parse_decimal(&self.cost).ok()?,
            charge: parse_decimal(&self.charge).ok()?,
            seen_at: self.seen_at,
            approval: Approval::parse(&self.approval)?,
        })
    }
}

pub(crate) fn state_key(tenant: &TenantId) -> Item {
    key(&partition(tenant), SORT_KEY)
}

impl Store {
    /// What usage runs remember of a tenant; nothing yet is the default.
    pub async fn pull_state(&self, tenant: &TenantId) -> Result<PullState, StoreError> {
        let table = &self.names().usage;
        let item: Option<PullItem> = self.get(OPERATION, table, state_key(tenant)).await?;
        let Some(item) = item else {
            return Ok(PullState::default());
        };
        item.into_state()
            .ok_or_else(|| StoreError::malformed(OPERATION, "pull state"))
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;

    #[test]
    fn every_part_of_the_state_is_read_back() {
        let day = |number: i8| domain::Date::constant(2026, 3, number);
        let now = Timestamp::UNIX_EPOCH;
        let numbers = [
            ("+15005550001", 1),
            ("+15005550002", 1),
            ("+15005550003", 2),
        ];
        let span = Span {
            from: day(1),
            until: day(4),
        };
        let correction = Correction {
            day_cost: domain::Decimal::new(12_345, 5),
            cost: domain::Decimal::NEGATIVE_ONE,
            charge: domain::Decimal::TWO,
            seen_at: now,
            approval: Approval::Rejected,
        };
        let group = UnpricedGroup {
            day: day(3),
            category: Category::parse("calls-outbound").unwrap(),
            count: 2,
            units: 5,
            uncovered: domain::Decimal::ONE,
            estimate: Some(domain::Decimal::new(3, 2)),
            oldest_at: now,
            sids: vec!["CA1".to_owned()],
        };
        let state = PullState {
            rev: 3,
            holdings: Holdings {
                seen: Some(day(5)),
                held: numbers
                    .map(|(number, from)| (number.to_owned(), day(from)))
                    .into(),
                gone: vec![("+15005550009".to_owned(), span)],
            },
            unpriced: slice::from_ref(&group).to_vec(),
            unpriced_at: Some(now),
            corrections: BTreeMap::from([(day(1), correction)]),
            requested: vec![(day(1), day(2))],
            swept_on: Some(day(5)),
        };
        let tenant = TenantId::from_ulid(domain::ids::ulid(1, 1));
        assert_eq!(PullItem::new(&tenant, &state).into_state(), Some(state));
    }
}
