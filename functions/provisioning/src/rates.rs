//! `POST`, `GET /v1/exchange-rates`: what releases days whose prices came in another currency than the tenant's.

use std::sync::Arc;

use aws::CommitError;
use axum::Extension;
use axum::extract::State;
use domain::Date;
use domain::exchange::{RateError, RecordedRate};
use domain::money::{Currency, parse_decimal, to_text};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{App, TRIES_MAX};
use crate::extract::{Caller, JsonBody, Params, check_reason};
use crate::problem::{Answer, Code, Failure, unavailable};
use crate::view;

/// A rate for a range of days.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRate {
    from_currency: String,
    to_currency: String,
    rate: String,
    from: Date,
    until: Date,
    reason: String,
}

/// Which pair.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    from_currency: Option<String>,
    to_currency: Option<String>,
}

/// Records a rate; the same again changes nothing.
pub async fn record(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    JsonBody { value, .. }: JsonBody<NewRate>,
) -> Answer {
    check_reason(&value.reason)?;
    let (from, to) = pair(&value.from_currency, &value.to_currency)?;
    let rate = parse_decimal(&value.rate)
        .map_err(|_| Code::RATE_INVALID.because("rate is no decimal number"))?;
    let new = RecordedRate {
        from: value.from,
        until: value.until,
        rate,
        actor: caller.actor.clone(),
        reason: value.reason.clone(),
        at: app.host.now(),
    };
    for _ in 0..TRIES_MAX {
        let known = app.store.rates(from, to).await?;
        let next = known.with(new.clone()).map_err(|error| match error {
            RateError::Overlaps => Failure::from(Code::RATE_RECORDED),
            RateError::Invalid | RateError::TooMany => {
                Code::RATE_INVALID.because(error.to_string())
            }
        })?;
        if next != known {
            match app.store.put_rates(from, to, &next).await {
                Ok(()) => {}
                Err(CommitError::Conflict { .. }) => {
                    app.pause().await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
        }
        return Ok(view::json(StatusCode::CREATED, &shown(&new)));
    }
    Err(unavailable("the rates kept changing"))
}

/// Shows the rates of a pair.
pub async fn list(State(app): State<Arc<App>>, Params(params): Params<Pair>) -> Answer {
    let text = |text: Option<String>| text.ok_or(Code::UNKNOWN_CURRENCY);
    let (from, to) = pair(&text(params.from_currency)?, &text(params.to_currency)?)?;
    let rates = app.store.rates(from, to).await?;
    let body = json!({
        "from_currency": from,
        "to_currency": to,
        "rates": rates.recorded.iter().map(shown).collect::<Vec<_>>(),
    });
    Ok(view::json(StatusCode::OK, &body))
}

fn pair(from: &str, to: &str) -> Result<(Currency, Currency), Failure> {
    let currency = |text: &str| Currency::parse(text).map_err(|_| Code::UNKNOWN_CURRENCY);
    let (from, to) = (currency(from)?, currency(to)?);
    if from == to {
        return Err(Code::RATE_INVALID.because("a currency has no rate into itself"));
    }
    Ok((from, to))
}

fn shown(rate: &RecordedRate) -> Value {
    json!({
        "from": rate.from,
        "until": rate.until,
        "rate": to_text(rate.rate),
        "actor": rate.actor,
        "reason": rate.reason,
        "recorded_at": rate.at,
    })
}
