//! What an answer, or the lack of one, means for the caller. Pure: no I/O here.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;

use crate::error::{AlarmReason, Error, ErrorCode, RetryReason};
use crate::request::Effect;
use crate::wire::Text;

/// Characters of Twilio's message that are kept.
const MESSAGE_MAX: usize = 200;

/// Whether this client itself may ask again.
pub(crate) enum Verdict {
    /// Safe now.
    Again(Error),
    /// Not safe, or no use.
    Stop(Error),
}

/// Why a successful answer cannot be used. Holds a place in the answer, none of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// Cut off, empty or not JSON at all.
    #[error("not JSON at line {line} column {column}")]
    Garbled { line: usize, column: usize },
    /// JSON, but not what is documented.
    #[error("unexpected JSON at line {line} column {column}")]
    Shape { line: usize, column: usize },
    /// A page that was already read.
    #[error("a page that was already read")]
    Repeated,
    /// A link that leads out of what was asked for.
    #[error("a link that leads elsewhere")]
    ForeignLink,
    /// Larger than any documented answer.
    #[error("the answer is too large")]
    TooLarge,
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        if error.is_data() {
            Self::Shape { line, column }
        } else {
            Self::Garbled { line, column }
        }
    }
}

/// What is known of an answer besides its content.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) status: u16,
    pub(crate) request_id: Option<Box<str>>,
    pub(crate) retry_after: Option<Duration>,
}

/// An error body: v2010's `{code, message, status}` or RFC 9457's `{type, title, status, code, detail}`.
#[derive(Default, Deserialize)]
struct Body<'a> {
    #[serde(default)]
    code: Option<u32>,
    #[serde(default, borrow)]
    message: Option<Text<'a>>,
    #[serde(default, borrow)]
    title: Option<Text<'a>>,
    #[serde(default, borrow)]
    detail: Option<Text<'a>>,
}

impl Body<'_> {
    fn message(&self) -> Box<str> {
        let text = [&self.message, &self.detail, &self.title]
            .into_iter()
            .flatten()
            .next();
        let text = text.map_or("", |text| &text.0);
        text.chars()
            .filter(|char| !char.is_control())
            .take(MESSAGE_MAX)
            .collect::<String>()
            .into()
    }
}

/// Judges an answer whose status is not a success.
pub(crate) fn judge_status(effect: Effect, facts: &Facts, body: &[u8]) -> Verdict {
    let body: Body<'_> = serde_json::from_slice(body).unwrap_or_default();
    let code = body.code.map(ErrorCode);
    let status = StatusCode::from_u16(facts.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status == StatusCode::TOO_MANY_REQUESTS || code == Some(ErrorCode::TOO_MANY_REQUESTS) {
        // Never processed (error dictionary, 20429), so even a create may be repeated.
        return Verdict::Again(fill(Error::retry(RetryReason::Throttled), facts, code));
    }
    let failed = matches!(code, Some(ErrorCode::INTERNAL | ErrorCode::UNAVAILABLE));
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT || failed {
        return match effect {
            Effect::Create { what_to_look_for } => {
                Verdict::Stop(fill(Error::unknown(what_to_look_for), facts, code))
            }
            Effect::Read | Effect::Idempotent => {
                Verdict::Again(fill(Error::retry(RetryReason::ServerFailed), facts, code))
            }
        };
    }
    if effect == Effect::Read && code == Some(ErrorCode::PAGE_TOKEN_INVALID) {
        // The token has aged: the list has to be read from its beginning.
        return Verdict::Stop(fill(Error::retry(RetryReason::StateMoved), facts, code));
    }
    if let Some(reason) = alarm_reason(status, code) {
        return Verdict::Stop(alarm(reason, facts, code, body.message()));
    }
    Verdict::Stop(Error::Reject {
        status: facts.status,
        code,
        message: body.message(),
        request_id: facts.request_id.clone(),
    })
}

fn alarm_reason(status: StatusCode, code: Option<ErrorCode>) -> Option<AlarmReason> {
    match code {
        Some(
            ErrorCode::AUTHENTICATE | ErrorCode::ACCESS_DENIED | ErrorCode::AUTHORIZATION_FAILED,
        ) => Some(AlarmReason::CredentialsRefused),
        Some(ErrorCode::SUBACCOUNT_IN_SUBACCOUNT) => Some(AlarmReason::WrongCredentials),
        Some(
            ErrorCode::STATUS_PARENT_SUSPENDED
            | ErrorCode::STATUS_SUSPENDED_BY_TWILIO
            | ErrorCode::SUBACCOUNTS_EXHAUSTED,
        ) => Some(AlarmReason::AccountLimited),
        Some(ErrorCode::PAGE_TOKEN_MISSING) => Some(AlarmReason::ContractBroken),
        // A suspended account's own credentials: a fact about the account, not about the credentials.
        Some(ErrorCode::ACCOUNT_INACTIVE | ErrorCode::ACCOUNT_NOT_ACTIVE) => None,
        _ if status == StatusCode::UNAUTHORIZED => Some(AlarmReason::CredentialsRefused),
        _ if !status.is_client_error() => Some(AlarmReason::ContractBroken),
        _ => None,
    }
}

/// Judges a success whose content cannot be used.
pub(crate) fn judge_content(effect: Effect, facts: &Facts, found: Unreadable) -> Verdict {
    let again = matches!(found, Unreadable::Garbled { .. } | Unreadable::Repeated);
    match effect {
        Effect::Create { what_to_look_for } => {
            Verdict::Stop(fill(Error::unknown(what_to_look_for), facts, None).caused_by(found))
        }
        Effect::Read | Effect::Idempotent if again => Verdict::Again(
            fill(Error::retry(RetryReason::Unreadable), facts, None).caused_by(found),
        ),
        Effect::Read | Effect::Idempotent => {
            let message = found.to_string().into();
            Verdict::Stop(alarm(AlarmReason::ContractBroken, facts, None, message).caused_by(found))
        }
    }
}

/// Judges a request without a complete answer.
pub(crate) fn judge_transport(effect: Effect, error: reqwest::Error) -> Verdict {
    // The address names accounts and filters: not for logs.
    let error = error.without_url();
    if error.is_builder() {
        return Verdict::Stop(Error::alarm(AlarmReason::Client).caused_by(error));
    }
    if error.is_connect() {
        return Verdict::Again(Error::retry(RetryReason::NotReached).caused_by(error));
    }
    match effect {
        Effect::Create { what_to_look_for } => {
            Verdict::Stop(Error::unknown(what_to_look_for).caused_by(error))
        }
        Effect::Read | Effect::Idempotent => {
            Verdict::Again(Error::retry(RetryReason::NoAnswer).caused_by(error))
        }
    }
}

fn alarm(reason: AlarmReason, facts: &Facts, code: Option<ErrorCode>, message: Box<str>) -> Error {
    Error::Alarm {
        reason,
        status: Some(facts.status),
        code,
        message,
        request_id: facts.request_id.clone(),
        source: None,
    }
}

fn fill(mut error: Error, facts: &Facts, seen: Option<ErrorCode>) -> Error {
    match &mut error {
        Error::Retry {
            status,
            code,
            request_id,
            retry_after,
            ..
        } => {
            (*status, *code) = (Some(facts.status), seen);
            request_id.clone_from(&facts.request_id);
            *retry_after = facts.retry_after;
        }
        Error::UnknownOutcome {
            status,
            code,
            request_id,
            ..
        } => {
            (*status, *code) = (Some(facts.status), seen);
            request_id.clone_from(&facts.request_id);
        }
        Error::Reject { .. } | Error::Alarm { .. } => {}
    }
    error
}
