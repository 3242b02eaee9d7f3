//! What a run asks Twilio for: daily records of its days, single items and numbers held where rules ask for them.

use aws::{StoreError, UsageRead};
use domain::Date;
use domain::booking::follows;
use domain::detail::Item;
use domain::holdings::HeldNumber;
use domain::ids::AccountSid;
use domain::migration::{add_shares, has_part_since, own_items};
use domain::money::Currency;
use domain::numbers::NumberRecord;
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
        // Numbers that it holds or held in subaccounts that it shares with others.
        let shared = if run.tenant.shared_sids.is_empty() {
            Vec::new()
        } else {
            self.store.numbers_of(&run.tenant.id).await?
        };
        let books = (read, state);
        let fetched = self
            .fetch_with(&credentials, account_sid, run, books, &shared)
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
        (read, state): (&UsageRead, Option<&PullState>),
        shared: &[NumberRecord],
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
        let own_part = self.part_of_shared(credentials, run, shared).await?;
        add_shares(&mut found.records, &own_part);
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
        let is_listed = |item: &Item| wanted.holds(item.day(), &item.category());
        found.items.extend(own_part.into_iter().filter(is_listed));
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

    /// The tenant's part of subaccounts that it shares: calls and messages of numbers that it held there then.
    async fn part_of_shared(
        &self,
        credentials: &Credentials,
        run: &Run<'_>,
        numbers: &[NumberRecord],
    ) -> Result<Vec<Item>, twilio::Error> {
        let mut own = Vec::new();
        for sid in &run.tenant.shared_sids {
            if !has_part_since(numbers, sid, run.window[0]) {
                continue;
            }
            let wanted = Wanted {
                calls: run.window.clone(),
                messages: run.window.clone(),
            };
            let listed = items::list(&self.twilio, credentials, sid, &wanted).await?;
            own.extend(own_items(listed, numbers, sid, &run.tenant.id));
        }
        Ok(own)
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
