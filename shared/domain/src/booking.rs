//! What a usage run books: pure, from what was loaded and what Twilio said.
//!
//! The same input always gives the same bookings, and nothing new gives none. Each booking is complete in
//! itself: days, period sums, entry and wallet go together.

mod chunks;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use crate::caps::Charges;
use crate::category::DetailFamily;
use crate::detail::Item;
use crate::event::{EVENT_VERSION, Event, Fact};
use crate::guards::Sight;
use crate::ids::{EventId, TenantId};
use crate::ledger::{Entry, EntryKind, LedgerAccount, LedgerError, postings, usage_postings};
use crate::lots::{self, LotClass};
use crate::money::Currency;
use crate::period::{BillingCalendar, noon};
use crate::plan::RuleSet;
use crate::rating::{
    Bound, DayChange, DaySheet, PeriodChanges, PeriodSheet, hold_day, rate_day, rate_periods,
};
use crate::standing::{Occasion, StandingPolicy};
use crate::usage::{DayContext, DayFault, SWEEP_WINDOW_DAYS, UsageRecord, fold_day};
use crate::wallet::{Wallet, WalletChange};

/// A wallet whose last completed day lies further back is written although nothing is booked, so that a
/// tenant without usage is not read over an ever longer range.
const THROUGH_LAG_DAYS: i32 = 7;
/// Days from today back in which a held day is read again each hour, not each day.
const WAITING_DAYS: usize = 4;

/// What a run knows when it decides.
#[derive(Clone, Copy)]
pub struct Observation<'a> {
    /// Whose usage.
    pub tenant: &'a TenantId,
    /// Its wallet.
    pub wallet: &'a Wallet,
    /// Its sheets of the days.
    pub sheets: &'a [DaySheet],
    /// Its sheets of the billing periods that the days belong to.
    pub periods: &'a [PeriodSheet],
    /// Days that were asked for, in order. After a long gap a hole lies before the latest.
    pub days: &'a [Date],
    /// Twilio's records of those days.
    pub records: &'a [UsageRecord],
    /// Calls and messages of those days, for the families that rules ask for.
    pub items: &'a [Item],
    /// The rules in force on each day.
    pub rules: &'a dyn Fn(Date) -> Option<&'a RuleSet<'a>>,
    /// The tenant's billing periods.
    pub calendar: &'a BillingCalendar,
    /// Was it in service on a day?
    pub in_service: &'a dyn Fn(Date) -> bool,
    /// Numbers held on a day.
    pub numbers: &'a dyn Fn(Date) -> u32,
    /// Recorded exchange rates into the tenant's currency, for a day.
    pub rate: &'a dyn Fn(Date, Currency) -> Option<Decimal>,
    /// May a revision of a day older than the sweep be booked, which makes the day cost so much?
    pub approved: &'a dyn Fn(Date, Decimal) -> bool,
    /// Sheets of today's weekday in past weeks and in how many of them the tenant was in service, if the plan's
    /// guards ask for them.
    pub past: Option<(&'a [DaySheet], u32)>,
    /// Calls and messages that the plan's guards look at.
    pub sighted: &'a [Item],
    /// What brought the run about.
    pub cause: &'a str,
    /// When it runs.
    pub now: Timestamp,
}

/// What is written at once.
#[derive(Debug, Clone)]
pub struct Booking {
    /// Changed days, their sheets' `rev` already advanced.
    pub changes: Vec<DayChange>,
    /// Changed periods, their `rev` already advanced.
    pub periods: Vec<PeriodSheet>,
    /// The entry, if money moved.
    pub entry: Option<Entry>,
    /// The wallet as it becomes; `rev` is the one that was read, the head is set by the store.
    pub wallet: Wallet,
    /// Events of this change.
    pub events: Vec<Event>,
    /// When time alone may change the standing.
    pub timer_at: Option<Timestamp>,
}

/// What a run decided.
#[derive(Debug, Default)]
pub struct Decision {
    /// Transactions to make, in order; each is complete in itself.
    pub bookings: Vec<Booking>,
    /// Days whose categories overlap in an unknown way: a person must look.
    pub overlapping: Vec<Date>,
    /// Days whose single items cost more than their records say.
    pub exceeding: Vec<(Date, DetailFamily)>,
    /// Days that had lines before and now no row at all: left as they are.
    pub silent: Vec<Date>,
    /// Changes of days so old that they wait for an operator's approval.
    pub late: Vec<DayChange>,
    /// A recent day is held: what it waits for comes within hours.
    pub waits: bool,
}

/// Decides what to book.
pub fn decide(
    observation: &Observation<'_>,
    new_id: &dyn Fn() -> EventId,
) -> Result<Decision, LedgerError> {
    let mut decision = Decision::default();
    let changes = day_changes(observation, &mut decision);
    let latest = observation.days.iter().rev();
    decision.waits = latest
        .take(WAITING_DAYS)
        .any(|day| is_held(observation, &changes, *day));
    let through = completed_through(observation, &changes);
    let mut wallet = observation.wallet.clone();
    let mut periods = observation.periods.to_vec();
    let chunks = chunks::cut(changes);
    let last = chunks.len().saturating_sub(1);
    for (index, changes) in chunks.into_iter().enumerate() {
        // The cursor moves with the last chunk only: a crash in between reads the same days again.
        let through = if index == last {
            through
        } else {
            wallet.completed_through
        };
        let booking = book(observation, &wallet, &periods, changes, through, new_id)?;
        for sheet in &booking.periods {
            periods.retain(|known| known.start != sheet.start);
            periods.push(sheet.clone());
        }
        wallet = written(&booking.wallet);
        decision.bookings.push(booking);
    }
    if decision.bookings.is_empty() && needs_a_write(observation, through) {
        let booking = book(observation, &wallet, &periods, Vec::new(), through, new_id)?;
        wallet = written(&booking.wallet);
        decision.bookings.push(booking);
    }
    decision
        .bookings
        .extend(expire(observation, &wallet, new_id)?);
    Ok(decision)
}

/// The wallet as the store has it after a booking.
fn written(wallet: &Wallet) -> Wallet {
    Wallet {
        rev: wallet.rev + 1,
        ..wallet.clone()
    }
}

fn day_changes(observation: &Observation<'_>, decision: &mut Decision) -> Vec<DayChange> {
    let mut by_day: BTreeMap<Date, Vec<&UsageRecord>> = BTreeMap::new();
    for record in observation.records {
        by_day.entry(record.day).or_default().push(record);
    }
    let mut changes = Vec::new();
    for day in observation.days {
        let sheet = observation
            .sheets
            .iter()
            .find(|sheet| sheet.day == *day)
            .cloned()
            .unwrap_or_else(|| DaySheet::empty(*day));
        let Some(records) = by_day.get(day) else {
            // Twilio lists unused categories with zeros: no row at all is no statement about the day.
            if !sheet.lines.is_empty() {
                decision.silent.push(*day);
            }
            continue;
        };
        let Some(rules) = (observation.rules)(*day) else {
            continue;
        };
        let context = DayContext {
            day: *day,
            currency: observation.wallet.currency,
            rules,
            items: observation.items,
            in_service: (observation.in_service)(*day),
            numbers: (observation.numbers)(*day),
            rate: &|currency| (observation.rate)(*day, currency),
        };
        let change = match fold_day(&context, records) {
            Ok(usage) => {
                if usage.overlaps {
                    decision.overlapping.push(*day);
                }
                let exceeds = usage.exceeds.iter().map(|family| (*day, *family));
                decision.exceeding.extend(exceeds);
                rate_day(&sheet, &usage, rules)
            }
            Err(fault) => hold_day(&sheet, fault_code(&fault)),
        };
        let Some(change) = change else { continue };
        let waits = is_late(observation, *day)
            && !change.lines.is_empty()
            && !(observation.approved)(*day, change.sheet.cost());
        if waits {
            decision.late.push(change);
        } else {
            changes.push(change);
        }
    }
    changes
}

/// Is it a revision of a day so old that it waits for approval? A day that was never read complete is none.
fn is_late(observation: &Observation<'_>, day: Date) -> bool {
    let today = crate::period::day_of(observation.now);
    let oldest = today.saturating_sub(jiff::Span::new().days(SWEEP_WINDOW_DAYS));
    let known = observation.wallet.completed_through;
    day < oldest && known.is_some_and(|known| day <= known)
}

/// The stable code of a held day.
pub fn fault_code(fault: &DayFault) -> &'static str {
    match fault {
        DayFault::Unpriced { .. } => "unpriced",
        DayFault::OtherCurrency { .. } => "other_currency",
        DayFault::NoTotal => "no_total",
        DayFault::Contradiction { .. } => "contradiction",
        DayFault::BadAmount { .. } => "bad_amount",
    }
}

/// The last day that was read after it ended, by Twilio's own freshness mark where there is one, and never
/// past a day that is held.
fn completed_through(observation: &Observation<'_>, changes: &[DayChange]) -> Option<Date> {
    let seen_at = observation
        .records
        .iter()
        .filter_map(|record| record.as_of)
        .max()?;
    let ended = seen_at
        .min(observation.now)
        .to_zoned(TimeZone::UTC)
        .date()
        .yesterday()
        .ok()?;
    // Behind a hole in the days nothing is complete.
    let mut unbroken = observation.days.chunk_by(|day, next| follows(*day, *next));
    let ended = ended.min(*unbroken.next()?.last()?);
    let first_held = observation
        .days
        .iter()
        .find(|day| is_held(observation, changes, **day))
        .and_then(|day| day.yesterday().ok());
    let through = first_held.map_or(ended, |before| before.min(ended));
    Some(
        observation
            .wallet
            .completed_through
            .map_or(through, |known| known.max(through)),
    )
}

/// Is `next` the day after `day`?
pub fn follows(day: Date, next: Date) -> bool {
    day.tomorrow().is_ok_and(|tomorrow| tomorrow == next)
}

/// Is the day held once these changes are made?
fn is_held(observation: &Observation<'_>, changes: &[DayChange], day: Date) -> bool {
    let mut sheets = changes
        .iter()
        .map(|change| &change.sheet)
        .chain(observation.sheets);
    let sheet = sheets.find(|sheet| sheet.day == day);
    sheet.is_some_and(|sheet| sheet.held.is_some())
}

fn needs_a_write(observation: &Observation<'_>, through: Option<Date>) -> bool {
    let wallet = observation.wallet;
    let lags = match (wallet.completed_through, through) {
        (Some(known), Some(through)) => {
            known.saturating_add(jiff::Span::new().days(THROUGH_LAG_DAYS)) < through
                || is_waited_for(observation, known, through)
        }
        (None, Some(_)) => true,
        _ => false,
    };
    let restands = policy(observation).is_some_and(|policy| {
        let settled = wallet
            .clone()
            .settle(policy, Occasion::Other, observation.now);
        settled.is_news()
    });
    lags || restands || !watch(observation, &mut wallet.clone(), &[]).is_empty()
}

/// Did the last day of a billing period, or of the tenant's service, become complete? A statement waits for it.
fn is_waited_for(observation: &Observation<'_>, known: Date, through: Date) -> bool {
    let after = |day: Date| day.tomorrow().unwrap_or(day);
    let in_service = |day: Date| (observation.in_service)(day);
    let last_of_period = observation.calendar.period_of(known).last_day;
    let period_ends = known < last_of_period && last_of_period <= through;
    period_ends || (in_service(after(known)) && !in_service(after(through)))
}

fn policy<'a>(observation: &Observation<'a>) -> Option<&'a StandingPolicy> {
    let today = crate::period::day_of(observation.now);
    (observation.rules)(today).map(|rules| &rules.plan().standing)
}

fn book(
    observation: &Observation<'_>,
    wallet: &Wallet,
    periods: &[PeriodSheet],
    mut changes: Vec<DayChange>,
    through: Option<Date>,
    new_id: &dyn Fn() -> EventId,
) -> Result<Booking, LedgerError> {
    let rule_on = |day: Date, id: &crate::plan::RuleId| (observation.rules)(day)?.by_id(id);
    let mut sums = rate_periods(periods, &changes, observation.calendar, &rule_on);
    let seq = wallet.seq + 1;
    let moves = pay(wallet, &mut changes, &mut sums, seq);
    let lines: Vec<_> = changes
        .iter()
        .flat_map(|change| change.lines.iter().cloned())
        .collect();
    let entry = if lines.is_empty() {
        None
    } else {
        Some(Entry {
            seq,
            kind: EntryKind::Usage,
            actor: "usage-puller".to_owned(),
            reason: observation.cause.to_owned(),
            at: observation.now,
            currency: wallet.currency,
            postings: usage_postings(&moves, &lines, &sums.lines)?,
            moves,
            lines,
            periods: sums.lines.clone(),
            statement: None,
            natural_key: None,
        })
    };
    let posted = match &entry {
        Some(entry) => wallet.post(entry)?,
        None => wallet.clone(),
    };
    let posted = Wallet {
        completed_through: through.or(posted.completed_through),
        ..posted
    };
    let mut posted = posted;
    let alarms = watch(observation, &mut posted, &changes);
    let settled = settle(
        observation,
        posted,
        Some(&charges(observation, &changes, &sums)),
    );
    let mut events = held_events(observation, &changes, new_id);
    let alarms = alarms.into_iter();
    events.extend(alarms.map(|fact| event(observation, wallet.rev + 1, fact, new_id)));
    events.extend(reached_events(observation, &sums, seq, new_id));
    Ok(Booking {
        changes,
        periods: sums.sheets,
        entry,
        timer_at: timer_at(observation, &settled),
        events: with_standing(observation, &settled, events, new_id),
        wallet: settled.wallet,
    })
}

/// Lets lots pay for what days and period rules changed, in order, and records who paid.
fn pay(
    wallet: &Wallet,
    changes: &mut [DayChange],
    sums: &mut PeriodChanges,
    seq: u64,
) -> Vec<lots::LotMove> {
    let mut funds = wallet.funds.clone();
    let mut pay = |charge: Decimal, at: Timestamp, paid: &mut Vec<lots::Part>| {
        if charge.is_sign_negative() {
            funds.give_back(-charge, paid, seq);
        } else {
            let parts = funds.spend(charge, at);
            lots::record(paid, parts);
        }
    };
    for change in changes {
        let charge = change.charge();
        pay(charge, noon(change.sheet.day), &mut change.sheet.paid);
    }
    for delta in &sums.lines {
        let sheet = sums
            .sheets
            .iter_mut()
            .find(|sheet| sheet.start == delta.period);
        let line = sheet.and_then(|sheet| sheet.rules.get_mut(&delta.key));
        let line = line.expect("a rated period rule stands in its sheet");
        pay(delta.charge, noon(delta.day), &mut line.paid);
    }
    funds.moves_since(&wallet.funds)
}

/// Books off what is left of lots that are over.
fn expire(
    observation: &Observation<'_>,
    wallet: &Wallet,
    new_id: &dyn Fn() -> EventId,
) -> Result<Option<Booking>, LedgerError> {
    let mut funds = wallet.funds.clone();
    let over = funds.expire(observation.now);
    if over.is_empty() {
        return Ok(None);
    }
    let sum = |class: LotClass| -> Decimal {
        let of_class = over.iter().filter(|part| part.lot.class == class);
        of_class.map(|part| part.amount).sum()
    };
    let moves = funds.moves_since(&wallet.funds);
    let against = [
        (LedgerAccount::Breakage, sum(LotClass::Paid)),
        (
            LedgerAccount::PromotionalExpense,
            sum(LotClass::Promotional),
        ),
    ];
    let entry = Entry {
        seq: wallet.seq + 1,
        kind: EntryKind::Expiry,
        actor: "usage-puller".to_owned(),
        reason: "lots expired".to_owned(),
        at: observation.now,
        currency: wallet.currency,
        postings: postings(&moves, &against),
        moves,
        lines: Vec::new(),
        periods: Vec::new(),
        statement: None,
        natural_key: None,
    };
    let settled = settle(observation, wallet.post(&entry)?, None);
    let expired = Fact::LotsExpired {
        amount: over.iter().map(|part| part.amount).sum(),
        balance: settled.wallet.balance(),
    };
    let events = vec![event(observation, entry.seq, expired, new_id)];
    Ok(Some(Booking {
        changes: Vec::new(),
        periods: Vec::new(),
        entry: Some(entry),
        timer_at: timer_at(observation, &settled),
        events: with_standing(observation, &settled, events, new_id),
        wallet: settled.wallet,
    }))
}

fn settle(
    observation: &Observation<'_>,
    posted: Wallet,
    charges: Option<&Charges>,
) -> WalletChange {
    match policy(observation) {
        Some(policy) => posted.settle_charges(policy, Occasion::Other, charges, observation.now),
        None => WalletChange::unsettled(posted),
    }
}

/// What the booking charges for today and today's billing period.
fn charges(observation: &Observation<'_>, changes: &[DayChange], sums: &PeriodChanges) -> Charges {
    let today = crate::period::day_of(observation.now);
    let mut sum = Charges::none(today, &observation.calendar.period_of(today));
    for change in changes {
        sum.add(change.sheet.day, change.charge());
    }
    for delta in &sums.lines {
        sum.add(delta.day, delta.charge);
    }
    sum
}

/// Alarms of today that were not told yet; the wallet remembers that they are.
fn watch(observation: &Observation<'_>, wallet: &mut Wallet, changes: &[DayChange]) -> Vec<Fact> {
    let today = crate::period::day_of(observation.now);
    let Some(rules) = (observation.rules)(today) else {
        return Vec::new();
    };
    let mut sheets = changes
        .iter()
        .map(|change| &change.sheet)
        .chain(observation.sheets);
    let sheet = sheets.find(|sheet| sheet.day == today);
    let sight = Sight {
        today,
        charged: sheet.map(DaySheet::charge).unwrap_or_default(),
        past: observation.past,
        items: observation.sighted,
    };
    wallet.watched.look(&rules.plan().guards, &sight)
}

fn timer_at(observation: &Observation<'_>, settled: &WalletChange) -> Option<Timestamp> {
    settled.timer_at(observation.now)
}

fn event(
    observation: &Observation<'_>,
    seq: u64,
    fact: Fact,
    new_id: &dyn Fn() -> EventId,
) -> Event {
    Event {
        id: new_id(),
        version: EVENT_VERSION,
        occurred_at: observation.now,
        tenant_id: observation.tenant.clone(),
        seq,
        cause: observation.cause.to_owned(),
        fact,
    }
}

fn with_standing(
    observation: &Observation<'_>,
    settled: &WalletChange,
    mut events: Vec<Event>,
    new_id: &dyn Fn() -> EventId,
) -> Vec<Event> {
    let facts = settled.facts().into_iter();
    events.extend(facts.map(|(seq, fact)| event(observation, seq, fact, new_id)));
    events
}

fn held_events(
    observation: &Observation<'_>,
    changes: &[DayChange],
    new_id: &dyn Fn() -> EventId,
) -> Vec<Event> {
    let held = changes
        .iter()
        .filter_map(|change| change.sheet.held.as_ref().map(|code| (change, code)));
    held.map(|(change, code)| {
        let fact = Fact::UsageHeld {
            day: change.sheet.day,
            code: code.clone(),
        };
        event(observation, change.sheet.rev, fact, new_id)
    })
    .collect()
}

fn reached_events(
    observation: &Observation<'_>,
    sums: &PeriodChanges,
    seq: u64,
    new_id: &dyn Fn() -> EventId,
) -> Vec<Event> {
    let events = sums.reached.iter().map(|reached| {
        let fact = Fact::AllowanceReached {
            period: reached.period,
            rule: reached.key.rule.as_str().to_owned(),
            bound: match reached.bound {
                Bound::Included => "included",
                Bound::SoftCap => "soft_cap",
                Bound::HardCap => "hard_cap",
            },
            quantity: reached.at,
        };
        event(observation, seq, fact, new_id)
    });
    events.collect()
}

#[cfg(test)]
mod tests;
