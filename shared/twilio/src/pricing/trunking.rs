//! Prices of calls over SIP trunks (pricing v2). Per minute.

use serde::Deserialize;

use super::{PrefixPrice, PricedCountry, TypePrice};
use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::hosts::{Host, Pricing};
use crate::places::{CountryCode, E164};
use crate::wire;

/// What a minute over a trunk to or from a country costs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TrunkingPrices {
    /// The country's ISO code.
    pub iso_country: String,
    /// Its name.
    #[serde(default, deserialize_with = "wire::text")]
    pub country: Option<String>,
    /// Calls from the trunk into the telephone network.
    #[serde(default, deserialize_with = "wire::rows")]
    pub terminating_prefix_prices: Vec<PrefixPrice>,
    /// Calls from the telephone network into the trunk.
    #[serde(default, deserialize_with = "wire::rows")]
    pub originating_call_prices: Vec<TypePrice>,
    /// The currency code, upper case.
    #[serde(default, deserialize_with = "wire::currency_code")]
    pub price_unit: Option<String>,
}

/// What a minute over a trunk to or from a number costs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TrunkingNumberPrices {
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
    /// Calls from the trunk to it.
    #[serde(default, deserialize_with = "wire::rows")]
    pub terminating_prefix_prices: Vec<PrefixPrice>,
    /// Calls from it into the trunk.
    #[serde(default)]
    pub originating_call_price: Option<TypePrice>,
    /// The currency code, upper case.
    #[serde(default, deserialize_with = "wire::currency_code")]
    pub price_unit: Option<String>,
}

impl Client {
    /// Lists the countries that trunks have prices for.
    pub async fn list_trunking_countries(
        &self,
        credentials: &Credentials,
    ) -> Result<Vec<PricedCountry>, Error> {
        self.list_priced_countries(credentials, "/v2/Trunking/Countries")
            .await
    }

    /// Reads what trunk calls to and from a country cost the account that asks.
    pub async fn fetch_trunking_prices(
        &self,
        credentials: &Credentials,
        country: &CountryCode,
    ) -> Result<TrunkingPrices, Error> {
        let request = Pricing::get("/v2/Trunking/Countries/{Country}", &[country.as_str()]);
        self.send_json(credentials, &request).await
    }

    /// Reads what trunk calls to and from a number cost the account that asks.
    pub async fn fetch_trunking_number_prices(
        &self,
        credentials: &Credentials,
        destination: &E164,
        origination: Option<&E164>,
    ) -> Result<TrunkingNumberPrices, Error> {
        let request = Pricing::get("/v2/Trunking/Numbers/{Number}", &[destination.as_str()])
            .query_if("OriginationNumber", origination);
        self.send_json(credentials, &request).await
    }
}
