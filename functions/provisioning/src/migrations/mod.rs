//! `/v1/migrations`, `/v1/shared-subaccounts`: numbers come to a tenant's own subaccount, out of the client's own
//! Twilio account or out of a subaccount that several tenants share.
//!
//! What people must do (tickets, changing the platform over) is an act of theirs here; the rest goes on by itself
//! (`go_on.rs`). Every change is one transaction with the audit row and the event; a run that was cut off looks at
//! Twilio again before it asks.

mod acts;
mod change;
mod create;
mod credentials;
mod go_on;
mod look;
mod page;
mod shared;
mod shown;
mod usage;

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Path};
use axum::routing::{get, post};
use domain::ids::MigrationId;
use http::request::Parts;
use serde::Deserialize;

use crate::app::App;
use crate::problem::{Code, Failure};

pub use go_on::by_timer;

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    let migration = Router::new()
        .route("/", get(shown::read))
        .route("/tickets", get(shown::read_tickets))
        .route("/view", get(page::view))
        .route("/preflight", post(acts::preflight))
        .route("/requested", post(acts::requested))
        .route("/refuse", post(acts::refuse))
        .route("/credentials", post(credentials::issue))
        .route("/live", post(acts::live))
        .route("/verify", post(acts::verify))
        .route("/rollback", post(acts::roll_back));
    Router::new()
        .route("/v1/migrations", post(create::create).get(shown::list))
        .nest("/v1/migrations/{migration}", migration)
        .route("/v1/shared-subaccounts", get(shared::list))
        .route(
            "/v1/shared-subaccounts/{item}",
            get(shared::read).put(shared::replace),
        )
}

/// The migration that the path names. One that cannot exist answers like one that does not.
#[derive(Debug)]
pub struct MigrationPath(MigrationId);

impl<S: Send + Sync> FromRequestParts<S> for MigrationPath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        #[derive(Deserialize)]
        struct Named {
            migration: String,
        }
        let named = Path::<Named>::from_request_parts(parts, state).await;
        let id = named
            .ok()
            .and_then(|Path(named)| MigrationId::parse(&named.migration).ok());
        id.map(Self).ok_or(Code::MIGRATION_NOT_FOUND.into())
    }
}
