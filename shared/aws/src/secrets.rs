//! Secrets: the main account's token, the first operator key, and one token per subaccount.

use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use domain::Timestamp;
use domain::ids::AccountSid;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Clients, Names, StoreError};

/// A secret could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The call failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such secret, or no such version of it.
    #[error("no secret {0}")]
    Missing(String),
    /// The secret does not have the documented form.
    #[error("secret {0} does not have the documented form")]
    Malformed(String),
}

impl SecretError {
    /// May the caller ask again later?
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_retryable())
    }
}

/// An account's SID and auth token.
#[derive(Debug, Clone)]
pub struct TwilioSecret {
    /// The account.
    pub account_sid: AccountSid,
    /// Its auth token.
    pub auth_token: SecretString,
}

/// One version of a secret.
pub(crate) struct VersionedSecret {
    pub(crate) secret: TwilioSecret,
    pub(crate) created_at: Option<Timestamp>,
}

/// A version by its id.
struct StoredVersion {
    id: String,
    text: SecretString,
}

impl StoredVersion {
    fn holds(&self, text: &str) -> bool {
        self.text.expose_secret() == text
    }
}

/// Whose auth token.
#[derive(Debug, Clone, Copy)]
pub enum Whose<'a> {
    /// The main account's.
    Main,
    /// A subaccount's.
    Subaccount(&'a AccountSid),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TwilioSecretJson {
    account_sid: AccountSid,
    auth_token: String,
}

/// Which version of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// In force.
    Current,
    /// Being rotated in.
    Pending,
    /// Rotated out.
    Previous,
}

impl Version {
    fn stage(self) -> &'static str {
        match self {
            Self::Current => "AWSCURRENT",
            Self::Pending => "AWSPENDING",
            Self::Previous => "AWSPREVIOUS",
        }
    }
}

/// Secrets Manager.
#[derive(Debug, Clone)]
pub struct Secrets {
    client: aws_sdk_secretsmanager::Client,
    names: Names,
}

impl Secrets {
    /// The stage's secrets.
    pub fn new(clients: &Clients, names: &Names) -> Self {
        Self {
            client: clients.secrets.clone(),
            names: names.clone(),
        }
    }

    /// The main account's SID and auth token.
    pub async fn main(&self) -> Result<TwilioSecret, SecretError> {
        let name = self.names.main_secret();
        let text = self
            .read(&name, Version::Current)
            .await?
            .ok_or_else(|| SecretError::Missing(name.clone()))?;
        parse(&name, &text)
    }

    /// The first operator key, a whole bearer.
    pub async fn first_operator_key(&self) -> Result<SecretString, SecretError> {
        let name = self.names.operator_key_secret();
        self.read(&name, Version::Current)
            .await?
            .ok_or(SecretError::Missing(name))
    }

    /// A subaccount's token in one version, if there is one.
    pub(crate) async fn subaccount(
        &self,
        account_sid: &AccountSid,
        version: Version,
    ) -> Result<Option<VersionedSecret>, SecretError> {
        let name = self.names.subaccount_secret(account_sid);
        let Some((text, created_at)) = self.read_version(&name, version).await? else {
            return Ok(None);
        };
        let secret = parse(&name, &text)?;
        Ok(Some(VersionedSecret { secret, created_at }))
    }

    /// The token that waits beside the one in force, if there is one.
    pub async fn pending(&self, whose: Whose<'_>) -> Result<Option<TwilioSecret>, SecretError> {
        let name = self.name_of(whose);
        let text = self.read(&name, Version::Pending).await?;
        text.map(|text| parse(&name, &text)).transpose()
    }

    /// Stores a token beside the one in force. Doing it twice is the same.
    pub async fn store_pending(
        &self,
        whose: Whose<'_>,
        secret: &TwilioSecret,
    ) -> Result<(), SecretError> {
        let name = self.name_of(whose);
        self.put_version(&name, secret, Version::Pending).await
    }

    /// Puts a token in force: the one that waits is moved, any other is stored. Doing it twice is the same.
    pub async fn put_in_force(
        &self,
        whose: Whose<'_>,
        secret: &TwilioSecret,
    ) -> Result<(), SecretError> {
        let name = self.name_of(whose);
        let text = to_text(secret);
        let current = self.version(&name, Version::Current).await?;
        if current.as_ref().is_some_and(|current| current.holds(&text)) {
            return Ok(());
        }
        let pending = self.version(&name, Version::Pending).await?;
        match pending.filter(|pending| pending.holds(&text)) {
            Some(pending) => {
                let from = current.map(|current| current.id);
                self.move_label(&name, Version::Current, from, Some(pending.id.clone()))
                    .await?;
                self.move_label(&name, Version::Pending, Some(pending.id), None)
                    .await
            }
            None => self.put_version(&name, secret, Version::Current).await,
        }
    }

    /// Destroys a secret after a window in which it can be restored. One that is gone is destroyed.
    pub async fn destroy(&self, whose: Whose<'_>, recovery_days: i64) -> Result<(), SecretError> {
        let deleted = self
            .client
            .delete_secret()
            .secret_id(self.name_of(whose))
            .recovery_window_in_days(recovery_days)
            .send()
            .await;
        match deleted {
            Ok(_) => Ok(()),
            Err(error)
                if is(&error, "ResourceNotFoundException")
                    || is(&error, "InvalidRequestException") =>
            {
                Ok(())
            }
            Err(error) => Err(StoreError::from_sdk("destroy secret", &error).into()),
        }
    }

    fn name_of(&self, whose: Whose<'_>) -> String {
        match whose {
            Whose::Main => self.names.main_secret(),
            Whose::Subaccount(sid) => self.names.subaccount_secret(sid),
        }
    }

    async fn put_version(
        &self,
        name: &str,
        secret: &TwilioSecret,
        version: Version,
    ) -> Result<(), SecretError> {
        let text = to_text(secret);
        let put = self
            .client
            .put_secret_value()
            .secret_id(name)
            .client_request_token(request_token(name, &text))
            .secret_string(text)
            .version_stages(version.stage());
        let put = put.send().await;
        put.map_err(|error| StoreError::from_sdk("store secret", &error))?;
        Ok(())
    }

    async fn move_label(
        &self,
        name: &str,
        version: Version,
        from: Option<String>,
        to: Option<String>,
    ) -> Result<(), SecretError> {
        let moved = self
            .client
            .update_secret_version_stage()
            .secret_id(name)
            .version_stage(version.stage())
            .set_remove_from_version_id(from)
            .set_move_to_version_id(to)
            .send()
            .await;
        moved.map_err(|error| StoreError::from_sdk("move secret's label", &error))?;
        Ok(())
    }

    async fn version(
        &self,
        name: &str,
        version: Version,
    ) -> Result<Option<StoredVersion>, SecretError> {
        let answer = self
            .client
            .get_secret_value()
            .secret_id(name)
            .version_stage(version.stage())
            .send()
            .await;
        match answer {
            Ok(value) => {
                let id = value.version_id.unwrap_or_default();
                let text = value.secret_string.map(SecretString::from);
                Ok(text.map(|text| StoredVersion { id, text }))
            }
            Err(error) if is(&error, "ResourceNotFoundException") => Ok(None),
            Err(error) => Err(StoreError::from_sdk("read secret", &error).into()),
        }
    }

    /// The subaccount's token in force, if one is stored.
    pub async fn subaccount_in_force(
        &self,
        account_sid: &AccountSid,
    ) -> Result<Option<TwilioSecret>, SecretError> {
        let found = self.subaccount(account_sid, Version::Current).await?;
        Ok(found.map(|found| found.secret))
    }

    /// Stores a subaccount's token so that it is the one in force, whatever was there before: none, the
    /// same, another one, or a secret that waits for its deletion. Doing it twice is the same.
    pub async fn store_subaccount(&self, secret: &TwilioSecret) -> Result<(), SecretError> {
        const OPERATION: &str = "store secret";
        let name = self.names.subaccount_secret(&secret.account_sid);
        let text = to_text(secret);
        let token = request_token(&name, &text);
        let created = self
            .client
            .create_secret()
            .name(&name)
            .secret_string(&text)
            .client_request_token(&token)
            .send()
            .await;
        match created {
            Ok(_) => return Ok(()),
            Err(error) if is(&error, "ResourceExistsException") => {}
            Err(error) if is(&error, "InvalidRequestException") => self.restore(&name).await?,
            Err(error) => return Err(StoreError::from_sdk(OPERATION, &error).into()),
        }
        match self.read(&name, Version::Current).await {
            Ok(Some(stored)) if stored.expose_secret() == text => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error),
        }
        let put = self
            .client
            .put_secret_value()
            .secret_id(&name)
            .secret_string(&text)
            .client_request_token(&token);
        put.send()
            .await
            .map_err(|error| StoreError::from_sdk(OPERATION, &error))?;
        Ok(())
    }

    async fn restore(&self, name: &str) -> Result<(), SecretError> {
        let restored = self.client.restore_secret().secret_id(name).send().await;
        restored.map_err(|error| StoreError::from_sdk("restore secret", &error))?;
        Ok(())
    }

    async fn read(
        &self,
        name: &str,
        version: Version,
    ) -> Result<Option<SecretString>, SecretError> {
        let found = self.read_version(name, version).await?;
        Ok(found.map(|(text, _)| text))
    }

    async fn read_version(
        &self,
        name: &str,
        version: Version,
    ) -> Result<Option<(SecretString, Option<Timestamp>)>, SecretError> {
        let answer = self
            .client
            .get_secret_value()
            .secret_id(name)
            .version_stage(version.stage())
            .send()
            .await;
        match answer {
            Ok(value) => {
                let made_at = value.created_date.map(|date| date.secs());
                let made_at = made_at.and_then(|at| Timestamp::from_second(at).ok());
                Ok(value
                    .secret_string
                    .map(|text| (SecretString::from(text), made_at)))
            }
            Err(error) if is(&error, "ResourceNotFoundException") => Ok(None),
            // Scheduled for deletion: as good as absent until someone restores it.
            Err(error) if is(&error, "InvalidRequestException") => Ok(None),
            Err(error) => Err(StoreError::from_sdk("read secret", &error).into()),
        }
    }
}

fn is<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>, code: &str) -> bool {
    error
        .as_service_error()
        .is_some_and(|error| error.code() == Some(code))
}

fn parse(name: &str, text: &SecretString) -> Result<TwilioSecret, SecretError> {
    let json: TwilioSecretJson = serde_json::from_str(text.expose_secret())
        .map_err(|_| SecretError::Malformed(name.to_owned()))?;
    Ok(TwilioSecret {
        account_sid: json.account_sid,
        auth_token: json.auth_token.into(),
    })
}

fn to_text(secret: &TwilioSecret) -> String {
    let json = TwilioSecretJson {
        account_sid: secret.account_sid.clone(),
        auth_token: secret.auth_token.expose_secret().to_owned(),
    };
    serde_json::to_string(&json).expect("two strings are JSON")
}

/// A request token that depends on content only, so that a repeated put is one version.
fn request_token(name: &str, text: &str) -> String {
    let digest = Sha256::new()
        .chain_update(name)
        .chain_update([0])
        .chain_update(text)
        .finalize();
    let bytes: [u8; 16] = digest[..16].try_into().expect("a digest has 32 bytes");
    format!("{:032x}", u128::from_be_bytes(bytes))
}
