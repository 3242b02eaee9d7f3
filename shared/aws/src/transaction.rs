//! One TransactWriteItems: all of it or nothing, every condition named.
//!
//! The SDK draws one ClientRequestToken per built request and keeps it through its own retries. A cancelled
//! transaction has changed nothing, so it is sent again as a new one; a failed condition never is.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, TransactWriteItem};

use crate::error::is_passing;
use crate::{CommitError, Store, StoreError};

pub(crate) type Item = HashMap<String, AttributeValue>;

/// Tries of a transaction that was cancelled by another one's or by throttling.
const TRIES_MAX: u32 = 5;
/// First pause between tries; it doubles, and each is cut by a spread over the items' number.
const PAUSE: Duration = Duration::from_millis(25);

/// Collects writes and commits them at once.
pub(crate) struct Transaction<'a> {
    store: &'a Store,
    items: Vec<TransactWriteItem>,
    names: Vec<&'static str>,
}

/// What must hold for a put to be made.
pub(crate) enum Expect {
    /// No item with this key yet.
    Absent,
    /// A number attribute has this value.
    Number(&'static str, u64),
    /// Absent, or a string attribute has this value.
    AbsentOrText(&'static str, String),
    /// Nothing.
    Anything,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self {
            store,
            items: Vec::new(),
            names: Vec::new(),
        }
    }

    /// Writes a whole item under a condition.
    pub(crate) fn put(
        mut self,
        name: &'static str,
        table: &str,
        item: Item,
        expect: &Expect,
    ) -> Self {
        let (condition, names, values) = condition(expect);
        let put = Put::builder()
            .table_name(table)
            .set_item(Some(item))
            .set_condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .build()
            .expect("table and item are set");
        self.items
            .push(TransactWriteItem::builder().put(put).build());
        self.names.push(name);
        self
    }

    /// Checks an item that is not written.
    pub(crate) fn check(
        mut self,
        name: &'static str,
        table: &str,
        key: Item,
        expect: &Expect,
    ) -> Self {
        let (condition, names, values) = condition(expect);
        let check = ConditionCheck::builder()
            .table_name(table)
            .set_key(Some(key))
            .set_condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .build()
            .expect("table, key and condition are set");
        self.items
            .push(TransactWriteItem::builder().condition_check(check).build());
        self.names.push(name);
        self
    }

    /// Commits all writes or none. A replay of something already done is a `Conflict`.
    pub(crate) async fn commit(self, operation: &'static str) -> Result<(), CommitError> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            let sent = self
                .store
                .dynamodb()
                .transact_write_items()
                .set_transact_items(Some(self.items.clone()))
                .send()
                .await;
            let Err(error) = sent else { return Ok(()) };
            match self.verdict(operation, &error) {
                CommitError::Store(error) if error.is_retryable() && attempt < TRIES_MAX => {
                    self.store.sleep(pause).await;
                    pause *= 2;
                }
                verdict => return Err(verdict),
            }
        }
        unreachable!("the loop returns by its last try")
    }

    fn verdict<R>(
        &self,
        operation: &'static str,
        error: &SdkError<TransactWriteItemsError, R>,
    ) -> CommitError {
        let cancelled = match error {
            SdkError::ServiceError(service) => match service.err() {
                TransactWriteItemsError::TransactionCanceledException(cancelled) => cancelled,
                _ => return StoreError::from_sdk(operation, error).into(),
            },
            _ => return StoreError::from_sdk(operation, error).into(),
        };
        let codes: Vec<&str> = cancelled
            .cancellation_reasons()
            .iter()
            .map(|reason| reason.code().unwrap_or("None"))
            .collect();
        let failed = codes
            .iter()
            .zip(&self.names)
            .filter(|(code, _)| **code == "ConditionalCheckFailed");
        let items: Vec<&'static str> = failed.map(|(_, name)| *name).collect();
        if !items.is_empty() {
            return CommitError::Conflict { items };
        }
        match codes.into_iter().find(|code| *code != "None") {
            Some(code) if is_passing(code) => StoreError::Retry {
                operation,
                code: code.to_owned(),
            }
            .into(),
            Some(code) => StoreError::Alarm {
                operation,
                code: code.to_owned(),
            }
            .into(),
            None => StoreError::Retry {
                operation,
                code: cancelled.code().unwrap_or("cancelled").to_owned(),
            }
            .into(),
        }
    }
}

type Condition = (
    Option<String>,
    Option<HashMap<String, String>>,
    Option<Item>,
);

/// The expression of an `Expect`.
pub(crate) fn condition(expect: &Expect) -> Condition {
    let names = |attribute: &str| Some(HashMap::from([("#a".to_owned(), attribute.to_owned())]));
    let values = |value| Some(HashMap::from([(":a".to_owned(), value)]));
    match expect {
        Expect::Anything => (None, None, None),
        Expect::Absent => (Some("attribute_not_exists(pk)".to_owned()), None, None),
        Expect::Number(attribute, value) => (
            Some("#a = :a".to_owned()),
            names(attribute),
            values(AttributeValue::N(value.to_string())),
        ),
        Expect::AbsentOrText(attribute, value) => (
            Some("attribute_not_exists(pk) OR #a = :a".to_owned()),
            names(attribute),
            values(AttributeValue::S(value.clone())),
        ),
    }
}
