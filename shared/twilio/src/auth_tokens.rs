//! Rotating a subaccount's auth token: make a secondary, promote it, or take it back.
//!
//! All of it acts on the account that authenticates. A promotion ends the old primary at once and moves the
//! signature of callbacks to the new one within about a minute. A secondary token authenticates like a
//! primary, so that it works proves nothing; what is primary is known by reading the account with main
//! credentials.

use domain::Timestamp;
use domain::ids::AccountSid;
use secrecy::SecretString;
use serde::Deserialize;

use crate::client::Client;
use crate::credentials::SubaccountCredentials;
use crate::error::{AlarmReason, Error};
use crate::hosts::{Accounts, Host};
use crate::request::Effect;
use crate::wire;

/// Whether Twilio writes to the account's owners that a token changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailNotification {
    /// It does: its own default.
    Send,
    /// It does not: for rotating many subaccounts.
    Suppress,
}

impl EmailNotification {
    /// Only what differs from Twilio's default is sent.
    fn suppress(self) -> Option<bool> {
        (self == Self::Suppress).then_some(true)
    }
}

/// A secondary token just made: it authenticates, and signs nothing. Twilio never shows it again.
#[derive(Debug, Clone, Deserialize)]
pub struct SecondaryAuthToken {
    /// The account.
    pub account_sid: AccountSid,
    /// The token.
    #[serde(deserialize_with = "wire::required_secret")]
    pub secondary_auth_token: SecretString,
    /// When it was made.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
    /// When it last changed.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_updated: Option<Timestamp>,
}

/// A token just made primary.
#[derive(Debug, Clone, Deserialize)]
pub struct PromotedAuthToken {
    /// The account.
    pub account_sid: AccountSid,
    /// The token, primary now.
    #[serde(deserialize_with = "wire::required_secret")]
    pub auth_token: SecretString,
    /// When it was made.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
    /// When it last changed.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_updated: Option<Timestamp>,
}

impl Client {
    /// Makes a secondary token. `UnknownOutcome`: there may be one that nobody knows; delete the secondary
    /// token, then make another.
    pub async fn create_secondary_auth_token(
        &self,
        credentials: &SubaccountCredentials,
        email: EmailNotification,
    ) -> Result<SecondaryAuthToken, Error> {
        let effect = Effect::Create {
            what_to_look_for: "delete the secondary auth token, which may exist unknown to anyone",
        };
        let request = Accounts::post("/v1/AuthTokens/Secondary", &[], effect)
            .form_if("SuppressEmailNotification", email.suppress());
        let made: SecondaryAuthToken = self.send_json(credentials, &request).await?;
        check_account(credentials, &made.account_sid)?;
        Ok(made)
    }

    /// Makes the secondary token primary; the old primary is dead from then on, also the one in
    /// `credentials` if it is that.
    ///
    /// A second promotion fails, for there is no secondary token any more. `UnknownOutcome`: read the account
    /// with main credentials; its token tells whether the promotion happened.
    pub async fn promote_auth_token(
        &self,
        credentials: &SubaccountCredentials,
        email: EmailNotification,
    ) -> Result<PromotedAuthToken, Error> {
        let effect = Effect::Create {
            what_to_look_for: "read the account's primary auth token again with main credentials",
        };
        let request = Accounts::post("/v1/AuthTokens/Promote", &[], effect)
            .form_if("SuppressEmailNotification", email.suppress());
        let promoted: PromotedAuthToken = self.send_json(credentials, &request).await?;
        check_account(credentials, &promoted.account_sid)?;
        Ok(promoted)
    }

    /// Deletes the secondary token; if there is none, it is deleted.
    pub async fn delete_secondary_auth_token(
        &self,
        credentials: &SubaccountCredentials,
        email: EmailNotification,
    ) -> Result<(), Error> {
        let request = Accounts::delete("/v1/AuthTokens/Secondary", &[])
            .query_if("SuppressEmailNotification", email.suppress());
        self.send_delete(credentials, &request).await
    }
}

/// A token stored under another account's name would lock that account out.
fn check_account(credentials: &SubaccountCredentials, found: &AccountSid) -> Result<(), Error> {
    if credentials.account_sid == *found {
        Ok(())
    } else {
        Err(Error::alarm(AlarmReason::ContractBroken).caused_by("a token of another account"))
    }
}
