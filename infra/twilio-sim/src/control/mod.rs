//! The control endpoints under `/_sim/`, outside Twilio's name space; CONTROL.md describes them.

mod accounts;
mod calls;
mod make;
mod messages;
mod numbers;
mod signing;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Limited};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::api::BODY_MAX_BYTES;
use crate::faults::FaultRule;
use crate::sim::{Sim, SimError};

type Reply = Result<Response<Body>, Bad>;

struct Bad(StatusCode, String);

impl From<SimError> for Bad {
    fn from(error: SimError) -> Self {
        let status = if error == SimError::NoAccount {
            StatusCode::NOT_FOUND
        } else {
            StatusCode::BAD_REQUEST
        };
        Self(status, error.to_string())
    }
}

/// Answers a control request.
pub(crate) async fn respond(sim: &Sim, parts: Parts, body: Body) -> Response<Body> {
    let read = Limited::new(body, BODY_MAX_BYTES).collect().await;
    let replied = match read {
        Ok(body) => dispatch(sim, &parts, &body.to_bytes()).await,
        Err(_) => Err(Bad(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body too large".to_owned(),
        )),
    };
    replied.unwrap_or_else(|Bad(status, error)| answer(status, &BTreeMap::from([("error", error)])))
}

async fn dispatch(sim: &Sim, parts: &Parts, body: &[u8]) -> Reply {
    let what = parts.uri.path().strip_prefix("/_sim/").unwrap_or_default();
    match (parts.method.as_str(), what) {
        ("GET", "clock") => Ok(clock(sim)),
        ("POST", "clock") => move_clock(sim, read(body)?).await,
        ("POST", "traffic") => make::start_traffic(sim, read(body)?),
        ("DELETE", "traffic") => {
            let asked: OfAccount = read(body)?;
            sim.stop_traffic(&asked.account_sid)?;
            Ok(nothing())
        }
        ("POST", "keys") => accounts::make_key(sim, &read(body)?),
        ("GET", "limits") => Ok(accounts::show_limits(sim)),
        ("POST", "limits") => accounts::set_limits(sim, body),
        ("POST", "population") => make::populate(sim, &read(body)?),
        ("POST", "calls") => calls::place(sim, read(body)?),
        ("POST", "messages") => messages::send(sim, read(body)?),
        ("POST", "usage") => {
            let asked: UsageSet = read(body)?;
            let (usage, count) = (asked.usage.as_deref(), asked.count);
            sim.revise_usage(
                &asked.account_sid,
                asked.day,
                &asked.category,
                &asked.price,
                usage,
                count,
            )?;
            Ok(nothing())
        }
        ("GET", "quirks") => Ok(ok(&sim.world().quirks)),
        ("POST", "quirks") => {
            let changed = merged(&sim.world().quirks, body)?;
            sim.world().quirks = changed;
            Ok(ok(&sim.world().quirks))
        }
        ("GET", "pace") => Ok(ok(&sim.world().pace)),
        ("POST", "pace") => {
            let changed = merged(&sim.world().pace, body)?;
            sim.world().pace = changed;
            Ok(ok(&sim.world().pace))
        }
        ("POST", "faults") => script(sim, body),
        ("GET", "faults") => Ok(ok(&sim.world().faults.rules())),
        ("DELETE", "faults") => {
            sim.clear_faults();
            Ok(nothing())
        }
        ("GET", "requests") => Ok(ok(&sim.requests())),
        ("DELETE", "requests") => {
            sim.reset_counters();
            Ok(nothing())
        }
        ("GET", "callbacks") => deliveries(sim, parts.uri.query().unwrap_or_default()),
        ("GET", "counters") => Ok(ok(&sim.counters())),
        ("GET", "state") => Ok(ok(&sim.accounts())),
        ("POST", other) if other.starts_with("accounts/") => {
            accounts::set_account(sim, other.trim_start_matches("accounts/"), &read(body)?)
        }
        (method, what) => numbers::respond(sim, method, what, body).unwrap_or_else(|| {
            Err(Bad(
                StatusCode::NOT_FOUND,
                "no such control endpoint".to_owned(),
            ))
        }),
    }
}

#[derive(Serialize)]
struct ClockFace {
    now: Timestamp,
    running: bool,
    speed: u32,
    next_event_at: Option<Timestamp>,
}

fn clock(sim: &Sim) -> Response<Body> {
    ok(&ClockFace {
        now: sim.clock().now(),
        running: sim.clock().is_running(),
        speed: sim.clock().speed(),
        next_event_at: sim.next_event_at(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockMove {
    set: Option<Timestamp>,
    advance_ms: Option<u64>,
    running: Option<bool>,
    speed: Option<u32>,
}

/// A day in a second is fast enough to watch anything.
const SPEED_MAX: u32 = 86_400;

async fn move_clock(sim: &Sim, asked: ClockMove) -> Reply {
    match asked.speed {
        Some(speed @ 1..=SPEED_MAX) => sim.clock().set_speed(speed),
        Some(_) => return Err(SimError::Invalid("speed: 1 to 86400").into()),
        None => {}
    }
    match asked.running {
        Some(true) => sim.clock().resume(),
        Some(false) => sim.clock().freeze(),
        None => {}
    }
    let now = sim.clock().now();
    let by = Duration::from_millis(asked.advance_ms.unwrap_or(0));
    let advanced = now
        .checked_add(by)
        .map_err(|_| Bad(StatusCode::BAD_REQUEST, "too far".to_owned()))?;
    sim.run_until(asked.set.unwrap_or(now).max(advanced)).await;
    Ok(clock(sim))
}

/// The deliveries of one account, of one resource, or all.
fn deliveries(sim: &Sim, query: &str) -> Reply {
    let mut found = sim.deliveries();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "account_sid" => found.retain(|record| record.account_sid == value),
            "resource_sid" => found.retain(|record| record.resource_sid == value),
            _ => return Err(SimError::Invalid("filter: account_sid or resource_sid").into()),
        }
    }
    Ok(ok(&found))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfAccount {
    account_sid: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UsageSet {
    account_sid: String,
    day: jiff::civil::Date,
    category: String,
    price: String,
    usage: Option<String>,
    count: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Rules {
    Many(Vec<FaultRule>),
    One(Box<FaultRule>),
}

fn script(sim: &Sim, body: &[u8]) -> Reply {
    let rules = match read(body)? {
        Rules::Many(rules) => rules,
        Rules::One(rule) => vec![*rule],
    };
    let ids: Vec<u64> = rules
        .into_iter()
        .map(|rule| sim.script_fault(rule))
        .collect();
    Ok(ok(&BTreeMap::from([("ids", ids)])))
}

/// Some fields changed, the others kept.
fn merged<T: Serialize + DeserializeOwned>(now: &T, body: &[u8]) -> Result<T, Bad> {
    let bad = |error: serde_json::Error| Bad(StatusCode::BAD_REQUEST, error.to_string());
    let mut fields: serde_json::Map<String, serde_json::Value> = serde_json::to_vec(now)
        .and_then(|json| serde_json::from_slice(&json))
        .map_err(bad)?;
    fields.extend(read::<serde_json::Map<String, serde_json::Value>>(body)?);
    serde_json::from_value(fields.into()).map_err(bad)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Bad> {
    serde_json::from_slice(body).map_err(|error| Bad(StatusCode::BAD_REQUEST, error.to_string()))
}

fn ok<T: Serialize>(value: &T) -> Response<Body> {
    answer(StatusCode::OK, value)
}

fn answer<T: Serialize>(status: StatusCode, value: &T) -> Response<Body> {
    let body = serde_json::to_vec(value).unwrap_or_default();
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .unwrap_or_default()
}

fn nothing() -> Response<Body> {
    Response::builder()
        .status(StatusCode::NO_CONTENT)
        .body(Body::empty())
        .unwrap_or_default()
}
