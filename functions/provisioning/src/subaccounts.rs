//! `GET /v1/subaccounts/unowned`: subaccounts that Twilio has and no row knows.

use std::sync::Arc;

use aws::{Store, StoreError};
use axum::extract::State;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::StatusCode;
use serde_json::json;
use twilio::{Account, AccountFilter, AccountStatus};

use crate::app::App;
use crate::problem::Answer;
use crate::view;

/// Owners that are looked up at once.
const READS: usize = 16;

/// Lists open subaccounts without an owner.
pub async fn unowned(State(app): State<Arc<App>>) -> Answer {
    let filter = AccountFilter::default();
    let listed = app.main.call(|main| {
        let (client, filter) = (&app.twilio, &filter);
        async move { client.list_accounts(&main, filter).await }
    });
    let open = listed.await?;
    let open = open
        .into_iter()
        .filter(|account| account.status != AccountStatus::Closed);
    let owners: Vec<(Account, bool)> = stream::iter(open)
        .map(|account| with_owner(app.store.clone(), account))
        .buffered(READS)
        .try_collect()
        .await?;
    let unowned: Vec<_> = owners
        .iter()
        .filter(|(_, is_owned)| !is_owned)
        .map(|(account, _)| {
            json!({
                "account_sid": account.sid,
                "friendly_name": account.friendly_name,
                "status": account.status.as_str(),
                "date_created": account.date_created,
            })
        })
        .collect();
    Ok(view::json(
        StatusCode::OK,
        &json!({ "subaccounts": unowned }),
    ))
}

/// A subaccount, and whether somebody owns it.
async fn with_owner(store: Store, account: Account) -> Result<(Account, bool), StoreError> {
    let owner = store.tenant_of_sid(&account.sid).await?;
    Ok((account, owner.is_some()))
}
