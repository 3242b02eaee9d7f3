//! How usage gets into the records: late, and sometimes revised afterwards.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::Date;

use super::{Event, World, after, start_of};
use crate::rng::Rng;
use crate::usage::book::Cell;
use crate::usage::catalogue::CategoryId;
use crate::usage::revision;

impl World {
    /// Books usage of a category; it shows after a while.
    pub(crate) fn book(
        &mut self,
        at: Timestamp,
        account: usize,
        day: Date,
        category: &str,
        cell: Cell,
        rng: &mut Rng,
    ) {
        let category = self.shown_as(account, category);
        let category = Arc::make_mut(&mut self.catalogue).intern(category);
        let mut delay = rng.within(self.pace.usage_ms);
        if self.quirks.late_usage_per_mille > 0 {
            // A generator of its own: what comes after draws the same with and without this quirk.
            let mut rng = Rng::of(rng.clone().next(), &[b"late"]);
            if rng.strikes(self.quirks.late_usage_per_mille) {
                delay = rng.within(self.pace.late_usage_ms);
            }
        }
        self.push_in(
            at,
            delay,
            Event::Usage {
                account,
                day,
                category,
                cell,
            },
        );
    }

    /// A Flex project's calls are in categories of their own.
    fn shown_as<'c>(&self, account: usize, category: &'c str) -> &'c str {
        let flex = &self.quirks.flex_accounts;
        let sid = self.accounts[account].sid;
        if flex.is_empty() || !flex.iter().any(|one| one == sid.as_str()) {
            return category;
        }
        match category {
            "calls-outbound" => "pstnconnectivity-outbound",
            inbound if inbound.starts_with("calls-inbound-") => "pstnconnectivity-inbound",
            other => other,
        }
    }

    pub(super) fn show_usage(
        &mut self,
        at: Timestamp,
        account: usize,
        day: Date,
        category: CategoryId,
        cell: Cell,
    ) {
        let new = self.alter(at, account, day, category, cell);
        if !new {
            return;
        }
        let sid = self.accounts[account].sid;
        let mut rng = revision_rng(self.seed, sid, day, category);
        if rng.strikes(self.quirks.revision_per_mille) {
            let end = start_of(day.checked_add(1.day()).unwrap_or(day));
            let due = after(end, rng.within(self.pace.revision_ms)).max(after(at, 1000));
            let turn = 1;
            self.push(
                due,
                Event::Revision {
                    account,
                    day,
                    category,
                    turn,
                },
            );
        }
    }

    /// Revises a record, and perhaps once more later on.
    pub(super) fn revise_by_chance(
        &mut self,
        at: Timestamp,
        account: usize,
        day: Date,
        category: CategoryId,
        turn: u64,
    ) {
        let sid = self.accounts[account].sid;
        let salt = u32::try_from(17 * turn % 64).unwrap_or(17);
        let mut rng = revision_rng(self.seed.rotate_left(salt), sid, day, category);
        let before = self.visible(at, account, day, category);
        let mut change = revision::revised(before, &mut rng);
        change.take(&before);
        self.alter(at, account, day, category, change);
        if self.revisions().again(turn, &mut rng) {
            let turn = turn + 1;
            self.push_in(
                at,
                rng.within(self.pace.revision_ms),
                Event::Revision {
                    account,
                    day,
                    category,
                    turn,
                },
            );
        }
    }

    /// Sets a record; `None` keeps what it says.
    pub(crate) fn revise(
        &mut self,
        at: Timestamp,
        account: usize,
        day: Date,
        category: CategoryId,
        set: Revised,
    ) {
        let before = self.visible(at, account, day, category);
        let mut change = Cell {
            price: set.price,
            usage: set.usage.unwrap_or(before.usage),
            count: set.count.unwrap_or(before.count),
        };
        change.take(&before);
        self.alter(at, account, day, category, change);
    }
}

/// New values of a usage record.
#[derive(Clone, Copy)]
pub(crate) struct Revised {
    pub(crate) price: i64,
    pub(crate) usage: Option<i64>,
    pub(crate) count: Option<i64>,
}

fn revision_rng(seed: u64, sid: crate::sid::Sid, day: Date, category: CategoryId) -> Rng {
    let days = start_of(day).as_second();
    Rng::of(
        seed,
        &[
            b"revision",
            sid.bytes(),
            &days.to_le_bytes(),
            &category.to_le_bytes(),
        ],
    )
}
