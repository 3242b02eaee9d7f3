//! Prices of calls, by country or number, and by where the call comes from (pricing v2). Per minute.

use domain::Decimal;
use serde::Deserialize;

use super::{PricedCountry, TypePrice};
use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::hosts::{Host, Pricing};
use crate::places::{CountryCode, E164};
use crate::wire;

/// The price of calls to numbers that begin so, from numbers that begin so.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PrefixPrice {
    /// What it is called.
    #[serde(default, deserialize_with = "wire::text")]
    pub friendly_name: Option<String>,
    /// How the caller's number begins; `ALL` is any.
    #[serde(default, deserialize_with = "wire::rows")]
    pub origination_prefixes: Vec<String>,
    /// How the called number begins.
    #[serde(default, deserialize_with = "wire::rows")]
    pub destination_prefixes: Vec<String>,
    /// The list price.
    #[serde(default, deserialize_with = "wire::decimal")]
    pub base_price: Option<Decimal>,
    /// The price agreed with the account that asks.
    #[serde(default, deserialize_with = "wire::decimal")]
    pub current_price: Option<Decimal>,
}

/// The price of calls to one number, from numbers that begin so.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OriginPrice {
    /// How the caller's number begins; `ALL` is any.
    #[serde(default, deserialize_with = "wire::rows")]
    pub origination_prefixes: Vec<String>,
    /// The list price.
    #[serde(default, deserialize_with = "wire::decimal")]
    pub base_price: Option<Decimal>,
    /// The price agreed with the account that asks.
    #[serde(default, deserialize_with = "wire::decimal")]
    pub current_price: Option<Decimal>,
}

/// What a minute to or from a country costs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct VoicePrices {
    /// The country's ISO code.
    pub iso_country: String,
    /// Its name.
    #[serde(default, deserialize_with = "wire::text")]
    pub country: Option<String>,
    /// Calls that go out.
    #[serde(default, deserialize_with = "wire::rows")]
    pub outbound_prefix_prices: Vec<PrefixPrice>,
    /// Calls that come in, by type of the number they come in on.
    #[serde(default, deserialize_with = "wire::rows")]
    pub inbound_call_prices: Vec<TypePrice>,
    /// The currency code, upper case.
    #[serde(default, deserialize_with = "wire::currency_code")]
    pub price_unit: Option<String>,
}

/// What a minute to or from a number costs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct VoiceNumberPrices {
    /// The number, in E.164 form.
    pub destination_number: String,
    /// The number that calls it, where one was given.
    #[serde(default, deserialize_with = "wire::text")]
    pub origination_number: Option<String>,
    /// The country's ISO code.
    #[serde(default, deserialize_with = "wire::text")]
    pub iso_country: Option<String>,
    /// Its name.
    #[serde(default, deserialize_with = "wire::text")]
    pub country: Option<String>,
    /// Calls to it.
    #[serde(default, deserialize_with = "wire::rows")]
    pub outbound_call_prices: Vec<OriginPrice>,
    /// Calls that come in on it; without a price where Twilio rents no such numbers.
    #[serde(default)]
    pub inbound_call_price: Option<TypePrice>,
    /// The currency code, upper case.
    #[serde(default, deserialize_with = "wire::currency_code")]
    pub price_unit: Option<String>,
}

impl Client {
    /// Lists the countries that calls have prices for.
    pub async fn list_voice_countries(
        &self,
        credentials: &Credentials,
    ) -> Result<Vec<PricedCountry>, Error> {
        self.list_priced_countries(credentials, "/v2/Voice/Countries")
            .await
    }

    /// Reads what calls to and from a country cost the account that asks.
    pub async fn fetch_voice_prices(
        &self,
        credentials: &Credentials,
        country: &CountryCode,
    ) -> Result<VoicePrices, Error> {
        let request = Pricing::get("/v2/Voice/Countries/{Country}", &[country.as_str()]);
        self.send_json(credentials, &request).await
    }

    /// Reads what calls to and from a number cost the account that asks: from anywhere, or from one number.
    pub async fn fetch_voice_number_prices(
        &self,
        credentials: &Credentials,
        destination: &E164,
        origination: Option<&E164>,
    ) -> Result<VoiceNumberPrices, Error> {
        let request = Pricing::get("/v2/Voice/Numbers/{Number}", &[destination.as_str()])
            .query_if("OriginationNumber", origination);
        self.send_json(credentials, &request).await
    }
}
