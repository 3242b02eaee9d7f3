//! API keys of an account: a tenant sends with one, so that its auth token stays with us.

use domain::Timestamp;
use domain::ids::{AccountSid, KeySid};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::paging::Row;
use crate::request::{Effect, Request};
use crate::wire;

/// A standard API key; its secret was shown once.
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
    #[serde(deserialize_with = "required_secret")]
    pub secret: SecretString,
}

fn required_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    wire::secret(deserializer)?.ok_or_else(|| D::Error::custom("a created key has a secret"))
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
            Request::post(path, &[account.as_str()], effect).form("FriendlyName", friendly_name);
        self.send_json(credentials, &request).await
    }

    /// Lists an account's keys, without their secrets.
    pub async fn list_keys(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
    ) -> Result<Vec<Key>, Error> {
        let request = Request::get(
            "/2010-04-01/Accounts/{AccountSid}/Keys.json",
            &[account.as_str()],
        );
        self.list(credentials, request, "keys").await
    }

    /// Deletes a key; one that is already gone is deleted.
    pub async fn delete_key(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        key: &KeySid,
    ) -> Result<(), Error> {
        let path = "/2010-04-01/Accounts/{AccountSid}/Keys/{KeySid}.json";
        let request = Request::delete(path, &[account.as_str(), key.as_str()]);
        match self.send(credentials, &request, |_| Ok(())).await {
            Err(error) if error.is_not_found() => Ok(()),
            outcome => outcome,
        }
    }
}
