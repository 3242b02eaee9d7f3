//! Numbers for sale. What is found is not reserved: somebody else may buy it first.

use std::fmt;

use domain::Decimal;
use domain::ids::AccountSid;
use serde::Deserialize;

use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::hosts::{Api, Host};
use crate::numbers::{AddressRequirement, Capabilities};
use crate::places::CountryCode;
use crate::request::Request;
use crate::wire;

/// Numbers that one search answers, at most (REST API reference, page size).
pub const AVAILABLE_NUMBERS_MAX: u16 = 1_000;

/// The types of number that are for sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AvailableType {
    /// Of an area.
    Local,
    /// Free for the caller.
    TollFree,
    /// Of a mobile network.
    Mobile,
    /// Of a country as a whole.
    National,
    /// Paid for by both ends.
    SharedCost,
    /// Of the internet.
    Voip,
    /// For machines.
    MachineToMachine,
}

impl AvailableType {
    fn path(self) -> &'static str {
        match self {
            Self::Local => {
                "/2010-04-01/Accounts/{AccountSid}/AvailablePhoneNumbers/{CountryCode}/Local.json"
            }
            Self::TollFree => {
                "/2010-04-01/Accounts/{AccountSid}/AvailablePhoneNumbers/{CountryCode}/TollFree.json"
            }
            Self::Mobile => {
                "/2010-04-01/Accounts/{AccountSid}/AvailablePhoneNumbers/{CountryCode}/Mobile.json"
            }
            Self::National => {
                "/2010-04-01/Accounts/{AccountSid}/AvailablePhoneNumbers/{CountryCode}/National.json"
            }
            Self::SharedCost => {
                "/2010-04-01/Accounts/{AccountSid}/AvailablePhoneNumbers/{CountryCode}/SharedCost.json"
            }
            Self::Voip => {
                "/2010-04-01/Accounts/{AccountSid}/AvailablePhoneNumbers/{CountryCode}/Voip.json"
            }
            Self::MachineToMachine => {
                "/2010-04-01/Accounts/{AccountSid}/AvailablePhoneNumbers/{CountryCode}/MachineToMachine.json"
            }
        }
    }
}

/// A place near which to look for numbers (United States and Canada).
#[derive(Debug, Clone)]
pub enum Near {
    /// This number, in E.164 form.
    Number(String),
    /// Latitude and longitude.
    Place(Decimal, Decimal),
}

impl fmt::Display for Near {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => f.write_str(number),
            Self::Place(latitude, longitude) => write!(f, "{latitude},{longitude}"),
        }
    }
}

/// Which numbers to look for. The default finds any.
#[derive(Debug, Clone, Default)]
pub struct AvailableNumberFilter {
    /// Of this area code (United States and Canada).
    pub area_code: Option<u32>,
    /// With these digits or letters; `*` stands for any one digit.
    pub contains: Option<String>,
    /// That can, or cannot, receive SMS.
    pub sms_enabled: Option<bool>,
    /// That can, or cannot, receive MMS.
    pub mms_enabled: Option<bool>,
    /// That can, or cannot, receive calls.
    pub voice_enabled: Option<bool>,
    /// That can, or cannot, receive fax.
    pub fax_enabled: Option<bool>,
    /// Whether those that need any address are left out.
    pub exclude_all_address_required: Option<bool>,
    /// Whether those that need an address in their own area are left out.
    pub exclude_local_address_required: Option<bool>,
    /// Whether those that need an address abroad are left out.
    pub exclude_foreign_address_required: Option<bool>,
    /// Whether those that are new to Twilio's network are found too.
    pub beta: Option<bool>,
    /// Near this place.
    pub near: Option<Near>,
    /// How near, in miles.
    pub distance: Option<u32>,
    /// Of this postal code.
    pub in_postal_code: Option<String>,
    /// Of this state or province.
    pub in_region: Option<String>,
    /// Of this rate center.
    pub in_rate_center: Option<String>,
    /// Of this area of a local exchange carrier.
    pub in_lata: Option<String>,
    /// Of this town.
    pub in_locality: Option<String>,
    /// Numbers to find, at most 1,000; Twilio's default is 50.
    pub limit: Option<u16>,
}

impl AvailableNumberFilter {
    fn fill<H: Host>(&self, request: Request<H>) -> Request<H> {
        let limit = self
            .limit
            .map(|limit| limit.clamp(1, AVAILABLE_NUMBERS_MAX));
        let near = match &self.near {
            None => None,
            Some(near @ Near::Number(_)) => Some(("NearNumber", near)),
            Some(near @ Near::Place(..)) => Some(("NearLatLong", near)),
        };
        let request = match near {
            Some((name, near)) => request.query(name, &near.to_string()),
            None => request,
        };
        request
            .query_if("Distance", self.distance)
            .query_if("AreaCode", self.area_code)
            .query_if("Contains", self.contains.as_ref())
            .query_if("SmsEnabled", self.sms_enabled)
            .query_if("MmsEnabled", self.mms_enabled)
            .query_if("VoiceEnabled", self.voice_enabled)
            .query_if("FaxEnabled", self.fax_enabled)
            .query_if(
                "ExcludeAllAddressRequired",
                self.exclude_all_address_required,
            )
            .query_if(
                "ExcludeLocalAddressRequired",
                self.exclude_local_address_required,
            )
            .query_if(
                "ExcludeForeignAddressRequired",
                self.exclude_foreign_address_required,
            )
            .query_if("Beta", self.beta)
            .query_if("InPostalCode", self.in_postal_code.as_ref())
            .query_if("InRegion", self.in_region.as_ref())
            .query_if("InRateCenter", self.in_rate_center.as_ref())
            .query_if("InLata", self.in_lata.as_ref())
            .query_if("InLocality", self.in_locality.as_ref())
            .query_if("PageSize", limit)
    }
}

/// A number for sale.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AvailableNumber {
    /// The number in E.164 form.
    pub phone_number: String,
    /// The number as people there write it.
    #[serde(default, deserialize_with = "wire::text")]
    pub friendly_name: Option<String>,
    /// Its country, by ISO code.
    #[serde(default, deserialize_with = "wire::text")]
    pub iso_country: Option<String>,
    /// Its state or province.
    #[serde(default, deserialize_with = "wire::text")]
    pub region: Option<String>,
    /// Its town.
    #[serde(default, deserialize_with = "wire::text")]
    pub locality: Option<String>,
    /// Its postal code.
    #[serde(default, deserialize_with = "wire::text")]
    pub postal_code: Option<String>,
    /// Its rate center.
    #[serde(default, deserialize_with = "wire::text")]
    pub rate_center: Option<String>,
    /// Its area of a local exchange carrier.
    #[serde(default, deserialize_with = "wire::text")]
    pub lata: Option<String>,
    /// Where its area is.
    #[serde(default, deserialize_with = "wire::decimal")]
    pub latitude: Option<Decimal>,
    /// Where its area is.
    #[serde(default, deserialize_with = "wire::decimal")]
    pub longitude: Option<Decimal>,
    /// Which address it needs before it can be bought.
    #[serde(default, deserialize_with = "wire::word")]
    pub address_requirements: Option<AddressRequirement>,
    /// Whether it is new to Twilio's network.
    #[serde(default, deserialize_with = "wire::flag")]
    pub beta: Option<bool>,
    /// What it can do.
    #[serde(default)]
    pub capabilities: Option<Capabilities>,
}

/// The answer to a search: one page, without a link to another.
#[derive(Deserialize)]
pub(crate) struct Found {
    pub(crate) available_phone_numbers: Vec<AvailableNumber>,
}

impl Client {
    /// Looks for numbers for sale in a country.
    pub async fn search_available_numbers(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        country: &CountryCode,
        number_type: AvailableType,
        filter: &AvailableNumberFilter,
    ) -> Result<Vec<AvailableNumber>, Error> {
        let ids = [account.as_str(), country.as_str()];
        let request = filter.fill(Api::get(number_type.path(), &ids));
        let found: Found = self.send_json(credentials, &request).await?;
        Ok(found.available_phone_numbers)
    }
}
