//! What a run asks Twilio for: daily records of its days, single items and numbers held where rules ask for them.

use aws::{StoreError, UsageRead};
use domain::Date;
use domain::booking::follows;
use domain::detail::Item;
use domain::holdings::HeldNumber;
use domain::ids::AccountSid;
use domain::money::Currency;
use domain::period::day_of;
use domain::plan::RuleSet;
use domain::pull_state::PullState;
use domain::usage::UsageRecord;
use twilio::items::{self, Wanted};
use twilio::numbers::IncomingNumberFilter;
use twilio::{Credentials, MainCredentials, UsageQuery, UsageSpan};

use crate::pull::{PullError, Run};
use crate::{Function, window};

/// What Twilio said.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) records: Vec<UsageRecord>,
    pub(crate) items: Vec<Item>,
    /// What the items were listed for.
    pub(crate) listed: Wanted,
    /// Calls of today, where only the guards ask for them.
    pub(crate) sighted: Option<Vec<Item>>,
    /// Numbers held now, where a rule has a fee for them.
    pub(crate) numbers: Option<Vec<HeldNumber>>,
}

impl Function {
    /// Twilio's records of the window, and what rules ask for besides.
    pub(crate) async fn fetch(
        &self,
        account_sid: &AccountSid,
        run: &mut Run<'_>,
        read: &UsageRead,
        state: Option<&PullState>,
    ) -> Result<(), PullError> {
        if run.window.is_empty() {
            return Ok(());
        }
        let main = self.main.get().await?;
        let credentials = Credentials::from(MainCredentials {
            account_sid: main.account_sid,
            auth_token: main.auth_token,
        });
        let fetched = self
            .fetch_with(&credentials, account_sid, run, read, state)
            .await;
        if matches!(fetched, Err(twilio::Error::Alarm { .. })) {
            // The main token may have been rotated: the redelivered message reads it again.
            self.main.forget();
        }
        (run.found, run.window) = fetched?;
        self.load_rates(run).await?;
        Ok(())
    }

    /// Answers what was found, and the days that it is about.
    async fn fetch_with(
        &self,
        credentials: &Credentials,
        account_sid: &AccountSid,
        run: &Run<'_>,
        read: &UsageRead,
        state: Option<&PullState>,
    ) -> Result<(Found, Vec<Date>), twilio::Error> {
        let mut found = Found::default();
        for span in run.window.chunk_by(|day, next| follows(*day, *next)) {
            let query = UsageQuery::of(UsageSpan::Daily).between(span[0], span[span.len() - 1]);
            let rows = self
                .twilio
                .list_usage(credentials, account_sid, &query)
                .await?;
            found.records.extend(rows.into_iter().map(to_record));
        }
        let rules = run.rules();
        let needs_items = |day: Date| rules.get(&day).is_some_and(items::is_needed);
        let unchanged = window::unchanged(&run.window, &read.sheets, &found.records);
        let is_passed_over = |day: Date| {
            needs_items(day)
                && unchanged.contains(&day)
                && window::is_deep(day, day_of(run.now), state)
        };
        let days: Vec<Date> = run
            .window
            .iter()
            .copied()
            .filter(|day| !is_passed_over(*day))
            .collect();
        found.records.retain(|record| days.contains(&record.day));
        let wanted = items::wanted(&days, |day| rules.get(day));
        found.items = items::list(&self.twilio, credentials, account_sid, &wanted).await?;
        let today = day_of(run.now);
        let guards = rules.get(&today).map(|rules| &rules.plan().guards);
        let is_watched = guards.is_some_and(|guards| !guards.high_risk_prefixes.is_empty());
        if is_watched && !wanted.calls.contains(&today) {
            let calls = Wanted {
                calls: vec![today],
                messages: Vec::new(),
            };
            let listed = items::list(&self.twilio, credentials, account_sid, &calls).await?;
            // Messages that rules asked for are looked at too.
            let known = found.items.iter().cloned();
            found.sighted = Some(known.chain(listed).collect());
        }
        found.listed = wanted;
        if rules.values().any(RuleSet::has_number_fee) {
            let all = IncomingNumberFilter::default();
            let numbers = self
                .twilio
                .list_incoming_numbers(credentials, account_sid, &all)
                .await?;
            let held = numbers.into_iter().map(|number| HeldNumber {
                since: number.date_created.map(day_of),
                number: number.phone_number,
            });
            found.numbers = Some(held.collect());
        }
        Ok((found, days))
    }

    /// Recorded rates for currencies other than the tenant's.
    async fn load_rates(&self, run: &mut Run<'_>) -> Result<(), StoreError> {
        let units = run.found.records.iter().map(|record| &record.price_unit);
        let units = units.chain(run.found.items.iter().map(|item| &item.price_unit));
        let others: Vec<Currency> = units
            .flatten()
            .filter_map(|unit| Currency::parse(unit).ok())
            .filter(|unit| *unit != run.tenant.currency)
            .collect();
        for unit in others {
            if !run.rates.contains_key(&unit) {
                let rates = self.store.rates(unit, run.tenant.currency).await?;
                run.rates.insert(unit, rates);
            }
        }
        Ok(())
    }
}

fn to_record(row: twilio::UsageRecord) -> UsageRecord {
    UsageRecord {
        category: row.category,
        day: row.start_date,
        count: row.count,
        usage: row.usage,
        price: row.price,
        price_unit: row.price_unit,
        as_of: row.as_of,
    }
}
