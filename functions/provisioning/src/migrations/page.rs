//! A migration as a page for people. Everything that the template shows is escaped by it.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::ids::AccountSid;
use domain::migration::{CheckListEntry, ItemState, Kind, Migration, check_list};
use http::{HeaderValue, header};
use jiff::Timestamp;

use super::MigrationPath;
use super::change::load;
use super::shown::texts;
use crate::app::App;
use crate::problem::{Answer, internal};

#[derive(Template)]
#[template(path = "migration.html")]
struct Page {
    id: String,
    kind: &'static str,
    state: &'static str,
    client: String,
    facts: Vec<(&'static str, String)>,
    numbers: Vec<NumberRow>,
    check_list: Vec<CheckListEntry>,
    checks: Vec<CheckRow>,
    verified_at: Option<String>,
    tickets: Vec<(&'static str, String)>,
}

struct NumberRow {
    phone_number: String,
    state: &'static str,
    detail: String,
    since: String,
}

struct CheckRow {
    what: String,
    subject: String,
    expected: String,
    found: String,
    mark: &'static str,
}

fn moment(at: Timestamp) -> String {
    at.strftime("%-d %B %Y, %H:%M GMT").to_string()
}

fn facts(migration: &Migration) -> Vec<(&'static str, String)> {
    let optional = [
        ("Client's e-mail", migration.client_email.clone()),
        ("Losing account", Some(migration.losing_sid.to_string())),
        (
            "Gaining subaccount",
            migration.gaining_sid.as_ref().map(AccountSid::to_string),
        ),
        ("Asked for", Some(moment(migration.asked_at))),
        ("Operator's ticket", migration.operator_ticket.clone()),
        ("Client's ticket", migration.client_ticket.clone()),
        ("Waited for until", migration.watch_until.map(moment)),
        ("Cut-over", migration.cut_over_at.map(moment)),
        (
            "Credentials handed over",
            migration.hand_over.as_ref().map(|given| moment(given.at)),
        ),
        ("Confirmed", migration.confirmed_at.map(moment)),
        (
            "Wanted back",
            migration
                .rollback
                .as_ref()
                .map(|rollback| format!("{}: {}", moment(rollback.at), rollback.reason)),
        ),
        ("Goes on at", migration.next_at.map(moment)),
    ];
    let known = optional.into_iter();
    known
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

fn numbers(migration: &Migration) -> Vec<NumberRow> {
    let rows = migration.items.iter().map(|item| NumberRow {
        phone_number: item.phone_number.clone(),
        state: item.state.name(),
        detail: match &item.state {
            ItemState::Blocked { reason, note } => {
                let note = note.as_ref().map(|note| format!(" ({note})"));
                format!("{reason}{}", note.unwrap_or_default())
            }
            _ => String::new(),
        },
        since: item
            .history
            .last()
            .map(|reached| moment(reached.at))
            .unwrap_or_default(),
    });
    rows.collect()
}

fn checks(migration: &Migration) -> Vec<CheckRow> {
    let checks = migration.verification.iter();
    let rows = checks.flat_map(|verification| &verification.checks);
    rows.map(|check| CheckRow {
        what: check.what.replace('_', " "),
        subject: check.subject.clone(),
        expected: check.expected.clone(),
        found: check.found.clone(),
        mark: if check.is_ok() { "agrees" } else { "differs" },
    })
    .collect()
}

fn render(
    migration: &Migration,
    tickets: Vec<(&'static str, String)>,
) -> Result<String, askama::Error> {
    let page = Page {
        id: migration.id.to_string(),
        kind: match migration.kind {
            Kind::External => "From the client's own Twilio account",
            Kind::Split => "Out of a shared subaccount",
        },
        state: migration.state(),
        client: migration.client_name.clone(),
        facts: facts(migration),
        numbers: numbers(migration),
        check_list: check_list(migration),
        checks: checks(migration),
        verified_at: migration
            .verification
            .as_ref()
            .map(|verification| moment(verification.at)),
        tickets,
    };
    page.render()
}

/// Shows a migration as a page.
pub async fn view(State(app): State<Arc<App>>, MigrationPath(id): MigrationPath) -> Answer {
    let migration = load(&app, &id).await?;
    let written = texts(&app, &migration).await?;
    let tickets = written.map_or_else(Vec::new, |texts| {
        vec![
            ("The operator's ticket", texts.gaining),
            ("The client's ticket", texts.losing),
        ]
    });
    let text = render(&migration, tickets).map_err(internal)?;
    let mut response = Response::new(text.into());
    let headers = response.headers_mut();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, html);
    // The page needs nothing but itself.
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}
