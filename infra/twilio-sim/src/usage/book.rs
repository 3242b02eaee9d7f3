//! What was booked and revised by hand or by chance, by GMT day and leaf category, as far as it is visible.
//!
//! Where an account's usage is derived from the seed, its book holds differences from that.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::catalogue::CategoryId;

/// Quantities of one category on one day; `usage` and `price` in billionths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) count: i64,
    pub(crate) usage: i64,
    pub(crate) price: i64,
}

impl Cell {
    pub(crate) fn add(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.usage = self.usage.saturating_add(other.usage);
        self.price = self.price.saturating_add(other.price);
    }

    pub(crate) fn take(&mut self, other: &Self) {
        self.count = self.count.saturating_sub(other.count);
        self.usage = self.usage.saturating_sub(other.usage);
        self.price = self.price.saturating_sub(other.price);
    }

    pub(crate) fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

/// A book: one account's, or that of a main account with all its subaccounts.
#[derive(Clone, Default)]
pub(crate) struct Book {
    days: BTreeMap<Date, Vec<(CategoryId, Cell)>>,
}

impl Book {
    /// The cell to change; `true` when it is new.
    pub(crate) fn cell(&mut self, day: Date, category: CategoryId) -> (&mut Cell, bool) {
        let cells = self.days.entry(day).or_default();
        let (at, new) = match cells.binary_search_by_key(&category, |(id, _)| *id) {
            Ok(at) => (at, false),
            Err(at) => {
                cells.insert(at, (category, Cell::default()));
                (at, true)
            }
        };
        (&mut cells[at].1, new)
    }

    /// All cells of these days.
    pub(crate) fn cells(
        &self,
        first: Date,
        last: Date,
    ) -> impl Iterator<Item = (CategoryId, &Cell)> {
        let days = (first <= last).then(|| self.days.range(first..=last));
        days.into_iter()
            .flatten()
            .flat_map(|(_, cells)| cells.iter().map(|(id, cell)| (*id, cell)))
    }

    /// What is booked of one category on one day.
    pub(crate) fn booked(&self, day: Date, category: CategoryId) -> Cell {
        self.days
            .get(&day)
            .and_then(|cells| {
                let at = cells.binary_search_by_key(&category, |(id, _)| *id).ok()?;
                Some(cells[at].1)
            })
            .unwrap_or_default()
    }
}
