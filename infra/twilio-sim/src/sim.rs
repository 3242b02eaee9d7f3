//! The simulator as its users hold it: time moves, callbacks leave, state can be looked at.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{Notify, Semaphore};

use crate::amount;
use crate::callbacks::{Callback, DeliveryRecord, Post, Signer, Wire};
use crate::clock::VirtualClock;
use crate::config::{SimConfig, TrafficProfile};
use crate::counters::{Counters, LoggedRequest};
use crate::faults::FaultRule;
use crate::recorder::Recorder;
use crate::world::World;
use crate::world::ledger::Revised;
use crate::world::records::View;

/// Callbacks that leave at the same time.
const DELIVERIES_AT_ONCE: usize = 16;

/// Why the simulator refuses to do something for its driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SimError {
    /// No such account.
    NoAccount,
    /// The account may not start anything.
    NotActive,
    /// A value that makes no sense; the text says which.
    Invalid(&'static str),
}

impl std::fmt::Display for SimError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoAccount => f.write_str("no such account"),
            Self::NotActive => f.write_str("account not active"),
            Self::Invalid(what) => write!(f, "invalid {what}"),
        }
    }
}

impl std::error::Error for SimError {}

/// What the state dump tells of one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountState {
    /// Its SID.
    pub sid: String,
    /// Its name.
    pub friendly_name: String,
    /// `active`, `suspended` or `closed`.
    pub status: &'static str,
    /// Calls that have not ended.
    pub live_calls: Vec<String>,
    /// API keys that are not deleted.
    pub keys: Vec<String>,
    /// Numbers that it holds.
    pub numbers: Vec<String>,
    /// Usage triggers that are not deleted.
    pub triggers: Vec<String>,
    /// Messages ever made.
    pub messages: usize,
    /// Calls ever made.
    pub calls: usize,
    /// Cost of all usage that is visible, a plain decimal.
    pub usage_price: String,
    /// Whether traffic is planned for it.
    pub traffic: bool,
    /// Closed so long ago that Twilio deleted it.
    pub deleted: bool,
}

/// The simulator; clones share everything.
#[derive(Clone)]
pub struct Sim {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) clock: VirtualClock,
    world: Mutex<World>,
    post: Post,
    pub(crate) recorder: Option<Recorder>,
    /// Rung when something new is in the queue.
    pub(crate) bell: Notify,
    /// One runner at a time, so that callbacks leave in order.
    runner: tokio::sync::Mutex<()>,
    slots: Arc<Semaphore>,
}

/// Everything that a simulator knew at one moment.
pub struct SimSnapshot(World);

/// A callback and what signs it.
type Outgoing = (Callback, Signer);

/// One account's callbacks leave one after the other: only the seed puts them out of order.
fn by_account(due: Vec<Outgoing>) -> Vec<Vec<Outgoing>> {
    let mut queues: Vec<Vec<Outgoing>> = Vec::new();
    for outgoing in due {
        match queues
            .iter_mut()
            .find(|queue| queue[0].0.account == outgoing.0.account)
        {
            Some(queue) => queue.push(outgoing),
            None => queues.push(vec![outgoing]),
        }
    }
    queues
}

impl Sim {
    /// A world with only the main account in it.
    pub fn new(config: SimConfig) -> Self {
        let world = World::new(&config);
        Self {
            inner: Arc::new(Inner {
                clock: config.clock,
                world: Mutex::new(world),
                post: Post {
                    wire: Wire::new(),
                    rewrite: config.callback_rewrite,
                },
                recorder: config.record,
                bell: Notify::new(),
                runner: tokio::sync::Mutex::new(()),
                slots: Arc::new(Semaphore::new(DELIVERIES_AT_ONCE)),
            }),
        }
    }

    /// The clock it lives by.
    pub fn clock(&self) -> &VirtualClock {
        &self.inner.clock
    }

    /// When the next thing happens, if anything is planned.
    pub fn next_event_at(&self) -> Option<Timestamp> {
        self.world().next_event_at()
    }

    /// Lives until `to`: moves the clock from event to event and waits for every callback's answer.
    pub async fn run_until(&self, to: Timestamp) {
        let _runner = self.inner.runner.lock().await;
        while let Some((at, due)) = self.take_due(to) {
            self.inner.clock.advance_to(at);
            let records: Vec<Vec<DeliveryRecord>> = futures::stream::iter(by_account(due))
                .map(|queue| self.deliver_in_turn(at, queue))
                .buffered(DELIVERIES_AT_ONCE)
                .collect()
                .await;
            let mut world = self.world();
            for record in records.into_iter().flatten() {
                world.log.delivery(record);
            }
        }
        self.inner.clock.advance_to(to);
    }

    /// Does what is due by now.
    pub async fn catch_up(&self) {
        self.run_until(self.inner.clock.now()).await;
    }

    /// As `catch_up`, but lets callbacks travel by themselves: a slow receiver must not stop the world.
    pub(crate) fn catch_up_detached(&self) {
        let now = self.inner.clock.now();
        while let Some((at, due)) = self.take_due(now) {
            for outgoing in due {
                let sim = self.clone();
                tokio::spawn(async move {
                    let Ok(_slot) = sim.inner.slots.clone().acquire_owned().await else {
                        return;
                    };
                    let record = sim.deliver(at, outgoing).await;
                    sim.world().log.delivery(record);
                });
            }
        }
    }

    fn take_due(&self, until: Timestamp) -> Option<(Timestamp, Vec<Outgoing>)> {
        let mut world = self.world();
        let (at, due) = world.take_due(until)?;
        // Signed with what the account has at the moment it leaves.
        let with_signer = |callback: Callback| {
            let signer = world.signer(callback.account, at);
            (callback, signer)
        };
        Some((at, due.into_iter().map(with_signer).collect()))
    }

    async fn deliver_in_turn(&self, at: Timestamp, queue: Vec<Outgoing>) -> Vec<DeliveryRecord> {
        let mut records = Vec::with_capacity(queue.len());
        for outgoing in queue {
            records.push(self.deliver(at, outgoing).await);
        }
        records
    }

    async fn deliver(&self, at: Timestamp, (callback, signer): Outgoing) -> DeliveryRecord {
        let account_sid = self.world().accounts[callback.account].sid.to_string();
        let post = &self.inner.post;
        let record = post.deliver(at, account_sid, &callback, &signer).await;
        if !record.alerts.is_empty() {
            let mut world = self.world();
            for code in &record.alerts {
                world.alert(at, &callback, *code, record.http_status);
            }
        }
        record
    }

    /// Counts of requests and callbacks.
    pub fn counters(&self) -> Counters {
        self.world().log.counters()
    }

    /// The latest requests to Twilio's API.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.world().log.requests()
    }

    /// The latest callback deliveries.
    pub fn deliveries(&self) -> Vec<DeliveryRecord> {
        self.world().log.deliveries()
    }

    /// Forgets requests and counts.
    pub fn reset_counters(&self) {
        self.world().log.reset();
    }

    /// Every account, the main one first.
    pub fn accounts(&self) -> Vec<AccountState> {
        let now = self.inner.clock.now();
        let world = self.world();
        let state = |(index, account): (usize, &crate::world::accounts::Account)| AccountState {
            sid: account.sid.to_string(),
            friendly_name: account.friendly_name.clone(),
            status: account.status.as_str(),
            live_calls: account
                .live
                .iter()
                .map(|call| world.calls[*call].sid.to_string())
                .collect(),
            keys: account
                .keys
                .iter()
                .map(|key| world.keys[*key].sid.to_string())
                .collect(),
            numbers: account
                .numbers
                .iter()
                .map(|number| world.numbers[*number].e164.clone())
                .collect(),
            messages: account.messages.len(),
            calls: account.calls.len(),
            triggers: world
                .triggers
                .of(index)
                .iter()
                .map(|trigger| world.triggers.all[*trigger].sid.to_string())
                .collect(),
            usage_price: amount::text(world.spent_by(&View::now(index, false, now))),
            traffic: account.traffic.is_some(),
            deleted: account.deleted,
        };
        world.accounts.iter().enumerate().map(state).collect()
    }

    /// Starts or replaces an account's traffic; the numbers it uses.
    pub fn start_traffic(
        &self,
        account_sid: &str,
        profile: TrafficProfile,
    ) -> Result<Vec<String>, SimError> {
        if profile
            .countries
            .iter()
            .any(|iso| crate::world::tariff::country(iso).is_none())
        {
            return Err(SimError::Invalid("country"));
        }
        self.change(account_sid, |world, account, now| {
            if !world.may_start(account) {
                return Err(SimError::NotActive);
            }
            Ok(world.start_traffic(now, account, profile))
        })
    }

    /// Stops an account's traffic; calls in progress go on.
    pub fn stop_traffic(&self, account_sid: &str) -> Result<(), SimError> {
        self.change(account_sid, |world, account, _| {
            world.stop_traffic(account);
            Ok(())
        })
    }

    /// Sets the visible record of a leaf category on a GMT day; amounts are plain decimals.
    pub fn revise_usage(
        &self,
        account_sid: &str,
        day: jiff::civil::Date,
        category: &str,
        price: &str,
        usage: Option<&str>,
        count: Option<i64>,
    ) -> Result<(), SimError> {
        let price = amount::parse(price).ok_or(SimError::Invalid("price"))?;
        let usage = usage
            .map(|text| amount::parse(text).ok_or(SimError::Invalid("usage")))
            .transpose()?;
        // Rows and their links write names as they are.
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if category.is_empty() || !category.bytes().all(is_name) {
            return Err(SimError::Invalid("category"));
        }
        self.change(account_sid, |world, account, now| {
            let category = Arc::make_mut(&mut world.catalogue).intern(category);
            if world.catalogue.get(category).rollup {
                return Err(SimError::Invalid(
                    "category: a rollup is the sum of its leaves",
                ));
            }
            world.revise(
                now,
                account,
                day,
                category,
                Revised {
                    price,
                    usage,
                    count,
                },
            );
            Ok(())
        })
    }

    /// Adds a fault rule; its id.
    pub fn script_fault(&self, rule: FaultRule) -> u64 {
        self.world().faults.add(rule)
    }

    /// Drops the fault script.
    pub fn clear_faults(&self) {
        self.world().faults.clear();
    }

    /// The cost of all visible usage of an account and, for the main one, of its subaccounts.
    pub fn usage_price(&self, account_sid: &str) -> Result<String, SimError> {
        let now = self.inner.clock.now();
        let mut world = self.world();
        let account = world.find("AC", account_sid).ok_or(SimError::NoAccount)?;
        Ok(amount::text(world.spent(account, true, now)))
    }

    /// Changes an account now, after everything that is due.
    pub(crate) fn change<T>(
        &self,
        account_sid: &str,
        change: impl FnOnce(&mut World, usize, Timestamp) -> Result<T, SimError>,
    ) -> Result<T, SimError> {
        let now = self.inner.clock.now();
        let mut world = self.world();
        world.settle(now);
        let account = world.account(account_sid).ok_or(SimError::NoAccount)?;
        let changed = change(&mut world, account, now);
        world.settle(now);
        drop(world);
        self.inner.bell.notify_one();
        changed
    }

    /// Copies everything there is. Nothing may be under way meanwhile.
    pub fn snapshot(&self) -> SimSnapshot {
        SimSnapshot(self.world().clone())
    }

    /// Makes everything what it was when the copy was taken; the clock is its owner's.
    pub fn restore(&self, to: &SimSnapshot) {
        self.world().clone_from(&to.0);
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.inner
            .world
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
