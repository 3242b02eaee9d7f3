//! Whose name a request goes out in: always an argument of the call, never a property of the client.
//!
//! The rule these types protect: main credentials reach a subaccount on the v2010 API only. On every other
//! product they show the main account's own rows in place of the subaccount's, without an error, so calls
//! about a tenant there take `SubaccountCredentials` and nothing else.

use domain::ids::AccountSid;
use secrecy::SecretString;

/// The operator's main account and its auth token. `Debug` shows no secret.
///
/// They reach every subaccount on the v2010 API. What only they may do there (make, list, suspend and close
/// subaccounts, move numbers between them) asks for them by type.
///
/// A product with a host of its own does not take them for a tenant's resource at all:
///
/// ```compile_fail,E0308
/// # async fn ask(client: twilio::Client, main: twilio::MainCredentials) {
/// client.list_messaging_services(&main).await.ok();
/// # }
/// ```
///
/// ```compile_fail,E0277
/// # async fn ask(client: twilio::Client, main: twilio::MainCredentials) {
/// client.list_messaging_services(&main.into()).await.ok();
/// # }
/// ```
///
/// ```
/// # async fn ask(client: twilio::Client, own: twilio::SubaccountCredentials) {
/// client.list_messaging_services(&own).await.ok();
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct MainCredentials {
    /// The main account.
    pub account_sid: AccountSid,
    /// Its primary auth token.
    pub auth_token: SecretString,
}

/// One subaccount and its own auth token. `Debug` shows no secret.
///
/// They reach that subaccount's own data on every product, and nothing of any other account: a v2010 call
/// about another account is refused here, before it is sent.
#[derive(Debug, Clone)]
pub struct SubaccountCredentials {
    /// The subaccount.
    pub account_sid: AccountSid,
    /// Its own primary auth token.
    pub auth_token: SecretString,
}

/// Either of them, for the v2010 API (and for price lists, where both are right).
#[derive(Debug, Clone)]
pub enum Credentials {
    /// The operator's main account.
    Main(MainCredentials),
    /// One subaccount.
    Subaccount(SubaccountCredentials),
}

impl Credentials {
    /// The account that authenticates.
    pub fn account_sid(&self) -> &AccountSid {
        match self {
            Self::Main(main) => &main.account_sid,
            Self::Subaccount(own) => &own.account_sid,
        }
    }
}

impl From<MainCredentials> for Credentials {
    fn from(main: MainCredentials) -> Self {
        Self::Main(main)
    }
}

impl From<SubaccountCredentials> for Credentials {
    fn from(own: SubaccountCredentials) -> Self {
        Self::Subaccount(own)
    }
}

/// What a request needs of whoever it goes out in the name of.
pub(crate) trait Authenticate {
    /// The account that authenticates, and its token.
    fn basic(&self) -> (&AccountSid, &SecretString);

    /// Whether a path below this account is theirs to ask for.
    fn reaches(&self, account_sid: &str) -> bool;
}

impl Authenticate for MainCredentials {
    fn basic(&self) -> (&AccountSid, &SecretString) {
        (&self.account_sid, &self.auth_token)
    }

    fn reaches(&self, _: &str) -> bool {
        true
    }
}

impl Authenticate for SubaccountCredentials {
    fn basic(&self) -> (&AccountSid, &SecretString) {
        (&self.account_sid, &self.auth_token)
    }

    fn reaches(&self, account_sid: &str) -> bool {
        self.account_sid.as_str() == account_sid
    }
}

impl Authenticate for Credentials {
    fn basic(&self) -> (&AccountSid, &SecretString) {
        match self {
            Self::Main(main) => main.basic(),
            Self::Subaccount(own) => own.basic(),
        }
    }

    fn reaches(&self, account_sid: &str) -> bool {
        match self {
            Self::Main(main) => main.reaches(account_sid),
            Self::Subaccount(own) => own.reaches(account_sid),
        }
    }
}
