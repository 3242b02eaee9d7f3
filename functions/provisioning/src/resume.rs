//! Queue messages: provisioning that nobody waits for any more, and the janitor.
//!
//! Every accepted tenant's timer rings once after its lease. While work is left, it is taken up; once the
//! tenant is in service, the janitor looks for a second subaccount of its name, which a create that landed
//! late would have left. It closes one only if it has no numbers and no usage; otherwise a person must look.
//! It deletes API keys that landed late too: nobody has their secret.

use std::sync::Arc;

use aws::{ActKind, Command};
use domain::ids::{AccountSid, TenantId};
use domain::tenant::{Lifecycle, Tenant};
use twilio::{Account, AccountStatus, IncomingNumberFilter, UsageQuery, UsageSpan};

use crate::api_keys::KeyMaker;
use crate::app::{App, day_of};
use crate::closing;
use crate::extract::Caller;
use crate::main_account::MainError;
use crate::numbers::carry_out_all;
use crate::problem::Failure;
use crate::rotation::{self, Ended};
use crate::saga::{Audience, Outcome, Saga};

/// Goes on with one tenant; says what it did.
pub async fn resume(
    app: &Arc<App>,
    caller: &Caller,
    command: &Command,
) -> Result<&'static str, Failure> {
    if command.tenant_id == TenantId::nobody() {
        let deadline = rotation::background_deadline(app);
        return match rotation::go_on_main(app, caller, deadline).await? {
            Ended::Rotated => Ok("main token rotated"),
            Ended::Nothing => Ok("nothing to do"),
            Ended::Pending => Ok("main token's rotation pending"),
        };
    }
    let Some(tenant) = app.store.tenant(&command.tenant_id).await? else {
        return Ok("absent");
    };
    if tenant.lifecycle == Lifecycle::Provisioning {
        return Box::pin(go_on(app, caller, tenant)).await;
    }
    if carry_out_all(app, caller, &tenant).await? > 0 && tenant.lifecycle != Lifecycle::Closing {
        return Ok("orders carried out");
    }
    if tenant.lifecycle == Lifecycle::Closing {
        return Box::pin(closing::go_on(app, caller, &tenant)).await;
    }
    match rotation::by_timer(app, caller, &tenant).await? {
        Ended::Rotated => return Ok("token rotated"),
        Ended::Pending => return Ok("token's rotation pending"),
        Ended::Nothing => {}
    }
    match tenant.lifecycle {
        Lifecycle::Active => clean_up(app, caller, &tenant).await,
        _ => Ok("nothing to do"),
    }
}

async fn go_on(app: &Arc<App>, caller: &Caller, tenant: Tenant) -> Result<&'static str, Failure> {
    let mut saga = Saga::new(app, caller, Audience::Background);
    let Some(owned) = saga.take_over(&tenant).await? else {
        // Its owner may yet die: the timer that brought us here must ring again after the lease.
        if let Some(lease) = &tenant.lease {
            app.store
                .set_act(ActKind::Provision, &tenant.id, lease.until)
                .await?;
        }
        return Ok("owned elsewhere");
    };
    match saga.run(owned).await? {
        Outcome::Finished(tenant) if tenant.lifecycle == Lifecycle::ProvisioningFailed => {
            Ok("given up")
        }
        Outcome::Finished(_) => Ok("provisioned"),
        Outcome::Pending(_) => Ok("pending"),
        Outcome::Elsewhere(tenant, until) => {
            app.store
                .set_act(ActKind::Provision, &tenant.id, until)
                .await?;
            Ok("owned elsewhere")
        }
    }
}

async fn clean_up(
    app: &Arc<App>,
    caller: &Caller,
    tenant: &Tenant,
) -> Result<&'static str, Failure> {
    let saga = Saga::new(app, caller, Audience::Background);
    let listed = saga.list_by_name(&tenant.friendly_name).await?;
    let surplus = listed.into_iter().filter(|account| {
        account.status != AccountStatus::Closed && Some(&account.sid) != tenant.account_sid.as_ref()
    });
    let mut outcome = "nothing to do";
    for account in surplus {
        if is_spare(app, tenant, &account).await? {
            close(app, &account.sid).await?;
            tracing::warn!(tenant.id = %tenant.id, account.sid = %account.sid, "surplus subaccount closed");
            outcome = "surplus closed";
        } else {
            tracing::error!(tenant.id = %tenant.id, account.sid = %account.sid, "surplus subaccount is in use");
            outcome = "surplus in use";
        }
    }
    if let Some(account_sid) = &tenant.account_sid {
        let maker = KeyMaker {
            app,
            tenant: &tenant.id,
            account_sid,
        };
        if maker.delete_late(tenant).await? > 0 {
            tracing::warn!(tenant.id = %tenant.id, "surplus API keys deleted");
            outcome = "surplus keys deleted";
        }
    }
    Ok(outcome)
}

/// Nobody owns it, it holds no number, and nothing was ever used in it.
async fn is_spare(app: &App, tenant: &Tenant, account: &Account) -> Result<bool, Failure> {
    let owner: Option<TenantId> = app.store.tenant_of_sid(&account.sid).await?;
    if owner.is_some() {
        return Ok(false);
    }
    let numbers = app.main.call(|main| {
        let (client, sid) = (&app.twilio, &account.sid);
        async move {
            let all = IncomingNumberFilter::default();
            client.list_incoming_numbers(&main.into(), sid, &all).await
        }
    });
    if !numbers.await?.is_empty() {
        return Ok(false);
    }
    let query = UsageQuery::of(UsageSpan::Total).between(day_of(tenant.created_at), app.today());
    let usage = app.main.call(|main| {
        let (client, sid, query) = (&app.twilio, &account.sid, &query);
        async move { client.list_usage(&main.into(), sid, query).await }
    });
    let is_zero = |value: Option<domain::Decimal>| value.is_none_or(|value| value.is_zero());
    Ok(usage
        .await?
        .iter()
        .all(|record| is_zero(record.count) && is_zero(record.usage) && is_zero(record.price)))
}

async fn close(app: &App, account_sid: &AccountSid) -> Result<(), MainError> {
    let closed = app.main.call(|main| {
        let client = &app.twilio;
        async move {
            client
                .update_account_status(&main, account_sid, &AccountStatus::Closed)
                .await
        }
    });
    closed.await.map(|_| ())
}
