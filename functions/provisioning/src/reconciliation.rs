//! `GET /v1/reconciliation`: what Twilio says that all accounts together used, held against what the ledger
//! holds for tenants. Twilio's side is read fresh, never from our tables.
//!
//! difference = Twilio's total - the main account's own - the ledger's cost. Zero when every cent is booked.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws::{Store, StoreError};
use axum::extract::State;
use domain::ids::TenantId;
use domain::money::{self, Currency};
use domain::rating::DaySheet;
use domain::reconcile::{Costs, TwilioSide, currency_of, fold};
use domain::usage::Category;
use domain::{Date, Decimal};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use twilio::{UsageQuery, UsageRecord, UsageSpan};

use crate::app::App;
use crate::days::Days;
use crate::extract::Params;
use crate::main_account::MainError;
use crate::problem::{Answer, Code, Failure};
use crate::view;

/// Tenants that are listed at once.
const LIST_PAGE: usize = 100;
/// Days whose sheets are read at once.
const READS: usize = 8;
/// Held days that are listed; their number is always given.
const HELD_MAX: usize = 200;

/// Which days.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeParams {
    from: Option<String>,
    to: Option<String>,
}

/// What is booked for the tenants of one currency.
#[derive(Debug, Default)]
struct LedgerSide {
    tenants: usize,
    costs: Costs,
    held: Vec<HeldDay>,
}

#[derive(Debug, Serialize)]
struct HeldDay {
    tenant_id: TenantId,
    day: String,
    code: String,
}

#[derive(Debug, Serialize)]
struct CategoryRow {
    category: &'static str,
    twilio: String,
    main_account_own: String,
    ledger: String,
    difference: String,
}

/// Compares a range of days.
pub async fn read(State(app): State<Arc<App>>, Params(params): Params<RangeParams>) -> Answer {
    let days = Days::parse(params.from.as_deref(), params.to.as_deref())?;
    let all = list_usage(&app, days, true).await?;
    let own = list_usage(&app, days, false).await?;
    let (all, own) = (plain(&all), plain(&own));
    let currency = currency_of(&all).map_err(|_| Code::TWILIO_UNUSABLE)?;
    let (all, own) = (side(&all, currency)?, side(&own, currency)?);
    let mut ledger = ledger_sides(&app, days).await?;
    let booked = ledger.remove(currency.code()).unwrap_or_default();
    let ledger_total = sum(&booked.costs)?;
    let held_days: Vec<&HeldDay> = std::iter::once(&booked)
        .chain(ledger.values())
        .flat_map(|side| &side.held)
        .collect();
    let mut others = Vec::new();
    for (currency, side) in &ledger {
        let total = money::to_text(sum(&side.costs)?);
        others.push(
            json!({ "currency": currency, "tenants": side.tenants, "ledger_cost_total": total }),
        );
    }
    let body = json!({
        "from": days.from.to_string(),
        "to": days.to.to_string(),
        "currency": currency,
        "twilio_total": money::to_text(all.total),
        "main_account_own": money::to_text(own.total),
        "ledger_cost_total": money::to_text(ledger_total),
        "difference": money::to_text(all.total - own.total - ledger_total),
        "by_category": by_category(&all.costs, &own.costs, &booked.costs),
        "unpriced_categories": all.unpriced,
        "held_days_count": held_days.len(),
        "held_days": held_days.iter().take(HELD_MAX).collect::<Vec<_>>(),
        "other_currencies": others,
    });
    Ok(view::json(StatusCode::OK, &body))
}

async fn list_usage(
    app: &App,
    days: Days,
    include_subaccounts: bool,
) -> Result<Vec<UsageRecord>, MainError> {
    let query = UsageQuery {
        include_subaccounts,
        ..UsageQuery::of(UsageSpan::Total).between(days.from, days.to)
    };
    let listed = app.main.call(|main| {
        let (client, query) = (&app.twilio, &query);
        async move {
            let account_sid = main.account_sid.clone();
            client.list_usage(&main.into(), &account_sid, query).await
        }
    });
    listed.await
}

/// As the comparison reads them.
pub fn plain(records: &[UsageRecord]) -> Vec<domain::usage::UsageRecord> {
    let records = records.iter().map(|record| domain::usage::UsageRecord {
        category: record.category.clone(),
        day: record.start_date,
        count: record.count,
        usage: record.usage,
        price: record.price,
        price_unit: record.price_unit.clone(),
        as_of: record.as_of,
    });
    records.collect()
}

fn side(records: &[domain::usage::UsageRecord], currency: Currency) -> Result<TwilioSide, Failure> {
    fold(records, currency)
        .map_err(|error| Failure::from(Code::TWILIO_UNUSABLE).caused_by(error.to_string()))
}

fn sum(costs: &Costs) -> Result<Decimal, Failure> {
    money::sum(costs.values().copied()).map_err(crate::problem::internal)
}

fn by_category(all: &Costs, own: &Costs, booked: &Costs) -> Vec<CategoryRow> {
    let cost =
        |costs: &Costs, category: &Category| costs.get(category).copied().unwrap_or_default();
    Category::all()
        .filter(|category| {
            [all, own, booked]
                .iter()
                .any(|costs| costs.contains_key(category))
        })
        .map(|category| {
            let (all, own, booked) = (
                cost(all, &category),
                cost(own, &category),
                cost(booked, &category),
            );
            CategoryRow {
                category: category.as_str(),
                twilio: money::to_text(all),
                main_account_own: money::to_text(own),
                ledger: money::to_text(booked),
                difference: money::to_text(all - own - booked),
            }
        })
        .collect()
}

/// Booked costs by currency, over the sheets of every tenant that there is or was.
async fn ledger_sides(
    app: &App,
    days: Days,
) -> Result<BTreeMap<&'static str, LedgerSide>, Failure> {
    let mut by_currency: BTreeMap<&'static str, Vec<TenantId>> = BTreeMap::new();
    let mut cursor = None;
    loop {
        let page = app
            .store
            .list_tenants(None, cursor.as_ref(), LIST_PAGE)
            .await?;
        for tenant in page.tenants {
            by_currency
                .entry(tenant.currency.code())
                .or_default()
                .push(tenant.id);
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    let mut sides = BTreeMap::new();
    for (currency, tenants) in by_currency {
        let mut side = LedgerSide {
            tenants: tenants.len(),
            ..LedgerSide::default()
        };
        let tenants: Arc<[TenantId]> = tenants.into();
        let mut reads = stream::iter(days.iter())
            .map(|day| sheets_of(app.store.clone(), Arc::clone(&tenants), day))
            .buffered(READS);
        while let Some(sheets) = reads.try_next().await? {
            for (tenant, sheet) in sheets {
                side.add(tenant, sheet);
            }
        }
        sides.insert(currency, side);
    }
    Ok(sides)
}

async fn sheets_of(
    store: Store,
    tenants: Arc<[TenantId]>,
    day: Date,
) -> Result<Vec<(TenantId, DaySheet)>, StoreError> {
    store.day_sheets_of(&tenants, day).await
}

impl LedgerSide {
    fn add(&mut self, tenant_id: TenantId, sheet: DaySheet) {
        for (key, line) in sheet.lines {
            *self.costs.entry(key.category).or_default() += line.quantities.cost;
        }
        if let Some(code) = sheet.held {
            self.held.push(HeldDay {
                tenant_id,
                day: sheet.day.to_string(),
                code,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_category_of_any_side_has_a_row() {
        let one = |category: Category| BTreeMap::from([(category, Decimal::ONE)]);
        let sms = Category::parse("sms-outbound").unwrap();
        let calls = Category::parse("calls-outbound").unwrap();
        let rows = by_category(&one(sms.clone()), &Costs::new(), &one(calls));
        let shown: Vec<_> = rows
            .iter()
            .map(|row| (row.category, row.difference.as_str()))
            .collect();
        assert_eq!(shown, [("calls-outbound", "-1"), ("sms-outbound", "1")]);
        let own = by_category(&one(sms.clone()), &one(sms), &Costs::new());
        assert_eq!(own[0].difference, "0");
    }
}
