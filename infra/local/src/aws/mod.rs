//! The minimal local AWS: DynamoDB with Streams, Secrets Manager, SQS, EventBridge, Scheduler and
//! Lambda's event source mappings, as far as Tollgate uses them, on an injected clock.
//!
//! The real SDK talks to it, over TCP ([`LocalAws::router`]) or without ([`LocalAws::http_client`]).
//! Every call and unit is counted ([`LocalAws::counters`]), every call can be made to fail
//! ([`LocalAws::set_fault_hook`]). Functions are invoked by [`LocalAws::settle`], which does all
//! that is due at the clock's present time; nothing happens between two calls of it.
//!
//! Left out: IAM, signatures, KMS, FIFO queues, archives, TTL deletion, throughput limits, shard splits.

mod counters;
mod driver;
mod dynamo;
mod events;
mod fault;
mod mappings;
mod names;
mod objects;
mod pipeline;
mod plan;
mod random;
mod schedule;
mod secrets;
mod snapshot;
mod sqs;
mod sqs_api;
mod streams;
#[cfg(test)]
mod tests;
mod transport;
mod units;
mod wire;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::passage::Passage;

pub use counters::{CallKey, Counters, Tally};
pub use driver::InvocationTally;
pub use events::LoggedEvent;
pub use fault::{CallInfo, Fault, FaultHook, Service};
pub use names::{ACCOUNT, Names, REGION};
pub use snapshot::AwsSnapshot;
pub use sqs::QueueDepth;
pub use transport::ConnectionLost;

/// Reads the clock.
pub type NowFn = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Runs a function (`relay`, `usage-puller`, `suspender`, `provisioning`) on an event and returns
/// its response, or the message of its error. A panic counts as an error.
pub type Invoker =
    Arc<dyn Fn(&str, Value) -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// Distributed systems' bad manners, by seed; all off by default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disorder {
    /// Mixes the records of a stream batch, keeping the order of each item.
    pub stream_shuffle: bool,
    /// Percentage of stream batches that are delivered once more after their success.
    pub stream_duplicate_percent: u8,
    /// Percentage of messages that are delivered twice.
    pub queue_duplicate_percent: u8,
    /// Percentage of schedule ticks that fire twice.
    pub schedule_double_percent: u8,
    /// Percentage of schedule ticks that fire up to a minute late.
    pub schedule_late_percent: u8,
}

/// How to start a [`LocalAws`].
#[derive(Clone)]
pub struct LocalAwsConfig {
    /// The stage in all names, as `local`.
    pub stage: String,
    /// The clock of everything here.
    pub now: NowFn,
    /// Decides ids and disorder.
    pub seed: u64,
    /// `http://host:port`, the beginning of queue URLs.
    pub endpoint: String,
    /// Bad manners.
    pub disorder: Disorder,
}

impl LocalAwsConfig {
    /// A well-mannered instance at a nominal endpoint.
    pub fn new(stage: &str, now: NowFn, seed: u64) -> Self {
        Self {
            stage: stage.to_owned(),
            now,
            seed,
            endpoint: "http://127.0.0.1".to_owned(),
            disorder: Disorder::default(),
        }
    }
}

/// The database could not be opened or a table not be created.
#[derive(Debug, thiserror::Error)]
#[error("local DynamoDB does not start: {0}")]
pub struct StartError(#[from] dynoxide::DynoxideError);

/// One local AWS account; clones share it.
#[derive(Clone)]
pub struct LocalAws {
    inner: Arc<Inner>,
}

struct Inner {
    config: LocalAwsConfig,
    names: Names,
    endpoint: Mutex<String>,
    dynamo: dynamo::Dynamo,
    secrets: Mutex<secrets::Secrets>,
    objects: Mutex<objects::Objects>,
    queues: Mutex<sqs::Queues>,
    bus: Mutex<events::Bus>,
    schedules: Mutex<schedule::Schedules>,
    streams: Mutex<Vec<streams::StreamMapping>>,
    /// Streamed tables written since their stream was last read, with the time of the first write.
    dirty: Mutex<BTreeMap<String, Timestamp>>,
    counters: Mutex<Counters>,
    invocations: Mutex<BTreeMap<String, InvocationTally>>,
    fault_hook: Mutex<Option<FaultHook>>,
    /// The way out of the functions, on which the crash explorer stands.
    passage: Passage,
    invoker: Mutex<Option<Invoker>>,
    random: Mutex<random::Random>,
    sequence: AtomicU64,
    settling: tokio::sync::Mutex<()>,
    changed: tokio::sync::Notify,
}

/// A lock whose holder panicked still guards usable state: each change is made in one piece.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the in-memory databases of one process apart.
static INSTANCES: AtomicU64 = AtomicU64::new(0);

impl LocalAws {
    /// Creates the tables, queues, bus, rules, mappings and schedules of a stage.
    pub fn start(config: LocalAwsConfig) -> Result<Self, StartError> {
        let names = Names::new(&config.stage);
        let instance = format!(
            "{}-{}",
            std::process::id(),
            INSTANCES.fetch_add(1, Ordering::Relaxed)
        );
        let dynamo = dynamo::Dynamo::open(&names, &instance)?;
        let streams = streams::mappings(&names, &dynamo)?;
        let now = (config.now)();
        let inner = Inner {
            endpoint: Mutex::new(config.endpoint.clone()),
            dynamo,
            secrets: Mutex::default(),
            queues: Mutex::new(sqs::Queues::of(
                &names,
                config.disorder.queue_duplicate_percent,
            )),
            objects: Mutex::default(),
            bus: Mutex::new(events::Bus::of(&names)),
            schedules: Mutex::new(schedule::Schedules::starting(now)),
            streams: Mutex::new(streams),
            dirty: Mutex::default(),
            counters: Mutex::default(),
            invocations: Mutex::default(),
            fault_hook: Mutex::default(),
            passage: Passage::default(),
            invoker: Mutex::default(),
            random: Mutex::new(random::Random::new(config.seed)),
            sequence: AtomicU64::new(0),
            settling: tokio::sync::Mutex::default(),
            changed: tokio::sync::Notify::new(),
            names,
            config,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The names of this stage's resources.
    pub fn names(&self) -> &Names {
        &self.inner.names
    }

    /// The injected clock's present time.
    pub fn now(&self) -> Timestamp {
        (self.inner.config.now)()
    }

    /// Sets the beginning of queue URLs, once the port is known.
    pub fn set_endpoint(&self, endpoint: &str) {
        endpoint
            .trim_end_matches('/')
            .clone_into(&mut lock(&self.inner.endpoint));
    }

    /// URL of a queue, by its full name.
    pub fn queue_url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", lock(&self.inner.endpoint))
    }

    /// The way out of the functions, to Twilio too.
    pub fn passage(&self) -> &Passage {
        &self.inner.passage
    }

    /// Installs or removes the hook that decides on faults.
    pub fn set_fault_hook(&self, hook: Option<FaultHook>) {
        *lock(&self.inner.fault_hook) = hook;
    }

    /// Says how functions are run. Before this, batches, messages and ticks wait.
    pub fn set_invoker(&self, invoker: Invoker) {
        *lock(&self.inner.invoker) = Some(invoker);
        self.inner.changed.notify_one();
    }

    /// All counts since the start or the last reset.
    pub fn counters(&self) -> Counters {
        lock(&self.inner.counters).clone()
    }

    /// Forgets all counts of calls and invocations.
    pub fn reset_counters(&self) {
        *lock(&self.inner.counters) = Counters::default();
        lock(&self.inner.invocations).clear();
    }

    /// Invocations by function.
    pub fn invocations(&self) -> BTreeMap<String, InvocationTally> {
        lock(&self.inner.invocations).clone()
    }

    /// Events that the bus accepted, from the `first`-th (0 is the first) on.
    pub fn events_since(&self, first: usize) -> Vec<LoggedEvent> {
        lock(&self.inner.bus).since(first)
    }

    /// Everything that lies in S3, by `<bucket>/<key>`.
    pub fn objects(&self) -> BTreeMap<String, bytes::Bytes> {
        lock(&self.inner.objects).all()
    }

    /// How many messages a queue holds, by its full name; `None` for an unknown queue.
    pub fn queue_depth(&self, queue: &str) -> Option<QueueDepth> {
        lock(&self.inner.queues).depth(queue, self.now())
    }

    /// Bodies of all messages in a queue, in flight or not.
    pub fn queue_bodies(&self, queue: &str) -> Vec<String> {
        lock(&self.inner.queues).bodies(queue)
    }

    /// Full names of all queues.
    pub fn queue_names(&self) -> Vec<String> {
        lock(&self.inner.queues).names().cloned().collect()
    }

    /// Puts a message into a queue, uncounted; its id, or `None` for an unknown queue.
    pub fn send_message(&self, queue: &str, body: &str) -> Option<String> {
        let (mut queues, mut random) = (lock(&self.inner.queues), lock(&self.inner.random));
        let id = queues.send(
            queue,
            body,
            json!({}),
            self.now(),
            SignedDuration::ZERO,
            &mut random,
        );
        self.inner.changed.notify_one();
        id
    }
}
