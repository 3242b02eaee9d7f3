//! Subaccounts: create, find, read, suspend, reactivate, close.
//!
//! A friendly name is not unique and a create is not idempotent: whoever creates looks first, and looks
//! again after an unknown outcome.

use domain::Timestamp;
use domain::ids::AccountSid;
use secrecy::SecretString;
use serde::Deserialize;

use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::paging::Row;
use crate::request::{Effect, Request};
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
    /// When it was made.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
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
        credentials: &Credentials,
        friendly_name: &str,
    ) -> Result<Account, Error> {
        let effect = Effect::Create {
            what_to_look_for: "look for a subaccount of that friendly name",
        };
        let request = Request::post("/2010-04-01/Accounts.json", &[], effect)
            .form("FriendlyName", friendly_name);
        self.send_json(credentials, &request).await
    }

    /// Lists subaccounts; the authenticating account's own row is left out.
    ///
    /// Names are compared here as well: what Twilio's filter holds for equal is not documented.
    pub async fn list_accounts(
        &self,
        credentials: &Credentials,
        filter: &AccountFilter,
    ) -> Result<Vec<Account>, Error> {
        let mut request = Request::get("/2010-04-01/Accounts.json", &[]);
        if let Some(name) = &filter.friendly_name {
            request = request.query("FriendlyName", name);
        }
        if let Some(status) = &filter.status {
            request = request.query("Status", status.as_str());
        }
        let mut accounts: Vec<Account> = self.list(credentials, request, "accounts").await?;
        accounts.retain(|account| {
            account.sid != account.owner_account_sid
                && account.sid != *credentials.account_sid()
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
        let request = Request::get(
            "/2010-04-01/Accounts/{AccountSid}.json",
            &[account.as_str()],
        );
        self.send_json(credentials, &request).await
    }

    /// Sets an account's status; setting it again changes nothing.
    pub async fn update_account_status(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        status: &AccountStatus,
    ) -> Result<Account, Error> {
        let path = "/2010-04-01/Accounts/{AccountSid}.json";
        let request = Request::post(path, &[account.as_str()], Effect::Idempotent)
            .form("Status", status.as_str());
        self.send_json(credentials, &request).await
    }
}
