//! How a record changes after its day: up, down or, rarely, to nothing, once or several times.

use super::book::Cell;
use crate::rng::Rng;

/// Revised prices are multiples of this, as fine as Twilio's own.
const PRICE_STEP: i64 = 10_000;
/// No record is revised more often.
const REVISIONS_MAX: u64 = 5;
const HOUR_MS: u64 = 3_600_000;

/// How often records are revised, and how long after their day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) per_mille: u64,
    pub(crate) again_per_mille: u64,
    pub(crate) after_ms: [u64; 2],
}

impl Rules {
    /// From a day's end to the last revision that may be.
    pub(crate) fn last_ms(&self) -> u64 {
        match (self.per_mille, self.again_per_mille) {
            (0, _) => 0,
            (_, 0) => self.after_ms[1],
            _ => self.after_ms[1].saturating_mul(REVISIONS_MAX),
        }
    }

    /// A whole day's record as its revisions left it so long after the day. They come on the hour.
    pub(crate) fn applied(&self, whole: Cell, mut fate: Rng, since_end_s: i64) -> Cell {
        if since_end_s < 0 || fate.quick(1000) >= self.per_mille {
            return whole;
        }
        let passed_ms = u64::try_from(since_end_s).unwrap_or(0).saturating_mul(1000);
        let (mut cell, mut due_ms) = (whole, 0_u64);
        for turn in 1..=REVISIONS_MAX {
            due_ms = due_ms.saturating_add(fate.within(self.after_ms));
            let due_ms = due_ms.checked_next_multiple_of(HOUR_MS);
            if due_ms.is_none_or(|due_ms| due_ms > passed_ms) {
                break;
            }
            cell = revised(whole, &mut fate);
            if turn < REVISIONS_MAX && !fate.strikes(self.again_per_mille) {
                break;
            }
        }
        cell
    }

    /// Whether a record that has been revised so often is revised again.
    pub(crate) fn again(&self, turn: u64, fate: &mut Rng) -> bool {
        self.again_per_mille > 0 && turn < REVISIONS_MAX && fate.strikes(self.again_per_mille)
    }
}

/// A record after a revision: one in ten says nothing any more, the others cost up to a fifth more or less.
pub(crate) fn revised(mut cell: Cell, rng: &mut Rng) -> Cell {
    if rng.strikes(100) {
        return Cell::default();
    }
    let share = i64::try_from(rng.within([10, 200])).unwrap_or_default();
    let change = cell.price.saturating_mul(share) / 1000 / PRICE_STEP * PRICE_STEP;
    if rng.strikes(500) {
        cell.price = cell.price.saturating_add(change);
    } else {
        cell.price = cell.price.saturating_sub(change);
    }
    cell
}
