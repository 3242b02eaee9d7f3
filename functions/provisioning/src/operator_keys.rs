//! `POST /v1/operator-keys`, `DELETE /v1/operator-keys/{id}`: the bearers of this API.

use std::sync::Arc;

use aws::OperatorKey;
use axum::Extension;
use axum::extract::State;
use axum::response::IntoResponse as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ids::OperatorKeyId;
use domain::tenant::check_name;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::app::App;
use crate::digest::hex_sha256;
use crate::extract::{Caller, Item, JsonBody};
use crate::problem::{Answer, Code};
use crate::view;

/// What a key is called.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewOperatorKey {
    name: String,
}

/// Makes a key; its bearer is in this answer and nowhere else.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    JsonBody { value, .. }: JsonBody<NewOperatorKey>,
) -> Answer {
    check_name(&value.name).map_err(|why| Code::NAME_INVALID.because(why))?;
    let id = OperatorKeyId::from_ulid(app.host.ulid());
    let mut secret = [0_u8; 32];
    secret[..16].copy_from_slice(&(app.host.random)().to_le_bytes());
    secret[16..].copy_from_slice(&(app.host.random)().to_le_bytes());
    let bearer = format!("tgk_{id}_{}", URL_SAFE_NO_PAD.encode(secret));
    let key = OperatorKey {
        id,
        hash: hex_sha256(&bearer),
        name: value.name,
        created_at: app.host.now(),
        revoked_at: None,
    };
    app.store.put_operator_key(&key).await?;
    tracing::info!(operator_key.id = %key.id, actor = %caller.actor, "operator key made");
    let body = json!({
        "id": key.id, "name": key.name, "created_at": key.created_at, "bearer": bearer,
    });
    Ok(view::json(StatusCode::CREATED, &body))
}

/// Revokes a key. Twice is the same.
pub async fn revoke(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Item(item): Item,
) -> Answer {
    let id = OperatorKeyId::parse(&item).map_err(|_| Code::OPERATOR_KEY_NOT_FOUND)?;
    // A slip would lock the operator out.
    if id.as_str() == caller.actor {
        return Err(Code::OPERATOR_KEY_IN_USE.into());
    }
    let key = app.store.operator_key(&id).await?;
    let key = key.ok_or(Code::OPERATOR_KEY_NOT_FOUND)?;
    if key.revoked_at.is_none() {
        app.store.revoke_operator_key(&key, app.host.now()).await?;
        tracing::info!(operator_key.id = %id, actor = %caller.actor, "operator key revoked");
    }
    app.keys.forget(&id);
    Ok(StatusCode::NO_CONTENT.into_response())
}
