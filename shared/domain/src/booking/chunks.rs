//! How many days are written at once.

use crate::rating::DayChange;

/// Sheets of one transaction: with entry, wallet, periods, events and timer it stays far below 100 items.
const SHEETS_MAX: usize = 31;
/// Lines of one transaction: about 80 KB in one entry, of 400 KB that an item may have.
const LINES_MAX: usize = 1_000;

/// Cuts at day boundaries.
pub(super) fn cut(changes: Vec<DayChange>) -> Vec<Vec<DayChange>> {
    let mut chunks: Vec<Vec<DayChange>> = Vec::new();
    for change in changes {
        let fits = chunks.last().is_some_and(|chunk| {
            let lines: usize = chunk.iter().map(|change| change.lines.len()).sum();
            chunk.len() < SHEETS_MAX && lines + change.lines.len() <= LINES_MAX
        });
        if !fits {
            chunks.push(Vec::new());
        }
        chunks
            .last_mut()
            .expect("a chunk was just made")
            .push(change);
    }
    chunks
}
