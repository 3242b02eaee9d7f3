//! `PUT`, `GET`, `DELETE .../auto-recharge` and `POST .../auto-recharge/{request_id}/decline`: when a tenant's
//! payment provider is asked for money. The request itself is an event; its answer is a top-up or a decline.

use std::sync::Arc;

use aws::CommitError;
use axum::Extension;
use axum::extract::State;
use domain::Decimal;
use domain::event::{Event, Fact};
use domain::ids::TenantId;
use domain::money;
use domain::recharge::{Recharge, RechargeRule, Refill};
use domain::tenant::Tenant;
use domain::wallet::Wallet;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{App, TRIES_MAX, audit};
use crate::extract::{Caller, Item, JsonBody, TenantPath, check_reason};
use crate::money_act::{wallet_of, with_wallet};
use crate::problem::{Answer, Code, Failure, unavailable};
use crate::tenants::{in_service, lost_race};
use crate::view;

/// A rule: `amount` or `target`, one of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRule {
    threshold: String,
    amount: Option<String>,
    target: Option<String>,
    daily_max: String,
    monthly_max: String,
}

/// Why a request was declined.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decline {
    reason: Option<String>,
}

/// Saves the rule, and asks for money at once if the balance is too low already.
pub async fn save(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    JsonBody { value, .. }: JsonBody<NewRule>,
) -> Answer {
    let tenant = in_service(&app, &id).await?;
    let rule = parse(&value)?;
    rule.check(tenant.currency)
        .map_err(|why| Code::RECHARGE_INVALID.because(why))?;
    let act = "wallet.set_recharge";
    change(&app, &caller, &id, act, "rule saved", |wallet| {
        wallet.recharge.save(rule);
        true
    })
    .await
}

/// Shows the rule and what became of its requests.
pub async fn read(State(app): State<Arc<App>>, TenantPath(id): TenantPath) -> Answer {
    with_wallet(&app, &id).await?;
    let wallet = wallet_of(&app, &id).await?;
    Ok(view::json(StatusCode::OK, &shown(&wallet.recharge)))
}

/// Removes the rule; requests under way stay answerable.
pub async fn remove(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
) -> Answer {
    let act = "wallet.remove_recharge";
    change(&app, &caller, &id, act, "rule removed", |wallet| {
        wallet.recharge.rule.take().is_some()
    })
    .await
}

/// A request was declined: the next one waits longer. A repetition changes nothing.
pub async fn decline(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    Item(request_id): Item,
    JsonBody { value, .. }: JsonBody<Decline>,
) -> Answer {
    let reason = value.reason.unwrap_or_else(|| "declined".to_owned());
    check_reason(&reason)?;
    with_wallet(&app, &id).await?;
    let issued = wallet_of(&app, &id).await?.recharge.issued;
    let number = request_id.strip_prefix("rch_").unwrap_or_default();
    if !number
        .parse()
        .is_ok_and(|number: u64| (1..=issued).contains(&number))
    {
        return Err(Code::RECHARGE_REQUEST_NOT_FOUND.into());
    }
    let now = app.host.now();
    let act = "wallet.decline_recharge";
    change(&app, &caller, &id, act, &reason, |wallet| {
        wallet.recharge.decline(&request_id, now).is_some()
    })
    .await
}

fn parse(value: &NewRule) -> Result<RechargeRule, Failure> {
    let amount = |text: &str| -> Result<Decimal, Failure> {
        money::parse_amount(text).map_err(|_| Code::RECHARGE_INVALID.into())
    };
    let refill = match (&value.amount, &value.target) {
        (Some(text), None) => Refill::Amount(amount(text)?),
        (None, Some(text)) => Refill::Target(amount(text)?),
        _ => return Err(Code::RECHARGE_INVALID.because("amount or target, one of them")),
    };
    Ok(RechargeRule {
        threshold: amount(&value.threshold)?,
        refill,
        daily_max: amount(&value.daily_max)?,
        monthly_max: amount(&value.monthly_max)?,
    })
}

/// Changes the state, evaluates it and writes both at once. `apply` says whether there is anything to write.
async fn change(
    app: &App,
    caller: &Caller,
    id: &TenantId,
    act: &'static str,
    reason: &str,
    apply: impl Fn(&mut Wallet) -> bool,
) -> Answer {
    for _ in 0..TRIES_MAX {
        let tenant = with_wallet(app, id).await?;
        let mut wallet = wallet_of(app, id).await?;
        if !apply(&mut wallet) {
            return Ok(view::json(StatusCode::OK, &shown(&wallet.recharge)));
        }
        match write(app, caller, &tenant, wallet, act, reason).await {
            Ok(wallet) => return Ok(view::json(StatusCode::OK, &shown(&wallet.recharge))),
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the wallet kept changing"))
}

async fn write(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    mut wallet: Wallet,
    act: &'static str,
    reason: &str,
) -> Result<Wallet, CommitError> {
    let balance = wallet.balance();
    let request = wallet
        .recharge
        .evaluate(balance, wallet.currency, app.host.now());
    let events: Vec<Event> = request
        .iter()
        .map(|request| {
            let fact = Fact::recharge_requested(request, balance);
            app.event(&tenant.id, wallet.recharge.issued, &caller.request_id, fact)
        })
        .collect();
    let audit = audit(caller, act, reason);
    app.store
        .write_wallet_rule(tenant, &wallet, &events, &audit, None)
        .await
}

/// The state as an answer.
pub fn shown(recharge: &Recharge) -> Value {
    let rule = recharge.rule.map(|rule| {
        let (amount, target) = match rule.refill {
            Refill::Amount(amount) => (Some(money::to_text(amount)), None),
            Refill::Target(target) => (None, Some(money::to_text(target))),
        };
        json!({
            "threshold": money::to_text(rule.threshold),
            "amount": amount,
            "target": target,
            "daily_max": money::to_text(rule.daily_max),
            "monthly_max": money::to_text(rule.monthly_max),
        })
    });
    let pending = recharge.pending.iter().map(|request| {
        json!({ "request_id": request.id, "amount": money::to_text(request.amount), "requested_at": request.at })
    });
    let asked = recharge.asked.map(|asked| {
        json!({ "day": asked.day.to_string(), "in_day": money::to_text(asked.daily), "in_month": money::to_text(asked.monthly) })
    });
    json!({
        "rule": rule,
        "pending": pending.collect::<Vec<_>>(),
        "requested": asked,
        "declines": recharge.declines,
        "blocked_until": recharge.blocked_until,
        "paused": recharge.paused,
    })
}
