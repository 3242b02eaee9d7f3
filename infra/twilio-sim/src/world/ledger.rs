//! How usage gets into the records: late, and sometimes revised afterwards.

use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::Date;

use super::{Event, World, after, start_of};
use crate::rng::Rng;
use crate::usage::book::Cell;
use crate::usage::catalogue::CategoryId;

/// Revised prices are multiples of this, as fine as Twilio's own.
const PRICE_STEP: i64 = 10_000;

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
        let category = self.catalogue.intern(category);
        let delay = rng.within(self.pace.usage_ms);
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

    pub(super) fn show_usage(
        &mut self,
        at: Timestamp,
        account: usize,
        day: Date,
        category: CategoryId,
        cell: Cell,
    ) {
        let owner = &mut self.accounts[account];
        let (booked, new) = owner.usage.cell(day, category);
        booked.add(&cell);
        if !new {
            return;
        }
        let mut rng = revision_rng(self.seed, owner.sid, day, category);
        if rng.strikes(self.quirks.revision_per_mille) {
            let end = start_of(day.checked_add(1.day()).unwrap_or(day));
            let due = after(end, rng.within(self.pace.revision_ms)).max(after(at, 1000));
            self.push(
                due,
                Event::Revision {
                    account,
                    day,
                    category,
                },
            );
        }
    }

    /// Revises a record: up, down or, rarely, to nothing.
    pub(super) fn revise_by_chance(&mut self, account: usize, day: Date, category: CategoryId) {
        let owner = &mut self.accounts[account];
        let mut rng = revision_rng(self.seed.rotate_left(17), owner.sid, day, category);
        let (cell, _) = owner.usage.cell(day, category);
        if rng.strikes(100) {
            *cell = Cell::default();
            return;
        }
        let share = i64::try_from(rng.within([10, 200])).unwrap_or_default();
        let change = cell.price.saturating_mul(share) / 1000 / PRICE_STEP * PRICE_STEP;
        if rng.strikes(500) {
            cell.price += change;
        } else {
            cell.price -= change;
        }
    }

    /// Sets a record; `None` keeps what it says.
    pub(crate) fn revise(&mut self, account: usize, day: Date, category: CategoryId, set: Revised) {
        let (cell, _) = self.accounts[account].usage.cell(day, category);
        cell.price = set.price;
        cell.usage = set.usage.unwrap_or(cell.usage);
        cell.count = set.count.unwrap_or(cell.count);
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
