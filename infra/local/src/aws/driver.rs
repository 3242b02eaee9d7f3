//! The stepper: does what is due at the clock's present time, until nothing is.
//!
//! Order within a step is fixed (schedules, streams, queues), so a run on one thread is the same
//! each time. Concurrent are only the messages of one queue, up to its mapping's maximum.

use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::counters::{CallKey, Tally};
use super::fault::Service;
use super::names::{QUEUES, QueueShape, STREAM_FAILURES};
use super::sqs::Receipt;
use super::{Invoker, LocalAws, lock, mappings};
use crate::functions::KILLED;

/// The longest that a background driver waits before it looks again.
const BACKGROUND_PERIOD: Duration = Duration::from_millis(200);
/// The caller under which Lambda's own SQS polls are counted.
const POLLER: &str = "event-source-mapping";

/// How often a function ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct InvocationTally {
    /// Invocations.
    pub invocations: u64,
    /// Invocations that ended in an error or a panic; the killed ones do not count.
    pub errors: u64,
}

impl LocalAws {
    /// When something is next due: a tick, the end of a batch window, a retry, a message that
    /// becomes visible. A time that has come means that [`LocalAws::settle`] has work.
    pub fn next_event_at(&self) -> Option<Timestamp> {
        let tick = lock(&self.inner.schedules).next_at();
        let records = {
            let (streams, dirty) = (lock(&self.inner.streams), lock(&self.inner.dirty));
            let read = streams
                .iter()
                .filter_map(super::streams::StreamMapping::next_at)
                .min();
            let unread = streams
                .iter()
                .filter(|mapping| mapping.next_at().is_none())
                .filter_map(|mapping| dirty.get(&mapping.table).map(|at| mapping.due_at(*at)))
                .min();
            read.into_iter().chain(unread).min()
        };
        let queues = lock(&self.inner.queues);
        let messages = QUEUES
            .iter()
            .filter_map(|shape| queues.next_visible_at(&self.inner.names.of(shape.name)))
            .min();
        tick.into_iter().chain(records).chain(messages).min()
    }

    /// Does everything that is due now, what follows from it included, and returns the number of
    /// invocations. Must not be called from within a function. Does nothing before
    /// [`LocalAws::set_invoker`].
    pub async fn settle(&self) -> usize {
        let _settling = self.inner.settling.lock().await;
        let Some(invoker) = lock(&self.inner.invoker).clone() else {
            return 0;
        };
        let mut invocations = 0;
        loop {
            let mut step = self.run_schedules(&invoker).await;
            step += self.run_streams(&invoker).await;
            for shape in &QUEUES {
                step += self.run_queue(shape, &invoker).await;
            }
            if step == 0 {
                return invocations;
            }
            invocations += step;
        }
    }

    /// Settles whenever something changes, and at least every 200 ms of real time: for a clock that
    /// runs by itself. Abort the handle to stop it.
    pub fn spawn_background(&self) -> tokio::task::JoinHandle<()> {
        let aws = self.clone();
        tokio::spawn(async move {
            loop {
                aws.settle().await;
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the background driver runs in real time by its nature"
                )]
                let pause = tokio::time::sleep(BACKGROUND_PERIOD);
                tokio::select! {
                    () = aws.inner.changed.notified() => {}
                    () = pause => {}
                }
            }
        })
    }

    /// Runs a function in a task of its own, so that its panic is its failure only.
    async fn invoke(
        &self,
        invoker: &Invoker,
        function: &str,
        event: Value,
    ) -> Result<Value, String> {
        let result = match tokio::spawn(invoker(function, event)).await {
            Ok(result) => result,
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = &result {
            tracing::warn!(function.name = function, error = %error, "invocation failed");
        }
        let mut invocations = lock(&self.inner.invocations);
        let tally = invocations.entry(function.to_owned()).or_default();
        tally.invocations += 1;
        tally.errors += u64::from(result.as_ref().is_err_and(|error| error != KILLED));
        result
    }

    async fn run_schedules(&self, invoker: &Invoker) -> usize {
        let mut ran = 0;
        loop {
            let now = self.now();
            let due = {
                let (mut schedules, mut random) =
                    (lock(&self.inner.schedules), lock(&self.inner.random));
                schedules.take_due(now, self.inner.config.disorder, &mut random)
            };
            let Some(firing) = due else { return ran };
            ran += 1;
            if self
                .invoke(invoker, firing.function, firing.payload.clone())
                .await
                .is_err()
            {
                lock(&self.inner.schedules).failed(firing, self.now());
            }
        }
    }

    async fn run_streams(&self, invoker: &Invoker) -> usize {
        let mut ran = 0;
        let count = lock(&self.inner.streams).len();
        for index in 0..count {
            while let Some((function, batch)) = self.take_batch(index) {
                ran += 1;
                let response = self.invoke(invoker, function, batch.event()).await;
                let repeat = lock(&self.inner.random)
                    .chance(self.inner.config.disorder.stream_duplicate_percent);
                let given_up =
                    lock(&self.inner.streams)[index].finish(batch, &response, self.now(), repeat);
                if let Some(message) = given_up {
                    self.send_message(&self.inner.names.of(STREAM_FAILURES), &message.to_string());
                }
            }
        }
        ran
    }

    /// Reads what is new on a stream and takes the next batch that is due.
    fn take_batch(&self, index: usize) -> Option<(&'static str, super::streams::Batch)> {
        loop {
            let mut streams = lock(&self.inner.streams);
            let mapping = &mut streams[index];
            let written = lock(&self.inner.dirty).remove(&mapping.table);
            if let Some(written_at) = written
                && let Err(error) = mapping.read(&self.inner.dynamo, written_at)
            {
                tracing::error!(table.name = mapping.table, error = %error, "stream cannot be read");
            }
            let mut random = lock(&self.inner.random);
            let shuffle = self
                .inner
                .config
                .disorder
                .stream_shuffle
                .then_some(&mut *random);
            let (batch, given_up) = mapping.take_due(self.now(), shuffle);
            let function = mapping.function;
            drop((streams, random));
            let aged = given_up.is_some();
            if let Some(message) = given_up {
                self.send_message(&self.inner.names.of(STREAM_FAILURES), &message.to_string());
            }
            match batch {
                Some(batch) => return Some((function, batch)),
                // Records that grew too old made room for others.
                None if aged => {}
                None => return None,
            }
        }
    }

    async fn run_queue(&self, shape: &QueueShape, invoker: &Invoker) -> usize {
        let queue = self.inner.names.of(shape.name);
        let (mut ran, mut running) = (0, FuturesUnordered::new());
        loop {
            while running.len() < shape.concurrency {
                let batch = lock(&self.inner.queues).receive(&queue, shape.batch, None, self.now());
                if batch.is_empty() {
                    break;
                }
                self.count_poll("ReceiveMessage", &queue);
                let event = mappings::event(&queue, &batch);
                running.push(
                    async move { (self.invoke(invoker, shape.function, event).await, batch) },
                );
            }
            let Some((response, batch)) = running.next().await else {
                return ran;
            };
            ran += 1;
            let done = mappings::succeeded(&batch, &response);
            if done.is_empty() {
                continue;
            }
            self.count_poll("DeleteMessageBatch", &queue);
            let mut queues = lock(&self.inner.queues);
            for received in done {
                if let Receipt::Current(order) = queues.look_up(&queue, &received.receipt) {
                    queues.delete(&queue, order);
                }
            }
        }
    }

    fn count_poll(&self, operation: &str, queue: &str) {
        let key = CallKey {
            caller: POLLER.to_owned(),
            service: Service::Sqs,
            operation: operation.to_owned(),
            resource: queue.to_owned(),
        };
        lock(&self.inner.counters).record(
            key,
            Tally {
                calls: 1,
                ..Tally::default()
            },
        );
    }

    /// Payloads of ticks that failed three times.
    pub fn ticks_given_up(&self) -> Value {
        json!(lock(&self.inner.schedules).given_up)
    }
}
