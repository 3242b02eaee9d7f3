//! EventBridge: one bus, rules with exact lists, queue targets with a dead-letter queue.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::names::{ACCOUNT, Names, REGION, SUSPEND_TRIGGERS};
use super::sqs_api::Refused;
use super::wire::{Answer, ApiError, text};
use super::{LocalAws, lock};

/// Entries that one PutEvents takes.
const ENTRIES_MAX: usize = 10;
/// Bytes that one PutEvents takes in all.
const BYTES_MAX: usize = 262_144;
/// Bytes that EventBridge counts for an entry's time.
const TIME_BYTES: usize = 14;

/// An event that the bus accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    /// Its place in the log, from 0.
    pub number: usize,
    /// EventBridge's id of it.
    pub id: String,
    /// When it was accepted.
    pub at: Timestamp,
    /// `source`.
    pub source: String,
    /// `detail-type`.
    pub detail_type: String,
    /// `detail`.
    pub detail: Value,
}

/// Events that fit `pattern` go to `queue`, or to `dead` if that is not there.
#[derive(Debug, Clone)]
struct Rule {
    pattern: Value,
    queue: String,
    dead: String,
}

/// The bus with its rules and its log.
#[derive(Debug, Clone)]
pub(crate) struct Bus {
    name: String,
    rules: Vec<Rule>,
    log: Vec<LoggedEvent>,
}

impl Bus {
    /// The bus of contracts with its rule to the suspender.
    pub fn of(names: &Names) -> Self {
        let rule = Rule {
            pattern: json!({"source": [names.event_source()], "detail-type": SUSPEND_TRIGGERS}),
            queue: names.of("suspend"),
            dead: names.of("suspend-dlq"),
        };
        Self {
            name: names.bus(),
            rules: vec![rule],
            log: Vec::new(),
        }
    }

    pub fn since(&self, first: usize) -> Vec<LoggedEvent> {
        self.log.get(first..).unwrap_or_default().to_vec()
    }

    /// Logs an event and returns its envelope with the queues it goes to.
    fn accept(&mut self, event: LoggedEvent) -> (Value, Vec<(String, String)>) {
        let envelope = json!({
            "version": "0", "id": event.id, "detail-type": event.detail_type, "source": event.source,
            "account": ACCOUNT, "time": event.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "region": REGION, "resources": [], "detail": event.detail,
        });
        self.log.push(event);
        let matching = self
            .rules
            .iter()
            .filter(|rule| fits(&rule.pattern, &envelope));
        let targets = matching
            .map(|rule| (rule.queue.clone(), rule.dead.clone()))
            .collect();
        (envelope, targets)
    }
}

/// EventBridge's patterns as far as used: objects nest, a list names the exact values allowed; an
/// array in the event fits if one of its elements does.
fn fits(pattern: &Value, event: &Value) -> bool {
    match pattern {
        Value::Object(members) => members
            .iter()
            .all(|(key, wanted)| event.get(key).is_some_and(|value| fits(wanted, value))),
        Value::Array(allowed) => match event {
            Value::Array(values) => values.iter().any(|value| allowed.contains(value)),
            value => allowed.contains(value),
        },
        _ => false,
    }
}

impl LocalAws {
    /// Adds a rule: events that fit `pattern` go to `queue` (its failures to `dead`).
    pub fn add_rule(&self, pattern: Value, queue: &str, dead: &str) {
        let rule = Rule {
            pattern,
            queue: queue.to_owned(),
            dead: dead.to_owned(),
        };
        lock(&self.inner.bus).rules.push(rule);
    }

    pub(crate) fn put_events(
        &self,
        operation: &str,
        request: &Value,
        refused: Refused<'_>,
    ) -> Answer {
        if operation != "PutEvents" {
            return Err(ApiError::client(
                "UnknownOperationException",
                format!("{operation} is not played locally"),
            ));
        }
        let entries = request
            .get("Entries")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        if entries.is_empty() || entries.len() > ENTRIES_MAX {
            return Err(ApiError::client(
                "ValidationException",
                "Entries must have between 1 and 10 members.",
            ));
        }
        if entries.iter().map(entry_bytes).sum::<usize>() > BYTES_MAX {
            return Err(ApiError::client(
                "ValidationException",
                "Total size of the entries in the request is over the limit.",
            ));
        }
        let (mut results, mut failures) = (Vec::new(), 0);
        for (index, entry) in entries.iter().enumerate() {
            let outcome = match refused {
                Some((indexes, code)) if indexes.contains(&index) => {
                    Err((code, "injected".to_owned()))
                }
                _ => self.put_event(entry),
            };
            results.push(match outcome {
                Ok(id) => json!({"EventId": id}),
                Err((code, message)) => {
                    failures += 1;
                    json!({"ErrorCode": code, "ErrorMessage": message})
                }
            });
        }
        Ok(json!({"FailedEntryCount": failures, "Entries": results}))
    }

    fn put_event(&self, entry: &Value) -> Result<String, (&'static str, String)> {
        let member = |name: &str| {
            text(entry, name)
                .filter(|value| !value.is_empty())
                .map(str::to_owned)
                .ok_or_else(|| {
                    (
                        "InvalidArgument",
                        format!(
                            "Parameter {name} is not valid. Reason: {name} is a required argument."
                        ),
                    )
                })
        };
        let (source, detail_type, detail) =
            (member("Source")?, member("DetailType")?, member("Detail")?);
        if source.starts_with("aws.") {
            return Err((
                "NotAuthorizedForSourceException",
                "Not authorized for the source.".to_owned(),
            ));
        }
        let detail: Value = serde_json::from_str(&detail)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| ("MalformedDetail", "Detail is malformed.".to_owned()))?;
        let id = lock(&self.inner.random).uuid();
        let bus = text(entry, "EventBusName").map(|name| name.rsplit('/').next().unwrap_or(name));
        let mut own = lock(&self.inner.bus);
        if bus != Some(own.name.as_str()) {
            // Other buses exist on AWS and have no rules of ours.
            return Ok(id);
        }
        let at = self.now();
        let event = LoggedEvent {
            number: own.log.len(),
            id: id.clone(),
            at,
            source,
            detail_type,
            detail,
        };
        let (envelope, targets) = own.accept(event);
        drop(own);
        for (queue, dead) in targets {
            self.deliver(&queue, &dead, &envelope.to_string(), at);
        }
        Ok(id)
    }

    fn deliver(&self, queue: &str, dead: &str, body: &str, now: Timestamp) {
        let (mut queues, mut random) = (lock(&self.inner.queues), lock(&self.inner.random));
        let target = if queues.exists(queue) { queue } else { dead };
        queues.send(
            target,
            body,
            json!({}),
            now,
            SignedDuration::ZERO,
            &mut random,
        );
        self.inner.changed.notify_one();
    }
}

fn entry_bytes(entry: &Value) -> usize {
    let texts = ["Source", "DetailType", "Detail"]
        .iter()
        .filter_map(|name| text(entry, name))
        .map(str::len)
        .sum::<usize>();
    texts
        + if entry.get("Time").is_some() {
            TIME_BYTES
        } else {
            0
        }
}
