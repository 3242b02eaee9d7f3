//! What went wrong, told by what the caller may do about it.
//!
//! Which of Twilio's codes leads to what is the table at `ErrorCode`, in `codes`.
//!
//! An error carries Twilio's request id, status, code and short message, never a body, a token or an
//! address.

use std::error::Error as StdError;
use std::time::Duration;

use crate::codes::ErrorCode;

type Cause = Box<dyn StdError + Send + Sync>;
type Text = Box<str>;

/// A call to Twilio that gave no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Safe to ask again later: nothing happened, or the request may be repeated without harm.
    #[error("Twilio gave no usable answer, safe to ask again: {reason}{}", seen(*.status, *.code, .request_id.as_deref()))]
    Retry {
        /// Why there is no result now.
        reason: RetryReason,
        /// How long Twilio asked to wait, if it did.
        retry_after: Option<Duration>,
        /// The HTTP status, if there was an answer.
        status: Option<u16>,
        /// Twilio's error code.
        code: Option<ErrorCode>,
        /// Twilio's id of the request.
        request_id: Option<Text>,
        /// The underlying failure.
        source: Option<Cause>,
    },
    /// Twilio said no, and will say no again to the same request.
    #[error("Twilio refused: {message}{}", seen(Some(*.status), *.code, .request_id.as_deref()))]
    Reject {
        /// What it said no to.
        reason: RejectReason,
        /// The HTTP status.
        status: u16,
        /// Twilio's error code.
        code: Option<ErrorCode>,
        /// Twilio's own short text.
        message: Text,
        /// Twilio's id of the request.
        request_id: Option<Text>,
    },
    /// A create may or may not have happened. Look before creating again.
    #[error("outcome unknown, {what_to_look_for}{}", seen(*.status, *.code, .request_id.as_deref()))]
    UnknownOutcome {
        /// What tells whether it happened.
        what_to_look_for: &'static str,
        /// The HTTP status, if there was an answer.
        status: Option<u16>,
        /// Twilio's error code.
        code: Option<ErrorCode>,
        /// Twilio's id of the request.
        request_id: Option<Text>,
        /// The underlying failure.
        source: Option<Cause>,
    },
    /// A person has to look: asking again will not help.
    #[error("Twilio needs an operator: {reason}: {message}{}", seen(*.status, *.code, .request_id.as_deref()))]
    Alarm {
        /// What is wrong.
        reason: AlarmReason,
        /// The HTTP status, if there was an answer.
        status: Option<u16>,
        /// Twilio's error code.
        code: Option<ErrorCode>,
        /// Twilio's own short text, if it gave one.
        message: Text,
        /// Twilio's id of the request.
        request_id: Option<Text>,
        /// The underlying failure.
        source: Option<Cause>,
    },
}

/// Why there is no result now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RetryReason {
    /// Too many requests at once; this one was not processed.
    #[error("too many requests at once")]
    Throttled,
    /// Twilio failed.
    #[error("Twilio failed")]
    ServerFailed,
    /// No connection: the request was not sent.
    #[error("no connection")]
    NotReached,
    /// Timed out or dropped before the answer was complete.
    #[error("no complete answer in time")]
    NoAnswer,
    /// The answer was cut off, not JSON, or a page that was already read.
    #[error("the answer could not be read")]
    Unreadable,
    /// What was asked about kept changing in between.
    #[error("the state moved meanwhile")]
    StateMoved,
    /// The sender's queue of messages is full; this one was not taken.
    #[error("the queue is full")]
    QueueFull,
}

impl RetryReason {
    /// Whether the request certainly had no effect.
    pub(crate) fn is_untouched(self) -> bool {
        matches!(self, Self::Throttled | Self::NotReached | Self::QueueFull)
    }
}

/// What Twilio says no to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RejectReason {
    /// No such resource (for these credentials).
    #[error("no such resource")]
    NotFound,
    /// Not allowed: suspended, closed, or without the permission.
    #[error("not allowed")]
    Forbidden,
    /// The account is suspended or closed.
    #[error("the account is not active")]
    AccountInactive,
    /// A value that is not accepted.
    #[error("a value is not accepted")]
    Invalid,
    /// The call is over, the subaccount closed, the account no subaccount.
    #[error("the state does not allow it")]
    InvalidState,
    /// The account may not call or send there (geographic permissions).
    #[error("the destination is not permitted")]
    NotPermitted,
    /// The recipient has answered STOP.
    #[error("the recipient has unsubscribed")]
    Unsubscribed,
    /// Trial accounts may not.
    #[error("not for trial accounts")]
    TrialAccount,
    /// The number, or any in the area code, is not for sale.
    #[error("no such number is to be had")]
    NumberUnavailable,
    /// The number needs an address: one must exist in the account that is to hold it.
    #[error("an address is required")]
    AddressRequired,
    /// The number needs an address in its own area.
    #[error("a local address is required")]
    LocalAddressRequired,
    /// The number needs an address abroad.
    #[error("a foreign address is required")]
    ForeignAddressRequired,
    /// The address cannot go while a number needs it.
    #[error("a number needs this address")]
    AddressInUse,
    /// The account to transfer to is unknown, not active, or not of the same family.
    #[error("the number cannot go to that account")]
    TransferRefused,
    /// As many resources of that type as Twilio allows.
    #[error("a limit is reached")]
    LimitReached,
    /// Anything else; the code and the message say more.
    #[error("refused")]
    Other,
}

/// What a person has to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AlarmReason {
    /// Twilio does not accept these credentials (for this).
    #[error("credentials refused")]
    CredentialsRefused,
    /// Twilio has suspended the account itself or its parent, or allows no more subaccounts.
    #[error("the account is limited by Twilio")]
    AccountLimited,
    /// An answer is not what Twilio documents.
    #[error("the answer breaks the contract")]
    ContractBroken,
    /// A subaccount's credentials were used for another account, or for what only its parent may do.
    #[error("the credentials do not belong here")]
    WrongCredentials,
    /// The HTTP client itself cannot work.
    #[error("the HTTP client cannot work")]
    Client,
}

impl Error {
    /// Twilio's error code, if it gave one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Retry { code, .. }
            | Self::Reject { code, .. }
            | Self::UnknownOutcome { code, .. }
            | Self::Alarm { code, .. } => *code,
        }
    }

    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Reject { status, .. } => Some(*status),
            Self::Retry { status, .. }
            | Self::UnknownOutcome { status, .. }
            | Self::Alarm { status, .. } => *status,
        }
    }

    /// Twilio's id of the request, for its support.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Retry { request_id, .. }
            | Self::Reject { request_id, .. }
            | Self::UnknownOutcome { request_id, .. }
            | Self::Alarm { request_id, .. } => request_id.as_deref(),
        }
    }

    /// What Twilio said no to, if it did.
    pub fn reject_reason(&self) -> Option<RejectReason> {
        match self {
            Self::Reject { reason, .. } => Some(*reason),
            _ => None,
        }
    }

    /// Whether Twilio knows no such resource (for these credentials).
    pub fn is_not_found(&self) -> bool {
        self.reject_reason() == Some(RejectReason::NotFound)
            || matches!(self, Self::Reject { status: 404, .. })
    }

    /// Whether the same request may simply be made again later.
    pub fn is_retry(&self) -> bool {
        matches!(self, Self::Retry { .. })
    }

    /// A stable word for logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Retry { .. } => "retry",
            Self::Reject { .. } => "reject",
            Self::UnknownOutcome { .. } => "unknown_outcome",
            Self::Alarm { .. } => "alarm",
        }
    }

    pub(crate) fn retry(reason: RetryReason) -> Self {
        Self::Retry {
            reason,
            retry_after: None,
            status: None,
            code: None,
            request_id: None,
            source: None,
        }
    }

    pub(crate) fn unknown(what_to_look_for: &'static str) -> Self {
        Self::UnknownOutcome {
            what_to_look_for,
            status: None,
            code: None,
            request_id: None,
            source: None,
        }
    }

    pub(crate) fn alarm(reason: AlarmReason) -> Self {
        Self::Alarm {
            reason,
            status: None,
            code: None,
            message: Text::default(),
            request_id: None,
            source: None,
        }
    }

    /// Keeps the underlying failure; a refusal has none.
    pub(crate) fn caused_by(mut self, cause: impl Into<Cause>) -> Self {
        match &mut self {
            Self::Retry { source, .. }
            | Self::UnknownOutcome { source, .. }
            | Self::Alarm { source, .. } => {
                *source = Some(cause.into());
            }
            Self::Reject { .. } => {}
        }
        self
    }
}

fn seen(status: Option<u16>, code: Option<ErrorCode>, request_id: Option<&str>) -> String {
    let mut parts = Vec::new();
    if let Some(status) = status {
        parts.push(format!("status {status}"));
    }
    if let Some(code) = code {
        parts.push(format!("code {code}"));
    }
    if let Some(request_id) = request_id {
        parts.push(format!("request {request_id}"));
    }
    if parts.is_empty() {
        String::new()
    } else {
        format!(" ({})", parts.join(", "))
    }
}
