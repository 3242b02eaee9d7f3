//! DynamoDB: dynoxide in process, one database in memory per instance.
//!
//! Not played: throughput limits (inject them), TTL deletion, stale reads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use dynoxide::actions as act;
use dynoxide::{Database, DynoxideError};
use serde_json::{Value, json};

use super::lock;
use super::names::{Names, TABLES, TableShape};
use super::plan::{Outcome, Plan, parse};

/// Stream records that stay readable for clients of the Streams API behind the pollers.
const STREAM_RECORDS_KEPT: u32 = 10_000;

/// The database of one instance.
pub(crate) struct Dynamo {
    db: Database,
    /// A second connection for what dynoxide has no call for; its lock serialises all calls,
    /// because a shared in-memory database answers a second writer with "locked".
    gate: Mutex<rusqlite::Connection>,
}

/// A database in memory that holds a copy, for as long as a connection to it is open.
pub(crate) struct DynamoCopy {
    uri: String,
    _kept: Mutex<rusqlite::Connection>,
}

/// Keeps the copies of one process apart.
static COPIES: AtomicU64 = AtomicU64::new(0);

impl Dynamo {
    /// Opens an empty database and creates the tables of `names`. `instance` keeps databases of
    /// one process apart.
    pub fn open(names: &Names, instance: &str) -> Result<Self, DynoxideError> {
        let uri = format!("file:local-aws-{instance}?mode=memory&cache=shared");
        let db = Database::new(&uri)?;
        let gate = rusqlite::Connection::open(&uri)?;
        // Without this index every streamed write scans the whole log for its next number.
        gate.execute_batch(
            "CREATE INDEX local_stream_order ON _stream_records(table_name, CAST(sequence_number AS INTEGER))",
        )?;
        let dynamo = Self {
            db,
            gate: Mutex::new(gate),
        };
        for shape in &TABLES {
            dynamo.create(names, shape)?;
        }
        Ok(dynamo)
    }

    fn create(&self, names: &Names, shape: &TableShape) -> Result<(), DynoxideError> {
        let table = names.of(shape.name);
        let mut attributes = vec![
            json!({"AttributeName": "pk", "AttributeType": "S"}),
            json!({"AttributeName": "sk", "AttributeType": "S"}),
        ];
        let mut request = json!({
            "TableName": table, "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        });
        if shape.by_status {
            attributes.push(json!({"AttributeName": "ls", "AttributeType": "S"}));
            attributes.push(json!({"AttributeName": "lk", "AttributeType": "S"}));
            request["GlobalSecondaryIndexes"] = json!([{
                "IndexName": "by_status",
                "KeySchema": [{"AttributeName": "ls", "KeyType": "HASH"}, {"AttributeName": "lk", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["name", "sid", "ext", "created_at"]},
            }]);
        }
        request["AttributeDefinitions"] = Value::Array(attributes);
        if shape.streamed {
            request["StreamSpecification"] =
                json!({"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"});
        }
        self.db
            .create_table(parse(request.to_string().as_bytes())?)?;
        if shape.ttl {
            let ttl = json!({"TableName": table, "TimeToLiveSpecification": {"AttributeName": "ttl", "Enabled": true}});
            self.db
                .update_time_to_live(parse(ttl.to_string().as_bytes())?)?;
        }
        Ok(())
    }

    /// Copies all tables and streams.
    pub fn copy(&self) -> Result<DynamoCopy, DynoxideError> {
        let number = COPIES.fetch_add(1, Ordering::Relaxed);
        let uri = format!(
            "file:local-aws-copy-{}-{number}?mode=memory&cache=shared",
            std::process::id()
        );
        let kept = rusqlite::Connection::open(&uri)?;
        let _gate = lock(&self.gate);
        self.db.vacuum_into(&uri)?;
        Ok(DynamoCopy {
            uri,
            _kept: Mutex::new(kept),
        })
    }

    /// Replaces all tables and streams, and forgets the tokens of transactions since.
    pub fn restore(&self, copy: &DynamoCopy) -> Result<(), DynoxideError> {
        let _gate = lock(&self.gate);
        self.db.restore_from(&copy.uri)
    }

    /// Runs a planned call.
    pub fn run(&self, plan: Plan) -> Outcome {
        let _gate = lock(&self.gate);
        plan.run(&self.db)
    }

    /// ARN of a table's stream.
    pub fn stream_arn(&self, table: &str) -> Result<String, DynoxideError> {
        let described = self
            .db
            .describe_table(parse(json!({"TableName": table}).to_string().as_bytes())?)?;
        let described = serde_json::to_value(&described).unwrap_or_default();
        let arn = described
            .pointer("/Table/LatestStreamArn")
            .and_then(Value::as_str);
        arn.map(str::to_owned).ok_or_else(|| {
            DynoxideError::ResourceNotFoundException(format!("{table} has no stream"))
        })
    }

    /// An iterator at the beginning of a stream's only shard.
    pub fn stream_start(&self, table: &str) -> Result<String, DynoxideError> {
        let request = json!({
            "StreamArn": self.stream_arn(table)?, "ShardId": dynoxide::streams::shard_id(table),
            "ShardIteratorType": "TRIM_HORIZON",
        });
        let _gate = lock(&self.gate);
        let answer = self
            .db
            .get_shard_iterator(parse(request.to_string().as_bytes())?)?;
        answer
            .shard_iterator
            .ok_or_else(|| DynoxideError::ResourceNotFoundException(table.to_owned()))
    }

    /// The records after `iterator` (at most 1,000) and the next iterator.
    pub fn stream_read(
        &self,
        iterator: &str,
    ) -> Result<(Vec<act::get_records::Record>, String), DynoxideError> {
        let request = act::get_records::GetRecordsRequest {
            shard_iterator: iterator.to_owned(),
            ..Default::default()
        };
        let _gate = lock(&self.gate);
        let answer = self.db.get_records(request)?;
        let next = answer
            .next_shard_iterator
            .unwrap_or_else(|| iterator.to_owned());
        Ok((answer.records, next))
    }

    /// Forgets all but the newest records of a stream.
    pub fn stream_trim(&self, table: &str) -> Result<(), DynoxideError> {
        lock(&self.gate).execute(
            "DELETE FROM _stream_records WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) <= (
                SELECT CAST(sequence_number AS INTEGER) FROM _stream_records WHERE table_name = ?1
                ORDER BY CAST(sequence_number AS INTEGER) DESC LIMIT 1 OFFSET ?2)",
            rusqlite::params![table, STREAM_RECORDS_KEPT],
        )?;
        Ok(())
    }
}
