//! What a tenant's usage runs remember from one to the next, besides the books: numbers held, items without a
//! price, revisions that wait for approval, ranges asked for, the last sweep.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::booking::Decision;
use crate::holdings::Holdings;
use crate::rating::DayChange;
use crate::unpriced::UnpricedGroup;

/// Ranges of days that can wait to be pulled on request.
pub const REQUESTS_MAX: usize = 10;

/// Whether a revision of an old day may be booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// Nobody has said so yet.
    Waiting,
    /// It may, if it is still the same.
    Approved,
    /// It may not, until it changes again.
    Rejected,
}

impl Approval {
    /// Its name, as stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Waiting, Self::Approved, Self::Rejected]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// A revision of a day so old that a person decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// The day's whole cost by it: what an approval is for.
    pub day_cost: Decimal,
    /// By how much cost would change.
    pub cost: Decimal,
    /// By how much charges would change, without rules of billing periods.
    pub charge: Decimal,
    /// When it was first seen.
    pub seen_at: Timestamp,
    /// What was said of it.
    pub approval: Approval,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PullState {
    /// 0 = never written.
    pub rev: u64,
    /// Numbers held, for fees per number.
    pub holdings: Holdings,
    /// Items without a price, in order of day and category.
    pub unpriced: Vec<UnpricedGroup>,
    /// When items without a price were last looked for.
    pub unpriced_at: Option<Timestamp>,
    /// Revisions that wait, by day.
    pub corrections: BTreeMap<Date, Correction>,
    /// Ranges to pull on request.
    pub requested: Vec<(Date, Date)>,
    /// The day of the last sweep.
    pub swept_on: Option<Date>,
}

/// What became true of the state and a person should hear of, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Items wait for their prices for too long.
    Overdue(UnpricedGroup),
    /// A revision waits for approval.
    Correction(Date, Correction),
}

impl PullState {
    /// May this revision of an old day be booked?
    pub fn approves(&self, day: Date, day_cost: Decimal) -> bool {
        let known = self.corrections.get(&day);
        known
            .is_some_and(|known| known.approval == Approval::Approved && known.day_cost == day_cost)
    }

    /// Notes the items without a price of what was listed; others stay as they are known.
    pub fn note_unpriced(
        &mut self,
        is_listed: &dyn Fn(&UnpricedGroup) -> bool,
        found: Vec<UnpricedGroup>,
        now: Timestamp,
    ) -> Vec<News> {
        let before = std::mem::take(&mut self.unpriced);
        let was_overdue = |group: &UnpricedGroup| {
            let same = |other: &&UnpricedGroup| {
                (other.day, &other.category) == (group.day, &group.category)
            };
            let known = before.iter().find(same);
            known.is_some_and(|known| self.unpriced_at.is_some_and(|at| known.is_overdue(at)))
        };
        let kept = before.iter().filter(|group| !is_listed(group)).cloned();
        let mut next: Vec<UnpricedGroup> = kept.chain(found).collect();
        next.sort_by_key(|group| (group.day, group.category.clone()));
        let overdue = next
            .iter()
            .filter(|group| group.is_overdue(now) && !was_overdue(group));
        let news = overdue.cloned().map(News::Overdue).collect();
        self.unpriced = next;
        self.unpriced_at = Some(now);
        news
    }

    /// Notes which old days would change: new ones wait, those that changed again wait again, and those that
    /// do not differ from the books any more are done with.
    pub fn note_corrections(
        &mut self,
        read: &[Date],
        decision: &Decision,
        now: Timestamp,
    ) -> Vec<News> {
        let mut news = Vec::new();
        let booked = decision
            .bookings
            .iter()
            .flat_map(|booking| &booking.changes);
        let booked: Vec<Date> = booked.map(|change| change.sheet.day).collect();
        // What is booked now may still lose its race: it is done with when a later run finds nothing to book.
        self.corrections.retain(|day, known| {
            !read.contains(day)
                || decision.late.iter().any(|change| change.sheet.day == *day)
                || (known.approval == Approval::Approved && booked.contains(day))
        });
        for change in &decision.late {
            let day = change.sheet.day;
            let day_cost = change.sheet.cost();
            let known = self.corrections.get(&day);
            if known.is_some_and(|known| known.day_cost == day_cost) {
                continue;
            }
            let correction = correction(change, day_cost, now);
            news.push(News::Correction(day, correction.clone()));
            self.corrections.insert(day, correction);
        }
        news
    }

    /// What a finished run of these days leaves: requests that it answered and approvals that it booked are gone.
    pub fn finish(&mut self, read: &[Date], decision: &Decision) {
        let is_read = |(from, to): &(Date, Date)| {
            let mut days = from.series(jiff::Span::new().days(1));
            days.by_ref()
                .take_while(|day| day <= to)
                .all(|day| read.contains(&day))
        };
        self.requested.retain(|range| !is_read(range));
        let is_booked = |day: &Date| {
            let mut changes = decision
                .bookings
                .iter()
                .flat_map(|booking| &booking.changes);
            changes.any(|change| change.sheet.day == *day)
        };
        self.corrections
            .retain(|day, known| known.approval != Approval::Approved || !is_booked(day));
    }
}

fn correction(change: &DayChange, day_cost: Decimal, now: Timestamp) -> Correction {
    Correction {
        day_cost,
        cost: change.lines.iter().map(|line| line.cost).sum(),
        charge: change.charge(),
        seen_at: now,
        approval: Approval::Waiting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::RuleSet;
    use crate::plan::tests::plan;
    use crate::rating::tests::usage;
    use crate::rating::{DaySheet, rate_day};

    fn late(price: i64) -> DayChange {
        let plan = plan("2", &[], None);
        let rules = RuleSet::new(&plan, &[], Date::MIN);
        let observed = usage(1, &[("sms-outbound", price)]);
        rate_day(&DaySheet::empty(observed.day), &observed, &rules).unwrap()
    }

    fn of(late: Vec<DayChange>) -> Decision {
        Decision {
            late,
            ..Decision::default()
        }
    }

    #[test]
    fn an_approval_is_for_one_figure_and_a_new_one_waits_again() {
        let (now, mut state) = (Timestamp::UNIX_EPOCH, PullState::default());
        let (change, other) = (late(500), late(700));
        let day = change.sheet.day;
        assert_eq!(
            state
                .note_corrections(&[day], &of(vec![change.clone()]), now)
                .len(),
            1
        );
        assert!(!state.approves(day, change.sheet.cost()));
        assert!(
            state
                .note_corrections(&[day], &of(vec![change.clone()]), now)
                .is_empty()
        );
        state.corrections.get_mut(&day).unwrap().approval = Approval::Approved;
        assert!(state.approves(day, change.sheet.cost()));
        assert!(!state.approves(day, other.sheet.cost()));
        assert_eq!(
            state.note_corrections(&[day], &of(vec![other]), now).len(),
            1
        );
        assert_eq!(state.corrections[&day].approval, Approval::Waiting);
    }

    #[test]
    fn a_correction_that_does_not_differ_any_more_is_done_with() {
        let (now, mut state) = (Timestamp::UNIX_EPOCH, PullState::default());
        let change = late(500);
        let day = change.sheet.day;
        state.note_corrections(&[day], &of(vec![change]), now);
        state.note_corrections(&[day.tomorrow().unwrap()], &Decision::default(), now);
        assert_eq!(state.corrections.len(), 1, "a day that was not read stays");
        state.note_corrections(&[day], &Decision::default(), now);
        assert!(state.corrections.is_empty());
    }
}
