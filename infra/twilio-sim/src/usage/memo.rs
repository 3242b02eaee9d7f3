//! The main account's sums of derived usage: a walk over all subaccounts is made once for each reading.

use std::collections::{HashMap, VecDeque};

use jiff::civil::Date;

use super::book::Cell;
use super::catalogue::CategoryId;
use super::derived::{Rules, Stage};

/// Readings of days in motion that are remembered: a few moments of the last days.
const PASSING_MAX: usize = 64;

/// Derived usage of all accounts together, by day, as far as it was asked for.
#[derive(Clone, Default)]
pub(crate) struct Memo {
    rules: Option<Rules>,
    /// Days on which nothing changes any more.
    last: HashMap<Date, Sums>,
    /// Days as they were or will be at some moment, the latest reading last.
    passing: VecDeque<(Date, Stage, Sums)>,
}

/// What accounts used together, by category.
pub(crate) type Sums = Vec<(CategoryId, Cell)>;

impl Memo {
    /// Forgets everything if it was added up by other rules.
    pub(crate) fn follow(&mut self, rules: &Rules) {
        if self.rules.as_ref() != Some(rules) {
            *self = Self {
                rules: Some(rules.clone()),
                ..Self::default()
            };
        }
    }

    /// What is remembered of a day at a stage.
    pub(crate) fn get(&self, rules: &Rules, day: Date, stage: Stage) -> Option<&Sums> {
        if self.rules.as_ref() != Some(rules) {
            return None;
        }
        if stage == Stage::Final {
            return self.last.get(&day);
        }
        let passing = self.passing.iter().rev();
        let mut found = passing.filter(|(known, at, _)| (*known, *at) == (day, stage));
        found.next().map(|(.., sums)| sums)
    }

    /// Remembers what was added up.
    pub(crate) fn put(&mut self, day: Date, stage: Stage, sums: Sums) {
        if stage == Stage::Final {
            self.last.insert(day, sums);
            return;
        }
        if self.passing.len() >= PASSING_MAX {
            self.passing.pop_front();
        }
        self.passing.push_back((day, stage, sums));
    }

    /// Forgets days on which something changed.
    pub(crate) fn forget_from(&mut self, day: Date) {
        self.last.retain(|known, _| *known < day);
        self.passing.retain(|(known, ..)| *known < day);
    }
}
