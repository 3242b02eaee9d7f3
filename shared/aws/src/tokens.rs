//! The tokens that may have signed a subaccount's callback, cached: a warm callback reads no secret.
//!
//! After a mismatch the three versions are read again, at most once per subaccount and five seconds, so that
//! a flood of forged callbacks cannot turn into a flood of reads. Only this file knows where tokens live.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::Timestamp;
use domain::ids::AccountSid;
use jiff::SignedDuration;
use secrecy::SecretString;

use crate::secrets::Version;
use crate::{NowFn, SecretError, Secrets};

/// Subaccounts that one instance remembers.
const CACHE_MAX: usize = 4_096;
/// A token is read again after this long.
const FRESH_S: i64 = 3_600;
/// A subaccount without a secret is looked for again after this long.
const ABSENT_S: i64 = 60;
/// After a mismatch, versions are read again at most once in this time.
const REREAD_S: i64 = 5;

/// A subaccount's signing tokens.
#[derive(Clone)]
pub struct Tokens {
    secrets: Secrets,
    now: NowFn,
    cache: Arc<Mutex<HashMap<AccountSid, Cached>>>,
}

#[derive(Clone)]
struct Cached {
    tokens: Vec<SecretString>,
    read_at: Timestamp,
    all_versions_at: Option<Timestamp>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    /// An empty cache over the secrets.
    pub fn new(secrets: Secrets, now: NowFn) -> Self {
        Self {
            secrets,
            now,
            cache: Arc::default(),
        }
    }

    /// The tokens known for a subaccount: from the cache, else the current one. Empty: it has none.
    pub async fn known(&self, account_sid: &AccountSid) -> Result<Vec<SecretString>, SecretError> {
        let now = (self.now)();
        if let Some(cached) = self.cached(account_sid)
            && !is_older(
                cached.read_at,
                now,
                if cached.tokens.is_empty() {
                    ABSENT_S
                } else {
                    FRESH_S
                },
            )
        {
            return Ok(cached.tokens);
        }
        let current = self
            .secrets
            .subaccount(account_sid, Version::Current)
            .await?;
        let tokens: Vec<SecretString> = current
            .into_iter()
            .map(|secret| secret.auth_token)
            .collect();
        self.keep(
            account_sid,
            Cached {
                tokens: tokens.clone(),
                read_at: now,
                all_versions_at: None,
            },
        );
        Ok(tokens)
    }

    /// After a mismatch: all versions, read again. `None`: they were read moments ago.
    pub async fn reread(
        &self,
        account_sid: &AccountSid,
    ) -> Result<Option<Vec<SecretString>>, SecretError> {
        let now = (self.now)();
        if let Some(cached) = self.cached(account_sid)
            && cached
                .all_versions_at
                .is_some_and(|at| !is_older(at, now, REREAD_S))
        {
            return Ok(None);
        }
        let mut tokens = Vec::new();
        for version in [Version::Current, Version::Pending, Version::Previous] {
            tokens.extend(
                self.secrets
                    .subaccount(account_sid, version)
                    .await?
                    .map(|secret| secret.auth_token),
            );
        }
        self.keep(
            account_sid,
            Cached {
                tokens: tokens.clone(),
                read_at: now,
                all_versions_at: Some(now),
            },
        );
        Ok(Some(tokens))
    }

    fn cached(&self, account_sid: &AccountSid) -> Option<Cached> {
        self.cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(account_sid)
            .cloned()
    }

    fn keep(&self, account_sid: &AccountSid, cached: Cached) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHE_MAX
            && !cache.contains_key(account_sid)
            && let Some(oldest) = cache
                .iter()
                .min_by_key(|(_, cached)| cached.read_at)
                .map(|(sid, _)| sid.clone())
        {
            cache.remove(&oldest);
        }
        cache.insert(account_sid.clone(), cached);
    }
}

fn is_older(at: Timestamp, now: Timestamp, seconds: i64) -> bool {
    now.duration_since(at) > SignedDuration::from_secs(seconds)
}
