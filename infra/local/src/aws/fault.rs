//! Faults on demand: a hook sees every call before it is served and says what goes wrong.
//!
//! The same hook rules the in-memory transport and the TCP endpoint.

use std::sync::Arc;

use serde::Serialize;

/// The services that are played here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// DynamoDB.
    DynamoDb,
    /// DynamoDB Streams.
    Streams,
    /// Secrets Manager.
    Secrets,
    /// SQS.
    Sqs,
    /// EventBridge.
    EventBridge,
    /// S3.
    S3,
}

/// What is known of a call before it is served.
#[derive(Debug, Clone)]
pub struct CallInfo {
    /// App name of the caller's user agent (`app/<name>`), empty without one.
    pub caller: String,
    /// The service called.
    pub service: Service,
    /// The operation, as `PutItem`.
    pub operation: String,
    /// Tables (sorted, once each), or the queue, bus or secret, as far as the request names them.
    pub resources: Vec<String>,
    /// 1 for the first call that this instance received, and so on.
    pub sequence: u64,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// An error answer; the call had no effect.
    RespondBefore {
        /// HTTP status.
        status: u16,
        /// Error type, as `ThrottlingException`.
        error_type: String,
    },
    /// The connection breaks before the call has any effect.
    DropBefore,
    /// The call has its effect; the connection breaks before the answer.
    DropAfter,
    /// The call has its effect; the caller sees an error answer.
    RespondAfter {
        /// HTTP status.
        status: u16,
        /// Error type, as `InternalServerError`.
        error_type: String,
    },
    /// Another writer is at the same item: `TransactionConflict` as cancellation reason of the
    /// first action of a transaction, else `TransactionConflictException`.
    TransactionConflict,
    /// The named entries of a PutEvents or SendMessageBatch are refused, the others served.
    FailEntries {
        /// Indexes of the refused entries.
        indexes: Vec<usize>,
        /// Error code of each, as `ThrottlingException`.
        code: String,
    },
}

impl Fault {
    /// An error answer without effect.
    pub fn respond_before(status: u16, error_type: &str) -> Self {
        Self::RespondBefore {
            status,
            error_type: error_type.to_owned(),
        }
    }

    /// An error answer although the call had its effect.
    pub fn respond_after(status: u16, error_type: &str) -> Self {
        Self::RespondAfter {
            status,
            error_type: error_type.to_owned(),
        }
    }
}

/// Decides on the fault of each call.
pub type FaultHook = Arc<dyn Fn(&CallInfo) -> Fault + Send + Sync>;
