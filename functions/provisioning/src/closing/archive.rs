//! What Twilio deletes with a closed subaccount, kept as JSON lines: usage as it was booked, calls, messages.
//!
//! One object per GMT month and kind: `tenants/<tenant>/<kind>/<month>.jsonl`. A month that is written again is the
//! same object. Message bodies are not kept.

use std::fmt::Write as _;

use domain::money;
use domain::period::day_of;
use domain::tenant::{Lifecycle, Tenant};
use domain::{Date, Decimal};
use jiff::ToSpan as _;
use serde_json::{Value, json};
use twilio::{Call, CallFilter, Message, MessageFilter, TimeBound};

use crate::app::App;
use crate::numbers::account_of;
use crate::problem::{Failure, internal};

/// How far the archive reaches.
pub(crate) struct Archived {
    pub(crate) through: Date,
    pub(crate) is_whole: bool,
}

/// Writes the month that comes next into a folder.
pub(crate) async fn archive_month(
    app: &App,
    tenant: &Tenant,
    folder: &str,
    through: Option<Date>,
) -> Result<Archived, Failure> {
    let today = app.today();
    let first = match through {
        Some(through) => through.saturating_add(1.day()),
        None => day_of(tenant.created_at),
    };
    if first > today {
        return Ok(Archived {
            through: today,
            is_whole: true,
        });
    }
    let last = first.last_of_month().min(today);
    usage(app, tenant, folder, (first, last)).await?;
    if tenant.lifecycle != Lifecycle::Closed {
        items(app, tenant, folder, (first, last)).await?;
    }
    Ok(Archived {
        through: last,
        is_whole: last >= today,
    })
}

/// Where a tenant's archive lies.
pub(super) fn folder_of(tenant: &Tenant) -> String {
    format!("tenants/{}", tenant.id)
}

/// Writes lines as a file of their kind; no lines are no file.
pub(crate) async fn put_lines(
    app: &App,
    folder: &str,
    kind: &str,
    name: &str,
    lines: &[Value],
) -> Result<(), Failure> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut body = String::new();
    for line in lines {
        writeln!(body, "{line}").map_err(|error| internal(format!("archive: {error}")))?;
    }
    let key = format!("{folder}/{kind}/{name}.jsonl");
    app.archive
        .put(&key, "application/x-ndjson", body.into_bytes())
        .await?;
    Ok(())
}

/// Lines as they were booked, cost and charge.
async fn usage(
    app: &App,
    tenant: &Tenant,
    folder: &str,
    (first, last): (Date, Date),
) -> Result<(), Failure> {
    let sheets = app.store.day_sheets(&tenant.id, first, last).await?;
    let mut lines = Vec::new();
    for sheet in sheets {
        for (key, line) in &sheet.lines {
            lines.push(json!({
                "day": sheet.day.to_string(),
                "category": key.category.as_str(),
                "rule": key.rule.to_string(),
                "count": money::to_text(line.quantities.count),
                "usage": money::to_text(line.quantities.usage),
                "cost": money::to_text(line.quantities.cost),
                "charge": money::to_text(line.charge),
            }));
        }
    }
    put_lines(app, folder, "usage", &month_of(first), &lines).await
}

fn month_of(day: Date) -> String {
    day.strftime("%Y-%m").to_string()
}

async fn items(
    app: &App,
    tenant: &Tenant,
    folder: &str,
    (first, last): (Date, Date),
) -> Result<(), Failure> {
    let account_sid = account_of(tenant)?;
    let behind = last.saturating_add(1.day());
    let started = CallFilter {
        started_from: Some(TimeBound::Day(first)),
        started_before: Some(TimeBound::Day(behind)),
        ..CallFilter::default()
    };
    let calls = app.main.call(|main| {
        let (client, account, filter) = (&app.twilio, &account_sid, &started);
        async move { client.list_calls(&main.into(), account, filter).await }
    });
    let calls: Vec<Value> = calls.await?.iter().map(call).collect();
    put_lines(app, folder, "calls", &month_of(first), &calls).await?;
    let sent = MessageFilter {
        sent_from: Some(TimeBound::Day(first)),
        sent_until: Some(TimeBound::Day(behind)),
        ..MessageFilter::default()
    };
    let messages = app.main.call(|main| {
        let (client, account, filter) = (&app.twilio, &account_sid, &sent);
        async move { client.list_messages(&main.into(), account, filter).await }
    });
    let messages: Vec<Value> = messages.await?.iter().map(message).collect();
    put_lines(app, folder, "messages", &month_of(first), &messages).await
}

fn amount(amount: Option<Decimal>) -> Option<String> {
    amount.map(money::to_text)
}

fn call(call: &Call) -> Value {
    json!({
        "sid": call.sid.as_str(), "status": call.status.to_string(), "direction": call.direction,
        "from": call.from, "to": call.to, "parent_call_sid": call.parent_call_sid,
        "start_time": call.start_time, "end_time": call.end_time, "duration_s": call.duration,
        "price": amount(call.price), "price_unit": call.price_unit,
    })
}

fn message(message: &Message) -> Value {
    json!({
        "sid": message.sid.as_str(), "status": message.status.to_string(),
        "direction": message.direction.as_ref().map(ToString::to_string),
        "from": message.from, "to": message.to, "date_sent": message.date_sent,
        "num_segments": message.num_segments, "num_media": message.num_media,
        "error_code": message.error_code.map(|code| code.to_string()),
        "price": amount(message.price), "price_unit": message.price_unit,
    })
}
