//! Lambda's poller of a DynamoDB stream: filter, batch, window, bisect, retries, age, partial
//! responses, and the message about what was given up.
//!
//! One shard a table. While a batch is being retried, nothing behind it moves, as on AWS.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use dynoxide::DynoxideError;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::dynamo::Dynamo;
use super::names::{Names, REGION, function_arn};
use super::random::Random;

/// Records between two trims of a stream.
const TRIM_EVERY: usize = 5_000;
/// First pause before a retry, doubled each time up to the longest.
const BACKOFF_FIRST_SECONDS: i64 = 1;
const BACKOFF_LONGEST_SECONDS: i64 = 60;

/// One stream record that passed the filter.
#[derive(Debug, Clone)]
struct Item {
    sequence: String,
    keys: String,
    arrived_at: Timestamp,
    record: Value,
}

/// Records that go to the function together.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    items: Vec<Item>,
    failures: u32,
    not_before: Timestamp,
    /// A delivery after a success, by disorder.
    repeated: bool,
}

/// What the event source mapping is told.
#[derive(Debug, Clone)]
struct Settings {
    batch: usize,
    window: SignedDuration,
    retries: u32,
    age_max: SignedDuration,
}

/// The mapping of one stream to one function.
#[derive(Debug, Clone)]
pub(crate) struct StreamMapping {
    pub table: String,
    pub function: &'static str,
    stream_arn: String,
    iterator: String,
    settings: Settings,
    pending: VecDeque<Item>,
    /// Batches to deliver before `pending`; the last one is next.
    retrying: Vec<Batch>,
    read_since_trim: usize,
}

/// The mappings of callbacks and outbox to the relay.
pub(crate) fn mappings(
    names: &Names,
    dynamo: &Dynamo,
) -> Result<Vec<StreamMapping>, DynoxideError> {
    let hours = SignedDuration::from_hours;
    let callbacks = Settings {
        batch: 1000,
        window: SignedDuration::from_secs(60),
        retries: 5,
        age_max: hours(6),
    };
    let outbox = Settings {
        batch: 100,
        window: SignedDuration::ZERO,
        retries: 10,
        age_max: hours(1),
    };
    let map = |table: &str, settings| -> Result<StreamMapping, DynoxideError> {
        let table = names.of(table);
        let label = dynamo.stream_arn(&table)?;
        let label = label.rsplit('/').next().unwrap_or_default();
        Ok(StreamMapping {
            stream_arn: format!(
                "arn:aws:dynamodb:{REGION}:{}:table/{table}/stream/{label}",
                super::ACCOUNT
            ),
            iterator: dynamo.stream_start(&table)?,
            table,
            function: "relay",
            settings,
            pending: VecDeque::new(),
            retrying: Vec::new(),
            read_since_trim: 0,
        })
    };
    Ok(vec![map("callbacks", callbacks)?, map("outbox", outbox)?])
}

impl StreamMapping {
    /// Reads everything new; `arrived_at` is when the first of it was written.
    pub fn read(&mut self, dynamo: &Dynamo, arrived_at: Timestamp) -> Result<(), DynoxideError> {
        loop {
            let (records, next) = dynamo.stream_read(&self.iterator)?;
            self.iterator = next;
            if records.is_empty() {
                break;
            }
            self.read_since_trim += records.len();
            // The mapping's filter: `{"eventName": ["INSERT"]}`.
            for record in records
                .iter()
                .filter(|record| record.event_name == "INSERT")
            {
                let mut record = serde_json::to_value(record).unwrap_or_default();
                record["awsRegion"] = REGION.into();
                record["eventSourceARN"] = self.stream_arn.clone().into();
                record["dynamodb"]["ApproximateCreationDateTime"] = arrived_at.as_second().into();
                let change = &record["dynamodb"];
                self.pending.push_back(Item {
                    sequence: change["SequenceNumber"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned(),
                    keys: change["Keys"].to_string(),
                    arrived_at,
                    record,
                });
            }
        }
        if self.read_since_trim >= TRIM_EVERY {
            self.read_since_trim = 0;
            dynamo.stream_trim(&self.table)?;
        }
        Ok(())
    }

    /// The next batch that is due. Records past their age are given up instead: second value.
    pub fn take_due(
        &mut self,
        now: Timestamp,
        shuffle: Option<&mut Random>,
    ) -> (Option<Batch>, Option<Value>) {
        if let Some(next) = self.retrying.last() {
            if next.not_before > now {
                return (None, None);
            }
            let Some(mut batch) = self.retrying.pop() else {
                return (None, None);
            };
            let limit = now - self.settings.age_max;
            let (old, young): (Vec<Item>, Vec<Item>) = batch
                .items
                .into_iter()
                .partition(|item| item.arrived_at < limit);
            let given_up = (!old.is_empty())
                .then(|| self.failure_message(&old, batch.failures, "RecordAgeExceeded", now));
            batch.items = young;
            return ((!batch.items.is_empty()).then_some(batch), given_up);
        }
        if self.pending_due_at().is_none_or(|due_at| due_at > now) {
            return (None, None);
        }
        let count = self.settings.batch.min(self.pending.len());
        let mut items: Vec<Item> = self.pending.drain(..count).collect();
        if let Some(random) = shuffle {
            items = shuffled(items, random);
        }
        (
            Some(Batch {
                items,
                failures: 0,
                not_before: now,
                repeated: false,
            }),
            None,
        )
    }

    /// When something is next due, apart from records not read yet.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.retrying
            .last()
            .map_or_else(|| self.pending_due_at(), |batch| Some(batch.not_before))
    }

    /// When records written at `written_at` and not read yet are due.
    pub fn due_at(&self, written_at: Timestamp) -> Timestamp {
        written_at + self.settings.window
    }

    fn pending_due_at(&self) -> Option<Timestamp> {
        let first = self.pending.front()?;
        let full = self.pending.len() >= self.settings.batch;
        Some(if full {
            first.arrived_at
        } else {
            self.due_at(first.arrived_at)
        })
    }

    /// Acts on a function's response to a batch; returns the message about what was given up.
    pub fn finish(
        &mut self,
        batch: Batch,
        response: &Result<Value, String>,
        now: Timestamp,
        repeat: bool,
    ) -> Option<Value> {
        let first_failed = match response {
            Ok(response) => first_failure(response, &batch.items),
            Err(_) => Some(0),
        };
        match first_failed {
            None => {
                if repeat && !batch.repeated {
                    self.retrying.push(Batch {
                        repeated: true,
                        failures: 0,
                        not_before: now,
                        ..batch
                    });
                }
                None
            }
            // Progress: the rest starts afresh.
            Some(index) if index > 0 => {
                let items = batch.items[index..].to_vec();
                let not_before = now + SignedDuration::from_secs(BACKOFF_FIRST_SECONDS);
                self.retrying.push(Batch {
                    items,
                    failures: 0,
                    not_before,
                    repeated: batch.repeated,
                });
                None
            }
            Some(_) => self.retry(batch, now),
        }
    }

    /// Bisects a batch (not counted as a retry, as Lambda documents), retries a single record, or
    /// gives it up.
    fn retry(&mut self, mut batch: Batch, now: Timestamp) -> Option<Value> {
        if batch.items.len() > 1 {
            let second = Batch {
                items: batch.items.split_off(batch.items.len() / 2),
                ..batch.clone()
            };
            self.retrying.push(Batch {
                not_before: now,
                ..second
            });
            self.retrying.push(Batch {
                not_before: now,
                ..batch
            });
            return None;
        }
        batch.failures += 1;
        if batch.failures > self.settings.retries {
            return Some(self.failure_message(
                &batch.items,
                batch.failures,
                "RetryAttemptsExhausted",
                now,
            ));
        }
        let pause = BACKOFF_FIRST_SECONDS << (batch.failures - 1).min(6);
        batch.not_before = now + SignedDuration::from_secs(pause.min(BACKOFF_LONGEST_SECONDS));
        self.retrying.push(batch);
        None
    }

    /// Lambda's message to the on-failure destination: positions, not records.
    fn failure_message(
        &self,
        items: &[Item],
        invocations: u32,
        condition: &str,
        now: Timestamp,
    ) -> Value {
        let (first, last) = (items.first(), items.last());
        json!({
            "requestContext": {
                "requestId": first.map(|item| &item.record["eventID"]),
                "functionArn": function_arn(self.function),
                "condition": condition, "approximateInvokeCount": invocations,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0",
            "timestamp": now.to_string(),
            "DDBStreamBatchInfo": {
                "shardId": dynoxide::streams::shard_id(&self.table),
                "startSequenceNumber": first.map(|item| &item.sequence),
                "endSequenceNumber": last.map(|item| &item.sequence),
                "approximateArrivalOfFirstRecord": first.map(|item| item.arrived_at.to_string()),
                "approximateArrivalOfLastRecord": last.map(|item| item.arrived_at.to_string()),
                "batchSize": items.len(), "streamArn": self.stream_arn,
            },
        })
    }
}

impl Batch {
    /// The event, as Lambda hands it to the function.
    pub fn event(&self) -> Value {
        json!({"Records": self.items.iter().map(|item| &item.record).collect::<Vec<_>>()})
    }
}

/// Index of the first record to deliver again, `None` for a full success. An identifier that
/// names no record of the batch fails the whole batch.
fn first_failure(response: &Value, items: &[Item]) -> Option<usize> {
    let failures = response
        .get("batchItemFailures")
        .and_then(Value::as_array)?;
    let named: Option<Vec<usize>> = failures
        .iter()
        .map(|failure| {
            let id = failure.get("itemIdentifier").and_then(Value::as_str)?;
            items.iter().position(|item| item.sequence == id)
        })
        .collect();
    named.map_or(Some(0), |named| named.into_iter().min())
}

/// Another order of the records that keeps the order of each item. Sequence numbers stay ascending,
/// as if the writes had happened in the new order.
fn shuffled(items: Vec<Item>, random: &mut Random) -> Vec<Item> {
    let sequences: BTreeSet<String> = items.iter().map(|item| item.sequence.clone()).collect();
    let mut by_keys: BTreeMap<String, VecDeque<Item>> = BTreeMap::new();
    for item in items {
        by_keys
            .entry(item.keys.clone())
            .or_default()
            .push_back(item);
    }
    let mut queues: Vec<VecDeque<Item>> = by_keys.into_values().collect();
    let mut mixed = Vec::new();
    for sequence in sequences {
        let bound = u64::try_from(queues.len()).unwrap_or(1).max(1);
        let pick = usize::try_from(random.below(bound)).unwrap_or(0);
        if let Some(mut item) = queues.get_mut(pick).and_then(VecDeque::pop_front) {
            item.record["dynamodb"]["SequenceNumber"] = sequence.clone().into();
            item.sequence = sequence;
            mixed.push(item);
        }
        queues.retain(|queue| !queue.is_empty());
    }
    mixed
}
