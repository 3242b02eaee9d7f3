//! Statements as people and programs read them: lists, one as JSON, CSV or a page, a preview at any moment; and
//! what people do with them.

mod csv;
mod page;
mod words;

use std::sync::Arc;

use aws::{CommitError, IssueWrite, Sequence, StoredStatement};
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::Date;
use domain::ids::TenantId;
use domain::money::to_text;
use domain::period::{BillingCalendar, Period};
use domain::statement::{
    self, Bounds, Content, CreditNote, Document, Header, Input, Party, State as Standing, Tax,
    Totals, build,
};
use domain::tenant::Tenant;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{App, TRIES_MAX, audit, day_of};
use crate::extract::{
    Caller, Item, JsonBody, Params, Reason, TenantPath, check_reason, page_limit,
};
use crate::money_act::{wallet_of, with_wallet};
use crate::problem::{Answer, Code, Failure, internal, unavailable};
use crate::view;

/// Statements of a page.
const PAGE: usize = 24;
/// Statements of a page at most.
const PAGE_MAX: usize = 100;
/// Statements that a preview looks at for what came before.
const LOOK_BACK: usize = 100;

/// A page of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageParams {
    cursor: Option<String>,
    limit: Option<usize>,
}

/// Which issue, and how it is shown.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadParams {
    issue: Option<u32>,
    format: Option<String>,
}

/// A statement with everything that it says, stored or computed now.
pub struct Shown {
    state: Standing,
    issue: u32,
    period: Period,
    document: Document,
    content: Content,
    is_preview: bool,
}

/// Lists statements, the latest first.
pub async fn list(
    State(app): State<Arc<App>>,
    TenantPath(id): TenantPath,
    Params(params): Params<PageParams>,
) -> Answer {
    let limit = page_limit(params.limit, PAGE, PAGE_MAX)?;
    let cursor = params.cursor.as_deref().map(parse_cursor).transpose()?;
    with_wallet(&app, &id).await?;
    let mut found = app.store.statements(&id, cursor, limit + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more);
    let next_cursor = last.map(|one| format!("{}.{}", one.header.period, one.header.issue));
    let statements: Vec<Value> = found.iter().map(|one| summary(&one.header)).collect();
    let body = json!({ "statements": statements, "next_cursor": next_cursor });
    Ok(view::json(StatusCode::OK, &body))
}

fn parse_cursor(text: &str) -> Result<(Date, u32), Failure> {
    let parts = text.split_once('.');
    let parsed =
        parts.and_then(|(period, issue)| Some((period.parse().ok()?, issue.parse().ok()?)));
    parsed.ok_or(Code::QUERY_INVALID.into())
}

fn summary(header: &Header) -> Value {
    let document = header.document.as_ref();
    json!({
        "period": header.period,
        "issue": header.issue,
        "start": header.start,
        "end": header.end,
        "state": header.state,
        "number": header.number(),
        "issued_at": document.map(|document| document.issued_at),
        "due_on": document.map(|document| document.due_on),
        "paid_at": document.and_then(|document| document.paid_at),
        "credit_note": document.and_then(|document| document.credit_note.as_ref()).map(credit_note),
        "currency": document.map(|document| &document.currency),
        "totals": document.map(|document| totals(&document.totals)),
    })
}

fn credit_note(note: &CreditNote) -> Value {
    json!({ "number": note.number, "at": note.at, "actor": note.actor, "reason": note.reason })
}

fn totals(totals: &Totals) -> Value {
    json!({
        "opening": to_text(totals.opening),
        "payments": to_text(totals.payments),
        "other": to_text(totals.other),
        "net_exact": to_text(totals.exact),
        "net": to_text(totals.net),
        "tax": to_text(totals.tax),
        "gross": to_text(totals.gross),
        "closing": to_text(totals.closing),
        "due": to_text(totals.due),
    })
}

/// Shows one: the stored one of a period, or a preview where there is none; `current` is the period that goes on.
pub async fn read(
    State(app): State<Arc<App>>,
    TenantPath(id): TenantPath,
    Item(period): Item,
    Params(params): Params<ReadParams>,
) -> Answer {
    let tenant = with_wallet(&app, &id).await?;
    let shown = shown(&app, &tenant, &period, params.issue).await?;
    match params.format.as_deref() {
        None | Some("json") => Ok(view::json(StatusCode::OK, &whole(&shown))),
        Some("csv") => {
            let name = format!("{}.csv", file_name(&shown));
            let text = csv::write(&shown).map_err(internal)?;
            let mut response = typed(text, "text/csv; charset=utf-8");
            let disposition = format!("attachment; filename=\"{name}\"");
            let value = HeaderValue::from_str(&disposition).map_err(internal)?;
            response
                .headers_mut()
                .insert(header::CONTENT_DISPOSITION, value);
            Ok(response)
        }
        Some("html") => {
            let text = page::render(&shown).map_err(internal)?;
            let mut response = typed(text, "text/html; charset=utf-8");
            // The page needs nothing but itself.
            let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
            response
                .headers_mut()
                .insert(header::CONTENT_SECURITY_POLICY, policy);
            Ok(response)
        }
        Some(_) => Err(Code::QUERY_INVALID.because("format is json, csv or html")),
    }
}

fn typed(text: String, content_type: &'static str) -> Response {
    let mut response = text.into_response();
    let value = HeaderValue::from_static(content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    response
}

/// A name that any file system takes.
fn file_name(shown: &Shown) -> String {
    if shown.is_preview {
        format!("preview-{}", shown.period.start)
    } else {
        let number = shown.document.number.chars();
        let safe = number.map(|one| {
            if one.is_ascii_alphanumeric() || one == '-' {
                one
            } else {
                '_'
            }
        });
        format!("statement-{}", safe.collect::<String>())
    }
}

async fn shown(
    app: &App,
    tenant: &Tenant,
    name: &str,
    issue: Option<u32>,
) -> Result<Shown, Failure> {
    let calendar = tenant.billing.calendar().map_err(internal)?;
    let now = app.host.now();
    let period = if name == "current" {
        calendar.period_at(now)
    } else {
        let start = name.parse::<Date>().ok();
        let period = start.and_then(|start| calendar.named(start));
        period.ok_or(Code::STATEMENT_NOT_FOUND)?
    };
    let known = app.store.statements(&tenant.id, None, LOOK_BACK).await?;
    let stored = match issue {
        Some(issue) => {
            let found = app.store.statement(&tenant.id, period.start, issue).await?;
            Some(found.ok_or(Code::STATEMENT_NOT_FOUND)?)
        }
        None => match known.iter().find(|one| one.header.period == period.start) {
            Some(found) => Some(found.clone()),
            // One behind all that are looked at.
            None => app.store.statement(&tenant.id, period.start, 1).await?,
        },
    };
    if let Some(stored) = stored
        && let Some(document) = stored.header.document.clone()
    {
        let content = app.store.statement_content(&tenant.id, &stored).await?;
        return Ok(Shown {
            state: stored.header.state,
            issue: stored.header.issue,
            period,
            document,
            content,
            is_preview: false,
        });
    }
    let first = tenant.activated_at.map(|at| calendar.period_at(at));
    if first.is_none_or(|first| period.start < first.start) || period.from > now {
        return Err(Code::STATEMENT_NOT_FOUND.into());
    }
    preview(app, tenant, &calendar, period, &known).await
}

/// What a statement would say if the period ended now.
async fn preview(
    app: &App,
    tenant: &Tenant,
    calendar: &BillingCalendar,
    period: Period,
    known: &[StoredStatement],
) -> Result<Shown, Failure> {
    let now = app.host.now();
    let wallet = wallet_of(app, &tenant.id).await?;
    let mut standing = known
        .iter()
        .filter(|one| one.header.state != Standing::Void);
    let before = standing.find(|one| one.header.period < period.start);
    let before = before.and_then(|one| one.header.bounds());
    let before = before.unwrap_or_else(Bounds::none);
    let source = app
        .store
        .statement_source(&tenant.id, before.from_entry, wallet.seq)
        .await?;
    let number = |start: Date| {
        let mut known = known
            .iter()
            .filter(|one| one.header.state != Standing::Void);
        let found = known.find(|one| one.header.period == start)?;
        found.header.number().map(str::to_owned)
    };
    let (content, totals, next_entry) = build(&Input {
        currency: tenant.currency,
        period: &period,
        calendar,
        before,
        through: wallet.seq,
        entries: &source.entries,
        model: &|key| source.model(tenant, key),
        number: &number,
        tax: Tax {
            rate: tenant.billing.tax_rate,
            is_exempt: tenant.billing.tax_exempt,
        },
    });
    let (operator, _) = app.store.operator_profile().await?;
    let billing = &tenant.billing;
    let due_days = app.plan_in_force(tenant).await?.due_days;
    let ends_on = period.end.max(day_of(now));
    let document = Document {
        number: String::new(),
        issued_at: now,
        due_on: ends_on.saturating_add(jiff::Span::new().days(i64::from(due_days))),
        operator,
        client: Party {
            name: tenant.name.clone(),
            address: billing.bill_to.clone(),
            tax_id: billing.tax_id.clone(),
            email: None,
        },
        currency: tenant.currency.code().to_owned(),
        time_zone: billing.time_zone.clone(),
        tax_rate: billing.tax_rate,
        tax_exempt: billing.tax_exempt,
        totals,
        next_entry,
        entry: None,
        paid_at: None,
        credit_note: None,
    };
    Ok(Shown {
        state: Standing::Open,
        issue: 0,
        period,
        document,
        content,
        is_preview: true,
    })
}

fn whole(shown: &Shown) -> Value {
    let document = &shown.document;
    let content = &shown.content;
    let line = |line: &statement::Line| {
        json!({
            "category": line.category.as_str(),
            "rule": line.rule.as_str(),
            "count": to_text(line.count),
            "usage": to_text(line.usage),
            "unit": line.category.usage_unit(),
            "charge_exact": to_text(line.charge),
            "charge": to_text(line.shown),
        })
    };
    let correction = |one: &statement::Correction| {
        json!({
            "period": one.period,
            "reference": one.reference,
            "category": one.category.as_ref().map(domain::category::Category::as_str),
            "rule": one.rule.as_str(),
            "charge_exact": to_text(one.charge),
            "charge": to_text(one.shown),
        })
    };
    let movement = |one: &statement::Movement| {
        json!({
            "entry": one.entry,
            "at": one.at,
            "kind": one.kind,
            "reason": one.reason,
            "amount": to_text(one.amount),
        })
    };
    json!({
        "state": shown.state,
        "preview": shown.is_preview,
        "number": (!shown.is_preview).then_some(&document.number),
        "issue": shown.issue,
        "period": shown.period.start,
        "start": shown.period.from,
        "end": shown.period.until,
        "time_zone": document.time_zone,
        "currency": document.currency,
        "issued_at": document.issued_at,
        "due_on": document.due_on,
        "paid_at": document.paid_at,
        "credit_note": document.credit_note.as_ref().map(credit_note),
        "operator": document.operator,
        "client": document.client,
        "tax_rate": to_text(document.tax_rate),
        "tax_exempt": document.tax_exempt,
        "lines": content.lines.iter().map(line).collect::<Vec<_>>(),
        "corrections": content.corrections.iter().map(correction).collect::<Vec<_>>(),
        "movements": content.movements.iter().map(movement).collect::<Vec<_>>(),
        "totals": totals(&document.totals),
    })
}

/// Has every period that is over stated within minutes, whether it has settled or not.
pub async fn request(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    JsonBody { value, .. }: JsonBody<Reason>,
) -> Answer {
    check_reason(&value.reason)?;
    for _ in 0..TRIES_MAX {
        let tenant = with_wallet(&app, &id).await?;
        let audit = audit(&caller, "tenant.state_periods", &value.reason);
        match app
            .store
            .request_statement(&tenant, &audit, app.host.now())
            .await
        {
            Ok(()) => {
                let body = json!({ "tenant_id": id });
                return Ok(view::json(StatusCode::ACCEPTED, &body));
            }
            Err(CommitError::Conflict { .. }) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the tenant's row kept changing"))
}

/// Takes the latest final statement back with a credit note; its period is stated again.
pub async fn void(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    Item(period): Item,
    JsonBody { value, .. }: JsonBody<Reason>,
) -> Answer {
    check_reason(&value.reason)?;
    let start: Date = period.parse().map_err(|_| Code::STATEMENT_NOT_FOUND)?;
    for _ in 0..TRIES_MAX {
        let tenant = with_wallet(&app, &id).await?;
        let latest = latest(&app, &id, start).await?;
        if latest.header.state == Standing::Void {
            return Ok(view::json(StatusCode::OK, &summary(&latest.header)));
        }
        let number = app.store.last_number(Sequence::CreditNote).await? + 1;
        let (operator, _) = app.store.operator_profile().await?;
        let now = app.host.now();
        let note = CreditNote {
            number: format!("{}C{number:06}", operator.number_prefix),
            at: now,
            actor: caller.actor.clone(),
            reason: value.reason.clone(),
        };
        let policy = app.plan_in_force(&tenant).await?.standing;
        let wallet = wallet_of(&app, &id).await?;
        let issue = statement::void(&latest.header, note, &wallet, &policy).map_err(internal)?;
        let issue = issue.ok_or(Code::STATEMENT_NOT_FINAL)?;
        let cause = &caller.request_id;
        let facts = issue.fact().map(|fact| (latest.rev + 1, fact));
        let more = issue
            .change
            .iter()
            .flat_map(domain::wallet::WalletChange::facts);
        let events: Vec<_> = facts
            .into_iter()
            .chain(more)
            .map(|(seq, fact)| app.event(&id, seq, cause, fact))
            .collect();
        let change = issue.change.as_ref();
        let audit = audit(&caller, "statement.void", &value.reason);
        let write = IssueWrite {
            statement: &latest,
            issue: &issue,
            sequence: Sequence::CreditNote,
            number,
            events: &events,
            timer_at: change.and_then(|change| change.timer_at(now)),
            audit: Some((&tenant, &audit)),
        };
        match app.store.issue_statement(&id, &write).await {
            Ok(stored) => return Ok(view::json(StatusCode::OK, &summary(&stored.header))),
            Err(CommitError::Conflict { .. }) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the statement kept changing"))
}

/// A period's statement, which must be the last one: later ones build on it.
async fn latest(app: &App, id: &TenantId, period: Date) -> Result<StoredStatement, Failure> {
    let known = app.store.statements(id, None, 1).await?;
    let latest = known.into_iter().next().ok_or(Code::STATEMENT_NOT_FOUND)?;
    match latest.header.period {
        last if last > period => match app.store.statement(id, period, 1).await? {
            Some(_) => Err(Code::STATEMENT_NOT_LATEST.into()),
            None => Err(Code::STATEMENT_NOT_FOUND.into()),
        },
        last if last < period => Err(Code::STATEMENT_NOT_FOUND.into()),
        _ if latest.header.state == Standing::Closing => Err(Code::STATEMENT_NOT_FINAL.into()),
        _ => Ok(latest),
    }
}

#[cfg(test)]
mod tests;
