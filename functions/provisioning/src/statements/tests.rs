//! One statement with everything on it, as JSON, as a table and as a page.

use domain::category::Category;
use domain::ledger::EntryKind;
use domain::plan::RuleId;
use domain::statement::{Correction, Line, Movement, OperatorProfile};

use super::*;

fn decimal(text: &str) -> domain::Decimal {
    domain::money::parse_decimal(text).unwrap()
}

fn shown() -> Shown {
    let category = |name: &str| Category::parse(name).unwrap();
    let rule = |name: &str| RuleId::parse(name).unwrap();
    let line = |name: &str, by: &str, usage: &str, charge: &str, shown: &str| Line {
        category: category(name),
        rule: rule(by),
        count: decimal("3"),
        usage: decimal(usage),
        charge: decimal(charge),
        shown: decimal(shown),
    };
    let calendar = BillingCalendar::new("America/New_York", 1).unwrap();
    let at = "2026-03-05T10:00:00Z".parse().unwrap();
    let content = Content {
        lines: vec![
            line("calls-outbound", "gb", "1234.5", "37.035", "37.04"),
            line("other", "default", "0", "0.004", "0"),
        ],
        corrections: vec![Correction {
            period: "2026-02-01".parse().unwrap(),
            reference: Some("R-000006".into()),
            category: Some(category("sms-outbound")),
            rule: rule("default"),
            charge: decimal("-0.5"),
            shown: decimal("-0.5"),
        }],
        movements: vec![Movement {
            entry: 7,
            at,
            kind: EntryKind::TopUp,
            reason: "=1+1, \"paid\" <b>".into(),
            amount: decimal("1500"),
        }],
    };
    let document = Document {
        number: "R-000007".into(),
        issued_at: "2026-04-04T05:00:00Z".parse().unwrap(),
        due_on: "2026-04-18".parse().unwrap(),
        operator: OperatorProfile {
            name: "Resale & Sons".into(),
            address: vec!["1 High Street".into()],
            tax_id: Some("GB1".into()),
            email: None,
            number_prefix: "R-".into(),
            footer: Some("Thank you.".into()),
        },
        client: Party {
            name: "<Acme>".into(),
            address: vec!["2 Low Street".into()],
            tax_id: None,
            email: None,
        },
        currency: "USD".into(),
        time_zone: "America/New_York".into(),
        tax_rate: decimal("0.19"),
        tax_exempt: false,
        totals: Totals {
            opening: decimal("-1000"),
            payments: decimal("1500"),
            other: decimal("0"),
            exact: decimal("36.539"),
            net: decimal("36.54"),
            tax: decimal("6.94"),
            gross: decimal("43.48"),
            closing: decimal("456.52"),
            due: decimal("0"),
        },
        next_entry: 8,
        entry: Some(8),
        paid_at: None,
        credit_note: None,
    };
    Shown {
        state: Standing::Paid,
        issue: 1,
        period: calendar.named("2026-03-01".parse().unwrap()).unwrap(),
        document,
        content,
        is_preview: false,
    }
}

#[test]
fn a_statement_as_json() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&whole(&shown())).unwrap());
}

#[test]
fn a_statement_as_a_table() {
    insta::assert_snapshot!(csv::write(&shown()).unwrap());
}

#[test]
fn a_statement_as_a_page() {
    let page = page::render(&shown()).unwrap();
    let (_, body) = page.split_once("<body>").unwrap();
    insta::assert_snapshot!(body);
}
