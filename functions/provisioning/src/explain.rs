//! `GET .../explain`: why a booked line is charged what it is charged, from its rule to the lots that paid.

use std::sync::Arc;

use axum::extract::State;
use domain::explain::{Step, reasons, steps};
use domain::ids::TenantId;
use domain::ledger::Entry;
use domain::lots::Part;
use domain::plan::{Origin, RuleId, RuleSet};
use domain::rating::{DaySheet, PeriodKey, PeriodLine, SheetLine};
use domain::usage::{Category, LineKey, Quantities};
use domain::{Date, Decimal, money};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::books::Books;
use crate::days::Days;
use crate::extract::{Params, TenantPath};
use crate::money_act::with_wallet;
use crate::problem::{Answer, Code, Failure};
use crate::view::{self, PlanView};

/// Entries that are read at once.
const ENTRIES: usize = 500;

/// A day and category, or a billing period; and a rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainParams {
    day: Option<Date>,
    category: Option<String>,
    period: Option<Date>,
    rule: Option<String>,
}

/// Explains a day's lines of a category, or a period's charges by a rule.
pub async fn read(
    State(app): State<Arc<App>>,
    TenantPath(id): TenantPath,
    Params(params): Params<ExplainParams>,
) -> Answer {
    let tenant = with_wallet(&app, &id).await?;
    let rule = params.rule.as_deref().map(RuleId::parse);
    let rule = rule
        .map(|rule| rule.ok_or(Code::QUERY_INVALID))
        .transpose()?;
    let ((Some(day), None) | (None, Some(day))) = (params.day, params.period) else {
        return Err(Code::QUERY_INVALID.because("day and category, or period and rule"));
    };
    let span = match params.period {
        None => Days { from: day, to: day },
        Some(start) => {
            let calendar = tenant
                .billing
                .calendar()
                .map_err(crate::problem::internal)?;
            let period = calendar.named(start).ok_or(Code::LINE_NOT_FOUND)?;
            Days {
                from: period.first_day,
                to: period.last_day,
            }
        }
    };
    let books = Books::load(&app, &tenant, span).await?;
    let entries = usage_entries(&app, &id).await?;
    let lines = if params.period.is_some() {
        let rule = rule.ok_or_else(|| Code::QUERY_INVALID.because("a period needs a rule"))?;
        period_lines(&books, &entries, day, &rule)
    } else {
        let category = params.category.as_deref().and_then(Category::parse);
        let category =
            category.ok_or_else(|| Code::QUERY_INVALID.because("category is unknown"))?;
        day_lines(&books, &entries, day, &category, rule.as_ref())
    };
    if lines.is_empty() {
        return Err(Code::LINE_NOT_FOUND.into());
    }
    let body = json!({ "currency": tenant.currency, "lines": lines });
    Ok(view::json(StatusCode::OK, &body))
}

async fn usage_entries(app: &App, id: &TenantId) -> Result<Vec<Entry>, Failure> {
    let (mut found, mut head, mut after) = (Vec::new(), String::new(), 0);
    loop {
        let page = app.store.chain_page(id, after, &head, ENTRIES).await?;
        (head, after) = (page.head, page.last);
        let entries = page.entries.into_iter();
        found.extend(entries.filter(|entry| !entry.lines.is_empty()));
        if page.is_last {
            return Ok(found);
        }
    }
}

fn day_lines(
    books: &Books,
    entries: &[Entry],
    day: Date,
    category: &Category,
    rule: Option<&RuleId>,
) -> Vec<Value> {
    let rules = books.rules();
    let sheet = books.sheets.iter().find(|sheet| sheet.day == day);
    let (Some(sheet), Some(rules)) = (sheet, rules.get(&day)) else {
        return Vec::new();
    };
    let lines = sheet
        .lines
        .iter()
        .filter(|(key, _)| key.category == *category && rule.is_none_or(|rule| key.rule == *rule));
    lines
        .map(|(key, line)| day_line(books, entries, rules, sheet, key, line))
        .collect()
}

fn day_line(
    books: &Books,
    entries: &[Entry],
    rules: &RuleSet<'_>,
    sheet: &DaySheet,
    key: &LineKey,
    line: &SheetLine,
) -> Value {
    let mut shown = base(rules, &key.rule, Some(&key.category), &line.quantities);
    let is_of_period = rules
        .by_id(&key.rule)
        .is_some_and(|rule| rule.model.is_of_period());
    let period = books.calendar.period_of(sheet.day);
    if is_of_period {
        // The amount is the period's: this day has only a share of it.
        shown["charged_by_period"] = json!(period.start.to_string());
    } else {
        calculate(
            &mut shown,
            rules,
            &key.rule,
            line.charge,
            &line.quantities,
            1,
            &key.category,
        );
    }
    let booked = entries.iter().flat_map(|entry| {
        let of_line = |line: &&domain::rating::LineDelta| line.day == sheet.day && line.key == *key;
        entry
            .lines
            .iter()
            .filter(of_line)
            .map(move |line| (entry, line))
    });
    shown["day"] = json!(sheet.day.to_string());
    shown["category"] = json!(key.category);
    shown["as_of"] = json!(sheet.as_of);
    shown["booked_by"] = booked
        .map(|(entry, line)| {
            json!({ "entry": entry.seq, "at": entry.at, "as_of": line.as_of,
                "cost": money::to_text(line.cost), "charge": money::to_text(line.charge) })
        })
        .collect();
    shown["day_paid_by"] = paid(&sheet.paid);
    shown
}

fn period_lines(books: &Books, entries: &[Entry], start: Date, rule: &RuleId) -> Vec<Value> {
    let rules = books.rules();
    let sheet = books.periods.iter().find(|sheet| sheet.start == start);
    let lines = sheet.into_iter().flat_map(|sheet| &sheet.rules);
    let lines = lines.filter(|(key, _)| key.rule == *rule);
    lines
        .filter_map(|(key, line)| {
            let in_force = books.sheets.iter().find_map(|sheet| {
                let rules = rules.get(&sheet.day)?;
                let holds = rules.by_id(rule).is_some() && rules.origin(rule) == key.origin;
                (holds && books.calendar.period_of(sheet.day).start == start).then_some(rules)
            })?;
            Some(period_line(books, entries, in_force, start, key, line))
        })
        .collect()
}

fn period_line(
    books: &Books,
    entries: &[Entry],
    rules: &RuleSet<'_>,
    start: Date,
    key: &PeriodKey,
    line: &PeriodLine,
) -> Value {
    let period = books.calendar.named(start);
    let days = period.map_or(1, |period| period.days());
    let mut shown = base(rules, &key.rule, None, &line.sums);
    let unit = Category::OTHER;
    calculate(
        &mut shown,
        rules,
        &key.rule,
        line.charge,
        &line.sums,
        days,
        &unit,
    );
    let booked = entries.iter().flat_map(|entry| {
        let of_rule =
            |line: &&domain::rating::PeriodDelta| line.period == start && line.key == *key;
        entry
            .periods
            .iter()
            .filter(of_rule)
            .map(move |line| (entry, line))
    });
    shown["period"] = json!(start.to_string());
    shown["period_days"] = json!(days);
    shown["booked_by"] = booked
        .map(|(entry, line)| {
            json!({ "entry": entry.seq, "at": entry.at, "last_day": line.day.to_string(), "charge": money::to_text(line.charge) })
        })
        .collect();
    shown["paid_by"] = paid(&line.paid);
    shown
}

/// The rule, where it comes from, why it matched and what it was given.
fn base(
    rules: &RuleSet<'_>,
    id: &RuleId,
    category: Option<&Category>,
    quantities: &Quantities,
) -> Value {
    let written = rules.written(id);
    let origin = match rules.origin(id) {
        Origin::Plan(plan) => json!({ "plan": PlanView::from(&plan) }),
        Origin::Override => {
            let own = rules.overrides().iter().find(|own| own.rule.id == *id);
            json!({ "override": own.map(|own| own.number) })
        }
    };
    let why = written
        .as_ref()
        .zip(category)
        .map(|(rule, category)| reasons(rule, category));
    json!({
        "rule": written,
        "origin": origin,
        "reasons": why,
        "inputs": {
            "count": money::to_text(quantities.count),
            "usage": money::to_text(quantities.usage),
            "cost": money::to_text(quantities.cost),
            "seconds": money::to_text(quantities.seconds),
        },
    })
}

fn calculate(
    shown: &mut Value,
    rules: &RuleSet<'_>,
    id: &RuleId,
    booked: Decimal,
    quantities: &Quantities,
    period_days: i64,
    category: &Category,
) {
    let Some(rule) = rules.by_id(id) else { return };
    let unit = category.usage_unit();
    let steps = steps(rule.model, rule.margin_floor, quantities, period_days, unit);
    let computed = steps.last().map_or(Decimal::ZERO, |step| step.amount);
    shown["steps"] = steps.iter().map(step).collect();
    shown["charge"] = json!(money::to_text(booked));
    shown["agrees"] = json!(computed == booked);
}

fn step(step: &Step) -> Value {
    json!({ "text": step.text, "amount": money::to_text(step.amount) })
}

fn paid(parts: &[Part]) -> Value {
    let shown = parts
        .iter()
        .map(|part| json!({ "lot": part.lot.id, "class": part.lot.class, "amount": money::to_text(part.amount) }));
    shown.collect()
}
