//! Whose name a request goes out in: always an argument of the call, never a property of the client.

use domain::ids::AccountSid;
use secrecy::SecretString;

/// An account and its auth token. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// The operator's main account: reaches its subaccounts on the v2010 API, and only there.
    Main {
        /// The main account.
        account_sid: AccountSid,
        /// Its primary auth token.
        auth_token: SecretString,
    },
    /// One subaccount: reaches its own data on every product.
    Subaccount {
        /// The subaccount.
        account_sid: AccountSid,
        /// Its own primary auth token.
        auth_token: SecretString,
    },
}

impl Credentials {
    /// The account that authenticates.
    pub fn account_sid(&self) -> &AccountSid {
        match self {
            Self::Main { account_sid, .. } | Self::Subaccount { account_sid, .. } => account_sid,
        }
    }

    pub(crate) fn auth_token(&self) -> &SecretString {
        match self {
            Self::Main { auth_token, .. } | Self::Subaccount { auth_token, .. } => auth_token,
        }
    }
}
