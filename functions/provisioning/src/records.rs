//! What was recorded about a tenant: `GET .../usage`, `.../ledger`, `.../callbacks/{resource_sid}`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use domain::Decimal;
use domain::callback::{self, CallbackState};
use domain::ids::{CallSid, ConferenceSid, MessageSid, RecordingSid, UsageTriggerSid};
use domain::ledger::{Entry, EntryKind, LedgerAccount};
use domain::lots::LotClass;
use domain::money;
use domain::plan::Origin;
use domain::rating::DaySheet;
use domain::shares::Share;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::app::App;
use crate::books::Books;
use crate::days::Days;
use crate::extract::{Item, Params, TenantPath, page_limit};
use crate::money_act::reference_of;
use crate::problem::{Answer, Code};
use crate::usage_items::{self, By};
use crate::view::{self, PlanView};

/// Entries of a page.
const PAGE: usize = 50;
/// Entries of a page at most: one may hold a thousand lines.
const PAGE_MAX: usize = 100;

/// Which usage, and how it is summed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageParams {
    from: Option<String>,
    to: Option<String>,
    by: Option<String>,
    view: Option<String>,
    pub(crate) cursor: Option<String>,
    pub(crate) limit: Option<usize>,
}

/// Which entries.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerParams {
    cursor: Option<u64>,
    limit: Option<usize>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sums {
    count: Decimal,
    usage: Decimal,
    cost: Decimal,
    charge: Decimal,
}

#[derive(Debug, Serialize)]
struct UsageRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<String>,
    /// The operator's, not for tenants.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<String>,
    charge: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<String>,
}

/// An entry of the ledger.
#[derive(Debug, Serialize)]
pub struct EntryView {
    seq: u64,
    kind: EntryKind,
    at: Timestamp,
    actor: String,
    reason: String,
    currency: &'static str,
    reference: Option<String>,
    postings: Vec<PostingView>,
    lines: Vec<LineView>,
    period_lines: Vec<PeriodLineView>,
    lots: Vec<LotView>,
}

#[derive(Debug, Serialize)]
struct PostingView {
    account: LedgerAccount,
    amount: String,
}

#[derive(Debug, Serialize)]
struct LineView {
    day: String,
    category: &'static str,
    rule: String,
    count: String,
    usage: String,
    observed_cost: String,
    as_of: Option<Timestamp>,
    cost: String,
    charge: String,
    /// None: an override of the tenant.
    plan: Option<PlanView>,
}

/// A rule that is rated on the sums of a billing period.
#[derive(Debug, Serialize)]
struct PeriodLineView {
    period: String,
    rule: String,
    plan: Option<PlanView>,
    day: String,
    count: String,
    usage: String,
    charge: String,
}

/// What a lot gained or lost; lot 0 is the overdraft.
#[derive(Debug, Serialize)]
struct LotView {
    lot: u64,
    class: LotClass,
    amount: String,
}

impl From<&Entry> for EntryView {
    fn from(entry: &Entry) -> Self {
        let postings = entry.postings.iter().map(|posting| PostingView {
            account: posting.account,
            amount: money::to_text(posting.amount),
        });
        let lines = entry.lines.iter().map(|line| LineView {
            day: line.day.to_string(),
            category: line.key.category.as_str(),
            rule: line.key.rule.as_str().to_owned(),
            count: money::to_text(line.observed.count),
            usage: money::to_text(line.observed.usage),
            observed_cost: money::to_text(line.observed.cost),
            as_of: line.as_of,
            cost: money::to_text(line.cost),
            charge: money::to_text(line.charge),
            plan: match &line.origin {
                Origin::Plan(plan) => Some(PlanView::from(plan)),
                Origin::Override => None,
            },
        });
        let periods = entry.periods.iter().map(|line| PeriodLineView {
            period: line.period.to_string(),
            rule: line.key.rule.as_str().to_owned(),
            plan: match &line.key.origin {
                Origin::Plan(plan) => Some(PlanView::from(plan)),
                Origin::Override => None,
            },
            day: line.day.to_string(),
            count: money::to_text(line.sums.count),
            usage: money::to_text(line.sums.usage),
            charge: money::to_text(line.charge),
        });
        let lots = entry.moves.iter().map(|part| LotView {
            lot: part.lot.id,
            class: part.lot.class,
            amount: money::to_text(part.amount),
        });
        let reference = entry.natural_key.as_deref();
        Self {
            seq: entry.seq,
            kind: entry.kind,
            at: entry.at,
            actor: entry.actor.clone(),
            reason: entry.reason.clone(),
            currency: entry.currency.code(),
            reference: reference.and_then(reference_of).map(str::to_owned),
            postings: postings.collect(),
            lines: lines.collect(),
            period_lines: periods.collect(),
            lots: lots.collect(),
        }
    }
}

/// Usage of a range of days, by day, category, number, call or message.
pub async fn usage(
    State(app): State<Arc<App>>,
    TenantPath(id): TenantPath,
    Params(params): Params<UsageParams>,
) -> Answer {
    let days = Days::parse(params.from.as_deref(), params.to.as_deref())?;
    let shows_cost = match params.view.as_deref() {
        None | Some("operator") => true,
        Some("tenant") => false,
        Some(_) => return Err(Code::QUERY_INVALID.because("view is operator or tenant")),
    };
    let by = params.by.as_deref().unwrap_or("day");
    let tenant = app.tenant(&id).await?;
    if let Some(by) = By::parse(by) {
        return usage_items::read(State(app), tenant, days, by, &params, shows_cost).await;
    }
    if !["day", "category"].contains(&by) {
        let why = "by is day, category, number, call or message";
        return Err(Code::QUERY_INVALID.because(why));
    }
    let books = Books::load(&app, &tenant, days).await?;
    let shares = books.shares(days);
    let mut rows: Vec<UsageRow> = if by == "day" {
        let sheets = books.sheets.iter();
        let asked = sheets.filter(|sheet| days.from <= sheet.day && sheet.day <= days.to);
        asked.map(|sheet| day_row(sheet, &shares)).collect()
    } else {
        category_rows(&shares)
    };
    if !shows_cost {
        for row in &mut rows {
            row.cost = None;
        }
    }
    let mut body = json!({
        "from": days.from.to_string(),
        "to": days.to.to_string(),
        "currency": tenant.currency,
        "rows": rows,
        "charge": money::to_text(shares.iter().map(|share| share.charge).sum()),
    });
    if shows_cost {
        let cost = shares.iter().map(|share| share.quantities.cost).sum();
        body["cost"] = json!(money::to_text(cost));
    }
    Ok(view::json(StatusCode::OK, &body))
}

fn day_row(sheet: &DaySheet, shares: &[Share]) -> UsageRow {
    let of_day = shares.iter().filter(|share| share.day == sheet.day);
    UsageRow {
        day: Some(sheet.day.to_string()),
        category: None,
        // Counts of different categories are different things.
        count: None,
        usage: None,
        cost: Some(money::to_text(sheet.cost())),
        charge: money::to_text(of_day.map(|share| share.charge).sum()),
        held: sheet.held.clone(),
    }
}

fn category_rows(shares: &[Share]) -> Vec<UsageRow> {
    let mut sums: BTreeMap<&str, Sums> = BTreeMap::new();
    for share in shares {
        let sum = sums.entry(share.key.category.as_str()).or_default();
        sum.count += share.quantities.count;
        sum.usage += share.quantities.usage;
        sum.cost += share.quantities.cost;
        sum.charge += share.charge;
    }
    let rows = sums.into_iter().map(|(category, sum)| UsageRow {
        day: None,
        category: Some(category.to_owned()),
        count: Some(money::to_text(sum.count)),
        usage: Some(money::to_text(sum.usage)),
        cost: Some(money::to_text(sum.cost)),
        charge: money::to_text(sum.charge),
        held: None,
    });
    rows.collect()
}

/// Entries, newest first.
pub async fn ledger(
    State(app): State<Arc<App>>,
    TenantPath(id): TenantPath,
    Params(params): Params<LedgerParams>,
) -> Answer {
    let limit = page_limit(params.limit, PAGE, PAGE_MAX)?;
    if params.cursor.is_some_and(|cursor| cursor > 9_999_999_999) {
        return Err(Code::QUERY_INVALID.into());
    }
    app.tenant(&id).await?;
    let mut entries = app.store.entries(&id, params.cursor, limit + 1).await?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next_cursor = entries.last().filter(|_| more).map(|entry| entry.seq);
    let entries: Vec<EntryView> = entries.iter().map(EntryView::from).collect();
    Ok(view::json(
        StatusCode::OK,
        &json!({ "entries": entries, "next_cursor": next_cursor }),
    ))
}

/// What a resource's callbacks say together, and each of them.
pub async fn callbacks(
    State(app): State<Arc<App>>,
    TenantPath(id): TenantPath,
    Item(resource_sid): Item,
) -> Answer {
    app.tenant(&id).await?;
    if !is_resource(&resource_sid) {
        return Err(Code::CALLBACKS_NOT_FOUND.into());
    }
    let mut records = app.store.callbacks(&id, &resource_sid).await?;
    if records.is_empty() {
        return Err(Code::CALLBACKS_NOT_FOUND.into());
    }
    records.sort_by(|left, right| {
        (left.received_at, &left.signed_hash).cmp(&(right.received_at, &right.signed_hash))
    });
    let states: Vec<CallbackState> = records
        .iter()
        .filter_map(|record| state(&record.fields))
        .collect();
    let shown: Vec<_> = records
        .iter()
        .map(|record| json!({ "received_at": record.received_at, "kind": record.kind, "fields": record.fields }))
        .collect();
    let body = json!({
        "resource_sid": resource_sid,
        "state": callback::fold(&states),
        "callbacks": shown,
    });
    Ok(view::json(StatusCode::OK, &body))
}

fn is_resource(sid: &str) -> bool {
    CallSid::parse(sid).is_ok()
        || MessageSid::parse(sid).is_ok()
        || RecordingSid::parse(sid).is_ok()
        || ConferenceSid::parse(sid).is_ok()
        || UsageTriggerSid::parse(sid).is_ok()
}

fn state(fields: &BTreeMap<String, String>) -> Option<CallbackState> {
    let status = [
        "MessageStatus",
        "SmsStatus",
        "CallStatus",
        "RecordingStatus",
    ]
    .into_iter()
    .find_map(|name| fields.get(name))?;
    Some(CallbackState {
        status: status.clone(),
        sequence_number: fields
            .get("SequenceNumber")
            .and_then(|text| text.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use domain::plan::RuleId;
    use domain::usage::{Category, LineKey, Quantities};

    use super::*;

    #[test]
    fn categories_sum_over_days() {
        let share = |day: &str, cost| Share {
            day: day.parse().unwrap(),
            key: LineKey {
                category: Category::OTHER,
                rule: RuleId::default_rule(),
            },
            quantities: Quantities {
                cost: Decimal::new(cost, 4),
                ..Quantities::default()
            },
            charge: Decimal::new(cost * 2, 4),
        };
        let rows = category_rows(&[share("2026-11-01", 79), share("2026-11-02", -9)]);
        assert_eq!(rows.len(), 1);
        assert_eq!(
            (rows[0].cost.as_deref(), rows[0].charge.as_str()),
            (Some("0.007"), "0.014")
        );
    }
}
