//! What a run books: pure, from what was loaded and what Twilio said.

use std::collections::BTreeMap;

use aws::UsageBooking;
use domain::event::{EVENT_VERSION, Event, Fact};
use domain::ids::{EventId, TenantId};
use domain::ledger::{Entry, EntryKind, LedgerError, usage_postings};
use domain::plan::PricePlan;
use domain::rating::{DayChange, DaySheet, hold_day, rate_day};
use domain::standing::{Occasion, Standing};
use domain::usage::{DayFault, UsageRecord, fold_day};
use domain::wallet::{Wallet, WalletChange};
use domain::{Date, Timestamp};
use jiff::tz::TimeZone;

/// Sheets of one transaction: with entry, wallet, events and timer it stays far below 100 items.
const SHEETS_MAX: usize = 31;
/// Lines of one transaction: about 80 KB in one entry, of 400 KB that an item may have.
const LINES_MAX: usize = 1_000;
/// A wallet whose last completed day lies further back is written although nothing is booked, so that a
/// tenant without usage is not read over an ever longer range.
const THROUGH_LAG_DAYS: i32 = 7;

/// Days from today back in which a held day is read again each hour, not each day.
const WAITING_DAYS: usize = 4;

/// What a run knows when it decides.
pub(crate) struct Observation<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) wallet: &'a Wallet,
    pub(crate) sheets: &'a [DaySheet],
    /// Days that were asked for, in order. After a long gap a hole lies before the latest.
    pub(crate) days: &'a [Date],
    /// Twilio's records of those days.
    pub(crate) records: &'a [UsageRecord],
    /// The plan in force on each day.
    pub(crate) plans: &'a dyn Fn(Date) -> Option<&'a PricePlan>,
    pub(crate) cause: &'a str,
    pub(crate) now: Timestamp,
}

/// What a run decided.
#[derive(Debug)]
pub(crate) struct Decision {
    /// Transactions to make, in order; each is complete in itself.
    pub(crate) bookings: Vec<UsageBooking>,
    /// Days whose categories overlap in an unknown way: a person must look.
    pub(crate) overlapping: Vec<Date>,
    /// Days that had lines before and now no row at all: left as they are.
    pub(crate) silent: Vec<Date>,
    /// A recent day is held: what it waits for comes within hours.
    pub(crate) waits: bool,
}

/// Decides what to book. The same input always gives the same bookings; nothing to book gives none.
pub(crate) fn decide(
    observation: &Observation<'_>,
    new_id: &dyn Fn() -> EventId,
) -> Result<Decision, LedgerError> {
    let mut decision = Decision {
        bookings: Vec::new(),
        overlapping: Vec::new(),
        silent: Vec::new(),
        waits: false,
    };
    let changes = day_changes(observation, &mut decision);
    let latest = observation.days.iter().rev();
    decision.waits = latest
        .take(WAITING_DAYS)
        .any(|day| is_held(observation, &changes, *day));
    let through = completed_through(observation, &changes);
    let mut wallet = observation.wallet.clone();
    let chunks = chunk(changes);
    let last = chunks.len().saturating_sub(1);
    for (index, changes) in chunks.into_iter().enumerate() {
        // The cursor moves with the last chunk only: a crash in between reads the same days again.
        let through = if index == last {
            through
        } else {
            wallet.completed_through
        };
        let booking = book(observation, &wallet, changes, through, new_id)?;
        wallet = Wallet {
            rev: booking.wallet.rev + 1,
            ..booking.wallet.clone()
        };
        decision.bookings.push(booking);
    }
    if decision.bookings.is_empty() && needs_a_write(observation, through) {
        decision
            .bookings
            .push(book(observation, &wallet, Vec::new(), through, new_id)?);
    }
    Ok(decision)
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
        let Some(plan) = (observation.plans)(*day) else {
            continue;
        };
        let change = match fold_day(*day, records, observation.wallet.currency) {
            Ok(usage) => {
                if usage.overlaps {
                    decision.overlapping.push(*day);
                }
                rate_day(&sheet, &usage, plan)
            }
            Err(fault) => hold_day(&sheet, fault_code(&fault)),
        };
        changes.extend(change);
    }
    changes
}

/// The stable code of a held day.
pub(crate) fn fault_code(fault: &DayFault) -> &'static str {
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
pub(crate) fn follows(day: Date, next: Date) -> bool {
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
        }
        (None, Some(_)) => true,
        _ => false,
    };
    let restands = policy_plan(observation).is_some_and(|plan| {
        wallet
            .clone()
            .settle(&plan.standing, Occasion::Other, observation.now)
            .standing_before
            .is_some()
    });
    lags || restands
}

fn policy_plan<'a>(observation: &Observation<'a>) -> Option<&'a PricePlan> {
    (observation.plans)(observation.now.to_zoned(TimeZone::UTC).date())
}

/// Cuts at day boundaries.
fn chunk(changes: Vec<DayChange>) -> Vec<Vec<DayChange>> {
    let mut chunks: Vec<Vec<DayChange>> = Vec::new();
    for change in changes {
        let fits = chunks.last().is_some_and(|chunk| {
            let lines: usize = chunk.iter().map(|change| change.lines.len()).sum();
            chunk.len() < SHEETS_MAX && lines + change.lines.len() <= LINES_MAX
        });
        if !fits {
            chunks.push(Vec::new());
        }
        chunks
            .last_mut()
            .expect("a chunk was just made")
            .push(change);
    }
    chunks
}

fn book(
    observation: &Observation<'_>,
    wallet: &Wallet,
    changes: Vec<DayChange>,
    through: Option<Date>,
    new_id: &dyn Fn() -> EventId,
) -> Result<UsageBooking, LedgerError> {
    let lines: Vec<_> = changes
        .iter()
        .flat_map(|change| change.lines.iter().cloned())
        .collect();
    let entry = if lines.is_empty() {
        None
    } else {
        Some(Entry {
            seq: wallet.seq + 1,
            kind: EntryKind::Usage,
            actor: "usage-puller".to_owned(),
            reason: observation.cause.to_owned(),
            at: observation.now,
            currency: wallet.currency,
            postings: usage_postings(&lines)?,
            lines,
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
    let policy = policy_plan(observation).map(|plan| &plan.standing);
    let settled = match policy {
        Some(policy) => posted.settle(policy, Occasion::Other, observation.now),
        None => WalletChange {
            wallet: posted,
            standing_before: None,
        },
    };
    let timer_at = policy
        .filter(|_| settled.standing_before.is_some() || settled.wallet.standing.is_unpaid())
        .and_then(|policy| settled.wallet.next_action_at(policy))
        .filter(|at| *at > observation.now);
    let events = events(observation, &settled, &changes, new_id);
    Ok(UsageBooking {
        changes,
        entry,
        wallet: settled.wallet,
        events,
        timer_at,
    })
}

fn events(
    observation: &Observation<'_>,
    settled: &WalletChange,
    changes: &[DayChange],
    new_id: &dyn Fn() -> EventId,
) -> Vec<Event> {
    let event = |seq, fact| Event {
        id: new_id(),
        version: EVENT_VERSION,
        occurred_at: observation.now,
        tenant_id: observation.tenant.clone(),
        seq,
        cause: observation.cause.to_owned(),
        fact,
    };
    let standing = settled.standing_before.map(|before: Standing| {
        let fact = Fact::StandingChanged {
            from: before.name().to_owned(),
            to: settled.wallet.standing.name().to_owned(),
            balance: settled.wallet.balance,
        };
        event(settled.wallet.standing_ver, fact)
    });
    let held = changes
        .iter()
        .filter_map(|change| change.sheet.held.as_ref().map(|code| (change, code)));
    let held = held.map(|(change, code)| {
        event(
            change.sheet.rev,
            Fact::UsageHeld {
                day: change.sheet.day,
                code: code.clone(),
            },
        )
    });
    held.chain(standing).collect()
}

#[cfg(test)]
mod tests {
    use domain::money::{Currency, parse_decimal};
    use domain::plan::PlanRef;
    use domain::standing::StandingPolicy;
    use domain::{Decimal, ids::PlanId};
    use jiff::civil::date;

    use super::*;

    fn plan() -> PricePlan {
        PricePlan {
            reference: PlanRef {
                id: PlanId::from_ulid(ulid::Ulid::from_parts(1, 1)),
                version: 1,
            },
            name: "Standard".into(),
            currency: Currency::USD,
            default_multiplier: parse_decimal("1.5").unwrap(),
            multipliers: BTreeMap::new(),
            margin_floor: None,
            standing: StandingPolicy {
                grace_minutes: 0,
                ..StandingPolicy::default()
            },
        }
    }

    fn record(day: Date, category: &str, price: &str, unit: &str) -> UsageRecord {
        UsageRecord {
            category: category.into(),
            day,
            count: Some(Decimal::ONE),
            usage: Some(Decimal::ONE),
            price: parse_decimal(price).ok(),
            price_unit: Some(unit.into()),
            as_of: Some("2026-11-20T10:00:00Z".parse().unwrap()),
        }
    }

    fn run(wallet: &Wallet, sheets: &[DaySheet], records: &[UsageRecord]) -> Decision {
        let days: Vec<Date> = (17..=20).map(|day| date(2026, 11, day)).collect();
        let plan = plan();
        let tenant = TenantId::from_ulid(ulid::Ulid::from_parts(1, 1));
        let observation = Observation {
            tenant: &tenant,
            wallet,
            sheets,
            days: &days,
            records,
            plans: &|_| Some(&plan),
            cause: "test",
            now: "2026-11-20T12:00:00Z".parse().unwrap(),
        };
        decide(&observation, &|| {
            EventId::from_ulid(ulid::Ulid::from_parts(1, 1))
        })
        .unwrap()
    }

    fn day_total(price: &str) -> [UsageRecord; 2] {
        let day = date(2026, 11, 20);
        [
            record(day, "totalprice", price, "usd"),
            record(day, "sms-outbound", price, "usd"),
        ]
    }

    #[test]
    fn a_day_is_booked_once_with_cost_charge_and_standing() {
        let wallet = Wallet::new(Currency::USD);
        let decision = run(&wallet, &[], &day_total("2"));
        let [booking] = &decision.bookings[..] else {
            panic!("one booking")
        };
        assert_eq!(booking.wallet.balance, Decimal::from(-3));
        assert!(booking.wallet.standing.is_unpaid());
        assert_eq!(booking.wallet.completed_through, Some(date(2026, 11, 19)));
        assert_eq!(booking.events.len(), 1);

        let sheets: Vec<DaySheet> = booking
            .changes
            .iter()
            .map(|change| change.sheet.clone())
            .collect();
        assert!(
            run(&booking.wallet, &sheets, &day_total("2"))
                .bookings
                .is_empty()
        );
    }

    #[test]
    fn a_day_without_any_row_is_left_as_it_is() {
        let wallet = Wallet::new(Currency::USD);
        let first = run(&wallet, &[], &day_total("2")).bookings.remove(0);
        let sheets: Vec<DaySheet> = first
            .changes
            .into_iter()
            .map(|change| change.sheet)
            .collect();
        let decision = run(&first.wallet, &sheets, &[]);
        assert!(decision.bookings.is_empty());
        assert_eq!(decision.silent, [date(2026, 11, 20)]);
    }

    #[test]
    fn another_currency_holds_the_day_says_so_once_and_keeps_the_cursor_before_it() {
        let wallet = Wallet::new(Currency::USD);
        let day = date(2026, 11, 18);
        let records = [
            record(day, "totalprice", "2", "eur"),
            record(date(2026, 11, 20), "totalprice", "1", "usd"),
        ];
        let decision = run(&wallet, &[], &records);
        let [booking] = &decision.bookings[..] else {
            panic!("one booking")
        };
        assert_eq!(booking.wallet.completed_through, Some(date(2026, 11, 17)));
        assert_eq!(booking.wallet.cost, Decimal::ONE);
        assert!(booking.events.iter().any(
            |event| matches!(&event.fact, Fact::UsageHeld { code, .. } if code == "other_currency")
        ));

        let sheets: Vec<DaySheet> = booking
            .changes
            .iter()
            .map(|change| change.sheet.clone())
            .collect();
        assert!(run(&booking.wallet, &sheets, &records).bookings.is_empty());
    }
}
