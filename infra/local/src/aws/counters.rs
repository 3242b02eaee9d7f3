//! Every call and every unit, by caller, service, operation and resource.
//!
//! Units are kept in halves, because an eventually consistent read costs half a unit: no fraction
//! is ever needed. A call on several tables is counted once, under the resource `a+b`; its units
//! stand with each table.

use std::collections::BTreeMap;

use serde::Serialize;

use super::fault::Service;

/// What a tally belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct CallKey {
    /// App name of the caller's user agent, empty without one.
    pub caller: String,
    /// The service.
    pub service: Service,
    /// The operation.
    pub operation: String,
    /// Table, queue, bus or secret; several tables joined by `+`.
    pub resource: String,
}

/// Counts of one key, or a sum of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Calls received, those with injected faults included.
    pub calls: u64,
    /// Calls that the caller saw fail.
    pub errors: u64,
    /// Read request units, times two.
    pub read_halves: u64,
    /// Write request units, times two.
    pub write_halves: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.read_halves += other.read_halves;
        self.write_halves += other.write_halves;
    }

    fn minus(self, earlier: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(earlier.calls),
            errors: self.errors.saturating_sub(earlier.errors),
            read_halves: self.read_halves.saturating_sub(earlier.read_halves),
            write_halves: self.write_halves.saturating_sub(earlier.write_halves),
        }
    }
}

/// A snapshot of all counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    rows: BTreeMap<CallKey, Tally>,
}

impl Counters {
    /// All rows in order of their keys.
    pub fn rows(&self) -> impl Iterator<Item = (&CallKey, &Tally)> {
        self.rows.iter()
    }

    /// What came after `earlier`; rows without change are left out.
    pub fn since(&self, earlier: &Self) -> Self {
        let rows = self
            .rows
            .iter()
            .map(|(key, tally)| {
                let before = earlier.rows.get(key).copied().unwrap_or_default();
                (key.clone(), tally.minus(before))
            })
            .filter(|(_, tally)| *tally != Tally::default())
            .collect();
        Self { rows }
    }

    /// Sum of the rows that `wanted` picks.
    pub fn total(&self, wanted: impl Fn(&CallKey) -> bool) -> Tally {
        let mut sum = Tally::default();
        for (key, tally) in &self.rows {
            if wanted(key) {
                sum.add(*tally);
            }
        }
        sum
    }

    pub(crate) fn record(&mut self, key: CallKey, tally: Tally) {
        self.rows.entry(key).or_default().add(tally);
    }
}
