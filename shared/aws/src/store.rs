//! The tables behind one handle: reading and writing items, paging, bounded batches.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::transaction::{Expect, Item, condition};
use crate::{Clients, CommitError, Names, NowFn, Settings, SettingsError, SleepFn, StoreError};

/// Keys of one BatchGetItem (DynamoDB API reference).
pub(crate) const BATCH_GET_MAX: usize = 100;
/// Rounds of asking for what a batch left unprocessed.
const BATCH_ROUNDS_MAX: u32 = 5;
/// First pause between rounds; it doubles.
const BATCH_PAUSE: Duration = Duration::from_millis(25);

/// Tries of a put whose item another writer's transaction holds.
const PUT_TRIES_MAX: u32 = 5;
/// First pause between them; it doubles.
const PUT_PAUSE: Duration = Duration::from_millis(25);

/// The tables.
#[derive(Clone)]
pub struct Store {
    dynamodb: aws_sdk_dynamodb::Client,
    names: Names,
    now: NowFn,
    sleep: SleepFn,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    /// The tables of the settings' stage, over clients that may be shared.
    pub fn new(settings: &Settings, clients: &Clients) -> Self {
        Self {
            dynamodb: clients.dynamodb.clone(),
            names: settings.names(),
            now: settings.now_fn(),
            sleep: settings.sleep_fn(),
        }
    }

    /// The tables of the settings' stage, over clients of their own.
    pub fn connect(settings: &Settings) -> Result<Self, SettingsError> {
        Ok(Self::new(settings, &settings.clients()?))
    }

    /// One cheap read that opens the connection during init, when CPU is free; its outcome does not matter.
    /// The key is one that the webhook's role may read.
    pub async fn warm_up(&self) {
        let key = key("S#warm-up", "-");
        self.dynamodb
            .get_item()
            .table_name(&self.names.tenants)
            .set_key(Some(key))
            .send()
            .await
            .ok();
    }

    pub(crate) fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        &self.dynamodb
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.now)()
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        (self.sleep)(duration).await;
    }

    /// Reads one item consistently.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        table: &str,
        key: Item,
    ) -> Result<Option<T>, StoreError> {
        let request = self
            .dynamodb
            .get_item()
            .table_name(table)
            .set_key(Some(key))
            .consistent_read(true);
        let answer = request
            .send()
            .await
            .map_err(|error| StoreError::from_sdk(operation, &error))?;
        answer
            .item
            .map(|item| from_item(operation, item))
            .transpose()
    }

    /// Writes one whole item under a condition; `item` names it in a conflict.
    pub(crate) async fn put<T: Serialize>(
        &self,
        operation: &'static str,
        table: &str,
        item: &T,
        expect: &Expect,
        name: &'static str,
    ) -> Result<(), CommitError> {
        let (condition, names, values) = condition(expect);
        let put = self
            .dynamodb
            .put_item()
            .table_name(table)
            .set_item(Some(to_item(operation, item)?))
            .set_condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values);
        let mut pause = PUT_PAUSE;
        for attempt in 1.. {
            let Err(error) = put.clone().send().await else {
                return Ok(());
            };
            if error
                .as_service_error()
                .is_some_and(PutItemError::is_conditional_check_failed_exception)
            {
                return Err(CommitError::Conflict { items: vec![name] });
            }
            let error = StoreError::from_sdk(operation, &error);
            // Another writer's transaction held the item. Nothing was written, and the SDK gives up here.
            let is_held = matches!(&error, StoreError::Retry { code, .. } if code == "TransactionConflictException");
            if !is_held || attempt >= PUT_TRIES_MAX {
                return Err(error.into());
            }
            self.sleep(pause).await;
            pause *= 2;
        }
        unreachable!("the loop returns by its last try")
    }

    /// Queries one partition: sort keys of a prefix or range, in order, at most `limit` items.
    pub(crate) async fn query<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        table: &str,
        range: Range<'_>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let request = self
                .dynamodb
                .query()
                .table_name(table)
                .set_index_name(range.index.map(str::to_owned));
            let (condition, names, values) = range.expression();
            let answer = request
                .key_condition_expression(condition)
                .set_expression_attribute_names(Some(names))
                .set_expression_attribute_values(Some(values))
                .scan_index_forward(!range.descending)
                .consistent_read(range.index.is_none() && range.consistent)
                .set_limit(range.limit.map(|limit| {
                    i32::try_from(limit.saturating_sub(found.len())).unwrap_or(i32::MAX)
                }))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| StoreError::from_sdk(operation, &error))?;
            for item in answer.items.unwrap_or_default() {
                found.push(from_item(operation, item)?);
            }
            start = answer.last_evaluated_key;
            if start.is_none() || range.limit.is_some_and(|limit| found.len() >= limit) {
                return Ok(found);
            }
        }
    }

    /// Reads up to 100 items of several tables in one call; missing ones are left out.
    pub(crate) async fn batch_get(
        &self,
        operation: &'static str,
        keys: Vec<(&str, Item)>,
        consistent: bool,
    ) -> Result<Vec<(String, Item)>, StoreError> {
        let mut wanted: HashMap<String, KeysAndAttributes> = HashMap::new();
        let mut by_table: HashMap<&str, Vec<Item>> = HashMap::new();
        for (table, key) in keys {
            by_table.entry(table).or_default().push(key);
        }
        for (table, keys) in by_table {
            let keys = KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .consistent_read(consistent)
                .build()
                .expect("keys are set");
            wanted.insert(table.to_owned(), keys);
        }
        let mut found = Vec::new();
        let mut pause = BATCH_PAUSE;
        for _ in 0..BATCH_ROUNDS_MAX {
            let request = self
                .dynamodb
                .batch_get_item()
                .set_request_items(Some(wanted));
            let answer = request
                .send()
                .await
                .map_err(|error| StoreError::from_sdk(operation, &error))?;
            for (table, items) in answer.responses.unwrap_or_default() {
                found.extend(items.into_iter().map(|item| (table.clone(), item)));
            }
            wanted = answer.unprocessed_keys.unwrap_or_default();
            if wanted.is_empty() {
                return Ok(found);
            }
            self.sleep(pause).await;
            pause *= 2;
        }
        Err(StoreError::Retry {
            operation,
            code: "unprocessed keys".to_owned(),
        })
    }
}

/// What a query asks for.
pub(crate) struct Range<'a> {
    pub(crate) index: Option<&'a str>,
    pub(crate) partition: String,
    pub(crate) sort: Sort,
    pub(crate) descending: bool,
    pub(crate) consistent: bool,
    pub(crate) limit: Option<usize>,
}

/// Which sort keys.
pub(crate) enum Sort {
    All,
    Prefix(String),
    Between(String, String),
    Below(String),
}

impl Range<'_> {
    pub(crate) fn all(partition: String, sort: Sort) -> Self {
        Self {
            index: None,
            partition,
            sort,
            descending: false,
            consistent: false,
            limit: None,
        }
    }

    fn expression(&self) -> (String, HashMap<String, String>, Item) {
        let (pk, sk) = if self.index.is_some() {
            ("ls", "lk")
        } else {
            ("pk", "sk")
        };
        let mut names = HashMap::from([("#p".to_owned(), pk.to_owned())]);
        let mut values =
            HashMap::from([(":p".to_owned(), AttributeValue::S(self.partition.clone()))]);
        let text = |value: &String| AttributeValue::S(value.clone());
        let sort = match &self.sort {
            Sort::All => return ("#p = :p".to_owned(), names, values),
            Sort::Prefix(prefix) => {
                values.insert(":a".to_owned(), text(prefix));
                "begins_with(#s, :a)"
            }
            Sort::Between(low, high) => {
                values.insert(":a".to_owned(), text(low));
                values.insert(":b".to_owned(), text(high));
                "#s BETWEEN :a AND :b"
            }
            Sort::Below(high) => {
                values.insert(":a".to_owned(), text(high));
                "#s < :a"
            }
        };
        names.insert("#s".to_owned(), sk.to_owned());
        (format!("#p = :p AND {sort}"), names, values)
    }
}

/// A primary key.
pub(crate) fn key(pk: &str, sk: &str) -> Item {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(pk.to_owned())),
        ("sk".to_owned(), AttributeValue::S(sk.to_owned())),
    ])
}

pub(crate) fn to_item<T: Serialize>(
    operation: &'static str,
    value: &T,
) -> Result<Item, StoreError> {
    serde_dynamo::to_item(value).map_err(|error| StoreError::malformed(operation, error))
}

pub(crate) fn from_item<T: DeserializeOwned>(
    operation: &'static str,
    item: Item,
) -> Result<T, StoreError> {
    serde_dynamo::from_item(item).map_err(|error| StoreError::malformed(operation, error))
}
