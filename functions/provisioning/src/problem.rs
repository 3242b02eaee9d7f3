//! Every error that this API answers, in one table: status, stable code, meaning.
//!
//! Programs branch on `code`; a code never changes its meaning. Causes from inside (a table, Twilio) go to
//! the log, never into an answer.

use aws::{CommitError, SecretError, StoreError};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use runtime::Problem;

/// Seconds after which asking again makes sense when the store or Twilio did not answer.
const RETRY_AFTER_S: u32 = 2;

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// HTTP status.
    pub status: u16,
    /// The stable code.
    pub name: &'static str,
    /// What it means.
    pub title: &'static str,
}

macro_rules! codes {
    ($($name:ident $status:literal $code:literal $title:literal;)+) => {
        impl Code {
            $(
                #[doc = $title]
                pub const $name: Self = Self { status: $status, name: $code, title: $title };
            )+

            /// The whole table.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

codes! {
    REQUEST_MALFORMED 400 "request_malformed" "The request is not a well-formed HTTP request.";
    BODY_INVALID 400 "body_invalid" "The body is not the JSON object that this endpoint takes.";
    QUERY_INVALID 400 "query_invalid" "A query parameter is unknown or malformed.";
    NAME_INVALID 400 "name_invalid" "The name is empty, too long or not printable.";
    EXTERNAL_ID_INVALID 400 "external_id_invalid" "The external id is empty, too long or not visible ASCII.";
    IDEMPOTENCY_KEY_MISSING 400 "idempotency_key_missing" "This request needs an Idempotency-Key header.";
    IDEMPOTENCY_KEY_MALFORMED 400 "idempotency_key_malformed" "An idempotency key has 1 to 255 visible ASCII characters.";
    RANGE_INVALID 400 "invalid_range" "The range of days is malformed, backwards or too long.";
    UNAUTHENTICATED 401 "unauthenticated" "No valid operator key was sent.";
    NOT_FOUND 404 "not_found" "There is no such endpoint.";
    TENANT_NOT_FOUND 404 "tenant_not_found" "There is no such tenant.";
    API_KEY_NOT_FOUND 404 "api_key_not_found" "The tenant has no such API key.";
    EXPORT_NOT_FOUND 404 "export_not_found" "No export of the tenant was asked for.";
    SUBACCOUNT_NOT_FOUND 404 "subaccount_not_found" "The main account has no such subaccount.";
    NUMBER_NOT_FOUND 404 "number_not_found" "The account holds no such number.";
    OPERATOR_KEY_NOT_FOUND 404 "operator_key_not_found" "There is no such operator key.";
    CALLBACKS_NOT_FOUND 404 "callbacks_not_found" "No callback of this resource is recorded.";
    PLAN_NOT_FOUND 404 "plan_not_found" "There is no such plan version.";
    OVERRIDE_NOT_FOUND 404 "override_not_found" "The tenant has no such override.";
    VARIANCE_NOT_FOUND 404 "variance_not_found" "There is no such variance.";
    STATEMENT_NOT_FOUND 404 "statement_not_found" "There is no such statement.";
    CORRECTION_NOT_FOUND 404 "correction_not_found" "No revision of this day waits.";
    LINE_NOT_FOUND 404 "line_not_found" "Nothing is booked there.";
    TOP_UP_NOT_FOUND 404 "top_up_not_found" "The tenant has no top-up with this reference.";
    RECHARGE_REQUEST_NOT_FOUND 404 "recharge_request_not_found" "The tenant's auto-recharge made no such request.";
    MIGRATION_NOT_FOUND 404 "migration_not_found" "There is no such migration.";
    SHARED_SUBACCOUNT_NOT_FOUND 404 "shared_subaccount_not_found" "No such subaccount is shared.";
    METHOD_NOT_ALLOWED 405 "method_not_allowed" "This endpoint does not take that method.";
    EXTERNAL_ID_TAKEN 409 "external_id_taken" "Another tenant has this external id.";
    REQUEST_IN_PROGRESS 409 "request_in_progress" "The same request is being worked on.";
    TENANT_NOT_IN_SERVICE 409 "tenant_not_in_service" "The tenant is not in service.";
    REFERENCE_TAKEN 409 "reference_taken" "This reference was booked with another amount.";
    API_KEY_EXISTS 409 "api_key_exists" "A key for this purpose was issued already.";
    OPERATOR_KEY_IN_USE 409 "operator_key_in_use" "A request cannot revoke the key that it is made with.";
    REFUND_EXCEEDS_BALANCE 409 "refund_exceeds_balance" "Only paid money that is left can be paid back.";
    TRANSFER_EXCEEDS_BALANCE 409 "transfer_exceeds_balance" "Only paid money that is left can be transferred.";
    WRITE_OFF_EXCEEDS_DEBT 409 "write_off_exceeds_debt" "No more can be written off than is owed.";
    TOO_MANY_LOTS 409 "too_many_lots" "The wallet holds as many lots as fit it; wait until some are used up.";
    BILLING_PERIOD_FIXED 409 "billing_period_fixed" "Time zone and billing day stay as they are once a day of usage is recorded or a period is stated.";
    TOO_MANY_OVERRIDES 409 "too_many_overrides" "A tenant has at most 20 overrides, those that are over included.";
    TOO_MANY_PLAN_CHANGES 409 "too_many_plan_changes" "A tenant has at most 100 assignments of plans.";
    VARIANCE_RESOLVED 409 "variance_resolved" "The variance has vanished.";
    STATEMENT_NOT_LATEST 409 "statement_not_latest" "Later statements build on it: only the latest can be made void.";
    STATEMENT_NOT_FINAL 409 "statement_not_final" "The statement is closing; it is final within minutes.";
    TOO_MANY_PULLS 409 "too_many_pulls" "Ten ranges of days wait to be pulled; they are done within minutes.";
    NUMBER_BUSY 409 "number_busy" "Another order moves or releases this number.";
    NUMBER_BOUND 409 "number_bound" "Something stands in the way of moving the number; the detail names all of it.";
    NUMBER_UNAVAILABLE 409 "number_unavailable" "No such number is to be had.";
    TRANSFER_REFUSED 409 "transfer_refused" "Twilio does not let the number go to that account.";
    NUMBERS_REMAIN 409 "numbers_remain" "Numbers remain for which neither rescue nor release was asked; the detail names them.";
    SUBACCOUNT_OWNED 409 "subaccount_owned" "The subaccount is a tenant's already.";
    SUBACCOUNT_CLOSED 409 "subaccount_closed" "The subaccount is closed for good.";
    TENANT_NOT_CLOSED 409 "tenant_not_closed" "Only a closed tenant's data can be erased.";
    NO_NUMBER 409 "no_number" "The tenant holds no number that a test could come from.";
    NOT_CLOSING 409 "not_closing" "The tenant is not being closed.";
    CLOSING_TOO_FAR 409 "closing_too_far" "Numbers have begun to leave: the closing cannot be taken back.";
    TOO_MANY_ORDERS 409 "too_many_orders" "The tenant has 50 open orders on numbers.";
    CONFIRMATION_MISSING 409 "confirmation_missing" "This cannot be undone: type back what the detail names.";
    TENANT_RESTRICTED 409 "tenant_restricted" "The tenant is in arrears: it gets no new numbers and keys before it has paid.";
    RATE_RECORDED 409 "rate_recorded" "Another rate is recorded for one of these days, and rates never change.";
    MIGRATION_NOT_READY 409 "migration_not_ready" "The migration is not there yet, or is past it; the detail says what is missing.";
    MIGRATION_NOT_VERIFIED 409 "migration_not_verified" "Twilio does not have what the migration asked for; the detail names what differs.";
    CREDENTIALS_ISSUED 409 "credentials_issued" "The migration's key was shown once already; revoke it to have another.";
    NUMBER_IN_MIGRATION 409 "number_in_migration" "Another migration of the tenant moves one of the numbers; the detail names them.";
    BODY_TOO_LARGE 413 "body_too_large" "The body is longer than 64 KiB.";
    CONTENT_TYPE_UNSUPPORTED 415 "content_type_unsupported" "The body must be application/json.";
    IDEMPOTENCY_KEY_MISMATCH 422 "idempotency_key_mismatch" "This idempotency key was used for another request.";
    PLAN_ID_MISSING 422 "plan_id_missing" "A tenant needs a plan_id; there is no default plan.";
    UNKNOWN_PLAN 422 "unknown_plan" "There is no such plan, or no such version of it.";
    UNKNOWN_CATEGORY 422 "unknown_category" "A multiplier names a category that lines are not booked under.";
    UNKNOWN_CURRENCY 422 "unknown_currency" "The currency is not an ISO 4217 code.";
    PLAN_INVALID 422 "plan_invalid" "The plan could charge nothing, a negative amount or an inexact one.";
    PLAN_CURRENCY_FIXED 422 "plan_currency_fixed" "All versions of a plan have the same currency.";
    OVERRIDE_INVALID 422 "override_invalid" "The override could charge nothing, a negative amount or an inexact one.";
    DAY_NOT_AHEAD 422 "day_not_ahead" "Only days that begin in more than five minutes can be changed.";
    CURRENCY_MISMATCH 422 "currency_mismatch" "A tenant's currency never changes.";
    BILLING_INVALID 422 "billing_invalid" "The time zone, billing day, tax or address makes no sense.";
    PROFILE_INVALID 422 "profile_invalid" "A part of the operator's profile is missing, too long or not printable.";
    RATE_INVALID 422 "rate_invalid" "The exchange rate or its days make no sense.";
    AMOUNT_INVALID 422 "amount_invalid" "The amount must be positive, in range, and no finer than the currency's minor unit.";
    LOT_INVALID 422 "lot_invalid" "A lot's priority or times make no sense.";
    CHARGEBACK_EXCEEDS_TOP_UP 422 "chargeback_exceeds_top_up" "No more can be charged back than was paid.";
    TRIAL_INVALID 422 "trial_invalid" "A trial credit after the trial needs the trial's days; days are 1 to 366.";
    HOLD_INVALID 422 "hold_invalid" "By hand, the holds operator, fraud and compliance are placed and lifted.";
    DESTINATION_INVALID 422 "destination_invalid" "A test goes from a number to a number, both in E.164 form.";
    POLICY_INVALID 422 "policy_invalid" "A restricted key needs a policy of 1 to 100 permissions.";
    ADOPTION_INVALID 422 "adoption_invalid" "Name 1 to 50 subaccounts of the main account, or ask for all.";
    TRANSFER_INVALID 422 "transfer_invalid" "Money moves between two tenants of one currency.";
    RECHARGE_INVALID 422 "recharge_invalid" "The rule of auto-recharge could not be carried out, or has no bound.";
    REFERENCE_INVALID 422 "reference_invalid" "A reference has 1 to 64 visible ASCII characters.";
    REASON_INVALID 422 "reason_invalid" "A reason has 1 to 200 printable characters.";
    PURPOSE_INVALID 422 "purpose_invalid" "A purpose has 1 to 32 printable characters.";
    DUNNING_INVALID 422 "dunning_invalid" "The exemption or the time makes no sense.";
    CAPS_INVALID 422 "caps_invalid" "The spend caps make no sense.";
    CLOSING_INVALID 422 "closing_invalid" "The closing's settle window makes no sense.";
    NUMBER_INVALID 422 "number_invalid" "The number, search or destination makes no sense.";
    URL_INVALID 422 "url_invalid" "A callback URL is http or https, printable, and at most 2,048 bytes.";
    ADDRESS_INVALID 422 "address_invalid" "An address has a name, street, city, region, postal code and an ISO country.";
    ADDRESS_REQUIRED 422 "address_required" "The number needs an address in the account that is to hold it.";
    MIGRATION_INVALID 422 "migration_invalid" "The migration's accounts, numbers, tickets or marks make no sense.";
    TWILIO_REJECTED 422 "twilio_rejected" "Twilio refused, and will refuse again.";
    INTERNAL 500 "internal_error" "Something is wrong on our side; it is logged.";
    TWILIO_UNUSABLE 502 "twilio_unusable" "Twilio's answer cannot be used.";
    TEMPORARILY_UNAVAILABLE 503 "temporarily_unavailable" "Not possible at this moment; ask again.";
    SUBACCOUNT_LIMIT_REACHED 507 "subaccount_limit_reached" "The main account may not have more subaccounts.";
}

impl Code {
    /// The row of a stored code.
    pub fn find(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|row| row.name == code)
    }
}

/// A request that ends in an error: what the caller is told, and what only the log is told.
#[derive(Debug)]
pub struct Failure {
    problem: Problem,
    cause: Option<String>,
}

/// What a handler answers.
pub type Answer = Result<Response, Failure>;

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self {
            problem: Problem::new(code.status, code.name, code.title),
            cause: None,
        }
    }
}

impl Code {
    /// A failure with what was wrong this time. Never a caller's raw input.
    pub fn because(self, detail: impl Into<String>) -> Failure {
        let failure = Failure::from(self);
        Failure {
            problem: failure.problem.with_detail(detail),
            cause: None,
        }
    }

    /// A failure that passes by itself.
    pub fn retry_after(self, seconds: u32) -> Failure {
        let failure = Failure::from(self);
        Failure {
            problem: failure.problem.with_retry_after(seconds.max(1)),
            cause: None,
        }
    }
}

impl Failure {
    /// Adds what only the log is told.
    pub fn caused_by(mut self, cause: impl std::fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// The same failure under another code, where a shared check speaks of something else.
    pub fn under(mut self, code: Code, instead: Code) -> Self {
        if self.problem.code == code.name {
            let detail = self.problem.detail.take();
            let cause = self.cause.take();
            self = detail.map_or_else(|| instead.into(), |detail| instead.because(detail));
            self.cause = cause;
        }
        self
    }

    /// Asking again would change nothing.
    pub fn is_final(&self) -> bool {
        self.problem.retry_after_s.is_none() && self.problem.status < 500
    }

    /// What the edge logs.
    pub fn into_logged(self) -> LoggedFailure {
        LoggedFailure {
            code: self.problem.code,
            cause: self.cause,
        }
    }

    /// The stable code.
    #[cfg(test)]
    pub fn code(&self) -> &'static str {
        self.problem.code
    }
}

/// Asking again later makes sense.
pub fn unavailable(cause: impl std::fmt::Display) -> Failure {
    Code::TEMPORARILY_UNAVAILABLE
        .retry_after(RETRY_AFTER_S)
        .caused_by(cause)
}

/// A person must look; the caller cannot help.
pub fn internal(cause: impl std::fmt::Display) -> Failure {
    Failure::from(Code::INTERNAL).caused_by(cause)
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        if error.is_retryable() {
            unavailable(error)
        } else {
            internal(error)
        }
    }
}

impl From<SecretError> for Failure {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Store(error) => error.into(),
            other => internal(other),
        }
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Store(error) => error.into(),
            conflict @ CommitError::Conflict { .. } => unavailable(conflict),
        }
    }
}

impl From<twilio::Error> for Failure {
    fn from(error: twilio::Error) -> Self {
        match &error {
            twilio::Error::Retry { .. } | twilio::Error::UnknownOutcome { .. } => {
                unavailable(error)
            }
            twilio::Error::Reject { .. } => Self::from(Code::TWILIO_REJECTED).caused_by(error),
            twilio::Error::Alarm { .. } => Self::from(Code::TWILIO_UNUSABLE).caused_by(error),
        }
    }
}

/// What the edge logs of a failed request; travels with the answer, not in it.
#[derive(Debug, Clone)]
pub struct LoggedFailure {
    /// The stable code.
    pub code: &'static str,
    /// The cause from inside.
    pub cause: Option<String>,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = Response::new(self.problem.to_json().into());
        *response.status_mut() =
            StatusCode::from_u16(self.problem.status).expect("the table holds HTTP statuses only");
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(Problem::CONTENT_TYPE),
        );
        if let Some(seconds) = self.problem.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.problem.status == 401 {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self.into_logged());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_documented() {
        let api = include_str!("../API.md");
        for (index, row) in Code::ALL.iter().enumerate() {
            assert!(
                Code::ALL[index + 1..]
                    .iter()
                    .all(|other| other.name != row.name),
                "{}",
                row.name
            );
            assert!(api.contains(&format!("`{}`", row.name)), "{}", row.name);
        }
    }

    #[test]
    fn a_store_that_does_not_answer_is_503_with_retry_after() {
        let error = StoreError::Retry {
            operation: "read tenant",
            code: "timeout".to_owned(),
        };
        let response = Failure::from(error).into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
    }

    #[test]
    fn a_cause_from_inside_is_logged_and_not_answered() {
        let failure = internal("secret table name");
        assert!(!failure.problem.to_json().contains("secret table"));
        let response = failure.into_response();
        let logged = response.extensions().get::<LoggedFailure>().unwrap();
        assert_eq!(logged.cause.as_deref(), Some("secret table name"));
    }
}
