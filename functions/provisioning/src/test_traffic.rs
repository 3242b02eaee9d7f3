//! `POST .../test-call`, `.../test-message`: a real call or message, made with the tenant's own credentials,
//! to prove that its set-up works. What Twilio answers is reported as it is; it costs the tenant money.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use domain::ids::TenantId;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use twilio::calls::{Instructions, NewCall};
use twilio::messages::{MessageFilter, NewMessage, Sender};
use twilio::{CallFilter, Credentials, E164};

use crate::app::{App, audit};
use crate::extract::{Caller, JsonBody, TenantPath};
use crate::numbers::{account_of, held_by};
use crate::problem::{Answer, Code, Failure, internal};
use crate::tenants::{audited, in_service};
use crate::view::{self, callback_url};

/// What the call says.
const TWIML: &str =
    "<Response><Say>This is a test call. Your set-up works. Goodbye.</Say></Response>";
/// What the message says.
const TEXT: &str = "This is a test message. Your set-up works.";
/// The call lasts no longer: a bound on what it costs.
const CALL_S: u32 = 30;
/// Twilio's clock and ours may differ by so much.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// Whom to call or write to, and from which of the tenant's numbers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    to: String,
    from: Option<String>,
}

/// What a test needs.
struct Ready {
    credentials: Credentials,
    account_sid: domain::ids::AccountSid,
    tenant: TenantId,
    from: String,
    to: String,
    since: Timestamp,
}

/// Places a call.
pub async fn call(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    JsonBody { value, .. }: JsonBody<Test>,
) -> Answer {
    let ready = ready(&app, &caller, id, value, "test.call").await?;
    let new = NewCall {
        status_callback: Some(callback_url(&app.public_base_url, &ready.tenant, "calls")),
        time_limit_s: Some(CALL_S),
        ..NewCall::new(
            &ready.to,
            &ready.from,
            Instructions::Twiml(TWIML.to_owned()),
        )
    };
    let made = app
        .twilio
        .create_call(&ready.credentials, &ready.account_sid, &new)
        .await;
    let made = match made {
        Err(error @ twilio::Error::UnknownOutcome { .. }) => {
            let filter = CallFilter {
                to: Some(ready.to.clone()),
                from: Some(ready.from.clone()),
                ..CallFilter::default()
            };
            let listed = app
                .twilio
                .list_calls(&ready.credentials, &ready.account_sid, &filter)
                .await?;
            let ours = |call: &twilio::Call| call.date_created >= Some(ready.since);
            listed.into_iter().find(ours).ok_or(error)
        }
        outcome => outcome,
    };
    let made = made.map(|call| json!({ "sid": call.sid.as_str(), "status": call.status.as_str() }));
    Ok(view::json(StatusCode::OK, &report("call", &ready, made)?))
}

/// Sends a message.
pub async fn message(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    JsonBody { value, .. }: JsonBody<Test>,
) -> Answer {
    let ready = ready(&app, &caller, id, value, "test.message").await?;
    let sender = Sender::From(ready.from.clone());
    let new = NewMessage {
        status_callback: Some(callback_url(
            &app.public_base_url,
            &ready.tenant,
            "messages",
        )),
        ..NewMessage::text(&ready.to, sender, SecretString::from(TEXT))
    };
    let sent = app
        .twilio
        .create_message(&ready.credentials, &ready.account_sid, &new)
        .await;
    let sent = match sent {
        Err(error @ twilio::Error::UnknownOutcome { .. }) => {
            let filter = MessageFilter {
                to: Some(ready.to.clone()),
                from: Some(ready.from.clone()),
                ..MessageFilter::default()
            };
            let listed = app
                .twilio
                .list_messages(&ready.credentials, &ready.account_sid, &filter)
                .await?;
            let ours = |message: &twilio::Message| message.date_created >= Some(ready.since);
            listed.into_iter().find(ours).ok_or(error)
        }
        outcome => outcome,
    };
    let sent = sent
        .map(|message| json!({ "sid": message.sid.as_str(), "status": message.status.as_str() }));
    Ok(view::json(
        StatusCode::OK,
        &report("message", &ready, sent)?,
    ))
}

/// Checks the request, writes the audit row, and finds the number and credentials to use.
async fn ready(
    app: &App,
    caller: &Caller,
    id: TenantId,
    value: Test,
    act: &'static str,
) -> Result<Ready, Failure> {
    let is_number = |number: &str| E164::parse(number).is_ok();
    if !is_number(&value.to) || !value.from.as_deref().is_none_or(is_number) {
        return Err(Code::DESTINATION_INVALID.into());
    }
    let tenant = in_service(app, &id).await?;
    let account_sid = account_of(&tenant)?;
    let from = if let Some(from) = value.from {
        from
    } else {
        let held = held_by(app, &account_sid).await?;
        let first = held.into_iter().next().ok_or(Code::NO_NUMBER)?;
        first.phone_number
    };
    let own = app.own_credentials(&account_sid).await?;
    let own = own.ok_or_else(|| internal("a tenant in service without its token"))?;
    audited(app, &id, &audit(caller, act, &from)).await?;
    let now = app.host.now();
    Ok(Ready {
        credentials: own.into(),
        account_sid,
        tenant: id,
        from,
        to: value.to,
        since: now.saturating_sub(SKEW).unwrap_or(now),
    })
}

/// What Twilio answered. Only what cannot be known is a failure of ours.
fn report(
    kind: &str,
    ready: &Ready,
    outcome: Result<Value, twilio::Error>,
) -> Result<Value, Failure> {
    let (accepted, answer) = match outcome {
        Ok(answer) => (true, answer),
        Err(
            error @ (twilio::Error::Reject { status, code, .. }
            | twilio::Error::Alarm {
                status: Some(status),
                code,
                ..
            }),
        ) => {
            let code = code.map(|code| code.to_string());
            let answer =
                json!({ "http_status": status, "code": code, "message": error.to_string() });
            (false, answer)
        }
        Err(error) => return Err(error.into()),
    };
    Ok(json!({
        "kind": kind,
        "accepted": accepted,
        "from": ready.from,
        "to": ready.to,
        "twilio": answer,
    }))
}
