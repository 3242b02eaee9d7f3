#![doc = include_str!("../README.md")]

mod callbacks;
mod outbox;
mod tick;

use std::collections::HashMap;
use std::sync::Mutex;

use aws::{Bus, Names, QueueUrls, Queues, Store, StoreError, Tick};
use aws_lambda_events::event::dynamodb::{Event as StreamEvent, EventRecord};
use domain::ids::TenantId;
use lambda_runtime::{Error, LambdaEvent};
use runtime::{Environment, Host};
use serde::Serialize;
use serde_json::Value;

/// The function, its clients built once.
pub struct Function {
    host: Host,
    store: Store,
    queues: Queues,
    bus: Bus,
    names: Names,
    /// The tick that each tenant was last marked on by this instance.
    marked: Mutex<HashMap<TenantId, Tick>>,
    /// How far this instance handed ticks on.
    position: Mutex<Option<tick::Position>>,
}

/// Which records of a batch come again: those from the first that failed.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct StreamResponse {
    /// At most one: Lambda retries from the lowest.
    #[serde(rename = "batchItemFailures")]
    pub batch_item_failures: Vec<StreamFailure>,
}

/// A record that was not handled.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct StreamFailure {
    /// Its sequence number.
    #[serde(rename = "itemIdentifier")]
    pub item_identifier: String,
}

impl StreamResponse {
    fn from(sequence_number: Option<String>) -> Self {
        let failure = sequence_number.map(|item_identifier| StreamFailure { item_identifier });
        Self {
            batch_item_failures: failure.into_iter().collect(),
        }
    }
}

impl Function {
    /// Builds the clients; nothing is sent yet.
    pub fn new(
        environment: &Environment,
        host: &Host,
        settings: &aws::Settings,
    ) -> Result<Self, Error> {
        let clients = settings.clients()?;
        let url = |name: &'static str| environment.require(name).map(str::to_owned);
        let urls = QueueUrls {
            pull: url("TOLLGATE_PULL_QUEUE_URL")?,
            suspend: url("TOLLGATE_SUSPEND_QUEUE_URL")?,
            provision: url("TOLLGATE_PROVISION_QUEUE_URL")?,
            statement: url("TOLLGATE_STATEMENT_QUEUE_URL")?,
            reconcile: url("TOLLGATE_RECONCILE_QUEUE_URL")?,
        };
        let queues = Queues::new(&clients, urls);
        let names = settings.names();
        Ok(Self {
            host: host.clone(),
            store: Store::new(settings, &clients),
            queues,
            bus: Bus::new(&clients, &names),
            names,
            marked: Mutex::default(),
            position: Mutex::default(),
        })
    }

    /// Opens the connection to the tables while init's CPU is free.
    pub async fn warm_up(&self) {
        self.store.warm_up().await;
    }

    /// Handles a stream's batch or the schedule's tick.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<StreamResponse, Error> {
        let handled = self.dispatch(event.payload).await;
        if let Err(error) = &handled {
            tracing::error!(%error, "relay failed");
        }
        handled
    }

    async fn dispatch(&self, event: Value) -> Result<StreamResponse, Error> {
        if event.get("Records").is_none() {
            self.tick().await?;
            return Ok(StreamResponse::default());
        }
        let records = serde_json::from_value::<StreamEvent>(event)?.records;
        let from = |table: &str| {
            let stream = format!("table/{table}/stream/");
            records
                .first()
                .and_then(|record| record.event_source_arn.as_deref())
                .is_some_and(|arn| arn.contains(&stream))
        };
        if from(&self.names.callbacks) {
            self.mark_tenants(&records).await?;
            Ok(StreamResponse::default())
        } else if from(&self.names.outbox) {
            Ok(StreamResponse::from(self.publish(&records).await?))
        } else {
            Err("a stream that this function does not know".into())
        }
    }
}

/// A string attribute of a record's new image or keys.
fn text<'a>(record: &'a EventRecord, name: &str) -> Option<&'a str> {
    let image = &record.change.new_image;
    match image.get(name).or_else(|| record.change.keys.get(name)) {
        Some(serde_dynamo::AttributeValue::S(text)) => Some(text),
        _ => None,
    }
}

/// A failure that the whole batch is retried for.
type Failure = StoreError;
