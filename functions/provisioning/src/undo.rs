//! Compensation: what a provisioning that was given up has made is taken back.
//!
//! Numbers that it bought go back first, then the subaccount is closed, if nothing was used in it, and its
//! secret destroyed. A subaccount that was there before us, or that is in use, is left to a person.

use aws::{ActKind, CommitError, Whose};
use domain::event::Fact;
use domain::ids::AccountSid;
use domain::numbers::{NumberAct, NumberUrls, OrderState};
use domain::tenant::{Lifecycle, Tenant, TwilioStatus};
use jiff::SignedDuration;
use twilio::{AccountStatus, IncomingNumber};

use crate::app::{App, audit};
use crate::digest::hex_sha256;
use crate::extract::Caller;
use crate::numbers::{Ask, as_found, carry_out_all, held_by, order_id, place};
use crate::problem::{Failure, unavailable};
use crate::resume::{close, is_unused};
use crate::saga::later;

/// What is not done is tried again after this long.
const AGAIN: SignedDuration = SignedDuration::from_mins(5);
/// Days for which the secret can be restored (Secrets Manager: 7 to 30).
const RECOVERY_DAYS: i64 = 7;

/// Is there something to take back?
pub fn must_be_undone(tenant: &Tenant) -> bool {
    let is_open = tenant.twilio_status != Some(TwilioStatus::Closed);
    tenant.account_sid.is_some() && is_open && !tenant.is_adopted()
}

/// Takes back what was made. Doing it again changes nothing.
pub async fn undo(app: &App, caller: &Caller, tenant: &Tenant) -> Result<&'static str, Failure> {
    let Some(account_sid) = tenant
        .account_sid
        .as_ref()
        .filter(|_| must_be_undone(tenant))
    else {
        return Ok("nothing to do");
    };
    let at = later(app.host.now(), AGAIN);
    app.store
        .set_act(ActKind::Provision, &tenant.id, at)
        .await?;
    // A run that was cut off behind the closing finds nothing left to ask of the subaccount.
    if !is_closed(app, account_sid).await?
        && !Box::pin(emptied(app, caller, tenant, account_sid)).await?
    {
        return Ok("in use");
    }
    app.secrets
        .destroy(Whose::Subaccount(account_sid), RECOVERY_DAYS)
        .await?;
    closed(app, caller, tenant, account_sid).await?;
    Ok("undone")
}

async fn is_closed(app: &App, account_sid: &AccountSid) -> Result<bool, Failure> {
    let seen = app.main.call(|main| {
        let client = &app.twilio;
        async move { client.fetch_account(&main.into(), account_sid).await }
    });
    Ok(seen.await?.status == AccountStatus::Closed)
}

/// Gives the numbers back and closes the subaccount. False: it is in use, and stays.
async fn emptied(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    account_sid: &AccountSid,
) -> Result<bool, Failure> {
    carry_out_all(app, caller, tenant).await?;
    for number in held_by(app, account_sid).await? {
        release(app, caller, tenant, &number).await?;
    }
    // The rent of a number that was bought and given back is no use of it.
    let counts = |category: &str| category != "totalprice" && !category.starts_with("phonenumbers");
    if !is_unused(app, tenant, account_sid, counts).await? {
        tracing::error!(tenant.id = %tenant.id, account.sid = %account_sid, error_type = "undo_blocked", "the subaccount of a failed provisioning is in use");
        return Ok(false);
    }
    close(app, account_sid).await?;
    Ok(true)
}

async fn release(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    number: &IncomingNumber,
) -> Result<(), Failure> {
    let ask = Ask {
        act: NumberAct::Release {
            sid: number.sid.clone(),
            phone_number: number.phone_number.clone(),
        },
        urls: NumberUrls::default(),
        address_sid: None,
        bundle_sid: None,
        found: Some(as_found(app, number, Some(&tenant.id))),
        seen: None,
    };
    let id = order_id(&hex_sha256(&format!("undo {} {}", tenant.id, number.sid)));
    let order = Box::pin(place(app, caller, &tenant.id, &id, &ask, None)).await?;
    match order.state {
        OrderState::Done { .. } => Ok(()),
        OrderState::Open | OrderState::Refused { .. } => {
            Err(unavailable("a number was not given back"))
        }
    }
}

async fn closed(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    account_sid: &AccountSid,
) -> Result<(), Failure> {
    let before = app.tenant(&tenant.id).await?;
    if before.lifecycle != Lifecycle::ProvisioningFailed || !must_be_undone(&before) {
        return Ok(());
    }
    let next = Tenant {
        twilio_status: Some(TwilioStatus::Closed),
        closed_at: Some(app.host.now()),
        next_action_at: None,
        api_key_sid: None,
        ..before.clone()
    };
    let fact = Fact::TenantClosed {
        account_sid: account_sid.clone(),
    };
    let event = app.event(&before.id, before.ver + 1, &caller.request_id, fact);
    let audit = audit(caller, "tenant.undo", "provisioning was given up");
    let written = app
        .store
        .write_tenant_with_event(&before, &next, &audit, &event);
    match written.await {
        Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
