//! Orders on numbers: accepted in one transaction, asked of Twilio, ended in another.
//!
//! Each of the three requests to Twilio may be sent again: a certain number is bought, moved or released
//! once. So an order that was cut off anywhere is taken up by the same idempotency key or the timer, and ends.

use aws::{CommitError, Idempotency, OrderAcceptance, OrderEnd};
use domain::event::Fact;
use domain::ids::{
    AccountSid, AddressSid, BundleSid, NumberOrderId, PhoneNumberSid, TenantId, ulid_of_bits,
};
use domain::numbers::{NumberAct, NumberOrder, NumberRecord, NumberUrls, ORDERS_MAX, OrderState};
use domain::tenant::Tenant;
use twilio::{E164, NumberSettings, NumberTransfer, RejectReason};

use crate::app::{App, TRIES_MAX, audit};
use crate::extract::Caller;
use crate::lease::LEASE;
use crate::main_account::MainError;
use crate::problem::{Code, Failure, internal, unavailable};
use crate::saga::later;
use crate::tenants::lost_race;

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) act: NumberAct,
    pub(crate) urls: NumberUrls,
    pub(crate) address_sid: Option<AddressSid>,
    pub(crate) bundle_sid: Option<BundleSid>,
    /// The number as it was found, to be locked.
    pub(crate) found: Option<NumberRecord>,
    /// The version of our record from before Twilio was looked at: what was written since is newer than the look.
    pub(crate) seen: Option<u64>,
}

/// The order of an idempotency key: whoever asks again finds it.
pub(crate) fn order_id(key_hash: &str) -> NumberOrderId {
    let bits = key_hash
        .get(..32)
        .and_then(|hex| u128::from_str_radix(hex, 16).ok());
    NumberOrderId::from_ulid(ulid_of_bits(bits.unwrap_or_default()))
}

/// Accepts an order under a tenant, or finds it accepted, and carries it out.
pub(crate) async fn place(
    app: &App,
    caller: &Caller,
    tenant: &TenantId,
    id: &NumberOrderId,
    ask: &Ask,
    idempotency: Option<&Idempotency>,
) -> Result<NumberOrder, Failure> {
    for _ in 0..TRIES_MAX {
        if app.store.number_order(tenant, id).await?.is_some() {
            return carry_out(app, caller, tenant, id).await;
        }
        let before = app.tenant(tenant).await?;
        if before.open_orders.len() >= ORDERS_MAX {
            return Err(Code::TOO_MANY_ORDERS.into());
        }
        let number = match ask.act.sid() {
            Some(sid) => Some(locked(app, sid, id, ask).await?),
            None => None,
        };
        let order = NumberOrder {
            id: id.clone(),
            tenant: tenant.clone(),
            ver: 0,
            act: ask.act.clone(),
            urls: ask.urls.clone(),
            address_sid: ask.address_sid.clone(),
            bundle_sid: ask.bundle_sid.clone(),
            actor: caller.actor.clone(),
            asked_at: app.host.now(),
            state: OrderState::Open,
        };
        let mut after = before.clone();
        after.open_orders.push(id.clone());
        let acceptance = OrderAcceptance {
            before,
            tenant: after,
            order,
            number,
            idempotency: idempotency.cloned(),
            resume_at: later(app.host.now(), LEASE),
            audit: audit(caller, "number.order", ask.act.phone_number()),
        };
        match app.store.accept_order(&acceptance).await {
            Ok(_) => return carry_out(app, caller, tenant, id).await,
            // Another request or a lost answer of ours: look again.
            Err(CommitError::Conflict { .. }) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the order kept losing its race"))
}

/// The number's record with this order on it. Another order's lock is respected.
async fn locked(
    app: &App,
    sid: &PhoneNumberSid,
    id: &NumberOrderId,
    ask: &Ask,
) -> Result<NumberRecord, Failure> {
    let known = app.store.number(sid).await?;
    let is_ours = known
        .as_ref()
        .is_some_and(|known| known.order.as_ref() == Some(id));
    let version = known.as_ref().map_or(0, |known| known.ver);
    if !is_ours && ask.seen.is_some_and(|seen| seen != version) {
        return Err(Code::NUMBER_BUSY.retry_after(5));
    }
    let found = ask.found.clone();
    let mut record = match (known, found) {
        (Some(known), Some(found)) => caught_up(known, &found),
        (Some(known), None) => known,
        (None, Some(found)) => found,
        (None, None) => return Err(internal("an order on a number that nobody found")),
    };
    if record.order.as_ref().is_some_and(|other| other != id) {
        return Err(Code::NUMBER_BUSY.retry_after(5));
    }
    record.order = Some(id.clone());
    Ok(record)
}

/// A record that Twilio's list contradicts: the number was moved or bought behind our back.
fn caught_up(known: NumberRecord, found: &NumberRecord) -> NumberRecord {
    let Some(now) = found.holding() else {
        return known;
    };
    known.moved(&now.account_sid, now.tenant.as_ref(), now.from)
}

/// Carries out a tenant's open orders.
pub(crate) async fn carry_out_all(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
) -> Result<usize, Failure> {
    let mut failed = None;
    for id in &tenant.open_orders {
        if let Err(failure) = carry_out(app, caller, &tenant.id, id).await {
            failed = Some(failure);
        }
    }
    failed.map_or(Ok(tenant.open_orders.len()), Err)
}

/// Asks Twilio for what an open order says, and ends it. An order that is ended stays as it is.
pub(crate) async fn carry_out(
    app: &App,
    caller: &Caller,
    tenant: &TenantId,
    id: &NumberOrderId,
) -> Result<NumberOrder, Failure> {
    let order = app.store.number_order(tenant, id).await?;
    let order = order.ok_or_else(|| internal("an open order without its row"))?;
    if order.state != OrderState::Open {
        return Ok(order);
    }
    let own = super::account_of(&app.tenant(tenant).await?)?;
    let state = match Box::pin(ask_twilio(app, &order, &own)).await {
        Ok(sid) => OrderState::Done { sid },
        Err(MainError::Twilio(error @ twilio::Error::Reject { .. })) => {
            tracing::warn!(tenant.id = %tenant, order.id = %id, cause = %error, "number order refused");
            OrderState::Refused {
                code: refusal(&error).name.to_owned(),
            }
        }
        Err(error) => {
            let at = later(app.host.now(), LEASE);
            app.store
                .set_act(aws::ActKind::Provision, tenant, at)
                .await?;
            return Err(error.into());
        }
    };
    Box::pin(end(app, caller, order, state)).await
}

/// The stable code of what Twilio says no to.
pub(crate) fn refusal(error: &twilio::Error) -> Code {
    match error.reject_reason() {
        Some(
            RejectReason::AddressRequired
            | RejectReason::LocalAddressRequired
            | RejectReason::ForeignAddressRequired,
        ) => Code::ADDRESS_REQUIRED,
        Some(RejectReason::NumberUnavailable) => Code::NUMBER_UNAVAILABLE,
        Some(RejectReason::NotFound) => Code::NUMBER_NOT_FOUND,
        Some(RejectReason::TransferRefused) => Code::TRANSFER_REFUSED,
        _ => Code::TWILIO_REJECTED,
    }
}

/// `own` is the subaccount of the order's tenant.
async fn ask_twilio(
    app: &App,
    order: &NumberOrder,
    own: &AccountSid,
) -> Result<PhoneNumberSid, MainError> {
    let settings = NumberSettings {
        address_sid: order.address_sid.clone(),
        bundle_sid: order.bundle_sid.clone(),
        ..super::settings_of(&order.urls)
    };
    let done = app.main.call(|main| {
        let (client, settings) = (&app.twilio, settings.clone());
        async move {
            match &order.act {
                NumberAct::Buy { phone_number } => {
                    let number = E164::parse(phone_number)
                        .expect("an order's number was checked when it was accepted");
                    let bought = client
                        .buy_incoming_number(&main.into(), own, &number, &settings)
                        .await?;
                    Ok(bought.sid)
                }
                NumberAct::Transfer { sid, from, to, .. } => {
                    let transfer = NumberTransfer {
                        to: to.clone(),
                        settings,
                    };
                    let moved = client
                        .transfer_incoming_number(&main, from, sid, &transfer)
                        .await?;
                    Ok(moved.sid)
                }
                NumberAct::Release { sid, .. } => {
                    client
                        .release_incoming_number(&main.into(), own, sid)
                        .await?;
                    Ok(sid.clone())
                }
            }
        }
    });
    done.await
}

/// Writes the order's end: the number's record, the tenants, the event.
async fn end(
    app: &App,
    caller: &Caller,
    mut order: NumberOrder,
    state: OrderState,
) -> Result<NumberOrder, Failure> {
    for _ in 0..TRIES_MAX {
        let before = app.tenant(&order.tenant).await?;
        order.state = state.clone();
        let number = record_after(app, &before, &order).await?;
        let mut after = before.clone();
        after.open_orders.retain(|open| *open != order.id);
        let is_done = matches!(state, OrderState::Done { .. });
        let gaining = match &order.act {
            NumberAct::Transfer { to_tenant, .. } => to_tenant.as_ref(),
            _ => None,
        };
        let gaining = gaining.filter(|gaining| is_done && **gaining != order.tenant);
        let gaining = match gaining {
            Some(gaining) => Some(app.tenant(gaining).await?),
            None => None,
        };
        let cause = &caller.request_id;
        let end = OrderEnd {
            event: fact(&before, &order)
                .map(|fact| app.event(&order.tenant, before.ver + 1, cause, fact)),
            audit: audit(caller, act_name(&order), order.act.phone_number()),
            tenant: (before, after),
            gaining,
            order: order.clone(),
            number,
        };
        match app.store.end_order(&end).await {
            Ok(_) => return Ok(order),
            Err(error) if lost_race(&error) => {
                app.pause().await;
                let fresh = app.store.number_order(&order.tenant, &order.id).await?;
                order = fresh.ok_or_else(|| internal("an open order without its row"))?;
                if order.state != OrderState::Open {
                    return Ok(order);
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the order kept losing its race"))
}

fn act_name(order: &NumberOrder) -> &'static str {
    match (&order.state, &order.act) {
        (OrderState::Refused { .. }, _) => "number.order_refused",
        (_, NumberAct::Buy { .. }) => "number.buy",
        (_, NumberAct::Transfer { .. }) => "number.transfer",
        (_, NumberAct::Release { .. }) => "number.release",
    }
}

/// The number's record behind the order, unlocked.
async fn record_after(
    app: &App,
    tenant: &Tenant,
    order: &NumberOrder,
) -> Result<Option<NumberRecord>, Failure> {
    let now = app.host.now();
    let ((OrderState::Done { sid }, _) | (_, Some(sid))) = (&order.state, order.act.sid()) else {
        return Ok(None);
    };
    let known = app.store.number(sid).await?;
    let is_done = matches!(order.state, OrderState::Done { .. });
    let mut record = match &order.act {
        NumberAct::Buy { phone_number } => {
            let own = super::account_of(tenant)?;
            match known {
                Some(known) => known.moved(&own, Some(&tenant.id), now),
                None => NumberRecord::found(sid, phone_number, &own, Some(&tenant.id), now),
            }
        }
        NumberAct::Transfer { to, to_tenant, .. } => {
            let known = known.ok_or_else(|| internal("a locked number without its record"))?;
            if is_done {
                known.moved(to, to_tenant.as_ref(), now)
            } else {
                known
            }
        }
        NumberAct::Release { .. } => {
            let known = known.ok_or_else(|| internal("a locked number without its record"))?;
            if is_done { known.released(now) } else { known }
        }
    };
    record.order = None;
    Ok(Some(record))
}

fn fact(tenant: &Tenant, order: &NumberOrder) -> Option<Fact> {
    let OrderState::Done { sid } = &order.state else {
        return None;
    };
    let (number_sid, phone_number) = (sid.clone(), order.act.phone_number().to_owned());
    match &order.act {
        NumberAct::Buy { .. } => Some(Fact::NumberBought {
            number_sid,
            phone_number,
            account_sid: tenant.account_sid.clone()?,
        }),
        NumberAct::Transfer {
            from,
            to,
            to_tenant,
            ..
        } => Some(Fact::NumberTransferred {
            number_sid,
            phone_number,
            from: from.clone(),
            to: to.clone(),
            to_tenant: to_tenant.clone(),
        }),
        NumberAct::Release { .. } => Some(Fact::NumberReleased {
            number_sid,
            phone_number,
        }),
    }
}
