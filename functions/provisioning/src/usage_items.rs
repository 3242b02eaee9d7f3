//! `GET .../usage?by=number|call|message`: what single numbers, calls and messages cost and were charged.
//!
//! Calls and messages are listed at Twilio when somebody asks; what they were charged is their part of what is
//! booked for their day and category, so that all rows add up to the books. What belongs to no item is a row, too.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use domain::category::DetailFamily;
use domain::detail::Item;
use domain::money::to_text;
use domain::shares::charges_of;
use domain::tenant::Tenant;
use domain::{Date, Decimal};
use http::StatusCode;
use serde_json::{Value, json};
use twilio::items::{self, Wanted};

use crate::app::App;
use crate::books::Books;
use crate::days::Days;
use crate::extract::page_limit;
use crate::main_account::MainError;
use crate::problem::{Answer, Code, Failure};
use crate::records::UsageParams;
use crate::view;

/// Days of a report by number.
pub const NUMBER_DAYS_MAX: usize = 31;
/// Days of a report by call or message.
const ITEM_DAYS_MAX: usize = 7;
/// Rows of a page.
const PAGE: usize = 100;
/// Rows of a page at most.
const PAGE_MAX: usize = 1_000;

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The tenant's own numbers.
    Number,
    /// Single calls.
    Call,
    /// Single messages.
    Message,
}

impl By {
    /// Reads the query's word.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "number" => Some(Self::Number),
            "call" => Some(Self::Call),
            "message" => Some(Self::Message),
            _ => None,
        }
    }

    fn days_max(self) -> usize {
        match self {
            Self::Number => NUMBER_DAYS_MAX,
            Self::Call | Self::Message => ITEM_DAYS_MAX,
        }
    }

    fn is_about(self, item: &Item) -> bool {
        match self {
            Self::Number => true,
            Self::Call => item.family == DetailFamily::Calls,
            Self::Message => item.family != DetailFamily::Calls,
        }
    }
}

/// One row, with what orders it.
struct Row {
    key: String,
    shown: Value,
    cost: Decimal,
    charge: Decimal,
}

/// Reports usage by item.
pub async fn read(
    State(app): State<Arc<App>>,
    tenant: Tenant,
    days: Days,
    by: By,
    params: &UsageParams,
    shows_cost: bool,
) -> Answer {
    if days.iter().count() > by.days_max() {
        return Err(Code::RANGE_INVALID.because(format!("at most {} days", by.days_max())));
    }
    let limit = page_limit(params.limit, PAGE, PAGE_MAX)?;
    let books = Books::load(&app, &tenant, days).await?;
    let shares = books.shares(days);
    let asked: Vec<Date> = days.iter().collect();
    let wanted = Wanted {
        calls: if by == By::Message {
            Vec::new()
        } else {
            asked.clone()
        },
        messages: if by == By::Call { Vec::new() } else { asked },
    };
    let items = listed(&app, &tenant, &wanted).await?;
    let charges = charges_of(&items, &shares);
    let of_items = items
        .iter()
        .zip(charges)
        .filter(|(item, _)| by.is_about(item));
    let mut rows: Vec<Row> = match by {
        By::Number => by_number(of_items),
        By::Call | By::Message => of_items.map(|(item, charge)| row(item, charge)).collect(),
    };
    rows.sort_by(|left, right| left.key.cmp(&right.key));
    let (cost, charge) = (
        shares
            .iter()
            .map(|share| share.quantities.cost)
            .sum::<Decimal>(),
        shares.iter().map(|share| share.charge).sum::<Decimal>(),
    );
    rows.push(rest(&rows, cost, charge));
    let after = params.cursor.as_deref().unwrap_or_default();
    rows.retain(|row| row.key.as_str() > after);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| more).map(|row| row.key.clone());
    let mut body = json!({
        "from": days.from,
        "to": days.to,
        "currency": tenant.currency,
        "charge": to_text(charge),
        "rows": rows.into_iter().map(|row| shown(row, shows_cost)).collect::<Vec<_>>(),
        "next_cursor": next_cursor,
    });
    if shows_cost {
        body["cost"] = json!(to_text(cost));
    }
    Ok(view::json(StatusCode::OK, &body))
}

/// What belongs to none of the rows.
fn rest(rows: &[Row], cost: Decimal, charge: Decimal) -> Row {
    Row {
        // Behind all others.
        key: "~".to_owned(),
        shown: json!({ "unattributed": true }),
        cost: cost - rows.iter().map(|row| row.cost).sum::<Decimal>(),
        charge: charge - rows.iter().map(|row| row.charge).sum::<Decimal>(),
    }
}

/// Each number's cost and charge; what belongs to none stands under `unattributed`.
pub async fn by_own_number(
    app: &App,
    tenant: &Tenant,
    books: &Books,
    days: Days,
) -> Result<Vec<(String, Decimal, Decimal)>, Failure> {
    let shares = books.shares(days);
    let asked: Vec<Date> = days.iter().collect();
    let wanted = Wanted {
        calls: asked.clone(),
        messages: asked,
    };
    let items = listed(app, tenant, &wanted).await?;
    let charges = charges_of(&items, &shares);
    let rows = by_number(items.iter().zip(charges));
    let cost = shares.iter().map(|share| share.quantities.cost).sum();
    let rest = rest(&rows, cost, shares.iter().map(|share| share.charge).sum());
    let rows = rows.into_iter().map(|row| (row.key, row.cost, row.charge));
    let rest = ("unattributed".to_owned(), rest.cost, rest.charge);
    Ok(rows.chain([rest]).collect())
}

fn shown(row: Row, shows_cost: bool) -> Value {
    let mut shown = row.shown;
    shown["charge"] = json!(to_text(row.charge));
    if shows_cost {
        shown["cost"] = json!(to_text(row.cost));
    }
    shown
}

/// Calls and messages of a tenant, from Twilio.
pub async fn listed(app: &App, tenant: &Tenant, wanted: &Wanted) -> Result<Vec<Item>, Failure> {
    let Some(account_sid) = &tenant.account_sid else {
        return Ok(Vec::new());
    };
    let listed = app.main.call(|main| async move {
        let credentials = main.into();
        items::list(&app.twilio, &credentials, account_sid, wanted).await
    });
    listed.await.map_err(|error: MainError| error.into())
}

fn row(item: &Item, charge: Decimal) -> Row {
    let mut shown = json!({
        "sid": item.sid,
        "at": item.at,
        "direction": item.direction,
        "from": item.from,
        "to": item.to,
        "units": item.units,
        "is_priced": item.price.is_some(),
    });
    if item.family == DetailFamily::Calls {
        shown["duration_s"] = json!(item.duration_s);
    }
    Row {
        key: format!("{}.{}", item.at, item.sid),
        shown,
        cost: item.price.unwrap_or_default(),
        charge,
    }
}

#[derive(Default)]
struct Sum {
    calls: u64,
    messages: u64,
    cost: Decimal,
    charge: Decimal,
}

fn by_number<'a>(items: impl Iterator<Item = (&'a Item, Decimal)>) -> Vec<Row> {
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    for (item, charge) in items {
        let sum = sums.entry(item.own_number().to_owned()).or_default();
        match item.family {
            DetailFamily::Calls => sum.calls += 1,
            DetailFamily::Sms | DetailFamily::Mms => sum.messages += 1,
        }
        sum.cost += item.price.unwrap_or_default();
        sum.charge += charge;
    }
    let rows = sums.into_iter().map(|(number, sum)| Row {
        shown: json!({ "number": number, "calls": sum.calls, "messages": sum.messages }),
        key: number,
        cost: sum.cost,
        charge: sum.charge,
    });
    rows.collect()
}
