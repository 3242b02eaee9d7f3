//! Subaccounts: create, find, read, suspend, reactivate, close.
//!
//! A friendly name is not unique and a create is not idempotent: whoever creates looks first, and looks
//! again after an unknown outcome.

use domain::Timestamp;
use domain::ids::AccountSid;
use secrecy::SecretString;
use serde::Deserialize;

use crate::client::Client;
use crate::credentials::{Credentials, MainCredentials};
use crate::error::Error;
use crate::hosts::{Api, ApiOfMain, Host};
use crate::paging::Row;
use crate::request::Effect;
use crate::wire::{self, open_enum};

/// Characters of a friendly name that Twilio keeps (REST API reference, Account resource).
pub const FRIENDLY_NAME_MAX: usize = 64;

open_enum! {
    /// Whether an account may do anything.
    AccountStatus {
        /// Works.
        Active = "active",
        /// No calls, no messages; numbers stay and cost.
        Suspended = "suspended",
        /// For good: numbers are released, data is deleted later.
        Closed = "closed",
    }
}

open_enum! {
    /// Whether an account is paid for.
    AccountType {
        /// Not yet: few things are allowed.
        Trial = "Trial",
        /// Yes.
        Full = "Full",
    }
}

/// An account as Twilio shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// The account.
    pub sid: AccountSid,
    /// The account that owns it; a main account owns itself.
    pub owner_account_sid: AccountSid,
    /// The name it was given.
    #[serde(default)]
    pub friendly_name: String,
    /// Whether it works.
    pub status: AccountStatus,
    /// Whether it is paid for.
    #[serde(default, rename = "type", deserialize_with = "wire::word")]
    pub account_type: Option<AccountType>,
    /// When it was made.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
    /// When it last changed.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_updated: Option<Timestamp>,
    /// Its primary auth token, where Twilio shows it.
    #[serde(default, deserialize_with = "wire::secret")]
    pub auth_token: Option<SecretString>,
}

impl Row for Account {
    type Identity = AccountSid;

    fn identity(&self) -> AccountSid {
        self.sid.clone()
    }
}

/// Which accounts to list. The default lists every subaccount.
#[derive(Debug, Clone, Default)]
pub struct AccountFilter {
    /// Exactly this name, letter for letter.
    pub friendly_name: Option<String>,
    /// Only this status.
    pub status: Option<AccountStatus>,
}

impl Client {
    /// Creates a subaccount. `UnknownOutcome`: list by the same name before creating again.
    pub async fn create_account(
        &self,
        credentials: &MainCredentials,
        friendly_name: &str,
    ) -> Result<Account, Error> {
        let effect = Effect::Create {
            what_to_look_for: "look for a subaccount of that friendly name",
        };
        let request = ApiOfMain::post("/2010-04-01/Accounts.json", &[], effect)
            .form("FriendlyName", friendly_name);
        self.send_json(credentials, &request).await
    }

    /// Lists subaccounts; the authenticating account's own row is left out.
    ///
    /// Names are compared here as well: what Twilio's filter holds for equal is not documented.
    pub async fn list_accounts(
        &self,
        credentials: &MainCredentials,
        filter: &AccountFilter,
    ) -> Result<Vec<Account>, Error> {
        let request = ApiOfMain::get("/2010-04-01/Accounts.json", &[])
            .query_if("FriendlyName", filter.friendly_name.as_deref())
            .query_if("Status", filter.status.as_ref());
        let mut accounts: Vec<Account> = self.list(credentials, request, "accounts").await?;
        accounts.retain(|account| {
            account.sid != account.owner_account_sid
                && account.sid != credentials.account_sid
                && filter
                    .friendly_name
                    .as_ref()
                    .is_none_or(|name| account.friendly_name == *name)
                && filter
                    .status
                    .as_ref()
                    .is_none_or(|status| account.status == *status)
        });
        Ok(accounts)
    }

    /// Reads one account.
    pub async fn fetch_account(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
    ) -> Result<Account, Error> {
        let request = Api::get(
            "/2010-04-01/Accounts/{AccountSid}.json",
            &[account.as_str()],
        );
        self.send_json(credentials, &request).await
    }

    /// Sets a subaccount's status; setting it again changes nothing.
    pub async fn update_account_status(
        &self,
        credentials: &MainCredentials,
        account: &AccountSid,
        status: &AccountStatus,
    ) -> Result<Account, Error> {
        self.update_account(credentials, account, "Status", status.as_str())
            .await
    }

    /// Sets an account's friendly name; setting it again changes nothing.
    pub async fn update_account_name(
        &self,
        credentials: &MainCredentials,
        account: &AccountSid,
        friendly_name: &str,
    ) -> Result<Account, Error> {
        self.update_account(credentials, account, "FriendlyName", friendly_name)
            .await
    }

    async fn update_account(
        &self,
        credentials: &MainCredentials,
        account: &AccountSid,
        field: &str,
        value: &str,
    ) -> Result<Account, Error> {
        let path = "/2010-04-01/Accounts/{AccountSid}.json";
        let request =
            ApiOfMain::post(path, &[account.as_str()], Effect::Idempotent).form(field, value);
        self.send_json(credentials, &request).await
    }
}
