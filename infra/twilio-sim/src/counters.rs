//! What was asked and what was delivered, counted and logged without secrets or bodies.

use std::collections::{BTreeMap, HashMap, VecDeque};

use jiff::Timestamp;
use serde::Serialize;

use crate::callbacks::DeliveryRecord;

/// How many requests and deliveries are kept.
const REQUESTS_MAX: usize = 10_000;
const DELIVERIES_MAX: usize = 20_000;

/// One request as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoggedRequest {
    /// When it came.
    pub at: Timestamp,
    /// `main`, `subaccount`, `key`, `main_key`, `restricted_key`, `inactive`, `none` or `invalid`.
    pub credential: &'static str,
    /// The account or key that asked.
    pub credential_sid: String,
    /// HTTP method.
    pub method: String,
    /// Path and query, without product prefix.
    pub path: String,
    /// The route's template.
    pub route: &'static str,
    /// The account that the path names.
    pub account_sid: Option<String>,
    /// Answer; 0 when the connection was dropped.
    pub status: u16,
    /// The fault rule that struck.
    pub fault: Option<u64>,
}

/// Counts since the start or the last reset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Requests to Twilio's API.
    pub requests: u64,
    /// By `METHOD /route`.
    pub by_route: BTreeMap<String, u64>,
    /// By the account that the path names, then by `METHOD /route`.
    pub by_account: BTreeMap<String, BTreeMap<String, u64>>,
    /// By answer.
    pub by_status: BTreeMap<u16, u64>,
    /// Callbacks.
    pub callbacks: CallbackCounts,
}

/// Callbacks by outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CallbackCounts {
    /// Sent, duplicates included, retries not.
    pub sent: u64,
    /// Answered with 2xx.
    pub accepted: u64,
    /// Answered otherwise.
    pub refused: u64,
    /// Not answered.
    pub unanswered: u64,
    /// Second deliveries of the same callback.
    pub duplicates: u64,
    /// Repeated attempts.
    pub retries: u64,
}

type RouteKey = (&'static str, &'static str);

/// The log behind the counters.
#[derive(Clone, Default)]
pub(crate) struct Log {
    requests: VecDeque<LoggedRequest>,
    deliveries: VecDeque<DeliveryRecord>,
    by_route: HashMap<RouteKey, u64>,
    by_account: HashMap<String, HashMap<RouteKey, u64>>,
    by_status: BTreeMap<u16, u64>,
    callbacks: CallbackCounts,
    /// Requests ever, for request ids; survives a reset.
    pub(crate) ordinal: u64,
    /// Requests that are being answered, by authenticating account.
    pub(crate) in_flight: HashMap<usize, u32>,
}

impl Log {
    pub(crate) fn request(&mut self, entry: LoggedRequest) {
        let key = (method_name(&entry.method), entry.route);
        *self.by_route.entry(key).or_default() += 1;
        *self.by_status.entry(entry.status).or_default() += 1;
        if let Some(account) = &entry.account_sid {
            if !self.by_account.contains_key(account) {
                self.by_account.insert(account.clone(), HashMap::new());
            }
            if let Some(routes) = self.by_account.get_mut(account) {
                *routes.entry(key).or_default() += 1;
            }
        }
        if self.requests.len() == REQUESTS_MAX {
            self.requests.pop_front();
        }
        self.requests.push_back(entry);
    }

    pub(crate) fn delivery(&mut self, record: DeliveryRecord) {
        let counts = &mut self.callbacks;
        counts.sent += 1;
        counts.duplicates += u64::from(record.duplicate);
        counts.retries += u64::from(record.attempts.saturating_sub(1));
        match record.http_status {
            Some(200..=299) => counts.accepted += 1,
            Some(_) => counts.refused += 1,
            None => counts.unanswered += 1,
        }
        if self.deliveries.len() == DELIVERIES_MAX {
            self.deliveries.pop_front();
        }
        self.deliveries.push_back(record);
    }

    pub(crate) fn requests(&self) -> Vec<LoggedRequest> {
        self.requests.iter().cloned().collect()
    }

    pub(crate) fn deliveries(&self) -> Vec<DeliveryRecord> {
        self.deliveries.iter().cloned().collect()
    }

    /// Forgets requests and counts; deliveries stay.
    pub(crate) fn reset(&mut self) {
        self.requests.clear();
        self.by_route.clear();
        self.by_account.clear();
        self.by_status.clear();
        self.callbacks = CallbackCounts::default();
    }

    pub(crate) fn counters(&self) -> Counters {
        Counters {
            requests: self.by_status.values().sum(),
            by_route: named(&self.by_route),
            by_account: self
                .by_account
                .iter()
                .map(|(account, routes)| (account.clone(), named(routes)))
                .collect(),
            by_status: self.by_status.clone(),
            callbacks: self.callbacks.clone(),
        }
    }
}

fn named(routes: &HashMap<RouteKey, u64>) -> BTreeMap<String, u64> {
    routes
        .iter()
        .map(|((method, route), count)| (format!("{method} {route}"), *count))
        .collect()
}

fn method_name(method: &str) -> &'static str {
    match method {
        "GET" => "GET",
        "POST" => "POST",
        "DELETE" => "DELETE",
        _ => "OTHER",
    }
}
