//! What handlers take from a request, each with our own error instead of axum's: the JSON body with its
//! fingerprint, the query, the tenant of the path, the idempotency key.

use axum::extract::{FromRequest, FromRequestParts, Path, Query, RawPathParams};
use domain::ids::TenantId;
use http::request::Parts;
use http::{Request, header};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::digest::{canonical, hex_sha256};
use crate::problem::{Code, Failure};

/// Bytes of a body.
pub const BODY_MAX: usize = 64 * 1024;
/// Characters of an idempotency key.
const IDEMPOTENCY_KEY_MAX: usize = 255;
/// Characters of a reason.
const REASON_MAX: usize = 200;
/// Characters of a parser's message that are shown.
const DETAIL_MAX: usize = 200;

/// Who asks, and under which names this request is known.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The operator key's id.
    pub actor: String,
    /// The request's id, for audit and events.
    pub request_id: String,
    /// When it began.
    pub began_at: Timestamp,
}

/// What the edge knows of a request before it is authenticated.
#[derive(Debug, Clone)]
pub struct Edge {
    /// The request's id.
    pub request_id: String,
    /// When it began.
    pub began_at: Timestamp,
    /// Its whole path: a nested route sees only the end of it.
    pub path: String,
}

/// A JSON body, and the fingerprint of the whole request.
#[derive(Debug)]
pub struct JsonBody<T> {
    /// The body.
    pub value: T,
    /// SHA-256 of method, path and canonical body.
    pub fingerprint: String,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Failure;

    async fn from_request(
        request: Request<axum::body::Body>,
        _: &S,
    ) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts) {
            return Err(Code::CONTENT_TYPE_UNSUPPORTED.into());
        }
        let bytes = axum::body::to_bytes(body, BODY_MAX)
            .await
            .map_err(|_| Code::BODY_TOO_LARGE)?;
        let invalid = |error: serde_json::Error| Code::BODY_INVALID.because(shown(&error));
        let value = serde_json::from_slice(&bytes).map_err(invalid)?;
        let canonical_body: Value = serde_json::from_slice(&bytes).map_err(invalid)?;
        let edge = parts.extensions.get::<Edge>();
        let path = edge.map_or_else(|| parts.uri.path(), |edge| &edge.path);
        let fingerprint = hex_sha256(&format!(
            "{} {path}\n{}",
            parts.method,
            canonical(&canonical_body)
        ));
        Ok(Self { value, fingerprint })
    }
}

fn is_json(parts: &Parts) -> bool {
    let value = parts.headers.get(header::CONTENT_TYPE);
    let media_type = value
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next());
    media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
}

/// The parser's message without anything that a terminal or page could take for more than text.
pub fn shown(error: &serde_json::Error) -> String {
    error
        .to_string()
        .chars()
        .map(|char| {
            if char == ' ' || char.is_ascii_graphic() {
                char
            } else {
                '?'
            }
        })
        .take(DETAIL_MAX)
        .collect()
}

/// The query; an unknown or malformed parameter is refused.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(params)| Self(params))
            .map_err(|_| Code::QUERY_INVALID.into())
    }
}

/// The tenant that the path names. One that cannot exist answers like one that does not.
#[derive(Debug)]
pub struct TenantPath(pub TenantId);

impl<S: Send + Sync> FromRequestParts<S> for TenantPath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| Code::TENANT_NOT_FOUND)?;
        let tenant = params
            .iter()
            .find(|(name, _)| *name == "tenant")
            .and_then(|(_, value)| TenantId::parse(value).ok());
        tenant.map(Self).ok_or(Code::TENANT_NOT_FOUND.into())
    }
}

/// The last part of a path that has one behind the tenant.
#[derive(Debug)]
pub struct Item(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Item {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        #[derive(Deserialize)]
        struct Named {
            item: String,
        }
        let Path(Named { item }) = Path::from_request_parts(parts, state)
            .await
            .map_err(|_| Code::NOT_FOUND)?;
        Ok(Self(item))
    }
}

/// The SHA-256 of the request's idempotency key: the key itself goes no further.
#[derive(Debug)]
pub struct IdempotencyKey(pub String);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let value = parts
            .headers
            .get("idempotency-key")
            .ok_or(Code::IDEMPOTENCY_KEY_MISSING)?;
        let key = value.to_str().unwrap_or_default();
        let fits = !key.is_empty()
            && key.len() <= IDEMPOTENCY_KEY_MAX
            && key.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits {
            return Err(Code::IDEMPOTENCY_KEY_MALFORMED.into());
        }
        Ok(Self(hex_sha256(key)))
    }
}

/// A page's size within its bounds.
pub fn page_limit(limit: Option<usize>, default: usize, max: usize) -> Result<usize, Failure> {
    match limit.unwrap_or(default) {
        limit if (1..=max).contains(&limit) => Ok(limit),
        _ => Err(Code::QUERY_INVALID.because(format!("limit must be from 1 to {max}"))),
    }
}

/// A body that only says why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// For people and the audit.
    pub reason: String,
}

/// A reason for people: 1 to 200 printable characters.
pub fn check_reason(reason: &str) -> Result<(), Failure> {
    if is_printable(reason, REASON_MAX) {
        Ok(())
    } else {
        Err(Code::REASON_INVALID.into())
    }
}

/// Is it a text for people: not blank, at most `max` characters, none of them unprintable?
pub fn is_printable(text: &str, max: usize) -> bool {
    !text.trim().is_empty()
        && text.chars().count() <= max
        && !text.chars().any(domain::tenant::is_unprintable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its presence matters")]
        name: String,
    }

    async fn parse(content_type: &str, body: &str) -> Result<JsonBody<Sample>, &'static str> {
        let request = Request::builder()
            .method("POST")
            .uri("/v1/x")
            .header("content-type", content_type)
            .body(axum::body::Body::from(body.to_owned()))
            .unwrap();
        JsonBody::from_request(request, &())
            .await
            .map_err(|failure| failure.code())
    }

    #[tokio::test]
    async fn a_body_must_be_known_json_of_bounded_size() {
        let json = "application/json; charset=utf-8";
        assert!(parse(json, r#"{"name":"a"}"#).await.is_ok());
        assert_eq!(
            parse("text/plain", "{}").await.unwrap_err(),
            "content_type_unsupported"
        );
        assert_eq!(parse(json, "{").await.unwrap_err(), "body_invalid");
        assert_eq!(
            parse(json, r#"{"name":"a","x":1}"#).await.unwrap_err(),
            "body_invalid"
        );
        assert_eq!(
            parse(json, &" ".repeat(BODY_MAX + 1)).await.unwrap_err(),
            "body_too_large"
        );
    }

    #[tokio::test]
    async fn a_fingerprint_ignores_spacing_and_order_but_not_values() {
        let json = "application/json";
        let one = parse(json, r#"{"name":"a"}"#).await.unwrap().fingerprint;
        let spaced = parse(json, r#" { "name" : "a" } "#)
            .await
            .unwrap()
            .fingerprint;
        let other = parse(json, r#"{"name":"b"}"#).await.unwrap().fingerprint;
        assert_eq!(one, spaced);
        assert_ne!(one, other);
    }

    #[tokio::test]
    async fn an_idempotency_key_is_visible_ascii() {
        for (key, code) in [
            ("ok-1", ""),
            ("", "idempotency_key_malformed"),
            ("a b", "idempotency_key_malformed"),
        ] {
            let (mut parts, ()) = Request::builder()
                .header("idempotency-key", key)
                .body(())
                .unwrap()
                .into_parts();
            let read = IdempotencyKey::from_request_parts(&mut parts, &()).await;
            assert_eq!(read.err().map_or("", |failure| failure.code()), code);
        }
        let (mut parts, ()) = Request::new(()).into_parts();
        let missing = IdempotencyKey::from_request_parts(&mut parts, &())
            .await
            .unwrap_err();
        assert_eq!(missing.code(), "idempotency_key_missing");
    }

    #[test]
    fn reasons_are_printable() {
        assert!(check_reason("did not pay, called twice").is_ok());
        for wrong in ["", "  ", "a\nb", "\u{202e}x", &"x".repeat(201)] {
            assert!(check_reason(wrong).is_err(), "{wrong:?}");
        }
    }
}
