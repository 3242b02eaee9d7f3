//! API keys by the iam product: restricted ones, which can do only what a policy lists, and standard ones.
//!
//! Keys belong to the account that authenticates. A tenant's are made with the subaccount's own credentials,
//! for main credentials would make a key of the main account in its place.

use domain::Timestamp;
use domain::ids::KeySid;
use secrecy::SecretString;
use serde::Deserialize;

use crate::client::Client;
use crate::credentials::SubaccountCredentials;
use crate::error::Error;
use crate::hosts::{Host, Iam};
use crate::paging::Row;
use crate::request::{Effect, Request};
use crate::wire;

/// Permissions that one key may have (Twilio documentation, restricted API keys).
pub const PERMISSIONS_MAX: usize = 100;

/// A policy that Twilio would not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A key without a permission is of no use.
    #[error("a policy lists at least one permission")]
    Empty,
    /// More than Twilio takes.
    #[error("a policy lists at most {PERMISSIONS_MAX} permissions")]
    TooMany,
    /// A permission is a path, such as `/twilio/messaging/messages/read`.
    #[error("a permission is a path of letters, digits, hyphens and underscores")]
    Permission,
}

/// What a restricted key may do: nothing but this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    allow: Vec<String>,
}

impl Policy {
    /// Checks the permissions' number and form; which of them exist, Twilio knows itself.
    pub fn allow<T: Into<String>>(
        permissions: impl IntoIterator<Item = T>,
    ) -> Result<Self, PolicyError> {
        let allow: Vec<String> = permissions.into_iter().map(Into::into).collect();
        if allow.is_empty() {
            Err(PolicyError::Empty)
        } else if allow.len() > PERMISSIONS_MAX {
            Err(PolicyError::TooMany)
        } else if !allow.iter().all(|permission| is_permission(permission)) {
            Err(PolicyError::Permission)
        } else {
            Ok(Self { allow })
        }
    }

    /// The permissions.
    pub fn permissions(&self) -> &[String] {
        &self.allow
    }

    /// `{"allow":[...]}`: permissions need no escaping.
    fn to_json(&self) -> String {
        let quoted: Vec<String> = self
            .allow
            .iter()
            .map(|path| format!("\"{path}\""))
            .collect();
        format!("{{\"allow\":[{}]}}", quoted.join(","))
    }
}

fn is_permission(text: &str) -> bool {
    text.strip_prefix('/').is_some_and(|path| {
        path.split('/').all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        })
    })
}

/// A policy as Twilio shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ShownPolicy {
    /// The permissions.
    #[serde(default, deserialize_with = "wire::rows")]
    pub allow: Vec<String>,
}

/// A key as Twilio shows it; its secret was shown once.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct IamKey {
    /// The key.
    pub sid: KeySid,
    /// The name it was given.
    #[serde(default, deserialize_with = "wire::text")]
    pub friendly_name: Option<String>,
    /// What it may do; absent for a standard key, and in lists.
    #[serde(default)]
    pub policy: Option<ShownPolicy>,
    /// What it is good for, in lists: `rest_api`, `signing`.
    #[serde(default, deserialize_with = "wire::rows")]
    pub flags: Vec<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
    /// When it last changed.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_updated: Option<Timestamp>,
}

impl Row for IamKey {
    type Identity = KeySid;

    fn identity(&self) -> KeySid {
        self.sid.clone()
    }
}

/// A key just made, with the secret that Twilio never shows again.
#[derive(Debug, Clone, Deserialize)]
pub struct CreatedIamKey {
    /// The key.
    pub sid: KeySid,
    /// The name it was given.
    #[serde(default, deserialize_with = "wire::text")]
    pub friendly_name: Option<String>,
    /// What it may do; absent for a standard key.
    #[serde(default)]
    pub policy: Option<ShownPolicy>,
    /// When it was made.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
    /// Its secret.
    #[serde(deserialize_with = "wire::required_secret")]
    pub secret: SecretString,
}

/// What can be changed of a key. What is absent stays.
#[derive(Debug, Clone, Default)]
pub struct IamKeyUpdate {
    /// The name.
    pub friendly_name: Option<String>,
    /// What it may do, all of it: a policy replaces the one before.
    pub policy: Option<Policy>,
}

const PATH: &str = "/v1/Keys/{KeySid}";

impl Client {
    /// Creates a key that may do only what the policy lists. `UnknownOutcome`: list, delete the key of that
    /// name, create anew, for the secret of a key whose answer was lost cannot be read again.
    pub async fn create_restricted_key(
        &self,
        credentials: &SubaccountCredentials,
        friendly_name: &str,
        policy: &Policy,
    ) -> Result<CreatedIamKey, Error> {
        let request = new_key(credentials, friendly_name)
            .form("KeyType", "restricted")
            .form("Policy", &policy.to_json());
        self.send_json(credentials, &request).await
    }

    /// Creates a standard key, which may do everything in its account but manage accounts and keys.
    /// `UnknownOutcome`: as for a restricted one.
    pub async fn create_standard_key(
        &self,
        credentials: &SubaccountCredentials,
        friendly_name: &str,
    ) -> Result<CreatedIamKey, Error> {
        let request = new_key(credentials, friendly_name);
        self.send_json(credentials, &request).await
    }

    /// Lists the subaccount's keys of both kinds, without their secrets and policies.
    pub async fn list_iam_keys(
        &self,
        credentials: &SubaccountCredentials,
    ) -> Result<Vec<IamKey>, Error> {
        let request =
            Iam::get("/v1/Keys", &[]).query("AccountSid", credentials.account_sid.as_str());
        self.list(credentials, request, "keys").await
    }

    /// Reads one key with its policy, without its secret.
    pub async fn fetch_iam_key(
        &self,
        credentials: &SubaccountCredentials,
        key: &KeySid,
    ) -> Result<IamKey, Error> {
        let request = Iam::get(PATH, &[key.as_str()]);
        self.send_json(credentials, &request).await
    }

    /// Changes a key's name or policy; doing it again changes nothing.
    pub async fn update_iam_key(
        &self,
        credentials: &SubaccountCredentials,
        key: &KeySid,
        update: &IamKeyUpdate,
    ) -> Result<IamKey, Error> {
        let request = Iam::post(PATH, &[key.as_str()], Effect::Idempotent)
            .form_if("FriendlyName", update.friendly_name.as_ref())
            .form_if("Policy", update.policy.as_ref().map(Policy::to_json));
        self.send_json(credentials, &request).await
    }

    /// Deletes a key; one that is already gone is deleted.
    pub async fn delete_iam_key(
        &self,
        credentials: &SubaccountCredentials,
        key: &KeySid,
    ) -> Result<(), Error> {
        let request = Iam::delete(PATH, &[key.as_str()]);
        self.send_delete(credentials, &request).await
    }
}

/// The account is always the one that authenticates.
fn new_key(credentials: &SubaccountCredentials, friendly_name: &str) -> Request<Iam> {
    let effect = Effect::Create {
        what_to_look_for: "look for a key of that friendly name and delete it",
    };
    Iam::post("/v1/Keys", &[], effect)
        .form("AccountSid", credentials.account_sid.as_str())
        .form("FriendlyName", friendly_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_lists_a_hundred_permissions_at_most() {
        let permissions = |count| Policy::allow((0..count).map(|n| format!("/twilio/p{n}/read")));
        assert!(permissions(PERMISSIONS_MAX).is_ok());
        assert_eq!(permissions(PERMISSIONS_MAX + 1), Err(PolicyError::TooMany));
        assert_eq!(permissions(0), Err(PolicyError::Empty));
    }

    #[test]
    fn a_permission_cannot_break_out_of_the_policy() {
        for wrong in [
            "",
            "/",
            "twilio/read",
            "//read",
            "/a\"],\"deny\":[\"b",
            "/a b",
            "/a\\",
            "/a/",
        ] {
            assert_eq!(
                Policy::allow([wrong]),
                Err(PolicyError::Permission),
                "{wrong}"
            );
        }
        let policy = Policy::allow(["/twilio/messaging/messages/read", "/twilio/voice"]).unwrap();
        let json: serde_json::Value = serde_json::from_str(&policy.to_json()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"allow": ["/twilio/messaging/messages/read", "/twilio/voice"]})
        );
    }
}
