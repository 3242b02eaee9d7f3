//! Postal addresses, which some numbers need: they must exist in the account that holds the number.

use domain::Timestamp;
use domain::ids::{AccountSid, AddressSid, PhoneNumberSid};
use serde::Deserialize;

use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::hosts::{Api, Host};
use crate::numbers::{AddressRequirement, Capabilities};
use crate::paging::Row;
use crate::places::CountryCode;
use crate::request::Effect;
use crate::wire;

/// An address as Twilio shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Address {
    /// The address.
    pub sid: AddressSid,
    /// The account it belongs to.
    pub account_sid: AccountSid,
    /// Who is there.
    #[serde(default, deserialize_with = "wire::text")]
    pub customer_name: Option<String>,
    /// The name it was given.
    #[serde(default, deserialize_with = "wire::text")]
    pub friendly_name: Option<String>,
    /// Street and number.
    #[serde(default, deserialize_with = "wire::text")]
    pub street: Option<String>,
    /// Suite, floor, ...
    #[serde(default, deserialize_with = "wire::text")]
    pub street_secondary: Option<String>,
    /// The town.
    #[serde(default, deserialize_with = "wire::text")]
    pub city: Option<String>,
    /// The state or province.
    #[serde(default, deserialize_with = "wire::text")]
    pub region: Option<String>,
    /// The postal code.
    #[serde(default, deserialize_with = "wire::text")]
    pub postal_code: Option<String>,
    /// The country, by ISO code.
    #[serde(default, deserialize_with = "wire::text")]
    pub iso_country: Option<String>,
    /// Whether emergency calls may give it.
    #[serde(default, deserialize_with = "wire::flag")]
    pub emergency_enabled: Option<bool>,
    /// Whether Twilio has found it to exist.
    #[serde(default, deserialize_with = "wire::flag")]
    pub validated: Option<bool>,
    /// Whether Twilio has checked papers for it.
    #[serde(default, deserialize_with = "wire::flag")]
    pub verified: Option<bool>,
    /// When it was made.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
    /// When it last changed.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_updated: Option<Timestamp>,
}

impl Row for Address {
    type Identity = AddressSid;

    fn identity(&self) -> AddressSid {
        self.sid.clone()
    }
}

/// A number that needs an address.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DependentNumber {
    /// The number's identifier.
    pub sid: PhoneNumberSid,
    /// The account that holds it.
    #[serde(default, deserialize_with = "wire::optional_id")]
    pub account_sid: Option<AccountSid>,
    /// The number in E.164 form.
    pub phone_number: String,
    /// The name it was given.
    #[serde(default, deserialize_with = "wire::text")]
    pub friendly_name: Option<String>,
    /// Which address it needs.
    #[serde(default, deserialize_with = "wire::word")]
    pub address_requirements: Option<AddressRequirement>,
    /// What it can do.
    #[serde(default)]
    pub capabilities: Option<Capabilities>,
    /// Whether emergency calls from it work: `Active`, `Inactive`.
    #[serde(default, deserialize_with = "wire::text")]
    pub emergency_status: Option<String>,
}

impl Row for DependentNumber {
    type Identity = PhoneNumberSid;

    fn identity(&self) -> PhoneNumberSid {
        self.sid.clone()
    }
}

/// An address to make.
#[derive(Debug, Clone)]
pub struct NewAddress {
    /// Who is there.
    pub customer_name: String,
    /// Street and number.
    pub street: String,
    /// Suite, floor, ...
    pub street_secondary: Option<String>,
    /// The town.
    pub city: String,
    /// The state or province.
    pub region: String,
    /// The postal code.
    pub postal_code: String,
    /// The country.
    pub iso_country: CountryCode,
    /// A name, by which to find it after an unknown outcome.
    pub friendly_name: Option<String>,
    /// Whether emergency calls may give it.
    pub emergency_enabled: Option<bool>,
    /// Whether Twilio corrects it where it can; its own default is to do so.
    pub auto_correct: Option<bool>,
}

/// What can be changed of an address. What is absent stays.
#[derive(Debug, Clone, Default)]
pub struct AddressUpdate {
    /// Who is there.
    pub customer_name: Option<String>,
    /// Street and number.
    pub street: Option<String>,
    /// Suite, floor, ...
    pub street_secondary: Option<String>,
    /// The town.
    pub city: Option<String>,
    /// The state or province.
    pub region: Option<String>,
    /// The postal code.
    pub postal_code: Option<String>,
    /// The name.
    pub friendly_name: Option<String>,
    /// Whether emergency calls may give it.
    pub emergency_enabled: Option<bool>,
    /// Whether Twilio corrects it where it can.
    pub auto_correct: Option<bool>,
}

/// Which addresses to list. The default lists all of them.
#[derive(Debug, Clone, Default)]
pub struct AddressFilter {
    /// Only of this customer.
    pub customer_name: Option<String>,
    /// Only of this name.
    pub friendly_name: Option<String>,
    /// Only in this country.
    pub iso_country: Option<CountryCode>,
    /// Only those that emergency calls may give, or only the others.
    pub emergency_enabled: Option<bool>,
}

const PATH_OF_ALL: &str = "/2010-04-01/Accounts/{AccountSid}/Addresses.json";
const PATH: &str = "/2010-04-01/Accounts/{AccountSid}/Addresses/{AddressSid}.json";

impl Client {
    /// Creates an address. `UnknownOutcome`: list by friendly name before creating again.
    pub async fn create_address(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        new: &NewAddress,
    ) -> Result<Address, Error> {
        let effect = Effect::Create {
            what_to_look_for: "look for an address of that friendly name and street",
        };
        let request = Api::post(PATH_OF_ALL, &[account.as_str()], effect)
            .form("CustomerName", &new.customer_name)
            .form("Street", &new.street)
            .form_if("StreetSecondary", new.street_secondary.as_ref())
            .form("City", &new.city)
            .form("Region", &new.region)
            .form("PostalCode", &new.postal_code)
            .form("IsoCountry", new.iso_country.as_str())
            .form_if("FriendlyName", new.friendly_name.as_ref())
            .form_if("EmergencyEnabled", new.emergency_enabled)
            .form_if("AutoCorrectAddress", new.auto_correct);
        self.send_json(credentials, &request).await
    }

    /// Lists an account's addresses.
    pub async fn list_addresses(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        filter: &AddressFilter,
    ) -> Result<Vec<Address>, Error> {
        let request = Api::get(PATH_OF_ALL, &[account.as_str()])
            .query_if("CustomerName", filter.customer_name.as_ref())
            .query_if("FriendlyName", filter.friendly_name.as_ref())
            .query_if("IsoCountry", filter.iso_country.as_ref())
            .query_if("EmergencyEnabled", filter.emergency_enabled);
        self.list(credentials, request, "addresses").await
    }

    /// Reads one address.
    pub async fn fetch_address(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        address: &AddressSid,
    ) -> Result<Address, Error> {
        let request = Api::get(PATH, &[account.as_str(), address.as_str()]);
        self.send_json(credentials, &request).await
    }

    /// Changes an address; doing it again changes nothing. Its country stays.
    pub async fn update_address(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        address: &AddressSid,
        update: &AddressUpdate,
    ) -> Result<Address, Error> {
        let ids = [account.as_str(), address.as_str()];
        let request = Api::post(PATH, &ids, Effect::Idempotent)
            .form_if("CustomerName", update.customer_name.as_ref())
            .form_if("Street", update.street.as_ref())
            .form_if("StreetSecondary", update.street_secondary.as_ref())
            .form_if("City", update.city.as_ref())
            .form_if("Region", update.region.as_ref())
            .form_if("PostalCode", update.postal_code.as_ref())
            .form_if("FriendlyName", update.friendly_name.as_ref())
            .form_if("EmergencyEnabled", update.emergency_enabled)
            .form_if("AutoCorrectAddress", update.auto_correct);
        self.send_json(credentials, &request).await
    }

    /// Deletes an address; one that is already gone is deleted. A `Reject` with
    /// `RejectReason::AddressInUse` names none of the numbers: `list_dependent_numbers` does.
    pub async fn delete_address(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        address: &AddressSid,
    ) -> Result<(), Error> {
        let request = Api::delete(PATH, &[account.as_str(), address.as_str()]);
        self.send_delete(credentials, &request).await
    }

    /// Lists the numbers that need an address.
    pub async fn list_dependent_numbers(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        address: &AddressSid,
    ) -> Result<Vec<DependentNumber>, Error> {
        let path =
            "/2010-04-01/Accounts/{AccountSid}/Addresses/{AddressSid}/DependentPhoneNumbers.json";
        let request = Api::get(path, &[account.as_str(), address.as_str()]);
        self.list(credentials, request, "dependent_phone_numbers")
            .await
    }
}
