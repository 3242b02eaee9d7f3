//! The simulated world: accounts, what they own, and a queue of what will happen to them.
//!
//! Nothing here waits, sends or reads a clock. Every operation is told the time; whatever happens later
//! goes into the queue, and callbacks that came due are handed to whoever delivers them.

pub(crate) mod accounts;
pub(crate) mod addresses;
pub(crate) mod areas;
pub(crate) mod calls;
mod charges;
pub(crate) mod conferences;
mod fired;
pub(crate) mod inventory;
pub(crate) mod ledger;
mod legs;
pub(crate) mod messages;
pub(crate) mod monitor;
pub(crate) mod notices;
pub(crate) mod numbers;
mod population;
mod progress;
pub(crate) mod recordings;
pub(crate) mod records;
pub(crate) mod services;
pub(crate) mod supply;
pub(crate) mod tariff;
pub(crate) mod tokens;
pub(crate) mod traffic;
pub(crate) mod triggers;
pub(crate) mod twiml;
pub(crate) mod webhooks;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use twilio::signature::SharedKey;

use crate::amount;
use crate::callbacks::Callback;
use crate::config::{Pace, Quirks, SimConfig};
use crate::counters::Log;
use crate::faults::Faults;
use crate::rng::Rng;
use crate::sid::Sid;
use crate::usage::book::Cell;
use crate::usage::catalogue::{Catalogue, CategoryId};

use accounts::{Account, Key, Status};
use calls::Call;
use conferences::Conferences;
use messages::Message;
use monitor::Monitor;
use numbers::{Number, Numbering};
use recordings::Recordings;
use records::Records;
use services::Service;
use triggers::Triggers;

/// What will happen.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// The traffic of a day is planned.
    TrafficDay {
        account: usize,
        generation: u32,
    },
    /// End users send or receive a message, or make or get a call.
    TrafficMessage {
        account: usize,
        generation: u32,
    },
    TrafficCall {
        account: usize,
        generation: u32,
    },
    Message {
        message: usize,
        step: messages::Step,
    },
    Call {
        call: usize,
        step: calls::Step,
    },
    Recording {
        recording: usize,
        step: recordings::Step,
    },
    Usage {
        account: usize,
        day: Date,
        category: CategoryId,
        cell: Cell,
    },
    Revision {
        account: usize,
        day: Date,
        category: CategoryId,
        turn: u64,
    },
    /// The usage triggers of an account are looked at.
    Triggers {
        account: usize,
    },
    Rent {
        number: usize,
        term: i64,
    },
    Callback(Box<Callback>),
    /// A closed account is deleted.
    AccountDeletion {
        account: usize,
    },
}

/// Everything there is.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) subaccount_limit: usize,
    pub(crate) concurrency_max: Option<u32>,
    pub(crate) currency: String,
    pub(crate) opening_balance: i64,
    pub(crate) pace: Pace,
    pub(crate) quirks: Quirks,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) keys: Vec<Key>,
    pub(crate) calls: Vec<Call>,
    pub(crate) messages: Vec<Message>,
    pub(crate) numbers: Vec<Number>,
    pub(crate) services: Vec<Service>,
    /// How many subaccounts are closed.
    pub(crate) closed: usize,
    pub(crate) monitor: Monitor,
    pub(crate) numbering: Numbering,
    pub(crate) conferences: Conferences,
    pub(crate) recordings: Recordings,
    /// Own numbers that a number does not want to be written to by: `(own, other)`.
    pub(crate) opted_out: HashSet<(String, String)>,
    /// The shared keys that sign callbacks instead of auth tokens, by account.
    shared_keys: HashMap<usize, SharedKey>,
    /// Messages that each number has queued, if any.
    queued_by_sender: HashMap<String, u32>,
    /// Where each SID is found in its list; the prefix tells which list.
    pub(crate) index: HashMap<Sid, usize>,
    /// Numbers that someone holds.
    pub(crate) held: HashMap<String, usize>,
    pub(crate) records: Records,
    pub(crate) triggers: Triggers,
    pub(crate) faults: Faults,
    pub(crate) log: Log,
    queue: BTreeMap<(Timestamp, u64), Event>,
    queued: u64,
    /// Callbacks that are due and not yet delivered.
    due: VecDeque<(Timestamp, Callback)>,
}

/// The main account's index.
pub(crate) const MAIN: usize = 0;
/// Callbacks that come due within this much of each other are delivered at the same time.
const DELIVERY_WINDOW: Duration = Duration::from_millis(500);

impl World {
    pub(crate) fn new(config: &SimConfig) -> Self {
        let mut world = Self {
            seed: config.seed,
            subaccount_limit: config.subaccount_limit,
            concurrency_max: config.concurrency_max,
            currency: config.currency.clone(),
            opening_balance: amount::parse(&config.opening_balance).unwrap_or_default(),
            pace: config.pace.clone(),
            quirks: config.quirks.clone(),
            catalogue: Arc::new(Catalogue::new(config.all_categories)),
            accounts: Vec::new(),
            keys: Vec::new(),
            calls: Vec::new(),
            messages: Vec::new(),
            numbers: Vec::new(),
            services: Vec::new(),
            closed: 0,
            monitor: Monitor::default(),
            numbering: Numbering::default(),
            conferences: Conferences::default(),
            recordings: Recordings::default(),
            opted_out: HashSet::new(),
            shared_keys: HashMap::new(),
            queued_by_sender: HashMap::new(),
            index: HashMap::new(),
            held: HashMap::new(),
            records: Records::default(),
            triggers: Triggers::default(),
            faults: Faults::default(),
            log: Log::default(),
            queue: BTreeMap::new(),
            queued: 0,
            due: VecDeque::new(),
        };
        let sid = Sid::parse("AC", &config.account_sid)
            .unwrap_or_else(|| Sid::draw("AC", &mut Rng::of(config.seed, &[b"main"])));
        world.open_account(
            sid,
            config.auth_token.clone(),
            "Main account".to_owned(),
            config.clock.now(),
        );
        world
    }

    /// Puts an event into the queue.
    pub(crate) fn push(&mut self, at: Timestamp, event: Event) {
        self.queued += 1;
        self.queue.insert((at, self.queued), event);
    }

    /// Puts an event into the queue, a span from `from`.
    pub(crate) fn push_in(
        &mut self,
        from: Timestamp,
        milliseconds: u64,
        event: Event,
    ) -> Timestamp {
        let at = after(from, milliseconds);
        self.push(at, event);
        at
    }

    /// When the next thing happens.
    pub(crate) fn next_event_at(&self) -> Option<Timestamp> {
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        let due = self.due.front().map(|(at, _)| *at);
        queued.into_iter().chain(due).min()
    }

    /// Does what is due by `now`; callbacks wait for their delivery.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        while let Some(entry) = self.queue.first_entry() {
            let at = entry.key().0;
            if at > now {
                break;
            }
            let event = entry.remove();
            self.happen(at, event);
        }
    }

    /// Goes on until the next callbacks to deliver, at most to `until`.
    pub(crate) fn take_due(&mut self, until: Timestamp) -> Option<(Timestamp, Vec<Callback>)> {
        while self.due.is_empty() {
            let next = self
                .queue
                .keys()
                .next()
                .map(|(at, _)| *at)
                .filter(|at| *at <= until)?;
            self.settle(next);
        }
        let first = self.due.front()?.0;
        let window = first
            .checked_add(DELIVERY_WINDOW)
            .unwrap_or(first)
            .min(until);
        self.settle(window);
        let callbacks: Vec<_> = self.due.drain(..).collect();
        let at = callbacks.iter().map(|(at, _)| *at).max()?;
        Some((
            at,
            callbacks
                .into_iter()
                .map(|(_, callback)| callback)
                .collect(),
        ))
    }

    fn happen(&mut self, at: Timestamp, event: Event) {
        match event {
            Event::TrafficDay {
                account,
                generation,
            } => self.plan_day(at, account, generation),
            Event::TrafficMessage {
                account,
                generation,
            } => self.traffic_message(at, account, generation),
            Event::TrafficCall {
                account,
                generation,
            } => self.traffic_call(at, account, generation),
            Event::Message { message, step } => self.step_message(at, message, step),
            Event::Call { call, step } => self.step_call(at, call, step),
            Event::Recording { recording, step } => self.step_recording(at, recording, step),
            Event::Usage {
                account,
                day,
                category,
                cell,
            } => self.show_usage(at, account, day, category, cell),
            Event::Revision {
                account,
                day,
                category,
                turn,
            } => self.revise_by_chance(at, account, day, category, turn),
            Event::Triggers { account } => self.look_at_triggers(at, account),
            Event::Rent { number, term } => self.take_rent(at, number, term),
            Event::Callback(callback) => self.due.push_back((at, *callback)),
            Event::AccountDeletion { account } => self.delete_account(at, account),
        }
    }

    /// The generator of a new thing of an account.
    pub(crate) fn draw(&mut self, account: usize) -> Rng {
        let owner = &mut self.accounts[account];
        owner.drawn += 1;
        Rng::of(self.seed, &[owner.sid.bytes(), &owner.drawn.to_le_bytes()])
    }

    /// Registers a thing under its SID.
    pub(crate) fn enter(&mut self, sid: Sid, at: usize) {
        self.index.insert(sid, at);
    }

    /// Finds a thing by SID and prefix.
    pub(crate) fn find(&self, prefix: &str, text: &str) -> Option<usize> {
        Sid::parse(prefix, text).and_then(|sid| self.index.get(&sid).copied())
    }

    /// Whether an account may start new calls and messages.
    pub(crate) fn may_start(&self, account: usize) -> bool {
        self.accounts[account].status == Status::Active
            && self.accounts[MAIN].status == Status::Active
    }
}

/// The moment `milliseconds` later.
pub(crate) fn after(from: Timestamp, milliseconds: u64) -> Timestamp {
    from.checked_add(Duration::from_millis(milliseconds))
        .unwrap_or(Timestamp::MAX)
}

/// The moment `milliseconds` earlier.
pub(crate) fn before(from: Timestamp, milliseconds: u64) -> Timestamp {
    from.checked_sub(Duration::from_millis(milliseconds))
        .unwrap_or(Timestamp::MIN)
}

/// The GMT day of a moment.
pub(crate) fn day_of(at: Timestamp) -> Date {
    jiff::tz::Offset::UTC.to_datetime(at).date()
}

/// The first moment of a GMT day.
pub(crate) fn start_of(day: Date) -> Timestamp {
    jiff::tz::Offset::UTC
        .to_timestamp(day.to_datetime(jiff::civil::Time::midnight()))
        .unwrap_or(Timestamp::MAX)
}
