//! Monthly rent of numbers, by country and type (pricing v1).

use serde::Deserialize;

use super::{PricedCountry, TypePrice};
use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::hosts::{Host, Pricing};
use crate::places::CountryCode;
use crate::wire;

/// What a number of a country costs a month.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PhoneNumberPrices {
    /// The country's ISO code.
    pub iso_country: String,
    /// Its name.
    #[serde(default, deserialize_with = "wire::text")]
    pub country: Option<String>,
    /// The rent, by type.
    #[serde(default, deserialize_with = "wire::rows")]
    pub phone_number_prices: Vec<TypePrice>,
    /// The currency code, upper case.
    #[serde(default, deserialize_with = "wire::currency_code")]
    pub price_unit: Option<String>,
}

impl Client {
    /// Lists the countries that numbers have prices for.
    pub async fn list_phone_number_countries(
        &self,
        credentials: &Credentials,
    ) -> Result<Vec<PricedCountry>, Error> {
        self.list_priced_countries(credentials, "/v1/PhoneNumbers/Countries")
            .await
    }

    /// Reads what numbers of a country cost the account that asks.
    pub async fn fetch_phone_number_prices(
        &self,
        credentials: &Credentials,
        country: &CountryCode,
    ) -> Result<PhoneNumberPrices, Error> {
        let request = Pricing::get("/v1/PhoneNumbers/Countries/{Country}", &[country.as_str()]);
        self.send_json(credentials, &request).await
    }
}
