//! Shared keys, which Twilio has its customers make at webhooks.twilio.com: a driver gives one to an account.

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use twilio::signature::{Algorithm, SharedKey};

use crate::sim::SimError;

/// What is to sign an account's callbacks: a shared key, or with `null` its auth token again.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Signing {
    SharedKey(KeyAsked),
    AuthToken(()),
}

impl Signing {
    pub(super) fn read(&self) -> Result<Option<SharedKey>, SimError> {
        match self {
            Self::SharedKey(key) => key.read().map(Some),
            Self::AuthToken(()) => Ok(None),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyAsked {
    id: String,
    secret: String,
    algorithm: Option<String>,
}

impl KeyAsked {
    fn read(&self) -> Result<SharedKey, SimError> {
        // The id stands in a header between commas.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if self.id.is_empty() || !self.id.bytes().all(is_plain) || self.secret.is_empty() {
            return Err(SimError::Invalid("shared_key: id and secret"));
        }
        let algorithm = match self.algorithm.as_deref() {
            None => Algorithm::HmacSha256,
            Some(name) => {
                Algorithm::parse(name).ok_or(SimError::Invalid("shared_key: algorithm"))?
            }
        };
        let secret = SecretString::from(self.secret.clone());
        Ok(SharedKey::new(self.id.clone(), algorithm, secret))
    }
}

/// Tells a field that is null from one that is not there.
pub(super) fn given<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Signing>, D::Error> {
    Signing::deserialize(deserializer).map(Some)
}
