//! `GET .../wallet`: what a tenant's balance consists of.

use std::sync::Arc;

use axum::extract::State;
use domain::lots::Lot;
use domain::money;
use domain::unpriced;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::auto_recharge;
use crate::extract::TenantPath;
use crate::money_act::{wallet_of, with_wallet};
use crate::problem::Answer;
use crate::view::{self, StandingView};

/// Shows accounts, lots, overdraft and standing.
pub async fn read(State(app): State<Arc<App>>, TenantPath(id): TenantPath) -> Answer {
    with_wallet(&app, &id).await?;
    let wallet = wallet_of(&app, &id).await?;
    let state = app.store.pull_state(&id).await?;
    let accounts: Map<String, Value> = wallet
        .accounts
        .iter()
        .map(|(account, sum)| (account.name().to_owned(), json!(money::to_text(*sum))))
        .collect();
    let body = json!({
        "currency": wallet.currency,
        "balance": money::to_text(wallet.balance()),
        "exposure": money::to_text(unpriced::exposure(&state.unpriced)),
        "overdraft": money::to_text(wallet.funds.overdraft()),
        "lots": wallet.funds.lots().iter().map(lot).collect::<Vec<_>>(),
        "accounts": accounts,
        "standing": StandingView::from(&wallet),
        "entries": wallet.seq,
        "completed_through": wallet.completed_through,
        "auto_recharge": auto_recharge::shown(&wallet.recharge),
    });
    Ok(view::json(StatusCode::OK, &body))
}

fn lot(lot: &Lot) -> Value {
    json!({
        "lot": lot.tag.id,
        "class": lot.tag.class,
        "priority": lot.tag.priority,
        "effective_at": lot.tag.effective_at,
        "expires_at": lot.tag.expires_at,
        "remaining": money::to_text(lot.remaining),
    })
}
