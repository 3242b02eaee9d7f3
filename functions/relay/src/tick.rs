//! The tick: due marks, timers and daily turns go to the queues; then the cursor moves. A crash in between
//! sends some of them again, which every consumer takes as a no-op.

use std::sync::PoisonError;

use aws::{
    ActKind, Command, CommitError, DueItem, OUTBOX_PARTITIONS, OutboxRow, PUT_EVENTS_MAX, Queue,
    Tick,
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

impl Function {
    /// Hands on every tick since the cursor that has settled.
    pub(crate) async fn tick(&self) -> Result<(), Failure> {
        let now = self.host.now();
        let settled = Tick::of(
            now.saturating_sub(SignedDuration::from_secs(SETTLE_S))
                .unwrap_or(now),
        );
        // The cursor that this instance moved last is most likely still there; the condition finds out.
        let known = self.cursor.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut cursor = match known {
            Some(cursor) => Some(cursor),
            None => self.store.due_cursor().await?,
        };
        let mut next = cursor.map_or(settled, Tick::next);
        for _ in 0..TICKS_MAX {
            if next > settled {
                break;
            }
            self.hand_on(next).await?;
            match self.store.advance_due_cursor(cursor, next).await {
                Ok(()) => {}
                // Another run is at the same ticks: it goes on.
                Err(CommitError::Conflict { .. }) => return Ok(()),
                Err(CommitError::Store(error)) => return Err(error),
            }
            cursor = Some(next);
            next = next.next();
        }
        *self.cursor.lock().unwrap_or_else(PoisonError::into_inner) = cursor;
        Ok(())
    }

    async fn hand_on(&self, tick: Tick) -> Result<(), Failure> {
        let mut commands: [Vec<Command>; 3] = Default::default();
        for due in self.store.due_on(tick).await? {
            let (queue, tenant_id, cause) = route(due);
            let queued = &mut commands[queue as usize];
            let command = Command {
                tenant_id,
                cause: cause.to_owned(),
            };
            if !queued
                .iter()
                .any(|other| other.tenant_id == command.tenant_id)
            {
                queued.push(command);
            }
        }
        for (queue, commands) in [Queue::Pull, Queue::Suspend, Queue::Provision]
            .into_iter()
            .zip(&commands)
        {
            self.queues.send(queue, commands).await?;
        }
        if tick.0.rem_euclid(SWEEP_EVERY) == 0 {
            let partition = (tick.0 / SWEEP_EVERY).rem_euclid(i64::from(OUTBOX_PARTITIONS));
            self.sweep_outbox(u8::try_from(partition).unwrap_or_default()).await?;
        }
        Ok(())
    }

    /// Sends events again that lie in the outbox too long; parked ones wait for a person.
    async fn sweep_outbox(&self, partition: u8) -> Result<(), Failure> {
        let now = self.host.now();
        let rows = self.store.outbox_rows(partition, SWEEP_ROWS_MAX).await?;
        let is_late = |row: &OutboxRow| now.duration_since(row.at) > SignedDuration::from_secs(SWEEP_OLDER_S);
        let late: Vec<OutboxRow> = rows.into_iter().filter(|row| row.parked.is_none() && is_late(row)).collect();
        for chunk in late.chunks(PUT_EVENTS_MAX) {
            if self.publish_rows(chunk).await?.is_some() {
                tracing::warn!(error_type = "bus_busy", "the bus does not take late events yet");
                return Ok(());
            }
        }
        Ok(())
    }
}

fn route(due: DueItem) -> (Queue, TenantId, &'static str) {
    match due {
        DueItem::Pull(tenant) => (Queue::Pull, tenant, "mark"),
        DueItem::Daily(tenant) => (Queue::Pull, tenant, "daily"),
        DueItem::Act(ActKind::Standing, tenant) => (Queue::Pull, tenant, "standing"),
        DueItem::Act(ActKind::Enforce, tenant) => (Queue::Suspend, tenant, "timer"),
        DueItem::Act(ActKind::Provision, tenant) => (Queue::Provision, tenant, "timer"),
    }
}
