//! What went wrong, told by what the caller may do about it.
//!
//! An error carries Twilio's request id, status, code and short message, never a body, a token or an
//! address.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

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
    /// Main credentials would have gone to a product where they show the main account's own data.
    #[error("main credentials do not belong on this product")]
    WrongCredentials,
    /// The HTTP client itself cannot work.
    #[error("the HTTP client cannot work")]
    Client,
}

/// A code of Twilio's error dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// Account is not active.
    pub const ACCOUNT_INACTIVE: Self = Self(10001);
    /// The credentials are not accepted.
    pub const AUTHENTICATE: Self = Self(20003);
    /// Account not active.
    pub const ACCOUNT_NOT_ACTIVE: Self = Self(20005);
    /// Access denied.
    pub const ACCESS_DENIED: Self = Self(20006);
    /// Forbidden.
    pub const FORBIDDEN: Self = Self(20403);
    /// No such resource.
    pub const NOT_FOUND: Self = Self(20404);
    /// Too many concurrent requests; not processed.
    pub const TOO_MANY_REQUESTS: Self = Self(20429);
    /// Internal server error.
    pub const INTERNAL: Self = Self(20500);
    /// Service unavailable.
    pub const UNAVAILABLE: Self = Self(20503);
    /// A subaccount tried to make a subaccount.
    pub const SUBACCOUNT_IN_SUBACCOUNT: Self = Self(21101);
    /// The call is not in a state that allows this.
    pub const INVALID_CALL_STATE: Self = Self(21220);
    /// Account status: not a valid value.
    pub const STATUS_INVALID: Self = Self(21475);
    /// Account status: the parent account is suspended.
    pub const STATUS_PARENT_SUSPENDED: Self = Self(21476);
    /// Account status: the account is the parent.
    pub const STATUS_OF_PARENT: Self = Self(21477);
    /// Account status: Twilio itself suspended the subaccount.
    pub const STATUS_SUSPENDED_BY_TWILIO: Self = Self(21478);
    /// Account status: the subaccount is closed for good.
    pub const STATUS_CLOSED: Self = Self(21479);
    /// No more subaccounts allowed.
    pub const SUBACCOUNTS_EXHAUSTED: Self = Self(21480);
    /// The page token is not valid (any more).
    pub const PAGE_TOKEN_INVALID: Self = Self(21481);
    /// A page was asked for without its token.
    pub const PAGE_TOKEN_MISSING: Self = Self(70002);
    /// The key's permissions do not allow this.
    pub const AUTHORIZATION_FAILED: Self = Self(70051);
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
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

    /// Whether Twilio knows no such resource (for these credentials).
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Reject { status: 404, .. })
            || matches!(
                self,
                Self::Reject {
                    code: Some(ErrorCode::NOT_FOUND),
                    ..
                }
            )
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
