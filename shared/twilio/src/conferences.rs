//! Conferences: find the live ones, and end them. Ending one ends every leg in it, inbound ones too.

use domain::ids::{AccountSid, CallSid, ConferenceSid};
use domain::{Date, Timestamp};
use serde::Deserialize;

use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::hosts::{Api, Host};
use crate::paging::Row;
use crate::request::Effect;
use crate::send::unless_already;
use crate::values::TimeBound;
use crate::wire::{self, open_enum};

open_enum! {
    /// Where a conference stands.
    ConferenceStatus {
        /// Nobody speaks yet.
        Init = "init",
        /// Goes on.
        InProgress = "in-progress",
        /// Is over.
        Completed = "completed",
    }
}

impl ConferenceStatus {
    /// The states to list when looking for live conferences (the filter takes one at a time).
    pub const LIVE: [Self; 2] = [Self::Init, Self::InProgress];
}

/// A conference as Twilio shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Conference {
    /// The conference.
    pub sid: ConferenceSid,
    /// The account it belongs to.
    pub account_sid: AccountSid,
    /// The name it was given.
    #[serde(default, deserialize_with = "wire::text")]
    pub friendly_name: Option<String>,
    /// Where it stands.
    pub status: ConferenceStatus,
    /// Where it is mixed: `us1`, ...
    #[serde(default, deserialize_with = "wire::text")]
    pub region: Option<String>,
    /// Why it ended: `conference-ended-via-api`, `last-participant-left`, ...
    #[serde(default, deserialize_with = "wire::text")]
    pub reason_conference_ended: Option<String>,
    /// The call whose end ended it.
    #[serde(default, deserialize_with = "wire::optional_id")]
    pub call_sid_ending_conference: Option<CallSid>,
    /// When it was made.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
    /// When it last changed.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_updated: Option<Timestamp>,
}

impl Row for Conference {
    type Identity = ConferenceSid;

    fn identity(&self) -> ConferenceSid {
        self.sid.clone()
    }
}

/// Which conferences to list. The default lists all of them. Twilio compares whole days here (GMT).
#[derive(Debug, Clone, Default)]
pub struct ConferenceFilter {
    /// Only of this name.
    pub friendly_name: Option<String>,
    /// Only this status.
    pub status: Option<ConferenceStatus>,
    /// Made on this day.
    pub created_on: Option<Date>,
    /// Made on this day or later.
    pub created_from: Option<Date>,
    /// Made on this day or earlier.
    pub created_until: Option<Date>,
    /// Last changed on this day.
    pub updated_on: Option<Date>,
    /// Last changed on this day or later.
    pub updated_from: Option<Date>,
    /// Last changed on this day or earlier.
    pub updated_until: Option<Date>,
}

const PATH: &str = "/2010-04-01/Accounts/{AccountSid}/Conferences/{ConferenceSid}.json";

impl Client {
    /// Lists an account's conferences.
    pub async fn list_conferences(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        filter: &ConferenceFilter,
    ) -> Result<Vec<Conference>, Error> {
        let bound = |day: Option<Date>| day.map(TimeBound::from);
        let path = "/2010-04-01/Accounts/{AccountSid}/Conferences.json";
        let request = Api::get(path, &[account.as_str()])
            .query_if("FriendlyName", filter.friendly_name.as_ref())
            .query_if("Status", filter.status.as_ref())
            .query_time(
                "DateCreated",
                filter.created_on,
                bound(filter.created_from),
                bound(filter.created_until),
            )
            .query_time(
                "DateUpdated",
                filter.updated_on,
                bound(filter.updated_from),
                bound(filter.updated_until),
            );
        self.list(credentials, request, "conferences").await
    }

    /// Reads one conference.
    pub async fn fetch_conference(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        conference: &ConferenceSid,
    ) -> Result<Conference, Error> {
        let request = Api::get(PATH, &[account.as_str(), conference.as_str()]);
        self.send_json(credentials, &request).await
    }

    /// Ends a conference and every leg in it; one that is over by then is ended. The answer is the conference
    /// as it stands afterwards.
    pub async fn end_conference(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        conference: &ConferenceSid,
    ) -> Result<Conference, Error> {
        let ids = [account.as_str(), conference.as_str()];
        let request = Api::post(PATH, &ids, Effect::Idempotent).form("Status", "completed");
        let ended = self.send_json(credentials, &request).await;
        let now = self.fetch_conference(credentials, account, conference);
        unless_already(ended, now, |conference: &Conference| {
            conference.status == ConferenceStatus::Completed
        })
        .await
    }
}
