//! One tenant's statements: what is paid is marked, what is over is closed, what is closed becomes final.

use aws::{
    Command, CommitError, IssueWrite, Sequence, StatementSource, StoreError, StoredStatement,
};
use domain::event::{EVENT_VERSION, Event, Fact};
use domain::ids::EventId;
use domain::ledger::LedgerError;
use domain::period::{BillingCalendar, Period, day_of};
use domain::plan::{PlanRef, PricePlan};
use domain::statement::{
    Bounds, Content, Document, Header, Input, Party, SETTLE, State, Tax, Totals, build, finalize,
    next_period,
};
use domain::tenant::Tenant;
use domain::wallet::Wallet;
use domain::{Date, Timestamp};

use crate::Function;

/// Tries after a lost race.
const TRIES_MAX: u32 = 8;
/// Longest pause before trying again, in milliseconds.
const PAUSE_MS: u64 = 200;
/// Periods of one run: after a long gap the rest follows with the next runs.
const PERIODS_MAX: usize = 12;
/// Statements that are looked at for payment: what is older is a matter for dunning.
const LOOK_BACK: usize = 24;

/// Why a tenant's statements were not finished. The message comes again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvoiceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("plan {} version {} does not exist", .0.id, .0.version)]
    PlanMissing(PlanRef),
    #[error("the tenant has no plan or no wallet")]
    Incomplete,
    #[error("{0}")]
    Calendar(&'static str),
    #[error("lost the race {TRIES_MAX} times")]
    Contended,
}

impl InvoiceError {
    pub(crate) fn error_type(&self) -> &'static str {
        match self {
            Self::Store(_) => "store",
            Self::Ledger(_) => "ledger",
            Self::PlanMissing(_) => "plan_missing",
            Self::Incomplete => "incomplete",
            Self::Calendar(_) => "calendar",
            Self::Contended => "contended",
        }
    }
}

/// What a run is about.
struct Run<'a> {
    command: &'a Command,
    tenant: Tenant,
    calendar: BillingCalendar,
    plan: PricePlan,
    now: Timestamp,
}

impl Run<'_> {
    fn event(&self, id: EventId, seq: u64, fact: Fact) -> Event {
        Event {
            id,
            version: EVENT_VERSION,
            occurred_at: self.now,
            tenant_id: self.tenant.id.clone(),
            seq,
            cause: self.command.cause.clone(),
            fact,
        }
    }

    /// The last day of a tenant whose service ended in this period.
    fn ended_in(&self, period: &Period) -> Option<Date> {
        let ended_at = self.tenant.ended_at()?;
        period.holds(ended_at).then(|| day_of(ended_at))
    }

    /// Is it time to close a period?
    fn is_due(&self, period: &Period) -> bool {
        let settled = period
            .until
            .saturating_add(SETTLE)
            .unwrap_or(Timestamp::MAX);
        if self.ended_in(period).is_some() {
            // Nobody waits for the calendar; its usage is waited for all the same.
            return true;
        }
        let from = if self.command.cause == aws::REQUESTED {
            period.until
        } else {
            settled
        };
        from <= self.now
    }
}

impl Function {
    /// States what is to be stated. Doing it again changes nothing.
    pub(crate) async fn invoice(&self, command: &Command) -> Result<(), InvoiceError> {
        let tenant = self.store.tenant(&command.tenant_id).await?;
        let Some((tenant, since)) = tenant.and_then(|tenant| {
            let since = tenant.activated_at?;
            Some((tenant, since))
        }) else {
            return Ok(());
        };
        let now = self.host.now();
        let reference = tenant
            .plan_on(day_of(now))
            .ok_or(InvoiceError::Incomplete)?;
        let plan = self.store.plan(reference).await?;
        let plan = plan.ok_or_else(|| InvoiceError::PlanMissing(reference.clone()))?;
        let run = Run {
            command,
            calendar: tenant.billing.calendar().map_err(InvoiceError::Calendar)?,
            tenant,
            plan,
            now,
        };
        let mut known = self
            .store
            .statements(&run.tenant.id, None, LOOK_BACK)
            .await?;
        self.mark_paid(&run, &known).await?;
        for _ in 0..PERIODS_MAX {
            // Of several issues of a period the last stands first.
            let latest = known.first().map(|statement| &statement.header);
            let Some(period) = next_period(&run.calendar, since, latest) else {
                return Err(InvoiceError::Calendar("a statement's period is none"));
            };
            let is_over = run
                .tenant
                .ended_at()
                .is_some_and(|ended_at| period.from > ended_at);
            if is_over || !run.is_due(&period) {
                return Ok(());
            }
            let closing = known
                .first()
                .filter(|statement| statement.header.state == State::Closing)
                .cloned();
            let closing = match closing {
                Some(closing) => closing,
                None if !self.is_complete(&run, &period).await? => return Ok(()),
                None => self.close(&run, &period, &known).await?,
            };
            // Another run may have closed it and made it final since the list was read.
            if closing.header.state == State::Closing {
                self.finish(&run, &period, closing, &known).await?;
            }
            known = self
                .store
                .statements(&run.tenant.id, None, LOOK_BACK)
                .await?;
        }
        Ok(())
    }

    /// Marks final statements whose due amount has come in since.
    async fn mark_paid(
        &self,
        run: &Run<'_>,
        known: &[StoredStatement],
    ) -> Result<(), InvoiceError> {
        let is_final = |one: &&StoredStatement| one.header.state == State::Final;
        if !known.iter().any(|one| is_final(&one)) {
            return Ok(());
        }
        let wallet = self.wallet(run).await?;
        for statement in known.iter().filter(is_final) {
            if !statement.header.is_paid_by(wallet.paid_in()) {
                continue;
            }
            let mut next = statement.clone();
            next.header.state = State::Paid;
            let Some(document) = &mut next.header.document else {
                continue;
            };
            document.paid_at = Some(run.now);
            let fact = Fact::StatementPaid {
                period: next.header.period,
                number: document.number.clone(),
            };
            let event = run.event(self.event_id(), statement.rev + 1, fact);
            match self
                .store
                .pay_statement(&run.tenant.id, &next, &[event])
                .await
            {
                // Another run was first.
                Ok(()) | Err(CommitError::Conflict { .. }) => {}
                Err(CommitError::Store(error)) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Is all usage of a period booked that is to come? A person's request does not ask, except about a tenant
    /// whose service ended: there is no later statement that could make up for it.
    async fn is_complete(&self, run: &Run<'_>, period: &Period) -> Result<bool, InvoiceError> {
        let ended_on = run.ended_in(period);
        if ended_on.is_none() && run.command.cause == aws::REQUESTED {
            return Ok(true);
        }
        let last_day = ended_on.unwrap_or(period.last_day);
        let through = self.wallet(run).await?.completed_through;
        let sheets = self
            .store
            .day_sheets(&run.tenant.id, period.first_day, last_day)
            .await?;
        let held = sheets.iter().find(|sheet| sheet.held.is_some());
        let is_read = through.is_some_and(|through| last_day <= through);
        if is_read && held.is_none() {
            return Ok(true);
        }
        tracing::error!(tenant.id = %run.tenant.id, statement.period = %period.start, usage.through = ?through, usage.held = ?held.map(|sheet| sheet.day), error_type = "statement_waits", "a period is over and its usage is not complete");
        Ok(false)
    }

    /// Freezes the bounds: what is booked from now on is on a later statement.
    async fn close(
        &self,
        run: &Run<'_>,
        period: &Period,
        known: &[StoredStatement],
    ) -> Result<StoredStatement, InvoiceError> {
        let wallet = self.wallet(run).await?;
        let before = bounds_before(period, known);
        let of_period = |one: &&StoredStatement| one.header.period == period.start;
        let voided = known.iter().find(of_period);
        let header = Header {
            period: period.start,
            issue: voided.map_or(0, |one| one.header.issue) + 1,
            start: period.from,
            end: period.until,
            from_entry: before.from_entry,
            // A statement that takes another's place says the same, but for names and tax.
            through: voided.map_or(wallet.seq, |one| one.header.through),
            opening: before.closing,
            state: State::Closing,
            closed_at: run.now,
            paid_in: voided.map_or(wallet.paid_in(), |one| one.header.paid_in),
            document: None,
        };
        let statement = StoredStatement {
            rev: 0,
            header,
            parts: 0,
            hash: String::new(),
        };
        let tenant_id = &run.tenant.id;
        match self.store.close_statement(tenant_id, &statement).await {
            Ok(closed) => Ok(closed),
            Err(CommitError::Store(error)) => Err(error.into()),
            Err(CommitError::Conflict { .. }) => {
                let (period, issue) = (statement.header.period, statement.header.issue);
                let closed = self.store.statement(tenant_id, period, issue).await?;
                closed.ok_or(InvoiceError::Contended)
            }
        }
    }

    /// Makes a closing statement final.
    async fn finish(
        &self,
        run: &Run<'_>,
        period: &Period,
        mut closing: StoredStatement,
        known: &[StoredStatement],
    ) -> Result<(), InvoiceError> {
        let tenant_id = &run.tenant.id;
        let (first, through) = (closing.header.from_entry, closing.header.through);
        let source = self
            .store
            .statement_source(tenant_id, first, through)
            .await?;
        let before = bounds_before(period, known);
        let (content, totals, next_entry) = stated(run, period, before, through, &source, known);
        let written = self
            .store
            .write_content(tenant_id, &closing, &content)
            .await;
        closing = written.map_err(|error| match error {
            CommitError::Store(error) => InvoiceError::Store(error),
            CommitError::Conflict { .. } => InvoiceError::Contended,
        })?;
        let (operator, _) = self.store.operator_profile().await?;
        for attempt in 0..TRIES_MAX {
            if attempt > 0 {
                let spread = (self.host.random)() % u128::from(PAUSE_MS);
                let pause = u64::try_from(spread).unwrap_or_default();
                self.host
                    .sleep(std::time::Duration::from_millis(pause))
                    .await;
            }
            let number = self.store.last_number(Sequence::Statement).await? + 1;
            let document = document(run, &operator, number, totals, next_entry);
            let wallet = self.wallet(run).await?;
            let policy = &run.plan.standing;
            let issue = finalize(&closing.header, document, &wallet, policy)?;
            let mut events = Vec::new();
            if let Some(fact) = issue.fact() {
                events.push(run.event(self.event_id(), closing.rev + 1, fact));
            }
            if let Some(change) = &issue.change {
                let facts = change.facts().into_iter();
                events.extend(facts.map(|(seq, fact)| run.event(self.event_id(), seq, fact)));
            }
            let write = IssueWrite {
                statement: &closing,
                issue: &issue,
                sequence: Sequence::Statement,
                number,
                events: &events,
                timer_at: issue
                    .change
                    .as_ref()
                    .and_then(|change| change.timer_at(run.now)),
                audit: None,
            };
            match self.store.issue_statement(tenant_id, &write).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Store(error)) => return Err(error.into()),
                Err(CommitError::Conflict { items }) if items.contains(&"SH") => {
                    // Another run made it final.
                    return Ok(());
                }
                Err(CommitError::Conflict { .. }) => {}
            }
        }
        Err(InvoiceError::Contended)
    }

    async fn wallet(&self, run: &Run<'_>) -> Result<Wallet, InvoiceError> {
        let wallet = self.store.wallet(&run.tenant.id).await?;
        wallet.ok_or(InvoiceError::Incomplete)
    }

    fn event_id(&self) -> EventId {
        EventId::from_ulid(self.host.ulid())
    }
}

/// Where the statement before a period ended.
fn bounds_before(period: &Period, known: &[StoredStatement]) -> Bounds {
    let mut earlier = known
        .iter()
        .filter(|one| one.header.period < period.start && one.header.state != State::Void);
    let bounds = earlier.next().and_then(|one| one.header.bounds());
    bounds.unwrap_or_else(Bounds::none)
}

fn stated(
    run: &Run<'_>,
    period: &Period,
    before: Bounds,
    through: u64,
    source: &StatementSource,
    known: &[StoredStatement],
) -> (Content, Totals, u64) {
    let number = |period: Date| {
        let mut standing = known.iter().filter(|one| one.header.state != State::Void);
        let found = standing.find(|one| one.header.period == period)?;
        found.header.number().map(str::to_owned)
    };
    build(&Input {
        currency: run.tenant.currency,
        period,
        calendar: &run.calendar,
        before,
        through,
        entries: &source.entries,
        model: &|key| source.model(&run.tenant, key),
        number: &number,
        tax: Tax {
            rate: run.tenant.billing.tax_rate,
            is_exempt: run.tenant.billing.tax_exempt,
        },
    })
}

fn document(
    run: &Run<'_>,
    operator: &domain::statement::OperatorProfile,
    number: u64,
    totals: Totals,
    next_entry: u64,
) -> Document {
    let billing = &run.tenant.billing;
    let zone = run.calendar.time_zone().clone();
    let issued_on = run.now.to_zoned(zone).date();
    let days = jiff::Span::new().days(i64::from(run.plan.due_days));
    Document {
        number: format!("{}{number:06}", operator.number_prefix),
        issued_at: run.now,
        due_on: issued_on.saturating_add(days),
        operator: operator.clone(),
        client: Party {
            name: run.tenant.name.clone(),
            address: billing.bill_to.clone(),
            tax_id: billing.tax_id.clone(),
            email: None,
        },
        currency: run.tenant.currency.code().to_owned(),
        time_zone: billing.time_zone.clone(),
        tax_rate: billing.tax_rate,
        tax_exempt: billing.tax_exempt,
        totals,
        next_entry,
        entry: None,
        paid_at: None,
        credit_note: None,
    }
}
