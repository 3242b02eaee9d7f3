//! The phone numbers an account holds, and pays for whether it is active or not.

use domain::Timestamp;
use domain::ids::{AccountSid, PhoneNumberSid};
use serde::Deserialize;

use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::paging::Row;
use crate::request::Request;
use crate::wire;

/// A phone number that an account holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct IncomingNumber {
    /// The number's identifier.
    pub sid: PhoneNumberSid,
    /// The account that holds it.
    pub account_sid: AccountSid,
    /// The number in E.164 form.
    pub phone_number: String,
    /// The name it was given.
    #[serde(default, deserialize_with = "wire::text")]
    pub friendly_name: Option<String>,
    /// `local`, `mobile`, `toll-free`, ...
    #[serde(default, rename = "type", deserialize_with = "wire::text")]
    pub number_type: Option<String>,
    /// Where calls to it are announced.
    #[serde(default, deserialize_with = "wire::text")]
    pub voice_url: Option<String>,
    /// Where messages to it are announced.
    #[serde(default, deserialize_with = "wire::text")]
    pub sms_url: Option<String>,
    /// Where the end of a call to it is announced.
    #[serde(default, deserialize_with = "wire::text")]
    pub status_callback: Option<String>,
    /// When it came to the account.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
}

impl Row for IncomingNumber {
    type Identity = PhoneNumberSid;

    fn identity(&self) -> PhoneNumberSid {
        self.sid.clone()
    }
}

impl Client {
    /// Lists the numbers an account holds.
    pub async fn list_incoming_numbers(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
    ) -> Result<Vec<IncomingNumber>, Error> {
        let path = "/2010-04-01/Accounts/{AccountSid}/IncomingPhoneNumbers.json";
        let request = Request::get(path, &[account.as_str()]);
        self.list(credentials, request, "incoming_phone_numbers")
            .await
    }
}
