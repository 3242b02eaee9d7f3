//! Twilio's own usage triggers of a tenant: a guard that works where our pulls, or we, do not.
//!
//! A trigger watches what Twilio takes (`totalprice`) in a GMT day and in a calendar month. Its callback has the
//! tenant pulled at once; what is charged, and whether a cap is reached, the books say. A threshold cannot be
//! changed, so another one is made before the former is deleted.

use aws::StoreError;
use domain::Decimal;
use domain::ids::AccountSid;
use domain::money;
use domain::tenant::Tenant;
use twilio::usage_triggers::{
    NewUsageTrigger, Recurring, TriggerBy, TriggerValue, UsageTrigger, UsageTriggerFilter,
};

use crate::app::App;
use crate::main_account::MainError;
use crate::saga::StepError;
use crate::view;

/// The category that is the sum of all others.
const CATEGORY: &str = "totalprice";
/// Decimals that Twilio keeps of a threshold.
const VALUE_SCALE: u32 = 6;
/// Creates that are sent for one trigger: a second one only after a look says that the first had no effect.
const CREATES_MAX: u32 = 2;

/// Makes the triggers of a tenant's subaccount what its hard caps, or else its plan, ask for. Doing it again changes
/// nothing; a trigger that is asked for no more is deleted. Those of other names are left alone.
pub(crate) async fn install_triggers(app: &App, tenant: &Tenant) -> Result<(), StepError> {
    let Some(account_sid) = &tenant.account_sid else {
        return Ok(());
    };
    let (day, month) = thresholds(app, tenant).await?;
    let callback_url = view::callback_url(&app.public_base_url, &tenant.id, "usage-triggers");
    for (name, recurring, threshold) in [
        ("tollgate day", Recurring::Daily, day),
        ("tollgate month", Recurring::Monthly, month),
    ] {
        let wanted = threshold.map(|value| NewUsageTrigger {
            usage_category: CATEGORY.to_owned(),
            trigger_by: Some(TriggerBy::Price),
            trigger_value: TriggerValue::At(value),
            recurring: Some(recurring.clone()),
            callback_url: callback_url.clone(),
            callback_method: None,
            friendly_name: Some(name.to_owned()),
        });
        install(app, account_sid, name, wanted.as_ref()).await?;
    }
    Ok(())
}

/// What the day's and the month's trigger fire at: the hard cap, else what the plan says. Twilio takes no more than
/// is charged as a rule, so that a trigger at the cap fires when the cap should have been reached already.
async fn thresholds(
    app: &App,
    tenant: &Tenant,
) -> Result<(Option<Decimal>, Option<Decimal>), StoreError> {
    let caps = app.store.wallet(&tenant.id).await?;
    let caps = caps.map(|wallet| wallet.spend.caps).unwrap_or_default();
    let plan = match tenant.plan_on(app.today()) {
        Some(reference) => app.plan(reference).await?,
        None => None,
    };
    let policy = plan.map(|plan| plan.guards.triggers).unwrap_or_default();
    let fitting = |value: Decimal| money::round(value, VALUE_SCALE).normalize();
    Ok((
        caps.day.hard.or(policy.day).map(fitting),
        caps.month.hard.or(policy.month).map(fitting),
    ))
}

async fn install(
    app: &App,
    account_sid: &AccountSid,
    name: &str,
    wanted: Option<&NewUsageTrigger>,
) -> Result<(), StepError> {
    let mut known = listed(app, account_sid, name).await?;
    if let Some(wanted) = wanted {
        let mut sent = 0;
        while !known.iter().any(|trigger| is_as_wanted(trigger, wanted)) {
            let created = app.main.call(|main| {
                let client = &app.twilio;
                async move {
                    client
                        .create_usage_trigger(&main.into(), account_sid, wanted)
                        .await
                }
            });
            sent += 1;
            match created.await {
                Ok(trigger) => known.push(trigger),
                // It may have been made: looked for before it is asked for again.
                Err(MainError::Twilio(twilio::Error::UnknownOutcome { .. }))
                    if sent < CREATES_MAX =>
                {
                    known = listed(app, account_sid, name).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    let kept = known
        .iter()
        .position(|trigger| wanted.is_some_and(|wanted| is_as_wanted(trigger, wanted)));
    for (index, trigger) in known.iter().enumerate() {
        if Some(index) == kept {
            continue;
        }
        let deleted = app.main.call(|main| {
            let (client, sid) = (&app.twilio, &trigger.sid);
            async move {
                client
                    .delete_usage_trigger(&main.into(), account_sid, sid)
                    .await
            }
        });
        deleted.await?;
    }
    Ok(())
}

/// The subaccount's triggers of exactly this name.
async fn listed(
    app: &App,
    account_sid: &AccountSid,
    name: &str,
) -> Result<Vec<UsageTrigger>, StepError> {
    let filter = UsageTriggerFilter {
        usage_category: Some(CATEGORY.to_owned()),
        ..UsageTriggerFilter::default()
    };
    let listed = app.main.call(|main| {
        let (client, filter) = (&app.twilio, &filter);
        async move {
            client
                .list_usage_triggers(&main.into(), account_sid, filter)
                .await
        }
    });
    let mut listed = listed.await?;
    listed.retain(|trigger| trigger.friendly_name.as_deref() == Some(name));
    Ok(listed)
}

/// Does it watch what is wanted and tell it where it is wanted? How Twilio connects is not part of the address.
fn is_as_wanted(trigger: &UsageTrigger, wanted: &NewUsageTrigger) -> bool {
    let address = |url: Option<&str>| {
        let url = url.and_then(|url| url.split('#').next());
        url.unwrap_or_default().to_owned()
    };
    trigger.usage_category == wanted.usage_category
        && Some(&trigger.trigger_by) == wanted.trigger_by.as_ref()
        && TriggerValue::At(trigger.trigger_value.normalize()) == wanted.trigger_value
        && trigger.recurring == wanted.recurring
        && address(trigger.callback_url.as_deref()) == address(Some(&wanted.callback_url))
}
