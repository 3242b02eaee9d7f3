//! The emulator against the real SDK, without sockets unless a test says so, on a clock that stands.

mod dynamo;
mod events;
mod faults;
mod mappings;
mod secrets;
mod sqs;
mod streams;

use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_types::SdkConfig;
use aws_types::app_name::AppName;
use aws_types::region::Region;
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Disorder, LocalAws, LocalAwsConfig, lock};

/// An instance with its clock.
pub(super) struct World {
    pub aws: LocalAws,
    now: Arc<Mutex<Timestamp>>,
}

/// What the functions were given, in order, and how they answer.
pub(super) type Seen = Arc<Mutex<Vec<(String, Value)>>>;

impl World {
    pub fn new() -> Self {
        Self::with(Disorder::default())
    }

    pub fn with(disorder: Disorder) -> Self {
        let now: Arc<Mutex<Timestamp>> =
            Arc::new(Mutex::new("2026-03-01T00:00:00Z".parse().unwrap()));
        let clock = Arc::clone(&now);
        let mut config = LocalAwsConfig::new("test", Arc::new(move || *lock(&clock)), 7);
        config.disorder = disorder;
        Self {
            aws: LocalAws::start(config).unwrap(),
            now,
        }
    }

    pub fn advance(&self, seconds: i64) {
        *lock(&self.now) += SignedDuration::from_secs(seconds);
    }

    pub fn name(&self, what: &str) -> String {
        self.aws.names().of(what)
    }

    pub fn sdk(&self) -> SdkConfig {
        sdk(&self.aws, "http://127.0.0.1")
            .http_client(self.aws.http_client())
            .build()
    }

    pub fn dynamo(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.sdk())
    }

    /// Answers every invocation with `answer(function, event, how many came before)`.
    pub fn invoke_with(
        &self,
        answer: impl Fn(&str, &Value, usize) -> Result<Value, String> + Send + Sync + 'static,
    ) -> Seen {
        let seen = Seen::default();
        let log = Arc::clone(&seen);
        self.aws.set_invoker(Arc::new(move |function, event| {
            let mut log = lock(&log);
            let result = answer(function, &event, log.len());
            log.push((function.to_owned(), event));
            async move { result }.boxed()
        }));
        seen
    }

    /// Settles at each due time, but not past `seconds` from now.
    pub async fn run(&self, seconds: i64) {
        let end = self.aws.now() + SignedDuration::from_secs(seconds);
        self.aws.settle().await;
        while let Some(at) = self.aws.next_event_at().filter(|at| *at <= end) {
            let now = *lock(&self.now);
            *lock(&self.now) = at.max(now);
            self.aws.settle().await;
        }
        *lock(&self.now) = end;
    }

    pub async fn put(&self, table: &str, pk: &str, sk: &str) {
        let put = self.dynamo().put_item().table_name(self.name(table));
        put.item("pk", text(pk))
            .item("sk", text(sk))
            .send()
            .await
            .unwrap();
    }
}

/// The configuration of an application, with a single attempt per call.
pub(super) fn sdk(_: &LocalAws, endpoint: &str) -> aws_types::sdk_config::Builder {
    SdkConfig::builder()
        .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::from_keys(
            "local", "local", None,
        )))
        .retry_config(RetryConfig::disabled())
        .app_name(AppName::new("tollgate-test").unwrap())
        .endpoint_url(endpoint)
}

pub(super) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// Invocations of one function, without ticks.
pub(super) fn events_of(seen: &Seen, function: &str) -> Vec<Value> {
    let seen = lock(seen);
    let own = seen
        .iter()
        .filter(|(name, event)| name == function && event.get("Records").is_some());
    own.map(|(_, event)| event.clone()).collect()
}
