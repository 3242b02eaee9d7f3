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
use twilio::{AccountStatus, UsageQuery, UsageSpan};

use crate::api_keys::KeyMaker;
use crate::app::{App, day_of};
use crate::extract::Caller;
use crate::main_account::MainError;
use crate::migrations;
use crate::numbers::{carry_out_all, held_by};
use crate::problem::Failure;
use crate::rotation::{self, Ended};
use crate::saga::{Audience, Outcome, Saga};
use crate::set_up::give_trial_credit;
use crate::{closing, drift, export, undo};

/// Goes on with one tenant; says what it did.
pub async fn resume(
    app: &Arc<App>,
    caller: &Caller,
    command: &Command,
) -> Result<&'static str, Failure> {
    if command.tenant_id == TenantId::nobody() {
        if command.cause == aws::DRIFT {
            return drift::check(app, caller)
                .await
                .map(|_| "compared with Twilio");
        }
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
    let tenant = Box::pin(migrations::by_timer(app, caller, tenant)).await?;
    if tenant.lifecycle == Lifecycle::Provisioning {
        return Box::pin(go_on(app, caller, tenant)).await;
    }
    if carry_out_all(app, caller, &tenant).await? > 0 && tenant.lifecycle != Lifecycle::Closing {
        return Ok("orders carried out");
    }
    if tenant.lifecycle == Lifecycle::ProvisioningFailed {
        return undo::undo(app, caller, &tenant).await;
    }
    if tenant.lifecycle == Lifecycle::Closing {
        return Box::pin(closing::go_on(app, caller, &tenant)).await;
    }
    if export::is_open(&tenant) {
        return export::go_on(app, caller, &tenant).await;
    }
    if give_trial_credit(app, caller, &tenant).await? {
        return Ok("trial credit given");
    }
    match rotation::by_timer(app, caller, &tenant).await? {
        Ended::Rotated => return Ok("token rotated"),
        Ended::Pending => return Ok("token's rotation pending"),
        Ended::Nothing => {}
    }
    match tenant.lifecycle {
        Lifecycle::Active if !tenant.is_adopted() => clean_up(app, caller, &tenant).await,
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
    match Box::pin(saga.run(owned)).await? {
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
        outcome = close_surplus(app, tenant, &account.sid).await?;
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

/// Closes a second subaccount of a tenant's name, if nothing is in it; else a person must look.
pub(crate) async fn close_surplus(
    app: &App,
    tenant: &Tenant,
    account_sid: &AccountSid,
) -> Result<&'static str, Failure> {
    if is_spare(app, tenant, account_sid).await? {
        close(app, account_sid).await?;
        tracing::warn!(tenant.id = %tenant.id, account.sid = %account_sid, "surplus subaccount closed");
        Ok("surplus closed")
    } else {
        tracing::error!(tenant.id = %tenant.id, account.sid = %account_sid, "surplus subaccount is in use");
        Ok("surplus in use")
    }
}

/// Nobody owns it, it holds no number, and nothing was ever used in it.
async fn is_spare(app: &App, tenant: &Tenant, account_sid: &AccountSid) -> Result<bool, Failure> {
    let owner: Option<TenantId> = app.store.tenant_of_sid(account_sid).await?;
    if owner.is_some() || !held_by(app, account_sid).await?.is_empty() {
        return Ok(false);
    }
    is_unused(app, tenant, account_sid, |_| true).await
}

/// Nothing was ever used in a subaccount, as far as these categories say.
pub(crate) async fn is_unused(
    app: &App,
    tenant: &Tenant,
    account_sid: &AccountSid,
    counts: impl Fn(&str) -> bool,
) -> Result<bool, Failure> {
    let query = UsageQuery::of(UsageSpan::Total).between(day_of(tenant.created_at), app.today());
    let usage = app.main.call(|main| {
        let (client, query) = (&app.twilio, &query);
        async move { client.list_usage(&main.into(), account_sid, query).await }
    });
    let is_zero = |value: Option<domain::Decimal>| value.is_none_or(|value| value.is_zero());
    let usage = usage.await?;
    let mut counting = usage
        .iter()
        .filter(|record| counts(record.category.as_str()));
    Ok(counting
        .all(|record| is_zero(record.count) && is_zero(record.usage) && is_zero(record.price)))
}

/// Closes a subaccount for good.
pub(crate) async fn close(app: &App, account_sid: &AccountSid) -> Result<(), MainError> {
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
