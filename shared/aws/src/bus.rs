//! The event bus: facts with several readers.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;

use crate::table::outbox::OutboxRow;
use crate::{Clients, Names, StoreError};

/// Entries of one PutEvents (EventBridge API reference).
pub const PUT_EVENTS_MAX: usize = 10;

/// What the bus did with one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publication {
    /// It has it.
    Accepted,
    /// It did not take it this time.
    NotYet,
    /// It will never take it.
    Refused {
        /// EventBridge's error code.
        code: String,
    },
}

/// Publishes events.
#[derive(Debug, Clone)]
pub struct Bus {
    events: aws_sdk_eventbridge::Client,
    name: String,
    source: String,
}

impl Bus {
    /// The stage's bus.
    pub fn new(clients: &Clients, names: &Names) -> Self {
        Self {
            events: clients.events.clone(),
            name: names.bus.clone(),
            source: names.event_source.clone(),
        }
    }

    /// Publishes up to ten rows in one call and says what became of each, in order.
    pub async fn publish(&self, rows: &[OutboxRow]) -> Result<Vec<Publication>, StoreError> {
        const OPERATION: &str = "publish events";
        debug_assert!(rows.len() <= PUT_EVENTS_MAX);
        let mut request = self.events.put_events();
        for row in rows {
            let entry = PutEventsRequestEntry::builder()
                .event_bus_name(&self.name)
                .source(&self.source)
                .detail_type(&row.name)
                .detail(&row.detail)
                .build();
            request = request.entries(entry);
        }
        let answer = request
            .send()
            .await
            .map_err(|error| StoreError::from_sdk(OPERATION, &error))?;
        let entries = answer.entries.unwrap_or_default();
        if entries.len() != rows.len() {
            return Err(StoreError::malformed(
                OPERATION,
                "an answer for each entry was expected",
            ));
        }
        Ok(entries
            .iter()
            .map(|entry| publication(entry.error_code()))
            .collect())
    }
}

fn publication(error_code: Option<&str>) -> Publication {
    match error_code {
        None => Publication::Accepted,
        Some("MalformedDetail" | "InvalidArgument" | "EventSizeExceeded") => Publication::Refused {
            code: error_code.unwrap_or_default().to_owned(),
        },
        Some(_) => Publication::NotYet,
    }
}
