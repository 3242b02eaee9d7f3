//! Calls: find the live ones, and end them.
//!
//! The list is eventually consistent: whoever ends calls lists again until none is left.

use domain::ids::{AccountSid, CallSid};
use domain::{Decimal, Timestamp};
use serde::{Deserialize, Deserializer};

use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::{Error, ErrorCode, RetryReason};
use crate::paging::Row;
use crate::request::{Effect, Request};
use crate::wire::{self, open_enum};

/// How often a call's state may move while it is being ended: queued, in progress, over.
const STATE_MOVES_MAX: usize = 3;

open_enum! {
    /// Where a call stands.
    CallStatus {
        /// Waits.
        Queued = "queued",
        /// Dialled.
        Initiated = "initiated",
        /// Rings.
        Ringing = "ringing",
        /// Is spoken on.
        InProgress = "in-progress",
        /// Was answered and is over.
        Completed = "completed",
        /// Was busy.
        Busy = "busy",
        /// Could not be made.
        Failed = "failed",
        /// Was not answered.
        NoAnswer = "no-answer",
        /// Was canceled before it was answered.
        Canceled = "canceled",
    }
}

impl CallStatus {
    /// The states to list when looking for live calls (the filter takes one at a time).
    pub const LIVE: [Self; 3] = [Self::Queued, Self::Ringing, Self::InProgress];

    /// Whether the call is over.
    pub fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Busy | Self::Failed | Self::NoAnswer | Self::Canceled
        )
    }

    /// The status that ends a call standing so: a call nobody has answered is canceled.
    fn ending(&self) -> Self {
        match self {
            Self::Queued | Self::Initiated | Self::Ringing => Self::Canceled,
            _ => Self::Completed,
        }
    }
}

/// A call as Twilio shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Call {
    /// The call.
    pub sid: CallSid,
    /// The account it belongs to.
    #[serde(default, deserialize_with = "wire::optional_id")]
    pub account_sid: Option<AccountSid>,
    /// The leg that made this one.
    #[serde(default, deserialize_with = "wire::optional_id")]
    pub parent_call_sid: Option<CallSid>,
    /// Where it stands.
    pub status: CallStatus,
    /// Who called.
    #[serde(default, deserialize_with = "wire::text")]
    pub from: Option<String>,
    /// Who was called.
    #[serde(default, deserialize_with = "wire::text")]
    pub to: Option<String>,
    /// `inbound`, `outbound-api`, `outbound-dial`, ...
    #[serde(default, deserialize_with = "wire::text")]
    pub direction: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
    /// When it was dialled.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub start_time: Option<Timestamp>,
    /// When it was over.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub end_time: Option<Timestamp>,
    /// Its length in seconds.
    #[serde(default, deserialize_with = "wire::whole")]
    pub duration: Option<u64>,
    /// What the whole call cost, positive (Twilio writes it negative); absent until known. It is never
    /// multiplied by the duration.
    #[serde(default, deserialize_with = "cost")]
    pub price: Option<Decimal>,
    /// The currency code, upper case.
    #[serde(default, deserialize_with = "wire::currency_code")]
    pub price_unit: Option<String>,
}

fn cost<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    Ok(wire::decimal(deserializer)?.map(|price| price.abs()))
}

impl Row for Call {
    type Identity = CallSid;

    fn identity(&self) -> CallSid {
        self.sid.clone()
    }
}

/// Which calls to list. The default lists all of them.
#[derive(Debug, Clone, Default)]
pub struct CallFilter {
    /// Only this status.
    pub status: Option<CallStatus>,
    /// Started then or later.
    pub started_from: Option<Timestamp>,
    /// Started before.
    pub started_before: Option<Timestamp>,
}

impl Client {
    /// Lists an account's calls.
    pub async fn list_calls(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        filter: &CallFilter,
    ) -> Result<Vec<Call>, Error> {
        let path = "/2010-04-01/Accounts/{AccountSid}/Calls.json";
        let mut request = Request::get(path, &[account.as_str()]);
        if let Some(status) = &filter.status {
            request = request.query("Status", status.as_str());
        }
        if let Some(from) = &filter.started_from {
            request = request.query("StartTime>", &from.to_string());
        }
        if let Some(before) = &filter.started_before {
            request = request.query("StartTime<", &before.to_string());
        }
        self.list(credentials, request, "calls").await
    }

    /// Reads one call.
    pub async fn fetch_call(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        call: &CallSid,
    ) -> Result<Call, Error> {
        let path = "/2010-04-01/Accounts/{AccountSid}/Calls/{CallSid}.json";
        let request = Request::get(path, &[account.as_str(), call.as_str()]);
        self.send_json(credentials, &request).await
    }

    /// Ends a call that was last seen in status `seen`; one that is over by then is ended.
    ///
    /// The answer is the call as it stands afterwards.
    pub async fn end_call(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        call: &CallSid,
        seen: &CallStatus,
    ) -> Result<Call, Error> {
        let mut ending = seen.ending();
        for _ in 0..STATE_MOVES_MAX {
            match self
                .post_call_status(credentials, account, call, &ending)
                .await
            {
                Err(error) if error.code() == Some(ErrorCode::INVALID_CALL_STATE) => {}
                outcome => return outcome,
            }
            let now = self.fetch_call(credentials, account, call).await?;
            if now.status.is_terminal() {
                return Ok(now);
            }
            ending = now.status.ending();
        }
        Err(Error::retry(RetryReason::StateMoved))
    }

    async fn post_call_status(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        call: &CallSid,
        status: &CallStatus,
    ) -> Result<Call, Error> {
        let path = "/2010-04-01/Accounts/{AccountSid}/Calls/{CallSid}.json";
        let request = Request::post(path, &[account.as_str(), call.as_str()], Effect::Idempotent)
            .form("Status", status.as_str());
        self.send_json(credentials, &request).await
    }
}
