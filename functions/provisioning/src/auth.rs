//! Who may ask: bearers `tgk_<operator key id>_<secret>`, of which only the hash is stored.
//!
//! The first key comes from Secrets Manager: when its row is absent, the bearer is compared with that secret
//! and its hash stored once. A revoked key has a row, so it never falls back to the secret.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws::{CommitError, OperatorKey, SecretError};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use domain::ids::OperatorKeyId;
use http::header;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;

use crate::app::App;
use crate::digest::{hex_sha256, is_same};
use crate::extract::{Caller, Edge};
use crate::problem::{Code, Failure};

/// A verified key is trusted for this long: the longest that a revoked one can still work elsewhere.
const TRUSTED: SignedDuration = SignedDuration::from_secs(60);
/// Keys that one instance remembers.
const CACHE_MAX: usize = 1_000;
/// Characters of a bearer's secret part: 256 random bits as url-safe base64.
const SECRET_LENGTH: usize = 43;

/// Operator keys that were verified moments ago, by id: the bearer's hash and when.
#[derive(Debug, Default)]
pub struct KeyCache {
    verified: Mutex<HashMap<OperatorKeyId, (String, Timestamp)>>,
    first: Mutex<Option<(String, Timestamp)>>,
}

impl KeyCache {
    fn knows(&self, bearer: &Bearer, now: Timestamp) -> bool {
        let keys = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(&bearer.id).is_some_and(|(hash, at)| {
            now.duration_since(*at) < TRUSTED && is_same(hash, &bearer.hash)
        })
    }

    fn remember(&self, bearer: Bearer, now: Timestamp) {
        let mut keys = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= CACHE_MAX {
            keys.clear();
        }
        keys.insert(bearer.id, (bearer.hash, now));
    }

    fn first(&self) -> Option<(String, Timestamp)> {
        self.first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn remember_first(&self, hash: &str, now: Timestamp) {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = Some((hash.to_owned(), now));
    }

    /// Forgets a key that was revoked.
    pub fn forget(&self, id: &OperatorKeyId) {
        self.verified
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
    }
}

/// A bearer of the documented form. Its text is kept only as a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The operator key's id.
    pub id: OperatorKeyId,
    /// SHA-256 of the whole bearer.
    pub hash: String,
}

/// Reads an `Authorization` header.
pub fn parse_bearer(header: &str) -> Option<Bearer> {
    let (scheme, bearer) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let rest = bearer.strip_prefix("tgk_")?;
    // The id holds an underscore of its own, and the secret may hold some.
    let (id, secret) = rest.split_at_checked("opk_".len() + 26)?;
    let secret = secret.strip_prefix('_')?;
    let is_secret = secret.len() == SECRET_LENGTH
        && secret
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if !is_secret {
        return None;
    }
    Some(Bearer {
        id: OperatorKeyId::parse(id).ok()?,
        hash: hex_sha256(bearer),
    })
}

/// Lets a request pass that carries a valid operator key, and says whose it is.
pub async fn require_key(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let header = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let verified = match header.and_then(parse_bearer) {
        Some(bearer) => verify(&app, bearer).await,
        None => Err(Code::UNAUTHENTICATED.into()),
    };
    let edge = request.extensions().get::<Edge>().cloned();
    match (verified, edge) {
        (Ok(id), Some(edge)) => {
            request.extensions_mut().insert(Caller {
                actor: id.as_str().to_owned(),
                request_id: edge.request_id,
                began_at: edge.began_at,
            });
            next.run(request).await
        }
        (Ok(_), None) => crate::problem::internal("a request without its edge").into_response(),
        (Err(failure), _) => failure.into_response(),
    }
}

async fn verify(app: &App, bearer: Bearer) -> Result<OperatorKeyId, Failure> {
    let now = app.host.now();
    let id = bearer.id.clone();
    if app.keys.knows(&bearer, now) {
        return Ok(id);
    }
    match app.store.operator_key(&id).await? {
        Some(key) if key.revoked_at.is_none() && is_same(&key.hash, &bearer.hash) => {}
        Some(_) => return Err(Code::UNAUTHENTICATED.into()),
        None => adopt_first_key(app, &bearer, now).await?,
    }
    app.keys.remember(bearer, now);
    Ok(id)
}

/// The key has no row: only the first one may be so, and only once.
async fn adopt_first_key(app: &App, bearer: &Bearer, now: Timestamp) -> Result<(), Failure> {
    let first = first_key_hash(app, now).await?;
    if !first.is_some_and(|first| is_same(&first, &bearer.hash)) {
        return Err(Code::UNAUTHENTICATED.into());
    }
    let key = OperatorKey {
        id: bearer.id.clone(),
        hash: bearer.hash.clone(),
        name: "first operator key".to_owned(),
        created_at: now,
        revoked_at: None,
    };
    match app.store.put_operator_key(&key).await {
        Ok(()) => Ok(()),
        // Another request was first: what it stored, or has revoked since, is what holds.
        Err(CommitError::Conflict { .. }) => match app.store.operator_key(&bearer.id).await? {
            Some(key) if key.revoked_at.is_none() => Ok(()),
            _ => Err(Code::UNAUTHENTICATED.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// The first key's hash, from a short cache: a flood of unknown bearers must not read as many secrets.
async fn first_key_hash(app: &App, now: Timestamp) -> Result<Option<String>, Failure> {
    if let Some((hash, at)) = app.keys.first()
        && now.duration_since(at) < TRUSTED
    {
        return Ok(Some(hash));
    }
    match app.secrets.first_operator_key().await {
        Ok(first) => {
            let hash = hex_sha256(first.expose_secret().trim());
            app.keys.remember_first(&hash, now);
            Ok(Some(hash))
        }
        // An operator who has issued keys of its own may delete the first one's secret.
        Err(SecretError::Missing(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(secret: &str) -> String {
        format!("Bearer tgk_opk_{}_{secret}", "0".repeat(26))
    }

    #[test]
    fn a_bearer_has_an_id_and_43_characters_of_secret() {
        let good = bearer(&"a_-9".repeat(11)[..43]);
        let parsed = parse_bearer(&good).unwrap();
        assert_eq!(parsed.id.as_str(), format!("opk_{}", "0".repeat(26)));
        assert_eq!(parsed.hash, hex_sha256(&good["Bearer ".len()..]));
        for wrong in [
            bearer(""),
            bearer(&"a".repeat(42)),
            bearer(&"a".repeat(44)),
            bearer(&"ä".repeat(43)),
            good.replace("Bearer", "Basic"),
            good.replace("tgk_", "tgx_"),
            good.replace("opk_0", "opk_l"),
            "Bearer".to_owned(),
            "Bearer tgk_opk_äääääääääääääääääääääääääää".to_owned(),
        ] {
            assert_eq!(parse_bearer(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_verified_key_is_trusted_for_a_minute_and_only_with_its_secret() {
        let cache = KeyCache::default();
        let known = parse_bearer(&bearer(&"a".repeat(43))).unwrap();
        let other = parse_bearer(&bearer(&"b".repeat(43))).unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        cache.remember(known.clone(), at(0));
        assert!(cache.knows(&known, at(59)));
        assert!(!cache.knows(&known, at(60)));
        assert!(!cache.knows(&other, at(1)));
        cache.forget(&known.id);
        assert!(!cache.knows(&known, at(1)));
    }
}
