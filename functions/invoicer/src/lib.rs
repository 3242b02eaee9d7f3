#![doc = include_str!("../README.md")]

mod invoice;

use aws::{Command, Store};
use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Error, LambdaEvent};
use runtime::{Environment, Host};

/// The function, its clients built once.
pub struct Function {
    host: Host,
    store: Store,
}

impl Function {
    /// Builds the clients; nothing is sent yet.
    pub fn new(
        _environment: &Environment,
        host: &Host,
        settings: &aws::Settings,
    ) -> Result<Self, Error> {
        Ok(Self {
            host: host.clone(),
            store: Store::new(settings, &settings.clients()?),
        })
    }

    /// Opens the connection to the tables while init's CPU is free.
    pub async fn warm_up(&self) {
        self.store.warm_up().await;
    }

    /// States the periods of a batch's tenants; failed messages are reported by id.
    pub async fn handle(&self, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
        let mut response = SqsBatchResponse::default();
        for message in event.payload.records {
            if !self.handle_message(&message).await {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = message.message_id.unwrap_or_default();
                response.batch_item_failures.push(failure);
            }
        }
        Ok(response)
    }

    async fn handle_message(&self, message: &SqsMessage) -> bool {
        let body = message.body.as_deref().unwrap_or_default();
        let Ok(command) = serde_json::from_str::<Command>(body) else {
            tracing::error!(
                error_type = "malformed_message",
                "a statement message is not a command"
            );
            return false;
        };
        match self.invoice(&command).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(tenant.id = %command.tenant_id, cause = %command.cause, error_type = error.error_type(), %error, "statement failed");
                false
            }
        }
    }
}
