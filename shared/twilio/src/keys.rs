//! API keys of an account: a tenant sends with one, so that its auth token stays with us.

use domain::Timestamp;
use domain::ids::{AccountSid, KeySid};
use secrecy::SecretString;
use serde::Deserialize;

use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::hosts::{Api, Host};
use crate::paging::Row;
use crate::request::Effect;
use crate::wire;

/// A standard API key; its secret was shown once. It reaches everything of its account but accounts and keys.
#[derive(Debug, Clone, Deserialize)]
pub struct Key {
    /// The key.
    pub sid: KeySid,
    /// The name it was given.
    #[serde(default)]
    pub friendly_name: String,
    /// When it was made.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
}

/// A key just made, with the secret that Twilio never shows again.
#[derive(Debug, Clone, Deserialize)]
pub struct CreatedKey {
    /// The key.
    pub sid: KeySid,
    /// The name it was given.
    #[serde(default)]
    pub friendly_name: String,
    /// When it was made.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
    /// Its secret.
    #[serde(deserialize_with = "wire::required_secret")]
    pub secret: SecretString,
}

impl Row for Key {
    type Identity = KeySid;

    fn identity(&self) -> KeySid {
        self.sid.clone()
    }
}

impl Client {
    /// Creates a key. `UnknownOutcome`: list, delete the key of that name, create anew, for the secret
    /// of a key whose answer was lost cannot be read again.
    pub async fn create_key(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        friendly_name: &str,
    ) -> Result<CreatedKey, Error> {
        let effect = Effect::Create {
            what_to_look_for: "look for a key of that friendly name and delete it",
        };
        let path = "/2010-04-01/Accounts/{AccountSid}/Keys.json";
        let request =
            Api::post(path, &[account.as_str()], effect).form("FriendlyName", friendly_name);
        self.send_json(credentials, &request).await
    }

    /// Lists an account's keys, without their secrets.
    pub async fn list_keys(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
    ) -> Result<Vec<Key>, Error> {
        let path = "/2010-04-01/Accounts/{AccountSid}/Keys.json";
        let request = Api::get(path, &[account.as_str()]);
        self.list(credentials, request, "keys").await
    }

    /// Reads one key, without its secret.
    pub async fn fetch_key(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        key: &KeySid,
    ) -> Result<Key, Error> {
        let path = "/2010-04-01/Accounts/{AccountSid}/Keys/{KeySid}.json";
        let request = Api::get(path, &[account.as_str(), key.as_str()]);
        self.send_json(credentials, &request).await
    }

    /// Sets a key's friendly name.
    pub async fn update_key(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        key: &KeySid,
        friendly_name: &str,
    ) -> Result<Key, Error> {
        let path = "/2010-04-01/Accounts/{AccountSid}/Keys/{KeySid}.json";
        let ids = [account.as_str(), key.as_str()];
        let request = Api::post(path, &ids, Effect::Idempotent).form("FriendlyName", friendly_name);
        self.send_json(credentials, &request).await
    }

    /// Deletes a key; one that is already gone is deleted.
    pub async fn delete_key(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        key: &KeySid,
    ) -> Result<(), Error> {
        let path = "/2010-04-01/Accounts/{AccountSid}/Keys/{KeySid}.json";
        let request = Api::delete(path, &[account.as_str(), key.as_str()]);
        self.send_delete(credentials, &request).await
    }
}
