//! Table `control`: `RECON` / `D#<day>#<currency>` is what a day's comparison found, `V#<day>.<account>` a
//! variance. They are few: days, and what does not agree.

use std::collections::BTreeMap;

use domain::event::Event;
use domain::money::to_text;
use domain::reconcile::{Costs, DayFigures, Variance};
use domain::{Date, Timestamp};
use serde::{Deserialize, Serialize};

use crate::operation::billing::revision;
use crate::store::{Range, Sort, key, to_item};
use crate::table::due::reconcile_item;
use crate::transaction::{Expect, Transaction};
use crate::{CommitError, Store, StoreError};

const PARTITION: &str = "RECON";

/// A compared day, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparedDay {
    /// GMT day.
    pub day: Date,
    /// Currency code.
    pub currency: String,
    /// When it was last compared with another result.
    pub at: Timestamp,
    /// By category: all accounts, the main account's own, tenants, closed tenants.
    pub by_category: BTreeMap<String, [String; 4]>,
}

impl ComparedDay {
    fn new(figures: &DayFigures, at: Timestamp) -> Self {
        let parts = [
            &figures.whole,
            &figures.own,
            &figures.tenants,
            &figures.closed,
        ];
        let mut by_category: BTreeMap<String, [String; 4]> = BTreeMap::new();
        for category in parts.iter().flat_map(|costs| costs.keys()) {
            let of = |costs: &Costs| to_text(costs.get(category).copied().unwrap_or_default());
            by_category.insert(category.as_str().to_owned(), parts.map(of));
        }
        Self {
            day: figures.day,
            currency: figures.currency.code().to_owned(),
            at,
            by_category,
        }
    }
}

/// A variance with the revision that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVariance {
    /// 0 = not written yet.
    pub rev: u64,
    /// The variance.
    pub variance: Variance,
}

#[derive(Serialize, Deserialize)]
struct VarianceItem {
    pk: String,
    sk: String,
    v: u32,
    rev: u64,
    x: Variance,
}

#[derive(Serialize, Deserialize)]
struct DayItem {
    pk: String,
    sk: String,
    v: u32,
    x: ComparedDay,
}

fn day_key(day: Date, currency: &str) -> String {
    format!("D#{day}#{currency}")
}

impl Store {
    /// Variances of days from one to another, in order.
    pub async fn variances(&self, from: Date, to: Date) -> Result<Vec<StoredVariance>, StoreError> {
        let range = Range {
            consistent: true,
            ..Range::all(
                PARTITION.to_owned(),
                Sort::Between(format!("V#{from}"), format!("V#{to}~")),
            )
        };
        let table = &self.names().control;
        let items: Vec<VarianceItem> = self.query("read variances", table, range).await?;
        let stored = items.into_iter().map(|item| StoredVariance {
            rev: item.rev,
            variance: item.x,
        });
        Ok(stored.collect())
    }

    /// One variance by its id.
    pub async fn variance(&self, id: &str) -> Result<Option<StoredVariance>, StoreError> {
        let at = key(PARTITION, &format!("V#{id}"));
        let table = &self.names().control;
        let item: Option<VarianceItem> = self.get("read variance", table, at).await?;
        Ok(item.map(|item| StoredVariance {
            rev: item.rev,
            variance: item.x,
        }))
    }

    /// Writes what became of a variance, with its events. A conflict means that somebody else was first.
    pub async fn write_variance(
        &self,
        stored: &StoredVariance,
        events: &[Event],
    ) -> Result<(), CommitError> {
        const OPERATION: &str = "write variance";
        let item = VarianceItem {
            pk: PARTITION.to_owned(),
            sk: format!("V#{}", stored.variance.id()),
            v: 1,
            rev: stored.rev + 1,
            x: stored.variance.clone(),
        };
        let item = to_item(OPERATION, &item)?;
        let table = &self.names().control;
        let transaction = Transaction::new(self).put("V", table, item, &revision(stored.rev));
        self.put_events(transaction, events)?
            .commit(OPERATION)
            .await
    }

    /// Keeps a compared day, if it is not what is kept already. True: it was new.
    pub async fn keep_day(
        &self,
        figures: &DayFigures,
        now: Timestamp,
    ) -> Result<bool, CommitError> {
        let new = ComparedDay::new(figures, now);
        let sort_key = day_key(new.day, &new.currency);
        let table = &self.names().control;
        let at = key(PARTITION, &sort_key);
        let known: Option<DayItem> = self.get("read compared day", table, at).await?;
        if known.is_some_and(|known| known.x.by_category == new.by_category) {
            return Ok(false);
        }
        let item = DayItem {
            pk: PARTITION.to_owned(),
            sk: sort_key,
            v: 1,
            x: new,
        };
        self.put(
            "write compared day",
            table,
            &item,
            &Expect::Anything,
            "RECON",
        )
        .await?;
        Ok(true)
    }

    /// Compared days from one to another, in order.
    pub async fn compared_days(
        &self,
        from: Date,
        to: Date,
    ) -> Result<Vec<ComparedDay>, StoreError> {
        let range = Range {
            consistent: true,
            ..Range::all(
                PARTITION.to_owned(),
                Sort::Between(format!("D#{from}"), format!("D#{to}~")),
            )
        };
        let table = &self.names().control;
        let items: Vec<DayItem> = self.query("read compared days", table, range).await?;
        Ok(items.into_iter().map(|item| item.x).collect())
    }

    /// Has days compared on the next tick.
    pub async fn request_reconciliation(
        &self,
        from: Date,
        to: Date,
        at: Timestamp,
    ) -> Result<(), CommitError> {
        let item = reconcile_item(from, to, at)?;
        let table = &self.names().due;
        let transaction = Transaction::new(self).put("due", table, item, &Expect::Anything);
        transaction.commit("ask for a reconciliation").await
    }
}
