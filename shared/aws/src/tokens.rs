//! The tokens that may have signed a subaccount's callback, cached: a warm callback reads no secret.
//!
//! After a mismatch the three versions are read again, at most once per subaccount and five seconds, so that
//! a flood of forged callbacks cannot turn into a flood of reads. Only this file knows where tokens live.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::Timestamp;
use domain::ids::AccountSid;
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};

use crate::secrets::{Version, VersionedSecret, Whose};
use crate::{NowFn, SecretError, Secrets, StoreError, TwilioSecret};

/// Subaccounts that one instance remembers.
const CACHE_MAX: usize = 4_096;
/// A token is read again after this long.
const FRESH_S: i64 = 3_600;
/// A subaccount without a secret is looked for again after this long.
const ABSENT_S: i64 = 60;
/// While Secrets Manager is down, a token that was known is used, and asked for again after this long.
const STALE_S: i64 = 60;
/// While Secrets Manager is down, a token that was not known is asked for at most this often.
const FAILED_S: i64 = 1;
/// After a mismatch, versions are read again at most once in this time.
const REREAD_S: i64 = 5;
/// A token that was rotated out counts for this long after its successor was made.
const PREVIOUS_S: i64 = 3_600;

/// A subaccount's signing tokens.
#[derive(Clone)]
pub struct Tokens {
    secrets: Secrets,
    now: NowFn,
    cache: Arc<Mutex<HashMap<AccountSid, Cached>>>,
}

#[derive(Clone)]
struct Cached {
    tokens: Vec<Token>,
    read_at: Timestamp,
    /// Until then, `known` reads nothing.
    fresh_until: Timestamp,
    all_versions_at: Option<Timestamp>,
    /// The last read failed: what is not known now is unknown, not absent.
    is_failing: bool,
}

#[derive(Clone)]
struct Token {
    secret: SecretString,
    /// Counts only before this.
    until: Option<Timestamp>,
}

impl Cached {
    fn live_tokens(&self, now: Timestamp) -> Vec<SecretString> {
        let live = self
            .tokens
            .iter()
            .filter(|token| token.until.is_none_or(|until| now < until));
        live.map(|token| token.secret.clone()).collect()
    }
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
    ///
    /// While Secrets Manager is down, tokens that were known stay in use.
    pub async fn known(&self, account_sid: &AccountSid) -> Result<Vec<SecretString>, SecretError> {
        let now = (self.now)();
        let cached = self.cached(account_sid);
        if let Some(cached) = &cached
            && now < cached.fresh_until
        {
            if cached.tokens.is_empty() && cached.is_failing {
                return Err(failed_just_now());
            }
            return Ok(cached.live_tokens(now));
        }
        let current = self.secrets.subaccount(account_sid, Version::Current).await;
        let all_versions_at = cached.as_ref().and_then(|cached| cached.all_versions_at);
        match current {
            Ok(current) => {
                let tokens: Vec<Token> = current
                    .into_iter()
                    .map(|found| token(found, None))
                    .collect();
                let fresh = Cached {
                    fresh_until: fresh_until(&tokens, now),
                    tokens,
                    read_at: now,
                    all_versions_at,
                    is_failing: false,
                };
                let live = fresh.live_tokens(now);
                self.keep(account_sid, fresh);
                Ok(live)
            }
            Err(error) => {
                let tokens = cached.map(|cached| cached.tokens).unwrap_or_default();
                let is_usable = !tokens.is_empty() && error.is_retryable();
                let wait = if is_usable { STALE_S } else { FAILED_S };
                let stale = Cached {
                    tokens: if is_usable { tokens } else { Vec::new() },
                    read_at: now,
                    fresh_until: now + SignedDuration::from_secs(wait),
                    all_versions_at,
                    is_failing: true,
                };
                let live = stale.live_tokens(now);
                self.keep(account_sid, stale);
                if is_usable { Ok(live) } else { Err(error) }
            }
        }
    }

    /// After a mismatch: all versions, read again. `None`: they were read moments ago.
    pub async fn reread(
        &self,
        account_sid: &AccountSid,
    ) -> Result<Option<Vec<SecretString>>, SecretError> {
        let now = (self.now)();
        let cached = self.cached(account_sid);
        if let Some(cached) = &cached
            && cached
                .all_versions_at
                .is_some_and(|at| !is_older(at, now, REREAD_S))
        {
            return if cached.is_failing {
                Err(failed_just_now())
            } else {
                Ok(None)
            };
        }
        match self.all_versions(account_sid, now).await {
            Ok(tokens) => {
                let fresh = Cached {
                    fresh_until: fresh_until(&tokens, now),
                    tokens,
                    read_at: now,
                    all_versions_at: Some(now),
                    is_failing: false,
                };
                let live = fresh.live_tokens(now);
                self.keep(account_sid, fresh);
                Ok(Some(live))
            }
            Err(error) => {
                // Remembered too, or a flood of forged callbacks would ask a service that is down.
                if let Some(cached) = cached {
                    let failing = Cached {
                        all_versions_at: Some(now),
                        is_failing: true,
                        ..cached
                    };
                    self.keep(account_sid, failing);
                }
                Err(error)
            }
        }
    }

    async fn all_versions(
        &self,
        account_sid: &AccountSid,
        now: Timestamp,
    ) -> Result<Vec<Token>, SecretError> {
        let read = |version| self.secrets.subaccount(account_sid, version);
        let Some(current) = read(Version::Current).await? else {
            return Ok(Vec::new());
        };
        let previous_until = current
            .created_at
            .map(|at| at + SignedDuration::from_secs(PREVIOUS_S));
        let mut tokens = vec![token(current, None)];
        tokens.extend(
            read(Version::Pending)
                .await?
                .map(|found| token(found, None)),
        );
        if previous_until.is_some_and(|until| now < until) {
            let previous = read(Version::Previous).await?;
            tokens.extend(previous.map(|found| token(found, previous_until)));
        }
        Ok(tokens)
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

/// The main account's credentials, cached: read again after five minutes, or when Twilio refused them.
///
/// While its token is rotated, the new one is in force at Twilio a moment before it is in our secret: credentials
/// that were refused and are still the stored ones give way to those that wait.
#[derive(Clone)]
pub struct MainSecret {
    secrets: Secrets,
    now: NowFn,
    cache: Arc<Mutex<MainCache>>,
}

#[derive(Default)]
struct MainCache {
    known: Option<(TwilioSecret, Timestamp)>,
    refused: Option<SecretString>,
}

impl std::fmt::Debug for MainSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MainSecret")
    }
}

/// The main account's credentials are read again after this long.
const MAIN_FRESH_S: i64 = 300;

impl MainSecret {
    /// An empty cache over the secrets.
    pub fn new(secrets: Secrets, now: NowFn) -> Self {
        Self {
            secrets,
            now,
            cache: Arc::default(),
        }
    }

    /// The credentials, from the cache while they are fresh.
    pub async fn get(&self) -> Result<TwilioSecret, SecretError> {
        let now = (self.now)();
        let refused = {
            let cache = self.cache();
            if let Some((secret, read_at)) = &cache.known
                && !is_older(*read_at, now, MAIN_FRESH_S)
            {
                return Ok(secret.clone());
            }
            cache.refused.clone()
        };
        let mut secret = self.secrets.main().await?;
        if refused.is_some_and(|refused| is_same(&refused, &secret.auth_token))
            && let Some(pending) = self.secrets.pending(Whose::Main).await?
        {
            secret = pending;
        }
        self.cache().known = Some((secret.clone(), now));
        Ok(secret)
    }

    /// Twilio refused the credentials: the next `get` reads them again.
    pub fn forget(&self) {
        let mut cache = self.cache();
        if let Some((secret, _)) = cache.known.take() {
            cache.refused = Some(secret.auth_token);
        }
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, MainCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Both are ours: how long the comparison takes tells nobody anything.
fn is_same(left: &SecretString, right: &SecretString) -> bool {
    left.expose_secret() == right.expose_secret()
}

fn token(found: VersionedSecret, until: Option<Timestamp>) -> Token {
    Token {
        secret: found.secret.auth_token,
        until,
    }
}

fn fresh_until(tokens: &[Token], now: Timestamp) -> Timestamp {
    let seconds = if tokens.is_empty() { ABSENT_S } else { FRESH_S };
    now + SignedDuration::from_secs(seconds)
}

fn failed_just_now() -> SecretError {
    SecretError::Store(StoreError::Retry {
        operation: "read secret",
        code: "failed just now".to_owned(),
    })
}

fn is_older(at: Timestamp, now: Timestamp, seconds: i64) -> bool {
    now.duration_since(at) > SignedDuration::from_secs(seconds)
}
