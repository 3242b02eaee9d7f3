//! One run: the days' totals, and behind those that do not agree the accounts.

use std::collections::{BTreeMap, BTreeSet};

use aws::{CommitError, Comparison, SecretError, StoreError, StoredVariance};
use domain::event::{EVENT_VERSION, Event, Fact};
use domain::ids::{AccountSid, EventId, TenantId};
use domain::money::{Currency, MoneyError, to_text};
use domain::period::day_of;
use domain::rating::DaySheet;
use domain::reconcile::{
    AccountDay, Cause, Costs, DayFigures, Owner, SideError, TwilioSide, Variance, VarianceState,
    add_all, booked, currency_of, fold, judge, settle, unattributed,
};
use domain::tenant::{Lifecycle, Tenant};
use domain::usage::UsageRecord;
use domain::{Date, Decimal, Timestamp};
use jiff::{SignedDuration, ToSpan as _};
use twilio::{Account, AccountFilter, Credentials, MainCredentials, UsageQuery, UsageSpan};

use crate::Function;

/// Days that are over and that every daily run compares.
const LATEST_DAYS: i32 = 3;
/// Days of one run.
const DAYS_MAX: usize = 31;
/// Days back in which open variances are looked at again.
const OPEN_DAYS: i32 = 120;
/// Accounts that are asked for one day that does not agree.
const LOOKS_MAX: usize = 200;
/// A variance that a pull should have mended is alarmed when it still stands after this long.
const STANDS_AFTER: SignedDuration = SignedDuration::from_hours(20);
/// Tenants that are listed at once.
const PAGE: usize = 100;

/// Why a run did not finish. The message comes again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompareError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Twilio(#[from] twilio::Error),
    #[error(transparent)]
    Side(#[from] SideError),
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl CompareError {
    pub(crate) fn error_type(&self) -> &'static str {
        match self {
            Self::Store(_) => "store",
            Self::Secret(_) => "secret",
            Self::Twilio(error) => error.kind(),
            Self::Side(_) | Self::Money(_) => "usage_unusable",
        }
    }
}

/// What a run knows besides the days.
struct Run {
    main: MainCredentials,
    tenants: Vec<Tenant>,
    /// All of Twilio's subaccounts, once somebody asked.
    accounts: Option<Vec<Account>>,
    now: Timestamp,
}

impl Function {
    /// Compares days. Doing it again changes nothing.
    pub(crate) async fn compare(&self, comparison: &Comparison) -> Result<(), CompareError> {
        let now = self.host.now();
        let days = self.days(comparison, now).await?;
        let main = self.main.get().await?;
        let mut run = Run {
            main: MainCredentials {
                account_sid: main.account_sid,
                auth_token: main.auth_token,
            },
            tenants: self.tenants().await?,
            accounts: None,
            now,
        };
        for day in days {
            self.compare_day(&mut run, day).await?;
        }
        Ok(())
    }

    /// The days of a range, or the latest and those that are open.
    async fn days(
        &self,
        asked: &Comparison,
        now: Timestamp,
    ) -> Result<BTreeSet<Date>, CompareError> {
        let today = day_of(now);
        let back = |days: i32| today.saturating_sub(days.days());
        let of_range = |from: Date, to: Date| {
            let days = from.series(1.day()).take_while(move |day| *day <= to);
            days.take(DAYS_MAX)
        };
        if let Some((from, to)) = asked.range {
            return Ok(of_range(from, to).collect());
        }
        let mut days: BTreeSet<Date> = of_range(back(LATEST_DAYS), back(1)).collect();
        let known = self.store.variances(back(OPEN_DAYS), today).await?;
        let open = known
            .iter()
            .filter(|one| one.variance.state == VarianceState::Open);
        for variance in open {
            if days.len() < DAYS_MAX {
                days.insert(variance.variance.day);
            }
        }
        Ok(days)
    }

    async fn tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.store.list_tenants(None, cursor.as_ref(), PAGE).await?;
            all.extend(page.tenants);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(all);
            }
        }
    }

    async fn compare_day(&self, run: &mut Run, day: Date) -> Result<(), CompareError> {
        let account = run.main.account_sid.clone();
        let credentials = Credentials::from(run.main.clone());
        let whole = self.records(&credentials, &account, day, true).await?;
        let own = self.records(&credentials, &account, day, false).await?;
        let currency = currency_of(&whole)?;
        let (whole, own) = (fold(&whole, currency)?, fold(&own, currency)?);
        let ids: Vec<TenantId> = run.tenants.iter().map(|tenant| tenant.id.clone()).collect();
        let sheets = self.store.day_sheets_of(&ids, day).await?;
        let sheets: BTreeMap<TenantId, DaySheet> = sheets.into_iter().collect();
        let figures = figures(run, day, currency, (&whole, &own), &sheets);
        let kept = self.store.keep_day(&figures, run.now).await;
        if let Err(CommitError::Store(error)) = kept {
            return Err(error.into());
        }
        let found = if figures.difference().is_empty() {
            Vec::new()
        } else {
            self.look_closer(run, &figures, &sheets, whole.overlaps)
                .await?
        };
        self.keep(run, day, found).await
    }

    /// Asks accounts one by one until the day's difference is explained.
    async fn look_closer(
        &self,
        run: &mut Run,
        figures: &DayFigures,
        sheets: &BTreeMap<TenantId, DaySheet>,
        overlaps: bool,
    ) -> Result<Vec<Variance>, CompareError> {
        if run.accounts.is_none() {
            let all = AccountFilter::default();
            run.accounts = Some(self.twilio.list_accounts(&run.main, &all).await?);
        }
        let mut left = figures.difference();
        let mut found: Vec<Variance> = Vec::new();
        let credentials = Credentials::from(run.main.clone());
        let candidates = self.candidates(run, figures.day, sheets).await?;
        for candidate in candidates.into_iter().take(LOOKS_MAX) {
            if left.is_empty() {
                break;
            }
            let sid = candidate.account_sid.clone();
            let records = match self.records(&credentials, &sid, figures.day, false).await {
                Ok(records) => records,
                // A subaccount that was closed long ago is not there any more.
                Err(CompareError::Twilio(error)) if error.is_not_found() => continue,
                Err(error) => return Err(error),
            };
            let side = match fold(&records, figures.currency) {
                Ok(side) => Some(side),
                Err(SideError::Currencies) => None,
                Err(error) => return Err(error.into()),
            };
            let account = AccountDay { side, ..candidate };
            if let Some(variance) = judge(figures.day, figures.currency, &account, run.now) {
                let side = account.side.unwrap_or_default();
                let sheet = account.owner.and_then(|owner| owner.sheet).map(booked);
                add_all(&mut left, &side.costs, Decimal::NEGATIVE_ONE);
                add_all(&mut left, &sheet.unwrap_or_default(), Decimal::ONE);
                found.push(variance);
            }
        }
        found.extend(unattributed(figures, &found, overlaps, run.now));
        Ok(found)
    }

    /// Accounts in the order of how likely they are the cause.
    async fn candidates<'a>(
        &self,
        run: &Run,
        day: Date,
        sheets: &'a BTreeMap<TenantId, DaySheet>,
    ) -> Result<Vec<AccountDay<'a>>, StoreError> {
        let ids: Vec<TenantId> = run.tenants.iter().map(|tenant| tenant.id.clone()).collect();
        let wallets = self.store.wallets(&ids).await?;
        let of_tenants: BTreeMap<&AccountSid, &Tenant> = run
            .tenants
            .iter()
            .filter_map(|tenant| Some((tenant.account_sid.as_ref()?, tenant)))
            .collect();
        let listed = run.accounts.iter().flatten().map(|account| &account.sid);
        let known: BTreeSet<&AccountSid> = listed.chain(of_tenants.keys().copied()).collect();
        let shared: BTreeSet<&AccountSid> = run
            .tenants
            .iter()
            .flat_map(|tenant| &tenant.shared_sids)
            .collect();
        // What members of a shared subaccount used there stands in their books, beside what they used in their
        // own: neither account can be held against one sheet. What nobody is charged for is unattributed.
        let is_mixed = |sid: &AccountSid| {
            shared.contains(sid)
                || of_tenants
                    .get(sid)
                    .is_some_and(|tenant| !tenant.shared_sids.is_empty())
        };
        let mut ranked: Vec<(u8, AccountDay<'a>)> = Vec::new();
        for sid in known
            .into_iter()
            .filter(|sid| **sid != run.main.account_sid && !is_mixed(sid))
        {
            let owner = of_tenants.get(sid).map(|tenant| {
                let wallet = wallets.get(&tenant.id);
                let through = wallet.and_then(|wallet| wallet.completed_through);
                let sheet = sheets.get(&tenant.id);
                let as_of = sheet.and_then(|sheet| sheet.as_of).map(day_of);
                Owner {
                    tenant_id: tenant.id.clone(),
                    sheet,
                    is_complete: through.max(as_of.and_then(|as_of| as_of.yesterday().ok()))
                        >= Some(day),
                }
            });
            let rank = match &owner {
                None => 0,
                Some(owner) if !owner.is_complete => 1,
                Some(owner) if owner.sheet.is_none_or(|sheet| sheet.held.is_some()) => 1,
                Some(_) => 2,
            };
            let candidate = AccountDay {
                account_sid: sid.clone(),
                owner,
                side: None,
            };
            ranked.push((rank, candidate));
        }
        ranked.sort_by_key(|(rank, _)| *rank);
        Ok(ranked.into_iter().map(|(_, candidate)| candidate).collect())
    }

    /// Writes what changed among the day's variances, and tells of it once.
    async fn keep(&self, run: &Run, day: Date, found: Vec<Variance>) -> Result<(), CompareError> {
        let known = self.store.variances(day, day).await?;
        let plain: Vec<Variance> = known.iter().map(|one| one.variance.clone()).collect();
        for variance in &found {
            alarm(variance, &plain, run.now);
        }
        for variance in settle(&plain, found, run.now) {
            let before = known.iter().find(|one| one.variance.id() == variance.id());
            let was_open = before.is_some_and(|one| one.variance.state == VarianceState::Open);
            let event = self.told(run, &variance, was_open);
            let stored = StoredVariance {
                rev: before.map_or(0, |one| one.rev),
                variance,
            };
            let events: Vec<Event> = event.into_iter().collect();
            match self.store.write_variance(&stored, &events).await {
                // Another run, or a person, was first; the next run looks again.
                Ok(()) | Err(CommitError::Conflict { .. }) => {}
                Err(CommitError::Store(error)) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The event of what became true.
    fn told(&self, run: &Run, variance: &Variance, was_open: bool) -> Option<Event> {
        let difference = variance.difference();
        let account_sid = variance.account_sid.clone();
        let fact = match variance.state {
            VarianceState::Open => {
                if was_open {
                    return None;
                }
                Fact::VarianceOpened {
                    day: variance.day,
                    account_sid,
                    cause: variance.cause.name(),
                    difference,
                }
            }
            VarianceState::Resolved => Fact::VarianceResolved {
                day: variance.day,
                account_sid,
            },
            VarianceState::Accepted => return None,
        };
        Some(Event {
            id: EventId::from_ulid(self.host.ulid()),
            version: EVENT_VERSION,
            occurred_at: run.now,
            tenant_id: variance.tenant_id.clone().unwrap_or_else(TenantId::nobody),
            seq: u64::try_from(run.now.as_millisecond()).unwrap_or_default(),
            cause: "reconciler".to_owned(),
            fact,
        })
    }

    async fn records(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        day: Date,
        include_subaccounts: bool,
    ) -> Result<Vec<UsageRecord>, CompareError> {
        let query = UsageQuery {
            include_subaccounts,
            ..UsageQuery::of(UsageSpan::Total).between(day, day)
        };
        let rows = self.twilio.list_usage(credentials, account, &query).await?;
        let records = rows.into_iter().map(|row| UsageRecord {
            category: row.category,
            day: row.start_date,
            count: row.count,
            usage: row.usage,
            price: row.price,
            price_unit: row.price_unit,
            as_of: row.as_of,
        });
        Ok(records.collect())
    }
}

/// Says so in the log: as an error where a person must look, which is at once for what no pull will mend, and after
/// a day for the rest: usage of yesterday goes on coming in.
fn alarm(variance: &Variance, known: &[Variance], now: Timestamp) {
    let before = known.iter().find(|old| old.id() == variance.id());
    let before = before.filter(|old| old.state != VarianceState::Resolved);
    if before
        .is_some_and(|old| old.state == VarianceState::Accepted && old.twilio == variance.twilio)
    {
        return;
    }
    let since = before.map_or(now, |old| old.first_seen_at);
    let mends_itself = matches!(
        variance.cause,
        Cause::LateRevision | Cause::MissedPull | Cause::Unpriced
    );
    let difference = to_text(variance.difference());
    let cause = variance.cause.name();
    if mends_itself && now.duration_since(since) < STANDS_AFTER {
        tracing::info!(usage.day = %variance.day, account.sid = ?variance.account_sid, variance.cause = cause, variance.difference = %difference, "Twilio and the books do not agree yet");
    } else {
        tracing::error!(usage.day = %variance.day, account.sid = ?variance.account_sid, tenant.id = ?variance.tenant_id, variance.cause = cause, variance.difference = %difference, error_type = "variance", "Twilio and the books do not agree");
    }
}

/// What is booked in the operator's currency, closed tenants apart.
fn figures(
    run: &Run,
    day: Date,
    currency: Currency,
    (whole, own): (&TwilioSide, &TwilioSide),
    sheets: &BTreeMap<TenantId, DaySheet>,
) -> DayFigures {
    let (mut tenants, mut closed) = (Costs::new(), Costs::new());
    for tenant in run
        .tenants
        .iter()
        .filter(|tenant| tenant.currency == currency)
    {
        let Some(sheet) = sheets.get(&tenant.id) else {
            continue;
        };
        let side = match tenant.lifecycle {
            Lifecycle::Closed => &mut closed,
            _ => &mut tenants,
        };
        add_all(side, &booked(sheet), Decimal::ONE);
    }
    DayFigures {
        day,
        currency,
        whole: whole.costs.clone(),
        own: own.costs.clone(),
        tenants,
        closed,
    }
}
