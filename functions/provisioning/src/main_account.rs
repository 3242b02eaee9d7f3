//! Calls to Twilio in the main account's name, with its token from a short-lived cache.
//!
//! After a refused token the secret is read again, once per call: a rotation must not need a new start.

use std::sync::{Arc, Mutex, PoisonError};

use aws::{SecretError, Secrets};
use jiff::{SignedDuration, Timestamp};
use runtime::Host;
use secrecy::ExposeSecret as _;
use twilio::{ErrorCode, MainCredentials};

use crate::problem::Failure;

/// The secret is read again after this long.
const FRESH: SignedDuration = SignedDuration::from_mins(5);

/// The main account's credentials, cached.
#[derive(Clone)]
pub struct MainAccount {
    secrets: Secrets,
    host: Host,
    cached: Arc<Mutex<Option<(MainCredentials, Timestamp)>>>,
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
    pub fn new(secrets: Secrets, host: Host) -> Self {
        Self {
            secrets,
            host,
            cached: Arc::default(),
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
                let fresh = self.read().await?;
                if is_same(&credentials, &fresh) {
                    return Err(error.into());
                }
                Ok(request(fresh).await?)
            }
            outcome => Ok(outcome?),
        }
    }

    /// The main credentials, at most five minutes old.
    async fn credentials(&self) -> Result<MainCredentials, SecretError> {
        let now = self.host.now();
        let cached = self
            .cached
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match cached {
            Some((credentials, read_at)) if now.duration_since(read_at) < FRESH => Ok(credentials),
            _ => self.read().await,
        }
    }

    async fn read(&self) -> Result<MainCredentials, SecretError> {
        let secret = self.secrets.main().await?;
        let credentials = MainCredentials {
            account_sid: secret.account_sid,
            auth_token: secret.auth_token,
        };
        *self.cached.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((credentials.clone(), self.host.now()));
        Ok(credentials)
    }
}

fn is_same(left: &MainCredentials, right: &MainCredentials) -> bool {
    left.account_sid == right.account_sid
        && crate::digest::is_same(
            left.auth_token.expose_secret(),
            right.auth_token.expose_secret(),
        )
}
