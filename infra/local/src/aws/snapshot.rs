//! A copy of everything that lies here, so that many runs can begin at the same moment without playing
//! what came before it again.
//!
//! Hook and invoker are of the driver, not of the state: they stay as they are.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use super::dynamo::DynamoCopy;
use super::{
    Counters, InvocationTally, LocalAws, StartError, events, lock, objects, random, schedule,
    secrets, sqs, streams,
};

/// Everything that lay in a [`LocalAws`] at one moment.
pub struct AwsSnapshot {
    dynamo: DynamoCopy,
    secrets: secrets::Secrets,
    objects: objects::Objects,
    queues: sqs::Queues,
    bus: events::Bus,
    schedules: schedule::Schedules,
    streams: Vec<streams::StreamMapping>,
    dirty: BTreeMap<String, Timestamp>,
    counters: Counters,
    invocations: BTreeMap<String, InvocationTally>,
    random: random::Random,
    sequence: u64,
}

impl LocalAws {
    /// Copies everything. Nothing may run meanwhile.
    pub fn snapshot(&self) -> Result<AwsSnapshot, StartError> {
        let inner = &*self.inner;
        Ok(AwsSnapshot {
            dynamo: inner.dynamo.copy()?,
            secrets: lock(&inner.secrets).clone(),
            objects: lock(&inner.objects).clone(),
            queues: lock(&inner.queues).clone(),
            bus: lock(&inner.bus).clone(),
            schedules: lock(&inner.schedules).clone(),
            streams: lock(&inner.streams).clone(),
            dirty: lock(&inner.dirty).clone(),
            counters: lock(&inner.counters).clone(),
            invocations: lock(&inner.invocations).clone(),
            random: lock(&inner.random).clone(),
            sequence: inner.sequence.load(Ordering::Relaxed),
        })
    }

    /// Makes everything what it was when the copy was taken. Nothing may run meanwhile.
    pub fn restore(&self, to: &AwsSnapshot) -> Result<(), StartError> {
        let inner = &*self.inner;
        inner.dynamo.restore(&to.dynamo)?;
        lock(&inner.secrets).clone_from(&to.secrets);
        lock(&inner.objects).clone_from(&to.objects);
        lock(&inner.queues).clone_from(&to.queues);
        lock(&inner.bus).clone_from(&to.bus);
        lock(&inner.schedules).clone_from(&to.schedules);
        lock(&inner.streams).clone_from(&to.streams);
        lock(&inner.dirty).clone_from(&to.dirty);
        lock(&inner.counters).clone_from(&to.counters);
        lock(&inner.invocations).clone_from(&to.invocations);
        lock(&inner.random).clone_from(&to.random);
        inner.sequence.store(to.sequence, Ordering::Relaxed);
        inner.passage.clear();
        Ok(())
    }
}
