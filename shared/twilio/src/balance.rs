//! What the main account still has. Subaccounts have no balance of their own.

use domain::Decimal;
use domain::ids::AccountSid;
use domain::money::Currency;
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::client::Client;
use crate::credentials::MainCredentials;
use crate::error::Error;
use crate::hosts::{ApiOfMain, Host};
use crate::wire;

/// An account's balance, which may lag behind.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Balance {
    /// The account.
    pub account_sid: AccountSid,
    /// What is left; negative when overdrawn.
    #[serde(deserialize_with = "required_decimal")]
    pub balance: Decimal,
    /// Its currency.
    pub currency: Currency,
}

fn required_decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    wire::decimal(deserializer)?.ok_or_else(|| D::Error::custom("a balance has an amount"))
}

impl Client {
    /// Reads the main account's balance.
    pub async fn fetch_balance(&self, credentials: &MainCredentials) -> Result<Balance, Error> {
        let request = ApiOfMain::get(
            "/2010-04-01/Accounts/{AccountSid}/Balance.json",
            &[credentials.account_sid.as_str()],
        );
        self.send_json(credentials, &request).await
    }
}
