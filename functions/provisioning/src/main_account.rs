//! Calls to Twilio in the main account's name, with its token from a short-lived cache.
//!
//! After a refused token the secret is read again, once per call: a rotation must not need a new start.

use aws::{MainSecret, SecretError, Secrets};
use domain::ids::AccountSid;
use runtime::Host;
use twilio::{ErrorCode, MainCredentials};

use crate::problem::Failure;

/// The main account's credentials, cached.
#[derive(Clone)]
pub struct MainAccount {
    secret: MainSecret,
}

/// A call in the main account's name that gave no result.
#[derive(Debug, thiserror::Error)]
pub enum MainError {
    /// The credentials could not be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Twilio gave no result.
    #[error(transparent)]
    Twilio(#[from] twilio::Error),
}

impl From<MainError> for Failure {
    fn from(error: MainError) -> Self {
        match error {
            MainError::Secret(error) => error.into(),
            MainError::Twilio(error) => error.into(),
        }
    }
}

impl MainAccount {
    /// An empty cache.
    pub fn new(secrets: Secrets, host: &Host) -> Self {
        Self {
            secret: MainSecret::new(secrets, host.now.clone()),
        }
    }

    /// Makes a call with the main credentials; once more with freshly read ones if Twilio refuses the
    /// cached ones. A refused request was not carried out, so this is safe for creates too.
    pub async fn call<T, F, Fut>(&self, request: F) -> Result<T, MainError>
    where
        F: Fn(MainCredentials) -> Fut,
        Fut: Future<Output = Result<T, twilio::Error>>,
    {
        let credentials = self.credentials().await?;
        match request(credentials.clone()).await {
            Err(error) if error.code() == Some(ErrorCode::AUTHENTICATE) => {
                self.secret.forget();
                let fresh = self.credentials().await?;
                if is_same(&credentials, &fresh) {
                    return Err(error.into());
                }
                Ok(request(fresh).await?)
            }
            outcome => Ok(outcome?),
        }
    }

    /// The main account's SID.
    pub async fn account_sid(&self) -> Result<AccountSid, SecretError> {
        Ok(self.credentials().await?.account_sid)
    }

    async fn credentials(&self) -> Result<MainCredentials, SecretError> {
        let secret = self.secret.get().await?;
        Ok(MainCredentials {
            account_sid: secret.account_sid,
            auth_token: secret.auth_token,
        })
    }
}

fn is_same(left: &MainCredentials, right: &MainCredentials) -> bool {
    use secrecy::ExposeSecret as _;
    left.account_sid == right.account_sid
        && crate::digest::is_same(
            left.auth_token.expose_secret(),
            right.auth_token.expose_secret(),
        )
}
