//! Prices of messages, by country, carrier and type of number (pricing v1).

use serde::Deserialize;

use super::{PricedCountry, TypePrice};
use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::hosts::{Host, Pricing};
use crate::places::CountryCode;
use crate::wire;

/// What a message to or from a country costs, per segment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MessagingPrices {
    /// The country's ISO code.
    pub iso_country: String,
    /// Its name.
    #[serde(default, deserialize_with = "wire::text")]
    pub country: Option<String>,
    /// Messages that come in, by type of the number they come in on.
    #[serde(default, deserialize_with = "wire::rows")]
    pub inbound_sms_prices: Vec<TypePrice>,
    /// Messages that go out, by carrier of the recipient.
    #[serde(default, deserialize_with = "wire::rows")]
    pub outbound_sms_prices: Vec<CarrierPrices>,
    /// The currency code, upper case.
    #[serde(default, deserialize_with = "wire::currency_code")]
    pub price_unit: Option<String>,
}

/// What a message to one carrier costs, by type of the number it goes out from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CarrierPrices {
    /// The carrier.
    #[serde(default, deserialize_with = "wire::text")]
    pub carrier: Option<String>,
    /// Its mobile country code.
    #[serde(default, deserialize_with = "wire::text")]
    pub mcc: Option<String>,
    /// Its mobile network code.
    #[serde(default, deserialize_with = "wire::text")]
    pub mnc: Option<String>,
    /// The prices.
    #[serde(default, deserialize_with = "wire::rows")]
    pub prices: Vec<TypePrice>,
}

impl Client {
    /// Lists the countries that messages have prices for.
    pub async fn list_messaging_countries(
        &self,
        credentials: &Credentials,
    ) -> Result<Vec<PricedCountry>, Error> {
        self.list_priced_countries(credentials, "/v1/Messaging/Countries")
            .await
    }

    /// Reads what messages to and from a country cost the account that asks.
    pub async fn fetch_messaging_prices(
        &self,
        credentials: &Credentials,
        country: &CountryCode,
    ) -> Result<MessagingPrices, Error> {
        let request = Pricing::get("/v1/Messaging/Countries/{Country}", &[country.as_str()]);
        self.send_json(credentials, &request).await
    }
}
