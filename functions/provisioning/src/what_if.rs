//! `POST /v1/what-if`: what past days would have been charged under another plan. Nothing is written.
//!
//! Where the plan needs no more than the books hold, they are priced again; where it needs single calls, messages or
//! types of numbers, Twilio is asked. What cannot be told is said, tenant by tenant, never priced wrongly.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use domain::booking::fault_code;
use domain::detail::Item;
use domain::ids::{PlanId, TenantId, ulid};
use domain::money::to_text;
use domain::plan::{PricePlan, RuleSet};
use domain::rating::DaySheet;
use domain::tenant::Tenant;
use domain::usage::UsageRecord;
use domain::what_if::{PastDay, numbers_of, records_of, reprice};
use domain::{Date, Decimal};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use twilio::items;
use twilio::{UsageQuery, UsageSpan};

use crate::app::App;
use crate::books::Books;
use crate::days::Days;
use crate::extract::{JsonBody, page_limit};
use crate::plans::{NewPlan, parse};
use crate::problem::{Answer, Code, Failure, internal};
use crate::tenants::chosen_plan;
use crate::usage_items::listed;
use crate::view;

/// Days that are priced again.
const DAYS_MAX: usize = 95;
/// Days of which calls and messages are listed.
const ITEM_DAYS_MAX: usize = 31;
/// Tenants of a page.
const PAGE: usize = 10;
/// Tenants of a page at most.
const PAGE_MAX: usize = 50;

/// Another plan, and whose past days.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    plan_id: Option<String>,
    plan_version: Option<u32>,
    plan: Option<NewPlan>,
    from: Option<String>,
    to: Option<String>,
    tenant_id: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
    /// Leave the tenants' own rules out.
    #[serde(default)]
    without_overrides: bool,
}

/// Answers it.
pub async fn ask(
    State(app): State<Arc<App>>,
    JsonBody { value, .. }: JsonBody<Question>,
) -> Answer {
    let days = Days::parse(value.from.as_deref(), value.to.as_deref())?;
    if days.iter().count() > DAYS_MAX {
        return Err(Code::RANGE_INVALID.because(format!("at most {DAYS_MAX} days")));
    }
    let plan = match (&value.plan_id, &value.plan) {
        (Some(id), None) => chosen_plan(&app, id, value.plan_version).await?,
        (None, Some(plan)) => parse(plan, PlanId::from_ulid(ulid(0, 0)))?,
        _ => return Err(Code::BODY_INVALID.because("plan_id or plan, one of them")),
    };
    let (tenants, next_cursor) = tenants(&app, &value).await?;
    let mut rows = Vec::new();
    let mut total = (Decimal::ZERO, Decimal::ZERO);
    for tenant in tenants
        .iter()
        .filter(|tenant| tenant.currency == plan.currency)
    {
        let (row, sums) = priced(&app, tenant, &plan, days, value.without_overrides).await?;
        total = (total.0 + sums.0, total.1 + sums.1);
        rows.push(row);
    }
    let body = json!({
        "from": days.from,
        "to": days.to,
        "currency": plan.currency,
        "tenants": rows,
        "total": compared(total.0, total.1),
        "next_cursor": next_cursor,
    });
    Ok(view::json(StatusCode::OK, &body))
}

async fn tenants(app: &App, value: &Question) -> Result<(Vec<Tenant>, Option<String>), Failure> {
    let parsed = |text: &Option<String>| text.as_deref().map(TenantId::parse).transpose();
    if let Some(id) = parsed(&value.tenant_id).map_err(|_| Code::TENANT_NOT_FOUND)? {
        return Ok((vec![app.tenant(&id).await?], None));
    }
    let limit = page_limit(value.limit, PAGE, PAGE_MAX)?;
    let cursor = parsed(&value.cursor).map_err(|_| Code::QUERY_INVALID)?;
    let page = app.store.list_tenants(None, cursor.as_ref(), limit).await?;
    Ok((page.tenants, page.next_cursor.map(String::from)))
}

fn compared(charged: Decimal, what_if: Decimal) -> Value {
    json!({
        "charge": to_text(charged),
        "charge_what_if": to_text(what_if),
        "difference": to_text(what_if - charged),
    })
}

/// One tenant's row, and its sums: as booked, and under the other plan. One that cannot be told has no part in them.
async fn priced(
    app: &App,
    tenant: &Tenant,
    plan: &PricePlan,
    days: Days,
    without_overrides: bool,
) -> Result<(Value, (Decimal, Decimal)), Failure> {
    let books = Books::load(app, tenant, days).await?;
    let own = if without_overrides {
        &[]
    } else {
        tenant.overrides.as_slice()
    };
    let rules: BTreeMap<Date, RuleSet<'_>> = days
        .iter()
        .map(|day| (day, RuleSet::new(plan, own, day)))
        .collect();
    let past = match past_days(app, tenant, &books, &rules).await? {
        Ok(past) => past,
        Err(why) => {
            let row = json!({ "tenant_id": tenant.id, "not_told": why });
            return Ok((row, (Decimal::ZERO, Decimal::ZERO)));
        }
    };
    let (currency, calendar) = (tenant.currency, &books.calendar);
    let in_force = |day: Date| rules.get(&day);
    let shares = match reprice(&past.0, &past.1, currency, calendar, &in_force) {
        Ok(shares) => shares,
        Err((day, fault)) => {
            let row = json!({ "tenant_id": tenant.id, "not_told": fault_code(&fault), "day": day });
            return Ok((row, (Decimal::ZERO, Decimal::ZERO)));
        }
    };
    let mut by_category: BTreeMap<&str, (Decimal, Decimal)> = BTreeMap::new();
    let booked = books.shares(days);
    for share in &booked {
        by_category
            .entry(share.key.category.as_str())
            .or_default()
            .0 += share.charge;
    }
    for share in &shares {
        by_category
            .entry(share.key.category.as_str())
            .or_default()
            .1 += share.charge;
    }
    let sums = by_category
        .values()
        .fold((Decimal::ZERO, Decimal::ZERO), |sum, part| {
            (sum.0 + part.0, sum.1 + part.1)
        });
    let mut row = compared(sums.0, sums.1);
    let categories = by_category.into_iter();
    let categories = categories.map(|(name, part)| (name.to_owned(), compared(part.0, part.1)));
    row["tenant_id"] = json!(tenant.id);
    row["by_category"] = Value::Object(categories.collect());
    Ok((row, sums))
}

type Past = (Vec<PastDay>, Vec<Item>);

/// What is known of each day, or the name of what is not.
async fn past_days(
    app: &App,
    tenant: &Tenant,
    books: &Books,
    rules: &BTreeMap<Date, RuleSet<'_>>,
) -> Result<Result<Past, &'static str>, Failure> {
    let needs_more = rules.values().any(|rules| !rules.needs_records_only());
    if needs_more && rules.len() > ITEM_DAYS_MAX {
        return Err(
            Code::RANGE_INVALID.because(format!("at most {ITEM_DAYS_MAX} days for this plan"))
        );
    }
    let live = if needs_more {
        live_records(app, tenant, rules).await?
    } else {
        Vec::new()
    };
    let wanted = items::wanted(&rules.keys().copied().collect::<Vec<_>>(), |day| {
        rules.get(day)
    });
    let single = listed(app, tenant, &wanted).await?;
    let booked_fee = books.rules();
    let holdings = app.store.pull_state(&tenant.id).await?.holdings;
    let mut past = Vec::new();
    for (day, in_force) in rules {
        let sheet = books.sheets.iter().find(|sheet| sheet.day == *day);
        if sheet.is_some_and(|sheet| sheet.held.is_some()) {
            return Ok(Err("held_day"));
        }
        let was_counted = booked_fee.get(day).is_some_and(RuleSet::has_number_fee);
        let numbers = match sheet {
            Some(sheet) if was_counted => numbers_of(sheet),
            _ if !in_force.has_number_fee() => 0,
            _ if holdings.seen.is_some() => holdings.count_on(*day),
            // Which numbers were held when is recorded only while a plan has a fee for them.
            _ => return Ok(Err("numbers_held")),
        };
        let records = if needs_more {
            live.iter()
                .filter(|record| record.day == *day)
                .cloned()
                .collect()
        } else {
            records_of(sheet.unwrap_or(&DaySheet::empty(*day)), tenant.currency)
        };
        past.push(PastDay {
            day: *day,
            records,
            in_service: tenant.in_service_on(*day),
            numbers,
        });
    }
    Ok(Ok((past, single)))
}

async fn live_records(
    app: &App,
    tenant: &Tenant,
    rules: &BTreeMap<Date, RuleSet<'_>>,
) -> Result<Vec<UsageRecord>, Failure> {
    let account_sid = tenant.account_sid.as_ref();
    let account_sid = account_sid.ok_or_else(|| internal("a tenant without a subaccount"))?;
    let days = rules.keys().next().zip(rules.keys().next_back());
    let Some((first, last)) = days else {
        return Ok(Vec::new());
    };
    let query = UsageQuery::of(UsageSpan::Daily).between(*first, *last);
    let rows = app.main.call(|main| {
        let query = &query;
        async move {
            app.twilio
                .list_usage(&main.into(), account_sid, query)
                .await
        }
    });
    let rows = rows.await?;
    Ok(crate::reconciliation::plain(&rows))
}
