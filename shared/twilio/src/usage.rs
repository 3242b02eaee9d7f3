//! Usage records: the source of what a subaccount costs.
//!
//! Records are revised for days; `as_of` says how fresh one is. Categories are open words.

use domain::ids::AccountSid;
use domain::{Date, Decimal, Timestamp};
use serde::Deserialize;

use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::paging::Row;
use crate::request::Request;
use crate::wire;

/// How records are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageSpan {
    /// One record per category over the whole range.
    Total,
    /// One record per category and day (GMT).
    Daily,
}

/// Which records to read.
#[derive(Debug, Clone)]
pub struct UsageQuery {
    /// How records are cut.
    pub span: UsageSpan,
    /// Only this category.
    pub category: Option<String>,
    /// First day, GMT.
    pub start: Date,
    /// Last day, GMT, included.
    pub end: Date,
    /// Whether subaccounts count in. Twilio's own default is true, and not reliable on every
    /// subresource, so it is always sent.
    pub include_subaccounts: bool,
}

/// What an account used of a category in a span of days.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UsageRecord {
    /// Twilio's category, an open set.
    pub category: String,
    /// How many (calls, messages), if counted.
    #[serde(default, deserialize_with = "wire::decimal")]
    pub count: Option<Decimal>,
    /// How much, in `usage_unit`.
    #[serde(default, deserialize_with = "wire::decimal")]
    pub usage: Option<Decimal>,
    /// Minutes, messages, segments, megabytes.
    #[serde(default, deserialize_with = "wire::text")]
    pub usage_unit: Option<String>,
    /// What it costs, positive; absent when not known.
    #[serde(default, deserialize_with = "wire::decimal")]
    pub price: Option<Decimal>,
    /// The currency code, upper case.
    #[serde(default, deserialize_with = "wire::currency_code")]
    pub price_unit: Option<String>,
    /// First day, GMT.
    #[serde(deserialize_with = "wire::date")]
    pub start_date: Date,
    /// Last day, GMT, included.
    #[serde(deserialize_with = "wire::date")]
    pub end_date: Date,
    /// Up to when usage is counted in.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub as_of: Option<Timestamp>,
}

impl Row for UsageRecord {
    type Identity = (Date, Date, String);

    fn identity(&self) -> Self::Identity {
        (self.start_date, self.end_date, self.category.clone())
    }
}

impl Client {
    /// Reads the usage of one account.
    pub async fn list_usage(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        query: &UsageQuery,
    ) -> Result<Vec<UsageRecord>, Error> {
        let path = match query.span {
            UsageSpan::Total => "/2010-04-01/Accounts/{AccountSid}/Usage/Records.json",
            UsageSpan::Daily => "/2010-04-01/Accounts/{AccountSid}/Usage/Records/Daily.json",
        };
        let mut request = Request::get(path, &[account.as_str()]);
        if let Some(category) = &query.category {
            request = request.query("Category", category);
        }
        let include = if query.include_subaccounts {
            "true"
        } else {
            "false"
        };
        request = request
            .query("StartDate", &query.start.to_string())
            .query("EndDate", &query.end.to_string())
            .query("IncludeSubaccounts", include);
        self.list(credentials, request, "usage_records").await
    }
}
