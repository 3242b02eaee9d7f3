//! Calls: make one, find the live ones, and end them.
//!
//! The list is eventually consistent: whoever ends calls lists again until none is left.

mod create;

use domain::ids::{AccountSid, CallSid, PhoneNumberSid, TrunkSid};
use domain::{Date, Decimal, Timestamp};
use serde::Deserialize;

use crate::client::Client;
use crate::codes::ErrorCode;
use crate::credentials::Credentials;
use crate::error::{Error, RetryReason};
use crate::hosts::{Api, Host};
use crate::paging::Row;
use crate::request::Effect;
use crate::values::TimeBound;
use crate::wire::{self, open_enum};

pub use create::{CallEvent, Instructions, NewCall, RecordingSettings};

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
    /// The number of ours that it came in on or went out from.
    #[serde(default, deserialize_with = "wire::loose_id")]
    pub phone_number_sid: Option<PhoneNumberSid>,
    /// The trunk it went through.
    #[serde(default, deserialize_with = "wire::loose_id")]
    pub trunk_sid: Option<TrunkSid>,
    /// Who answered, where Twilio listened: `human`, `machine_start`, ...
    #[serde(default, deserialize_with = "wire::text")]
    pub answered_by: Option<String>,
    /// Who passed it on.
    #[serde(default, deserialize_with = "wire::text")]
    pub forwarded_from: Option<String>,
    /// The caller's name, where it was looked up.
    #[serde(default, deserialize_with = "wire::text")]
    pub caller_name: Option<String>,
    /// How long it waited to be dialled, in milliseconds.
    #[serde(default, deserialize_with = "wire::loose_whole")]
    pub queue_time: Option<u64>,
    /// When it was made.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
    /// When it last changed.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_updated: Option<Timestamp>,
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
    #[serde(default, deserialize_with = "wire::cost")]
    pub price: Option<Decimal>,
    /// The currency code, upper case.
    #[serde(default, deserialize_with = "wire::currency_code")]
    pub price_unit: Option<String>,
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
    /// Only calls to this number, SIP address or client.
    pub to: Option<String>,
    /// Only calls from this number, SIP address or client.
    pub from: Option<String>,
    /// Only legs that this call made.
    pub parent_call_sid: Option<CallSid>,
    /// Only this status.
    pub status: Option<CallStatus>,
    /// Started on this day (GMT).
    pub started_on: Option<Date>,
    /// Started then or later.
    pub started_from: Option<TimeBound>,
    /// Started before.
    pub started_before: Option<TimeBound>,
    /// Ended on this day (GMT).
    pub ended_on: Option<Date>,
    /// Ended then or later.
    pub ended_from: Option<TimeBound>,
    /// Ended before.
    pub ended_before: Option<TimeBound>,
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
        let request = Api::get(path, &[account.as_str()])
            .query_if("To", filter.to.as_ref())
            .query_if("From", filter.from.as_ref())
            .query_if("ParentCallSid", filter.parent_call_sid.as_ref())
            .query_if("Status", filter.status.as_ref())
            .query_time(
                "StartTime",
                filter.started_on,
                filter.started_from,
                filter.started_before,
            )
            .query_time(
                "EndTime",
                filter.ended_on,
                filter.ended_from,
                filter.ended_before,
            );
        self.list(credentials, request, "calls").await
    }

    /// Reads one call.
    pub async fn fetch_call(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        call: &CallSid,
    ) -> Result<Call, Error> {
        let request = Api::get(PATH, &[account.as_str(), call.as_str()]);
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
        let request = Api::post(PATH, &[account.as_str(), call.as_str()], Effect::Idempotent)
            .form("Status", status.as_str());
        self.send_json(credentials, &request).await
    }

    /// Deletes the record of a call that is over; one that is already gone is deleted. What it cost stays
    /// in the usage records.
    pub async fn delete_call(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        call: &CallSid,
    ) -> Result<(), Error> {
        let request = Api::delete(PATH, &[account.as_str(), call.as_str()]);
        self.send_delete(credentials, &request).await
    }
}

const PATH: &str = "/2010-04-01/Accounts/{AccountSid}/Calls/{CallSid}.json";
