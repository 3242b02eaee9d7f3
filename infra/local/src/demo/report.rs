//! What came out, read over HTTP and from the emulator's counters.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;

use super::client::Api;
use super::cost::{Cost, Counted, Units, cost};
use super::life::Life;
use super::scenario::{Outcome, text};
use super::statements::Written;
use super::{DemoError, Options, START};
use crate::aws::{CallKey, Counters, Service};
use crate::stack::Stack;

/// The demo's result; `--json` prints it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) tenants: Vec<TenantRow>,
    pub(crate) totals: Totals,
    pub(crate) reconciliation: Reconciliation,
    pub(crate) statements: Vec<Written>,
    pub(crate) margin: Vec<MarginRow>,
    pub(crate) counters: CounterRows,
    pub(crate) cost: Cost,
    pub(crate) suspended: Vec<Suspended>,
    pub(crate) reactivated: Vec<Reactivated>,
    pub(crate) life: Life,
}

/// One tenant's month.
#[derive(Debug, Serialize)]
pub(crate) struct TenantRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) plan: String,
    pub(crate) status: String,
    pub(crate) messages: String,
    pub(crate) minutes: String,
    pub(crate) cost: String,
    pub(crate) charged: String,
    pub(crate) margin: String,
    pub(crate) balance: String,
}

/// Sums over all tenants.
#[derive(Debug, Serialize)]
pub(crate) struct Totals {
    pub(crate) cost: String,
    pub(crate) charged: String,
    pub(crate) margin: String,
    pub(crate) balance: String,
}

/// Twilio's books against ours.
#[derive(Debug, Serialize)]
pub(crate) struct Reconciliation {
    /// `totalprice` of the main account with its subaccounts, read from Twilio after the last pull.
    pub(crate) twilio_total: String,
    /// Cost in the tenants' ledgers.
    pub(crate) ledger_cost_total: String,
    pub(crate) difference: String,
    /// What `GET /v1/reconciliation` says of the same days.
    pub(crate) api_difference: String,
    /// The same by category.
    pub(crate) by_category: Vec<Value>,
    /// Variances that the daily comparisons found and that still stand.
    pub(crate) open_variances: usize,
}

/// What a category earned.
#[derive(Debug, Serialize)]
pub(crate) struct MarginRow {
    pub(crate) category: String,
    pub(crate) cost: String,
    pub(crate) charge: String,
    pub(crate) margin: String,
}

/// Counts and what they come to for one callback and one run.
#[derive(Debug, Serialize)]
pub(crate) struct CounterRows {
    pub(crate) callbacks: u64,
    pub(crate) callbacks_duplicate: u64,
    pub(crate) pulls: u64,
    pub(crate) pulls_booked: u64,
    pub(crate) twilio_requests: u64,
    pub(crate) aws_calls: u64,
    pub(crate) per_callback: PerThing,
    pub(crate) per_pull: PerThing,
    pub(crate) per_booked_pull: PerThing,
    pub(crate) by_function: BTreeMap<String, FunctionCount>,
}

/// What one thing costs in calls and units.
#[derive(Debug, Serialize)]
pub(crate) struct PerThing {
    pub(crate) aws_calls: String,
    pub(crate) read_units: String,
    pub(crate) write_units: String,
    pub(crate) twilio_requests: String,
}

/// One function's share.
#[derive(Debug, Default, Serialize)]
pub(crate) struct FunctionCount {
    pub(crate) aws_calls: u64,
    pub(crate) read_units: String,
    pub(crate) write_units: String,
}

/// A suspension, as the bus told it.
#[derive(Debug, Serialize)]
pub(crate) struct Suspended {
    pub(crate) tenant_id: String,
    pub(crate) at: String,
    pub(crate) calls_ended: u64,
}

/// A reactivation, as the bus told it.
#[derive(Debug, Serialize)]
pub(crate) struct Reactivated {
    pub(crate) tenant_id: String,
    pub(crate) at: String,
}

/// Reads everything.
pub(crate) async fn collect(
    options: &Options,
    stack: &Stack,
    api: &Api,
    outcome: &Outcome,
    statements: Vec<Written>,
    life: Life,
) -> Result<Report, DemoError> {
    let from = &START[..10];
    let to = stack.clock.now().to_string()[..10].to_owned();
    let counters = counters(stack);
    let mut tenants = Vec::new();
    for id in &outcome.tenants {
        tenants.push(tenant_row(api, id, from, &to).await?);
    }
    let sum = |field: fn(&TenantRow) -> &str| -> Result<Decimal, DemoError> {
        tenants.iter().map(|row| decimal(field(row))).sum()
    };
    let totals = Totals {
        cost: amount(sum(|row| &row.cost)?),
        charged: amount(sum(|row| &row.charged)?),
        margin: amount(sum(|row| &row.margin)?),
        balance: amount(sum(|row| &row.balance)?),
    };
    let reconciliation = reconciliation(api, sum(|row| &row.cost)?, from, &to).await?;
    let (suspended, reactivated) = bus_facts(stack);
    debug_assert_eq!(tenants.len(), options.tenants as usize);
    let cost = cost(&counters.1);
    Ok(Report {
        life,
        tenants,
        totals,
        reconciliation,
        statements,
        margin: margin(api, from, &to).await?,
        counters: counters.0,
        cost,
        suspended,
        reactivated,
    })
}

/// All tenants' margins by category; pages of tenants add up.
async fn margin(api: &Api, from: &str, to: &str) -> Result<Vec<MarginRow>, DemoError> {
    let mut sums: BTreeMap<String, (Decimal, Decimal)> = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/margin?from={from}&to={to}&by=category{cursor}");
        let page = api.get(&path).await?;
        let rows = page.pointer("/currencies/0/rows").and_then(Value::as_array);
        for row in rows.into_iter().flatten() {
            let sum = sums.entry(text(row, "/category")?).or_default();
            sum.0 += decimal(&text(row, "/cost")?)?;
            sum.1 += decimal(&text(row, "/charge")?)?;
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let rows = sums
        .into_iter()
        .map(|(category, (cost, charge))| MarginRow {
            category,
            cost: amount(cost),
            charge: amount(charge),
            margin: amount(charge - cost),
        });
    Ok(rows.collect())
}

async fn tenant_row(api: &Api, id: &str, from: &str, to: &str) -> Result<TenantRow, DemoError> {
    let tenant = api.get(&format!("/v1/tenants/{id}")).await?;
    let usage = api
        .get(&format!(
            "/v1/tenants/{id}/usage?from={from}&to={to}&by=category"
        ))
        .await?;
    let sum = |categories: &[&str], field: &str| -> Result<Decimal, DemoError> {
        let rows = usage["rows"]
            .as_array()
            .ok_or("no rows in the usage answer")?;
        let wanted = rows.iter().filter(|row| {
            categories
                .iter()
                .any(|category| row["category"] == *category)
        });
        wanted.map(|row| decimal(&text(row, field)?)).sum()
    };
    let messages = sum(
        &["sms-inbound", "sms-outbound", "mms-inbound", "mms-outbound"],
        "/count",
    )?;
    let minutes = sum(&["calls-inbound", "calls-outbound"], "/usage")?;
    let cost = decimal(&text(&tenant, "/cost")?)?;
    let charged = decimal(&text(&tenant, "/charged")?)?;
    Ok(TenantRow {
        id: id.to_owned(),
        name: text(&tenant, "/name")?,
        plan: plan_name(api, &tenant).await?,
        status: text(&tenant, "/status")?,
        messages: amount(messages),
        minutes: amount(minutes),
        cost: amount(cost),
        charged: amount(charged),
        margin: amount(charged - cost),
        balance: text(&tenant, "/balance")?,
    })
}

async fn plan_name(api: &Api, tenant: &Value) -> Result<String, DemoError> {
    let (id, version) = (text(tenant, "/plan/plan_id")?, &tenant["plan"]["version"]);
    let plan = api
        .get(&format!("/v1/plans/{id}/versions/{version}"))
        .await?;
    text(&plan, "/name")
}

/// Twilio's side is one fresh read of the main account; the ledger's is what the tenants' wallets say.
async fn reconciliation(
    api: &Api,
    ledger: Decimal,
    from: &str,
    to: &str,
) -> Result<Reconciliation, DemoError> {
    let page = api
        .twilio(&format!(
            "/Usage/Records.json?Category=totalprice&StartDate={from}&EndDate={to}"
        ))
        .await?;
    let price = page
        .pointer("/usage_records/0/price")
        .ok_or("no totalprice in Twilio's answer")?;
    let twilio = decimal(
        &price
            .as_str()
            .map_or_else(|| price.to_string(), str::to_owned),
    )?;
    let api_view = api
        .get(&format!("/v1/reconciliation?from={from}&to={to}"))
        .await?;
    let path = format!("/v1/reconciliation/variances?from={from}&to={to}&state=open");
    let open = api.get(&path).await?;
    Ok(Reconciliation {
        twilio_total: amount(twilio),
        ledger_cost_total: amount(ledger),
        difference: amount(twilio - ledger),
        api_difference: text(&api_view, "/difference")?,
        by_category: api_view["by_category"]
            .as_array()
            .cloned()
            .unwrap_or_default(),
        open_variances: open["variances"].as_array().map_or(0, Vec::len),
    })
}

fn counters(stack: &Stack) -> (CounterRows, Counted) {
    let counters = stack.aws.counters();
    let twilio = stack.sim.counters();
    let callbacks = twilio.callbacks.accepted;
    let tables = |caller: &'static str| {
        move |key: &CallKey| key.caller == caller && key.service == Service::DynamoDb
    };
    let webhook = counters.total(tables("tollgate-webhook"));
    let marks = counters.total(|key| {
        key.caller == "tollgate-relay"
            && key.operation == "PutItem"
            && key.resource.ends_with("-due")
    });
    let reads = counters
        .total(|key| key.caller == "tollgate-usage-puller" && key.operation == "BatchGetItem");
    let books = counters.total(|key| {
        key.caller == "tollgate-usage-puller" && key.operation == "TransactWriteItems"
    });
    let pull_marks =
        counters.total(|key| key.caller == "tollgate-usage-puller" && key.operation == "PutItem");
    let all_pulls = counters.total(tables("tollgate-usage-puller"));
    let twilio_pulls = twilio
        .by_route
        .get("GET /Usage/Records/Daily")
        .copied()
        .unwrap_or_default();
    let per_run_reads = |things: u64| {
        reads
            .read_halves
            .saturating_mul(things)
            .checked_div(reads.calls)
            .unwrap_or_default()
    };
    // The booked runs' part of what every run does.
    let of_booked = |count: u64| {
        let part = count.saturating_mul(books.calls).checked_div(twilio_pulls);
        part.unwrap_or_default()
    };
    let per_run_requests = twilio_pulls
        .saturating_mul(books.calls)
        .checked_div(reads.calls)
        .unwrap_or_default();
    let booked = Units {
        things: books.calls,
        calls: books.calls + pull_marks.calls + of_booked(reads.calls),
        read_halves: per_run_reads(books.calls),
        write_halves: write_halves(&counters) + pull_marks.write_halves,
    };
    let unchanged = Units {
        things: reads.calls,
        calls: reads.calls,
        read_halves: reads.read_halves,
        write_halves: 0,
    };
    let per_callback = Units {
        things: callbacks,
        calls: webhook.calls + marks.calls,
        read_halves: webhook.read_halves + marks.read_halves,
        write_halves: webhook.write_halves + marks.write_halves,
    };
    let per_pull = Units {
        things: twilio_pulls,
        calls: all_pulls.calls,
        read_halves: all_pulls.read_halves,
        write_halves: all_pulls.write_halves,
    };
    let rows = CounterRows {
        callbacks,
        callbacks_duplicate: twilio.callbacks.duplicates,
        pulls: twilio_pulls,
        pulls_booked: books.calls,
        twilio_requests: twilio.requests,
        aws_calls: counters.total(|_| true).calls,
        per_callback: per_thing(per_callback, 0),
        per_pull: per_thing(per_pull, twilio_pulls),
        per_booked_pull: per_thing(booked, per_run_requests),
        by_function: by_function(&counters),
    };
    (
        rows,
        Counted {
            callbacks: per_callback,
            booked,
            unchanged,
        },
    )
}

fn write_halves(counters: &Counters) -> u64 {
    counters
        .total(|key| key.caller == "tollgate-usage-puller" && key.operation == "TransactWriteItems")
        .write_halves
}

fn per_thing(units: Units, twilio_requests: u64) -> PerThing {
    let requests = Units {
        calls: twilio_requests,
        ..units
    };
    PerThing {
        aws_calls: rounded(units.calls_each()),
        read_units: rounded(units.reads_each()),
        write_units: rounded(units.writes_each()),
        twilio_requests: rounded(requests.calls_each()),
    }
}

fn by_function(counters: &Counters) -> BTreeMap<String, FunctionCount> {
    let mut functions: BTreeMap<String, FunctionCount> = BTreeMap::new();
    let callers: std::collections::BTreeSet<&str> = counters
        .rows()
        .map(|(key, _)| key.caller.as_str())
        .collect();
    for caller in callers.into_iter().filter(|caller| !caller.is_empty()) {
        let total = counters.total(|key| key.caller == caller);
        let count = FunctionCount {
            aws_calls: total.calls,
            read_units: amount(Decimal::from(total.read_halves) / Decimal::TWO),
            write_units: amount(Decimal::from(total.write_halves) / Decimal::TWO),
        };
        functions.insert(caller.trim_start_matches("tollgate-").to_owned(), count);
    }
    functions
}

fn bus_facts(stack: &Stack) -> (Vec<Suspended>, Vec<Reactivated>) {
    let mut suspended = Vec::new();
    let mut reactivated = Vec::new();
    for event in stack.aws.events_since(0) {
        let tenant_id = event.detail["tenant_id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let at = event.at.to_string();
        match event.detail_type.as_str() {
            "tenant.suspended" => {
                let calls_ended = event
                    .detail
                    .pointer("/data/calls_ended")
                    .and_then(Value::as_u64)
                    .unwrap_or_default();
                suspended.push(Suspended {
                    tenant_id,
                    at,
                    calls_ended,
                });
            }
            "tenant.reactivated" => reactivated.push(Reactivated { tenant_id, at }),
            _ => {}
        }
    }
    (suspended, reactivated)
}

fn decimal(text: &str) -> Result<Decimal, DemoError> {
    Ok(Decimal::from_str_exact(text)?)
}

fn amount(value: Decimal) -> String {
    let value = value.normalize();
    if value.is_zero() {
        "0".to_owned()
    } else {
        value.to_string()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a figure for people, not money that is booked"
)]
fn rounded(value: Decimal) -> String {
    amount(value.round_dp(2))
}
