//! Usage records: the source of what a subaccount costs.
//!
//! Records are revised for days; `as_of` says how fresh one is. Categories are open words, and they overlap:
//! which of them may be added up is not decided here.

use std::fmt;

use domain::ids::AccountSid;
use domain::{Date, Decimal, Timestamp};
use serde::Deserialize;

use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::hosts::{Api, Host};
use crate::paging::Row;
use crate::wire;

/// How records are cut, and over which days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageSpan {
    /// One record per category over the whole range.
    Total,
    /// One record per category over the whole range; the whole time if no range is given.
    AllTime,
    /// One record per category and day (GMT).
    Daily,
    /// One record per category and month.
    Monthly,
    /// One record per category and year.
    Yearly,
    /// Today so far.
    Today,
    /// Yesterday.
    Yesterday,
    /// This month so far.
    ThisMonth,
    /// The whole last month.
    LastMonth,
}

impl UsageSpan {
    fn path(self) -> &'static str {
        match self {
            Self::Total => "/2010-04-01/Accounts/{AccountSid}/Usage/Records.json",
            Self::AllTime => "/2010-04-01/Accounts/{AccountSid}/Usage/Records/AllTime.json",
            Self::Daily => "/2010-04-01/Accounts/{AccountSid}/Usage/Records/Daily.json",
            Self::Monthly => "/2010-04-01/Accounts/{AccountSid}/Usage/Records/Monthly.json",
            Self::Yearly => "/2010-04-01/Accounts/{AccountSid}/Usage/Records/Yearly.json",
            Self::Today => "/2010-04-01/Accounts/{AccountSid}/Usage/Records/Today.json",
            Self::Yesterday => "/2010-04-01/Accounts/{AccountSid}/Usage/Records/Yesterday.json",
            Self::ThisMonth => "/2010-04-01/Accounts/{AccountSid}/Usage/Records/ThisMonth.json",
            Self::LastMonth => "/2010-04-01/Accounts/{AccountSid}/Usage/Records/LastMonth.json",
        }
    }
}

/// A day as Twilio takes it: by the calendar, or counted from its own today (GMT).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageDate {
    /// This day.
    On(Date),
    /// So many days from today: `-30` is thirty days ago.
    DaysFromToday(i32),
}

impl From<Date> for UsageDate {
    fn from(date: Date) -> Self {
        Self::On(date)
    }
}

impl fmt::Display for UsageDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On(date) => write!(f, "{date}"),
            Self::DaysFromToday(days) => write!(f, "{days:+}days"),
        }
    }
}

/// Which records to read.
#[derive(Debug, Clone)]
pub struct UsageQuery {
    /// How records are cut.
    pub span: UsageSpan,
    /// Only this category.
    pub category: Option<String>,
    /// First day, GMT. The spans that name their days (`Today`, `LastMonth`, ...) need none.
    pub start: Option<UsageDate>,
    /// Last day, GMT, included.
    pub end: Option<UsageDate>,
    /// Whether subaccounts count in. Twilio's own default is true, and not reliable on every
    /// subresource, so it is always sent.
    pub include_subaccounts: bool,
}

impl UsageQuery {
    /// The account's own records of a span, every category.
    pub fn of(span: UsageSpan) -> Self {
        Self {
            span,
            category: None,
            start: None,
            end: None,
            include_subaccounts: false,
        }
    }

    /// From this day to that one, both included.
    #[must_use]
    pub fn between(self, start: impl Into<UsageDate>, end: impl Into<UsageDate>) -> Self {
        Self {
            start: Some(start.into()),
            end: Some(end.into()),
            ..self
        }
    }
}

/// What an account used of a category in a span of days.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UsageRecord {
    /// Twilio's category, an open set.
    pub category: String,
    /// How many (calls, messages), if counted.
    #[serde(default, deserialize_with = "wire::decimal")]
    pub count: Option<Decimal>,
    /// What is counted.
    #[serde(default, deserialize_with = "wire::text")]
    pub count_unit: Option<String>,
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
        let request = Api::get(query.span.path(), &[account.as_str()])
            .query_if("Category", query.category.as_deref())
            .query_if("StartDate", query.start)
            .query_if("EndDate", query.end)
            .query_if("IncludeSubaccounts", Some(query.include_subaccounts));
        self.list(credentials, request, "usage_records").await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_by_the_calendar_or_counted_from_today() {
        let on = UsageDate::from(Date::constant(2026, 3, 1));
        let words = [
            on,
            UsageDate::DaysFromToday(-30),
            UsageDate::DaysFromToday(7),
            UsageDate::DaysFromToday(0),
        ]
        .map(|date| date.to_string());
        assert_eq!(words, ["2026-03-01", "-30days", "+7days", "+0days"]);
    }
}
