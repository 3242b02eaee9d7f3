//! A statement as a page: what a company would send. Everything a template shows is escaped by it.

use askama::Template;
use domain::statement::{Party, State};

use super::Shown;
use super::words;

#[derive(Template)]
#[template(path = "statement.html")]
struct Page {
    title: String,
    state: &'static str,
    is_preview: bool,
    number: String,
    period: String,
    time_zone: String,
    issued_on: String,
    due_on: String,
    currency: String,
    operator: Party,
    client: Party,
    credit_note: Option<String>,
    due: String,
    is_due: bool,
    summary: Vec<(String, String)>,
    lines: Vec<LineRow>,
    corrections: Vec<CorrectionRow>,
    movements: Vec<MovementRow>,
    net: String,
    tax_name: String,
    tax: String,
    gross: String,
    footer: Option<String>,
}

struct LineRow {
    category: String,
    rule: String,
    usage: String,
    unit: &'static str,
    charge: String,
}

struct CorrectionRow {
    period: String,
    reference: String,
    text: String,
    charge: String,
}

struct MovementRow {
    on: String,
    kind: &'static str,
    reason: String,
    amount: String,
}

/// Renders it.
pub fn render(shown: &Shown) -> Result<String, askama::Error> {
    page(shown).render()
}

fn page(shown: &Shown) -> Page {
    let document = &shown.document;
    let (totals, content) = (&document.totals, &shown.content);
    let money = |value| words::amount(value, &document.currency);
    let zone = jiff::tz::TimeZone::get(&document.time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let on = |at: jiff::Timestamp| at.to_zoned(zone.clone()).strftime("%-d %B %Y").to_string();
    let day = |day: jiff::civil::Date| day.strftime("%-d %B %Y").to_string();
    let last = shown.period.end.yesterday().unwrap_or(shown.period.end);
    let is_taxed = !document.tax_exempt;
    let number = if shown.is_preview {
        "Preview".to_owned()
    } else {
        document.number.clone()
    };
    Page {
        title: format!(
            "{} {number}",
            if shown.is_preview {
                "Statement"
            } else {
                "Statement no."
            }
        ),
        state: state_text(shown.state),
        is_preview: shown.is_preview,
        number,
        period: format!("{} \u{2013} {}", day(shown.period.start), day(last)),
        time_zone: document.time_zone.clone(),
        issued_on: on(document.issued_at),
        due_on: day(document.due_on),
        currency: document.currency.clone(),
        operator: document.operator.party(),
        client: document.client.clone(),
        credit_note: document
            .credit_note
            .as_ref()
            .map(|note| note.number.clone()),
        due: money(totals.due),
        is_due: !totals.due.is_zero(),
        summary: vec![
            ("Balance brought forward".to_owned(), money(totals.opening)),
            ("Payments".to_owned(), money(totals.payments)),
            ("Credits and adjustments".to_owned(), money(totals.other)),
            ("Charges of this statement".to_owned(), money(-totals.gross)),
            ("New balance".to_owned(), money(totals.closing)),
        ],
        lines: content
            .lines
            .iter()
            .map(|line| LineRow {
                category: words::category(&line.category),
                rule: rule_text(line),
                // What has a price only, such as other usage, shows no quantity of nothing.
                usage: if line.usage.is_zero() {
                    String::new()
                } else {
                    words::quantity(line.usage)
                },
                unit: if line.usage.is_zero() {
                    ""
                } else {
                    line.category.usage_unit()
                },
                charge: money(line.shown),
            })
            .collect(),
        corrections: content
            .corrections
            .iter()
            .map(|one| CorrectionRow {
                period: day(one.period),
                reference: one.reference.clone().unwrap_or_default(),
                text: one
                    .category
                    .as_ref()
                    .map_or_else(|| one.rule.as_str().to_owned(), words::category),
                charge: money(one.shown),
            })
            .collect(),
        movements: content
            .movements
            .iter()
            .map(|one| MovementRow {
                on: on(one.at),
                kind: words::kind(one.kind),
                reason: one.reason.clone(),
                amount: money(one.amount),
            })
            .collect(),
        net: money(totals.net),
        tax_name: if is_taxed {
            format!("Tax {}", words::percent(document.tax_rate))
        } else {
            "Tax (exempt)".to_owned()
        },
        tax: money(totals.tax),
        gross: money(totals.gross),
        footer: document.operator.footer.clone(),
    }
}

/// A rule's name, where it says more than the category.
fn rule_text(line: &domain::statement::Line) -> String {
    let name = line.rule.as_str();
    let says_more = !line.rule.is_default() && name != line.category.as_str();
    if says_more {
        name.to_owned()
    } else {
        String::new()
    }
}

fn state_text(state: State) -> &'static str {
    match state {
        State::Open | State::Closing => "Preview",
        State::Final => "Open",
        State::Paid => "Paid",
        State::Void => "Void",
    }
}
