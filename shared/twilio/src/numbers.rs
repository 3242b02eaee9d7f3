//! The phone numbers an account holds, and pays for whether it is active or not: find, configure, release.
//!
//! Buying one is `purchase`, moving one to another account `transfer`.

mod purchase;
mod settings;
mod transfer;

use domain::Timestamp;
use domain::ids::{
    AccountSid, AddressSid, ApplicationSid, BundleSid, IdentitySid, PhoneNumberSid, TrunkSid,
};
use serde::Deserialize;

use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::hosts::{Api, Host};
use crate::paging::Row;
use crate::request::Effect;
use crate::values::CallbackMethod;
use crate::wire::{self, open_enum};

pub use settings::{Assign, NumberSettings};
pub use transfer::NumberTransfer;

open_enum! {
    /// Which address a number needs.
    AddressRequirement {
        /// None.
        None = "none",
        /// Any at all.
        Any = "any",
        /// One in its own area.
        Local = "local",
        /// One abroad.
        Foreign = "foreign",
    }
}

/// What a number can do. Twilio writes the names in more than one case.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent answers, as Twilio writes them"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub struct Capabilities {
    /// Calls.
    #[serde(default, alias = "Voice", deserialize_with = "yes")]
    pub voice: bool,
    /// SMS.
    #[serde(default, alias = "SMS", deserialize_with = "yes")]
    pub sms: bool,
    /// MMS.
    #[serde(default, alias = "MMS", deserialize_with = "yes")]
    pub mms: bool,
    /// Fax.
    #[serde(default, alias = "Fax", deserialize_with = "yes")]
    pub fax: bool,
}

fn yes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(wire::flag(deserializer)?.unwrap_or_default())
}

/// A phone number that an account holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct IncomingNumber {
    /// The number's identifier, which it keeps when it moves.
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
    /// `in-use`, ...
    #[serde(default, deserialize_with = "wire::text")]
    pub status: Option<String>,
    /// Where it came from: `twilio`, `hosted`.
    #[serde(default, deserialize_with = "wire::text")]
    pub origin: Option<String>,
    /// Whether it is new to Twilio's network.
    #[serde(default, deserialize_with = "wire::flag")]
    pub beta: Option<bool>,
    /// What it can do.
    #[serde(default)]
    pub capabilities: Option<Capabilities>,
    /// Which address it needs.
    #[serde(default, deserialize_with = "wire::word")]
    pub address_requirements: Option<AddressRequirement>,
    /// The address it has.
    #[serde(default, deserialize_with = "wire::optional_id")]
    pub address_sid: Option<AddressSid>,
    /// The papers it has.
    #[serde(default, deserialize_with = "wire::optional_id")]
    pub bundle_sid: Option<BundleSid>,
    /// The identity it has.
    #[serde(default, deserialize_with = "wire::loose_id")]
    pub identity_sid: Option<IdentitySid>,
    /// Where calls to it are announced.
    #[serde(default, deserialize_with = "wire::text")]
    pub voice_url: Option<String>,
    /// How.
    #[serde(default, deserialize_with = "wire::word")]
    pub voice_method: Option<CallbackMethod>,
    /// Where, if that fails.
    #[serde(default, deserialize_with = "wire::text")]
    pub voice_fallback_url: Option<String>,
    /// The application that its calls go to; goes before its own addresses.
    #[serde(default, deserialize_with = "wire::optional_id")]
    pub voice_application_sid: Option<ApplicationSid>,
    /// The trunk that its calls go to; goes before addresses and application.
    #[serde(default, deserialize_with = "wire::loose_id")]
    pub trunk_sid: Option<TrunkSid>,
    /// Where messages to it are announced.
    #[serde(default, deserialize_with = "wire::text")]
    pub sms_url: Option<String>,
    /// How.
    #[serde(default, deserialize_with = "wire::word")]
    pub sms_method: Option<CallbackMethod>,
    /// Where, if that fails.
    #[serde(default, deserialize_with = "wire::text")]
    pub sms_fallback_url: Option<String>,
    /// The application that its messages go to; goes before its own addresses.
    #[serde(default, deserialize_with = "wire::optional_id")]
    pub sms_application_sid: Option<ApplicationSid>,
    /// Where the end of a call to it is announced.
    #[serde(default, deserialize_with = "wire::text")]
    pub status_callback: Option<String>,
    /// How.
    #[serde(default, deserialize_with = "wire::word")]
    pub status_callback_method: Option<CallbackMethod>,
    /// Whether emergency calls from it work: `Active`, `Inactive`.
    #[serde(default, deserialize_with = "wire::text")]
    pub emergency_status: Option<String>,
    /// The address that emergency calls from it give.
    #[serde(default, deserialize_with = "wire::loose_id")]
    pub emergency_address_sid: Option<AddressSid>,
    /// When it came to the account.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
    /// When it last changed.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_updated: Option<Timestamp>,
}

impl Row for IncomingNumber {
    type Identity = PhoneNumberSid;

    fn identity(&self) -> PhoneNumberSid {
        self.sid.clone()
    }
}

/// The types of number that can be listed on their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncomingType {
    /// Local numbers.
    Local,
    /// Mobile numbers.
    Mobile,
    /// Toll-free numbers.
    TollFree,
}

/// Which numbers to list. The default lists all of them.
#[derive(Debug, Clone, Default)]
pub struct IncomingNumberFilter {
    /// Only this type.
    pub number_type: Option<IncomingType>,
    /// Only numbers that match this one, in part or whole.
    pub phone_number: Option<String>,
    /// Only those of this name.
    pub friendly_name: Option<String>,
    /// Only those from there.
    pub origin: Option<String>,
    /// Only those that are new to Twilio's network, or only those that are not.
    pub beta: Option<bool>,
}

impl IncomingNumberFilter {
    fn path(&self) -> &'static str {
        match self.number_type {
            None => PATH_OF_ALL,
            Some(IncomingType::Local) => {
                "/2010-04-01/Accounts/{AccountSid}/IncomingPhoneNumbers/Local.json"
            }
            Some(IncomingType::Mobile) => {
                "/2010-04-01/Accounts/{AccountSid}/IncomingPhoneNumbers/Mobile.json"
            }
            Some(IncomingType::TollFree) => {
                "/2010-04-01/Accounts/{AccountSid}/IncomingPhoneNumbers/TollFree.json"
            }
        }
    }
}

const PATH_OF_ALL: &str = "/2010-04-01/Accounts/{AccountSid}/IncomingPhoneNumbers.json";
const PATH: &str = "/2010-04-01/Accounts/{AccountSid}/IncomingPhoneNumbers/{PhoneNumberSid}.json";

impl Client {
    /// Lists the numbers an account holds.
    pub async fn list_incoming_numbers(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        filter: &IncomingNumberFilter,
    ) -> Result<Vec<IncomingNumber>, Error> {
        let request = Api::get(filter.path(), &[account.as_str()])
            .query_if("PhoneNumber", filter.phone_number.as_ref())
            .query_if("FriendlyName", filter.friendly_name.as_ref())
            .query_if("Origin", filter.origin.as_ref())
            .query_if("Beta", filter.beta);
        self.list(credentials, request, "incoming_phone_numbers")
            .await
    }

    /// Reads one number.
    pub async fn fetch_incoming_number(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        number: &PhoneNumberSid,
    ) -> Result<IncomingNumber, Error> {
        let request = Api::get(PATH, &[account.as_str(), number.as_str()]);
        self.send_json(credentials, &request).await
    }

    /// Configures a number; doing it again changes nothing.
    pub async fn update_incoming_number(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        number: &PhoneNumberSid,
        settings: &NumberSettings,
    ) -> Result<IncomingNumber, Error> {
        let ids = [account.as_str(), number.as_str()];
        let request = settings.fill(Api::post(PATH, &ids, Effect::Idempotent));
        self.send_json(credentials, &request).await
    }

    /// Releases a number; one that is already gone is released. It is for sale to anyone afterwards.
    pub async fn release_incoming_number(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        number: &PhoneNumberSid,
    ) -> Result<(), Error> {
        let request = Api::delete(PATH, &[account.as_str(), number.as_str()]);
        self.send_delete(credentials, &request).await
    }
}
