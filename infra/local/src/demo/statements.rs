//! Statements as files: periods that are over are stated, and each tenant's is written as a page, a table and JSON.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan as _};
use serde::Serialize;
use serde_json::json;

use super::client::Api;
use super::scenario::{Outcome, text};
use super::{DemoError, Options, START};
use crate::stack::Stack;

/// Days that are compared with Twilio at the end, besides the last.
const COMPARED_DAYS: i32 = 30;

/// A tenant's statement, and where it was written to.
#[derive(Debug, Serialize)]
pub(crate) struct Written {
    pub(crate) tenant_id: String,
    /// None: the period goes on, and this is a preview.
    pub(crate) number: Option<String>,
    pub(crate) state: String,
    pub(crate) net: String,
    pub(crate) tax: String,
    pub(crate) gross: String,
    pub(crate) due: String,
    pub(crate) file: String,
}

/// States what is over, and writes every tenant's first period.
pub(crate) async fn write(
    options: &Options,
    stack: &Stack,
    api: &Api,
    outcome: &Outcome,
) -> Result<Vec<Written>, DemoError> {
    for (index, id) in outcome.tenants.iter().enumerate() {
        let body = json!({ "reason": "the month is over" });
        let path = format!("/v1/tenants/{id}/statements");
        api.post(&path, &format!("demo-statement-{index}"), &body)
            .await?;
    }
    // What the morning's comparison found and a pull has mended since is looked at once more.
    let to = stack.clock.now().to_zoned(TimeZone::UTC).date();
    let body = json!({ "from": to.saturating_sub(COMPARED_DAYS.days()), "to": to, "reason": "the month is over" });
    api.post("/v1/reconciliation", "demo-reconciliation", &body)
        .await?;
    stack.run_for(SignedDuration::from_mins(15)).await;
    std::fs::create_dir_all(&options.statements)?;
    let period = &START[..10];
    let mut written = Vec::new();
    for id in &outcome.tenants {
        let path = format!("/v1/tenants/{id}/statements/{period}");
        let statement = api.get(&path).await?;
        let number = statement["number"].as_str().map(str::to_owned);
        let name = number.clone().unwrap_or_else(|| format!("preview-{id}"));
        let file = |extension: &str| options.statements.join(format!("{name}.{extension}"));
        std::fs::write(file("json"), serde_json::to_string_pretty(&statement)?)?;
        for format in ["html", "csv"] {
            let shown = api.text(&format!("{path}?format={format}")).await?;
            std::fs::write(file(format), shown)?;
        }
        written.push(Written {
            tenant_id: id.clone(),
            number,
            state: text(&statement, "/state")?,
            net: text(&statement, "/totals/net")?,
            tax: text(&statement, "/totals/tax")?,
            gross: text(&statement, "/totals/gross")?,
            due: text(&statement, "/totals/due")?,
            file: file("html").display().to_string(),
        });
    }
    Ok(written)
}
