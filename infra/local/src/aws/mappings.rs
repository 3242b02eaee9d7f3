//! Lambda's pollers of SQS queues: batches, maximum concurrency, partial batch responses.
//!
//! Null or empty response = success; a malformed identifier or an error = the whole batch fails.
//! What fails stays in flight and comes back when its visibility timeout ends.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::names::{self, REGION};
use super::sqs::{Received, md5_of};

/// The event, as Lambda hands it to the function.
pub(crate) fn event(queue: &str, batch: &[Received]) -> Value {
    let records: Vec<Value> = batch
        .iter()
        .map(|received| {
            let message = &received.message;
            json!({
                "messageId": message.id, "receiptHandle": received.receipt, "body": message.body,
                "attributes": received.system_attributes(),
                "messageAttributes": attributes(&message.attributes),
                "md5OfBody": md5_of(&message.body), "eventSource": "aws:sqs",
                "eventSourceARN": names::queue_arn(queue), "awsRegion": REGION,
            })
        })
        .collect();
    json!({"Records": records})
}

/// Lambda writes message attributes with a small first letter.
fn attributes(api: &Value) -> Value {
    let mut event = json!({});
    for (name, attribute) in api.as_object().into_iter().flatten() {
        let mut one = json!({
            "dataType": attribute["DataType"], "stringListValues": [], "binaryListValues": [],
        });
        for (from, to) in [
            ("StringValue", "stringValue"),
            ("BinaryValue", "binaryValue"),
        ] {
            if let Some(value) = attribute.get(from) {
                one[to] = value.clone();
            }
        }
        event[name] = one;
    }
    event
}

/// The messages that are done with; the others failed.
pub(crate) fn succeeded<'a>(
    batch: &'a [Received],
    response: &Result<Value, String>,
) -> Vec<&'a Received> {
    let Ok(response) = response else {
        return Vec::new();
    };
    let Some(failures) = response.get("batchItemFailures").and_then(Value::as_array) else {
        return batch.iter().collect();
    };
    let ids: BTreeSet<&str> = batch
        .iter()
        .map(|received| received.message.id.as_str())
        .collect();
    let failed: Option<BTreeSet<&str>> = failures
        .iter()
        .map(|failure| {
            failure
                .get("itemIdentifier")
                .and_then(Value::as_str)
                .filter(|id| ids.contains(id))
        })
        .collect();
    match failed {
        None => Vec::new(),
        Some(failed) => batch
            .iter()
            .filter(|received| !failed.contains(received.message.id.as_str()))
            .collect(),
    }
}
