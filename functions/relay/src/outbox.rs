//! Outbox stream: events go to the bus; a row is removed only once the bus has it.

use aws::{OutboxRow, PUT_EVENTS_MAX, Publication};
use aws_lambda_events::event::dynamodb::EventRecord;
use domain::ids::EventId;

use crate::{Failure, Function, text};

impl Function {
    /// Publishes a batch in order. Answers the sequence number of the first row that the bus does not have.
    pub(crate) async fn publish(&self, records: &[EventRecord]) -> Result<Option<String>, Failure> {
        let rows: Vec<(String, OutboxRow)> = records.iter().filter_map(row).collect();
        for chunk in rows.chunks(PUT_EVENTS_MAX) {
            let outbox: Vec<OutboxRow> = chunk.iter().map(|(_, row)| row.clone()).collect();
            if let Some(first) = self.publish_rows(&outbox).await? {
                return Ok(Some(chunk[first].0.clone()));
            }
        }
        Ok(None)
    }

    /// Publishes up to ten rows. Answers the index of the first that the bus does not have.
    pub(crate) async fn publish_rows(&self, rows: &[OutboxRow]) -> Result<Option<usize>, Failure> {
        let mut first_failed = None;
        for (index, (row, publication)) in
            rows.iter().zip(self.bus.publish(rows).await?).enumerate()
        {
            match publication {
                Publication::Accepted => {
                    self.store
                        .remove_outbox_row(&row.partition, &row.id)
                        .await?;
                }
                Publication::NotYet => {
                    first_failed.get_or_insert(index);
                }
                Publication::Refused { code } => {
                    tracing::error!(event.id = %row.id, event.name = row.name, code, error_type = "event_refused", "the bus refuses an event: parked");
                    self.store
                        .park_outbox_row(&row.partition, &row.id, &code)
                        .await?;
                }
            }
        }
        Ok(first_failed)
    }
}

fn row(record: &EventRecord) -> Option<(String, OutboxRow)> {
    let parsed = (|| {
        Some(OutboxRow {
            partition: text(record, "pk")?.to_owned(),
            id: EventId::parse(text(record, "sk")?).ok()?,
            name: text(record, "t")?.to_owned(),
            detail: text(record, "detail")?.to_owned(),
            at: text(record, "at")?.parse().ok()?,
            parked: None,
        })
    })();
    if parsed.is_none() {
        tracing::error!(
            error_type = "malformed_record",
            "an outbox row without an event"
        );
    }
    Some((record.change.sequence_number.clone()?, parsed?))
}
