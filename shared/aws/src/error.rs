//! What went wrong, by what the caller can do.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::result::SdkError as SmithyError;

/// A call to AWS that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Throttled, unreachable or a passing fault: safe to ask again later, for reads and conditional writes.
    #[error("{operation}: temporarily not possible ({code})")]
    Retry {
        /// What was asked.
        operation: &'static str,
        /// AWS's error code, or what the connection did.
        code: String,
    },
    /// A person must look: refused access, a missing table, a malformed item.
    #[error("{operation}: {code}")]
    Alarm {
        /// What was asked.
        operation: &'static str,
        /// AWS's error code, or what is malformed.
        code: String,
    },
}

impl StoreError {
    /// An item that does not have the form this version writes.
    pub(crate) fn malformed(operation: &'static str, what: impl std::fmt::Display) -> Self {
        Self::Alarm {
            operation,
            code: what.to_string(),
        }
    }

    /// Sorts an SDK error by what can be done. Messages are left out: they can hold keys of items.
    pub(crate) fn from_sdk<E, R>(operation: &'static str, error: &SmithyError<E, R>) -> Self
    where
        E: ProvideErrorMetadata,
    {
        match error {
            SdkError::ServiceError(service) => {
                let code = service.err().code().unwrap_or("unknown").to_owned();
                if is_passing(&code) {
                    Self::Retry { operation, code }
                } else {
                    Self::Alarm { operation, code }
                }
            }
            SdkError::TimeoutError(_) => Self::Retry {
                operation,
                code: "timeout".to_owned(),
            },
            SdkError::ConstructionFailure(_) => Self::Alarm {
                operation,
                code: "request could not be built".to_owned(),
            },
            SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => Self::Retry {
                operation,
                code: "connection".to_owned(),
            },
            _ => Self::Alarm {
                operation,
                code: "unknown".to_owned(),
            },
        }
    }

    /// May the caller ask again later?
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Retry { .. })
    }
}

/// Codes of DynamoDB, SQS, EventBridge and Secrets Manager that pass by themselves.
pub(crate) fn is_passing(code: &str) -> bool {
    matches!(
        code,
        "ThrottlingException"
            | "ThrottlingError"
            | "Throttling"
            | "ProvisionedThroughputExceededException"
            | "ProvisionedThroughputExceeded"
            | "RequestLimitExceeded"
            | "LimitExceededException"
            | "TransactionConflictException"
            | "TransactionConflict"
            | "TransactionInProgressException"
            | "InternalServerError"
            | "InternalServiceError"
            | "InternalException"
            | "InternalFailure"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "RequestThrottled"
    )
}

/// A conditional write that was not made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Someone else wrote first: read again, decide again.
    #[error("lost a race on {}", items.join(", "))]
    Conflict {
        /// Which items' conditions failed.
        items: Vec<&'static str>,
    },
    /// The store did not answer, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CommitError {
    /// Did this item's condition fail?
    pub fn is_conflict_on(&self, item: &str) -> bool {
        matches!(self, Self::Conflict { items } if items.contains(&item))
    }
}
