//! Messages: send one, find them, take their text out.
//!
//! A message's price comes after its delivery, up to a day later, and for some never. Its text belongs to a
//! tenant: it is held like a secret, so that no log shows it.

mod create;

use domain::ids::{AccountSid, MessageSid, MessagingServiceSid};
use domain::{Date, Decimal, Timestamp};
use secrecy::SecretString;
use serde::Deserialize;

use crate::client::Client;
use crate::codes::ErrorCode;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::hosts::{Api, Host};
use crate::paging::Row;
use crate::request::Effect;
use crate::send::unless_already;
use crate::values::TimeBound;
use crate::wire::{self, open_enum};

pub use create::{NewMessage, Sender};

open_enum! {
    /// Where a message stands.
    MessageStatus {
        /// A messaging service chooses a sender for it.
        Accepted = "accepted",
        /// Waits for its time.
        Scheduled = "scheduled",
        /// Waits for its turn.
        Queued = "queued",
        /// On its way to the carrier.
        Sending = "sending",
        /// The carrier has it.
        Sent = "sent",
        /// Arrived.
        Delivered = "delivered",
        /// Did not arrive; the price is the usual one.
        Undelivered = "undelivered",
        /// Was not sent; costs a small fee.
        Failed = "failed",
        /// Was taken back before it was sent.
        Canceled = "canceled",
        /// Was read.
        Read = "read",
        /// Arrived at some of those it was for.
        PartiallyDelivered = "partially_delivered",
        /// Comes in.
        Receiving = "receiving",
        /// Came in.
        Received = "received",
    }
}

open_enum! {
    /// Which way a message went, and who began it.
    MessageDirection {
        /// To us.
        Inbound = "inbound",
        /// From us, by the API.
        OutboundApi = "outbound-api",
        /// From us, during a call.
        OutboundCall = "outbound-call",
        /// From us, as the answer to a message.
        OutboundReply = "outbound-reply",
    }
}

/// A message as Twilio shows it. `Debug` does not show its text.
#[derive(Debug, Clone, Deserialize)]
pub struct Message {
    /// The message.
    pub sid: MessageSid,
    /// The account it belongs to.
    #[serde(default, deserialize_with = "wire::optional_id")]
    pub account_sid: Option<AccountSid>,
    /// The messaging service it went out by.
    #[serde(default, deserialize_with = "wire::optional_id")]
    pub messaging_service_sid: Option<MessagingServiceSid>,
    /// Where it stands.
    pub status: MessageStatus,
    /// Which way it went.
    #[serde(default, deserialize_with = "wire::word")]
    pub direction: Option<MessageDirection>,
    /// Who sent it; absent until a messaging service has chosen.
    #[serde(default, deserialize_with = "wire::text")]
    pub from: Option<String>,
    /// Who it is for.
    #[serde(default, deserialize_with = "wire::text")]
    pub to: Option<String>,
    /// Its text; absent when it was redacted.
    #[serde(default, deserialize_with = "wire::secret")]
    pub body: Option<SecretString>,
    /// The parts it was cut into, each of which costs.
    #[serde(default, deserialize_with = "wire::whole")]
    pub num_segments: Option<u64>,
    /// The media files that came with it.
    #[serde(default, deserialize_with = "wire::whole")]
    pub num_media: Option<u64>,
    /// Why it was not delivered.
    #[serde(default, deserialize_with = "wire::code")]
    pub error_code: Option<ErrorCode>,
    /// The same in words.
    #[serde(default, deserialize_with = "wire::text")]
    pub error_message: Option<String>,
    /// What the whole message cost, positive (Twilio writes it negative); absent until known.
    #[serde(default, deserialize_with = "wire::cost")]
    pub price: Option<Decimal>,
    /// The currency code, upper case.
    #[serde(default, deserialize_with = "wire::currency_code")]
    pub price_unit: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
    /// When it was sent or received; absent before.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_sent: Option<Timestamp>,
    /// When it last changed.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_updated: Option<Timestamp>,
}

impl Row for Message {
    type Identity = MessageSid;

    fn identity(&self) -> MessageSid {
        self.sid.clone()
    }
}

/// Which messages to list. The default lists all of them.
///
/// A filter by date compares when a message was sent: it hides those that have not been.
#[derive(Debug, Clone, Default)]
pub struct MessageFilter {
    /// Only messages to this recipient.
    pub to: Option<String>,
    /// Only messages from this sender.
    pub from: Option<String>,
    /// Sent on this day (GMT).
    pub sent_on: Option<Date>,
    /// Sent then or later.
    pub sent_from: Option<TimeBound>,
    /// Sent until then: one sent at that very moment may or may not be in the list, for Twilio's documents
    /// count it in and those on calls do not.
    pub sent_until: Option<TimeBound>,
}

impl Client {
    /// Lists an account's messages.
    pub async fn list_messages(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        filter: &MessageFilter,
    ) -> Result<Vec<Message>, Error> {
        let path = "/2010-04-01/Accounts/{AccountSid}/Messages.json";
        let request = Api::get(path, &[account.as_str()])
            .query_if("To", filter.to.as_ref())
            .query_if("From", filter.from.as_ref())
            .query_time(
                "DateSent",
                filter.sent_on,
                filter.sent_from,
                filter.sent_until,
            );
        self.list(credentials, request, "messages").await
    }

    /// Reads one message.
    pub async fn fetch_message(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        message: &MessageSid,
    ) -> Result<Message, Error> {
        let request = Api::get(PATH, &[account.as_str(), message.as_str()]);
        self.send_json(credentials, &request).await
    }

    /// Takes the text out of a message for good. The rest of it stays.
    pub async fn redact_message(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        message: &MessageSid,
    ) -> Result<Message, Error> {
        let ids = [account.as_str(), message.as_str()];
        let request = Api::post(PATH, &ids, Effect::Idempotent).form("Body", "");
        self.send_json(credentials, &request).await
    }

    /// Takes back a message that has not been sent yet; one that is taken back already is.
    pub async fn cancel_message(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        message: &MessageSid,
    ) -> Result<Message, Error> {
        let ids = [account.as_str(), message.as_str()];
        let request = Api::post(PATH, &ids, Effect::Idempotent).form("Status", "canceled");
        let canceled = self.send_json(credentials, &request).await;
        let now = self.fetch_message(credentials, account, message);
        unless_already(canceled, now, |message: &Message| {
            message.status == MessageStatus::Canceled
        })
        .await
    }

    /// Deletes a message's record; one that is already gone is deleted. What it cost stays in the usage
    /// records.
    pub async fn delete_message(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        message: &MessageSid,
    ) -> Result<(), Error> {
        let request = Api::delete(PATH, &[account.as_str(), message.as_str()]);
        self.send_delete(credentials, &request).await
    }
}

const PATH: &str = "/2010-04-01/Accounts/{AccountSid}/Messages/{MessageSid}.json";
