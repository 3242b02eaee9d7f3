//! What Twilio's Monitor remembers: who changed what, and which callbacks failed.
//!
//! Both are kept for 30 days and in bounded number, so that a long run of the simulator stays small.

use std::collections::VecDeque;
use std::net::IpAddr;

use jiff::Timestamp;

use super::{MAIN, World, after};
use crate::callbacks::Callback;
use crate::rng::Rng;
use crate::sid::Sid;

/// How long events and alerts can be read, as Twilio's free plan has it.
pub(crate) const KEPT_MS: u64 = 30 * 86_400_000;
/// How many are kept at most.
const EVENTS_MAX: usize = 100_000;
const ALERTS_MAX: usize = 20_000;

/// A list that forgets its oldest entries; an entry keeps its place's number.
#[derive(Clone)]
pub(crate) struct Recent<T> {
    forgotten: usize,
    entries: VecDeque<T>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self {
            forgotten: 0,
            entries: VecDeque::new(),
        }
    }
}

impl<T> Recent<T> {
    /// The entry at a place.
    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        self.entries.get(place.checked_sub(self.forgotten)?)
    }

    /// All places, the newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = (usize, &T)> {
        let numbered = self.entries.iter().enumerate();
        numbered
            .rev()
            .map(|(place, entry)| (self.forgotten + place, entry))
    }

    fn next_place(&self) -> usize {
        self.forgotten + self.entries.len()
    }

    fn push(&mut self, entry: T) {
        self.entries.push_back(entry);
    }

    fn forget_oldest(&mut self) -> Option<T> {
        let oldest = self.entries.pop_front()?;
        self.forgotten += 1;
        Some(oldest)
    }
}

/// Something that was done, to be written down.
#[derive(Clone)]
pub(crate) struct Done {
    /// In whose log it stands.
    pub(crate) account: usize,
    /// The account or key that did it; none is Twilio itself.
    pub(crate) actor: Option<Sid>,
    pub(crate) actor_type: &'static str,
    pub(crate) actor_url: Option<String>,
    pub(crate) event_type: String,
    pub(crate) resource: Option<Sid>,
    pub(crate) resource_url: String,
    /// What changed, as JSON.
    pub(crate) changes: Option<String>,
    pub(crate) source: &'static str,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) at: Timestamp,
}

impl Done {
    /// Something that Twilio did to the main account or one of its subaccounts.
    pub(crate) fn by_twilio(actor_type: &'static str, at: Timestamp) -> Self {
        Self {
            account: MAIN,
            actor: None,
            actor_type,
            actor_url: None,
            event_type: String::new(),
            resource: None,
            resource_url: String::new(),
            changes: None,
            source: "twilio",
            ip: None,
            at,
        }
    }
}

/// An entry of the audit log.
#[derive(Clone)]
pub(crate) struct AuditEvent {
    pub(crate) sid: Sid,
    pub(crate) done: Done,
}

/// An entry of the error log.
#[derive(Clone)]
pub(crate) struct Alert {
    pub(crate) sid: Sid,
    pub(crate) account: usize,
    pub(crate) at: Timestamp,
    pub(crate) code: u32,
    pub(crate) http_status: Option<u16>,
    pub(crate) url: String,
    pub(crate) resource: Sid,
    pub(crate) fields: Vec<(String, String)>,
}

/// The two logs.
#[derive(Clone, Default)]
pub(crate) struct Monitor {
    pub(crate) events: Recent<AuditEvent>,
    pub(crate) alerts: Recent<Alert>,
}

impl World {
    /// Writes down what was done.
    pub(crate) fn audit(&mut self, done: Done) {
        let events = &mut self.monitor.events;
        let place = events.next_place();
        let mut rng = Rng::of(self.seed, &[b"audit", &ordinal(place)]);
        let sid = Sid::draw("AE", &mut rng);
        let kept_from = done.at;
        events.push(AuditEvent { sid, done });
        while let Some(oldest) = events.entries.front()
            && (events.entries.len() > EVENTS_MAX || after(oldest.done.at, KEPT_MS) < kept_from)
        {
            if let Some(forgotten) = events.forget_oldest() {
                self.index.remove(&forgotten.sid);
            }
        }
        self.enter(sid, place);
    }

    /// Writes down that a callback failed, with Twilio's code for how.
    pub(crate) fn alert(
        &mut self,
        at: Timestamp,
        callback: &Callback,
        code: u32,
        http_status: Option<u16>,
    ) {
        let alerts = &mut self.monitor.alerts;
        let place = alerts.next_place();
        // By what it is about: callbacks to several accounts end in any order.
        let duplicate = [u8::from(callback.duplicate)];
        let token = callback.token.as_bytes();
        let which: &[&[u8]] = &[b"alert", token, &duplicate, &code.to_le_bytes()];
        let mut rng = Rng::of(self.seed, which);
        let sid = Sid::draw("NO", &mut rng);
        alerts.push(Alert {
            sid,
            account: callback.account,
            at,
            code,
            http_status,
            url: callback
                .hook
                .url
                .split('#')
                .next()
                .unwrap_or_default()
                .to_owned(),
            resource: callback.resource,
            fields: callback.fields.clone(),
        });
        while let Some(oldest) = alerts.entries.front()
            && (alerts.entries.len() > ALERTS_MAX || after(oldest.at, KEPT_MS) < at)
        {
            if let Some(forgotten) = alerts.forget_oldest() {
                self.index.remove(&forgotten.sid);
            }
        }
        self.enter(sid, place);
    }
}

fn ordinal(place: usize) -> [u8; 8] {
    u64::try_from(place).unwrap_or(u64::MAX).to_le_bytes()
}
