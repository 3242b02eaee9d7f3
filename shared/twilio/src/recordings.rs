//! Recordings of calls. Each costs for as long as it is stored, so a tenant that leaves has them deleted.

use domain::ids::{AccountSid, CallSid, ConferenceSid, RecordingSid};
use domain::{Date, Decimal, Timestamp};
use serde::Deserialize;

use crate::client::Client;
use crate::codes::ErrorCode;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::hosts::{Api, Host};
use crate::paging::Row;
use crate::values::TimeBound;
use crate::wire::{self, open_enum};

open_enum! {
    /// Where a recording stands.
    RecordingStatus {
        /// Goes on.
        InProgress = "in-progress",
        /// Pauses.
        Paused = "paused",
        /// Was stopped.
        Stopped = "stopped",
        /// Is being prepared.
        Processing = "processing",
        /// Can be heard.
        Completed = "completed",
        /// There was nothing to hear.
        Absent = "absent",
        /// Is gone; only what was known of it is left, for 40 days.
        Deleted = "deleted",
    }
}

/// A recording as Twilio shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Recording {
    /// The recording.
    pub sid: RecordingSid,
    /// The account it belongs to.
    pub account_sid: AccountSid,
    /// The call it is of.
    #[serde(default, deserialize_with = "wire::optional_id")]
    pub call_sid: Option<CallSid>,
    /// The conference it is of.
    #[serde(default, deserialize_with = "wire::optional_id")]
    pub conference_sid: Option<ConferenceSid>,
    /// Where it stands.
    pub status: RecordingStatus,
    /// What made it: `OutboundAPI`, `RecordVerb`, `Conference`, ...
    #[serde(default, deserialize_with = "wire::text")]
    pub source: Option<String>,
    /// One channel for everybody, or one for each.
    #[serde(default, deserialize_with = "wire::whole")]
    pub channels: Option<u64>,
    /// Its length in seconds.
    #[serde(default, deserialize_with = "wire::whole")]
    pub duration: Option<u64>,
    /// What making it cost, positive; storing it costs extra. Absent until known.
    #[serde(default, deserialize_with = "wire::cost")]
    pub price: Option<Decimal>,
    /// The currency code, upper case.
    #[serde(default, deserialize_with = "wire::currency_code")]
    pub price_unit: Option<String>,
    /// Why there is nothing to hear.
    #[serde(default, deserialize_with = "wire::code")]
    pub error_code: Option<ErrorCode>,
    /// Where it can be heard.
    #[serde(default, deserialize_with = "wire::text")]
    pub media_url: Option<String>,
    /// When it began.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub start_time: Option<Timestamp>,
    /// When it was made.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
    /// When it last changed.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_updated: Option<Timestamp>,
}

impl Row for Recording {
    type Identity = RecordingSid;

    fn identity(&self) -> RecordingSid {
        self.sid.clone()
    }
}

/// Which recordings to list. The default lists all that can be heard.
#[derive(Debug, Clone, Default)]
pub struct RecordingFilter {
    /// Only of this call.
    pub call_sid: Option<CallSid>,
    /// Only of this conference.
    pub conference_sid: Option<ConferenceSid>,
    /// Made on this day (GMT).
    pub created_on: Option<Date>,
    /// Made then or later.
    pub created_from: Option<TimeBound>,
    /// Made before; Twilio's documents count that very moment in.
    pub created_until: Option<TimeBound>,
    /// Whether deleted ones are listed too, as far as they are still known.
    pub include_deleted: Option<bool>,
}

const PATH: &str = "/2010-04-01/Accounts/{AccountSid}/Recordings/{RecordingSid}.json";

impl Client {
    /// Lists an account's recordings.
    pub async fn list_recordings(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        filter: &RecordingFilter,
    ) -> Result<Vec<Recording>, Error> {
        let path = "/2010-04-01/Accounts/{AccountSid}/Recordings.json";
        let request = Api::get(path, &[account.as_str()])
            .query_if("CallSid", filter.call_sid.as_ref())
            .query_if("ConferenceSid", filter.conference_sid.as_ref())
            .query_time(
                "DateCreated",
                filter.created_on,
                filter.created_from,
                filter.created_until,
            )
            .query_if("IncludeSoftDeleted", filter.include_deleted);
        self.list(credentials, request, "recordings").await
    }

    /// Reads what is known of one recording.
    pub async fn fetch_recording(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        recording: &RecordingSid,
    ) -> Result<Recording, Error> {
        let request = Api::get(PATH, &[account.as_str(), recording.as_str()]);
        self.send_json(credentials, &request).await
    }

    /// Deletes a recording; one that is already gone is deleted.
    pub async fn delete_recording(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        recording: &RecordingSid,
    ) -> Result<(), Error> {
        let request = Api::delete(PATH, &[account.as_str(), recording.as_str()]);
        self.send_delete(credentials, &request).await
    }
}
