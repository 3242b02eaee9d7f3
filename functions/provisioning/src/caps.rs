//! `PUT`, `GET .../caps`: how much a tenant may be charged in a GMT day and in a billing period. Holds follow
//! from the wallet and are the suspender's work; Twilio's own triggers are set as a second guard.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use domain::Timestamp;
use domain::caps::{Cap, Caps, Charges, Meter, Spend};
use domain::ids::TenantId;
use domain::money;
use domain::period::day_of;
use domain::standing::Occasion;
use domain::tenant::Tenant;
use domain::wallet::Wallet;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{App, TRIES_MAX, audit};
use crate::extract::{Caller, JsonBody, TenantPath, check_reason};
use crate::money_act::{wallet_of, with_wallet};
use crate::problem::{Answer, Code, Failure, internal, unavailable};
use crate::tenants::{in_service, lost_race};
use crate::triggers::install_triggers;
use crate::view;

/// All caps of a tenant; what is absent is not capped.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCaps {
    #[serde(default)]
    day: NewCap,
    #[serde(default)]
    month: NewCap,
    reason: Option<String>,
}

/// The bounds of one span.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCap {
    soft: Option<String>,
    hard: Option<String>,
}

impl NewCaps {
    fn caps(&self) -> Result<Caps, Failure> {
        let amount = |text: &Option<String>| {
            let parsed = text.as_deref().map(money::parse_amount).transpose();
            parsed.map_err(|_| Code::CAPS_INVALID.because("a cap is a decimal number as a string"))
        };
        let cap = |cap: &NewCap| -> Result<Cap, Failure> {
            Ok(Cap {
                soft: amount(&cap.soft)?,
                hard: amount(&cap.hard)?,
            })
        };
        let caps = Caps {
            day: cap(&self.day)?,
            month: cap(&self.month)?,
        };
        caps.check()
            .map_err(|why| Code::CAPS_INVALID.because(why))?;
        Ok(caps)
    }
}

/// Shows the caps and what was charged for their spans.
pub async fn read(State(app): State<Arc<App>>, TenantPath(id): TenantPath) -> Answer {
    let tenant = with_wallet(&app, &id).await?;
    let wallet = wallet_of(&app, &id).await?;
    Ok(view::json(
        StatusCode::OK,
        &of(&tenant, &wallet, app.host.now()),
    ))
}

/// Sets the caps in place of the former ones, then Twilio's triggers. Doing it again changes nothing.
pub async fn replace(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    JsonBody { value, .. }: JsonBody<NewCaps>,
) -> Answer {
    let caps = value.caps()?;
    let reason = value.reason.as_deref().unwrap_or("caps set");
    check_reason(reason)?;
    let (tenant, wallet) = set(&app, &caller, &id, caps, reason).await?;
    install_triggers(&app, &tenant).await?;
    Ok(view::json(
        StatusCode::OK,
        &of(&tenant, &wallet, app.host.now()),
    ))
}

async fn set(
    app: &App,
    caller: &Caller,
    id: &TenantId,
    caps: Caps,
    reason: &str,
) -> Result<(Tenant, Wallet), Failure> {
    for _ in 0..TRIES_MAX {
        let tenant = in_service(app, id).await?;
        let policy = app.plan_in_force(&tenant).await?.standing;
        // Before the sheets: whoever books in between makes the write fail.
        let mut wallet = wallet_of(app, id).await?;
        if wallet.spend.caps == caps {
            return Ok((tenant, wallet));
        }
        let now = app.host.now();
        let charges = booked(app, &tenant, now).await?;
        wallet.spend.set(caps, &charges);
        wallet.standing_ver += 1;
        let change = wallet.settle(&policy, Occasion::Other, now);
        let cause = &caller.request_id;
        let facts = change.facts().into_iter();
        let events: Vec<_> = facts
            .map(|(seq, fact)| app.event(id, seq, cause, fact))
            .collect();
        let timer_at = change.timer_at(now);
        let audit = audit(caller, "tenant.set_caps", reason);
        match app
            .store
            .write_wallet_rule(&tenant, &change.wallet, &events, &audit, timer_at)
            .await
        {
            Ok(wallet) => return Ok((tenant, wallet)),
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the wallet kept changing"))
}

/// What the books say that today and its billing period were charged.
async fn booked(app: &App, tenant: &Tenant, now: Timestamp) -> Result<Charges, Failure> {
    let calendar = tenant.billing.calendar().map_err(internal)?;
    let today = day_of(now);
    let period = calendar.period_of(today);
    let mut charges = Charges::none(today, &period);
    let (first, last) = (period.first_day, period.last_day);
    for sheet in app.store.day_sheets(&tenant.id, first, last).await? {
        charges.add(sheet.day, sheet.charge());
    }
    let of_period = app.store.period_sheets(&tenant.id, &[period.start]).await?;
    for sheet in of_period {
        // Its days are not told apart any more: it counts for the period only.
        charges.in_period += sheet.charge();
    }
    Ok(charges)
}

fn of(tenant: &Tenant, wallet: &Wallet, now: Timestamp) -> Value {
    let Spend { caps, day, month } = &wallet.spend;
    let today = day_of(now);
    let shown = |cap: &Cap, meter: &Option<Meter>| {
        let meter = meter.as_ref().filter(|meter| today <= meter.to);
        json!({
            "soft": cap.soft.map(money::to_text),
            "hard": cap.hard.map(money::to_text),
            "from": meter.map(|meter| meter.from),
            "to": meter.map(|meter| meter.to),
            "charged": meter.map(|meter| money::to_text(meter.charged)),
            "soft_reached": meter.is_some_and(|meter| meter.is_soft_told),
            "hard_reached": meter.is_some_and(|meter| meter.capped_at.is_some()),
        })
    };
    json!({
        "currency": tenant.currency,
        "day": shown(&caps.day, day),
        "month": shown(&caps.month, month),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_are_amounts_in_their_order() {
        let caps = |json: &str| serde_json::from_str::<NewCaps>(json).unwrap().caps();
        assert!(caps(r#"{"day": {"soft": "5", "hard": "10.5"}}"#).is_ok());
        assert_eq!(caps("{}").unwrap(), Caps::default());
        for wrong in [
            r#"{"day": {"soft": "5", "hard": "4"}}"#,
            r#"{"month": {"hard": "0"}}"#,
            r#"{"month": {"hard": "much"}}"#,
            r#"{"month": {"hard": "-1"}}"#,
        ] {
            assert_eq!(caps(wrong).unwrap_err().code(), "caps_invalid", "{wrong}");
        }
    }
}
