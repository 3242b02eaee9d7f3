//! The tick: due marks, timers and daily turns go to the queues; then the cursor moves. A crash in between
//! sends some of them again, which every consumer takes as a no-op.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use aws::{
    ActKind, Command, CommitError, Comparison, DueItem, OUTBOX_PARTITIONS, OutboxRow,
    PUT_EVENTS_MAX, Queue, Tick,
};
use domain::ids::TenantId;
use jiff::SignedDuration;

use crate::{Failure, Function};

/// A tick is handed on this long after its beginning, so that marks for it have all been written.
const SETTLE_S: i64 = 60;
/// Ticks of one run: after an outage the rest follows with the next runs.
const TICKS_MAX: usize = 48;
/// Every third tick looks through one partition for events that the stream did not carry.
const SWEEP_EVERY: i64 = 3;
/// An event older than this should have been on the bus.
const SWEEP_OLDER_S: i64 = 120;
/// Events of one partition that one sweep sends.
const SWEEP_ROWS_MAX: usize = 100;

/// Ticks of one hour.
const HOUR_TICKS: i64 = 12;
/// The tick of each hour on which all subaccounts are compared with all rows.
const DRIFT_TICK: i64 = 11;

/// Empty ticks after which the cursor is moved all the same: so many a new instance looks through again.
const BEHIND_MAX: i64 = 6;

/// How far the ticks are handed on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    /// Where the cursor stands in the table.
    cursor: Option<Tick>,
    /// The last tick that was handed on; those since the cursor were empty.
    done: Tick,
}

impl Position {
    /// At the cursor; before the first one, just before what has settled.
    fn at(cursor: Option<Tick>, settled: Tick) -> Self {
        Self {
            cursor,
            done: cursor.unwrap_or(Tick(settled.0 - 1)),
        }
    }

    fn is_behind(self) -> bool {
        self.cursor
            .is_none_or(|cursor| self.done.0 - cursor.0 >= BEHIND_MAX)
    }
}

impl Function {
    /// Hands on every tick since the cursor that has settled.
    pub(crate) async fn tick(&self) -> Result<(), Failure> {
        let now = self.host.now();
        let settled = Tick::of(
            now.saturating_sub(SignedDuration::from_secs(SETTLE_S))
                .unwrap_or(now),
        );
        // What this instance handed on last is most likely still the last; the cursor's condition finds out.
        let known = self
            .position
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let mut position = match known {
            Some(position) => position,
            None => Position::at(self.store.due_cursor().await?, settled),
        };
        for _ in 0..TICKS_MAX {
            let next = position.done.next();
            if next > settled {
                break;
            }
            let found_work = self.hand_on(next).await?;
            position.done = next;
            if found_work || position.is_behind() {
                match self.store.advance_due_cursor(position.cursor, next).await {
                    Ok(()) => position.cursor = Some(next),
                    // Another instance has moved it: this one goes on from there.
                    Err(CommitError::Conflict { .. }) => {
                        position = Position::at(self.store.due_cursor().await?, settled);
                    }
                    Err(CommitError::Store(error)) => return Err(error),
                }
            }
        }
        *self.position.lock().unwrap_or_else(PoisonError::into_inner) = Some(position);
        Ok(())
    }

    /// Sends what a tick holds to the queues. True: there was something.
    async fn hand_on(&self, tick: Tick) -> Result<bool, Failure> {
        let mut commands: BTreeMap<Queue, BTreeMap<TenantId, &'static str>> = BTreeMap::new();
        let mut comparisons: BTreeSet<Comparison> = BTreeSet::new();
        for due in self.store.due_on(tick).await? {
            if let DueItem::Reconcile(range) = due {
                comparisons.insert(Comparison { range });
                continue;
            }
            for (queue, tenant_id, cause) in routes(due) {
                // What a person asked for goes before what the clock says.
                let known = commands.entry(queue).or_default().entry(tenant_id);
                let known = known.or_insert(cause);
                if [aws::REPULL, aws::REQUESTED].contains(&cause) {
                    *known = cause;
                }
            }
        }
        let found_work = !(commands.is_empty() && comparisons.is_empty());
        let comparisons: Vec<Comparison> = comparisons.into_iter().collect();
        self.queues.send(Queue::Reconcile, &comparisons).await?;
        for (queue, commands) in &commands {
            let commands: Vec<Command> = commands
                .iter()
                .map(|(tenant_id, cause)| Command {
                    tenant_id: tenant_id.clone(),
                    cause: (*cause).to_owned(),
                })
                .collect();
            self.queues.send(*queue, &commands).await?;
        }
        if tick.0.rem_euclid(HOUR_TICKS) == DRIFT_TICK {
            let comparison = Command {
                tenant_id: TenantId::nobody(),
                cause: aws::DRIFT.to_owned(),
            };
            self.queues.send(Queue::Provision, &[comparison]).await?;
        }
        if tick.0.rem_euclid(SWEEP_EVERY) == 0 {
            let partition = (tick.0 / SWEEP_EVERY).rem_euclid(i64::from(OUTBOX_PARTITIONS));
            let partition = u8::try_from(partition).unwrap_or_default();
            // Pulls and timers do not wait for the bus; the partition has its turn again.
            if let Err(error) = self.sweep_outbox(partition).await {
                tracing::error!(error_type = "sweep", %error, "late events stay in the outbox");
            }
        }
        Ok(found_work)
    }

    /// Sends events again that lie in the outbox too long; parked ones wait for a person.
    async fn sweep_outbox(&self, partition: u8) -> Result<(), Failure> {
        let now = self.host.now();
        let rows = self.store.outbox_rows(partition, SWEEP_ROWS_MAX).await?;
        let is_late =
            |row: &OutboxRow| now.duration_since(row.at) > SignedDuration::from_secs(SWEEP_OLDER_S);
        let late: Vec<OutboxRow> = rows
            .into_iter()
            .filter(|row| row.parked.is_none() && is_late(row))
            .collect();
        for chunk in late.chunks(PUT_EVENTS_MAX) {
            if self.publish_rows(chunk).await?.is_some() {
                tracing::warn!(
                    error_type = "bus_busy",
                    "the bus does not take late events yet"
                );
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Which queues hear of it, and as what.
fn routes(due: DueItem) -> Vec<(Queue, TenantId, &'static str)> {
    match due {
        DueItem::Pull(tenant) => vec![(Queue::Pull, tenant, "mark")],
        DueItem::Daily(tenant) => vec![
            (Queue::Pull, tenant.clone(), aws::DAILY),
            (Queue::Statement, tenant, aws::DAILY),
        ],
        // Days are nobody's own.
        DueItem::Reconcile(_) => Vec::new(),
        DueItem::Act(kind, tenant) => vec![match kind {
            ActKind::Standing => (Queue::Pull, tenant, "standing"),
            ActKind::Repull => (Queue::Pull, tenant, aws::REPULL),
            ActKind::Enforce => (Queue::Suspend, tenant, "timer"),
            ActKind::Provision => (Queue::Provision, tenant, "timer"),
            ActKind::Statement => (Queue::Statement, tenant, aws::REQUESTED),
        }],
    }
}
