//! Acts on one wallet: `POST .../top-ups`, `credits`, `refunds`, `chargebacks`, `adjustments`, `write-offs`;
//! and on two: `POST /v1/transfers`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use domain::Timestamp;
use domain::ids::TenantId;
use domain::ledger::EntryKind;
use domain::lots::{PRIORITY_DEFAULT, PRIORITY_MAX};
use domain::tenant::Tenant;
use domain::wallet_acts::Act;
use serde::Deserialize;
use serde_json::json;

use crate::app::App;
use crate::extract::{Caller, IdempotencyKey, JsonBody, TenantPath};
use crate::money_act::{
    Order, Side, carry_out, ledger_amount, marked, minor_amount, run, with_wallet,
};
use crate::problem::{Answer, Code, Failure};
use crate::tenants::in_service;
use crate::view;

/// A payment.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopUp {
    amount: String,
    reference: Option<String>,
    reason: Option<String>,
    priority: Option<u8>,
    expires_at: Option<Timestamp>,
    recharge_request_id: Option<String>,
}

/// Promotional credit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credit {
    amount: String,
    reference: Option<String>,
    reason: String,
    priority: Option<u8>,
    effective_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
}

/// Money paid back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refund {
    amount: String,
    reference: Option<String>,
    reason: String,
    top_up: Option<u64>,
}

/// A payment that the payer's bank took back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chargeback {
    /// The top-up's reference.
    top_up_reference: String,
    /// All of the top-up if absent.
    amount: Option<String>,
    reason: String,
}

/// A correction by hand; negative = against the tenant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adjustment {
    amount: String,
    reference: Option<String>,
    reason: String,
}

/// A debt given up; all of it without an amount.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteOff {
    amount: Option<String>,
    reference: Option<String>,
    reason: String,
}

/// Money from one tenant to another.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    from: String,
    to: String,
    amount: String,
    reference: Option<String>,
    reason: String,
}

/// Books a payment.
pub async fn top_up(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    IdempotencyKey(key_hash): IdempotencyKey,
    JsonBody { value, fingerprint }: JsonBody<TopUp>,
) -> Answer {
    let reason = value.reason.unwrap_or_else(|| "top-up".to_owned());
    let order = Order::new(&caller, &id, key_hash, fingerprint, reason)?;
    let natural_key = order.natural_key("", value.reference.as_deref())?;
    let tenant = in_service(&app, &id).await?;
    let act = Act::TopUp {
        amount: minor_amount(&value.amount, tenant.currency)?,
        priority: priority(value.priority)?,
        expires_at: expiry(&app, None, value.expires_at)?,
        recharge: value.recharge_request_id,
    };
    run(&app, &order, side(tenant, act, natural_key)).await
}

/// Gives promotional credit.
pub async fn credit(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    IdempotencyKey(key_hash): IdempotencyKey,
    JsonBody { value, fingerprint }: JsonBody<Credit>,
) -> Answer {
    let order = Order::new(&caller, &id, key_hash, fingerprint, value.reason)?;
    let natural_key = order.natural_key("credit:", value.reference.as_deref())?;
    let tenant = in_service(&app, &id).await?;
    let effective_at = value.effective_at.map(whole_second).transpose()?;
    let act = Act::Credit {
        amount: minor_amount(&value.amount, tenant.currency)?,
        priority: priority(value.priority)?,
        effective_at,
        expires_at: expiry(&app, effective_at, value.expires_at)?,
    };
    run(&app, &order, side(tenant, act, natural_key)).await
}

/// Pays money back.
pub async fn refund(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    IdempotencyKey(key_hash): IdempotencyKey,
    JsonBody { value, fingerprint }: JsonBody<Refund>,
) -> Answer {
    let order = Order::new(&caller, &id, key_hash, fingerprint, value.reason)?;
    let natural_key = order.natural_key("refund:", value.reference.as_deref())?;
    let tenant = with_wallet(&app, &id).await?;
    let act = Act::Refund {
        amount: minor_amount(&value.amount, tenant.currency)?,
        top_up: value.top_up,
    };
    run(&app, &order, side(tenant, act, natural_key)).await
}

/// Books that a payment was taken back. A top-up can be taken back once.
pub async fn chargeback(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    IdempotencyKey(key_hash): IdempotencyKey,
    JsonBody { value, fingerprint }: JsonBody<Chargeback>,
) -> Answer {
    let order = Order::new(&caller, &id, key_hash, fingerprint, value.reason)?;
    let reference = value.top_up_reference.as_str();
    let natural_key = order.natural_key("chargeback:", Some(reference))?;
    let tenant = with_wallet(&app, &id).await?;
    let payment = order.natural_key("", Some(reference))?;
    let paid = app.store.booked_payment(&id, &payment).await?;
    let paid = paid.filter(|entry| entry.kind == EntryKind::TopUp);
    let paid = paid.ok_or(Code::TOP_UP_NOT_FOUND)?;
    let whole = paid.moves.iter().map(|part| part.amount).sum();
    let amount = match &value.amount {
        Some(text) => minor_amount(text, tenant.currency)?,
        None => whole,
    };
    if amount > whole {
        return Err(Code::CHARGEBACK_EXCEEDS_TOP_UP.into());
    }
    let act = Act::Chargeback {
        amount,
        top_up: paid.seq,
    };
    run(&app, &order, side(tenant, act, natural_key)).await
}

/// Corrects a balance by hand.
pub async fn adjust(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    IdempotencyKey(key_hash): IdempotencyKey,
    JsonBody { value, fingerprint }: JsonBody<Adjustment>,
) -> Answer {
    let order = Order::new(&caller, &id, key_hash, fingerprint, value.reason)?;
    let natural_key = order.natural_key("adjustment:", value.reference.as_deref())?;
    let tenant = with_wallet(&app, &id).await?;
    let act = Act::Adjustment {
        amount: ledger_amount(&value.amount)?,
    };
    run(&app, &order, side(tenant, act, natural_key)).await
}

/// Gives up a debt.
pub async fn write_off(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    IdempotencyKey(key_hash): IdempotencyKey,
    JsonBody { value, fingerprint }: JsonBody<WriteOff>,
) -> Answer {
    let order = Order::new(&caller, &id, key_hash, fingerprint, value.reason)?;
    let natural_key = order.natural_key("write-off:", value.reference.as_deref())?;
    let tenant = with_wallet(&app, &id).await?;
    let amount = value.amount.as_deref().map(ledger_amount).transpose()?;
    if amount.is_some_and(|amount| amount.is_sign_negative()) {
        return Err(Code::AMOUNT_INVALID.into());
    }
    let act = Act::WriteOff { amount };
    run(&app, &order, side(tenant, act, natural_key)).await
}

/// Moves money from one tenant to another: both entries and both wallets at once.
pub async fn transfer(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    IdempotencyKey(key_hash): IdempotencyKey,
    JsonBody { value, fingerprint }: JsonBody<Transfer>,
) -> Answer {
    let id = |text: &str| TenantId::parse(text).map_err(|_| Code::TENANT_NOT_FOUND);
    let (from, to) = (id(&value.from)?, id(&value.to)?);
    if from == to {
        return Err(Code::TRANSFER_INVALID.because("from and to are the same tenant"));
    }
    let order = Order::new(&caller, &from, key_hash, fingerprint, value.reason)?;
    let reference = value.reference.as_deref();
    let out_key = order.natural_key("transfer-out:", reference)?;
    let in_key = order.natural_key(&format!("transfer-in:{from}:"), reference)?;
    let (from, to) = (
        with_wallet(&app, &from).await?,
        in_service(&app, &to).await?,
    );
    if from.currency != to.currency {
        return Err(Code::TRANSFER_INVALID.because("the tenants have different currencies"));
    }
    let amount = minor_amount(&value.amount, from.currency)?;
    let sides = [
        side(from, Act::TransferOut { amount }, out_key),
        side(to, Act::TransferIn { amount }, in_key),
    ];
    let (status, shown, is_replay) = carry_out(&app, &order, &sides).await?;
    let body = json!({ "from": shown[0], "to": shown[1] });
    Ok(marked(view::json(status, &body), is_replay))
}

fn side(tenant: Tenant, act: Act, natural_key: String) -> Side {
    Side {
        tenant,
        act,
        natural_key,
    }
}

fn priority(priority: Option<u8>) -> Result<u8, Failure> {
    let priority = priority.unwrap_or(PRIORITY_DEFAULT);
    if priority > PRIORITY_MAX {
        return Err(Code::LOT_INVALID.because("priority must be 0 to 9"));
    }
    Ok(priority)
}

/// A lot's times are whole seconds.
fn whole_second(at: Timestamp) -> Result<Timestamp, Failure> {
    if at.subsec_nanosecond() != 0 {
        return Err(Code::LOT_INVALID.because("times of lots are whole seconds"));
    }
    Ok(at)
}

fn expiry(
    app: &App,
    effective_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
) -> Result<Option<Timestamp>, Failure> {
    let Some(expiry) = expires_at.map(whole_second).transpose()? else {
        return Ok(None);
    };
    let begins = effective_at.unwrap_or_default().max(app.host.now());
    if expiry <= begins {
        return Err(Code::LOT_INVALID.because("expires_at must lie ahead, and behind effective_at"));
    }
    Ok(Some(expiry))
}
