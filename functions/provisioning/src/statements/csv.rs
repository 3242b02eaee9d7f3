//! A statement as a table: one row per line, correction, movement and total.

use domain::money::to_text;

use super::Shown;
use super::words;

const COLUMNS: [&str; 14] = [
    "statement",
    "period",
    "row",
    "category",
    "rule",
    "count",
    "usage",
    "unit",
    "charge_exact",
    "amount",
    "currency",
    "reference",
    "at",
    "text",
];

/// Writes it. Text that a spreadsheet would take for a formula begins with an apostrophe.
pub fn write(shown: &Shown) -> Result<String, csv::Error> {
    let mut rows: Vec<[String; 14]> = Vec::new();
    let document = &shown.document;
    let row = |period: String, kind: &str| -> [String; 14] {
        let mut row: [String; 14] = Default::default();
        row[0].clone_from(&document.number);
        row[1] = period;
        kind.clone_into(&mut row[2]);
        row[10].clone_from(&document.currency);
        row
    };
    let own = || shown.period.start.to_string();
    for line in &shown.content.lines {
        let mut cells = row(own(), "line");
        line.category.as_str().clone_into(&mut cells[3]);
        line.rule.as_str().clone_into(&mut cells[4]);
        cells[5] = to_text(line.count);
        cells[6] = to_text(line.usage);
        line.category.usage_unit().clone_into(&mut cells[7]);
        cells[8] = to_text(line.charge);
        cells[9] = to_text(line.shown);
        cells[13] = words::category(&line.category);
        rows.push(cells);
    }
    for one in &shown.content.corrections {
        let mut cells = row(one.period.to_string(), "correction");
        let category = one
            .category
            .as_ref()
            .map(domain::category::Category::as_str);
        category.unwrap_or_default().clone_into(&mut cells[3]);
        one.rule.as_str().clone_into(&mut cells[4]);
        cells[8] = to_text(one.charge);
        cells[9] = to_text(one.shown);
        cells[11] = one.reference.clone().unwrap_or_default();
        rows.push(cells);
    }
    for one in &shown.content.movements {
        let mut cells = row(own(), "movement");
        cells[9] = to_text(one.amount);
        cells[11] = one.entry.to_string();
        cells[12] = one.at.to_string();
        cells[13] = guarded(&format!("{}: {}", words::kind(one.kind), one.reason));
        rows.push(cells);
    }
    let totals = &document.totals;
    for (name, amount) in [
        ("opening", totals.opening),
        ("payments", totals.payments),
        ("other", totals.other),
        ("net", totals.net),
        ("tax", totals.tax),
        ("gross", totals.gross),
        ("closing", totals.closing),
        ("due", totals.due),
    ] {
        let mut cells = row(own(), name);
        cells[9] = to_text(amount);
        rows.push(cells);
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for cells in &rows {
        writer.write_record(cells)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn guarded(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}
