//! The right to work on a tenant: taken with a timer behind it, given back when the work stops.

use aws::{ActKind, CommitError};
use domain::tenant::Tenant;
use jiff::SignedDuration;

use crate::app::App;
use crate::problem::Failure;
use crate::saga::later;

/// How long a run owns the tenant: longer than any run goes on.
pub const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// Takes the lease if it is free, timer first: if this run dies too, the timer finds the work.
pub async fn take(app: &App, owner: &str, tenant: &Tenant) -> Result<Option<Tenant>, Failure> {
    let now = app.host.now();
    if !tenant.lease_is_free_for(owner, now) {
        return Ok(None);
    }
    let until = later(now, LEASE);
    app.store
        .set_act(ActKind::Provision, &tenant.id, until)
        .await?;
    let next = Tenant {
        lease: Some(tenant.next_lease(owner, until)),
        next_action_at: Some(until),
        ..tenant.clone()
    };
    match app.store.update_tenant(&next).await {
        Ok(tenant) => Ok(Some(tenant)),
        Err(CommitError::Conflict { .. }) => {
            // Our own write may have been the one that got there, its answer lost.
            let fresh = app.tenant(&tenant.id).await?;
            Ok(is_owned(app, owner, &fresh).then_some(fresh))
        }
        Err(error) => Err(error.into()),
    }
}

/// Does this owner hold the tenant now?
pub fn is_owned(app: &App, owner: &str, tenant: &Tenant) -> bool {
    let lease = tenant.lease.as_ref();
    lease.is_some_and(|lease| lease.owner == owner && lease.until > app.host.now())
}
