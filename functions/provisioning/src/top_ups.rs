//! `POST .../top-ups`: money that came in, booked once for ever.
//!
//! Two keys guard it: the idempotency key for the request, the reference for the payment. Both are written
//! with the entry, so a replay cannot book, and shows the entry that was booked.

use std::sync::Arc;

use aws::{Idempotency, IdempotencyState, Payment};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use domain::Decimal;
use domain::event::Fact;
use domain::ids::TenantId;
use domain::ledger::{Entry, EntryKind, LedgerAccount, postings};
use domain::lots::LotTag;
use domain::money::{self, Currency};
use domain::standing::Occasion;
use domain::tenant::{Tenant, check_external_id};
use domain::wallet::Wallet;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::app::{App, TRIES_MAX};
use crate::extract::{Caller, IdempotencyKey, JsonBody, TenantPath, check_reason};
use crate::problem::{Answer, Code, Failure, internal, unavailable};
use crate::records::EntryView;
use crate::tenants::{in_service, lost_race, replayed};
use crate::view::{self, StandingView, standing_changed};

/// A payment.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopUp {
    amount: String,
    reference: Option<String>,
    reason: Option<String>,
}

/// What one request asks for, checked.
struct Asked<'a> {
    caller: &'a Caller,
    tenant: TenantId,
    amount: String,
    natural_key: String,
    reason: String,
    idempotency: Idempotency,
}

/// Books a payment.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    IdempotencyKey(key_hash): IdempotencyKey,
    JsonBody { value, fingerprint }: JsonBody<TopUp>,
) -> Answer {
    if let Some(reference) = &value.reference {
        check_external_id(reference).map_err(|_| Code::REFERENCE_INVALID)?;
    }
    let reason = value.reason.unwrap_or_else(|| "top-up".to_owned());
    check_reason(&reason)?;
    let asked = Asked {
        caller: &caller,
        amount: value.amount,
        natural_key: natural_key(value.reference.as_deref(), &key_hash),
        reason,
        idempotency: Idempotency {
            key_hash,
            fingerprint,
            state: IdempotencyState::Done,
            tenant: id.clone(),
        },
        tenant: id,
    };
    for _ in 0..TRIES_MAX {
        let tenant = in_service(&app, &asked.tenant).await?;
        let amount = parse_amount(&asked.amount, tenant.currency)?;
        let wallet = app.store.wallet(&tenant.id).await?;
        let wallet = wallet.ok_or_else(|| internal("a tenant in service without a wallet"))?;
        let payment = decide(&app, &asked, &tenant, &wallet, amount).await?;
        match app.store.book_payment(&tenant.id, &payment).await {
            Ok(wallet) => return Ok(booked(StatusCode::CREATED, &payment.entry, &wallet)),
            Err(error) if error.is_conflict_on("IDEM") || error.is_conflict_on("N") => {
                return already_booked(&app, &asked, amount).await;
            }
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the wallet kept changing"))
}

/// What makes a payment unique for ever: the operator's reference, else the request's key.
fn natural_key(reference: Option<&str>, key_hash: &str) -> String {
    reference.map_or_else(
        || format!("key:{key_hash}"),
        |reference| format!("ref:{reference}"),
    )
}

fn parse_amount(text: &str, currency: Currency) -> Result<Decimal, Failure> {
    let amount = money::parse_amount(text).map_err(|_| Code::AMOUNT_INVALID)?;
    if amount <= Decimal::ZERO || amount.normalize().scale() > currency.minor_scale() {
        return Err(Code::AMOUNT_INVALID.into());
    }
    Ok(amount)
}

async fn decide(
    app: &App,
    asked: &Asked<'_>,
    tenant: &Tenant,
    wallet: &Wallet,
    amount: Decimal,
) -> Result<Payment, Failure> {
    let now = app.host.now();
    let policy = app.plan_in_force(tenant).await?.standing;
    let mut funds = wallet.funds.clone();
    funds.pay_in(amount, LotTag::paid(wallet.seq + 1));
    let moves = funds.moves_since(&wallet.funds);
    let entry = Entry {
        seq: wallet.seq + 1,
        kind: EntryKind::TopUp,
        actor: asked.caller.actor.clone(),
        reason: asked.reason.clone(),
        at: now,
        currency: tenant.currency,
        postings: postings(&moves, &[(LedgerAccount::Cash, -amount)]),
        moves,
        lines: Vec::new(),
        periods: Vec::new(),
        statement: None,
        natural_key: Some(asked.natural_key.clone()),
    };
    let posted = wallet
        .post(&entry)
        .map_err(|error| Failure::from(Code::AMOUNT_INVALID).caused_by(error))?;
    let change = posted.settle(&policy, Occasion::Payment, now);
    let cause = &asked.caller.request_id;
    let paid = Fact::WalletToppedUp {
        amount,
        balance: change.wallet.balance(),
    };
    let mut events = vec![app.event(&tenant.id, entry.seq, cause, paid)];
    if let Some(before) = change.standing_before {
        let fact = standing_changed(before, &change.wallet);
        events.push(app.event(&tenant.id, change.wallet.standing_ver, cause, fact));
    }
    Ok(Payment {
        idempotency: asked.idempotency.clone(),
        natural_key: asked.natural_key.clone(),
        entry,
        timer_at: change.wallet.next_action_at(&policy),
        wallet: change.wallet,
        events,
    })
}

/// A replay of the request, or another request for the same payment.
async fn already_booked(app: &App, asked: &Asked<'_>, amount: Decimal) -> Answer {
    let earlier = app.store.idempotency(&asked.idempotency.key_hash).await?;
    let is_replay = match &earlier {
        Some(earlier) if earlier.fingerprint != asked.idempotency.fingerprint => {
            return Err(Code::IDEMPOTENCY_KEY_MISMATCH.into());
        }
        earlier => earlier.is_some(),
    };
    let entry = app
        .store
        .booked_payment(&asked.tenant, &asked.natural_key)
        .await?
        .ok_or_else(|| internal("a booked payment has no entry"))?;
    if -entry.amount_on(LedgerAccount::Cash) != amount {
        return Err(Code::REFERENCE_TAKEN.into());
    }
    let wallet = app.store.wallet(&asked.tenant).await?;
    let wallet = wallet.ok_or_else(|| internal("a tenant in service without a wallet"))?;
    if !is_replay {
        return Ok(booked(StatusCode::OK, &entry, &wallet));
    }
    Ok(replayed(booked(StatusCode::CREATED, &entry, &wallet)))
}

fn booked(status: StatusCode, entry: &Entry, wallet: &Wallet) -> Response {
    let body = json!({
        "entry": EntryView::from(entry),
        "balance": money::to_text(wallet.balance()),
        "standing": StandingView::from(wallet.standing),
    });
    view::json(status, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_positive_and_no_finer_than_the_minor_unit() {
        let yen = Currency::parse("JPY").unwrap();
        assert!(parse_amount("20.50", Currency::USD).is_ok());
        assert!(parse_amount("20.500", Currency::USD).is_ok());
        assert!(parse_amount("20", yen).is_ok());
        for (text, currency) in [
            ("0", Currency::USD),
            ("-1", Currency::USD),
            ("0.001", Currency::USD),
            ("1000000000", Currency::USD),
            ("1_000", Currency::USD),
            ("NaN", Currency::USD),
            ("", Currency::USD),
            ("0.5", yen),
        ] {
            let failure = parse_amount(text, currency).unwrap_err();
            assert_eq!(failure.code(), "amount_invalid", "{text}");
        }
    }

    #[test]
    fn a_reference_and_a_key_never_make_the_same_natural_key() {
        assert_ne!(natural_key(Some("key:a"), "a"), natural_key(None, "a"));
    }
}
