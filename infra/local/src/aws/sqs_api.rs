//! SQS's operations on the wire: the JSON protocol with its per-entry failures.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{HeaderValue, Response};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::sqs::{MESSAGE_BYTES_MAX, Queues, Receipt, md5_of};
use super::wire::{Answer, ApiError, text};
use super::{LocalAws, lock};

/// Entries that one batch call takes.
const BATCH_ENTRIES_MAX: usize = 10;
/// Bytes that one batch call takes in all (1 MiB since August 2025).
const BATCH_BYTES_MAX: usize = 1_048_576;
/// Longest delay and longest visibility timeout that SQS takes.
const DELAY_SECONDS_MAX: i64 = 900;
const VISIBILITY_SECONDS_MAX: i64 = 43_200;

/// Indexes and code of entries that a fault refuses.
pub(crate) type Refused<'a> = Option<(&'a [usize], &'a str)>;

/// Queue name in a request, from its URL or its name.
pub(crate) fn queue_of(request: &Value) -> Option<&str> {
    text(request, "QueueUrl")
        .and_then(|url| url.rsplit('/').next())
        .or_else(|| text(request, "QueueName"))
}

/// Serves one call.
pub(crate) fn serve(
    aws: &LocalAws,
    operation: &str,
    request: &Value,
    refused: Refused<'_>,
) -> Answer {
    let name = queue_of(request).unwrap_or_default().to_owned();
    let mut queues = lock(&aws.inner.queues);
    if !queues.exists(&name) {
        return Err(ApiError::client(
            "com.amazonaws.sqs#QueueDoesNotExist",
            "The specified queue does not exist.",
        ));
    }
    match operation {
        "GetQueueUrl" => Ok(json!({"QueueUrl": aws.queue_url(&name)})),
        "SendMessage" => send(aws, &mut queues, &name, request),
        "SendMessageBatch" => send_batch(aws, &mut queues, &name, request, refused),
        "ReceiveMessage" => receive(aws, &mut queues, &name, request),
        "DeleteMessage" => delete(&mut queues, &name, request),
        "DeleteMessageBatch" => batch(request, |entry| delete(&mut queues, &name, entry)),
        "ChangeMessageVisibility" => change_visibility(aws, &mut queues, &name, request),
        "ChangeMessageVisibilityBatch" => batch(request, |entry| {
            change_visibility(aws, &mut queues, &name, entry)
        }),
        "GetQueueAttributes" => Ok(attributes(aws, &queues, &name, request)),
        _ => Err(ApiError::client(
            "UnsupportedOperation",
            format!("{operation} is not played locally"),
        )),
    }
}

/// SDKs take SQS's error codes from this header, where some still have the names of the query protocol.
pub(crate) fn add_query_error(response: &mut Response<Bytes>) {
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let code = text(&body, "__type")
        .and_then(|code| code.rsplit('#').next())
        .unwrap_or_default();
    let code = match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue".to_owned(),
        "TooManyEntriesInBatchRequest"
        | "EmptyBatchRequest"
        | "BatchEntryIdsNotDistinct"
        | "InvalidBatchEntryId"
        | "BatchRequestTooLong"
        | "MessageNotInflight"
        | "UnsupportedOperation" => {
            format!("AWS.SimpleQueueService.{code}")
        }
        code => code.to_owned(),
    };
    let side = if response.status().is_server_error() {
        "Receiver"
    } else {
        "Sender"
    };
    if let Ok(header) = HeaderValue::from_str(&format!("{code};{side}")) {
        response.headers_mut().insert("x-amzn-query-error", header);
    }
}

fn invalid(error_type: &str, message: &str) -> ApiError {
    ApiError::client(&format!("com.amazonaws.sqs#{error_type}"), message)
}

fn send(aws: &LocalAws, queues: &mut Queues, name: &str, request: &Value) -> Answer {
    let body = text(request, "MessageBody").unwrap_or_default();
    if body.is_empty() {
        return Err(ApiError::client(
            "MissingParameter",
            "The request must contain the parameter MessageBody.",
        ));
    }
    if body.len() > MESSAGE_BYTES_MAX {
        let message = format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {MESSAGE_BYTES_MAX} bytes."
        );
        return Err(ApiError::client("InvalidParameterValue", message));
    }
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    if !body.chars().all(allowed) {
        return Err(invalid(
            "InvalidMessageContents",
            "The message contains characters outside the allowed set.",
        ));
    }
    let delay = request
        .get("DelaySeconds")
        .and_then(Value::as_i64)
        .unwrap_or(0);
    if !(0..=DELAY_SECONDS_MAX).contains(&delay) {
        return Err(ApiError::client(
            "InvalidParameterValue",
            "DelaySeconds must be between 0 and 900.",
        ));
    }
    let attributes = request
        .get("MessageAttributes")
        .cloned()
        .unwrap_or(json!({}));
    let mut random = lock(&aws.inner.random);
    let id = queues
        .send(
            name,
            body,
            attributes,
            aws.now(),
            SignedDuration::from_secs(delay),
            &mut random,
        )
        .ok_or_else(|| invalid("QueueDoesNotExist", "The specified queue does not exist."))?;
    drop(random);
    aws.inner.changed.notify_one();
    Ok(json!({"MessageId": id, "MD5OfMessageBody": md5_of(body)}))
}

fn entries(request: &Value) -> Result<&Vec<Value>, ApiError> {
    let entries = request
        .get("Entries")
        .and_then(Value::as_array)
        .filter(|entries| !entries.is_empty());
    let entries = entries
        .ok_or_else(|| invalid("EmptyBatchRequest", "There should be at least one entry."))?;
    if entries.len() > BATCH_ENTRIES_MAX {
        return Err(invalid(
            "TooManyEntriesInBatchRequest",
            "Maximum number of entries per request are 10.",
        ));
    }
    let ids: BTreeSet<&str> = entries
        .iter()
        .filter_map(|entry| text(entry, "Id"))
        .collect();
    if ids.len() < entries.len() {
        return Err(invalid("BatchEntryIdsNotDistinct", "Id repeated."));
    }
    let fits = |id: &str| {
        id.len() <= 80
            && id
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    if !ids.iter().all(|id| !id.is_empty() && fits(id)) {
        return Err(invalid(
            "InvalidBatchEntryId",
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores.",
        ));
    }
    Ok(entries)
}

fn send_batch(
    aws: &LocalAws,
    queues: &mut Queues,
    name: &str,
    request: &Value,
    refused: Refused<'_>,
) -> Answer {
    let total: usize = entries(request)?
        .iter()
        .filter_map(|entry| text(entry, "MessageBody"))
        .map(str::len)
        .sum();
    if total > BATCH_BYTES_MAX {
        return Err(invalid(
            "BatchRequestTooLong",
            "Batch requests cannot be longer than 1048576 bytes.",
        ));
    }
    let mut index = 0;
    batch(request, |entry| {
        let this = index;
        index += 1;
        match refused {
            Some((indexes, code)) if indexes.contains(&this) => Err(ApiError::injected(500, code)),
            _ => send(aws, queues, name, entry),
        }
    })
}

/// Serves each entry by itself and reports the failures per entry.
fn batch(request: &Value, mut serve: impl FnMut(&Value) -> Answer) -> Answer {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries(request)? {
        let id = entry.get("Id").cloned().unwrap_or_default();
        match serve(entry) {
            Ok(mut answer) => {
                answer["Id"] = id;
                successful.push(answer);
            }
            Err(error) => failed.push(json!({
                "Id": id, "Code": error.error_type.rsplit('#').next(),
                "Message": error.message, "SenderFault": error.status < 500,
            })),
        }
    }
    Ok(json!({"Successful": successful, "Failed": failed}))
}

fn receive(aws: &LocalAws, queues: &mut Queues, name: &str, request: &Value) -> Answer {
    let max = request
        .get("MaxNumberOfMessages")
        .and_then(Value::as_u64)
        .unwrap_or(1);
    if !(1..=10).contains(&max) {
        return Err(ApiError::client(
            "InvalidParameterValue",
            "MaxNumberOfMessages must be between 1 and 10.",
        ));
    }
    let visibility = request
        .get("VisibilityTimeout")
        .and_then(Value::as_i64)
        .map(SignedDuration::from_secs);
    let max = usize::try_from(max).unwrap_or(1);
    let messages: Vec<Value> = queues
        .receive(name, max, visibility, aws.now())
        .into_iter()
        .map(|received| {
            json!({
                "MessageId": received.message.id, "ReceiptHandle": received.receipt,
                "Body": received.message.body, "MD5OfBody": md5_of(&received.message.body),
                "Attributes": received.system_attributes(),
                "MessageAttributes": received.message.attributes,
            })
        })
        .collect();
    Ok(json!({"Messages": messages}))
}

fn current(queues: &Queues, name: &str, request: &Value) -> Result<Option<u64>, ApiError> {
    match queues.look_up(name, text(request, "ReceiptHandle").unwrap_or_default()) {
        Receipt::Current(order) => Ok(Some(order)),
        Receipt::Stale => Ok(None),
        Receipt::Malformed => Err(invalid(
            "ReceiptHandleIsInvalid",
            "The input receipt handle is invalid.",
        )),
    }
}

/// A stale receipt succeeds without deleting, as SQS warns.
fn delete(queues: &mut Queues, name: &str, request: &Value) -> Answer {
    if let Some(order) = current(queues, name, request)? {
        queues.delete(name, order);
    }
    Ok(json!({}))
}

fn change_visibility(aws: &LocalAws, queues: &mut Queues, name: &str, request: &Value) -> Answer {
    let seconds = request
        .get("VisibilityTimeout")
        .and_then(Value::as_i64)
        .unwrap_or(-1);
    if !(0..=VISIBILITY_SECONDS_MAX).contains(&seconds) {
        return Err(ApiError::client(
            "InvalidParameterValue",
            "VisibilityTimeout must be between 0 and 43200.",
        ));
    }
    let now = aws.now();
    let changed = current(queues, name, request)?.is_some_and(|order| {
        queues.change_visibility(name, order, now + SignedDuration::from_secs(seconds), now)
    });
    if changed {
        aws.inner.changed.notify_one();
        Ok(json!({}))
    } else {
        Err(invalid(
            "MessageNotInflight",
            "The specified message isn't in flight.",
        ))
    }
}

fn attributes(aws: &LocalAws, queues: &Queues, name: &str, request: &Value) -> Value {
    let mut all = queues.describe(name, aws.now()).unwrap_or_default();
    let wanted: Vec<&str> = request
        .get("AttributeNames")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if !wanted.contains(&"All") {
        all.retain(|key, _| wanted.contains(&key.as_str()));
    }
    json!({"Attributes": all})
}
