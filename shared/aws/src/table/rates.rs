//! Table `control`: `RATES` / `<from>#<to>` holds all recorded exchange rates of a pair of currencies.

use domain::exchange::{Rates, RecordedRate};
use domain::money::{Currency, parse_decimal, to_text};
use domain::{Date, Timestamp};
use serde::{Deserialize, Serialize};

use crate::operation::billing::revision;
use crate::store::key;
use crate::{CommitError, Store, StoreError};

const PARTITION: &str = "RATES";

#[derive(Serialize, Deserialize)]
struct RatesItem {
    pk: String,
    sk: String,
    v: u32,
    rev: u64,
    r: Vec<RateItem>,
}

#[derive(Serialize, Deserialize)]
struct RateItem {
    from: Date,
    until: Date,
    rate: String,
    actor: String,
    reason: String,
    at: Timestamp,
}

fn sort_key(from: Currency, to: Currency) -> String {
    format!("{}#{}", from.code(), to.code())
}

impl Store {
    /// The recorded rates from Twilio's currency into a tenant's.
    pub async fn rates(&self, from: Currency, to: Currency) -> Result<Rates, StoreError> {
        const OPERATION: &str = "read exchange rates";
        let at = key(PARTITION, &sort_key(from, to));
        let item: Option<RatesItem> = self.get(OPERATION, &self.names().control, at).await?;
        let Some(item) = item else {
            return Ok(Rates::default());
        };
        let recorded = item.r.into_iter().map(|item| {
            Some(RecordedRate {
                from: item.from,
                until: item.until,
                rate: parse_decimal(&item.rate).ok()?,
                actor: item.actor,
                reason: item.reason,
                at: item.at,
            })
        });
        let recorded: Option<Vec<RecordedRate>> = recorded.collect();
        Ok(Rates {
            rev: item.rev,
            recorded: recorded.ok_or_else(|| StoreError::malformed(OPERATION, "rate"))?,
        })
    }

    /// Writes the rates of a pair, if nobody else did since they were read.
    pub async fn put_rates(
        &self,
        from: Currency,
        to: Currency,
        rates: &Rates,
    ) -> Result<(), CommitError> {
        let recorded = rates.recorded.iter().map(|rate| RateItem {
            from: rate.from,
            until: rate.until,
            rate: to_text(rate.rate),
            actor: rate.actor.clone(),
            reason: rate.reason.clone(),
            at: rate.at,
        });
        let item = RatesItem {
            pk: PARTITION.to_owned(),
            sk: sort_key(from, to),
            v: 1,
            rev: rates.rev + 1,
            r: recorded.collect(),
        };
        let table = &self.names().control;
        self.put(
            "write exchange rates",
            table,
            &item,
            &revision(rates.rev),
            "RATES",
        )
        .await
    }
}
