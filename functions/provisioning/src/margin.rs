//! `GET /v1/margin`: what the operator earns: cost, charge and margin of days, by tenant, category, day or number.
//!
//! Charges are what the books hold, spread over days and categories as in usage reports; per currency, for
//! amounts of different currencies do not add up. One answer sums the books of a page of tenants: pages add up.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use domain::Decimal;
use domain::ids::TenantId;
use domain::money::to_text;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::books::Books;
use crate::days::Days;
use crate::extract::{Params, page_limit};
use crate::problem::{Answer, Code};
use crate::{usage_items, view};

/// Tenants whose books one answer sums.
const PAGE: usize = 100;
/// Days of a report.
const DAYS_MAX: usize = 95;

/// Which days, and what each row is about.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarginParams {
    from: Option<String>,
    to: Option<String>,
    by: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    cost: Decimal,
    charge: Decimal,
}

impl Sum {
    fn add(&mut self, cost: Decimal, charge: Decimal) {
        self.cost += cost;
        self.charge += charge;
    }

    /// Margin as a share of the charge, to four decimals; none where nothing was charged.
    fn shown(&self) -> Value {
        let margin = self.charge - self.cost;
        let share = margin.checked_div(self.charge);
        json!({
            "cost": to_text(self.cost),
            "charge": to_text(self.charge),
            "margin": to_text(margin),
            "margin_share": share.map(|share| to_text(domain::money::round(share, 4))),
        })
    }
}

/// Reports it.
pub async fn read(State(app): State<Arc<App>>, Params(params): Params<MarginParams>) -> Answer {
    let days = Days::parse(params.from.as_deref(), params.to.as_deref())?;
    if days.iter().count() > DAYS_MAX {
        return Err(Code::RANGE_INVALID.because(format!("at most {DAYS_MAX} days")));
    }
    let by = params.by.as_deref().unwrap_or("tenant");
    if !["tenant", "category", "day", "number"].contains(&by) {
        return Err(Code::QUERY_INVALID.because("by is tenant, category, day or number"));
    }
    if by == "number" && days.iter().count() > usage_items::NUMBER_DAYS_MAX {
        let why = format!("at most {} days by number", usage_items::NUMBER_DAYS_MAX);
        return Err(Code::RANGE_INVALID.because(why));
    }
    let limit = page_limit(params.limit, PAGE, PAGE)?;
    let cursor = params.cursor.as_deref().map(TenantId::parse).transpose();
    let cursor = cursor.map_err(|_| Code::QUERY_INVALID)?;
    let page = app.store.list_tenants(None, cursor.as_ref(), limit).await?;
    let mut sums: BTreeMap<&'static str, BTreeMap<String, Sum>> = BTreeMap::new();
    for tenant in &page.tenants {
        let books = Books::load(&app, tenant, days).await?;
        let of_currency = sums.entry(tenant.currency.code()).or_default();
        if by == "number" {
            for (number, cost, charge) in
                usage_items::by_own_number(&app, tenant, &books, days).await?
            {
                of_currency.entry(number).or_default().add(cost, charge);
            }
            continue;
        }
        for share in books.shares(days) {
            let key = match by {
                "tenant" => tenant.id.as_str().to_owned(),
                "category" => share.key.category.as_str().to_owned(),
                _ => share.day.to_string(),
            };
            let sum = of_currency.entry(key).or_default();
            sum.add(share.quantities.cost, share.charge);
        }
    }
    let currencies = sums.iter().filter(|(_, rows)| !rows.is_empty());
    let currencies: Vec<Value> = currencies
        .map(|(code, rows)| shown(by, code, rows))
        .collect();
    let body = json!({
        "from": days.from,
        "to": days.to,
        "by": by,
        "tenants": page.tenants.len(),
        "currencies": currencies,
        "next_cursor": page.next_cursor.map(String::from),
    });
    Ok(view::json(StatusCode::OK, &body))
}

fn shown(by: &str, currency: &str, rows: &BTreeMap<String, Sum>) -> Value {
    let mut total = Sum::default();
    let mut shown = Vec::new();
    for (key, sum) in rows {
        total.add(sum.cost, sum.charge);
        let mut row = sum.shown();
        row[by] = json!(key);
        shown.push(row);
    }
    json!({ "currency": currency, "rows": shown, "total": total.shown() })
}
