//! One tenant's run: load once, ask Twilio once, decide, write once; a lost race decides again.
//!
//! What the run found besides money is written before the books, so that an alarm is never lost with a race.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use aws::{Command, CommitError, SecretError, StoreError, UsageRead};
use domain::booking::{Decision, Observation, decide};
use domain::exchange::Rates;
use domain::ids::{AccountSid, EventId, TenantId};
use domain::ledger::LedgerError;
use domain::money::Currency;
use domain::period::BillingCalendar;
use domain::plan::{PlanRef, PricePlan, RuleSet};
use domain::pull_state::PullState;
use domain::rating::{DaySheet, PeriodSheet};
use domain::tenant::{Lifecycle, Tenant};
use domain::wallet::Wallet;
use domain::{Date, Timestamp};
use jiff::tz::TimeZone;

use crate::fetch::Found;
use crate::window::{self, Turn};
use crate::{Function, follow_up};
use twilio::items;

/// Decisions made again after a lost race.
const TRIES_MAX: u32 = 5;
/// Longest pause before deciding again, in milliseconds.
const PAUSE_MS: u64 = 200;
/// Plan versions that one instance remembers.
const PLANS_MAX: usize = 1_000;

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Money moved.
    Booked,
    /// Only marks or standing were written.
    Noted,
    /// Nothing was new.
    Unchanged,
    /// The tenant has no subaccount in service, or none any more.
    NotInService,
}

/// Everything that a decision may look at besides the books.
pub(crate) struct Run<'a> {
    pub(crate) command: &'a Command,
    pub(crate) turn: Turn,
    pub(crate) tenant: Tenant,
    calendar: BillingCalendar,
    plans: HashMap<PlanRef, Arc<PricePlan>>,
    /// The days read, in order; a long gap has a hole.
    pub(crate) window: Vec<Date>,
    /// A gap is longer than one run reads.
    has_more: bool,
    pub(crate) found: Found,
    /// Sheets of today's weekday in past weeks and in how many of them the tenant was in service, if guards ask.
    past: Option<(Vec<DaySheet>, u32)>,
    pub(crate) rates: HashMap<Currency, Rates>,
    pub(crate) now: Timestamp,
}

/// Why a run did not finish. The message comes again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PullError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Twilio(#[from] twilio::Error),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("plan {} version {} does not exist", .0.id, .0.version)]
    PlanMissing(PlanRef),
    #[error("the tenant has no plan")]
    NoPlan,
    #[error("{0}")]
    Calendar(&'static str),
    #[error("lost the race {TRIES_MAX} times")]
    Contended,
}

impl PullError {
    pub(crate) fn error_type(&self) -> &'static str {
        match self {
            Self::Store(_) => "store",
            Self::Secret(_) => "secret",
            Self::Twilio(error) => error.kind(),
            Self::Ledger(_) => "ledger",
            Self::PlanMissing(_) | Self::NoPlan => "plan_missing",
            Self::Calendar(_) => "calendar",
            Self::Contended => "contended",
        }
    }
}

impl Run<'_> {
    /// The rules in force on each day of the window, and today.
    pub(crate) fn rules(&self) -> HashMap<Date, RuleSet<'_>> {
        let today = day_of(self.now);
        let days = self.window.iter().copied().chain([today]);
        days.filter_map(|day| {
            let plan = self.plans.get(self.tenant.plan_on(day)?)?;
            Some((day, RuleSet::new(plan, &self.tenant.overrides, day)))
        })
        .collect()
    }

    /// Billing periods whose sums the run may change.
    fn period_starts(&self) -> Vec<Date> {
        let rules = self.rules();
        let mut rules = rules.values().flat_map(RuleSet::rules);
        if !rules.any(|rule| rule.model.is_of_period()) {
            return Vec::new();
        }
        let days = self.window.iter();
        let mut starts: Vec<Date> = days
            .map(|day| self.calendar.period_of(*day).start)
            .collect();
        starts.dedup();
        starts
    }

    /// Does any rule need what only the pull state or single items tell?
    fn is_watched(&self) -> bool {
        let rules = self.rules();
        rules
            .values()
            .any(|rules| rules.has_number_fee() || items::is_needed(rules))
    }
}

fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

impl Function {
    /// Pulls and books one tenant's usage. Doing it again changes nothing.
    pub(crate) async fn pull(&self, command: &Command) -> Result<Outcome, PullError> {
        let tenant_id = &command.tenant_id;
        let now = self.host.now();
        let today = day_of(now);
        let hot = window::hot(today);
        let mut read = self.store.read_usage(tenant_id, &hot, false).await?;
        let Some((tenant, account_sid)) = in_service(&read) else {
            return Ok(Outcome::NotInService);
        };
        let turn = Turn::of(command);
        let mut state = match turn {
            Turn::Hot => None,
            Turn::Daily | Turn::Requested => Some(self.store.pull_state(tenant_id).await?),
        };
        let through = read.wallet.as_ref().and_then(|one| one.completed_through);
        let created_on = day_of(tenant.created_at);
        let (window, has_more) = window::of_run(turn, state.as_ref(), through, today, created_on);
        if window.iter().any(|day| !hot.contains(day)) {
            let wider = self.store.read_usage(tenant_id, &window, false).await?;
            read.sheets = wider.sheets;
        }
        let mut run = Run {
            command,
            turn,
            plans: self.plans_of(&tenant, &window, today).await?,
            calendar: tenant.billing.calendar().map_err(PullError::Calendar)?,
            tenant,
            window,
            has_more,
            found: Found::default(),
            past: None,
            rates: HashMap::new(),
            now,
        };
        run.past = self.past(&run, read.wallet.as_ref()).await?;
        if state.is_none() && run.is_watched() {
            state = Some(self.store.pull_state(tenant_id).await?);
        }
        let missed = match self
            .fetch(&account_sid, &mut run, &read, state.as_ref())
            .await
        {
            Ok(()) => None,
            Err(PullError::Twilio(error))
                if error.is_not_found() && run.tenant.lifecycle == Lifecycle::Closed =>
            {
                return Ok(Outcome::NotInService);
            }
            // What the clock alone decides, such as the end of grace, does not wait for Twilio.
            Err(error) => {
                state = None;
                Some(error)
            }
        };
        let booked = self.book(&run, read, state).await;
        match missed {
            Some(error) => Err(error),
            None => booked,
        }
    }

    /// Decides and writes, again and again while others write first.
    async fn book(
        &self,
        run: &Run<'_>,
        mut read: UsageRead,
        mut state: Option<PullState>,
    ) -> Result<Outcome, PullError> {
        let tenant_id = &run.command.tenant_id;
        let starts = run.period_starts();
        let mut is_marked = false;
        for attempt in 0..TRIES_MAX {
            if attempt > 0 {
                self.host.sleep(self.pause()).await;
                read = self.store.read_usage(tenant_id, &run.window, true).await?;
                if state.is_some() {
                    state = Some(self.store.pull_state(tenant_id).await?);
                }
            }
            let Some(wallet) = &read.wallet else {
                return Ok(Outcome::NotInService);
            };
            let periods = self.store.period_sheets(tenant_id, &starts).await?;
            let mut after = state.as_ref().map(|state| follow_up::looked(run, state));
            let mut decision = self.decide(run, &read, wallet, &periods, after.as_ref())?;
            if after.is_none() && !decision.late.is_empty() {
                let known = self.store.pull_state(tenant_id).await?;
                after = Some(known.clone());
                decision = self.decide(run, &read, wallet, &periods, after.as_ref())?;
                state = Some(known);
            }
            log_alarms(tenant_id, run, &decision);
            let written = match (&state, after) {
                (Some(before), Some(after)) => {
                    self.follow_up(run, &read, &decision, before, after).await
                }
                _ => Ok(None),
            };
            let Some(known) = won(written)? else { continue };
            // Before the books: a run that is cut off in between is followed by one too many, not by none.
            if !is_marked && comes_again(run, wallet, &decision) {
                let tick = aws::pull_tick(tenant_id, run.now);
                self.store.mark_pull(tenant_id, tick).await?;
                is_marked = true;
            }
            if won(self.write(tenant_id, &decision).await)?.is_none() {
                continue;
            }
            if won(self.finish(run, &decision, known).await)?.is_some() {
                return Ok(outcome(&decision));
            }
        }
        Err(PullError::Contended)
    }

    async fn plans_of(
        &self,
        tenant: &Tenant,
        window: &[Date],
        today: Date,
    ) -> Result<HashMap<PlanRef, Arc<PricePlan>>, PullError> {
        let mut plans = HashMap::new();
        for day in window.iter().chain([&today]) {
            let reference = tenant.plan_on(*day).ok_or(PullError::NoPlan)?;
            if !plans.contains_key(reference) {
                plans.insert(reference.clone(), self.plan(reference).await?);
            }
        }
        Ok(plans)
    }

    /// Today's weekday in past weeks, if the plan's guards compare with it and have not alarmed today.
    async fn past(
        &self,
        run: &Run<'_>,
        wallet: Option<&Wallet>,
    ) -> Result<Option<(Vec<DaySheet>, u32)>, PullError> {
        let today = day_of(run.now);
        let plan = run.tenant.plan_on(today).and_then(|one| run.plans.get(one));
        let is_asked = plan.is_some_and(|plan| plan.guards.velocity.is_some());
        if !is_asked || wallet.is_none_or(|wallet| wallet.watched.knows_velocity(today)) {
            return Ok(None);
        }
        let weeks = 1..=domain::guards::WEEKS;
        let days: Vec<Date> = weeks
            .map(|week| today.saturating_sub(jiff::Span::new().weeks(week)))
            .filter(|day| run.tenant.in_service_on(*day))
            .collect();
        let count = u32::try_from(days.len()).unwrap_or_default();
        if days.is_empty() {
            return Ok(Some((Vec::new(), count)));
        }
        let read = self.store.read_usage(&run.tenant.id, &days, false).await?;
        Ok(Some((read.sheets, count)))
    }

    /// A plan version never changes, so it is kept.
    async fn plan(&self, reference: &PlanRef) -> Result<Arc<PricePlan>, PullError> {
        if let Some(plan) = self
            .plans
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(reference)
        {
            return Ok(plan.clone());
        }
        let plan = self
            .store
            .plan(reference)
            .await?
            .ok_or_else(|| PullError::PlanMissing(reference.clone()))?;
        let plan = Arc::new(plan);
        let mut kept = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= PLANS_MAX {
            kept.clear();
        }
        kept.insert(reference.clone(), plan.clone());
        Ok(plan)
    }

    fn decide(
        &self,
        run: &Run<'_>,
        read: &UsageRead,
        wallet: &Wallet,
        periods: &[PeriodSheet],
        state: Option<&PullState>,
    ) -> Result<Decision, PullError> {
        let rules = run.rules();
        let observation = Observation {
            tenant: &run.tenant.id,
            wallet,
            sheets: &read.sheets,
            periods,
            days: &run.window,
            records: &run.found.records,
            items: &run.found.items,
            rules: &|day| rules.get(&day),
            calendar: &run.calendar,
            in_service: &|day| run.tenant.in_service_on(day),
            numbers: &|day| state.map_or(0, |state| state.holdings.count_on(day)),
            rate: &|day, currency| run.rates.get(&currency)?.on(day),
            approved: &|day, cost| state.is_some_and(|state| state.approves(day, cost)),
            past: run
                .past
                .as_ref()
                .map(|(sheets, weeks)| (sheets.as_slice(), *weeks)),
            sighted: run.found.sighted.as_ref().unwrap_or(&run.found.items),
            cause: &run.command.cause,
            now: run.now,
        };
        let decision = decide(&observation, &|| EventId::from_ulid(self.host.ulid()))?;
        Ok(decision)
    }

    async fn write(&self, tenant_id: &TenantId, decision: &Decision) -> Result<(), CommitError> {
        let mut head: Option<String> = None;
        for booking in &decision.bookings {
            // Each chunk is chained behind the one before it.
            let mut booking = booking.clone();
            if let Some(head) = head.take() {
                booking.wallet.head = head;
            }
            head = Some(self.store.book_usage(tenant_id, &booking).await?.head);
        }
        Ok(())
    }

    fn pause(&self) -> Duration {
        let spread = u64::try_from((self.host.random)() % u128::from(PAUSE_MS)).unwrap_or_default();
        Duration::from_millis(spread)
    }
}

/// A run follows within the hour after news, while days wait for their prices, while a gap is being closed
/// and while a tenant is in grace.
fn comes_again(run: &Run<'_>, wallet: &Wallet, decision: &Decision) -> bool {
    let standing = decision
        .bookings
        .last()
        .map_or(wallet.standing, |booking| booking.wallet.standing);
    let goes_on = !decision.bookings.is_empty() && run.has_more;
    has_entry(decision) || decision.waits || goes_on || standing.arrears().is_some()
}

fn has_entry(decision: &Decision) -> bool {
    let mut bookings = decision.bookings.iter();
    bookings.any(|booking| booking.entry.is_some())
}

fn outcome(decision: &Decision) -> Outcome {
    match (has_entry(decision), decision.bookings.is_empty()) {
        (true, _) => Outcome::Booked,
        (false, false) => Outcome::Noted,
        (false, true) => Outcome::Unchanged,
    }
}

fn in_service(read: &UsageRead) -> Option<(Tenant, AccountSid)> {
    let tenant = read.tenant.clone()?;
    let account_sid = tenant.account_sid.clone()?;
    read.wallet.as_ref()?;
    Some((tenant, account_sid))
}

/// What was written; `None` if somebody else was first.
fn won<T>(written: Result<T, CommitError>) -> Result<Option<T>, StoreError> {
    match written {
        Ok(written) => Ok(Some(written)),
        Err(CommitError::Conflict { .. }) => Ok(None),
        Err(CommitError::Store(error)) => Err(error),
    }
}

fn log_alarms(tenant_id: &TenantId, run: &Run<'_>, decision: &Decision) {
    for day in &decision.overlapping {
        tracing::error!(tenant.id = %tenant_id, usage.day = %day, error_type = "category_overlap", "leaves exceed Twilio's total");
    }
    for (day, family) in &decision.exceeding {
        tracing::warn!(tenant.id = %tenant_id, usage.day = %day, detail.family = ?family, error_type = "detail_exceeds_record", "single items cost more than Twilio's record of them");
    }
    for change in &decision.late {
        tracing::error!(tenant.id = %tenant_id, usage.day = %change.sheet.day, error_type = "late_revision", "a revision of a day so old is not booked without approval");
    }
    // An answer without any row, or none at all, says nothing about single days.
    let silent = decision
        .silent
        .iter()
        .filter(|_| !run.found.records.is_empty());
    for day in silent {
        tracing::warn!(tenant.id = %tenant_id, usage.day = %day, error_type = "no_rows", "a booked day has no row any more");
    }
    let held = decision
        .bookings
        .iter()
        .flat_map(|booking| &booking.changes)
        .filter_map(|change| Some((change.sheet.day, change.sheet.held.clone()?)));
    for (day, code) in held {
        tracing::error!(tenant.id = %tenant_id, usage.day = %day, error_type = "usage_held", code, "a day cannot be booked yet");
    }
}
