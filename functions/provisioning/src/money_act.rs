//! The one path by which an operator's acts change wallets: decide, write once, answer once for ever.
//!
//! Two keys guard an act: the idempotency key for the request, the natural key for the act itself. Both are
//! written with the entry, so a replay cannot book, and shows the entry that was booked.

use std::slice;

use aws::{Idempotency, IdempotencyState, WalletWrite};
use axum::response::Response;
use domain::Decimal;
use domain::ids::TenantId;
use domain::ledger::Entry;
use domain::money::{self, Currency, LEDGER_SCALE};
use domain::tenant::{Lifecycle, Tenant, check_external_id};
use domain::wallet::Wallet;
use domain::wallet_acts::{self, Act, Refusal, Terms};
use http::StatusCode;
use serde_json::{Value, json};

use crate::app::{App, TRIES_MAX};
use crate::extract::{Caller, check_reason};
use crate::problem::{Answer, Code, Failure, internal, unavailable};
use crate::records::EntryView;
use crate::tenants::{lost_race, replayed};
use crate::view::{self, StandingView};

/// What a request asks for, checked.
pub struct Order<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// Why, for people.
    pub reason: String,
    /// The request's key.
    pub idempotency: Idempotency,
}

/// One wallet's part of an order.
pub struct Side {
    /// Whose wallet.
    pub tenant: Tenant,
    /// What is done to it.
    pub act: Act,
    /// What makes it unique for ever.
    pub natural_key: String,
}

impl<'a> Order<'a> {
    /// An order of a caller, about a tenant.
    pub fn new(
        caller: &'a Caller,
        tenant: &TenantId,
        key_hash: String,
        fingerprint: String,
        reason: String,
    ) -> Result<Self, Failure> {
        check_reason(&reason)?;
        Ok(Self {
            caller,
            reason,
            idempotency: Idempotency {
                key_hash,
                fingerprint,
                state: IdempotencyState::Done,
                tenant: tenant.clone(),
            },
        })
    }

    /// What makes an act unique for ever: the operator's reference, else the request's key.
    pub fn natural_key(&self, act: &str, reference: Option<&str>) -> Result<String, Failure> {
        let Some(reference) = reference else {
            return Ok(format!("{act}key:{}", self.idempotency.key_hash));
        };
        check_external_id(reference).map_err(|_| Code::REFERENCE_INVALID)?;
        Ok(format!("{act}ref:{reference}"))
    }
}

/// The operator's reference in a natural key.
pub fn reference_of(natural_key: &str) -> Option<&str> {
    natural_key
        .split_once("ref:")
        .map(|(_, reference)| reference)
}

/// A positive amount in the currency's minor unit.
pub fn minor_amount(text: &str, currency: Currency) -> Result<Decimal, Failure> {
    let amount = ledger_amount(text)?;
    if amount <= Decimal::ZERO || amount.normalize().scale() > currency.minor_scale() {
        return Err(Code::AMOUNT_INVALID.into());
    }
    Ok(amount)
}

/// Any amount but zero that the ledger can keep.
pub fn ledger_amount(text: &str) -> Result<Decimal, Failure> {
    let amount = money::parse_amount(text).map_err(|_| Code::AMOUNT_INVALID)?;
    if amount.is_zero() || amount.normalize().scale() > LEDGER_SCALE {
        return Err(Code::AMOUNT_INVALID.into());
    }
    Ok(amount)
}

/// The tenant, if it has a wallet: money of one that is closed can still be paid back or written off.
pub async fn with_wallet(app: &App, id: &TenantId) -> Result<Tenant, Failure> {
    let tenant = app.tenant(id).await?;
    match tenant.lifecycle {
        Lifecycle::Provisioning | Lifecycle::ProvisioningFailed => {
            Err(Code::TENANT_NOT_IN_SERVICE.into())
        }
        _ => Ok(tenant),
    }
}

/// A tenant's wallet, which it has since it went into service.
pub async fn wallet_of(app: &App, tenant: &TenantId) -> Result<Wallet, Failure> {
    let wallet = app.store.wallet(tenant).await?;
    wallet.ok_or_else(|| internal("a tenant in service without a wallet"))
}

/// Does one act on one wallet.
pub async fn run(app: &App, order: &Order<'_>, side: Side) -> Answer {
    let (status, mut shown, is_replay) = carry_out(app, order, slice::from_ref(&side)).await?;
    let response = view::json(status, &shown.remove(0));
    Ok(marked(response, is_replay))
}

/// Says so if the answer is an earlier request's.
pub fn marked(response: Response, is_replay: bool) -> Response {
    if is_replay {
        replayed(response)
    } else {
        response
    }
}

/// Does the acts of an order at once; answers each wallet's entry and balance, and whether it is a replay.
pub async fn carry_out(
    app: &App,
    order: &Order<'_>,
    sides: &[Side],
) -> Result<(StatusCode, Vec<Value>, bool), Failure> {
    for _ in 0..TRIES_MAX {
        let mut writes = Vec::new();
        let mut refused = None;
        for side in sides {
            match decide(app, order, side).await? {
                Ok(write) => writes.push(write),
                Err(refusal) => {
                    refused = Some(refusal_of(&side.act, &refusal));
                    break;
                }
            }
        }
        // What is refused now may have been done before: then that is the answer.
        if let Some(failure) = refused {
            let earlier = already_done(app, order, sides).await?;
            return earlier.ok_or(failure);
        }
        match app.store.write_wallets(&order.idempotency, &writes).await {
            Ok(wallets) => {
                let shown = writes.iter().zip(&wallets);
                let shown = shown.map(|(write, wallet)| booked(&write.entry, wallet));
                return Ok((StatusCode::CREATED, shown.collect(), false));
            }
            Err(error) if error.is_conflict_on("IDEM") || error.is_conflict_on("N") => {
                let earlier = already_done(app, order, sides).await?;
                return earlier.ok_or_else(|| internal("a booked act has no entry"));
            }
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the wallet kept changing"))
}

async fn decide(
    app: &App,
    order: &Order<'_>,
    side: &Side,
) -> Result<Result<WalletWrite, Refusal>, Failure> {
    let now = app.host.now();
    let tenant = &side.tenant;
    let policy = app.plan_in_force(tenant).await?.standing;
    let wallet = wallet_of(app, &tenant.id).await?;
    let terms = Terms {
        actor: &order.caller.actor,
        reason: &order.reason,
        natural_key: &side.natural_key,
        now,
    };
    let acted = match wallet_acts::decide(&wallet, &side.act, terms) {
        Ok(acted) => acted,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let change = acted.wallet.settle(&policy, side.act.occasion(), now);
    let cause = &order.caller.request_id;
    let mut events = vec![app.event(&tenant.id, acted.entry.seq, cause, acted.fact)];
    let facts = change.facts().into_iter();
    events.extend(facts.map(|(seq, fact)| app.event(&tenant.id, seq, cause, fact)));
    Ok(Ok(WalletWrite {
        tenant: tenant.id.clone(),
        entry: acted.entry,
        timer_at: change.wallet.next_action_at(&policy),
        wallet: change.wallet,
        events,
    }))
}

fn refusal_of(act: &Act, refusal: &Refusal) -> Failure {
    let code = match (refusal, act) {
        (Refusal::Insufficient(_), Act::TransferOut { .. }) => Code::TRANSFER_EXCEEDS_BALANCE,
        (Refusal::Insufficient(_), _) => Code::REFUND_EXCEEDS_BALANCE,
        (Refusal::NotOwed(_), _) => Code::WRITE_OFF_EXCEEDS_DEBT,
        (Refusal::TooManyLots, _) => Code::TOO_MANY_LOTS,
        (Refusal::Ledger(_), _) => Code::AMOUNT_INVALID,
    };
    code.because(refusal.to_string())
}

/// A replay of the request, or another request for the same act; `None`: it was never done.
async fn already_done(
    app: &App,
    order: &Order<'_>,
    sides: &[Side],
) -> Result<Option<(StatusCode, Vec<Value>, bool)>, Failure> {
    let earlier = app.store.idempotency(&order.idempotency.key_hash).await?;
    let is_replay = match &earlier {
        Some(earlier) if earlier.fingerprint != order.idempotency.fingerprint => {
            return Err(Code::IDEMPOTENCY_KEY_MISMATCH.into());
        }
        earlier => earlier.is_some(),
    };
    let mut shown = Vec::new();
    for side in sides {
        let tenant = &side.tenant.id;
        let found = app.store.booked_payment(tenant, &side.natural_key).await?;
        let Some(entry) = found else { return Ok(None) };
        let booked_amount: Decimal = entry.moves.iter().map(|part| part.amount).sum();
        if side
            .act
            .change()
            .is_some_and(|change| change != booked_amount)
        {
            return Err(Code::REFERENCE_TAKEN.into());
        }
        shown.push(booked(&entry, &wallet_of(app, tenant).await?));
    }
    let status = if is_replay {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(Some((status, shown, is_replay)))
}

fn booked(entry: &Entry, wallet: &Wallet) -> Value {
    json!({
        "entry": EntryView::from(entry),
        "balance": money::to_text(wallet.balance()),
        "standing": StandingView::from(wallet),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_positive_and_no_finer_than_the_minor_unit() {
        let yen = Currency::parse("JPY").unwrap();
        assert!(minor_amount("20.50", Currency::USD).is_ok());
        assert!(minor_amount("20.500", Currency::USD).is_ok());
        assert!(minor_amount("20", yen).is_ok());
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
            let failure = minor_amount(text, currency).unwrap_err();
            assert_eq!(failure.code(), "amount_invalid", "{text}");
        }
        assert!(ledger_amount("-0.000000001").is_ok());
        assert!(ledger_amount("0.0000000001").is_err());
    }

    #[test]
    fn a_reference_is_found_in_every_natural_key_that_has_one() {
        for (key, reference) in [
            ("ref:inv-1", Some("inv-1")),
            ("refund:ref:ref:2", Some("ref:2")),
            ("transfer-in:ten_01:ref:t", Some("t")),
            ("key:abc", None),
        ] {
            assert_eq!(reference_of(key), reference, "{key}");
        }
    }

    #[test]
    fn a_reference_and_a_key_never_make_the_same_natural_key() {
        let caller = Caller {
            actor: "opk".into(),
            request_id: "r".into(),
            began_at: jiff::Timestamp::UNIX_EPOCH,
        };
        let tenant = TenantId::from_ulid(domain::ids::ulid(1, 1));
        let order = Order::new(&caller, &tenant, "a".into(), "f".into(), "why".into()).unwrap();
        let of = |act, reference| order.natural_key(act, reference).unwrap();
        assert_ne!(of("", Some("key:a")), of("", None));
        assert_ne!(of("", Some("x")), of("refund:", Some("x")));
        assert!(order.natural_key("", Some("a b")).is_err());
    }
}
