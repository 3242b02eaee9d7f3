//! What the usage records say at a moment: what is booked, and what is derived from the seed on top of it.
//!
//! Whatever changes a record passes here, so that the main account's sums follow without a walk over its
//! subaccounts, readings of a replica that is behind know what to leave out, and triggers are looked at.

use std::borrow::Cow;
use std::collections::VecDeque;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::{MAIN, World, day_of};
use crate::rng::Rng;
use crate::usage::book::{Book, Cell};
use crate::usage::catalogue::CategoryId;
use crate::usage::derived::{Look, Population, Rules};
use crate::usage::memo::{Memo, Sums};
use crate::usage::revision;

/// How far a replica that is behind can be behind, in milliseconds.
const BEHIND_MS: [u64; 2] = [60_000, 3_600_000];
/// Changes that are remembered for such replicas.
const CHANGES_MAX: usize = 200_000;
/// Puts the categories' turns apart: any odd number whose bits are mixed.
const TURNS_APART: u64 = 0x9e37_79b9_7f4a_7c15;

/// What the records consist of, beside each account's own book.
#[derive(Clone, Default)]
pub(crate) struct Records {
    /// The main account's book with all its subaccounts'.
    family: Book,
    pub(crate) populations: Vec<Population>,
    memo: Memo,
    changes: Changes,
}

/// What changed lately.
#[derive(Clone, Default)]
struct Changes {
    /// Since when all changes are remembered.
    since: Option<Timestamp>,
    latest: VecDeque<Change>,
}

#[derive(Clone)]
struct Change {
    at: Timestamp,
    account: usize,
    day: Date,
    category: CategoryId,
    cell: Cell,
}

/// Whose records are read, and as of when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) account: usize,
    pub(crate) with_children: bool,
    pub(crate) at: Timestamp,
    /// Whether what was booked after `at` is left out.
    pub(crate) behind: bool,
}

impl View {
    /// The records as they are.
    pub(crate) fn now(account: usize, with_children: bool, at: Timestamp) -> Self {
        Self {
            account,
            with_children: with_children && account == MAIN,
            at,
            behind: false,
        }
    }

    fn covers(&self, account: usize) -> bool {
        self.with_children || account == self.account
    }
}

/// When the records of an account were brought up to date: each category has a turn of its own.
#[derive(Clone)]
pub(crate) struct Freshness {
    at: Timestamp,
    every_ms: u64,
    phase: u64,
}

impl Freshness {
    /// The latest turn of this category.
    pub(crate) fn of(&self, category: CategoryId) -> Timestamp {
        let phase = (self.phase ^ u64::from(category).wrapping_mul(TURNS_APART)) >> 16;
        let now = u64::try_from(self.at.as_millisecond()).unwrap_or(0);
        let lag = now.wrapping_add(phase).checked_rem(self.every_ms);
        earlier(self.at, lag.unwrap_or(0))
    }
}

impl World {
    /// What derived usage follows today.
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            usage_ms: self.pace.usage_ms,
            revisions: self.revisions(),
            unknown_category_per_mille: self.quirks.unknown_category_per_mille,
            rent: self.quirks.rent,
        }
    }

    pub(crate) fn revisions(&self) -> revision::Rules {
        revision::Rules {
            per_mille: self.quirks.revision_per_mille,
            again_per_mille: self.quirks.revision_again_per_mille,
            after_ms: self.pace.revision_ms,
        }
    }

    /// Changes a booked cell by so much; `true` when nothing was booked in it before.
    pub(super) fn alter(
        &mut self,
        at: Timestamp,
        account: usize,
        day: Date,
        category: CategoryId,
        by: Cell,
    ) -> bool {
        let (cell, new) = self.accounts[account].usage.cell(day, category);
        cell.add(&by);
        self.records.family.cell(day, category).0.add(&by);
        if self.quirks.as_of_disorder_per_mille > 0 {
            self.records.changes.remember(Change {
                at,
                account,
                day,
                category,
                cell: by,
            });
        } else {
            self.records.changes = Changes::default();
        }
        self.usage_moved(at, account);
        new
    }

    /// What a record of a leaf category says.
    pub(crate) fn visible(
        &self,
        at: Timestamp,
        account: usize,
        day: Date,
        category: CategoryId,
    ) -> Cell {
        let mut cell = self.accounts[account].usage.booked(day, category);
        let rules = self.rules();
        self.derived_day(&Look::new(&rules, day, at), account, |id, derived| {
            if id == category {
                cell.add(&derived);
            }
        });
        cell
    }

    /// Whether this reading is answered by a replica that is behind, and what it knows.
    pub(crate) fn view(&mut self, account: usize, with_children: bool, at: Timestamp) -> View {
        let view = View::now(account, with_children, at);
        if self.quirks.as_of_disorder_per_mille == 0 {
            return view;
        }
        let since = *self.records.changes.since.get_or_insert(at);
        let ordinal = self.log.ordinal.to_le_bytes();
        let sid = self.accounts[account].sid;
        let mut rng = Rng::of(self.seed, &[b"replica", sid.bytes(), &ordinal]);
        if !rng.strikes(self.quirks.as_of_disorder_per_mille) {
            return view;
        }
        let known_to = earlier(at, rng.within(BEHIND_MS));
        View {
            at: known_to.max(since),
            behind: true,
            ..view
        }
    }

    /// Up to when a reading says that usage is counted.
    pub(crate) fn freshness(&self, view: &View) -> Freshness {
        let sid = self.accounts[view.account].sid;
        let mut rng = Rng::of(self.seed, &[b"refresh", sid.bytes()]);
        Freshness {
            at: view.at,
            every_ms: rng.within(self.quirks.as_of_lag_ms),
            phase: rng.next(),
        }
    }

    /// Adds up what the main account's list shows and remembers it, so that only the first reading of a
    /// day walks over all subaccounts.
    pub(crate) fn prepare(&mut self, view: &View, first: Date, last: Date) {
        if !view.with_children || self.records.populations.is_empty() {
            return;
        }
        let rules = self.rules();
        self.records.memo.follow(&rules);
        for day in self.derived_days(view.at, first, last) {
            let look = Look::new(&rules, day, view.at);
            if self.remembered(&look).is_none() {
                let sums = self.family_day(&look);
                self.records.memo.put(day, look.stage(), sums);
            }
        }
    }

    /// The sums of leaf categories over these days, by category.
    pub(crate) fn leaves(&self, view: &View, first: Date, last: Date) -> Vec<Cell> {
        let mut sums = vec![Cell::default(); self.catalogue.len()];
        let mut add = |id: CategoryId, cell: &Cell| sums[usize::from(id)].add(cell);
        let book = if view.with_children {
            &self.records.family
        } else {
            &self.accounts[view.account].usage
        };
        for (id, cell) in book.cells(first, last) {
            add(id, cell);
        }
        if view.with_children || self.accounts[view.account].life.population.is_some() {
            let rules = self.rules();
            for day in self.derived_days(view.at, first, last) {
                let look = Look::new(&rules, day, view.at);
                if !view.with_children {
                    self.derived_day(&look, view.account, |id, cell| add(id, &cell));
                    continue;
                }
                let known = self.remembered(&look);
                let known = known.map_or_else(|| Cow::Owned(self.family_day(&look)), Cow::Borrowed);
                for (id, cell) in known.iter() {
                    add(*id, cell);
                }
            }
        }
        if view.behind {
            for change in self.records.changes.after(view.at) {
                if view.covers(change.account) && (first..=last).contains(&change.day) {
                    sums[usize::from(change.category)].take(&change.cell);
                }
            }
        }
        sums
    }

    /// The sums of every category, rollups included.
    pub(crate) fn totals(&self, view: &View, first: Date, last: Date) -> Vec<Cell> {
        let mut sums = self.leaves(view, first, last);
        self.catalogue
            .roll_up(&mut sums, self.quirks.unclear_inside_rollups);
        sums
    }

    /// What everything that shows costs.
    pub(crate) fn spent(&mut self, account: usize, with_children: bool, at: Timestamp) -> i64 {
        let view = View::now(account, with_children, at);
        self.prepare(&view, Date::MIN, Date::MAX);
        self.spent_by(&view)
    }

    /// As `spent`, without remembering anything.
    pub(crate) fn spent_by(&self, view: &View) -> i64 {
        let leaves = self.leaves(view, Date::MIN, Date::MAX);
        leaves
            .iter()
            .fold(0, |sum: i64, cell| sum.saturating_add(cell.price))
    }

    /// Forgets what was added up of days on which a populated account's life changed.
    pub(super) fn forget_from(&mut self, day: Date) {
        self.records.memo.forget_from(day);
    }

    /// Forgets everything that was added up.
    pub(super) fn forget_all(&mut self) {
        self.records.memo = Memo::default();
    }

    /// The days of a range that have derived usage.
    fn derived_days(
        &self,
        at: Timestamp,
        first: Date,
        last: Date,
    ) -> impl Iterator<Item = Date> + use<> {
        let since = self.records.populations.iter().map(|made| made.since).min();
        let first = since.map_or(Date::MAX, |since| since.max(first));
        let last = last.min(day_of(at));
        first.series(1.day()).take_while(move |day| *day <= last)
    }

    fn derived_day(&self, look: &Look<'_>, account: usize, each: impl FnMut(CategoryId, Cell)) {
        let owner = &self.accounts[account];
        let population = owner.life.population.map(usize::from);
        if let Some(population) = population.and_then(|at| self.records.populations.get(at)) {
            population.each(look, &owner.life, &self.accounts[MAIN].life, each);
        }
    }

    fn remembered(&self, look: &Look<'_>) -> Option<&Sums> {
        self.records.memo.get(look.rules, look.day, look.stage())
    }

    /// Walks over all accounts.
    fn family_day(&self, look: &Look<'_>) -> Sums {
        let mut sums = vec![Cell::default(); self.catalogue.len()];
        for account in 0..self.accounts.len() {
            self.derived_day(look, account, |id, cell| sums[usize::from(id)].add(&cell));
        }
        let ids = (0..self.catalogue.len()).filter_map(|id| CategoryId::try_from(id).ok());
        ids.zip(sums).filter(|(_, cell)| !cell.is_zero()).collect()
    }
}

impl Changes {
    fn remember(&mut self, change: Change) {
        let since = *self.since.get_or_insert(change.at);
        let horizon = earlier(change.at, BEHIND_MS[1]);
        self.latest.push_back(change);
        while let Some(oldest) = self.latest.front() {
            if oldest.at >= horizon && self.latest.len() <= CHANGES_MAX {
                break;
            }
            self.since = Some(oldest.at.max(since));
            self.latest.pop_front();
        }
    }

    fn after(&self, at: Timestamp) -> impl Iterator<Item = &Change> {
        self.latest
            .iter()
            .rev()
            .take_while(move |change| change.at > at)
    }
}

/// The moment so many milliseconds before.
fn earlier(at: Timestamp, milliseconds: u64) -> Timestamp {
    let span = SignedDuration::from_millis(i64::try_from(milliseconds).unwrap_or(i64::MAX));
    at.checked_sub(span).unwrap_or(at)
}
