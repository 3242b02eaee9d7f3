//! Queues: commands for one consumer each.

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use domain::Date;
use domain::ids::TenantId;
use serde::{Deserialize, Serialize};

use crate::{Clients, StoreError};

/// Messages of one SendMessageBatch (SQS API reference).
const BATCH_MAX: usize = 10;

/// A queue of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Queue {
    /// Usage to pull, one tenant a message.
    Pull,
    /// Holds and Twilio status to enforce.
    Suspend,
    /// Provisioning to go on with.
    Provision,
    /// Billing periods to state.
    Statement,
    /// Days to compare with Twilio.
    Reconcile,
}

impl Queue {
    /// Its name within a stage.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Suspend => "suspend",
            Self::Provision => "provision",
            Self::Statement => "statement",
            Self::Reconcile => "reconcile",
        }
    }
}

/// Cause of a pull that is a tenant's daily turn: it reads further back than others.
pub const DAILY: &str = "daily";
/// Cause of a pull that a person asked for: which days stands in the pull state.
pub const REPULL: &str = "repull";

/// Cause of a look at statements that a person asked for: it does not wait until a period has settled.
pub const REQUESTED: &str = "requested";

/// Cause of the hourly comparison of all subaccounts with all rows; the tenant is the one of all zeros.
pub const DRIFT: &str = "drift";

/// A command about one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The tenant.
    pub tenant_id: TenantId,
    /// What brought it about, for the log.
    pub cause: String,
}

/// A command to compare days with Twilio; the latest ones if no range is given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Comparison {
    /// First and last day.
    pub range: Option<(Date, Date)>,
}

/// Where the queues are.
#[derive(Debug, Clone)]
pub struct QueueUrls {
    /// Of usage to pull.
    pub pull: String,
    /// Of holds to enforce.
    pub suspend: String,
    /// Of provisioning to go on with.
    pub provision: String,
    /// Of billing periods to state.
    pub statement: String,
    /// Of days to compare with Twilio.
    pub reconcile: String,
}

/// Sends commands.
#[derive(Debug, Clone)]
pub struct Queues {
    sqs: aws_sdk_sqs::Client,
    urls: QueueUrls,
}

impl Queues {
    /// The queues at these URLs.
    pub fn new(clients: &Clients, urls: QueueUrls) -> Self {
        Self {
            sqs: clients.sqs.clone(),
            urls,
        }
    }

    /// Sends commands, ten at a time. An error means that some may not have been sent: sending all again is
    /// harmless, since every consumer takes a repeated command as a no-op.
    pub async fn send<T: Serialize>(&self, queue: Queue, commands: &[T]) -> Result<(), StoreError> {
        const OPERATION: &str = "send commands";
        for chunk in commands.chunks(BATCH_MAX) {
            let mut request = self.sqs.send_message_batch().queue_url(self.url(queue));
            for (index, command) in chunk.iter().enumerate() {
                let body = serde_json::to_string(command)
                    .map_err(|error| StoreError::malformed(OPERATION, error))?;
                let entry = SendMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .message_body(body)
                    .build();
                request = request.entries(entry.expect("id and body are set"));
            }
            let answer = request
                .send()
                .await
                .map_err(|error| StoreError::from_sdk(OPERATION, &error))?;
            if let Some(failed) = answer.failed.first() {
                return Err(StoreError::Retry {
                    operation: OPERATION,
                    code: failed.code.clone(),
                });
            }
        }
        Ok(())
    }

    fn url(&self, queue: Queue) -> &str {
        match queue {
            Queue::Pull => &self.urls.pull,
            Queue::Suspend => &self.urls.suspend,
            Queue::Provision => &self.urls.provision,
            Queue::Statement => &self.urls.statement,
            Queue::Reconcile => &self.urls.reconcile,
        }
    }
}
