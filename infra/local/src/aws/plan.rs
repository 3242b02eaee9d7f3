//! Calls to DynamoDB, planned and run: parsed, its tables known (so that a fault can be decided),
//! then given to dynoxide with consumed capacity asked for, whatever the client wanted.

use std::collections::BTreeSet;

use dynoxide::actions as act;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::units::{HandOut, Units, cancelled, failed_condition, preparations};
use super::wire::{ApiError, text};

/// What came of a call.
pub(crate) struct Outcome {
    pub status: u16,
    pub body: Vec<u8>,
    pub units: Vec<Units>,
}

type Run = Box<dyn FnOnce(&Database) -> Outcome + Send>;

/// A call that has been understood but has had no effect yet.
pub(crate) struct Plan {
    pub tables: Vec<String>,
    /// Actions of a transaction, for cancellation reasons; 0 for other calls.
    pub actions: usize,
    pub writes: bool,
    run: Run,
}

impl Plan {
    /// Runs the call.
    pub fn run(self, db: &Database) -> Outcome {
        (self.run)(db)
    }
}

/// Understands a call; the error is the answer to a call that cannot be understood.
pub(crate) fn plan(operation: &str, body: &[u8]) -> Result<Plan, Outcome> {
    plan_item(operation, body)
        .or_else(|| plan_many(operation, body))
        .unwrap_or_else(|| plan_other(operation, body))
        .map_err(|error| failure(&error, Vec::new()))
}

/// The body of a DynamoDB error that is made here.
pub(crate) fn refusal(error: &ApiError) -> Outcome {
    let body = json!({"__type": error.error_type, "message": error.message});
    Outcome {
        status: error.status,
        body: body.to_string().into_bytes(),
        units: Vec::new(),
    }
}

/// The answer to a call that met another writer at one of its items.
pub(crate) fn conflict(actions: usize) -> Outcome {
    const PREFIX: &str = "com.amazonaws.dynamodb.v20120810#";
    let body = if actions == 0 {
        json!({"__type": format!("{PREFIX}TransactionConflictException"),
               "message": "Transaction is ongoing for the item"})
    } else {
        let mut reasons = vec![json!({"Code": "None"}); actions];
        reasons[0] = json!({"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"});
        let codes: Vec<&str> = reasons
            .iter()
            .filter_map(|reason| text(reason, "Code"))
            .collect();
        json!({"__type": format!("{PREFIX}TransactionCanceledException"),
               "Message": format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{}]", codes.join(", ")),
               "CancellationReasons": reasons})
    };
    Outcome {
        status: 400,
        body: body.to_string().into_bytes(),
        units: Vec::new(),
    }
}

type Planned = Option<Result<Plan, DynoxideError>>;

/// Plans a call whose response reports capacity. `$sizes` yields the write units of a failed call.
macro_rules! metered {
    ($body:expr, $call:ident, $request:ty, $writes:expr, $actions:expr, $tables:expr, $prepare:expr, $failed:expr) => {{
        let planned = parse::<$request>($body).map(|mut request| {
            let asked = ask(&mut request.return_consumed_capacity);
            let tables: BTreeSet<String> = $tables(&request);
            let actions = $actions(&request);
            let context = $prepare(&mut request);
            let run: Run = Box::new(move |db| match db.$call(request) {
                Ok(mut response) => {
                    let units = response
                        .consumed_capacity
                        .hand_out(asked.as_deref(), $writes);
                    success(&response, units)
                }
                Err(error) => {
                    let (error, units) = $failed(error, context);
                    failure(&error, units)
                }
            });
            Plan {
                tables: tables.into_iter().collect(),
                actions,
                writes: $writes,
                run,
            }
        });
        Some(planned)
    }};
}

fn none<T>(_: &T) -> usize {
    0
}

fn nothing<T>(_: &mut T) {}

fn as_is(error: DynoxideError, (): ()) -> (DynoxideError, Vec<Units>) {
    (error, Vec::new())
}

/// Single-item calls. A conditional write always asks for the item it met, to price the failure.
fn plan_item(operation: &str, body: &[u8]) -> Planned {
    macro_rules! item {
        ($call:ident, $module:ident :: $request:ident, $writes:expr, $prepare:expr, $failed:expr) => {
            metered!(
                body,
                $call,
                act::$module::$request,
                $writes,
                none,
                |request: &act::$module::$request| BTreeSet::from([request.table_name.clone()]),
                $prepare,
                $failed
            )
        };
    }
    macro_rules! write {
        ($call:ident, $module:ident :: $request:ident) => {
            item!(
                $call,
                $module::$request,
                true,
                |request: &mut act::$module::$request| {
                    let wanted = request.return_values_on_condition_check_failure.as_deref()
                        == Some("ALL_OLD");
                    request.return_values_on_condition_check_failure = Some("ALL_OLD".to_owned());
                    (request.table_name.clone(), wanted)
                },
                failed_condition
            )
        };
    }
    match operation {
        "PutItem" => write!(put_item, put_item::PutItemRequest),
        "UpdateItem" => write!(update_item, update_item::UpdateItemRequest),
        "DeleteItem" => write!(delete_item, delete_item::DeleteItemRequest),
        "GetItem" => item!(get_item, get_item::GetItemRequest, false, nothing, as_is),
        "Query" => item!(query, query::QueryRequest, false, nothing, as_is),
        "Scan" => item!(scan, scan::ScanRequest, false, nothing, as_is),
        _ => None,
    }
}

/// Batches and transactions.
fn plan_many(operation: &str, body: &[u8]) -> Planned {
    use act::batch_get_item::BatchGetItemRequest;
    use act::batch_write_item::BatchWriteItemRequest;
    use act::transact_get_items::TransactGetItemsRequest;
    use act::transact_write_items::TransactWriteItemsRequest;
    match operation {
        "BatchGetItem" => metered!(
            body,
            batch_get_item,
            BatchGetItemRequest,
            false,
            none,
            |request: &BatchGetItemRequest| request.request_items.keys().cloned().collect(),
            nothing,
            as_is
        ),
        "BatchWriteItem" => metered!(
            body,
            batch_write_item,
            BatchWriteItemRequest,
            true,
            none,
            |request: &BatchWriteItemRequest| request.request_items.keys().cloned().collect(),
            nothing,
            as_is
        ),
        "TransactGetItems" => metered!(
            body,
            transact_get_items,
            TransactGetItemsRequest,
            false,
            |request: &TransactGetItemsRequest| request.transact_items.len(),
            |request: &TransactGetItemsRequest| {
                request
                    .transact_items
                    .iter()
                    .map(|item| item.get.table_name.clone())
                    .collect()
            },
            nothing,
            as_is
        ),
        "TransactWriteItems" => metered!(
            body,
            transact_write_items,
            TransactWriteItemsRequest,
            true,
            |request: &TransactWriteItemsRequest| request.transact_items.len(),
            |request: &TransactWriteItemsRequest| {
                preparations(request)
                    .into_iter()
                    .map(|units| units.table)
                    .collect()
            },
            |request: &mut TransactWriteItemsRequest| preparations(request),
            cancelled
        ),
        _ => None,
    }
}

/// Calls without capacity: tables and streams.
fn plan_other(operation: &str, body: &[u8]) -> Result<Plan, DynoxideError> {
    let table = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let tables = text(&table, "TableName")
        .map(str::to_owned)
        .into_iter()
        .collect();
    macro_rules! plain {
        ($call:ident) => {{
            let request = parse(body)?;
            Box::new(move |db: &Database| match db.$call(request) {
                Ok(response) => success(&response, Vec::new()),
                Err(error) => failure(&error, Vec::new()),
            })
        }};
    }
    let run: Run = match operation {
        "CreateTable" => plain!(create_table),
        "DeleteTable" => plain!(delete_table),
        "DescribeTable" => plain!(describe_table),
        "ListTables" => plain!(list_tables),
        "UpdateTimeToLive" => plain!(update_time_to_live),
        "DescribeTimeToLive" => plain!(describe_time_to_live),
        "ListStreams" => plain!(list_streams),
        "DescribeStream" => plain!(describe_stream),
        "GetShardIterator" => plain!(get_shard_iterator),
        "GetRecords" => plain!(get_records),
        _ => {
            return Err(DynoxideError::ValidationException(format!(
                "{operation} is not played locally"
            )));
        }
    };
    Ok(Plan {
        tables,
        actions: 0,
        writes: false,
        run,
    })
}

fn success(response: &impl Serialize, units: Vec<Units>) -> Outcome {
    match serde_json::to_vec(response) {
        Ok(body) => Outcome {
            status: 200,
            body,
            units,
        },
        Err(error) => failure(
            &DynoxideError::InternalServerError(error.to_string()),
            units,
        ),
    }
}

fn failure(error: &DynoxideError, units: Vec<Units>) -> Outcome {
    Outcome {
        status: error.status_code(),
        body: error.to_json().into_bytes(),
        units,
    }
}

/// dynoxide marks the class of an error in the message of serde; the mark must not be seen.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, DynoxideError> {
    serde_json::from_slice(body).map_err(|error| {
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        match message.split_once(':') {
            Some(("VALIDATION" | "VALIDATION_REQUEST" | "VALIDATION_AS_READ", rest)) => {
                DynoxideError::ValidationException(rest.to_owned())
            }
            Some(("SERIALIZATION" | "SERIALIZATION_AS_READ", rest)) => {
                DynoxideError::SerializationException(rest.to_owned())
            }
            _ if message.contains("missing field") || message.contains("unknown variant") => {
                DynoxideError::ValidationException(message.to_owned())
            }
            _ => DynoxideError::SerializationException(message.to_owned()),
        }
    })
}

/// Asks for everything and remembers what the client asked for.
fn ask(wanted: &mut Option<String>) -> Option<String> {
    match wanted.as_deref() {
        None | Some("NONE" | "TOTAL" | "INDEXES") => wanted.replace("INDEXES".to_owned()),
        // Not a value of the enumeration: dynoxide refuses it in DynamoDB's words.
        Some(_) => wanted.clone(),
    }
}
