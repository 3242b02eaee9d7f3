//! What a run leaves for the next ones besides the books: numbers held, items without a price, old revisions
//! that wait for a person.

use aws::{CommitError, UsageRead};
use domain::booking::Decision;
use domain::event::{EVENT_VERSION, Event, Fact};
use domain::ids::EventId;
use domain::period::day_of;
use domain::pull_state::{News, PullState};
use domain::rating::DaySheet;
use domain::unpriced::unpriced;

use crate::Function;
use crate::pull::Run;
use crate::window::{Turn, is_sweep};

/// The state with the numbers that are held now.
pub(crate) fn looked(run: &Run<'_>, state: &PullState) -> PullState {
    let mut next = state.clone();
    if let Some(numbers) = &run.found.numbers {
        let since = run.tenant.activated_at.unwrap_or(run.tenant.created_at);
        next.holdings = state.holdings.look(day_of(run.now), day_of(since), numbers);
    }
    next
}

impl Function {
    /// Writes what the run found, if it is new, with the events of it. Answers the state as it is.
    pub(crate) async fn follow_up(
        &self,
        run: &Run<'_>,
        read: &UsageRead,
        decision: &Decision,
        before: &PullState,
        mut after: PullState,
    ) -> Result<Option<PullState>, CommitError> {
        let found = &run.found;
        // As the books will be: what this run books tells best what a unit is charged.
        let booked = decision
            .bookings
            .iter()
            .flat_map(|booking| &booking.changes);
        let mut sheets: Vec<DaySheet> = booked.map(|change| change.sheet.clone()).collect();
        let others = read.sheets.iter();
        let others: Vec<DaySheet> = others
            .filter(|sheet| sheets.iter().all(|new| new.day != sheet.day))
            .cloned()
            .collect();
        sheets.extend(others);
        let groups = unpriced(&found.items, &found.records, &sheets);
        let mut news = after.note_unpriced(
            &|group| found.listed.holds(group.day, &group.category),
            groups,
            run.now,
        );
        if news.is_empty() && after.unpriced == before.unpriced {
            after.unpriced_at = before.unpriced_at;
        }
        news.extend(after.note_corrections(&run.window, decision, run.now));
        let today = day_of(run.now);
        if run.turn == Turn::Daily && is_sweep(Some(before), today) {
            after.swept_on = Some(today);
        }
        if after == *before {
            return Ok(Some(after));
        }
        let events: Vec<Event> = news
            .into_iter()
            .map(|news| self.told(run, after.rev + 1, news))
            .collect();
        let tenant_id = &run.tenant.id;
        let written = self
            .store
            .write_pull_state(tenant_id, &after, &events)
            .await?;
        Ok(Some(written))
    }

    /// The alarm of a piece of news, and its event.
    fn told(&self, run: &Run<'_>, seq: u64, news: News) -> Event {
        let tenant_id = &run.tenant.id;
        let fact = match news {
            News::Overdue(group) => {
                tracing::error!(tenant.id = %tenant_id, usage.day = %group.day, usage.category = %group.category, items = group.count, error_type = "unpriced_overdue", "calls or messages have had no price for three days");
                Fact::UnpricedOverdue {
                    day: group.day,
                    category: group.category.as_str().to_owned(),
                    count: group.count,
                }
            }
            News::Correction(day, correction) => {
                tracing::error!(tenant.id = %tenant_id, usage.day = %day, error_type = "late_revision", "a revision of a day so old waits for approval");
                Fact::CorrectionWaiting {
                    day,
                    cost: correction.cost,
                    charge: correction.charge,
                }
            }
        };
        Event {
            id: EventId::from_ulid(self.host.ulid()),
            version: EVENT_VERSION,
            occurred_at: run.now,
            tenant_id: tenant_id.clone(),
            seq,
            cause: run.command.cause.clone(),
            fact,
        }
    }

    /// Writes that requests are answered and approved revisions booked.
    pub(crate) async fn finish(
        &self,
        run: &Run<'_>,
        decision: &Decision,
        known: Option<PullState>,
    ) -> Result<(), CommitError> {
        let Some(known) = known else { return Ok(()) };
        let mut after = known.clone();
        after.finish(&run.window, decision);
        if after != known {
            self.store
                .write_pull_state(&run.tenant.id, &after, &[])
                .await?;
        }
        Ok(())
    }
}
