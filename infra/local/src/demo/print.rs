//! The report for people.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table};
use rust_decimal::Decimal;

use super::Options;
use super::report::{Report, TenantRow};
use crate::stack::Stack;

/// Statements that are listed; all of them are files.
const STATEMENTS_SHOWN: usize = 6;

/// The whole report.
pub(crate) fn text(report: &Report, options: &Options) -> String {
    let mut out = String::new();
    let counters = &report.counters;
    let reconciliation = &report.reconciliation;
    writeln!(out, "{}", table(report)).ok();
    for suspended in &report.suspended {
        writeln!(
            out,
            "suspended    {} at {}, {} live call(s) ended",
            suspended.tenant_id, suspended.at, suspended.calls_ended
        )
        .ok();
    }
    for reactivated in &report.reactivated {
        writeln!(
            out,
            "reactivated  {} at {}",
            reactivated.tenant_id, reactivated.at
        )
        .ok();
    }
    writeln!(
        out,
        "\nReconciliation ({} days of traffic, seed {})",
        options.days, options.seed
    )
    .ok();
    writeln!(
        out,
        "  Twilio, main account with subaccounts  {:>14}  (read from Twilio after the last pull)",
        reconciliation.twilio_total
    )
    .ok();
    writeln!(
        out,
        "  ledger, cost of all tenants            {:>14}",
        reconciliation.ledger_cost_total
    )
    .ok();
    writeln!(
        out,
        "  difference                             {:>14}",
        reconciliation.difference
    )
    .ok();
    writeln!(out, "{}", categories(report)).ok();
    writeln!(
        out,
        "  variances of the daily comparisons still open {}",
        reconciliation.open_variances
    )
    .ok();
    writeln!(out, "\nMargin by category\n{}", margins(report)).ok();
    out.push_str(&statements(report));
    writeln!(out, "\nWork: {} callbacks ({} sent twice), {} pulls ({} transactions), {} Twilio requests, {} AWS calls", counters.callbacks, counters.callbacks_duplicate, counters.pulls, counters.pulls_booked, counters.twilio_requests, counters.aws_calls).ok();
    for (name, each) in [
        ("callback", &counters.per_callback),
        ("pull", &counters.per_pull),
        ("pull that books", &counters.per_booked_pull),
    ] {
        writeln!(out, "  per {name:<16} {:>5} AWS calls, {:>5} read units, {:>5} write units, {:>4} Twilio requests", each.aws_calls, each.read_units, each.write_units, each.twilio_requests).ok();
    }
    let cost = &report.cost;
    writeln!(out, "\nCost ({})", cost.basis).ok();
    writeln!(
        out,
        "  ${} per million callbacks",
        cost.dollars_per_million_callbacks
    )
    .ok();
    writeln!(
        out,
        "  ${} per 1,000 tenants and month to pull, rate and book ({})",
        cost.dollars_per_thousand_tenants_month, cost.load
    )
    .ok();
    writeln!(
        out,
        "  ${} per 1,000 tenants and month for their secrets",
        cost.secrets_per_thousand_tenants_month
    )
    .ok();
    out.push_str(&life(report));
    out
}

/// A tenant's life besides its traffic.
fn life(report: &Report) -> String {
    let (rotation, closing) = (&report.life.rotation, &report.life.closing);
    let mut out = String::new();
    for migration in &report.life.migrations {
        write!(
            out,
            "\nMigration ({}, {}): {} of {} numbers live, {}",
            migration.kind,
            migration.tenant_id,
            migration.numbers_live,
            migration.numbers,
            if migration.is_verified {
                "verified against Twilio"
            } else {
                "NOT verified"
            },
        )
        .ok();
    }
    out + &format!(
        "\nA tenant's life ({})\n  \
         auth token {} while {} callbacks were sent: {} accepted, {} refused\n  \
         {}: {} live call(s) ended, {} numbers rescued to the main account, {} paid back, balance {}, {} files archived",
        closing.tenant_id,
        rotation.state,
        rotation.callbacks,
        rotation.accepted,
        rotation.refused,
        closing.lifecycle,
        closing.live_calls_ended,
        closing.numbers_rescued,
        closing.refunded,
        closing.balance,
        closing.files_archived,
    )
}

/// What to try while the stack goes on serving.
pub(crate) fn invitation(stack: &Stack, report: &Report) -> String {
    let base = &stack.base_url;
    let tenant = report.tenants.first().map_or("", |row| row.id.as_str());
    let from = &super::START[..10];
    let to = &stack.clock.now().to_string()[..10];
    format!(
        "\nServing at {base} in real time until Ctrl-C. Try:\n  \
         export KEY={key}\n  \
         curl -s -H \"Authorization: Bearer $KEY\" {base}/v1/tenants/{tenant}\n  \
         curl -s -H \"Authorization: Bearer $KEY\" '{base}/v1/tenants/{tenant}/usage?from={from}&to={to}&by=category'\n  \
         curl -s -H \"Authorization: Bearer $KEY\" '{base}/v1/tenants/{tenant}/ledger?limit=3'\n  \
         curl -s -H \"Authorization: Bearer $KEY\" '{base}/v1/reconciliation?from={from}&to={to}'\n  \
         curl -s -X POST {base}/_local/advance -d '{{\"seconds\": 3600}}'",
        key = stack.operator_key,
    )
}

/// How many statements there are, and the first of them.
fn statements(report: &Report) -> String {
    let mut out = String::new();
    let finals = report.statements.iter().filter(|one| one.number.is_some());
    let (count, last) = (finals.clone().count(), report.statements.last());
    let folder = last.map_or("", |one| {
        one.file.rsplit_once('/').map_or("", |(folder, _)| folder)
    });
    writeln!(
        out,
        "\nStatements: {count} final, {} previews, as pages, tables and JSON in {folder}/",
        report.statements.len() - count
    )
    .ok();
    for one in report.statements.iter().take(STATEMENTS_SHOWN) {
        let number = one.number.as_deref().unwrap_or("preview");
        writeln!(
            out,
            "  {number:<12} {:<6} net {:>9} tax {:>8} gross {:>9} due {:>9}",
            one.state, one.net, one.tax, one.gross, one.due
        )
        .ok();
    }
    out
}

/// Twilio's figures and the books, by category.
fn categories(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY);
    table.set_header(["category", "Twilio", "main account", "ledger", "difference"]);
    for row in &report.reconciliation.by_category {
        let cell = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        table.add_row([
            cell("category"),
            money(&cell("twilio")),
            money(&cell("main_account_own")),
            money(&cell("ledger")),
            cell("difference"),
        ]);
    }
    right(&mut table, 1);
    table
}

/// What each category earned.
fn margins(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY);
    table.set_header(["category", "cost", "charge", "margin"]);
    for row in &report.margin {
        table.add_row([
            row.category.clone(),
            money(&row.cost),
            money(&row.charge),
            money(&row.margin),
        ]);
    }
    right(&mut table, 1);
    table
}

fn right(table: &mut Table, from: usize) {
    for column in table.column_iter_mut().skip(from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn table(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "tenant",
        "plan",
        "status",
        "messages",
        "minutes",
        "Twilio cost",
        "charged",
        "margin",
        "balance",
    ]);
    for row in &report.tenants {
        table.add_row(cells(row));
    }
    let totals = &report.totals;
    table.add_row([
        "all".to_owned(),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        money(&totals.cost),
        money(&totals.charged),
        money(&totals.margin),
        money(&totals.balance),
    ]);
    right(&mut table, 3);
    table
}

fn cells(row: &TenantRow) -> [String; 9] {
    [
        row.name.clone(),
        row.plan.clone(),
        row.status.clone(),
        row.messages.clone(),
        row.minutes.clone(),
        money(&row.cost),
        money(&row.charged),
        money(&row.margin),
        money(&row.balance),
    ]
}

/// Four decimals for the eye; the JSON has them all.
#[expect(
    clippy::disallowed_methods,
    reason = "a figure for people, not money that is booked"
)]
fn money(text: &str) -> String {
    Decimal::from_str_exact(text).map_or_else(
        |_| text.to_owned(),
        |value| format!("{:.4}", value.round_dp(4)),
    )
}
