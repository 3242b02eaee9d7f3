//! What an answer, or the lack of one, means for the caller. Pure: no I/O here.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::codes::{CodeClass, ErrorCode};
use crate::error::{AlarmReason, Error, RejectReason, RetryReason};
use crate::request::Effect;
use crate::wire::{self, Text};

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

/// An error body: v2010's `{code, message, status}` or RFC 9457's `{type, title, status, code, detail,
/// errors}`. A part that is not as documented is left out: the status alone is enough to judge by.
#[derive(Default, Deserialize)]
struct Body<'a> {
    #[serde(default, borrow)]
    code: Option<&'a RawValue>,
    #[serde(default, borrow)]
    message: Option<&'a RawValue>,
    #[serde(default, borrow)]
    title: Option<&'a RawValue>,
    #[serde(default, borrow)]
    detail: Option<&'a RawValue>,
    #[serde(default, borrow)]
    errors: Option<&'a RawValue>,
}

/// One of the faults that RFC 9457's `errors` lists.
#[derive(Deserialize)]
struct Fault<'a> {
    #[serde(borrow)]
    detail: Text<'a>,
}

impl Body<'_> {
    fn code(&self) -> Option<ErrorCode> {
        let number = wire::parse_json_whole(self.code?.get()).ok()??;
        u32::try_from(number).ok().map(ErrorCode)
    }

    fn message(&self) -> Box<str> {
        let text = [self.message, self.detail, self.title]
            .into_iter()
            .flatten()
            .find_map(|raw| serde_json::from_str::<Text<'_>>(raw.get()).ok());
        let faults = self
            .errors
            .and_then(|raw| serde_json::from_str::<Vec<Fault<'_>>>(raw.get()).ok());
        let faults = faults.unwrap_or_default();
        let parts = text.iter().chain(faults.iter().map(|fault| &fault.detail));
        let parts: Vec<&str> = parts.map(|text| &*text.0).collect();
        parts
            .join("; ")
            .chars()
            .filter(|char| !char.is_control())
            .take(MESSAGE_MAX)
            .collect::<String>()
            .into()
    }
}

/// Judges an answer whose status is not a success.
pub(crate) fn judge_status(effect: Effect, facts: &Facts, body: &[u8]) -> Verdict {
    let body: Body<'_> = serde_json::from_slice(body).unwrap_or_default();
    let code = body.code();
    let status = StatusCode::from_u16(facts.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status == StatusCode::TOO_MANY_REQUESTS || code == Some(ErrorCode::TOO_MANY_REQUESTS) {
        // Never processed (error dictionary, 20429), so even a create may be repeated.
        return Verdict::Again(fill(Error::retry(RetryReason::Throttled), facts, code));
    }
    let class = code.and_then(ErrorCode::class);
    let failed = class == Some(CodeClass::Failed);
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
    let refused = |reason| Error::Reject {
        reason,
        status: facts.status,
        code,
        message: body.message(),
        request_id: facts.request_id.clone(),
    };
    Verdict::Stop(match class {
        // The token has aged: the list has to be read from its beginning.
        Some(CodeClass::Stale) if effect == Effect::Read => {
            fill(Error::retry(RetryReason::StateMoved), facts, code)
        }
        Some(CodeClass::Later(reason)) => fill(Error::retry(reason), facts, code),
        Some(CodeClass::Alarm(reason)) => alarm(reason, facts, code, body.message()),
        Some(CodeClass::Reject(reason)) => refused(reason),
        // The other classes are judged above, or do not answer a request.
        Some(_) => refused(RejectReason::Other),
        None => match reason_of(status) {
            Ok(reason) => refused(reason),
            Err(reason) => alarm(reason, facts, code, body.message()),
        },
    })
}

/// What a status says where the code says nothing.
fn reason_of(status: StatusCode) -> Result<RejectReason, AlarmReason> {
    match status {
        StatusCode::UNAUTHORIZED => Err(AlarmReason::CredentialsRefused),
        StatusCode::METHOD_NOT_ALLOWED => Err(AlarmReason::ContractBroken),
        StatusCode::FORBIDDEN => Ok(RejectReason::Forbidden),
        StatusCode::NOT_FOUND => Ok(RejectReason::NotFound),
        status if status.is_client_error() => Ok(RejectReason::Other),
        _ => Err(AlarmReason::ContractBroken),
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
    judge_silence(effect, error)
}

/// Judges a request that was sent and never answered.
pub(crate) fn judge_silence(
    effect: Effect,
    cause: impl std::error::Error + Send + Sync + 'static,
) -> Verdict {
    match effect {
        Effect::Create { what_to_look_for } => {
            Verdict::Stop(Error::unknown(what_to_look_for).caused_by(cause))
        }
        Effect::Read | Effect::Idempotent => {
            Verdict::Again(Error::retry(RetryReason::NoAnswer).caused_by(cause))
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
