//! What Twilio asks for numbers, messages, calls and trunks: the list price, and the price agreed with the
//! account that asks.
//!
//! This is the one product on its own host that takes either credentials: the operator's main ones show what
//! the operator pays, a subaccount's what is agreed for it. Both are right answers to different questions;
//! neither shows another account's rows. Carriers' surcharges are not in these prices, and whoever bills
//! reads usage records instead: prices are for estimates.

mod messaging;
mod numbers;
mod trunking;
mod voice;

use domain::Decimal;
use serde::Deserialize;

use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::hosts::{Host, Pricing};
use crate::paging::Row;
use crate::wire;

pub use messaging::{CarrierPrices, MessagingPrices};
pub use numbers::PhoneNumberPrices;
pub use trunking::{TrunkingNumberPrices, TrunkingPrices};
pub use voice::{OriginPrice, PrefixPrice, VoiceNumberPrices, VoicePrices};

/// A country that has prices.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PricedCountry {
    /// Its ISO code.
    pub iso_country: String,
    /// Its name.
    #[serde(default, deserialize_with = "wire::text")]
    pub country: Option<String>,
}

impl Row for PricedCountry {
    type Identity = String;

    fn identity(&self) -> String {
        self.iso_country.clone()
    }
}

/// A price by type of number: per month, message or minute.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TypePrice {
    /// `local`, `toll free`, `mobile`, `national`, ...
    #[serde(default, deserialize_with = "wire::text")]
    pub number_type: Option<String>,
    /// The list price.
    #[serde(default, deserialize_with = "wire::decimal")]
    pub base_price: Option<Decimal>,
    /// The price agreed with the account that asks.
    #[serde(default, deserialize_with = "wire::decimal")]
    pub current_price: Option<Decimal>,
}

impl Client {
    async fn list_priced_countries(
        &self,
        credentials: &Credentials,
        path: &'static str,
    ) -> Result<Vec<PricedCountry>, Error> {
        self.list(credentials, Pricing::get(path, &[]), "countries")
            .await
    }
}
