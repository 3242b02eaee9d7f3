//! Usage triggers: thresholds on what the usage records say, looked at about once a minute while they can fire.
//!
//! Nothing is looked at by the clock alone. A look is planned when a visible record changes; where usage is
//! derived from the seed, at the minute in which it reaches a threshold, or else at the next midnight.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::Date;

use super::accounts::Status;
use super::records::View;
use super::{Event, MAIN, World, after, day_of, start_of};
use crate::amount::UNIT;
use crate::callbacks::Hook;
use crate::rng::Rng;
use crate::sid::Sid;
use crate::usage::catalogue::CategoryId;

/// Decimals that Twilio writes thresholds with.
pub(crate) const VALUE_DECIMALS: usize = 6;

/// Where the record that a trigger watches is shown.
pub(crate) fn record_uri(account: Sid, category: &str) -> String {
    format!("/2010-04-01/Accounts/{account}/Usage/Records.json?Category={category}")
}

/// What of a record is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Count,
    Usage,
    Price,
}

impl By {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "count" => Some(Self::Count),
            "usage" => Some(Self::Usage),
            "price" => Some(Self::Price),
            _ => None,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Usage => "usage",
            Self::Price => "price",
        }
    }
}

/// How often a trigger begins anew, by GMT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recurring {
    Daily,
    Monthly,
    Yearly,
    AllTime,
}

impl Recurring {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "daily" => Some(Self::Daily),
            "monthly" => Some(Self::Monthly),
            "yearly" => Some(Self::Yearly),
            "alltime" => Some(Self::AllTime),
            _ => None,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
            Self::AllTime => "alltime",
        }
    }
}

/// A usage trigger.
#[derive(Clone)]
pub(crate) struct Trigger {
    pub(crate) sid: Sid,
    pub(crate) account: usize,
    pub(crate) friendly_name: Option<String>,
    pub(crate) hook: Hook,
    pub(crate) category: CategoryId,
    pub(crate) by: By,
    /// In billionths, counts too.
    pub(crate) value: i64,
    pub(crate) recurring: Option<Recurring>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) fired_at: Option<Timestamp>,
    pub(crate) deleted: bool,
}

impl Trigger {
    /// The first day of the interval that a moment lies in.
    fn interval(&self, at: Timestamp) -> Date {
        let day = day_of(at);
        match self.recurring {
            Some(Recurring::Daily) => day,
            Some(Recurring::Monthly) => day.first_of_month(),
            Some(Recurring::Yearly) => day.first_of_year(),
            Some(Recurring::AllTime) | None => Date::MIN,
        }
    }

    /// Whether it can fire: it has not, or not in this interval.
    fn is_armed(&self, at: Timestamp) -> bool {
        let fired_in = self.fired_at.map(|fired| self.interval(fired));
        !self.deleted && fired_in.is_none_or(|fired_in| fired_in != self.interval(at))
    }
}

/// A trigger to be made.
pub(crate) struct TriggerDraft {
    pub(crate) friendly_name: Option<String>,
    pub(crate) hook: Hook,
    pub(crate) category: CategoryId,
    pub(crate) by: By,
    pub(crate) value: i64,
    /// Whether `value` counts from what the record says now.
    pub(crate) from_now: bool,
    pub(crate) recurring: Option<Recurring>,
}

/// All triggers.
#[derive(Clone, Default)]
pub(crate) struct Triggers {
    pub(crate) all: Vec<Trigger>,
    by_account: BTreeMap<usize, Watch>,
}

/// One account's triggers.
#[derive(Clone, Default)]
struct Watch {
    triggers: Vec<usize>,
    /// When they are looked at next.
    next: Option<Timestamp>,
}

impl Triggers {
    /// An account's triggers that are not deleted.
    pub(crate) fn of(&self, account: usize) -> &[usize] {
        let watch = self.by_account.get(&account);
        watch.map_or(&[], |watch| watch.triggers.as_slice())
    }
}

impl World {
    /// Makes a trigger; `None` at the limit.
    pub(crate) fn create_trigger(
        &mut self,
        at: Timestamp,
        account: usize,
        draft: TriggerDraft,
        most: usize,
    ) -> Option<usize> {
        if self.triggers.of(account).len() >= most {
            return None;
        }
        let mut rng = self.draw(account);
        let index = self.triggers.all.len();
        let sid = Sid::draw("UT", &mut rng);
        self.triggers.all.push(Trigger {
            sid,
            account,
            friendly_name: draft.friendly_name,
            hook: draft.hook,
            category: draft.category,
            by: draft.by,
            value: draft.value,
            recurring: draft.recurring,
            created_at: at,
            updated_at: at,
            fired_at: None,
            deleted: false,
        });
        if draft.from_now {
            let current = self.current_value(at, index);
            let trigger = &mut self.triggers.all[index];
            trigger.value = trigger.value.saturating_add(current);
        }
        self.enter(sid, index);
        let watch = self.triggers.by_account.entry(account).or_default();
        watch.triggers.push(index);
        self.plan_look(at, account);
        Some(index)
    }

    /// Deletes a trigger.
    pub(crate) fn delete_trigger(&mut self, index: usize) {
        let trigger = &mut self.triggers.all[index];
        trigger.deleted = true;
        if let Some(watch) = self.triggers.by_account.get_mut(&trigger.account) {
            watch.triggers.retain(|held| *held != index);
            if watch.triggers.is_empty() {
                self.triggers.by_account.remove(&trigger.account);
            }
        }
    }

    /// What a trigger's record says in its interval; of the main account, its subaccounts' usage too.
    pub(crate) fn current_value(&mut self, at: Timestamp, index: usize) -> i64 {
        let trigger = &self.triggers.all[index];
        let (category, first) = (trigger.category, trigger.interval(at));
        let view = View::now(trigger.account, true, at);
        self.prepare(&view, first, Date::MAX);
        let cell = self.totals(&view, first, Date::MAX)[usize::from(category)];
        let trigger = &self.triggers.all[index];
        match trigger.by {
            By::Count => cell.count.saturating_mul(UNIT),
            By::Usage => cell.usage,
            By::Price => cell.price,
        }
    }

    /// A visible record of an account changed.
    pub(super) fn usage_moved(&mut self, at: Timestamp, account: usize) {
        if self.triggers.by_account.is_empty() {
            return;
        }
        self.plan_look(at, account);
        if account != MAIN {
            self.plan_look(at, MAIN);
        }
    }

    /// Plans a look at an account's triggers within a minute, if any can fire.
    fn plan_look(&mut self, at: Timestamp, account: usize) {
        let armed = |index: &usize| self.triggers.all[*index].is_armed(at);
        if self.triggers.of(account).iter().any(armed) {
            self.look_after(at, account);
        }
    }

    fn look_after(&mut self, from: Timestamp, account: usize) {
        let sid = self.accounts[account].sid;
        let moment = from.as_millisecond().to_le_bytes();
        let mut rng = Rng::of(self.seed, &[b"look", sid.bytes(), &moment]);
        let next = after(from, rng.within(self.pace.trigger_ms));
        let Some(watch) = self.triggers.by_account.get_mut(&account) else {
            return;
        };
        if watch.next.is_none_or(|planned| next < planned) {
            watch.next = Some(next);
            self.push(next, Event::Triggers { account });
        }
    }

    /// Looks at an account's triggers, fires those whose value is reached, and plans the next look.
    pub(super) fn look_at_triggers(&mut self, at: Timestamp, account: usize) {
        match self.triggers.by_account.get_mut(&account) {
            // An earlier look came between, and planned again.
            Some(watch) if watch.next == Some(at) => watch.next = None,
            _ => return,
        }
        for index in self.triggers.of(account).to_vec() {
            if !self.triggers.all[index].is_armed(at) {
                continue;
            }
            let current = self.current_value(at, index);
            if current >= self.triggers.all[index].value {
                self.fire(at, index, current);
            }
        }
        if let Some(next) = self.next_crossing(at, account) {
            self.look_after(next, account);
        }
    }

    /// When derived usage, which grows without events, makes the next look worth while.
    fn next_crossing(&mut self, at: Timestamp, account: usize) -> Option<Timestamp> {
        let derived = if account == MAIN {
            !self.records.populations.is_empty()
        } else {
            self.accounts[account].life.population.is_some()
        };
        if !derived {
            return None;
        }
        let midnight = start_of(day_of(at).checked_add(1.day()).ok()?);
        let minutes = u64::try_from(midnight.duration_since(at).as_secs() / 60).unwrap_or(0);
        let mut next: Option<Timestamp> = None;
        for index in self.triggers.of(account).to_vec() {
            let trigger = &self.triggers.all[index];
            let looked_at = if trigger.is_armed(at) {
                self.crossing(at, minutes, index).unwrap_or(midnight)
            } else if trigger.is_armed(midnight) {
                midnight
            } else {
                continue;
            };
            next = Some(next.map_or(looked_at, |next| next.min(looked_at)));
        }
        next
    }

    /// The minute of what is left of the day in which a trigger's value is reached.
    fn crossing(&mut self, at: Timestamp, minutes: u64, index: usize) -> Option<Timestamp> {
        let value = self.triggers.all[index].value;
        let minute = |minutes: u64| after(at, minutes.saturating_mul(60_000));
        let mut low = (0, self.current_value(at, index));
        let mut high = (minutes, self.current_value(minute(minutes), index));
        if high.1 < value {
            return None;
        }
        let mut guesses = [2_i64, -2].into_iter();
        while high.0 - low.0 > 1 {
            // Usage grows evenly over a day, so that a straight line leads close: once to just after the
            // minute, once to just before it. Then by halves.
            let middle = match guesses.next() {
                Some(beside) => between(low, high, value, beside),
                None => low.0.midpoint(high.0),
            };
            let probe = (middle, self.current_value(minute(middle), index));
            if probe.1 >= value {
                high = probe;
            } else {
                low = probe;
            }
        }
        Some(minute(high.0))
    }

    fn fire(&mut self, at: Timestamp, index: usize, current: i64) {
        let trigger = &mut self.triggers.all[index];
        trigger.fired_at = Some(at);
        // Nobody hears of a closed account.
        if self.accounts[trigger.account].status != Status::Closed {
            self.notify_trigger(at, index, current);
        }
    }
}

/// Where the straight line between two points reaches a value, a little beside it, strictly between them.
fn between(low: (u64, i64), high: (u64, i64), value: i64, beside: i64) -> u64 {
    let (width, height) = (high.0 - low.0, i128::from(high.1) - i128::from(low.1));
    let rise = i128::from(value) - i128::from(low.1);
    let steps = (rise * i128::from(width)).checked_div(height).unwrap_or(0);
    let steps = u64::try_from(steps + i128::from(beside)).unwrap_or(0);
    low.0 + steps.clamp(1, (width - 1).max(1))
}
