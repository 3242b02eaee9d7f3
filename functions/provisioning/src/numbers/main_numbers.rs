//! `/v1/main-account/numbers`: what the main account holds, such as numbers that were rescued, and their
//! way to a tenant.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use domain::ids::TenantId;
use http::StatusCode;
use serde_json::json;

use super::ask::{Move, Request, ended, move_number, seen_version};
use super::{NumberView, held_by, number_of};
use crate::app::App;
use crate::extract::{Caller, IdempotencyKey, Item, JsonBody};
use crate::problem::{Answer, Code};
use crate::tenants::replayed;
use crate::view;

/// Lists the main account's own numbers.
pub async fn list(State(app): State<Arc<App>>) -> Answer {
    let main = app.main_sid().await?;
    let held = held_by(&app, &main).await?;
    let numbers: Vec<NumberView> = held
        .iter()
        .map(|number| NumberView::new(number, None))
        .collect();
    Ok(view::json(StatusCode::OK, &json!({ "numbers": numbers })))
}

/// Moves a number of the main account to a tenant.
pub async fn transfer(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Item(item): Item,
    IdempotencyKey(key_hash): IdempotencyKey,
    JsonBody { value, fingerprint }: JsonBody<Move>,
) -> Answer {
    let gaining = TenantId::parse(&value.to).map_err(|_| Code::TENANT_NOT_FOUND)?;
    let request = Request::new(key_hash, fingerprint, &gaining);
    if let Some(order) = request.repeated(&app, &caller).await? {
        return Ok(replayed(ended(&order)?));
    }
    let seen = seen_version(&app, &item).await?;
    let number = number_of(&app, &app.main_sid().await?, &item).await?;
    move_number(&app, &caller, &request, (&number, seen), None, &value).await
}
